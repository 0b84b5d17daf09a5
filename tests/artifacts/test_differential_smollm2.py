"""Real conversions of SmolLM2 are sound; real tensors that are moved in them are told."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.artifacts.convert.kinds import Kind
from pytest_modelqa.artifacts.convert.run import convert
from pytest_modelqa.artifacts.differential import compare_configuration, compare_tensors
from pytest_modelqa.artifacts.hashing import cache_root
from pytest_modelqa.checks.parity.configuration import ConfigurationParity
from pytest_modelqa.checks.parity.tensors import judged
from pytest_modelqa.core.comparison.tensors import CompareConfiguration, CompareTensors
from pytest_modelqa.core.verdict import Outcome

TENSORS, VALUES = 272, 134_515_008


@pytest.fixture(scope="session")
def reference(smollm2: Path) -> Path:
    return convert(smollm2, Kind("safetensors", "f32"), cache_root()).made.path


@pytest.mark.parametrize(
    ("form", "quantization"),
    [
        ("gguf", "q4_1"),
        ("gguf", "f16"),
        ("gguf", "q8_0"),
        ("gguf", "q5_k_m"),
        ("gguf", "q4_k_m"),
        ("safetensors", "bf16"),
        ("apr", "f32"),
    ],
)
def test_every_conversion_is_sound(
    smollm2: Path, reference: Path, form: str, quantization: str
) -> None:
    file = smollm2
    if quantization != "q4_1":
        kind = Kind(form, quantization)  # type: ignore[arg-type]
        file = convert(smollm2, kind, cache_root()).made.path
    found = compare_tensors(file, reference, CompareTensors())
    verdict = judged(found)
    assert verdict.outcome is Outcome.CORROBORATED, verdict
    assert (verdict.tested, found.weights) == (TENSORS, VALUES)
    stated = compare_configuration(file, reference, CompareConfiguration())
    assert ConfigurationParity().judge({"configuration": stated}).outcome is Outcome.CORROBORATED


def _rows(path: Path, name: str) -> np.memmap[tuple[int, int], np.dtype[np.uint8]]:
    """The stored rows of a tensor, to be written to."""
    tensor = next(t for t in gguf.read(path).tensors if t.name == name)
    shape = tensor.shape[1], tensor.bytes // tensor.shape[1]
    return np.memmap(path, np.uint8, "r+", tensor.offset, shape)


def test_real_rows_that_are_moved_are_told(smollm2: Path, reference: Path, tmp_path: Path) -> None:
    """Three defects at once, in a K-quant and in two fallbacks of it."""
    made = convert(smollm2, Kind("gguf", "q4_k_m"), cache_root()).made.path
    file = tmp_path / "m.gguf"
    shutil.copyfile(made, file)
    down, value, key = (_rows(file, f"blk.11.{n}.weight") for n in ("ffn_down", "attn_v", "attn_k"))
    down[[3, 400]] = down[[400, 3]]
    value[50] = value[51]
    key[20, :8] ^= 0x55
    for rows in (down, value, key):
        rows.flush()
    found = {t.name: t for t in compare_tensors(file, reference, CompareTensors()).tensors
             if not t.sound}  # fmt: skip
    assert {(n, t.relation) for n, t in found.items()} == {
        ("blk.11.ffn_down.weight", "rows_swapped"),
        ("blk.11.attn_v.weight", "duplicated_rows"),
        ("blk.11.attn_k.weight", "corrupted_blocks"),
    }
    assert found["blk.11.ffn_down.weight"].rows == (3, 400)
    assert found["blk.11.attn_v.weight"].rows == (50,)


def test_memory_stays_far_below_a_model_in_float32(smollm2: Path, reference: Path) -> None:
    """A quantised file is decoded in pieces: without the mapped files, at most a fifth of it."""
    script = (
        "import sys, re, threading\n"
        "from pathlib import Path\n"
        "from pytest_modelqa.artifacts.differential import compare_tensors\n"
        "from pytest_modelqa.core.comparison.tensors import CompareTensors\n"
        "import gguf.quants\n"
        "def anonymous():\n"
        "    status = Path('/proc/self/status').read_text()\n"
        "    return int(re.search(r'RssAnon:\\s+(\\d+)', status)[1])\n"
        "before, most, over = anonymous(), 0, threading.Event()\n"
        "def watch():\n"
        "    global most\n"
        "    while not over.wait(0.01):\n"
        "        most = max(most, anonymous())\n"
        "watching = threading.Thread(target=watch)\n"
        "watching.start()\n"
        "compare_tensors(Path(sys.argv[1]), Path(sys.argv[2]), CompareTensors())\n"
        "over.set()\n"
        "watching.join()\n"
        "print(max(most - before, 1))\n"
    )
    if not Path("/proc/self/status").exists():
        pytest.skip("tells memory by /proc, which is not here")
    command = [sys.executable, "-c", script, str(smollm2), str(reference)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < VALUES * 4 / 5
