"""How varied texts are: duplicates, and the share of n-grams of words that are distinct."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training.records import Record

ORDERS = (1, 2, 3, 4)


def diversity(records: Sequence[Record]) -> dict[str, Any]:
    """Counts of templates and duplicates; distinct-n of prompts and outputs (Li et al. 2016)."""
    prompts = [r.prompt for r in records]
    outputs = [r.output for r in records]
    return {
        "templates": len({str(r.metadata.get("template", "")) for r in records}),
        "duplicate_prompts": len(prompts) - len(set(prompts)),
        "duplicate_outputs": len(outputs) - len(set(outputs)),
        "distinct_prompt_ngrams": distinct(prompts),
        "distinct_output_ngrams": distinct(outputs),
    }


def distinct(texts: Sequence[str]) -> dict[str, dict[str, float]]:
    """For each n: how many n-grams there are, how many distinct, and their share."""
    made = {}
    for n in ORDERS:
        grams: set[tuple[str, ...]] = set()
        total = 0
        for text in texts:
            words = text.split()
            own = list(zip(*(words[i:] for i in range(n)), strict=False))
            total += len(own)
            grams.update(own)
        share = round(len(grams) / total, 4) if total else 0.0
        made[str(n)] = {"total": total, "distinct": len(grams), "share": share}
    return made
