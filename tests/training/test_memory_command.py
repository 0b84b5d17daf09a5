"""`modelqa memory`: figures, bars, SVG, budgets; errors with a remedy; the page of the docs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pytest_modelqa.cli import main
from pytest_modelqa.core.errors import ExitCode
from training import plan_memory
from training.memory import MODELS, Approach
from training.memory.chart import COLOURS, lengths, size, svg
from training.memory.page import page

Captured = pytest.CaptureFixture[str]
DOCS = Path(__file__).parents[2] / "docs" / "memory.md"


def test_the_command_prints_every_approach_with_its_bar(capsys: Captured) -> None:
    assert main(["memory", "llama-2-7b", "--tokens", "64"]) == ExitCode.OK
    said = capsys.readouterr().out
    assert "6,738,415,616 parameters" in said
    for name in ("full", "lora", "qlora"):
        plan = plan_memory("llama-2-7b", replace(Approach(tokens=64), kind=name))
        line = next(line for line in said.splitlines() if line.startswith(f"{name} "))
        assert size(plan.total_bytes) in line
        assert line.count("w") > 1
    assert "99.410 % of the parameters alone: more than 99 %" in said


def test_the_command_says_plainly_where_a_claim_does_not_hold(capsys: Captured) -> None:
    targets = "q_proj,k_proj,v_proj,o_proj"
    assert main(["memory", "toy_124m", "--rank", "64", "--targets", targets]) == ExitCode.OK
    assert "97.177 % of the parameters alone: NOT more than 99 %" in capsys.readouterr().out


def test_json_has_the_exact_figures_of_the_plan(capsys: Captured) -> None:
    arguments = ["toy_124m", "--approach", "qlora", "--single-quantisation", "--json"]
    assert main(["memory", *arguments]) == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    plan = plan_memory("toy_124m", Approach(kind="qlora", double_quantisation=False))
    assert list(found["plans"]) == ["qlora"]
    assert found["plans"]["qlora"]["parts"] == plan.parts
    assert found["plans"]["qlora"]["peak_bytes"] == plan.peak_bytes


def test_a_budget_finds_what_fits_and_says_what_was_given_up(capsys: Captured) -> None:
    assert main(["memory", "llama-2-7b", "--batch", "4", "--budget", "13GB"]) == ExitCode.OK
    assert "with batch 1; given up: batch 4 -> 1, full -> qlora" in capsys.readouterr().out


def test_a_configuration_file_is_read(tmp_path: Path, capsys: Captured) -> None:
    sizes = {"vocab_size": 10, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"model_type": "llama", "num_attention_heads": 2, **sizes}))
    assert main(["memory", str(tmp_path)]) == ExitCode.OK
    assert "632 parameters" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "modelqa memory llama-2-7b"),
        (["nosuch"], "modelqa memory --list"),
        (["toy_124m", "--approach", "dora"], "known: full, lora, qlora"),
        (["toy_124m", "--rank", "0"], "rank is 0"),
        (["toy_124m", "--targets", "w"], "known: q_proj"),
        (["toy_124m", "--budget", "lots"], "24GB"),
        (["toy_124m", "--budget", "1MB"], "a smaller model"),
    ],
)
def test_wrong_input_is_a_message_with_a_remedy(
    arguments: list[str], said: str, capsys: Captured
) -> None:
    assert main(["memory", *arguments]) == ExitCode.USAGE
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown


def test_an_image_that_cannot_be_written_is_an_output_error(
    tmp_path: Path, capsys: Captured
) -> None:
    assert main(["memory", "toy_124m", "--svg", str(tmp_path / "no" / "a.svg")]) == ExitCode.OUTPUT
    assert "a.svg" in capsys.readouterr().err


def test_the_names_are_listed(capsys: Captured) -> None:
    assert main(["memory", "--list"]) == ExitCode.OK
    assert capsys.readouterr().out.split() == list(MODELS)


def test_the_svg_has_a_rectangle_for_each_part_as_long_as_its_share(tmp_path: Path) -> None:
    image = tmp_path / "a.svg"
    assert main(["memory", "toy_124m", "--svg", str(image)]) == ExitCode.OK
    root = ElementTree.fromstring(image.read_text())
    drawn = [r for r in root.iter("{http://www.w3.org/2000/svg}rect") if r.get("height") == "22"]
    assert len(drawn) == 3 * len(COLOURS)
    plan = plan_memory("toy_124m")
    weights = next(r for r in drawn if r.get("fill") == COLOURS["weights"])
    assert int(weights.attrib["width"]) == pytest.approx(
        560 * plan.weight_bytes / plan.total_bytes, abs=1
    )


def test_a_title_cannot_break_out_of_the_svg() -> None:
    plans = {"<b>&": plan_memory("toy_124m")}
    root = ElementTree.fromstring(svg("</title><script>", plans))
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


def test_cells_of_a_bar_add_up_to_the_rounded_whole() -> None:
    parts = {"a": 10, "b": 10, "c": 10, "d": 0}
    assert sum(lengths(parts, 30, 7).values()) == 7
    assert sum(lengths(parts, 60, 8).values()) == 4
    assert lengths(parts, 30, 30) == parts


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999_999, "999,999 B"), (10**6, "1.00 MB"), (1_999_999_999, "1.99 GB"),
     (27 * 10**12, "27.00 TB"), (10**40, f"{10**25:,}.00 PB")],
)  # fmt: skip
def test_sizes_are_cut_and_never_rounded_up(count: int, text: str) -> None:
    assert size(count) == text


def test_the_docs_have_the_figures_of_the_planner(capsys: Captured) -> None:
    assert main(["memory", "--page"]) == ExitCode.OK
    assert capsys.readouterr().out == page()
    text = DOCS.read_text(encoding="utf-8")
    assert text.endswith("<!-- modelqa memory --page -->\n" + page())


def test_negative_control_a_wrong_digit_in_the_docs_is_red() -> None:
    changed = page().replace("6,738,415,616", "6,738,415,617")
    assert changed != page()
    assert not DOCS.read_text(encoding="utf-8").endswith(changed)
