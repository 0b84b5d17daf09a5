"""The layout is a test: contracts, lonely imports, public names, exit codes, controls."""

from __future__ import annotations

import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_modelqa
from pytest_modelqa.core.errors import ExitCode

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pytest_modelqa"
MODULES = sorted(
    m.name
    for m in pkgutil.walk_packages([str(PACKAGE)], "pytest_modelqa.")
    if not m.name.startswith(("pytest_modelqa.engines.hf", "pytest_modelqa.engines.llamacpp"))
)


def test_every_module_imports_alone_and_none_pulls_in_an_engine_library() -> None:
    """A process a module, forked when what others wrote is loaded already: ten times as fast."""
    code = """
import gc, importlib, os, sys, warnings
warnings.simplefilter("error")
names = sys.argv[1:]
for name in names:
    importlib.import_module(name)
heavy = {"torch", "transformers", "llama_cpp", "ray", "peft", "datasets"} & set(sys.modules)
assert not heavy, heavy
for loaded in [m for m in sys.modules if m.split(".")[0] == "pytest_modelqa"]:
    del sys.modules[loaded]
gc.disable()
for name in names:
    child = os.fork()
    if child == 0:
        importlib.import_module(name)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, name
"""
    assert len(MODULES) > 30
    done = subprocess.run(
        [sys.executable, "-c", code, *MODULES],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr


def test_public_names_are_sorted_and_exist() -> None:
    names = pytest_modelqa.__all__
    assert names == sorted(names)
    assert set(names) == set(pytest_modelqa._HOMES)
    for name in names:
        assert getattr(pytest_modelqa, name).__name__ == name
    with pytest.raises(AttributeError):
        _ = pytest_modelqa.nosuchname


def test_exit_codes_do_not_collide_and_are_documented() -> None:
    assert len({c.value for c in ExitCode}) == len(ExitCode.__members__)
    for own, theirs in zip(
        [ExitCode.OK, ExitCode.FAILED, ExitCode.INTERRUPTED, ExitCode.INTERNAL, ExitCode.USAGE],
        pytest.ExitCode,
        strict=False,
    ):
        assert own.value == theirs.value
    documented = (ROOT / "docs" / "exit-codes.md").read_text()
    for code in ExitCode:
        assert f"| {code.value} | {code.name} | {code.meaning} |" in documented


def test_files_stay_one_subject() -> None:
    long = {
        str(f.relative_to(ROOT)): n
        for f in [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
        if (n := len(f.read_text().splitlines())) > 400
    }
    assert not long


def test_the_plugin_folder_stays_thin() -> None:
    lines = sum(len(f.read_text().splitlines()) for f in (PACKAGE / "plugin").glob("*.py"))
    assert lines <= 600


def test_every_gateway_has_its_controls() -> None:
    """A gate without a planted defect that turns it red does not count as implemented."""
    from pytest_modelqa.checks.gateways import GATEWAYS
    from tests.controls.test_gateway_controls import CONTROLS

    for gateway in GATEWAYS:
        assert CONTROLS.get(gateway.gate), f"{gateway.gate} has no negative control"


def test_every_measured_block_has_its_controls() -> None:
    """Rows that are sound, and what is planted in them; each is asked of its check by a test."""
    from pytest_modelqa.checks.numeric import MEASURED
    from tests.checks.numeric.rows import HEALTHY, PLANTED

    assert set(MEASURED) == set(HEALTHY) == set(PLANTED)
    for block in MEASURED:
        assert PLANTED[block], f"{block} has no negative control"


def test_ship_gates_and_canaries_have_their_controls() -> None:
    from pytest_modelqa.playbook.gates import CANARY_GATE, harness_gate
    from tests.controls.test_ship_controls import CONTROLS

    assert set(CONTROLS) == {harness_gate("x").removesuffix("-X"), CANARY_GATE}
    assert all(CONTROLS.values())


def test_no_file_names_a_path_of_one_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    ).stdout.split()  # fmt: skip
    pattern = re.compile(r"(?<![\w.])/(?:work|root|farm)/")
    for name in listed:
        file = ROOT / name
        if file.suffix in {".py", ".md", ".toml", ".ini", ".yaml", ".json"}:
            assert not pattern.search(file.read_text(encoding="utf-8")), name
