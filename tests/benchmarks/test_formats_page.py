"""docs/formats.md: the table is what `python -m benchmarks.formats` writes."""

from __future__ import annotations

from pathlib import Path

from benchmarks.formats import MATRIX, PAGE, SECTION, SHIPPED, row, table
from benchmarks.table import begin, end
from pytest_modelqa.artifacts.convert.kinds import Kind
from tests.artifacts.made import gguf_bytes, hf_folder


def test_every_cell_of_the_matrix_has_its_line() -> None:
    page = PAGE.read_text(encoding="utf-8")
    section = page.partition(begin(SECTION))[2].partition(end(SECTION))[0]
    for kind in (SHIPPED, *MATRIX):
        assert f"| {kind.format} | {kind.quantization} |" in section


def test_the_shipped_file_still_has_the_line_that_the_page_gives_it(smollm2: Path) -> None:
    line = table([row(SHIPPED, smollm2)]).splitlines()[-1]
    assert line in PAGE.read_text(encoding="utf-8").splitlines()


def test_bits_a_weight_are_counted_from_the_tensors(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf_bytes())
    one = row(Kind("gguf", "f32"), tmp_path / "m.gguf")
    two = row(Kind("safetensors", "f32"), hf_folder(tmp_path / "hf"))
    assert one.bits_per_weight == two.bits_per_weight == 32
    assert (one.types, one.weights) == (two.types, two.weights)
    assert "F32 100.0 % | - |" in table([one])
