"""Planted defects of the garbage corpus: patches of the bytes of a Q4_1 GGUF of SmolLM2-135M."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


class Patcher:
    """Raw bytes of a copy's tensors; every method plants one defect."""

    def __init__(self, path: Path) -> None:
        self.bytes: Bytes = np.memmap(path, dtype=np.uint8, mode="r+")
        self.at = {t.name: (int(t.data_offset), int(t.n_bytes)) for t in GGUFReader(path).tensors}
        self.random = np.random.default_rng(0)

    def raw(self, name: str) -> Bytes:
        """A writable view."""
        start, size = self.at[name]
        return self.bytes[start : start + size]

    def floats(self, name: str) -> np.ndarray[Any, np.dtype[np.float32]]:
        """A writable view of a float32 tensor."""
        return self.raw(name).view(np.float32)

    def scales(self, name: str) -> np.ndarray[Any, np.dtype[np.float16]]:
        """Scale and minimum of each Q4_1 block (20 bytes for 32 weights)."""
        return self.raw(name).reshape(-1, 20)[:, :4].view(np.float16)

    def norms(self) -> list[str]:
        """The names of all norms."""
        return [name for name in self.at if name.endswith("norm.weight")]

    def zero(self, *names: str) -> None:
        """Zero float tensors."""
        for name in names:
            self.floats(name)[:] = 0

    def plus_one(self) -> None:
        """Add 1 to every norm: the convention of another architecture."""
        for name in self.norms():
            self.floats(name)[:] += 1

    def scale(self, factor: float, *names: str) -> None:
        """Blow up tensors."""
        for name in names:
            self.scales(name)[:] *= np.float16(factor)

    def scramble(self, *names: str) -> None:
        """Permute the blocks of a tensor."""
        for name in names:
            blocks = self.raw(name).reshape(-1, 20)
            blocks[:] = blocks[self.random.permutation(len(blocks))]

    def swap_layers(self, first: int, second: int) -> None:
        """Exchange all tensors of two layers."""
        for name in [n for n in self.at if n.startswith(f"blk.{first}.")]:
            other = name.replace(f"blk.{first}.", f"blk.{second}.")
            kept = self.raw(name).copy()
            self.raw(name)[:] = self.raw(other)
            self.raw(other)[:] = kept

    def embedding_rows(self, share: float) -> None:
        """Permute a share of the (tied) embedding's rows (Q8_0: 34 bytes for 32 weights)."""
        rows = self.raw("token_embd.weight").reshape(49152, -1)
        chosen = self.random.choice(len(rows), int(share * len(rows)), replace=False)
        rows[chosen] = rows[self.random.permutation(chosen)]

    def permute_heads(self) -> None:
        """Undo the converter's permutation of Q and K rows: the rope layout of the other family."""
        for name in [n for n in self.at if n.endswith(("attn_q.weight", "attn_k.weight"))]:
            rows = self.raw(name).reshape(-1, 32, 2, 360)
            rows[:] = rows.swapaxes(1, 2).reshape(rows.shape).copy()

    def flip_bits(self, share: float) -> None:
        """Flip one random bit in a share of the weight bytes (nibbles only)."""
        for name in [n for n in self.at if n.startswith("blk.") and "norm" not in n]:
            nibbles = self.raw(name).reshape(-1, 20)[:, 4:]
            hit = self.random.random(nibbles.shape) < share
            nibbles[hit] ^= np.uint8(1) << self.random.integers(
                0, 8, int(hit.sum()), dtype=np.uint8
            )

    def swap_nibbles(self, *layers: int) -> None:
        """Exchange the two halves of each block: the packing of another format."""
        for name in [n for n in self.at for i in layers if n.startswith(f"blk.{i}.")]:
            if "norm" not in name:
                nibbles = self.raw(name).reshape(-1, 20)[:, 4:]
                nibbles[:] = (nibbles >> 4) | (nibbles << 4)


