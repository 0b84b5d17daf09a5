"""The sections of a training configuration, with their defaults and bounds.

Each field is a key of the file; the border (`training.config.border`) makes strict pydantic models
of these dataclasses. Paths are relative to the working directory, as those of any other command.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The seven linear layers of a block of Llama, Qwen2 and their kin."""

Word = Annotated[str, Field(min_length=1, max_length=500)]
PathText = Annotated[str, Field(min_length=1, max_length=4096)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Approach = Literal["lora", "qlora"]
Scheduler = Literal["cosine", "linear", "constant", "constant_with_warmup"]
Optimizer = Literal["adamw_torch", "adamw_torch_fused", "adamw_bnb_8bit", "paged_adamw_8bit"]
Padding = Literal["batch", "max_length", "packing"]
Device = Literal["auto", "mps", "cuda", "cpu"]
Precision = Literal["fp32", "fp16", "bf16"]
Action = Literal["warn", "stop", "off"]
SetName = Literal[
    "style_core",
    "domain_patterns",
    "process_framework",
    "domain_representatives",
    "style_refactor",
    "guardrails",
    "tool_awareness",
    "reporting_protocol",
    "eval",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSection:
    """The base model."""

    source: Annotated[
        Word,
        Field(
            description="build:NAME, file:FOLDER, pypi:DIST:FILE or hf:ORG/NAME; a GGUF file is "
            "converted to safetensors first"
        ),
    ]
    revision: Annotated[
        str, Field(max_length=200, description="commit or tag of an hf: source")
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSection:
    """Where a run writes."""

    directory: Annotated[PathText, Field(description="folder of the run's outputs")]
    timestamped: Annotated[
        bool, Field(description="append _YYYYMMDD_HHMMSS, so that no run overwrites another")
    ] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One JSONL file; `samples` is how many it must hold, 0 where that is not known."""

    file: Annotated[PathText, Field(description="JSONL: instruction, input, output on each line")]
    samples: Annotated[
        int, Field(ge=0, le=10_000_000, description="how many it must hold; 0: any number")
    ] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSize:
    """How many records of one set are made."""

    set: SetName
    records: Annotated[int, Field(ge=1, le=1_000_000, description="how many")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthetic:
    """Data that the generator makes: all nine sets by `size`, or those that `sets` counts."""

    size: Annotated[
        int,
        Field(
            ge=0,
            le=1_000_000,
            description="records of all nine sets together, in the seed's proportions; at least 9",
        ),
    ] = 0
    sets: Annotated[
        tuple[SetSize, ...],
        Field(description="instead of `size`: training sets, and `eval`, the hold-out"),
    ] = ()
    seed: Annotated[Seed, Field(description="of the generator")] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSection:
    """What is trained on and what is held out: files, or the generator's settings."""

    train: Annotated[tuple[DataFile, ...], Field(description="the training sets")] = ()
    eval: Annotated[DataFile | None, Field(description="the hold-out, never trained on")] = None
    synthetic: Annotated[
        Synthetic | None,
        Field(description="instead of files: made by the generator when the run starts"),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSection:
    """The loop. Defaults are the seed's."""

    epochs: Annotated[float, Field(gt=0, le=1000)] = 2.0
    max_steps: Annotated[
        int, Field(ge=0, le=1_000_000_000, description="stop after so many steps; 0: by epochs")
    ] = 0
    batch_size: Annotated[int, Field(ge=1, le=4096, description="sequences a device step")] = 1
    gradient_accumulation_steps: Annotated[int, Field(ge=1, le=4096)] = 12
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 2e-4
    lr_scheduler: Scheduler = "cosine"
    warmup_steps: Annotated[int, Field(ge=0, le=1_000_000_000)] = 100
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.01
    max_grad_norm: Annotated[float, Field(gt=0, description="gradients are clipped to it")] = 1.0
    logging_steps: Count = 50
    save_steps: Count = 500
    eval_steps: Annotated[
        int, Field(ge=0, le=1_000_000_000, description="0: the hold-out waits for the end")
    ] = 500
    save_total_limit: Annotated[int, Field(ge=1, le=1000, description="checkpoints kept")] = 3
    optimizer: Optimizer = "adamw_torch"
    report_to: Literal["tensorboard", "none"] = "tensorboard"
    gradient_checkpointing: bool = False
    seed: Seed = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSection:
    """The adapter. Its updates are scaled by alpha / r."""

    method: Annotated[Approach, Field(description="qlora: the base in 4 bits (NF4)")] = "lora"
    r: Annotated[int, Field(ge=1, le=4096, description="rank")] = 16
    alpha: Annotated[float, Field(gt=0, le=65536)] = 32.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    target_modules: Annotated[tuple[Word, ...], Field(min_length=1)] = PROJECTIONS
    task_type: Literal["CAUSAL_LM"] = "CAUSAL_LM"
    bias: Literal["none"] = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSection:
    """From text to tokens."""

    max_length: Annotated[int, Field(ge=16, le=10_000_000, description="tokens")] = 2048
    truncation: Annotated[
        bool, Field(description="cut what is longer; false: longer samples are an error")
    ] = True
    padding: Annotated[
        Padding,
        Field(
            description="batch: to the longest of the batch; max_length: always to max_length; "
            "packing: several samples in one sequence, none attends to another"
        ),
    ] = "batch"
    pad_to_multiple_of: Annotated[int, Field(ge=1, le=1024)] = 1
    system: Annotated[
        str, Field(max_length=20_000, description="a system message before every sample")
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareSection:
    """Where it runs."""

    device: Annotated[Device, Field(description="falls back to cpu with a warning")] = "auto"
    memory_fraction: Annotated[
        float, Field(gt=0, le=1, description="share of the device's memory that may be used")
    ] = 0.85
    precision: Annotated[
        Precision,
        Field(description="of the frozen base, bf16 also of products; the adapter is held in fp32"),
    ] = "fp32"
    threads: Annotated[int, Field(ge=0, le=1024, description="0: the library's choice")] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSection:
    """The seed's warning signs. Each: its bound, and what happens beyond it."""

    loss_after_first_epoch: Annotated[float, Field(gt=0, description="nats a token")] = 1.5
    on_high_loss: Action = "warn"
    loss_too_low: Annotated[float, Field(ge=0, description="nats a token: overfitting")] = 0.4
    on_low_loss: Action = "warn"
    memory_gb: Annotated[
        float, Field(ge=0, description="resident or device memory, 10^9 bytes; 0: no bound")
    ] = 28.0
    on_memory: Action = "stop"
    gradient_norm: Annotated[float, Field(gt=0, description="before clipping")] = 5.0
    on_gradient_norm: Action = "warn"
    on_not_finite: Literal["stop"] = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """A validated configuration. `path` is its file, `sha256` that of its values in full."""

    model: ModelSection
    output: OutputSection
    dataset: DatasetSection
    training: TrainingSection = field(default_factory=TrainingSection)
    lora: LoraSection = field(default_factory=LoraSection)
    data: DataSection = field(default_factory=DataSection)
    hardware: HardwareSection = field(default_factory=HardwareSection)
    watch: WatchSection = field(default_factory=WatchSection)
    path: Path = Path()
    sha256: str = ""

    @property
    def effective_batch(self) -> int:
        """Sequences that one step of the optimizer sees."""
        return self.training.batch_size * self.training.gradient_accumulation_steps
