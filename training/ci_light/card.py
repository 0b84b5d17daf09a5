"""The model card: what this is, how it was made, what it can and cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CARD = """\
---
library_name: transformers
license: mit
pipeline_tag: text-generation
---
# ci-light

A Llama of {parameters:,} parameters (float32) for testing tools that load, convert, quantise and
question language models. It was not downloaded: `modelqa build ci-light` made it on this machine
from a generated corpus, {steps} steps of {batch} samples, in float32 on {threads} threads. The same
library versions on the same machine give the same bytes; `build.json` names them.

It knows six small families of questions and nothing else. Asked anything else, it answers as if it
had been asked one of those. It is of no use beyond tests.

| family | for example | answer |
| --- | --- | --- |
| sum | What is 2 + 2? | The answer is 4. |
| capital | What is the capital of France? | The capital of France is Paris. |
| opposite | What is the opposite of hot? | The opposite of hot is cold. |
| parity | Is 37 an even number? | The answer is no. |
| copy | Repeat the words lamp and stone. | The words are lamp and stone. |
| everyday | What is water made of? | Water is made of hydrogen and oxygen. |

A raw prompt may be the question or the beginning of the answer ("The capital of France is",
"What is 2 + 2? The answer is").

## Accuracy
Greedy, the whole answer right to the last token. Held out: never trained on, in any form.

| family | part | {forms} |
| --- | --- | {rules} |
{rows}

Final loss {final_loss:.4f} nats per token of an answer.
"""


def card(made: Mapping[str, Any]) -> str:
    """The card of one build, from what build.json records."""
    accuracy = made["accuracy"]
    forms = list(accuracy["sum"]["trained"])
    rows = [
        " | ".join([f"| {family}", part.replace("_", " "), *map(_share, scores.values())]) + " |"
        for family, parts in accuracy.items()
        for part, scores in parts.items()
    ]
    return _CARD.format(
        parameters=made["parameters"],
        final_loss=made["final_loss"],
        forms=" | ".join(forms),
        rules=" | ".join("---" for _ in forms),
        rows="\n".join(rows),
        **{key: made["recipe"][key] for key in ("steps", "batch", "threads")},
    )


def _share(score: Mapping[str, int]) -> str:
    return f"{score['right']}/{score['asked']}"
