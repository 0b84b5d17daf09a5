"""Defects planted in copies of a real GGUF file, one each: the negative controls of every gate.

Each function copies `src` to `dst` and damages the copy in place. What the defect does to SmolLM2
(Q4_1, tied embeddings in Q8_0) was seen by running it; the tests of the gates keep it so.
"""

from __future__ import annotations

import mmap
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pytest_modelqa.artifacts import gguf

Damage = Callable[[mmap.mmap, gguf.Header], None]

_NAN16 = b"\x00\x7e"
_NAN32 = struct.pack("<f", float("nan"))


@contextmanager
def _opened(src: Path, dst: Path) -> Iterator[tuple[mmap.mmap, gguf.Header]]:
    shutil.copyfile(src, dst)
    header = gguf.read(dst)
    assert not header.findings, header.findings
    with dst.open("r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        yield data, header


def _tensor(header: gguf.Header, name: str) -> gguf.Tensor:
    return next(t for t in header.tensors if t.name == name)


def good_copy(src: Path, dst: Path) -> None:
    """The healthy neighbour."""
    shutil.copyfile(src, dst)


def truncated(src: Path, dst: Path) -> None:
    """Cut in the middle of the tensor data, as an interrupted download is."""
    shutil.copyfile(src, dst)
    os.truncate(dst, src.stat().st_size // 2)


def truncated_header(src: Path, dst: Path) -> None:
    """Cut inside the token list."""
    with src.open("rb") as file:
        dst.write_bytes(file.read(50_000))


def wrong_magic(src: Path, dst: Path) -> None:
    """The first bytes are those of another format."""
    with _opened(src, dst) as (data, _):
        data[:4] = b"GGML"


def zeroed_norm(src: Path, dst: Path) -> None:
    """The last norm is all zeros (a lost tensor): every logit is 0, nothing is preferred."""
    with _opened(src, dst) as (data, header):
        norm = _tensor(header, "output_norm.weight")
        data[norm.offset : norm.offset + norm.bytes] = bytes(norm.bytes)


def nan_in_norm(src: Path, dst: Path) -> None:
    """One NaN among the 576 weights of a norm: every logit is NaN."""
    with _opened(src, dst) as (data, header):
        norm = _tensor(header, "blk.3.attn_norm.weight")
        data[norm.offset : norm.offset + 4] = _NAN32


def nan_in_block_scale(src: Path, dst: Path) -> None:
    """One of a tensor's Q4_1 block scales is NaN: 32 weights of 1.1 million a layer."""
    with _opened(src, dst) as (data, header):
        tensor = _tensor(header, "blk.5.ffn_down.weight")
        assert tensor.type == "Q4_1"
        data[tensor.offset : tensor.offset + 2] = _NAN16


def blown_up_pad_row(src: Path, dst: Path) -> None:
    """The embedding row of PAD (<|im_end|>, tied with the head) is 400 times as long.

    Its logit is the greatest at the first step, so every answer ends before it began.
    """
    with _opened(src, dst) as (data, header):
        _scale_row(data, header, header.metadata["tokenizer.ggml.padding_token_id"], 400.0)


def _scale_row(data: mmap.mmap, header: gguf.Header, row: int, factor: float) -> None:
    embedding = _tensor(header, "token_embd.weight")
    assert embedding.type == "Q8_0"
    blocks = embedding.shape[0] // 32
    start = embedding.offset + row * blocks * 34
    for block in range(blocks):
        at = start + block * 34
        scale = np.frombuffer(data[at : at + 2], dtype="<f2")[0]
        data[at : at + 2] = np.float16(scale * factor).tobytes()


def scrambled_layers(src: Path, dst: Path) -> None:
    """Rows of every second layer's ffn_down in reverse order: sound numbers, wrong places."""
    with _opened(src, dst) as (data, header):
        for layer in range(0, 30, 2):
            tensor = _tensor(header, f"blk.{layer}.ffn_down.weight")
            raw = np.frombuffer(data[tensor.offset : tensor.offset + tensor.bytes], dtype=np.uint8)
            rows = raw.reshape(tensor.shape[1], -1)
            data[tensor.offset : tensor.offset + tensor.bytes] = rows[::-1].tobytes()


def config_mismatch(src: Path, dst: Path) -> None:
    """The header says one block more than there is."""
    with _opened(src, dst) as (data, header):
        at = header.key_offsets["llama.block_count"]
        data[at : at + 4] = struct.pack("<I", header.metadata["llama.block_count"] + 1)


def missing_tensor(src: Path, dst: Path) -> None:
    """A tensor has another name than the loader looks for."""
    _replace_once(src, dst, b"blk.7.ffn_up.weight", b"blk.7.ffn_xx.weight")


def unknown_architecture(src: Path, dst: Path) -> None:
    """`general.architecture` names a family that no engine knows."""
    with _opened(src, dst) as (data, header):
        at = header.key_offsets["general.architecture"] + 8
        assert data[at : at + 5] == b"llama"
        data[at : at + 5] = b"lamma"


def aborts_native_loader(src: Path, dst: Path) -> None:
    """Two tokens have the same text: an assertion of llama.cpp's loader aborts the process."""
    size = struct.pack("<Q", len("<reponame>"))
    _replace_once(src, dst, size + b"<reponame>", size + b"<filename>")


def _replace_once(src: Path, dst: Path, before: bytes, after: bytes) -> None:
    assert len(before) == len(after)
    with _opened(src, dst) as (data, _):
        at = data.find(before)
        assert at >= 0
        data[at : at + len(before)] = after
