"""Blocks whose checks other packages measure: numbers of the playbook's own model, and training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pytest_modelqa.playbook.fields import (
    DISTINCT,
    UNIQUE,
    BlockDoc,
    Count,
    Label,
    Positive,
    Quantizations,
    Tokens,
)

MaxSeconds = Annotated[
    float,
    Field(gt=0, le=86_400, description="beyond limits.request_timeout_s; then it counts as hung"),
]


class Gradients(BlockDoc):
    """Gradients of the model's architecture, made small, against central differences in float64."""

    layers: Annotated[
        tuple[Annotated[int, Field(ge=0, le=31)], ...], Field(min_length=1), UNIQUE, DISTINCT
    ] = Field(default=(0,), description="layers whose gradients are checked, from 0")
    max_relative_error: Positive = Field(default=1e-6, description="of any gradient")
    max_seconds: MaxSeconds = 300.0


Fault = Literal[
    "kill_worker", "hang_worker", "out_of_memory", "truncated_file", "corrupt_file", "disk_full"
]


class Chaos(BlockDoc):
    """Faults injected while the model answers: each must cost what it struck, and nothing else."""

    faults: Annotated[tuple[Fault, ...], Field(min_length=1), UNIQUE, DISTINCT] = (
        "kill_worker",
        "hang_worker",
    )
    max_seconds: MaxSeconds = 300.0


Target = Literal["prompt", "parameters", "template", "header"]


class Fuzz(BlockDoc):
    """Hostile input: readers and planner may refuse, and must not crash."""

    targets: Annotated[tuple[Target, ...], Field(min_length=1), UNIQUE, DISTINCT] = (
        "header",
        "parameters",
    )
    iterations: Count = Field(default=1000, description="inputs to each target")
    max_seconds: MaxSeconds = 60.0


ApproachName = Literal["full", "lora", "qlora"]


class Memory(BlockDoc):
    """What training this model needs as planned, against what is measured."""

    approaches: Annotated[tuple[ApproachName, ...], Field(min_length=1), UNIQUE, DISTINCT] = (
        "full",
        "lora",
        "qlora",
    )
    max_peak_error: Positive = Field(default=0.15, description="relative, of a step's peak")
    max_packed_error: Positive = Field(default=0.01, description="relative, of weights in 4 bits")
    layers: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=4, description="layers of the model whose step is measured, at most"
    )
    tokens: Tokens = Field(default=512, description="tokens of that step")
    max_seconds: MaxSeconds = 600.0


TrainingStage = Literal["data", "run", "merge", "gguf"]


class Training(BlockDoc):
    """A fine-tuned model from its data to the file that is served: every hand-over is checked.

    What is named is verified; what is not is made, once, by the configuration.
    """

    config: Label | None = Field(
        default=None,
        description="file of a training configuration, relative to the playbook; default: ci-light",
    )
    run: Label | None = Field(
        default=None, description="folder of a finished run, relative to the playbook"
    )
    merged: Label | None = Field(default=None, description="folder of that run's merged model")
    gguf: Label | None = Field(default=None, description="GGUF file of that merged model")
    stages: Annotated[tuple[TrainingStage, ...], Field(min_length=1), UNIQUE, DISTINCT] = (
        "data",
        "run",
        "merge",
        "gguf",
    )
    quantizations: Quantizations = Field(default=("f16",), description="GGUF files of stage gguf")
    min_effect: Positive | None = Field(
        default=None, description="nats that the adapter moves some distribution; default: 1e-6"
    )
    max_merged_kl: Positive | None = Field(
        default=None,
        description="nats of the merged from the adapted model, any position; default: 1e-6, in "
        "16 bits a tenth of the adapter's effect",
    )
    max_kl: Positive | None = Field(
        default=None,
        description="mean nats of a GGUF's weights from the merged model; default: by quantization",
    )
    max_seconds: MaxSeconds = 1800.0
