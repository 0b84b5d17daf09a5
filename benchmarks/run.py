"""The speed of pytest-modelqa against what it promises; writes docs/performance.md.

    python -m benchmarks.run                     everything: one to two hours on two cores
    python -m benchmarks.run --repeats 1         the same in half the time, without medians
    python -m benchmarks.run --only llamacpp     one part
    python -m benchmarks.run --quick             20 prompts, one repeat; prints, writes nothing

Repeats are interleaved, numbers are medians, each measurement has a process of its own, and all
run on two cores with two threads. Measure on a quiet machine: batches with a barrier per layer
suffer most from neighbours.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import models
from benchmarks.engines import llamacpp, transformers
from benchmarks.measuring import ROOT, THREADS, NotMeasured, use_two_cores
from benchmarks.overhead import overhead
from benchmarks.rivals import rivals
from benchmarks.table import Line, table, verdict, with_section
from pytest_modelqa.runtime.machine import machine, versions

PAGE = ROOT / "docs" / "performance.md"
_ISA = ("avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16")


def parts(args: argparse.Namespace) -> dict[str, Callable[[], list[Line]]]:
    """What can be measured, by name."""
    count, repeats = (20, 1) if args.quick else (200, args.repeats)
    quantisations = tuple(args.quantisations.split(","))
    return {
        "llamacpp": lambda: llamacpp(count, repeats, quantisations),
        "transformers": lambda: transformers(count, repeats, args.dtypes.split(",")),
        "peers": lambda: rivals(count, min(repeats, 2), ("q4_1", "f16"), quick_dtype()),
        "overhead": lambda: overhead(*((500, 3) if args.quick else (10_000, 15))),
    }


def described(repeats: int = 1) -> str:
    """Machine, versions, load, time and repeats, as one line each."""
    known = {**machine(), "instructions": _instructions(), "threads": str(THREADS)}
    known["two busy processes do"] = f"{together():.1f} times the work of one"
    libraries = ", ".join(f"{name} {version}" for name, version in versions().items())
    now = datetime.now(UTC).strftime("%Y-%m-%d")
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    facts = "; ".join(f"{name} {value}" for name, value in known.items())
    return (
        f"Measured on {now}: {facts}; load before {load}; repeats {repeats}.\nWith {libraries}.\n"
    )


_BUSY = """
import hashlib, time
block, done, end = bytes(1 << 20), 0, time.perf_counter() + 1
while time.perf_counter() < end:
    hashlib.sha256(block)
    done += 1
print(done)
"""


def together() -> float:
    """What a second core is worth: 2 where it is one, near 1 where it shares or is taken away."""
    command = [sys.executable, "-c", _BUSY]
    alone = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    return sum(int(process.communicate()[0]) for process in both) / alone


def quick_dtype() -> str:
    """What transformers is fastest in: bfloat16 where the processor has instructions for it.

    Elsewhere every product is converted there and back.
    """
    has = _instructions().partition(" (without")[0].split()
    return "bfloat16" if {"avx512_bf16", "amx_bf16"} & set(has) else "float32"


def _instructions() -> str:
    """Of those that decide what a batch gains, the ones that this processor has and lacks."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return "unknown"
    flags = set(next((t for t in text.splitlines() if t.startswith("flags")), "").split())
    lacks = " ".join(i for i in _ISA if i not in flags)
    has = " ".join(i for i in _ISA if i in flags)
    return f"{has} (without {lacks})" if lacks else has


def main() -> int:
    """Measure, print, write. 1 when a promise was not kept or not measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="20 prompts, one repeat, no page")
    parser.add_argument("--only", choices=("llamacpp", "transformers", "peers", "overhead"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--quantisations", default="q4_1,f16", help=f"of {','.join(models.QUANTISATIONS)}"
    )
    dtypes = "float32,bfloat16" if quick_dtype() == "bfloat16" else "float32"
    parser.add_argument("--dtypes", default=dtypes, help="what transformers computes in")
    args = parser.parse_args()
    use_two_cores()
    broken = 0
    for name, part in parts(args).items():
        if args.only not in (None, name):
            continue
        head = described(1 if args.quick else args.repeats)
        try:
            lines = part()
        except NotMeasured as error:
            lines = [Line(what=name, value=None, note=str(error))]
            broken += 1
        broken += sum(verdict(line) not in ("", "met") for line in lines if line.promise)
        text = f"{head}\n{table(lines)}"
        print(f"\n{name}\n{text}", flush=True)
        if not args.quick:
            PAGE.write_text(with_section(PAGE.read_text("utf-8"), name, text), encoding="utf-8")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
