"""What can be said of a receipt with its models: their hashes, and the same numbers again."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from pytest_modelqa.artifacts.derivation import for_engine
from pytest_modelqa.artifacts.hashing import cache_root
from pytest_modelqa.artifacts.identity import identity
from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.cli.verification import Problem
from pytest_modelqa.core.comparison.logits import NoiseMeasured
from pytest_modelqa.core.errors import ModelQAError, Unavailable, UsageError
from pytest_modelqa.core.model import Artifact, ArtifactSpec
from pytest_modelqa.core.receipt import Exchange, Receipt, ReceivedArtifact
from pytest_modelqa.core.wire import decode_answer, decode_request, encode
from pytest_modelqa.playbook.values import Limits
from pytest_modelqa.runtime.machine import address_space, cache_bytes, threads_per_worker
from pytest_modelqa.runtime.pool import Pool
from pytest_modelqa.runtime.protocol import WorkerConfig

Side = Literal["candidate", "reference"]
SIDES: tuple[Side, ...] = ("candidate", "reference")

_ROUNDING = 1e-4
"""Relative: float32 sums in another order of their parts; measured noise is added to it."""

_DIVERGENCES = ("kl", "js", "kl_mean", "kl_max")
_UNCOMPARED = ("detail",)
"""The traceback of a failure holds paths of the machine."""


def found_artifacts(receipt: Receipt, given: Mapping[str, Path]) -> dict[Side, Artifact]:
    """Those of both sides that are here: at the path that is given, or at the recorded source.

    `given` is by side or by the artifact's key. Raises UsageError for a key that is neither.
    """
    known = {*SIDES, receipt.candidate.key, receipt.reference.key}
    if unknown := next((k for k in given if k not in known), None):
        raise UsageError(
            f"{unknown!r} is no artifact of this receipt",
            remedy=f"--artifact {receipt.candidate.key}=PATH, or candidate=PATH",
        )
    sides: tuple[tuple[Side, ReceivedArtifact], ...] = (
        ("candidate", receipt.candidate),
        ("reference", receipt.reference),
    )
    found: dict[Side, Artifact] = {}
    for side, said in sides:
        path = given.get(side) or given.get(said.key)
        if path is not None and not path.exists():
            raise UsageError("there is no such file or folder", where=str(path))
        source = f"file:{path.absolute()}" if path else said.source
        if artifact := _here(said, source):
            found[side] = artifact
    return found


def _here(said: ReceivedArtifact, source: str) -> Artifact | None:
    spec = ArtifactSpec(
        model="receipt",
        format=said.format,  # type: ignore[arg-type]  # the schema admits no other
        quantization=said.quantization,
        source=source,
    )
    try:
        return provision(spec, {}, folder=Path.cwd())
    except ModelQAError:
        return None  # not here: the caller says which side was not looked at


def hashes(said: ReceivedArtifact, artifact: Artifact) -> Iterator[Problem]:
    """What the receipt says of an artifact's bytes and that is not so."""
    cache = cache_root()
    try:
        seen = identity(artifact, for_engine(artifact, cache)[0], cache)
    except (ModelQAError, OSError, ValueError) as error:
        yield Problem(what="artifact", where=said.key, message=f"cannot be read: {error}")
        return
    listed = {f.name: f.sha256 for f in said.files}
    here = {f.name: f.sha256 for f in seen.files}
    if artifact.path.is_file():  # whose name may be another here
        listed, here = ({said.key: next(iter(h.values()))} for h in (listed, here))
    for name in sorted(listed.keys() | here.keys()):
        if listed.get(name) != here.get(name):
            message = f"SHA-256 is {here.get(name, 'missing')}, not {listed.get(name, 'listed')}"
            yield Problem(what="artifact", where=f"{said.key}: {name}", message=message)
    for name in ("sha256", "bytes", "quantization", "tokenizer_sha256", "template_sha256"):
        if getattr(seen, name) != getattr(said, name):
            message = f"{name} is {getattr(seen, name)}, not {getattr(said, name)}"
            yield Problem(what="artifact", where=said.key, message=message)


def chosen(receipt: Receipt, most: int, seed: int) -> list[Exchange]:
    """All that is not about one prompt, and what is about `most` prompts, drawn by `seed`."""
    texts = list(dict.fromkeys(t for e in receipt.exchanges if (t := _prompt(e)) is not None))
    drawn = set(random.Random(seed).sample(texts, min(most, len(texts))))  # noqa: S311 - a sample
    return [e for e in receipt.exchanges if (t := _prompt(e)) is None or t in drawn]


