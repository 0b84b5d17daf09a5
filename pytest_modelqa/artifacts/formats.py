"""Which format a file or folder has, by its content; pickles are named, and never opened."""

from __future__ import annotations

from pathlib import Path

from pytest_modelqa.artifacts import adapter, safetensors

_PICKLE = tuple(bytes((0x80, version)) for version in range(2, 6))
_ZIP = b"PK\x03\x04"
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def recognise(path: Path) -> str:
    """gguf, apr, safetensors, adapter, pickle, or nothing. Raises OSError."""
    if path.is_dir():
        return _folder(path)
    with path.open("rb") as file:
        first = file.read(9)
    if first[:4] in (b"GGUF", b"FUGG"):
        return "gguf"
    if first[:3] == b"APR":
        return "apr"
    if first.startswith((*_PICKLE, _ZIP)):
        return "pickle"
    return "safetensors" if first[8:9] == b"{" else ""


def _folder(folder: Path) -> str:
    if any((folder / name).is_file() for name in (safetensors.SINGLE, safetensors.INDEX)):
        return "safetensors"
    if (folder / adapter.WEIGHTS).is_file():
        return "adapter"
    if any(next(folder.glob(pattern), None) for pattern in _PICKLED):
        return "pickle"
    return "safetensors"
