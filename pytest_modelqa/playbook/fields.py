"""Types that the playbook's models share. A pattern reads the same in Python and in JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from pytest_modelqa.core.model import FORMATS, Backend, Format, Modality


class Strict(BaseModel):
    """No unknown key, no conversion, no NaN. `python-re` because patterns look ahead."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        frozen=True,
        regex_engine="python-re",
    )


def whole(pattern: str) -> str:
    """Match from the first to the last character: `$` alone lets a newline follow."""
    return rf"^(?:{pattern})$(?!\n)"


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    for at, value in enumerate(values):
        if value in values[:at]:
            message = "{value} is listed twice"  # noqa: RUF027 - pydantic fills it in
            raise PydanticCustomError("twice", message, {"value": repr(value)})
    return values


UNIQUE = Field(json_schema_extra={"uniqueItems": True})
DISTINCT = AfterValidator(_distinct)

Quantization = Literal[
    "f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_k_s", "q5_1", "q5_0",
    "q4_k_m", "q4_k_s", "q4_1", "q4_0", "q3_k_m", "q2_k",
]  # fmt: skip
Text = Annotated[str, Field(min_length=1, max_length=100_000)]
Label = Annotated[str, Field(min_length=1, max_length=500)]
GateId = Annotated[
    str,
    Field(pattern=whole(r"G[0-9]+|F(?:-[A-Z0-9]+)+"), description="`G2` or `F-...` in capitals"),
]
ClaimId = Annotated[
    str,
    Field(
        pattern=whole(r"F(?:-[A-Z0-9]+)+"),
        description="`F-...` in capitals; G0 to G4 belong to the gateways",
    ),
]
Revision = Annotated[str, Field(pattern=whole(r"[A-Za-z0-9][A-Za-z0-9._/-]*"), max_length=200)]
Source = Annotated[
    str,
    Field(
        pattern=whole(
            r"pypi:[A-Za-z0-9][A-Za-z0-9._-]*:(?!/)(?!(?:.*/)?\.\.(?:/|$)).+"
            r"|hf:[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*"
            r"(?::(?!/)(?!(?:.*/)?\.\.(?:/|$)).+)?"
            r"|https://[^\s\\?#@]+"
            r"|build:[a-z0-9][a-z0-9_-]*"
            r"|file:.+"
            r"|derive:(?:gguf|safetensors|apr)-[a-z0-9_]+"
        ),
        description="pypi:DIST:FILE, hf:ORG/NAME[:FILE], https://HOST/FILE, build:NAME, "
        "file:PATH (relative to the playbook) or derive:FORMAT-QUANTIZATION (made here from "
        "another artifact)",
    ),
]
ArtifactKey = Annotated[
    str,
    Field(
        pattern=whole(rf"(?:{'|'.join(FORMATS)})-[a-z0-9_]+"),
        description="an artifact's key: FORMAT-QUANTIZATION, such as gguf-q4_k_m",
    ),
]
Sha256 = Annotated[str, Field(pattern=whole(r"[0-9A-Fa-f]{64}"))]
Texts = Annotated[tuple[Text, ...], Field(min_length=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Tokens = Annotated[int, Field(ge=1, le=131_072)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Tier = Annotated[int, Field(ge=1, le=3)]

Modalities = Annotated[tuple[Modality, ...], Field(min_length=1), UNIQUE, DISTINCT]
Backends = Annotated[tuple[Backend, ...], Field(min_length=1), UNIQUE, DISTINCT]
Formats = Annotated[tuple[Format, ...], Field(min_length=1), UNIQUE, DISTINCT]
Quantizations = Annotated[tuple[Quantization, ...], Field(min_length=1), UNIQUE, DISTINCT]
ClaimIds = Annotated[tuple[ClaimId, ...], UNIQUE, DISTINCT]


class BlockDoc(Strict):
    """What every block has."""

    enabled: bool = Field(default=True, description="false turns the whole block off")
    gates: ClaimIds = Field(default=(), description="ids of the gates that this block decides")
