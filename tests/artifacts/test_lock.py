"""The lockfile is read strictly, and its JSON Schema says the same."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pytest_modelqa.artifacts.lock import find_lock, load_lock
from pytest_modelqa.core.errors import UsageError

ROOT = Path(__file__).parents[2]
SCHEMA = Draft202012Validator(
    json.loads((ROOT / "pytest_modelqa" / "schemas" / "models-lock.schema.json").read_text())
)

FILE = {"path": "model.gguf", "sha256": "0a" * 32, "bytes": 7}
ENTRY = {
    "id": "one",
    "tier": "integration",
    "source": "pypi:one:model.gguf",
    "revision": "1",
    "licence": "MIT",
    "files": [FILE],
}
SOUND: dict[str, Any] = {"version": 1, "models": [ENTRY]}


def changed(*path: str | int, value: Any = None, drop: bool = False) -> dict[str, Any]:
    data = copy.deepcopy(SOUND)
    at: Any = data
    for key in path[:-1]:
        at = at[key]
    if drop:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return data


def saved(folder: Path, data: Any) -> Path:
    path = folder / "models.lock.json"
    path.write_text(json.dumps(data))
    return path


BROKEN = {
    "version": changed("version", value=2),
    "no version": changed("version", drop=True),
    "unknown top key": changed("more", value=1),
    "unknown key": changed("models", 0, "note", value="x"),
    "missing key": changed("models", 0, "licence", drop=True),
    "tier": changed("models", 0, "tier", value="huge"),
    "no text": changed("models", 0, "revision", value=3),
    "no files": changed("models", 0, "files", value=[]),
    "short hash": changed("models", 0, "files", 0, "sha256", value="0a"),
    "no hex": changed("models", 0, "files", 0, "sha256", value="zz" * 32),
    "negative size": changed("models", 0, "files", 0, "bytes", value=-1),
    "no size": changed("models", 0, "files", 0, "bytes", value=True),
    "absolute path": changed("models", 0, "files", 0, "path", value="/etc/passwd"),
    "path upwards": changed("models", 0, "files", 0, "path", value="a/../../b"),
    "backslash": changed("models", 0, "files", 0, "path", value="..\\b"),
    "nul in a path": changed("models", 0, "files", 0, "path", value="a\0b"),
    "empty path": changed("models", 0, "files", 0, "path", value=""),
    "hidden file": changed("models", 0, "files", 0, "path", value=".m.gguf"),
    "hidden folder": changed("models", 0, "files", 0, "path", value="a/.git/m.gguf"),
    "another spelling": changed("models", 0, "files", 0, "path", value="a//m.gguf"),
    "a dot": changed("models", 0, "files", 0, "path", value="./m.gguf"),
    "a drive": changed("models", 0, "files", 0, "path", value="c:m.gguf"),
    "a line break": changed("models", 0, "files", 0, "path", value="m.gguf\nx"),
    "id": changed("models", 0, "id", value="../one"),
    "no id": changed("models", 0, "id", value=""),
    "accept": changed("models", 0, "accept", value="yes"),
    "no scheme": changed("models", 0, "source", value="s3:bucket"),
    "source upwards": changed("models", 0, "source", value="pypi:one:../model.gguf"),
    "source with a password": changed("models", 0, "source", value="https://a:b@host.invalid/m"),
    "plain http": changed("models", 0, "source", value="http://host.invalid/m"),
    "half a repository": changed("models", 0, "source", value="hf:Model"),
    "hf without revision": changed("models", 0, value=ENTRY | {"source": "hf:O/M", "revision": ""}),
    "two files of one": changed("models", 0, "files", value=[FILE, FILE | {"path": "b"}]),
    "mirror": changed("models", 0, "files", 0, "urls", value=["ftp://host.invalid/m"]),
    "mirror is a text": changed("models", 0, "files", 0, "urls", value="https://host.invalid/m"),
    "a list": [],
}

SOUND_ONES = {
    "as it is": SOUND,
    "a folder": changed(
        "models", 0, value=ENTRY | {"source": "hf:O/M", "files": [FILE, FILE | {"path": "b/c"}]}
    ),
    "a file of a repository": changed("models", 0, "source", value="hf:O/M:sub/m.gguf"),
    "an address": changed("models", 0, "source", value="https://host.invalid/a/m.gguf"),
    "this machine": changed("models", 0, "source", value="http://127.0.0.1:80/m.gguf"),
    "a local file": changed("models", 0, "source", value="file:../m.gguf"),
    "built here": changed("models", 0, value=ENTRY | {"source": "build:one", "files": []}),
    "to be accepted": changed("models", 0, "accept", value=True),
    "mirrors": changed("models", 0, "files", 0, "urls", value=["https://host.invalid/m?x=1"]),
    "letters of the world": changed("models", 0, "files", 0, "path", value="modèle/重み.gguf"),
}


@pytest.mark.parametrize("name", SOUND_ONES)
def test_what_is_sound_is_read_by_the_loader_and_by_the_schema(name: str, tmp_path: Path) -> None:
    SCHEMA.validate(SOUND_ONES[name])
    (entry,) = load_lock(saved(tmp_path, SOUND_ONES[name])).entries
    assert len(entry.files) == len(SOUND_ONES[name]["models"][0]["files"])


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_is_refused_by_the_loader_and_by_the_schema(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"models\.lock\.json"):
        load_lock(saved(tmp_path, BROKEN[name]))
    assert not SCHEMA.is_valid(BROKEN[name])


@pytest.mark.parametrize("key", ["id", "source"])
def test_a_second_entry_of_the_same_name_is_refused(key: str, tmp_path: Path) -> None:
    other = ENTRY | {"id": "two", "source": "file:two.gguf"} | {key: ENTRY[key]}
    with pytest.raises(UsageError, match=f"{key} .* occurs twice"):
        load_lock(saved(tmp_path, {"version": 1, "models": [ENTRY, other]}))


def test_ids_that_differ_in_case_alone_are_refused(tmp_path: Path) -> None:
    other = ENTRY | {"id": "ONE", "source": "file:two.gguf"}
    with pytest.raises(UsageError, match="id 'one' occurs twice"):
        load_lock(saved(tmp_path, {"version": 1, "models": [ENTRY, other]}))


@pytest.mark.parametrize(
    ("second", "what"),
    [("model.gguf", "occurs twice"), ("MODEL.gguf", "twice"), ("model.gguf/x", "and a folder")],
)
def test_files_that_cannot_both_be_there_are_refused(
    second: str, what: str, tmp_path: Path
) -> None:
    files = [FILE, FILE | {"path": second}]
    data = changed("models", 0, value=ENTRY | {"source": "hf:O/M", "files": files})
    with pytest.raises(UsageError, match=what):
        load_lock(saved(tmp_path, data))


def test_a_key_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "models.lock.json"
    path.write_text('{"version": 1, "version": 1, "models": []}')
    with pytest.raises(UsageError, match="'version' occurs twice"):
        load_lock(path)


def test_text_that_is_no_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "models.lock.json"
    path.write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        load_lock(path)


def test_upper_case_hex_is_the_same_hash(tmp_path: Path) -> None:
    data = changed("models", 0, "files", 0, "sha256", value="0A" * 32)
    assert SCHEMA.is_valid(data)
    assert load_lock(saved(tmp_path, data)).entries[0].files[0].sha256 == "0a" * 32


def test_the_nearest_lockfile_is_taken_else_the_shipped_one(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find_lock(deep) == ROOT / "models.lock.json"
    saved(tmp_path, SOUND)
    assert find_lock(deep) == tmp_path / "models.lock.json"
    saved(tmp_path / "a", SOUND)
    assert find_lock(deep) == tmp_path / "a" / "models.lock.json"


def test_the_committed_lockfile_is_valid_and_pins_smollm2(smollm2: Path) -> None:
    path = ROOT / "models.lock.json"
    SCHEMA.validate(json.loads(path.read_text()))
    entry = next(e for e in load_lock(path).entries if e.id == "smollm2-135m-instruct")
    assert entry.files[0].bytes == smollm2.stat().st_size


def test_the_example_of_the_documentation_is_sound(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "fetching.md").read_text()
    data = json.loads(text.split("```json")[1].split("```")[0])
    SCHEMA.validate(data)
    (entry,) = load_lock(saved(tmp_path, data)).entries
    assert (entry.accept, len(entry.files[0].urls)) == (True, 1)


def test_ci_light_is_built_here_and_not_pinned() -> None:
    entry = next(e for e in load_lock(ROOT / "models.lock.json").entries if e.id == "ci-light")
    assert (entry.tier, entry.parsed.scheme, entry.pinned) == ("ci-light", "build", False)
