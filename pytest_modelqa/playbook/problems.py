"""Pydantic's errors as sentences: what is wrong, and what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from pytest_modelqa.playbook.positions import Flaw, Key, Tree

SHOWN = 60
"""Longest piece of a wrong value that a message quotes."""

_NOUNS = {
    "formats": "format",
    "modalities": "modality",
    "backends": "backend",
    "quantizations": "quantization",
    "families": "family",
    "faults": "fault",
    "targets": "target",
    "stats": "statistic",
    "checks": "check",
    "failure_policy": "failure policy",
    "size_category": "size category",
    "version": "supported version",
}
_RULES = {
    "id": "must be ORG/NAME of letters, digits, `.`, `_` and `-`",
    "source": "must be pypi:DIST:FILE, hf:ORG/NAME[:FILE], https://HOST/FILE, build:NAME, "
    "file:PATH or derive:FORMAT-QUANTIZATION, and stay inside its folder (no `..`)",
    "sha256": "must be 64 hexadecimal digits",
    "gate": "must be a gate id such as F-MY-GATE-001",
    "gates": "must be a gate id such as F-MY-GATE-001 (G0 to G4 only in the top-level `gates:`)",
    "name": "must be letters, digits, `_`, `.` and `-`, and not the name of a gateway (G0 ...)",
    "revision": "must be a commit, tag or branch",
    "reference": "must be an artifact's key such as gguf-q4_k_m",
    "engine": "must be an engine's name such as llamacpp",
}
_ELSEWHERE = {
    "hf_repo": "id",
    "local_path": "source",
    "scenario_count": "scenarios_generated.count",
    "property_tests": "scenarios_generated",
    "prompts": "scenarios",
    "timeout_ms": "limits.request_timeout_s",
    "falsification_gates": "gates",
    "ollama_parity": "parity.ollama",
    "contract_tests": "differential_tests",
    "oracles": "scenarios[].oracle",
}
_MUST = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "none_required": "must be left out",
}


def flaws_of(
    error: ValidationError, tree: Tree, model: type[BaseModel], prefix: tuple[Key, ...] = ()
) -> Iterator[Flaw]:
    """One flaw per place: the branches of a union are joined by "or"."""
    found: dict[tuple[Key, ...], Flaw] = {}
    for detail in error.errors(include_url=False):
        if _only_follows(detail):
            continue
        flaw = _flaw(detail, tree, model, prefix)
        if flaw.path in found and flaw.message not in found[flaw.path].message:
            joined = f"{found[flaw.path].message}; or {flaw.message}"
            flaw = Flaw(flaw.at, flaw.path, joined)
        found[flaw.path] = flaw
    yield from found.values()


def _only_follows(detail: Any) -> bool:
    """Pydantic counts the valid entries of a list: a wrong one makes it "too short" as well."""
    least: int = detail.get("ctx", {}).get("min_length", 0)
    return detail["type"] == "too_short" and len(detail["input"]) >= least


def _flaw(detail: Any, tree: Tree, model: type[BaseModel], prefix: tuple[Key, ...]) -> Flaw:
    own = tuple(k for k in detail["loc"] if not str(k).startswith("<") and k != "[key]")
    path = (*prefix, *own)
    here = tree.nearest(path)
    if detail["type"] == "missing":
        return Flaw(tree.nearest(path[:-1]).head, path, "is missing, and required")
    if detail["type"] == "extra_forbidden":
        return Flaw(here.head, path, unknown_key(str(own[-1]), _allowed(model, own)))
    at = here.head if "[key]" in detail["loc"] else here.at
    return Flaw(at, _existing(tree, path), _message(detail, path))


def _existing(tree: Tree, path: tuple[Key, ...]) -> tuple[Key, ...]:
    """Without pydantic's names of union branches, which are no keys of the document."""
    while path and tree.nearest(path) is tree.nearest(path[:-1]):
        path = path[:-1]
    return path


def unknown_key(key: str, allowed: Iterable[str]) -> str:
    """`unknown key 'promt'; did you mean 'prompt'? (...)`."""
    known = list(allowed)
    near = _nearest(key, known)
    if not near and key in _ELSEWHERE:
        return f"unknown key {key!r}; that is `{_ELSEWHERE[key]}` here ({', '.join(known)})"
    return f"unknown key {key!r};{near} allowed: {', '.join(known)}"


