"""A part of the catalogue on a real model: what docs/detection.md promises, judged again."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.detection import SUBSET, ci_light, judged
from pytest_modelqa.mutation.report import summary, totals


@pytest.mark.tier3
def test_defects_of_every_class_are_found_and_no_healthy_variant_is_called_broken(
    tmp_path: Path,
) -> None:
    outcomes = judged(ci_light(tmp_path), SUBSET, tmp_path / "out", jobs=2)
    found = totals(outcomes)
    told = "\n".join(summary(found))
    assert found.detected.n >= 15, told
    assert not found.undetected, told
    assert found.integrity.k == found.integrity.n > 0, told
    assert found.false_alarms.n >= 10, told
    assert found.false_alarms.k == 0, told
    assert found.class_right.k >= 0.85 * found.class_right.n, told
    assert found.place_right.k >= 0.9 * found.place_right.n, told
