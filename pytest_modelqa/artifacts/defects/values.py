"""Numbers that are not the model's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pytest_modelqa.artifacts.defects.defect import Change, Defect, DefectClass, Inapplicable
from pytest_modelqa.artifacts.defects.gguf_edit import Edit, Floats
from pytest_modelqa.artifacts.defects.gguf_layout import Bytes
from pytest_modelqa.artifacts.defects.subject import Subject

_SEED = 20260101
_BLOCKED = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")


def _defect(
    name: str, what: str, change: Callable[[Subject], Change | Inapplicable], *causes: str
) -> Defect:
    return Defect(
        name=name,
        category=DefectClass.VALUES,
        what=what,
        causes=causes,
        caught_by="tensor parity",
        change=change,
    )


def _one(name: Callable[[Subject], str], edit: Edit) -> Callable[[Subject], Change | Inapplicable]:
    def change(subject: Subject) -> Change | Inapplicable:
        chosen = name(subject)
        if not subject.has(chosen):
            return Inapplicable(f"there is no {chosen}")
        return Change(place=chosen, tensors={chosen: edit})

    return change


def _in(short: str) -> Callable[[Subject], str]:
    return lambda subject: subject.tensor(short)


def _scaled(factor: float) -> Edit:
    return Edit(values=lambda values: values * np.float32(factor))


def _row_zeroed(values: Floats) -> Floats:
    values[values.shape[0] // 2] = 0.0
    return values


def _row_repeated(values: Floats) -> Floats:
    half = values.shape[0] // 2
    values[half : half + max(8, values.shape[0] // 16)] = values[half - 1]
    return values


def _rows_zeroed(values: Floats) -> Floats:
    """An eighth of the rows, as a shard that was not read leaves them."""
    values[-max(1, values.shape[0] // 8) :] = 0.0
    return values


def _noise(values: Floats) -> Floats:
    """A fifth of the tensor's own spread."""
    noise = np.random.default_rng(_SEED).standard_normal(values.shape, dtype=np.float32)
    return values + noise * np.float32(0.2 * values.std())


def _clamped(values: Floats) -> Floats:
    """At one standard deviation: a third of the weights."""
    limit = values.std()
    cut: Floats = np.clip(values, -limit, limit)
    return cut


def _outlier(values: Floats) -> Floats:
    values.reshape(-1)[values.size // 3] = np.abs(values).max() * 100
    return values


def _random(values: Floats) -> Floats:
    """As a layer that was never loaded keeps its initial values."""
    drawn: Floats = np.random.default_rng(_SEED).standard_normal(values.shape, dtype=np.float32)
    drawn *= values.std()
    return drawn


def _norms_plus_one(subject: Subject) -> Change | Inapplicable:
    norms = [n for n in subject.shapes if n.endswith("_norm.weight")]
    if not norms:
        return Inapplicable("there are no norms")
    return Change(
        place=sorted(norms)[0],
        tensors={n: Edit(values=lambda values: values + np.float32(1)) for n in norms},
    )


def _block(subject: Subject) -> Change | Inapplicable:
    """The bytes of sixteen blocks are another file's: their scales as well as their values."""
    name = subject.tensor("ffn_down")
    if subject.types.get(name) not in _BLOCKED:
        return Inapplicable(f"{name} has no blocks with a scale")

    def corrupt(raw: Bytes) -> Bytes:
        out = raw.copy()
        flat = out.reshape(-1)
        start = flat.size // 2 - flat.size // 2 % 32
        flat[start : start + 320] ^= 0x15
        return out

    return Change(place=name, tensors={name: Edit(raw=corrupt)})


DEFECTS = (
    _defect("scaled-1-percent", "A projection is 1 % too large.",
            _one(_in("ffn_down"), _scaled(1.01)), "scale"),
    _defect("scaled-2", "A projection is twice as large.", _one(_in("attn_v"), _scaled(2.0)),
            "scale"),
    _defect("sign-flipped", "A projection has the other sign.",
            _one(_in("attn_output"), _scaled(-1.0)), "sign"),
    _defect("zeroed-row", "One row of a projection is zero.",
            _one(_in("ffn_down"), Edit(values=_row_zeroed)), "zeroed rows"),
    _defect("zeroed-rows", "The last eighth of a projection is zero.",
            _one(_in("ffn_up"), Edit(values=_rows_zeroed)), "zeroed rows"),
    _defect("zeroed-tensor", "A projection is zero.", _one(_in("attn_output"), _scaled(0.0)),
            "zeroed tensor"),
    _defect("repeated-rows", "A sixteenth of the rows repeats the row before.",
            _one(_in("ffn_down"), Edit(values=_row_repeated)), "duplicated rows"),
    _defect("zeroed-norm", "The last norm is zero.",
            _one(lambda _: "output_norm.weight", _scaled(0.0)), "zeroed tensor"),
    _defect("norms-plus-one", "1 was added to every norm.", _norms_plus_one, "(1+w) norms"),
    _defect("corrupted-blocks", "320 bytes in the middle of a tensor are damaged.", _block,
            "corrupted block"),
    _defect("noise-in-one-tensor", "A projection has noise of a fifth of its spread.",
            _one(_in("attn_q"), Edit(values=_noise)), "corrupted tensor",
            "unrelated values"),
    _defect("random-tensor", "A projection was never loaded.",
            _one(_in("ffn_up"), Edit(values=_random)), "unrelated values", "corrupted tensor"),
    _defect("clamped", "A projection is cut off at one standard deviation.",
            _one(_in("ffn_gate"), Edit(values=_clamped)), "corrupted tensor"),
    _defect("outlier", "One weight is a hundred times the largest.",
            _one(_in("ffn_down"), Edit(values=_outlier)), "corrupted block", "corrupted tensor"),
)  # fmt: skip