def not_a(value: str, noun: str, allowed: Iterable[str]) -> str:
    """`'ggfu' is not a format; did you mean 'gguf'? (gguf, safetensors, apr)`."""
    known = list(allowed)
    article = "an" if noun[0] in "aeiou" else "a"
    near = _nearest(value, known)
    return f"{shown(value)} is not {article} {noun};{near} ({', '.join(known)})".replace(
        "; (", " ("
    )


def _nearest(word: str, known: list[str]) -> str:
    by_fold = {k.casefold(): k for k in known}
    near = get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    return f" did you mean {by_fold[near[0]]!r}?" if near else ""


def shown(value: Any) -> str:
    """A value as a message quotes it: what it is, and at most `SHOWN` characters of it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, Mapping):
        return "a mapping"
    text = repr(str(value))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}...'"


def _allowed(model: type[BaseModel], path: tuple[Key, ...]) -> list[str]:
    """The keys of the model that `path` leads to."""
    here = model
    for key in path[:-1]:
        by_key = {f.alias or n: f for n, f in here.model_fields.items()}
        if key in by_key:
            here = _model_in(by_key[str(key)].annotation) or here
    return [f.alias or n for n, f in here.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(part) for part in get_args(annotation))
    return next((model for model in inner if model), None)


def _noun(path: tuple[Key, ...]) -> str:
    key = next((k for k in reversed(path) if isinstance(k, str) and k), "value")
    return _NOUNS.get(key, key.replace("_", " "))


def _message(detail: Any, path: tuple[Key, ...]) -> str:
    kind, value, ctx = detail["type"], detail["input"], detail.get("ctx", {})
    if kind in ("literal_error", "enum"):
        return _not_allowed(value, path, str(ctx.get("expected", "")))
    if kind in _MUST:
        return f"{_MUST[kind]}, found {shown(value)}{_hint(kind, value)}"
    if kind == "string_pattern_mismatch":
        key = next((k for k in reversed(path) if k in _RULES), "")
        if "gates" in path:
            key = "gates"
        rule = _RULES.get(str(key), f"does not match {ctx.get('pattern', '')}")
        return f"{rule}, found {shown(value)}"
    if kind in _BOUNDS:
        return f"{_BOUNDS[kind](ctx)}, found {_size(value)}"
    return str(detail["msg"]).removeprefix("Value error, ")


def _not_allowed(value: Any, path: tuple[Key, ...], expected: str) -> str:
    known = re.findall(r"'([^']*)'", expected)
    if not isinstance(value, str):
        quoted = f"; write {known[0]!r} with its quotes" if str(value) in known else ""
        return f"must be one of {', '.join(known)}, found {shown(value)}{quoted}"
    return not_a(value, _noun(path), known)


def _hint(kind: str, value: Any) -> str:
    if kind == "string_type" and isinstance(value, (bool, int, float)):
        return "; put it in quotes"
    if kind.startswith("bool") and str(value).lower() in ("yes", "on", "y"):
        return "; write true"
    if kind.startswith("bool") and str(value).lower() in ("no", "off", "n"):
        return "; write false"
    if kind in ("tuple_type", "list_type") and isinstance(value, str):
        return f"; write [{value}]"
    return ""


def _size(value: Any) -> str:
    if isinstance(value, str):
        return f"{len(value)} characters"
    return f"{len(value)} entries" if isinstance(value, (list, dict)) else str(value)


_BOUNDS: Mapping[str, Callable[[Any], str]] = {
    "greater_than": lambda c: f"must be greater than {c['gt']}",
    "greater_than_equal": lambda c: f"must be at least {c['ge']}",
    "less_than": lambda c: f"must be less than {c['lt']}",
    "less_than_equal": lambda c: f"must be at most {c['le']}",
    "too_short": lambda c: f"needs at least {c['min_length']} entry",
    "too_long": lambda c: f"may have at most {c['max_length']} entries",
    "string_too_short": lambda c: f"needs at least {c['min_length']} character",
    "string_too_long": lambda c: f"may have at most {c['max_length']} characters",
}
