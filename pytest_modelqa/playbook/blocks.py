"""The playbook's blocks: parts whose checks come from elsewhere, each validated in full.

Field names and defaults follow the reference playbook's where it has them. A block that is written
is on unless `enabled: false`; `gates` names the claims that it decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from pytest_modelqa.core.check import Category
from pytest_modelqa.core.model import Mode
from pytest_modelqa.playbook.fields import (
    DISTINCT,
    UNIQUE,
    ArtifactKey,
    Backends,
    BlockDoc,
    Count,
    Formats,
    Label,
    Modalities,
    NotNegative,
    Positive,
    Quantizations,
    Share,
    Strict,
    Text,
    Texts,
    Tokens,
)
from pytest_modelqa.playbook.measured import Chaos, Fuzz, Gradients, Memory, Training
from pytest_modelqa.playbook.shipping import Canaries, ShipGates
from pytest_modelqa.playbook.values import Block

PROMPT = "What is 2 + 2?"


FormatCheck = Literal["dtype_mapping", "tensor_alignment", "header_integrity"]
Statistic = Literal["mean", "std", "min", "max", "checksum"]


class FormatValidation(BlockDoc):
    """Files are what their format says."""

    checks: Annotated[tuple[FormatCheck, ...], Field(min_length=1), UNIQUE, DISTINCT] = (
        "dtype_mapping",
        "tensor_alignment",
        "header_integrity",
    )


class TensorDiff(BlockDoc):
    """Tensors of every artifact against the reference's."""

    filter: Text | None = Field(
        default=None, description="parts of tensor names, separated by commas; default: all tensors"
    )
    tolerance: NotNegative | None = Field(
        default=None, description="largest relative error; default: by quantization"
    )


class InferenceCompare(BlockDoc):
    """Logits of one prompt, artifact against artifact."""

    prompt: Text = PROMPT
    max_tokens: Tokens = 10
    tolerance: Positive | None = Field(
        default=None,
        description="largest absolute error of a logit; default: the budget of the quantization",
    )


class Fingerprint(BlockDoc):
    """Statistics that identify the tensors."""

    tensors: Annotated[str, Field(min_length=1)] = Field(
        default="all", description="`all`, or parts of tensor names, separated by commas"
    )
    stats: Annotated[tuple[Statistic, ...], Field(min_length=1), UNIQUE, DISTINCT] = (
        "mean",
        "std",
        "min",
        "max",
        "checksum",
    )


class StatsTolerance(Strict):
    """Largest shift of a tensor's mean, per kind of tensor."""

    layernorm: NotNegative = 0.001
    embedding: NotNegative = 0.1
    attention: NotNegative = 0.01


class ValidateStats(BlockDoc):
    """Tensor statistics against a reference's."""

    reference: ArtifactKey | None = Field(default=None, description="default: model.reference")
    tolerance: StatsTolerance = StatsTolerance()


class DifferentialTests(Strict):
    """One model in several files: the same weights, the same results."""

    enabled: bool = Field(default=True, description="false turns all five parts off")
    format_validation: FormatValidation | None = None
    tensor_diff: TensorDiff | None = None
    inference_compare: InferenceCompare | None = None
    fingerprint: Fingerprint | None = None
    validate_stats: ValidateStats | None = None


class Ollama(Strict):
    """The same model behind an Ollama server."""

    model_tag: Label = Field(description="such as qwen2.5-coder:7b")
    quantizations: Quantizations = ("q4_k_m",)
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    min_perf_ratio: Positive = Field(default=0.8, description="our tokens/s over the server's")


ParityPart = Literal[
    "tokenizer", "template", "configuration", "tensors", "logits", "greedy", "trace"
]
PARITY_PARTS: tuple[ParityPart, ...] = get_args(ParityPart)
PARITY_PROMPTS = (
    "What is the capital of France?",
    "What is 2 + 2?",
    "Write one sentence about the sea.",
    "List three colours.",
    "Explain what a computer does.",
    "Name an animal that can fly.",
    "How do you make a cup of tea?",
    "Write a Python function that adds two numbers.",
    "Translate to French: good morning.",
    "What day comes after Monday?",
)


