"""`python -m training.ci_light FOLDER`: build the model. Progress goes to stderr."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def main(argv: list[str]) -> int:
    """Parse, build, say what was made."""
    parser = argparse.ArgumentParser(prog="python -m training.ci_light", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write the model; made if missing")
    parser.add_argument("--steps", type=int, help="fewer make a model that answers nothing, soon")
    options = parser.parse_args(argv)
    # Before torch starts its threads: on a busy machine, spinning at barriers costs ten times more.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    from training.ci_light.build import build  # noqa: PLC0415 - after the environment is set

    def say(text: str) -> None:
        sys.stderr.write(f"ci-light: {text}\n")
        sys.stderr.flush()

    build(options.folder, say, steps=options.steps)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
