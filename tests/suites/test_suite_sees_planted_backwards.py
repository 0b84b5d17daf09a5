"""Backwards patched to zeros from outside: the suite runs in another process, and is red."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]

ZERO = """
import torch

class Zero(torch.autograd.Function):
    @staticmethod
    def forward(ctx, output):
        return output.clone()
    @staticmethod
    def backward(ctx, upstream):
        return torch.zeros_like(upstream)
"""

SILU = (
    ZERO
    + """
silu = torch.nn.functional.silu
torch.nn.functional.silu = lambda *a, **k: Zero.apply(silu(*a, **k))
"""
)

LORA = (
    ZERO
    + """
from peft.tuners.lora.layer import Linear
forward = Linear.forward
Linear.forward = lambda self, *a, **k: Zero.apply(forward(self, *a, **k))
"""
)

HEALTHY = ""

IMPORTS = """
import sys
def pytest_collection_finish():
    assert "torch" not in sys.modules and "transformers" not in sys.modules
"""

USES_SILU = {
    "swish_activation",
    "swiglu_combined",
    "decoder_layer_llama",
    "decoder_layer_qwen2",
    "model_loss_llama",
    "model_loss_qwen2",
}
USES_LORA = {"lora_a", "lora_b", "lora_input"}


def run(folder: Path, patch: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "planted.py").write_text(patch)
    paths = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    command = [sys.executable, "-m", "pytest", "-p", "planted", "-p", "no:cacheprovider", "-q"]
    return subprocess.run(
        [*command, "-p", "no:xdist", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def red(folder: Path, patch: str) -> set[str]:
    """The checks that fail under a patch; all of them ran, and nothing else went wrong."""
    results = folder / "junit.xml"
    file = "suites/gradients/test_gradients.py"
    done = run(folder, patch, file, "-k", "agrees_with", f"--junitxml={results}")
    cases = ElementTree.parse(results).getroot().findall(".//testcase")
    assert len(cases) >= 50, done.stdout
    assert not [case for case in cases if case.find("error") is not None], done.stdout
    failed = {case.get("name", "") for case in cases if case.find("failure") is not None}
    return {name.partition("[")[2].removesuffix("]") for name in failed}


@pytest.mark.parametrize(
    ("patch", "expected"),
    [(SILU, USES_SILU), (LORA, USES_LORA)],  # each is the healthy run of the other's checks
    ids=["silu", "lora"],
)
def test_a_backward_of_zeros_turns_exactly_the_checks_red_that_use_it(
    patch: str, expected: set[str], tmp_path: Path
) -> None:
    assert red(tmp_path, patch) == expected


def test_collecting_the_suites_imports_neither_torch_nor_transformers(tmp_path: Path) -> None:
    done = run(tmp_path, IMPORTS, "suites", "--collect-only")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_report_folder_gets_the_table_of_errors(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(tmp_path, HEALTHY, "suites/gradients", "-k", "softmax", "--modelqa-report", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"max_relative"' in (out / "gradients.json").read_text()
    assert "| softmax |" in (out / "gradients.md").read_text()
    assert "max_relative" in done.stdout
