"""A playbook turned to a copy of its artifact; the reference stays what it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pytest_modelqa.artifacts.defects.defect import Made
from pytest_modelqa.artifacts.defects.subject import Subject, subject_of
from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.core.check import FailurePolicy
from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.core.model import ArtifactSpec
from pytest_modelqa.plan import Plan, make
from pytest_modelqa.playbook.values import Matrix, Model, Playbook

_REFERENCE = "-reference"
_PARITY = "parity"
_STATIC = frozenset({"configuration", "tensors"})
"""Parts of parity that open no engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What is mutated and how it is judged. `checks` are parts of names of checks; none is all.

    `reference` is None where the playbook has none: then nothing is compared.
    """

    playbook: Playbook
    subject: Subject
    sha256: str
    reference: ArtifactSpec | None
    checks: tuple[str, ...] = ()

    def plan(self, made: Made, policy: FailurePolicy) -> Plan:
        """The playbook's plan for one copy, and for nothing else.

        Measurements are left out unless they are named: they are of the code, not of the weights.

        Raises UsageError where no check of the playbook has one of the names that were asked for.
        """
        spec = ArtifactSpec(
            model=self.playbook.model.id,
            format=made.format,
            quantization=made.quantization,
            source=f"file:{made.path.absolute()}",
        )
        plan = make(
            replace(
                self.playbook,
                model=self._model(spec),
                matrix=_only(self.playbook.matrix, spec),
                failure_policy=policy,
            )
        )
        cases = tuple(
            c for c in plan.cases
            if c.cell and (any(w in c.check.name for w in self.checks) if self.checks
                           else not c.measurement)
        )  # fmt: skip
        if not cases:
            names = ", ".join(sorted({c.check.name for c in plan.cases}))
            raise UsageError(
                f"no check is called like {', '.join(self.checks)}", remedy=f"some of: {names}"
            )
        return replace(plan, cases=cases)

    @property
    def static(self) -> Bench | None:
        """The same with what is asked of files alone; None where the playbook has no such part."""
        asked = [b for b in self.playbook.blocks if b.name == _PARITY]
        parts = [p for b in asked for p in b.parameters["parts"] if p in _STATIC]
        if not parts or self.checks or self.reference is None:
            return None
        blocks = tuple(replace(b, parameters={**b.parameters, "parts": parts}) for b in asked)
        playbook = replace(self.playbook, blocks=blocks, scenarios=())
        return replace(self, playbook=playbook, checks=("G0", _PARITY))

    def _model(self, spec: ArtifactSpec) -> Model:
        if self.reference is None:
            return replace(self.playbook.model, artifacts=(spec,), reference="")
        reference = self.reference
        if reference.key == spec.key:  # keys are unique in a playbook
            reference = replace(reference, quantization=f"{reference.quantization}{_REFERENCE}")
        return replace(self.playbook.model, artifacts=(spec, reference), reference=reference.key)


def _only(matrix: Matrix, spec: ArtifactSpec) -> Matrix:
    return replace(
        matrix, formats=(spec.format,), quantizations={spec.format: (spec.quantization,)}
    )


def bench(playbook: Playbook, artifact: str = "", checks: tuple[str, ...] = ()) -> Bench:
    """Find the artifact to mutate (`artifact` is its key; else the first that is no reference).

    Raises UsageError (there is no such artifact), Unavailable (it is not here), Refused (unsound).
    """
    siblings = {a.key: a for a in playbook.model.artifacts}
    chosen = _chosen(playbook, artifact)
    here = provision(chosen, siblings, folder=playbook.path.parent)
    reference = siblings.get(playbook.model.reference)
    subject = subject_of(here.path)
    if reference is not None:
        kept = provision(reference, siblings, folder=playbook.path.parent)
        subject = replace(subject, origin=kept.path)
        reference = replace(
            reference, source=f"file:{kept.path.absolute()}", sha256="", revision=""
        )
    playbook = replace(playbook, blocks=tuple(
        replace(b, parameters={**b.parameters, "reference": None})
        if "reference" in b.parameters else b for b in playbook.blocks
    ))  # fmt: skip
    return Bench(
        playbook=playbook,
        subject=subject,
        sha256=here.sha256,
        reference=reference,
        checks=checks,
    )


def _chosen(playbook: Playbook, key: str) -> ArtifactSpec:
    known = {a.key: a for a in playbook.model.artifacts}
    keys = [k for k in known if k != playbook.model.reference]
    if key and key not in known:
        raise UsageError(
            f"the playbook has no artifact {key!r}", remedy=f"one of: {', '.join(known)}"
        )
    if not key and not keys:
        raise UsageError(
            "the playbook has no artifact beside its reference",
            where=str(playbook.path),
            remedy="add the file that is to be qualified: model.artifacts",
        )
    return known[key or keys[0]]
