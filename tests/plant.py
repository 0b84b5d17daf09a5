"""Defects planted in copies of a real GGUF file, one each: the negative controls of every gate.

Each function copies `src` to `dst` and damages the copy in place. What the defect does to SmolLM2
(Q4_1, tied embeddings in Q8_0) was seen by running it; the tests of the gates keep it so.
"""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import numpy as np

from pytest_modelqa.artifacts.defects.gguf_edit import Edit, patched, rewrite
from pytest_modelqa.artifacts.defects.gguf_layout import Bytes

_NAN16 = b"\x00\x7e"
_NAN32 = struct.pack("<f", float("nan"))


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
    with patched(src, dst) as (data, _):
        data[:4] = b"GGML"


def zeroed_norm(src: Path, dst: Path) -> None:
    """The last norm is all zeros (a lost tensor): every logit is 0, nothing is preferred."""
    rewrite(src, dst, tensors={"output_norm.weight": Edit(values=np.zeros_like)})


def nan_in_norm(src: Path, dst: Path) -> None:
    """One NaN among the 576 weights of a norm: every logit is NaN."""
    with patched(src, dst) as (data, layout):
        norm = layout.tensors["blk.3.attn_norm.weight"]
        data[norm.offset : norm.offset + 4] = _NAN32


def nan_in_block_scale(src: Path, dst: Path) -> None:
    """One of a tensor's Q4_1 block scales is NaN: 32 weights of 1.1 million a layer."""
    with patched(src, dst) as (data, layout):
        tensor = layout.tensors["blk.5.ffn_down.weight"]
        assert tensor.type == "Q4_1"
        data[tensor.offset : tensor.offset + 2] = _NAN16


def blown_up_pad_row(src: Path, dst: Path) -> None:
    """The embedding row of PAD (<|im_end|>, tied with the head) is 400 times as long.

    Its logit is the greatest at the first step, so every answer ends before it began.
    """
    rewrite(src, dst, tensors={"token_embd.weight": Edit(raw=_second_row_longer)})


def _second_row_longer(raw: Bytes) -> Bytes:
    """Row 2 is PAD's; each of its Q8_0 blocks begins with a float16 scale."""
    changed = raw.copy()
    scales = changed[2].reshape(-1, 34)[:, :2]
    longer = np.ascontiguousarray(scales).view("<f2") * np.float16(400)
    scales[:] = longer.view(np.uint8)
    return changed


def scrambled_layers(src: Path, dst: Path) -> None:
    """Rows of every second layer's ffn_down in reverse order: sound numbers, wrong places."""
    reverse = Edit(raw=lambda rows: rows[::-1])
    names = [f"blk.{layer}.ffn_down.weight" for layer in range(0, 30, 2)]
    rewrite(src, dst, tensors=dict.fromkeys(names, reverse))


def config_mismatch(src: Path, dst: Path) -> None:
    """The header says one block more than there is."""
    rewrite(src, dst, metadata={"llama.block_count": 31})


def missing_tensor(src: Path, dst: Path) -> None:
    """A tensor has another name than the loader looks for."""
    rewrite(src, dst, tensors={"blk.7.ffn_up.weight": Edit(name="blk.7.ffn_xx.weight")})


def unknown_architecture(src: Path, dst: Path) -> None:
    """`general.architecture` names a family that no engine knows."""
    rewrite(src, dst, metadata={"general.architecture": "lamma"})


def aborts_native_loader(src: Path, dst: Path) -> None:
    """Two tokens have the same text: an assertion of llama.cpp's loader aborts the process."""
    with patched(src, dst) as (data, _):
        size = struct.pack("<Q", len("<reponame>"))
        at = data.find(size + b"<reponame>")
        assert at >= 0
        data[at + len(size) : at + len(size) + len("<reponame>")] = b"<filename>"
