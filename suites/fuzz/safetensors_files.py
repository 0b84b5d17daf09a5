"""Folders of safetensors: header, index, config.json and tokenizer.json as trees that mutate."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from suites.fuzz import tree_edits
from suites.fuzz.byte_edits import EXTREMES
from suites.fuzz.byte_edits import edited as edited_bytes
from suites.fuzz.files import Files

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
_WIDTH, _INNER, _VOCABULARY = 8, 12, 8
_LAYER = "model.layers.0"
SHAPES: Mapping[str, list[int]] = {
    "model.embed_tokens.weight": [_VOCABULARY, _WIDTH],
    "model.norm.weight": [_WIDTH],
    f"{_LAYER}.input_layernorm.weight": [_WIDTH],
    f"{_LAYER}.self_attn.q_proj.weight": [_WIDTH, _WIDTH],
    f"{_LAYER}.self_attn.k_proj.weight": [4, _WIDTH],
    f"{_LAYER}.self_attn.v_proj.weight": [4, _WIDTH],
    f"{_LAYER}.self_attn.o_proj.weight": [_WIDTH, _WIDTH],
    f"{_LAYER}.post_attention_layernorm.weight": [_WIDTH],
    f"{_LAYER}.mlp.gate_proj.weight": [_INNER, _WIDTH],
    f"{_LAYER}.mlp.up_proj.weight": [_INNER, _WIDTH],
    f"{_LAYER}.mlp.down_proj.weight": [_WIDTH, _INNER],
}
CONFIG: Mapping[str, Any] = {
    "model_type": "llama",
    "hidden_size": _WIDTH,
    "intermediate_size": _INNER,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "vocab_size": _VOCABULARY,
    "bos_token_id": 0,
    "eos_token_id": [1, 2],
    "tie_word_embeddings": True,
}
TOKENIZER: Mapping[str, Any] = {
    "version": "1.0",
    "added_tokens": [{"id": 0, "content": "<s>"}, {"id": 1, "content": "</s>"}],
    "model": {"type": "BPE", "vocab": {t: i for i, t in enumerate("ab cdefg")}, "merges": []},
}
TOKENIZER_CONFIG: Mapping[str, Any] = {
    "bos_token": "<s>",
    "eos_token": {"content": "</s>"},
    "added_tokens_decoder": {"0": {"content": "<s>"}},
}
"""Without a chat template: each new one would cost a process; the target `template` has its own."""


@dataclass(slots=True)
class Shard:
    """A safetensors file in parts; its header's length is true unless `length` says otherwise."""

    header: Any
    data: bytes
    length: int | None = None

    def written(self, dice: Random | None = None) -> bytes:
        """The bytes of the file; dice may write the header's JSON a little wrong."""
        head = tree_edits.text(dice, self.header) if dice else json.dumps(self.header).encode()
        length = len(head) if self.length is None else self.length
        return struct.pack("<Q", length % (1 << 64)) + head + self.data


@dataclass(slots=True)
class Folder:
    """Shards and JSON files, by name."""

    shards: dict[str, Shard]
    trees: dict[str, Any] = field(default_factory=dict)

    def written(self, dice: Random | None = None, wrong: str = "") -> dict[str, bytes]:
        """All files; the one named `wrong` is written with dice."""
        made = {n: s.written(dice if n == wrong else None) for n, s in self.shards.items()}
        for name, tree in self.trees.items():
            made[name] = (
                tree_edits.text(dice, tree)
                if dice and name == wrong
                else json.dumps(tree, default=str).encode()
            )
        return made


def shard(names: list[str]) -> Shard:
    """A sound file of some of the tensors, as F32."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name in names:
        count = 1
        for n in SHAPES[name]:
            count *= n
        end = len(data) + 4 * count
        header[name] = {"dtype": "F32", "shape": SHAPES[name], "data_offsets": [len(data), end]}
        data += struct.pack("<f", 0.25) * count
    return Shard(header, data)


def _folders() -> tuple[Folder, ...]:
    names = list(SHAPES)
    trees = {
        "config.json": CONFIG,
        "tokenizer.json": TOKENIZER,
        "tokenizer_config.json": TOKENIZER_CONFIG,
    }
    one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    where = dict.fromkeys(names[:5], one) | dict.fromkeys(names[5:], two)
    index = {"metadata": {"total_size": 0}, "weight_map": where}
    return (
        Folder({SINGLE: shard(names)}, dict(trees)),
        Folder({one: shard(names[:5]), two: shard(names[5:])}, {**trees, INDEX: index}),
    )


_FOLDERS = _folders()
_RAW_SHARE = 0.1


def seeds() -> tuple[Files, ...]:
    """The sound folders that mutations start from."""
    return tuple(folder.written() for folder in _FOLDERS)


def mutated(dice: Random) -> Files:
    """One mutated folder: mostly one of its files is wrong."""
    sound = dice.choice(_FOLDERS)
    made = Folder(dict(sound.shards), dict(sound.trees))
    wrong = dice.choice([*made.shards, *made.shards, *made.trees, "config.json"])
    if wrong in made.trees:
        made.trees[wrong] = tree_edits.edited(dice, made.trees[wrong])
    else:
        found = made.shards[wrong]
        made.shards[wrong] = Shard(tree_edits.cloned(found.header), found.data)
        _edit_shard(dice, made.shards[wrong])
    files = made.written(dice, wrong)
    if dice.random() < _RAW_SHARE:
        files[wrong] = edited_bytes(dice, files[wrong])
    if dice.randrange(32) == 0:
        del files[dice.choice(sorted(files))]
    return files


def _edit_shard(dice: Random, made: Shard) -> None:
    pick = dice.randrange(10)
    if pick == 0:
        made.length = dice.choice(EXTREMES)
    elif pick == 1 and made.data:
        made.data = edited_bytes(dice, made.data, 2)
    elif pick <= 5:
        _edit_entry(dice, made.header)
    else:
        made.header = tree_edits.edited(dice, made.header)


def _edit_entry(dice: Random, header: dict[str, Any]) -> None:
    """Entries of the right form with numbers that lie."""
    name = dice.choice([n for n in header if n != "__metadata__"])
    entry = header[name]
    pick = dice.randrange(4)
    if pick == 0:
        entry["dtype"] = dice.choice(("F16", "BF16", "I8", "F64", "F4", "C64", "BOOL", "Q4", ""))
    elif pick == 1:
        entry["shape"] = dice.choice(([], [0], [1] * 33, [1 << 62, 4], [1 << 32] * 3, [-1, -8]))
    elif pick == 2:
        entry["data_offsets"] = [dice.choice(EXTREMES), dice.choice(EXTREMES)]
    else:
        entry["data_offsets"] = header[dice.choice(list(header)[1:])]["data_offsets"]
