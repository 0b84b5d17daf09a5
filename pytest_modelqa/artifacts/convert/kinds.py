"""What a model file is, for conversion: its format, and the type that most of its weights have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pytest_modelqa.artifacts import gguf, safetensors
from pytest_modelqa.core.errors import Refused, Unavailable, UsageError
from pytest_modelqa.core.model import FLOATS, Format

QUANTISER_TYPES = {
    "f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q8_0": 7, "q5_0": 8, "q5_1": 9, "q2_k": 10,
    "q3_k_s": 11, "q3_k_m": 12, "q3_k_l": 13, "q4_k_s": 14, "q4_k_m": 15, "q5_k_s": 16,
    "q5_k_m": 17, "q6_k": 18, "iq2_xxs": 19, "iq2_xs": 20, "q2_k_s": 21, "iq3_xs": 22,
    "iq3_xxs": 23, "iq1_s": 24, "iq4_nl": 25, "iq3_s": 26, "iq3_m": 27, "iq2_s": 28, "iq2_m": 29,
    "iq4_xs": 30, "iq1_m": 31, "bf16": 32,
}  # fmt: skip
"""llama.cpp's `enum llama_ftype` (llama.h), which `general.file_type` of a GGUF holds, too."""

_NAMES = {number: name for name, number in QUANTISER_TYPES.items()}

SIDE_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
)
"""What belongs to a safetensors model beside its tensors. Code (`*.py`) is not among it."""


class Kind(NamedTuple):
    """A format and a quantisation: `gguf-q4_k_m`."""

    format: Format
    quantization: str

    def __str__(self) -> str:
        return f"{self.format}-{self.quantization}"


def target_kind(form: str, quantization: str) -> Kind:
    """What a user asks for.

    Raises UsageError where no such thing exists, Unavailable where nothing here makes it.
    """
    wanted = quantization.lower()
    if form == "gguf":
        known: Iterable[str] = QUANTISER_TYPES
    elif form in {"safetensors", "apr"}:
        known = FLOATS
    else:
        raise UsageError(f"{form!r} is no format", remedy="--to gguf, safetensors or apr")
    if wanted not in QUANTISER_TYPES:
        raise UsageError(
            f"{quantization!r} is no quantisation", remedy=f"one of {', '.join(sorted(known))}"
        )
    if wanted not in known:
        raise Unavailable(
            f"{form} files of {wanted} are not made here",
            remedy=f"choose {', '.join(FLOATS)}, or --to gguf",
        )
    return Kind(form, wanted)  # type: ignore[arg-type]  # compared with the formats above


def source_path(given: Path) -> Path:
    """A model's folder where its `model.safetensors` or its index is named."""
    return given.parent if given.name in {safetensors.SINGLE, safetensors.INDEX} else given


def format_of(path: Path) -> Format:
    """The format by content: a folder is safetensors, a file is told by its first four bytes.

    Raises UsageError (nothing is there), Refused (a file of no known format).
    """
    if path.is_dir():
        return "safetensors"
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise UsageError(
            f"cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="name a .gguf or .apr file, or a folder of safetensors",
        ) from error
    if magic == b"GGUF":
        return "gguf"
    if magic[:3] == b"APR":
        return "apr"
    raise Refused(
        f"starts with {magic!r}: neither GGUF nor APR",
        where=str(path),
        remedy="name a .gguf or .apr file, or the folder that holds model.safetensors",
    )


def kind_of(path: Path) -> Kind:
    """The kind of a file whose header is sound; quantisation as declared, else as most bytes are.

    Raises OSError.
    """
    form = format_of(path)
    if form == "gguf":
        header = gguf.read(path)
        declared = _NAMES.get(header.metadata.get("general.file_type", -1), "")
        return Kind(form, declared or _mostly((t.type, t.bytes) for t in header.tensors))
    if form == "apr":
        from pytest_modelqa.artifacts import apr  # noqa: PLC0415 - only where one is met

        return Kind(form, _mostly((t.type, t.bytes) for t in apr.read(path).tensors))
    tensors = safetensors.read_folder(path).tensors
    return Kind(form, _mostly((t.type, t.bytes) for t in tensors))


def _mostly(sizes: Iterable[tuple[str, int]]) -> str:
    total: Counter[str] = Counter()
    for kind, count in sizes:
        total[kind] += count
    return total.most_common(1)[0][0].lower() if total else "f32"
