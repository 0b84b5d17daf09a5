"""`modelqa calibrate`: what sound conversions of a model measure, as a budget for others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from pytest_modelqa.artifacts.convert.kinds import Kind, target_kind
from pytest_modelqa.artifacts.convert.run import convert
from pytest_modelqa.artifacts.derivation import for_engine
from pytest_modelqa.artifacts.hashing import cache_root
from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.checks.oracles import oracle_table
from pytest_modelqa.checks.parity.calibration import (
    FACTOR,
    FACTOR_OF_ONE,
    in_order,
    limits,
    measured,
)
from pytest_modelqa.cli.comparing import subject
from pytest_modelqa.core.answer import Answer, Description, Failure
from pytest_modelqa.core.comparison.logits import (
    CompareLogits,
    LogitsCompared,
    MeasureNoise,
    NoiseMeasured,
)
from pytest_modelqa.core.errors import ModelQAError, Refused, UsageError
from pytest_modelqa.core.ids import canonical, digest
from pytest_modelqa.core.model import Artifact, ArtifactSpec
from pytest_modelqa.core.request import Describe, Request
from pytest_modelqa.engines import build_of
from pytest_modelqa.playbook.blocks import PARITY_PROMPTS
from pytest_modelqa.playbook.load import load
from pytest_modelqa.playbook.values import Limits, Playbook
from pytest_modelqa.runtime.machine import address_space, cache_bytes, threads_per_worker
from pytest_modelqa.runtime.pool import Pool
from pytest_modelqa.runtime.protocol import WorkerConfig

app = typer.Typer()

SCHEMA_VERSION = "1.0"
QUANTIZATIONS = ("f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0", "q4_1")
_PLAYBOOKS = (".yaml", ".yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """The reference, as the file it is and as an engine opens it, and what it is asked."""

    name: str
    artifact: Artifact
    path: Path
    prompts: tuple[str, ...]


@app.command()
def calibrate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="a playbook with model.reference, or the reference itself: a path or a source",
        ),
    ],
    quant: Annotated[
        list[str] | None, typer.Option("--quant", help="again for each; default: the usual eight")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="write the budget here; else to stdout")
    ] = None,
    candidate: Annotated[str, typer.Option("--model", help="one of the playbook's `models`")] = "",
) -> None:
    """Convert the reference anew to each quantization, and measure what that alone costs.

    Limits for `parity: {budget: FILE}` of other conversions of the same model.
    """
    if output is not None and not output.parent.is_dir():
        raise UsageError("the folder does not exist", where=str(output.parent))
    kinds = [target_kind("gguf", q) for q in quant or QUANTIZATIONS]
    given = _subject(model, candidate)
    text = json.dumps(_Calibration(given).budget(kinds), indent=1) + "\n"
    if output is None:
        typer.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8")
    typer.echo(str(output))


def _subject(model: str, candidate: str) -> _Subject:
    """Of a playbook the reference and its prompts too; the usual prompts always."""
    if Path(model).suffix in _PLAYBOOKS:
        playbook = load(Path(model), oracle_table(), candidate)
        spec, prompts = _reference(playbook), _prompts(playbook)
        siblings = {a.key: a for a in playbook.model.artifacts}
        artifact = provision(spec, siblings, folder=playbook.path.parent)
        return _opened(playbook.model.id, artifact, prompts)
    spec = subject(model)
    artifact = provision(spec, {}, folder=Path.cwd())
    return _opened(Path(model).name, artifact, PARITY_PROMPTS)


def _opened(name: str, artifact: Artifact, prompts: tuple[str, ...]) -> _Subject:
    """The reference is computed by transformers, in float32 from safetensors."""
    path, form = for_engine(artifact, cache_root())
    if form != "safetensors":
        path = convert(path, Kind("safetensors", "f32"), cache_root(), _say).made.path
    return _Subject(name=name, artifact=artifact, path=path, prompts=prompts)


def _reference(playbook: Playbook) -> ArtifactSpec:
    key = next((b.parameters.get("reference") for b in _parity(playbook)), None)
    key = key or playbook.model.reference
    for spec in playbook.model.artifacts:
        if spec.key == key:
            return spec
    raise UsageError(
        "the playbook names no reference",
        where=str(playbook.path),
        remedy="add `model.reference: KEY`, the key of one of its artifacts",
    )


def _prompts(playbook: Playbook) -> tuple[str, ...]:
    given = next((b.parameters.get("prompts") for b in _parity(playbook)), None)
    return tuple(dict.fromkeys((*(given or ()), *PARITY_PROMPTS)))


def _parity(playbook: Playbook) -> Iterator[Any]:
    return (b for b in playbook.blocks if b.name == "parity")


def _say(text: str) -> None:
    typer.echo(text, err=True)


@dataclass(slots=True)
class _Calibration:
    """One reference against its own conversions. `builds` are filled as engines are opened."""

    subject: _Subject
    noise: NoiseMeasured | None = field(default=None, init=False)
    engine: str = field(default="", init=False)

    def budget(self, kinds: Sequence[Kind]) -> dict[str, Any]:
        """The whole file. Raises what conversion and engines raise."""
        entries: dict[str, dict[str, Any]] = {}
        with _pool() as (pool, folder):
            for kind in kinds:
                entries[kind.quantization] = self._entry(pool, folder, kind)
        in_order(entries)
        artifact, prompts = self.subject.artifact, self.subject.prompts
        return {
            "schema_version": SCHEMA_VERSION,
            "model": self.subject.name,
            "made": datetime.now(UTC).date().isoformat(),
            "reference": {
                "format": artifact.spec.format,
                "quantization": artifact.spec.quantization,
                "sha256": artifact.sha256,
                "parent_sha256": artifact.parent_sha256,
            },
            "engines": {"reference": build_of("transformers"), "candidate": self.engine},
            "prompts": len(prompts),
            "prompts_sha256": digest(canonical(list(prompts))),
            "factors": {"limit": FACTOR, "largest": FACTOR_OF_ONE},
            "quantizations": entries,
        }

    def _entry(self, pool: Pool, folder: Path, kind: Kind) -> dict[str, Any]:
        made = convert(self.subject.path, kind, cache_root(), _say).made
        answers = self._asked(pool, folder, made.path)
        noise = answers.pop("noise")
        assert isinstance(noise, NoiseMeasured)
        seen = {n: a for n, a in answers.items() if isinstance(a, LogitsCompared)}
        found = measured(seen)
        _say(f"{kind.quantization}: mean KL {found['kl_mean']:.3g} nats, top-1 {found['top1']:.1%}")
        return {
            "sha256": made.sha256,
            "bytes": made.bytes,
            "limits": limits(found, noise),
            "measured": found,
            "noise": {
                "reference": max(v.kl_max for v in noise.reference),
                "candidate": max(v.kl_max for v in noise.candidate),
            },
            "note": "",
        }

    def _asked(self, pool: Pool, folder: Path, candidate: Path) -> dict[str, Answer]:
        """The noise and every prompt: as a chat where the model has a template."""
        config = _config(candidate, self.subject.path, folder)
        description = _one(pool, config, Describe())
        assert isinstance(description, Description)
        self.engine = description.build
        chat = bool(description.template_sha256)
        prompts = self.subject.prompts
        requests: dict[str, Request] = {"noise": MeasureNoise(text=prompts[0], chat=chat)}
        for number, text in enumerate(prompts):
            requests[f"prompt {number}"] = CompareLogits(text=text, chat=chat)
        answered = dict(pool.answer(config, [*requests.values()]))
        return {name: _sound(answered[i].answer) for i, name in enumerate(requests)}


def _one(pool: Pool, config: WorkerConfig, request: Request) -> Answer:
    return next(_sound(a.answer) for _, a in pool.answer(config, [request]))


def _sound(answer: Answer) -> Answer:
    """What failed is no measurement. Raises Refused or ModelQAError."""
    if isinstance(answer, Failure):
        kind = Refused if answer.cause == "refused" else ModelQAError
        raise kind(answer.reason, remedy=answer.remedy)
    return answer


@contextmanager
def _pool() -> Iterator[tuple[Pool, Path]]:
    bounds = Limits()
    with TemporaryDirectory() as name:
        folder = Path(name)
        with Pool(
            logs=folder / "logs",
            load_timeout_s=bounds.load_timeout_s,
            request_timeout_s=900,
            request_floor_s=900,
        ) as pool:
            yield pool, folder


def _config(candidate: Path, reference: Path, folder: Path) -> WorkerConfig:
    return WorkerConfig(
        engine="llamacpp",
        artifact=candidate,
        format="gguf",
        backend="cpu",
        threads=threads_per_worker(),
        n_ctx=Limits().n_ctx,
        arrays=folder / "arrays",
        memory_bytes=address_space(None),
        cache_bytes=cache_bytes(),
        reference=reference,
        reference_engine="transformers",
        reference_format="safetensors",
    )
