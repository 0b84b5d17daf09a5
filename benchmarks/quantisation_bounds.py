"""How far quantisers move values, in units of what their steps explain: the table of bounds.

    python benchmarks/quantisation_bounds.py CANDIDATE REFERENCE

The candidate is a sound quantisation of the reference. For each type of its tensors: the least and
greatest ratio of a tensor's squared error to the expectation, that of its worst block, the relative
error, and how far the least-squares factor is off one. The limits in
`pytest_modelqa/artifacts/differential/bounds.py` are set above what this prints for ci-light in
fifteen types and SmolLM2-135M-Instruct in nine.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from pytest_modelqa.artifacts.differential.measuring import Measured, measure
from pytest_modelqa.artifacts.differential.stored import open_both


def main(candidate: Path, reference: Path) -> None:
    """Print one line a type."""
    ours, theirs = open_both(candidate, reference)
    by_type: dict[str, list[Measured]] = defaultdict(list)
    for name in ours.tensors.keys() & theirs.tensors.keys():
        measured = measure(ours.tensors[name], theirs.tensors[name])
        by_type[ours.tensors[name].type].append(measured)
    print(f"{'type':8} {'tensors':>7} {'ratio':>13} {'worst':>6} {'error':>7} {'off one':>8}")
    for kind, found in sorted(by_type.items()):
        ratios = [m.dd / max(float(m.expected.sum(dtype=np.float64)), 1e-30) for m in found]
        worst = max(float((m.blocks / np.maximum(m.expected, 1e-30)).max()) for m in found)
        print(
            f"{kind:8} {len(found):7} {min(ratios):6.3f}-{max(ratios):6.3f} {worst:6.2f} "
            f"{max(m.error for m in found):7.4f} {max(m.off_slope for m in found):8.1e}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
