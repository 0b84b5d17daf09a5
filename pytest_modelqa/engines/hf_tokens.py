"""The vocabulary and the chat template of a tokenizer of transformers."""

from __future__ import annotations

import json
from typing import Any

from jinja2 import TemplateError

from pytest_modelqa.core.comparison.templates import Conversation
from pytest_modelqa.core.comparison.tokens import Kind
from pytest_modelqa.core.errors import Refused
from pytest_modelqa.engines.template import as_message
from pytest_modelqa.engines.vocabulary import Entries, Scheme, is_raw_byte, piece_bytes


def entries(tokenizer: Any) -> Entries:
    """Pieces and kinds of every id; holes in the numbering are unused."""
    scheme = _scheme(tokenizer)
    added = tokenizer.added_tokens_decoder
    special = set(tokenizer.all_special_ids)
    unknown = -1 if tokenizer.unk_token_id is None else int(tokenizer.unk_token_id)
    texts = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))

    def kind(token: int, text: str | None) -> Kind:
        if text is None:
            return "unused"
        if token in special or (token in added and added[token].special):
            return "control"
        if token in added:
            return "user"
        return "byte" if scheme == "sentencepiece" and is_raw_byte(text) else "normal"

    kinds = [kind(i, text) for i, text in enumerate(texts)]
    return Entries(
        pieces=[piece_bytes(t or "", k, scheme) for t, k in zip(texts, kinds, strict=True)],
        kinds=kinds,
        pad_id=-1 if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id),
        unk_id=unknown,
        merges=_merges(tokenizer),
    )


def _merges(tokenizer: Any) -> list[str]:
    """Of a fast tokenizer; a merge is stored as a pair, or, in older files, as one text."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    stored = json.loads(backend.to_str())["model"].get("merges") if backend is not None else None
    return [m if isinstance(m, str) else " ".join(_unspaced(part) for part in m)
            for m in stored or ()]  # fmt: skip


def _unspaced(part: str) -> str:
    """A space within a piece, as llama.cpp's converter writes it into GGUF."""
    return part.replace(" ", chr(ord(" ") + 256))


def _scheme(tokenizer: Any) -> Scheme:
    """Told by the steps of the fast tokenizer; one without them is SentencePiece's own."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    steps = f"{backend.decoder!r} {backend.pre_tokenizer!r}" if backend is not None else ""
    return "byte-level" if "ByteLevel" in steps else "sentencepiece"


def rendered(tokenizer: Any, conversation: Conversation) -> str:
    """What `apply_chat_template` writes. Raises Refused where it does not."""
    try:
        text = tokenizer.apply_chat_template(
            [as_message(turn) for turn in conversation.turns],
            tools=json.loads(conversation.tools) if conversation.tools else None,
            add_generation_prompt=conversation.add_generation_prompt,
            tokenize=False,
        )
    except (TemplateError, TypeError, ValueError, KeyError, OverflowError) as error:
        raise Refused(f"transformers: {type(error).__name__}: {str(error)[:200]}") from error
    return str(text)
