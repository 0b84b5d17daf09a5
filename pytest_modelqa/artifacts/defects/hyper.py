"""Right weights under a wrong configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pytest_modelqa.artifacts.defects.defect import Change, Defect, DefectClass, Inapplicable
from pytest_modelqa.artifacts.defects.gguf_edit import Edit, Floats
from pytest_modelqa.artifacts.defects.subject import Subject

_SEED = 20260102
_LEAST_LAYERS = 2
_HEAD_WIDTHS = ("attention.key_length", "attention.value_length", "rope.dimension_count")


def _defect(
    name: str,
    what: str,
    change: Callable[[Subject], Change | Inapplicable],
    *causes: str,
    caught_by: str = "configuration parity",
) -> Defect:
    return Defect(
        name=name,
        category=DefectClass.HYPER,
        what=what,
        causes=causes,
        caught_by=caught_by,
        change=change,
    )


def _set(key: str, edit: Callable[[Any], Any]) -> Callable[[Subject], Change | Inapplicable]:
    def change(subject: Subject) -> Change | Inapplicable:
        before = subject.hyper(key)
        if before is None:
            return Inapplicable(f"there is no {subject.key(key)}")
        return Change(place=subject.key(key), metadata={subject.key(key): edit(before)})

    return change


def _lost(key: str) -> Callable[[Subject], Change | Inapplicable]:
    """Engines then take the family's default."""

    def change(subject: Subject) -> Change | Inapplicable:
        if subject.hyper(key) in (None, 10000.0) or subject.format != "gguf":
            return Inapplicable(f"{subject.key(key)} is the default already, or not GGUF's")
        return Change(place=subject.key(key), metadata={subject.key(key): None})

    return change


def _scaling(subject: Subject) -> Change | Inapplicable:
    kind, factor = subject.key("rope.scaling.type"), subject.key("rope.scaling.factor")
    if kind in subject.metadata:
        return Change(place=kind, metadata={kind: None, factor: None})
    return Change(place=kind, metadata={kind: "linear", factor: 4.0})


def _finer_heads(subject: Subject) -> Change | Inapplicable:
    """Twice as many heads, half as wide: every shape still fits."""
    queries, keys = subject.heads
    width = subject.hyper("attention.key_length") or (
        subject.hyper("embedding_length", 0) // queries if queries else 0
    )
    if not queries or width % 4:
        return Inapplicable(f"{queries} heads of {width} cannot be halved")
    metadata = {
        subject.key("attention.head_count"): queries * 2,
        subject.key("attention.head_count_kv"): keys * 2,
    }
    for key in _HEAD_WIDTHS:
        if subject.hyper(key):
            metadata[subject.key(key)] = subject.hyper(key) // 2
    return Change(place=subject.key("attention.head_count"), metadata=metadata)


def _fewer_kv_heads(subject: Subject) -> Change | Inapplicable:
    queries, keys = subject.heads
    key = subject.key("attention.head_count_kv")
    if not keys or keys == queries:
        return Inapplicable("keys have as many heads as queries")
    return Change(place=key, metadata={key: queries})


def _half_rotated(subject: Subject) -> Change | Inapplicable:
    key = subject.key("rope.dimension_count")
    if subject.hyper("rope.dimension_count", 0) % 4:
        return Inapplicable(f"there is no {key} to halve")
    if key not in subject.metadata:
        return Inapplicable(f"there is no {key}")
    return Change(place=key, metadata={key: subject.metadata[key] // 2})


def _layer_cut(subject: Subject) -> Change | Inapplicable:
    last = subject.layers - 1
    if last < _LEAST_LAYERS:
        return Inapplicable("there is no layer to spare")
    gone = {n: Edit(remove=True) for n in subject.shapes if n.startswith(f"blk.{last}.")}
    key = subject.key("block_count")
    return Change(place=key, metadata={key: last}, tensors=gone)


def _stale_head(subject: Subject) -> Change | Inapplicable:
    """A head of its own beside tied embeddings, as an early checkpoint would have had it."""
    if subject.has("output.weight") or not subject.has("token_embd.weight"):
        return Inapplicable("the head is not tied")

    def stale(values: Floats) -> Floats:
        noise = np.random.default_rng(_SEED).standard_normal(values.shape, dtype=np.float32)
        return values + noise * np.float32(values.std() / 2)

    edit = Edit(source="token_embd.weight", values=stale)
    return Change(place="output.weight", tensors={"output.weight": edit})


def _tied_head(subject: Subject) -> Change | Inapplicable:
    if not subject.has("output.weight", "token_embd.weight"):
        return Inapplicable("the head is tied already")
    if subject.format != "gguf":
        return Inapplicable("config.json says whether the head is tied")
    return Change(place="output.weight", tensors={"output.weight": Edit(remove=True)})


def _softcap(subject: Subject) -> Change | Inapplicable:
    key = subject.key("final_logit_softcapping")
    if key not in subject.metadata:
        return Inapplicable(f"{subject.architecture} does not cap its logits")
    return Change(place=key, metadata={key: subject.metadata[key] / 10})


DEFECTS = (
    _defect("rope-base-tenfold", "The rotary base is ten times as large.",
            _set("rope.freq_base", lambda base: float(base) * 10), "RoPE base"),
    _defect("rope-base-half", "The rotary base is half as large.",
            _set("rope.freq_base", lambda base: float(base) / 2), "RoPE base"),
    _defect("rope-base-lost", "The rotary base is not given: engines take 10,000.",
            _lost("rope.freq_base"), "RoPE base"),
    _defect("rope-scaling", "Positions are scaled by 4, or no longer scaled.", _scaling,
            "RoPE scaling"),
    _defect("half-rotated", "Half of each head is rotated.", _half_rotated,
            "RoPE dimensions"),
    _defect("norm-epsilon", "The norms' epsilon is a hundred times as large.",
            _set("attention.layer_norm_rms_epsilon", lambda eps: float(eps) * 100),
            "norm epsilon"),
    _defect("finer-heads", "Twice as many heads, half as wide.", _finer_heads,
            "head count"),
    _defect("wrong-kv-heads", "Keys are said to have as many heads as queries.",
            _fewer_kv_heads, "head count", "shape", caught_by="G0"),
    _defect("context-cut", "The context length is an eighth.",
            _set("context_length", lambda length: int(length) // 8), "context length"),
    _defect("layer-cut", "The last layer is missing, and the configuration agrees.", _layer_cut,
            "layer count"),
    _defect("stale-head", "A tied head was untied and is another one.", _stale_head,
            "tied head"),
    _defect("tied-by-mistake", "The head is missing, and engines take the embedding.",
            _tied_head, "tied head"),
    _defect("softcap", "Logits are capped ten times as low.", _softcap, "softcap"),
)  # fmt: skip
