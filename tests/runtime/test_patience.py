"""Native threads that wait: they let others run, unless the user wants it otherwise."""

from __future__ import annotations

import pytest

from pytest_modelqa.runtime.process import _environment


def test_threads_give_up_spinning_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    assert int(_environment(2)["GOMP_SPINCOUNT"]) < 300_000


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"])
def test_what_the_user_has_set_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.setenv(name, "active" if name == "OMP_WAIT_POLICY" else "7")
    assert _environment(2).get("GOMP_SPINCOUNT") in (None, "7")
