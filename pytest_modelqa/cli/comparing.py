"""Two artifacts without a playbook: what they are, and the plan that compares them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from pytest_modelqa.artifacts import apr, gguf, safetensors
from pytest_modelqa.artifacts.convert.kinds import kind_of, source_path
from pytest_modelqa.artifacts.formats import recognise
from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.artifacts.sources import parse
from pytest_modelqa.core.answer import Finding
from pytest_modelqa.core.check import FailurePolicy
from pytest_modelqa.core.errors import ModelQAError, Refused, UsageError
from pytest_modelqa.core.ids import canonical, digest
from pytest_modelqa.core.model import ArtifactSpec, Format
from pytest_modelqa.core.wire import encode
from pytest_modelqa.plan import Plan, make
from pytest_modelqa.playbook.blocks import PARITY_PARTS, Blocks, Parity, ParityPart, enabled_blocks
from pytest_modelqa.playbook.values import Limits, Matrix, Model, Playbook

NAME = "crossval"
_SCHEMES = ("pypi:", "hf:", "https:", "http:", "file:", "build:")
_LONGEST_PROMPT = 16_384
_REFERENCE = "-reference"
_PATIENCE_S = 900.0
"""For one comparison: there is no playbook to raise a limit in."""
_READERS: dict[str, Callable[[Path], Sequence[Finding]]] = {
    "gguf": lambda path: gguf.read(path).findings,
    "apr": lambda path: apr.read(path).findings,
    "safetensors": lambda path: safetensors.read_folder(path).findings,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person chose of the parity block; None is the block's own default."""

    parts: tuple[str, ...] | None = None
    prompts: tuple[str, ...] | None = None
    steps: int | None = None
    budget: Path | None = None


def subject(given: str) -> ArtifactSpec:
    """The artifact that a path or a source names; format and quantisation are read in its header.

    Raises UsageError (nothing is there), Refused (no model, or a broken one), Unavailable (a source
    that was not fetched).
    """
    source = given if given.startswith(_SCHEMES) else f"file:{source_path(Path(given)).absolute()}"
    parse(source)
    if source.startswith("file:") and not Path(source.removeprefix("file:")).exists():
        raise UsageError(
            "there is no such file or folder",
            where=given,
            remedy="name a .gguf or .apr file, a safetensors folder, or a source such as "
            "build:ci-light",
        )
    spec = ArtifactSpec(model=NAME, format="gguf", quantization="f32", source=source)
    try:
        path = provision(spec, {}, folder=Path.cwd()).path
    except ModelQAError as error:
        error.where = given  # the key of an artifact whose format is not known yet says nothing
        raise
    form = _sound(path, given)
    return replace(spec, format=form, quantization=kind_of(path).quantization)


def _sound(path: Path, given: str) -> Format:
    """The format of a file whose header no reader complains of."""
    form = recognise(path)
    if form == "safetensors" and path.is_file():
        raise UsageError(
            "is one file of a model", where=given, remedy="name the folder, with its config.json"
        )
    if form not in _READERS:
        what = "a pickle, which runs code when it is opened" if form == "pickle" else "no model"
        raise Refused(
            f"is {what}: neither GGUF nor safetensors nor APR",
            where=given,
            remedy="name a .gguf or .apr file, or the folder that holds model.safetensors",
        )
    findings = [f for f in _READERS[form](path) if f.severity == "error"]
    if findings:
        first = findings[0]
        more = f" (and {len(findings) - 1} more findings)" if findings[1:] else ""
        raise Refused(
            f"is broken: {first.code} in {first.where}: {first.message}{more}",
            where=given,
            remedy=f"modelqa inspect {path}",
        )
    return cast(Format, form)


def compared(candidate: ArtifactSpec, reference: ArtifactSpec, options: Options) -> Plan:
    """The parity block on the candidate, and nothing else. Raises UsageError."""
    if reference.key == candidate.key:  # keys are unique in a playbook
        reference = replace(reference, quantization=f"{reference.quantization}{_REFERENCE}")
    playbook = Playbook(
        path=Path.cwd() / NAME,
        sha256=digest(canonical([encode(candidate), encode(reference), repr(options)])),
        version="1.0",
        name=NAME,
        model=Model(
            id=NAME, revision="", artifacts=(candidate, reference), reference=reference.key
        ),
        matrix=Matrix(
            modalities=("chat",),
            backends=("cpu",),
            formats=(candidate.format,),
            quantizations={candidate.format: (candidate.quantization,)},
        ),
        scenarios=(),
        blocks=tuple(enabled_blocks(Blocks(parity=_block(options)))),
        severities={},
        failure_policy=FailurePolicy.COLLECT_ALL,
        seed=0,
        tier=2,
        limits=Limits(request_timeout_s=_PATIENCE_S, request_floor_s=_PATIENCE_S),
    )
    plan = make(playbook)
    return replace(plan, cases=tuple(c for c in plan.cases if c.reference is not None))


def _block(options: Options) -> Parity:
    given = {
        "reference": None,
        "parts": _parts(options.parts),
        "prompts": options.prompts,
        "steps": options.steps,
        "budget": str(options.budget.absolute()) if options.budget else None,
    }
    return Parity(**{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]


def _parts(names: Sequence[str] | None) -> tuple[ParityPart, ...] | None:
    for name in names or ():
        if name not in PARITY_PARTS:
            near = difflib.get_close_matches(name, PARITY_PARTS, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise UsageError(
                f"{name!r} is no part of the comparison{hint}",
                remedy=f"--parts {','.join(PARITY_PARTS)}",
            )
    return tuple(dict.fromkeys(cast(Sequence[ParityPart], names))) if names else None


def prompts_in(file: Path) -> tuple[str, ...]:
    """One prompt a line; blank lines are left out. Raises UsageError."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot be read as text: {error}", where=str(file), remedy="one prompt a line, UTF-8"
        ) from error
    prompts = tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not prompts:
        raise UsageError("holds no prompt", where=str(file), remedy="write one prompt a line")
    if long := next((p for p in prompts if len(p) > _LONGEST_PROMPT), None):
        raise UsageError(
            f"a prompt of {len(long):,} characters is longer than {_LONGEST_PROMPT:,}",
            where=str(file),
        )
    return prompts
