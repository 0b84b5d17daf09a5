"""`build:NAME` and `modelqa build`: once, in a process of its own, and never a half-made folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from pytest_modelqa.artifacts import build
from pytest_modelqa.artifacts.build import built
from pytest_modelqa.cli.build import app
from pytest_modelqa.core.errors import ModelQAError, Unavailable, UsageError

SOUND = """\
import sys
from pathlib import Path
assert "torch" not in sys.modules
log = Path(__file__).with_name("runs.log")
log.write_text(log.read_text() + "run\\n" if log.exists() else "run\\n")
print("not for a machine to read")
sys.stderr.write("planted: at work\\n")
Path(sys.argv[1], "config.json").write_text("{}")
"""
BROKEN = """\
import sys
from pathlib import Path
Path(sys.argv[1], "config.json").write_text("{")
sys.exit("planted: the oven is cold")
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed things: two builders, one of them broken, one without its package."""
    folder = tmp_path / "site"
    for name, source in (("sound", SOUND), ("broken", BROKEN)):
        package = folder / f"planted_{name}"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "__main__.py").write_text(source)
    info = folder / "planted-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[{build.GROUP}]\nsound = planted_sound\nbroken = planted_broken\ngone = planted_gone\n"
    )
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("MODELQA_CACHE", str(tmp_path / "cache"))
    return folder


def runs(site: Path) -> int:
    return len((site / "planted_sound" / "runs.log").read_text().splitlines())


def test_a_model_is_made_once_and_its_progress_is_told(site: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    first = built("sound", tmp_path / "cache", lines.append)
    second = built("sound", tmp_path / "cache", lines.append)
    assert first == second
    assert (first / "config.json").read_text() == "{}"
    assert lines == ["planted: at work"]
    assert runs(site) == 1


def test_a_builder_whose_source_changed_builds_again(site: Path, tmp_path: Path) -> None:
    first = built("sound", tmp_path / "cache")
    (site / "planted_sound" / "more.py").write_text("STEPS = 2\n")
    assert built("sound", tmp_path / "cache") != first
    assert runs(site) == 2


def test_other_libraries_build_again(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = built("sound", tmp_path / "cache")
    monkeypatch.setattr(build, "LIBRARIES", ("numpy",))
    assert built("sound", tmp_path / "cache") != first
    assert runs(site) == 2


@pytest.mark.usefixtures("site")
def test_a_builder_that_fails_leaves_nothing_and_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(ModelQAError, match="ended with 1:\nplanted: the oven is cold"):
        built("broken", tmp_path / "cache")
    made = [p for p in (tmp_path / "cache" / "built").iterdir() if p.is_dir()]
    assert all(p.suffix == ".part" for p in made)
    with pytest.raises(ModelQAError, match="the oven is cold"):
        built("broken", tmp_path / "cache")


@pytest.mark.usefixtures("site")
def test_an_unknown_builder_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no builder 'ci-heavy'") as raised:
        built("ci-heavy", tmp_path / "cache")
    assert "sound" in raised.value.remedy


@pytest.mark.usefixtures("site")
def test_a_builder_whose_package_is_gone_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="its package is not here"):
        built("gone", tmp_path / "cache")


@pytest.mark.usefixtures("site")
def test_missing_libraries_are_unavailable_with_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "LIBRARIES", ("a-library-that-nobody-has",))
    with pytest.raises(Unavailable, match="a-library-that-nobody-has") as raised:
        built("sound", tmp_path / "cache")
    assert "[hf]" in raised.value.remedy


def modelqa(*arguments: str) -> None:
    """Run the command as `modelqa build` would."""
    whole = typer.Typer()
    whole.add_typer(app)

    @whole.callback()
    def _group() -> None: ...

    whole(["build", *arguments], standalone_mode=False)


@pytest.mark.usefixtures("site")
def test_the_command_prints_the_folder_alone(capsys: pytest.CaptureFixture[str]) -> None:
    modelqa("sound")
    out, err = capsys.readouterr()
    assert (Path(out.rstrip("\n")) / "config.json").is_file()
    assert err == "planted: at work\n"


@pytest.mark.usefixtures("site")
def test_the_command_copies_and_tells_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "mine"
    modelqa("sound", "--output", str(target), "--json")
    values = json.loads(capsys.readouterr().out)
    assert values["path"] == str(target)
    assert values["bytes"] == 2
    assert (target / "config.json").read_text() == "{}"
    with pytest.raises(UsageError, match="exists already"):
        modelqa("sound", "--output", str(target))


def test_ci_light_is_registered_and_its_source_is_found_without_torch() -> None:
    assert {"__main__.py", "corpus.py", "train.py"} <= build.sources("training.ci_light").keys()
    assert "ci-light" in build.builders()


def test_what_a_package_lists_is_part_of_its_source(site: Path, tmp_path: Path) -> None:
    """A recipe beside the package; a pattern without files is no source at all."""
    (site / "recipes").mkdir()
    (site / "recipes" / "a.json").write_text("{}")
    listing = site / "planted_sound" / "sources.txt"
    listing.write_text("../recipes/*.json\n")
    assert build.sources("planted_sound").keys() >= {"__main__.py", "../recipes/a.json"}
    first = built("sound", tmp_path / "cache")
    (site / "recipes" / "a.json").write_text("{ }")
    assert built("sound", tmp_path / "cache") != first
    listing.write_text("../recipes/*.yaml\n")
    with pytest.raises(Unavailable, match="names no file"):
        built("sound", tmp_path / "cache")


def test_a_variant_is_a_second_argument(site: Path, tmp_path: Path) -> None:
    points = site / "planted-1.0.dist-info" / "entry_points.txt"
    points.write_text(points.read_text() + "half = planted_sound:half\n")
    source = site / "planted_sound" / "__main__.py"
    source.write_text(SOUND + 'Path(sys.argv[1], "said").write_text(" ".join(sys.argv[2:]))\n')
    half, whole = (built(name, tmp_path / "cache") for name in ("half", "sound"))
    assert (half / "said").read_text() == "half"
    assert not (whole / "said").read_text()
