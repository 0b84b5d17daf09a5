"""The shape of ship gates and canaries: what a candidate must reach before it ships.

A harness is prompts, a validator, and what is demanded of the answers. Validators are oracles; an
oracle's own fields stand beside the common ones, and a line of the prompts' file may override them.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, Field, Tag

from pytest_modelqa.core.model import Mode
from pytest_modelqa.core.shipping import GateKind, Metric
from pytest_modelqa.playbook.fields import (
    DISTINCT,
    UNIQUE,
    ArtifactKey,
    Count,
    Label,
    Share,
    Strict,
    Text,
    Tokens,
    whole,
)

Confidence = Annotated[float, Field(gt=0.5, lt=1)]
Stops = Annotated[tuple[Label, ...], Field(max_length=16), UNIQUE, DISTINCT]
HarnessName = Annotated[
    str, Field(pattern=whole(r"[a-z0-9]+(?:_[a-z0-9]+)*"), max_length=60, description="pdca_schema")
]
TaskName = Annotated[
    str, Field(pattern=whole(r"[A-Za-z0-9][A-Za-z0-9_.-]*"), max_length=80, description="unique")
]


class GeneratorDoc(Strict):
    """Prompts that a function makes, given the options that stand beside its name."""

    model_config = ConfigDict(extra="allow")

    generator: Label = Field(description="an entry point of the group modelqa.prompts")


def _file_or_generator(value: Any) -> str:
    return "<mapping>" if isinstance(value, (dict, GeneratorDoc)) else "<text>"


PromptSource = Annotated[
    Annotated[Label, Tag("<text>")] | Annotated[GeneratorDoc, Tag("<mapping>")],
    Discriminator(_file_or_generator),
]


class HarnessDoc(Strict):
    """One gate. The oracle's own fields stand beside these."""

    kind: GateKind = Field(description="ship blocks by itself; quality counts in the overall score")
    metric: Metric = Field(
        default="rate", description="f1: for oracles with two classes, such as refusal"
    )
    threshold: Share = Field(description="the least metric, from 0 to 1")
    samples: Count | None = Field(
        default=None, description="the first so many prompts; default: all of them"
    )
    prompts: PromptSource = Field(
        description="a JSONL file, relative to this one, or {generator: NAME, ...}"
    )
    examples: Label = Field(
        description="a JSONL file of judged answers, at least one good and one bad: the validator "
        "must tell them apart before the harness counts"
    )
    oracle: str = Field(description="what judges the answers")
    system: Text | None = Field(default=None, description="system text of every prompt")
    max_tokens: Tokens = Field(default=256, description="an answer that is cut off has not passed")
    stop: Stops = Field(default=(), description="texts that end an answer, and are part of it")
    mode: Mode = Field(default="exact", description="exact: one sequence; fast: batched")
    confidence: Confidence | None = Field(
        default=None,
        description="the exact one-sided bound decides; default: that of ship_gates, else the "
        "point estimate decides",
    )


class ShipGates(Strict):
    """What a candidate must reach before it ships; the run ends in CLEARED or BLOCKED."""

    enabled: bool = Field(default=True, description="false turns the whole block off")
    artifact: ArtifactKey | None = Field(
        default=None, description="what ships; default: the last artifact of the matrix"
    )
    baseline: ArtifactKey | None = Field(
        default=None, description="is asked the same, and compared answer by answer"
    )
    min_overall: Share = Field(default=0.90, description="least mean of the harnesses' metrics")
    confidence: Confidence | None = Field(
        default=None, description="of all harnesses; left out: the point estimate decides"
    )
    harnesses: Annotated[dict[HarnessName, dict[str, Any]], Field(min_length=1)] = Field(
        description="by name"
    )


class PromptDoc(Strict):
    """A line of a prompts' file. Fields of the harness's oracle may stand beside these."""

    id: Annotated[str, Field(min_length=1, max_length=80)] = Field(description="unique")
    prompt: Text
    system: Text | None = Field(default=None, description="instead of the harness's")


class ExampleDoc(Strict):
    """A line of an examples' file. Fields of the harness's oracle may stand beside these."""

    answer: Annotated[str, Field(max_length=100_000)]
    passes: bool = Field(description="whether the validator must let it pass")
    why: Label = Field(description="for readers")
    prompt: Text | None = Field(default=None, description="what it is an answer to")


class CanaryDoc(Strict):
    """A task that must always be done. The oracle's own fields stand beside these."""

    name: TaskName
    group: Label = Field(description="such as code generation")
    prompt: Text
    oracle: str = Field(description="what judges the answer")
    system: Text | None = None
    max_tokens: Tokens = 256
    stop: Stops = ()


class Canaries(Strict):
    """Tasks that may never fail, followed through the stages that a model went through."""

    enabled: bool = Field(default=True, description="false turns the whole block off")
    file: Label | None = Field(
        default=None, description="a YAML file with `tasks:`, relative to this one"
    )
    tasks: tuple[dict[str, Any], ...] = Field(default=(), description="instead of a file")
    stages: Annotated[tuple[ArtifactKey, ...], Field(min_length=1), UNIQUE, DISTINCT] | None = (
        Field(
            default=None,
            description="artifacts in the order in which they were made; the last one ships; "
            "default: those of the model as they are declared, up to what ships",
        )
    )
    baseline: ArtifactKey | None = Field(
        default=None, description="what it passes and the candidate fails is a regression"
    )


class TasksDoc(Strict):
    """A file of canaries."""

    tasks: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)]
