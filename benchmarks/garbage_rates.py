"""False-positive and detection rates of the garbage oracle on the committed corpus.

    python benchmarks/garbage_rates.py           print the tables
    python benchmarks/garbage_rates.py --write   also put them into docs/oracles.md

Each rate with its n and 95 % Wilson interval. Limits were set on the `tune` half; the `held-out`
half, other prompts and other defects, was labelled later and has moved no limit.
Outputs labelled `unclear` or `fluent` are in no rate.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

from pytest_modelqa.checks.oracles import garbage_in
from pytest_modelqa.core.answer import Generation

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "tests" / "checks" / "oracles" / "corpus"
PAGE = ROOT / "docs" / "oracles.md"
BEGIN, END = "<!-- rates: begin -->", "<!-- rates: end -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One judged text of the corpus."""

    id: str
    half: str
    origin: str
    label: str
    text: str
    reason: str | None


def judged(name: str) -> list[Output]:
    """The outputs of one corpus file, each with the oracle's sign or None."""
    lines = (CORPUS / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [_judge(json.loads(line)) for line in lines]


def _judge(row: dict[str, Any]) -> Output:
    answer = Generation(
        prompt_tokens=1,
        ids=tuple(range(row.get("tokens", 1))),
        text=row["text"],
        finish=row.get("finish", "stop"),
        nonfinite_steps=row.get("nonfinite", 0),
        special_ids=row.get("special", 0),
        prefill_s=0.0,
        decode_s=0.0,
    )
    return Output(
        id=row["id"],
        half=row.get("half", "tune"),
        origin=row.get("origin", row.get("kind", "")),
        label=row.get("label", "sound"),
        text=row["text"],
        reason=garbage_in(answer),
    )


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927); (0, 1) without samples."""
    if not n:
        return 0.0, 1.0
    z, p = 1.959964, hits / n
    centre, spread = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n)
    return max(low, 0.0), min(high, 1.0)


def row(title: str, outputs: Iterable[Output]) -> str:
    """A line of a table: flagged of n, rate, interval."""
    flags = [o.reason is not None for o in outputs]
    hits, n = sum(flags), len(flags)
    low, high = wilson(hits, n)
    rate = f"{hits / n:.1%}" if n else "-"
    return f"| {title} | {hits} / {n} | {rate} | {low:.1%} to {high:.1%} |"


def table(rows: list[str]) -> str:
    """A markdown table."""
    return "\n".join(["| outputs | flagged | rate | 95 % interval |", "|---|---|---|---|", *rows])


def halves(title: str, outputs: list[Output]) -> list[str]:
    """All, tune and held-out."""
    of: Callable[[str], list[Output]] = lambda half: [o for o in outputs if o.half == half]  # noqa: E731
    return [
        row(f"**{title}**", outputs),
        row(f"{title}, tune half", of("tune")),
        row(f"{title}, held-out half", of("held-out")),
    ]


def report() -> str:
    """Both tables as markdown."""
    real, written, bad = judged("sound"), judged("sound_texts"), judged("broken")
    sound = [o for o in real if o.label == "sound"]
    broken = [o for o in bad if o.label in ("broken", "looping")]
    with_text = [o for o in broken if o.text.strip()]
    origins = sorted({o.origin for o in broken})
    return "\n\n".join(
        [
            "False alarms:",
            table([*halves("real sound outputs", sound), row("hand-written sound texts", written)]),
            "Detection:",
            table(
                [
                    *halves("broken outputs", broken),
                    *halves("those with any text", with_text),
                    *(row(name, [o for o in broken if o.origin == name]) for name in origins),
                ]
            ),
            "In no rate:",
            table(
                [
                    row("unclear, healthy model", [o for o in real if o.label == "unclear"]),
                    row("fluent, defective model", [o for o in bad if o.label == "fluent"]),
                ]
            ),
        ]
    )


def main(arguments: list[str]) -> None:
    """Print; write into the page; list the wrong ones with `--wrong`."""
    text = report()
    print(text)
    if "--wrong" in arguments:
        for o in (*judged("sound"), *judged("sound_texts"), *judged("broken")):
            if (o.reason is not None) != (o.label in ("broken", "looping")):
                print(o.half, o.id, o.label, o.reason, repr(o.text[:150]))
    if "--write" in arguments:
        page = PAGE.read_text("utf-8")
        head, tail = page.split(BEGIN)[0], page.split(END)[1]
        PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
