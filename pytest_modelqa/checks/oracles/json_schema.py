"""JSON schema: the completion is a JSON document that a schema accepts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

from pytest_modelqa.checks.oracles import parse_json
from pytest_modelqa.checks.oracles.fences import blocks_in
from pytest_modelqa.checks.oracles.parsing import NotCode
from pytest_modelqa.checks.oracles.text import judged_text, unjudgeable
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified, inconclusive


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonSchema:
    """The one JSON document of the completion is valid under `schema`.

    The document is the first block fenced as json, else the first untagged block, else all of the
    completion. The draft is the schema's `$schema`, else 2020-12. References may only point into
    the schema itself: nothing is fetched. `{}` and `true` accept everything and are refused. A
    completion that was cut off before its document ended is inconclusive.
    """

    name: ClassVar[str] = "json_schema"

    schema: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.schema, Mapping) or not self.schema:
            raise ValueError("schema: a mapping that restricts something is expected")
        _validation().checked(dict(self.schema))

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002 - the protocol's
        """None: the schema was checked when it was made."""
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:  # noqa: ARG002 - the protocol's
        """Corroborated where the schema accepts the document."""
        if bad := unjudgeable(answer):
            return bad
        text, closed = _document(judged_text(answer))
        try:
            value = parse_json.value(text)
        except NotCode as error:
            if answer.finish != "stop" and not closed:
                return inconclusive(
                    f"the JSON was cut off after {len(answer.ids)} tokens",
                    tested=1,
                    remedy="raise max_tokens",
                )
            return falsified(f"not JSON: {error}")
        return self._verdict(value)

    def _verdict(self, value: Any) -> Verdict:
        try:
            count, said = _validation().violations(dict(self.schema), value)
        except ValueError as error:
            return inconclusive(str(error), tested=1, remedy="correct the schema in the playbook")
        if count:
            return falsified(f"{count} violations of the schema: {said}")
        return corroborated(f"valid JSON of {len(json.dumps(value))} characters", tested=1)


def _document(text: str) -> tuple[str, bool]:
    """The JSON text, and whether its fence was closed."""
    blocks = blocks_in(text)
    chosen = [b for b in blocks if b.tag == "json"] or [b for b in blocks if not b.tag]
    return (chosen[0].code, chosen[0].closed) if chosen else (text, False)


def _validation() -> Any:
    return import_module(f"{__package__}.validation")
