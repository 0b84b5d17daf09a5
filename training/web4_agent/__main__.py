"""`python -m training.web4_agent FOLDER [VARIANT]`: build the model. Progress goes to stderr."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pytest_modelqa.core.errors import ModelQAError
from training.web4_agent.damage import DAMAGES

UNMERGED, FIRST = "adapter", "groundwork"


def main(argv: list[str]) -> int:
    """Parse, build, say what was made."""
    parser = argparse.ArgumentParser(prog="python -m training.web4_agent", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write the model; made if missing")
    parser.add_argument(
        "variant",
        nargs="?",
        default="",
        choices=["", UNMERGED, FIRST, *DAMAGES],
        help="what to spoil; or the adapter alone, or the model before its last training",
    )
    parser.add_argument("--recipe", type=Path, help="another training configuration")
    parser.add_argument("--base", default="", help="another base, such as build:ci-light")
    parser.add_argument(
        "--steps", type=int, default=0, help="fewer make a model that learnt little"
    )
    parser.add_argument("--run", type=Path, help="a finished run of the same, trained elsewhere")
    options = parser.parse_args(argv)
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    from training.web4_agent.build import (  # noqa: PLC0415 - loads libraries
        GROUNDWORK,
        RECIPE,
        Order,
        build,
    )

    def say(text: str) -> None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    order = Order(
        recipe=options.recipe or (GROUNDWORK if options.variant == FIRST else RECIPE),
        base=options.base,
        damage=options.variant if options.variant in DAMAGES else "",
        unmerged=options.variant == UNMERGED,
        steps=options.steps,
        run=options.run,
    )
    try:
        build(options.folder, order, say)
    except ModelQAError as error:
        say(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