Defect = Callable[[Patcher], None]
DEFECTS: dict[str, Defect] = {
    "zeroed-output-norm": lambda p: p.zero("output_norm.weight"),
    "zeroed-first-norms": lambda p: p.zero("blk.0.attn_norm.weight", "blk.0.ffn_norm.weight"),
    "zeroed-all-attn-norms": lambda p: p.zero(*[n for n in p.norms() if "attn_norm" in n]),
    "norms-plus-one": lambda p: p.plus_one(),
    "blown-up-ffn-down": lambda p: p.scale(30, "blk.5.ffn_down.weight"),
    "blown-up-attention": lambda p: p.scale(40, *[f"blk.{i}.attn_v.weight" for i in (3, 9, 20)]),
    "scrambled-ffn": lambda p: p.scramble(*[f"blk.{i}.ffn_down.weight" for i in range(0, 30, 3)]),
    "scrambled-attention": lambda p: p.scramble(
        *[f"blk.{i}.attn_{k}.weight" for i in range(0, 30, 2) for k in ("q", "output")]
    ),
    "swapped-layers-2-27": lambda p: p.swap_layers(2, 27),
    "swapped-layers-0-1": lambda p: p.swap_layers(0, 1),
    "permuted-heads": lambda p: p.permute_heads(),
    "embedding-rows-half": lambda p: p.embedding_rows(0.5),
    "embedding-rows-all": lambda p: p.embedding_rows(1.0),
    "bit-flips": lambda p: p.flip_bits(0.2),
    "swapped-nibbles": lambda p: p.swap_nibbles(*range(0, 30, 2)),
}
MORE_DEFECTS: dict[str, Defect] = {
    "more-zeroed-middle-norms": lambda p: p.zero(
        *[f"blk.{i}.ffn_norm.weight" for i in range(4, 16)]
    ),
    "more-blown-up-embedding-layer": lambda p: p.scale(25, "blk.0.ffn_up.weight"),
    "more-blown-up-outputs": lambda p: p.scale(
        12, *[f"blk.{i}.attn_output.weight" for i in (8, 15)]
    ),
    "more-shrunk-ffn": lambda p: p.scale(0.02, *[f"blk.{i}.ffn_down.weight" for i in range(30)]),
    "more-scrambled-gates": lambda p: p.scramble(
        *[f"blk.{i}.ffn_gate.weight" for i in range(1, 30, 4)]
    ),
    "more-scrambled-values": lambda p: p.scramble(
        *[f"blk.{i}.attn_v.weight" for i in range(5, 25)]
    ),
    "more-swapped-layers-5-20": lambda p: p.swap_layers(5, 20),
    "more-swapped-layers-1-29": lambda p: p.swap_layers(1, 29),
    "more-embedding-rows-third": lambda p: p.embedding_rows(0.33),
    "more-bit-flips": lambda p: p.flip_bits(0.12),
    "more-swapped-nibbles": lambda p: p.swap_nibbles(0, 1, 2, 12, 13, 14),
}
THIRD_DEFECTS: dict[str, Defect] = {
    "third-zeroed-late-norms": lambda p: p.zero(
        *[f"blk.{i}.attn_norm.weight" for i in range(18, 30)]
    ),
    "third-blown-up-keys": lambda p: p.scale(
        20, *[f"blk.{i}.attn_k.weight" for i in range(10, 14)]
    ),
    "third-blown-up-gate": lambda p: p.scale(
        15, "blk.12.ffn_gate.weight", "blk.13.ffn_gate.weight"
    ),
    "third-shrunk-attention": lambda p: p.scale(
        0.02, *[f"blk.{i}.attn_output.weight" for i in range(30)]
    ),
    "third-scrambled-up": lambda p: p.scramble(*[f"blk.{i}.ffn_up.weight" for i in (0, 7, 14, 21)]),
    "third-scrambled-keys": lambda p: p.scramble(*[f"blk.{i}.attn_k.weight" for i in range(30)]),
    "third-swapped-layers-0-29": lambda p: p.swap_layers(0, 29),
    "third-swapped-layers-10-25": lambda p: p.swap_layers(10, 25),
    "third-embedding-rows-tenth": lambda p: p.embedding_rows(0.1),
    "third-bit-flips": lambda p: p.flip_bits(0.15),
}
HELD_OUT_DEFECTS: dict[str, Defect] = {
    "held-zeroed-early-norms": lambda p: p.zero("blk.2.attn_norm.weight", "blk.3.ffn_norm.weight"),
    "held-blown-up-values": lambda p: p.scale(18, "blk.0.attn_v.weight", "blk.1.attn_v.weight"),
    "held-blown-up-down": lambda p: p.scale(20, "blk.9.ffn_down.weight", "blk.17.ffn_down.weight"),
    "held-shrunk-values": lambda p: p.scale(0.05, *[f"blk.{i}.attn_v.weight" for i in range(15)]),
    "held-scrambled-outputs": lambda p: p.scramble(
        *[f"blk.{i}.attn_output.weight" for i in range(0, 30, 3)]
    ),
    "held-scrambled-down": lambda p: p.scramble("blk.2.ffn_down.weight", "blk.26.ffn_down.weight"),
    "held-swapped-layers-3-12": lambda p: p.swap_layers(3, 12),
    "held-swapped-layers-15-28": lambda p: p.swap_layers(15, 28),
    "held-embedding-rows-most": lambda p: p.embedding_rows(0.8),
    "held-bit-flips": lambda p: p.flip_bits(0.17),
    "held-swapped-nibbles": lambda p: p.swap_nibbles(6, 7, 8, 9),
}
