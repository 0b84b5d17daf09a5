"""The vocabulary of a model that llama.cpp has opened, and llama.cpp's own chat renderer."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import llama_cpp as lc

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.core.comparison.templates import Conversation
from pytest_modelqa.core.comparison.tokens import Kind
from pytest_modelqa.core.errors import Refused
from pytest_modelqa.engines.vocabulary import Entries, Scheme, piece_bytes

_KINDS: tuple[tuple[int, Kind], ...] = (
    (lc.LLAMA_TOKEN_ATTR_UNUSED, "unused"),
    (lc.LLAMA_TOKEN_ATTR_UNKNOWN, "unknown"),
    (lc.LLAMA_TOKEN_ATTR_CONTROL, "control"),
    (lc.LLAMA_TOKEN_ATTR_USER_DEFINED, "user"),
    (lc.LLAMA_TOKEN_ATTR_BYTE, "byte"),
)
"""The first attribute that is set decides; none of them is plain text."""


def entries(vocab: Any, artifact: Path) -> Entries:
    """Pieces and kinds of every id. llama.cpp tells no merges: they are read from the file."""
    merges = gguf.read(artifact).metadata.get("tokenizer.ggml.merges", ())
    count = int(lc.llama_vocab_n_tokens(vocab))
    bpe = int(lc.llama_vocab_type(vocab)) == lc.LLAMA_VOCAB_TYPE_BPE
    scheme: Scheme = "byte-level" if bpe else "sentencepiece"
    kinds = [_kind(int(lc.llama_vocab_get_attr(vocab, i))) for i in range(count)]
    texts = (
        lc.llama_vocab_get_text(vocab, i).decode("utf-8", "surrogateescape") for i in range(count)
    )
    return Entries(
        pieces=[piece_bytes(t, k, scheme) for t, k in zip(texts, kinds, strict=True)],
        kinds=kinds,
        pad_id=int(lc.llama_vocab_pad(vocab)),
        unk_id=next((i for i, kind in enumerate(kinds) if kind == "unknown"), -1),
        merges=merges if isinstance(merges, tuple) else (),
    )


def _kind(attributes: int) -> Kind:
    return next((kind for flag, kind in _KINDS if attributes & flag), "normal")


def rendered(template: str, conversation: Conversation) -> str:
    """What `llama_chat_apply_template` writes: no Jinja, it recognises some thirty templates.

    It knows neither tools nor a template's conditions, and takes an unknown template for ChatML
    where there is none. Raises Refused where there is no template, or it is not recognised.
    """
    if not template:
        raise Refused("there is no template; programs would take ChatML")
    if conversation.tools or any(turn.tool_calls for turn in conversation.turns):
        raise Refused("it takes no tools")
    turns = conversation.turns
    if any("\0" in turn.content for turn in turns):
        raise Refused("it takes no text with a NUL")
    chat = (lc.llama_chat_message * len(turns))()
    for message, turn in zip(chat, turns, strict=True):
        message.role, message.content = turn.role.encode(), turn.content.encode()
    room = 256 + 2 * sum(len(t.role.encode()) + len(t.content.encode()) + 64 for t in turns)
    for _ in range(2):
        buffer = ctypes.create_string_buffer(room)
        count = lc.llama_chat_apply_template(
            template.encode(), chat, len(turns), conversation.add_generation_prompt, buffer, room
        )
        if count < 0:
            raise Refused("it does not recognise the template")
        if count <= room:
            return buffer.raw[:count].decode("utf-8", "replace")
        room = count
    raise Refused("it asks for ever more room")
