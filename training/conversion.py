"""A merged model as GGUF, and whether what belongs to it beside the weights came along."""

from __future__ import annotations

import json
from pathlib import Path

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.artifacts.convert.kinds import target_kind
from pytest_modelqa.artifacts.convert.run import convert
from pytest_modelqa.core.errors import Refused
from training.findings import Finding, failed, held, insist, judged

TEMPLATE = "tokenizer.chat_template"
_TOKENS = "tokenizer.ggml.tokens"


def converted(folder: Path, quantisation: str, cache: Path) -> Path:
    """The folder's model as a GGUF file of a quantisation, made once.

    Raises what `convert` raises, and Refused where template or vocabulary did not come along.
    """
    file = convert(folder, target_kind("gguf", quantisation), cache).made.path
    insist(carried(folder, file), str(file), f"rm -r {file.parent}, then convert again")
    return file


def carried(folder: Path, file: Path) -> list[Finding]:
    """Whether a GGUF file has the folder's chat template and its vocabulary."""
    metadata = gguf.read(file).metadata
    return [_template(folder, metadata.get(TEMPLATE)), _vocabulary(folder, metadata.get(_TOKENS))]


def template_of(folder: Path) -> str:
    """The chat template of a folder, from its own file or its tokenizer's settings, or nothing."""
    own = folder / "chat_template.jinja"
    if own.is_file():
        return own.read_text(encoding="utf-8")
    try:
        text = (folder / "tokenizer_config.json").read_text(encoding="utf-8")
        found = json.loads(text).get("chat_template")
    except (OSError, ValueError, AttributeError) as error:
        raise Refused(
            f"tokenizer_config.json cannot be read: {error}", where=str(folder)
        ) from error
    return found if isinstance(found, str) else ""


def _template(folder: Path, found: object) -> Finding:
    wanted = template_of(folder)
    if not wanted:
        return failed("template-kept", f"{folder} has no chat template to compare with")
    if not found:
        return failed("template-kept", f"{TEMPLATE} is missing: the template was dropped")
    return judged("template-kept", found == wanted, f"{len(wanted)} characters, compared whole")


def _vocabulary(folder: Path, found: object) -> Finding:
    """Tokens by their ids; the file may pad its vocabulary at the end."""
    try:
        content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        ids: dict[str, int] = content["model"]["vocab"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return failed("vocabulary-kept", f"tokenizer.json cannot be read: {error!r}")
    if not isinstance(found, list | tuple) or not ids:
        return failed("vocabulary-kept", f"{_TOKENS} is missing")
    lost = [t for t, i in ids.items() if i >= len(found) or found[i] != t]
    if lost:
        return failed("vocabulary-kept", f"{len(lost)} tokens differ; the first is {lost[0]!r}")
    return held("vocabulary-kept", f"{len(ids)} tokens have their ids")