def _prompt(exchange: Exchange) -> str | None:
    """The one text that an exchange is about."""
    text = exchange.request.get("text")
    return str(text or exchange.request["ids"]) if text is not None else None


def remeasured(
    receipt: Receipt, artifacts: Mapping[Side, Artifact], exchanges: Sequence[Exchange]
) -> Iterator[Problem]:
    """Ask both models again; numbers that are not those of the receipt, but for noise."""
    noise = _noise(receipt)
    with TemporaryDirectory() as folder, _pool(Path(folder)) as pool:
        config = _config(receipt, artifacts, Path(folder))
        requests = [decode_request(e.request) for e in exchanges]
        for at, answered in pool.answer(config, requests, mode="exact", width=1):
            said, made = exchanges[at].answer, encode(answered.answer)
            where = f"$.receipt.exchanges[{receipt.exchanges.index(exchanges[at])}].answer"
            yield from _apart(where, said, made, noise)


def _pool(folder: Path) -> Pool:
    limits = Limits()
    return Pool(
        logs=folder / "logs",
        load_timeout_s=limits.load_timeout_s,
        request_timeout_s=limits.request_timeout_s,
        request_floor_s=limits.request_floor_s,
        max_loaded_models=1,
    )


def _config(receipt: Receipt, artifacts: Mapping[Side, Artifact], folder: Path) -> WorkerConfig:
    missing = [side for side in SIDES if side not in artifacts]
    if missing:
        raise Unavailable(
            f"the {' and the '.join(missing)} of this receipt is not here",
            remedy=" ".join(f"--artifact {side}=PATH" for side in missing),
        )
    cache = cache_root()
    ours, our_form = for_engine(artifacts["candidate"], cache)
    theirs, their_form = for_engine(artifacts["reference"], cache)
    return WorkerConfig(
        engine=receipt.engine.name,
        artifact=ours,
        format=our_form,
        backend=receipt.engine.backend,
        threads=threads_per_worker(),
        n_ctx=receipt.engine.n_ctx,
        arrays=folder,
        memory_bytes=address_space(None),
        cache_bytes=cache_bytes(),
        dtype=receipt.engine.dtype,
        reference=theirs,
        reference_engine=receipt.reference_engine.name,
        reference_format=their_form,
        reference_dtype=receipt.reference_engine.dtype,
    )


def _noise(receipt: Receipt) -> tuple[float, float]:
    """What both sides differed by from themselves: the largest KL in nats, and of any logit."""
    measured = [decode_answer(e.answer) for e in receipt.exchanges]
    variants = [
        v for a in measured if isinstance(a, NoiseMeasured) for v in (*a.reference, *a.candidate)
    ]
    return (
        max((v.kl_max for v in variants), default=0.0),
        max((v.max_abs for v in variants), default=0.0),
    )


def _apart(where: str, said: Any, made: Any, noise: tuple[float, float]) -> Iterator[Problem]:
    """Leaves that differ: integers and texts at all, numbers by more than noise and rounding."""
    if isinstance(said, dict) and isinstance(made, dict):
        for name in sorted((said.keys() | made.keys()).difference(_UNCOMPARED)):
            yield from _apart(f"{where}.{name}", said.get(name), made.get(name), noise)
    elif isinstance(said, list) and isinstance(made, list) and len(said) == len(made):
        for at, (one, other) in enumerate(zip(said, made, strict=True)):
            yield from _apart(f"{where}[{at}]", one, other, noise)
    elif isinstance(said, float) and isinstance(made, float):
        field = where.rpartition(".")[2].partition("[")[0]
        room = 2 * noise[0 if field in _DIVERGENCES else 1] + _ROUNDING * 1e-2
        if not math.isclose(said, made, rel_tol=_ROUNDING, abs_tol=room):
            message = f"says {said:.6g}, measured again {made:.6g} (noise {room:.2g})"
            yield Problem(what="measurement", where=where, message=message)
    elif said != made:
        message = f"says {str(said)[:80]!r}, measured again {str(made)[:80]!r}"
        yield Problem(what="measurement", where=where, message=message)
