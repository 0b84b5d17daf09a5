"""Whether a Modelfile fits its GGUF file: stop tokens, context, template, ranges of parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_modelqa.core.errors import Refused
from training.findings import Finding, failed, held, judged
from training.modelfile.compose import context_of, metadata_of, stops_of
from training.modelfile.syntax import Modelfile
from training.modelfile.template import Turns, turns_of

_RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "top_k": (0, 1_000_000),
    "repeat_penalty": (0.01, 10),
}
_SPECIAL = re.compile(r"<\|[^|<>\s'\"{}]{1,60}\|>")


def check(modelfile: Modelfile, folder: Path) -> list[Finding]:
    """Compare a Modelfile with the file that its FROM names, relative to `folder`."""
    path = folder / modelfile.source
    try:
        metadata = metadata_of(path)
    except Refused as error:
        return [failed("from", f"{path}: {error.what}")]
    return [held("from", f"{modelfile.source} is a sound GGUF file"), *compare(modelfile, metadata)]


def compare(modelfile: Modelfile, metadata: Mapping[str, Any]) -> list[Finding]:
    """Compare a Modelfile with the metadata of its GGUF file."""
    turns = turns_of(metadata)
    return [
        _stops_exist(modelfile, metadata),
        _turn_ends(modelfile, metadata),
        _context(modelfile, metadata),
        *_ranges(modelfile),
        _template(modelfile, metadata, turns),
        _system(modelfile, turns),
        held("license", _license(modelfile)),
    ]


def _license(modelfile: Modelfile) -> str:
    """Told, never judged: which licence a model needs is not in its file."""
    return f"{len(modelfile.licenses)} given" if modelfile.licenses else "none given"


def _stops_exist(modelfile: Modelfile, metadata: Mapping[str, Any]) -> Finding:
    tokens = set(metadata.get("tokenizer.ggml.tokens", ()))
    stops = modelfile.values("stop")
    missing = [str(stop) for stop in stops if stop not in tokens]
    if missing:
        return failed("stop tokens", f"not in the vocabulary: {', '.join(missing)}")
    return judged("stop tokens", bool(stops), f"{', '.join(map(str, stops)) or 'none given'}")


def _turn_ends(modelfile: Modelfile, metadata: Mapping[str, Any]) -> Finding:
    """A model whose end of turn is no stop talks on as the user."""
    ends = stops_of(metadata)
    missing = [end for end in ends if end not in modelfile.values("stop")]
    if missing:
        return failed("end of turn", f"no stop for {', '.join(missing)}")
    return judged("end of turn", bool(ends), f"all {len(ends)} ends of the model are stops")


def _context(modelfile: Modelfile, metadata: Mapping[str, Any]) -> Finding:
    context = context_of(metadata)
    asked = modelfile.values("num_ctx")
    if not context:
        return failed("context", "the file does not say how long its context is")
    if not asked:
        return failed("context", "num_ctx is not given: the server's default would decide")
    return _within("context", float(asked[0]), lowest=1, highest=context, unit=" tokens")


def _ranges(modelfile: Modelfile) -> Iterator[Finding]:
    for name, (lowest, highest) in _RANGES.items():
        for value in modelfile.values(name):
            yield _within(name, float(value), lowest=lowest, highest=highest)


def _within(name: str, value: float, *, lowest: float, highest: float, unit: str = "") -> Finding:
    """Whether a number is in a closed range; NaN never is."""
    reason = f"{value:.6g}{unit}, expected {lowest:.6g} to {highest:.6g}{unit}"
    return judged(name, lowest <= value <= highest, reason)


def _template(modelfile: Modelfile, metadata: Mapping[str, Any], turns: Turns | None) -> Finding:
    if not modelfile.template:
        reason = "none: the server would guess one"
        return failed("template", reason + ("" if turns else ", and the file's own has no Go form"))
    unknown = _unknown(modelfile.template, metadata)
    if unknown:
        return failed("template", f"mentions {', '.join(unknown)}, which the vocabulary lacks")
    if turns is None:
        used = ".Prompt" in modelfile.template or ".Messages" in modelfile.template
        return judged("template", used, "the file's own has no Go form; not compared")
    same = modelfile.template == turns.go()
    reason = "writes" if same else "is not known to write"
    return judged("template", same, f"{reason} what the file's own chat template does")


def _unknown(template: str, metadata: Mapping[str, Any]) -> list[str]:
    tokens = set(metadata.get("tokenizer.ggml.tokens", ()))
    return sorted(set(_SPECIAL.findall(template)) - tokens)


def _system(modelfile: Modelfile, turns: Turns | None) -> Finding:
    if not modelfile.system:
        return held("system", "none")
    takes = turns is None or turns.system is not None
    reason = f"{len(modelfile.system)} characters"
    return judged("system", takes, reason if takes else "the chat template takes no system text")
