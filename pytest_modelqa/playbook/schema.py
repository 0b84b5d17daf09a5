"""The playbook's shape, for people who write one: every key, its type, its bounds, its default.

Strict pydantic models; what names an oracle is in `entries`, ship gates and canaries in `shipping`.
What a shape cannot say (names that must exist, or be unique) is in `semantics`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from pytest_modelqa.core.check import Category, FailurePolicy, Severity
from pytest_modelqa.core.model import Format, Mode
from pytest_modelqa.playbook.blocks import Blocks, Expectations
from pytest_modelqa.playbook.fields import (
    ArtifactKey,
    Backends,
    ClaimId,
    Formats,
    GateId,
    Label,
    Modalities,
    Positive,
    Quantization,
    Quantizations,
    Revision,
    Sha256,
    Source,
    Strict,
    Text,
    Tier,
    Tokens,
    whole,
)

ALTERNATIVE = "<"
"""Tags of a union start so; they stand in pydantic's locations and name no key."""


class ArtifactDoc(Strict):
    """One file, or one folder of safetensors."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {
                "properties": {"format": {"enum": ["safetensors", "adapter"]}},
                "required": ["format"],
            },
            "then": {"properties": {"quantization": {"enum": ["f32", "f16", "bf16"]}}},
        }
    )

    format: Format
    quantization: Quantization
    source: Source | None = Field(default=None, description="where the file comes from")
    revision: Revision | None = Field(
        default=None,
        description="of an hf: source; default: model.revision for hf:ID, else main",
    )
    sha256: Sha256 | None = Field(default=None, description="the pin: 64 hex digits")
    engine: Annotated[str, Field(pattern=whole(r"[a-z0-9][a-z0-9_-]*"))] | None = Field(
        default=None, description="instead of the format's usual engine"
    )


class ModelDoc(Expectations):
    """What is qualified."""

    id: Annotated[
        str,
        Field(
            pattern=whole(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)?"),
            max_length=200,
            description="ORG/NAME",
        ),
    ]
    revision: Revision | None = Field(
        default=None, description="commit, tag or branch of the repository hf:ID; default: main"
    )
    source: Source | None = Field(
        default=None, description="of the first artifact, or of the only one if none is listed"
    )
    artifacts: tuple[ArtifactDoc, ...] = ()
    reference: ArtifactKey | None = Field(
        default=None, description="the artifact that others are compared to"
    )
    family: Label | None = Field(default=None, description="a label: llama, qwen-coder ...")
    size_category: Literal["tiny", "small", "medium", "large", "xlarge", "huge"] | None = Field(
        default=None, description="a label"
    )


def _list_or_mapping(value: Any) -> str:
    return "<mapping>" if isinstance(value, dict) else "<list>"


PerFormat = Annotated[
    Annotated[Quantizations, Tag("<list>")]
    | Annotated[dict[Format, Quantizations], Tag("<mapping>")],
    Discriminator(_list_or_mapping),
]


class MatrixDoc(Strict):
    """Cells are the product of these lists."""

    modalities: Modalities = Field(description="run: raw prompt; chat: the model's own template")
    backends: Backends
    formats: Formats
    quantizations: PerFormat | None = Field(
        default=None,
        description="one list for all formats, or one per format; default: those of the "
        "artifacts, else q4_k_m for gguf and apr, f32 for safetensors",
    )


class GateDoc(Strict):
    """What the playbook says about one gate."""

    severity: Severity | None = Field(default=None, description="P0 stops the model")
    description: Label | None = Field(default=None, description="for readers")
    enabled: bool = Field(default=True, description="false leaves out what decides this gate")


class LimitsDoc(Strict):
    """Bounds of a run."""

    load_timeout_s: Positive = 300.0
    request_timeout_s: Positive = Field(
        default=120.0, description="seconds after which a request hangs, whatever its length"
    )
    request_floor_s: Positive = Field(
        default=20.0, description="seconds that every request may take, however short"
    )
    memory_mb: Annotated[int, Field(ge=64)] | None = Field(
        default=None, description="MiB per worker; default: the machine's"
    )
    max_loaded_models: Annotated[int, Field(ge=1, le=64)] = 1
    max_tokens: Tokens = Field(default=256, description="most tokens that a scenario may ask for")
    n_ctx: Annotated[int, Field(ge=16, le=10_000_000)] = Field(
        default=2048, description="context that is opened, in tokens"
    )


class ScenarioDoc(Strict):
    """One question. The oracle's own fields stand beside these."""

    name: Annotated[
        str,
        Field(
            pattern=whole(r"(?!G[0-9]+$)[A-Za-z0-9][A-Za-z0-9_.-]*"),
            max_length=80,
            description="unique; ends up in the test's id",
        ),
    ]
    prompt: Text
    oracle: str = Field(description="what judges the completion")
    system: Text | None = Field(default=None, description="system text, or text before the prompt")
    max_tokens: Tokens = 32
    temperature: Annotated[float, Field(ge=0, le=2)] = Field(
        default=0.0, description="0 is greedy; above, the seed follows from the playbook's"
    )
    category: Category = Category.QUAL
    gate: ClaimId = "F-SCENARIO"
    tier: Tier | None = Field(default=None, description="default: the playbook's tier")
    modalities: Modalities | None = Field(
        default=None, description="asked in these alone; default: in all of test_matrix"
    )
    allow_garbage: bool = Field(default=False, description="true: no standing garbage check")
    mode: Mode = Field(default="exact", description="exact: one sequence; fast: batched")


CandidateName = Annotated[str, Field(pattern=whole(r"[A-Za-z0-9][A-Za-z0-9_.-]*"), max_length=80)]


class PlaybookDoc(Blocks):
    """A playbook of pytest-modelqa: a model, a test matrix, and the checks to run."""

    version: Literal["1.0"] = Field(description="of this format")
    name: Label | None = Field(default=None, description="for readers; reports use the file's name")
    description: Annotated[str, Field(max_length=5000)] | None = Field(
        default=None, description="for readers"
    )
    extends: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="quick, standard, certify, or a path relative to this file; mappings are "
        "merged with the template's, lists and values replace its own",
    )
    model: ModelDoc
    models: Annotated[dict[CandidateName, ModelDoc], Field(min_length=1)] | None = Field(
        default=None, description="instead of `model`: several by name; --model NAME chooses"
    )
    default_model: CandidateName | None = Field(
        default=None, description="of models, where no --model is given"
    )
    test_matrix: MatrixDoc
    scenarios: tuple[dict[str, Any], ...] = Field(default=(), description="explicit questions")
    gates: dict[GateId, GateDoc] = Field(default_factory=dict, description="by gate id")
    failure_policy: FailurePolicy = Field(
        default=FailurePolicy.STOP_ON_P0,
        description="when the model's remaining cases are not run any more",
    )
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0
    limits: LimitsDoc = LimitsDoc()
    tier: Tier = Field(default=2, description="1 smoke, 2 every change, 3 release")