class Parity(BlockDoc):
    """Every artifact computes what the reference computes: ids, logits, next tokens."""

    reference: ArtifactKey | None = Field(default=None, description="default: model.reference")
    parts: Annotated[tuple[ParityPart, ...], Field(min_length=1), UNIQUE, DISTINCT] = PARITY_PARTS
    prompts: Texts = Field(
        default=PARITY_PROMPTS, description="texts whose logits and continuations are compared"
    )
    lengths: Annotated[tuple[Tokens, ...], UNIQUE, DISTINCT] = Field(
        default=(), description="logits of one long text at these lengths too, in tokens"
    )
    steps: Tokens = Field(default=24, description="greedy tokens of each prompt")
    top_k: Annotated[int, Field(ge=1, le=100)] = Field(default=10, description="for min_topk")
    min_cosine: Share | None = Field(
        default=None, description="smallest cosine of logits; hides swapped tokens: prefer max_kl"
    )
    max_kl: Positive | None = Field(
        default=None,
        description="largest mean KL divergence, in nats; default: the budget of the quantization",
    )
    max_kl_p99: Positive | None = Field(default=None, description="of the worst 1 % of positions")
    max_kl_max: Positive | None = Field(default=None, description="of any position")
    min_top1: Share | None = Field(default=None, description="share of positions with equal argmax")
    min_topk: Share | None = Field(default=None, description="mean overlap of the top_k ids")
    max_nmse: Positive | None = Field(
        default=None, description="mean squared error of logits over their variance"
    )
    max_difference: Positive | None = Field(default=None, description="of any logit")
    max_near_ties: Share = Field(
        default=0.2, description="share of the compared steps that may be near-ties"
    )
    tolerance: Positive | None = Field(
        default=None,
        description="what a logit may move in a near-tie; default: the budget's, by quantization",
    )
    budget: Label | None = Field(
        default=None, description="file of `modelqa calibrate`, relative to the playbook"
    )
    ollama: Ollama | None = None


class Assertions(Strict):
    """Bounds of speed: tokens/s generated, milliseconds per request. None by default."""

    min_throughput: Positive | None = Field(default=None, description="tokens/s, any backend")
    min_throughput_cpu: Positive | None = Field(default=None, description="tokens/s on cpu")
    min_throughput_gpu: Positive | None = Field(default=None, description="tokens/s on gpu")
    max_p50_ms: Positive | None = None
    max_p99_ms: Positive | None = None


class ProfileCi(BlockDoc):
    """Speed, measured and asserted."""

    warmup: Annotated[int, Field(ge=0, le=10_000)] = 3
    measure: Count = Field(default=10, description="measured requests; a p99 needs some hundreds")
    prompt: Text = PROMPT
    max_tokens: Tokens = 32
    formats: Formats | None = Field(default=None, description="default: test_matrix.formats")
    backends: Backends | None = Field(default=None, description="default: test_matrix.backends")
    assertions: Assertions = Assertions()


class TracePayload(BlockDoc):
    """A traced forward pass: NaN, Inf and collapsed layers."""

    prompt: Text = PROMPT


class Expectations(Strict):
    """Sizes that the files must have; part of `model`."""

    expected_hidden_dim: Count | None = None
    expected_num_layers: Count | None = None
    expected_num_heads: Count | None = None
    expected_num_kv_heads: Count | None = None
    expected_vocab_size: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    expected_intermediate_dim: Count | None = None


Family = Literal["arithmetic", "code", "formatting", "edge"]


class Generated(BlockDoc):
    """Questions that are generated, and shrunk when they are falsified."""

    families: Annotated[tuple[Family, ...], Field(min_length=1), UNIQUE, DISTINCT] = (
        "arithmetic",
        "code",
        "formatting",
        "edge",
    )
    count: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=100, description="scenarios per cell, all families together"
    )
    max_tokens: Tokens = 32
    mode: Mode = Field(default="fast", description="falsified answers are confirmed in exact mode")
    modalities: Modalities | None = Field(
        default=None,
        description="asked in these alone; default: chat where test_matrix has it, for these are "
        "instructions; else all",
    )
    oracles: dict[Family, str] = Field(
        default_factory=dict, description="family: oracle, where the usual one should not judge"
    )


class Blocks(Strict):
    """All of them, by their key."""

    differential_tests: DifferentialTests | None = None
    parity: Parity | None = None
    profile_ci: ProfileCi | None = None
    trace_payload: TracePayload | None = None
    gradients: Gradients | None = None
    chaos: Chaos | None = None
    fuzz: Fuzz | None = None
    memory: Memory | None = None
    training: Training | None = None
    ship_gates: ShipGates | None = None
    canaries: Canaries | None = None
    scenarios_generated: Generated | None = None


PARTS = tuple(name for name in DifferentialTests.model_fields if name != "enabled")
CATEGORIES = {
    **dict.fromkeys((*PARTS, "parity"), Category.COMP),
    "profile_ci": Category.PERF,
    **dict.fromkeys(
        ("trace_payload", "gradients", "chaos", "fuzz", "memory", "training"), Category.STAB
    ),
    "scenarios_generated": Category.QUAL,
    "model_expectations": Category.COMP,
}


def enabled_blocks(doc: Blocks) -> Iterator[Block]:
    """The blocks that are on. Each part of `differential_tests` is one of its own."""
    for name in Blocks.model_fields:
        part = getattr(doc, name)
        if isinstance(part, DifferentialTests) and part.enabled:
            yield from (b for p in PARTS if (b := _block(p, getattr(part, p))))
        elif isinstance(part, BlockDoc) and (block := _block(name, part)):
            yield block


def _block(name: str, doc: BlockDoc | None) -> Block | None:
    if doc is None or not doc.enabled:
        return None
    parameters: dict[str, Any] = doc.model_dump(mode="json", exclude={"enabled", "gates"})
    return Block(name=name, gates=doc.gates, category=CATEGORIES[name], parameters=parameters)
