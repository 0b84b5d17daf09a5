"""The measurement of an artifact's memory: its rows, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.core.errors import ModelQAError, Refused, Unavailable, UsageError
from suites.memory.judging import PACKED, PEAK, error
from suites.memory.measure import PACKAGES, measure
from suites.memory.names import MIDDLE
from suites.memory.step import peaks
from training.memory import Approach

CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": MIDDLE.vocab_size,
    "hidden_size": MIDDLE.hidden_size,
    "intermediate_size": MIDDLE.intermediate_size,
    "num_hidden_layers": 6,
    "num_attention_heads": MIDDLE.num_attention_heads,
    "num_key_value_heads": MIDDLE.num_key_value_heads,
}


def _artifact(folder: Path, **change: Any) -> Path:
    (folder / "config.json").write_text(json.dumps(CONFIG | change))
    return folder


@pytest.mark.nightly
def test_rows_tell_planned_and_measured_bytes_of_each_approach(tmp_path: Path) -> None:
    rows = measure(_artifact(tmp_path), {"approaches": "full,qlora", "seed": 1, "layers": 1})
    assert [row["name"] for row in rows] == [
        "full: weights",
        "full: peak of a step, 1 of 6 layers",
        "qlora: adapters",
        "qlora: one layer packed",
        "qlora: peak of a step, 1 of 6 layers",
    ]
    for row in rows:
        planned, measured = row["planned_bytes"], row["measured_bytes"]
        assert isinstance(planned, int)
        assert isinstance(measured, int)
        assert error(planned, measured) < (PEAK if row["kind"] == "peak" else PACKED), row


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"num_attention_heads": 7}, Refused),
        ({"vocab_size": "many"}, Refused),
        ({"model_type": "mamba"}, Unavailable),
        ({"hidden_size": 2**40, "head_dim": 64}, Unavailable),
    ],
)
def test_what_cannot_be_measured_is_refused_and_never_a_row(
    change: dict[str, Any], kind: type[ModelQAError], tmp_path: Path
) -> None:
    with pytest.raises(kind) as caught:
        measure(_artifact(tmp_path, **change), {})
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_config_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(Refused, match=r"config\.json"):
        measure(tmp_path, {})


def test_a_package_that_is_not_installed_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PACKAGES, "qlora", {"no_such_package": "train"})
    with pytest.raises(Unavailable, match="no_such_package") as caught:
        measure(_artifact(tmp_path), {"approaches": "qlora"})
    assert "[train]" in caught.value.remedy


def test_an_approach_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="dora"):
        measure(_artifact(tmp_path), {"approaches": "full,dora"})


def test_a_step_that_does_not_end_in_time_is_an_error_and_no_peak() -> None:
    with pytest.raises(ModelQAError, match="no training step in 0 s"):
        peaks([(MIDDLE, Approach())], seconds=0.01)
