"""Special tokens, token lists and chat templates against each other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts.facts import Facts
from pytest_modelqa.artifacts.templates import lint_template

_CONTROL = 3
_MARKS = ("bos", "eos", "pad", "unk")
_TOKENS = "tokenizer.ggml.tokens"
_MAX_JSON_BYTES = 256 << 20


def lint_gguf_tokens(facts: Facts, meta: Mapping[str, Any]) -> None:
    """The vocabulary of a GGUF header: duplicates, marks, template."""
    tokens = meta.get(_TOKENS)
    if not isinstance(tokens, tuple):
        return
    twice = _duplicates(tokens)
    message = f"{len(twice)} tokens occur twice, as {', '.join(map(repr, twice[:3]))}"
    facts.holds(not twice, "TOKEN-DUPLICATE", _TOKENS, message, "warning")
    _marks(facts, meta, tokens)
    if "tokenizer.ggml.model" in meta:
        texts = {f"{mark}_token": tokens[i] for mark in _MARKS
                 if type(i := meta.get(f"tokenizer.ggml.{_long(mark)}_token_id")) is int
                 and 0 <= i < len(tokens)}  # fmt: skip
        template = meta.get("tokenizer.chat_template")
        lint_template(facts, "tokenizer.chat_template", template, frozenset(tokens), texts)


def _long(mark: str) -> str:
    """GGUF's word for a mark."""
    return {"pad": "padding", "unk": "unknown"}.get(mark, mark)


def _duplicates(tokens: tuple[str, ...]) -> list[str]:
    if len(set(tokens)) == len(tokens):
        return []
    seen: set[str] = set()
    twice = {t for t in tokens if t in seen or seen.add(t)}  # type: ignore[func-returns-value]
    return sorted(twice)


def _marks(facts: Facts, meta: Mapping[str, Any], tokens: tuple[str, ...]) -> None:
    stated = meta.get("tokenizer.ggml.token_type")
    kinds = stated if isinstance(stated, Sequence) and not isinstance(stated, str) else None
    for mark in ("bos", "eos"):
        key = f"tokenizer.ggml.{mark}_token_id"
        asked = meta.get(f"tokenizer.ggml.add_{mark}_token")
        message = f"is to be added to every text, and {key} is not given"
        flag = f"tokenizer.ggml.add_{mark}_token"
        facts.holds(not asked or key in meta, "SPECIAL-MISSING", flag, message, "warning")
        given = meta.get(key)
        if type(given) is int and 0 <= given < len(tokens) and kinds is not None:
            kind = kinds[given] if given < len(kinds) else _CONTROL
            message = f"{tokens[given]!r} is no control token, so that it is printed as text"
            facts.holds(kind == _CONTROL, "SPECIAL-TYPE", key, message, "warning")


def lint_folder_tokens(facts: Facts, folder: Path, vocab_size: object) -> None:
    """tokenizer.json, tokenizer_config.json and config.json of a folder."""
    tokenizer, config = _json(folder / "tokenizer.json"), _json(folder / "tokenizer_config.json")
    model = tokenizer.get("model")
    listed = model.get("vocab") if isinstance(model, dict) else None
    vocabulary = dict(listed) if isinstance(listed, dict) else {}
    added = tokenizer.get("added_tokens")
    for token in added if isinstance(added, list) else []:
        _added(facts, vocabulary, token)
    _named(facts, config, vocabulary)
    _ids(facts, _json(folder / "config.json"), vocab_size)
    if config or (folder / "chat_template.jinja").is_file():
        template = template_of(folder, config)
        texts = {k: v for mark in _MARKS if (v := _text(config.get(k := f"{mark}_token")))}
        lint_template(facts, "chat_template", template, frozenset(vocabulary), texts)


def _added(facts: Facts, vocabulary: dict[Any, Any], token: Any) -> None:
    if not isinstance(token, dict) or not isinstance(token.get("content"), str):
        facts.holds(False, "TOKENIZER", "tokenizer.json", "an added token has no text")
        return
    text, number = token["content"], token.get("id")
    held = vocabulary.setdefault(text, number)
    message = f"added token {text!r} has id {number} and, in the vocabulary, {held}"
    facts.holds(held == number, "TOKEN-CONFLICT", "tokenizer.json", message)


def _named(facts: Facts, config: Mapping[str, Any], vocabulary: Mapping[Any, Any]) -> None:
    more = config.get("added_tokens_decoder")
    known = {_text(t) for t in more.values()} if isinstance(more, dict) else set()
    for mark in _MARKS:
        text = _text(config.get(f"{mark}_token"))
        if text and vocabulary:
            message = f"{text!r} is not in the vocabulary"
            sound = text in vocabulary or text in known
            facts.holds(sound, "SPECIAL-MISSING", f"{mark}_token", message)


def _ids(facts: Facts, config: Mapping[str, Any], vocab_size: object) -> None:
    if type(vocab_size) is not int:
        return
    for mark in _MARKS:
        given = config.get(f"{mark}_token_id")
        for number in given if isinstance(given, list) else [given]:
            if type(number) is int:
                message = f"id {number} is outside a vocabulary of {vocab_size}"
                sound = -1 <= number < vocab_size
                facts.holds(sound, "CONFIG-SPECIAL", f"{mark}_token_id", message)


def template_of(folder: Path, config: Mapping[str, Any]) -> object:
    """A folder's chat template: its own file, or what tokenizer_config.json holds."""
    file = folder / "chat_template.jinja"
    if file.is_file() and file.stat().st_size < _MAX_JSON_BYTES:
        return file.read_text(encoding="utf-8", errors="replace")
    found = config.get("chat_template")
    if isinstance(found, list):
        named = {t.get("name"): t.get("template") for t in found if isinstance(t, dict)}
        return named.get("default")
    return found


def _text(token: Any) -> str:
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else ""


def _json(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _MAX_JSON_BYTES:
            return {}
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
