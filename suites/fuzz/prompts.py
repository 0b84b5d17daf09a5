"""Hostile prompts for a model's own tokenizer: ids that exist, the same ones twice, no crash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

from pytest_modelqa.core.errors import UsageError, missing_extra
from suites.fuzz.byte_edits import edited as edited_bytes
from suites.fuzz.files import Files
from suites.fuzz.reader import Held, Reader

NAME = "prompt.txt"
_PIECES = (
    "", " ", "\n", "\t", "\r\n", "\x00", "\x1b[31m", "\u202e", "\u200b", "\ufeff", "\u0301" * 40,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u0130", "\ufffd", "\U0010ffff", "a" * 3000,
    " " * 500, "9" * 400, "<|im_start|>", "<|endoftext|>", "</s>", "<s>", "<unk>", "[INST]",
    "{{ 1 }}", "'; DROP TABLE x; --", "\\", "\"", "\u4f60\u597d", "\u0627\u0644", "\u0e01\u0e33",
    "e\u0301", "\u00e9", "\u1e9b\u0323", "\uac00", "\u1112\u1161\u11ab", "hello", "Hello, world!",
)  # fmt: skip
"""Controls, joiners, marks, special tokens, repeats, and plain words."""

Encode = Callable[[str], list[int]]


def prompt(artifact: str) -> Reader:
    """Texts for the tokenizer of a GGUF file or of a folder with tokenizer.json.

    Raises UsageError where there is no such tokenizer, Unavailable where its library is missing.
    """
    path = Path(artifact)
    encode, size = _folder(path) if path.is_dir() else _gguf(path)

    def probe(folder: Path, held: Held) -> str:
        text = (folder / NAME).read_bytes().decode("utf-8", "replace")
        ids = encode(text)
        held.must("ids_exist", all(0 <= i < size for i in ids), f"an id outside of {size}")
        held.must("the_same_twice", encode(text) == ids, "another answer to the same text")
        held.must("something_for_something", bool(ids) or not text.strip(), ascii(text[:60]))
        return "encoded"

    return Reader(name="prompt", seeds=_seeds, mutated=_mutated, probe=probe)


def _seeds() -> tuple[Files, ...]:
    return ({NAME: b"Hello, world!"},)


def _mutated(dice: Random) -> Files:
    text = "".join(dice.choice(_PIECES) for _ in range(dice.randint(1, 8))).encode()
    return {NAME: edited_bytes(dice, text) if text and dice.randrange(3) == 0 else text}


def _folder(path: Path) -> tuple[Encode, int]:
    if not (path / "tokenizer.json").is_file():
        raise UsageError("no tokenizer.json is here", where=str(path),
                         remedy="leave `prompt` out of the block's targets")  # fmt: skip
    try:
        from tokenizers import Tokenizer  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise missing_extra("the target prompt", "tokenizers", "hf") from error
    made = Tokenizer.from_file(str(path / "tokenizer.json"))
    return lambda text: list(made.encode(text).ids), made.get_vocab_size(with_added_tokens=True)


def _gguf(path: Path) -> tuple[Encode, int]:
    try:
        from llama_cpp import Llama  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise missing_extra("the target prompt", "llama-cpp-python", "llamacpp") from error
    made = Llama(str(path), vocab_only=True, verbose=False)
    return lambda text: list(made.tokenize(text.encode(), special=True)), made.n_vocab()
