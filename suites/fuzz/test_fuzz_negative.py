"""A defect planted into each target is found within the budget; its healthy neighbour is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from suites.property.seeds import SEED

pytestmark = [pytest.mark.tier3, pytest.mark.stab, pytest.mark.usefixtures("one_thread")]

BUDGET = {"parameter_calc": 30_000, "tensor_ops": 100_000, "lora_config": 60_000}
"""Iterations of a target that computes."""
FILES = 600
"""Files of a reader, in this process."""

Plant = Callable[[pytest.MonkeyPatch], None]


def broken(target: str) -> set[str]:
    """The invariants that break within the budget."""
    from suites.fuzz import numeric  # noqa: PLC0415 - numpy

    made = import_module(f"suites.fuzz.{target}").TARGET
    return {f.kind for f in numeric.fuzz(made, BUDGET[target], SEED).failures}


def forgotten_norms(patch: pytest.MonkeyPatch) -> None:
    from training.memory.architecture import Architecture  # noqa: PLC0415

    patch.setattr(Architecture, "norms", property(lambda model: (model.hidden_size,)))


def thirty_two_bits(patch: pytest.MonkeyPatch) -> None:
    from training.memory.architecture import Architecture  # noqa: PLC0415

    whole: Any = Architecture.matrix_weights
    patch.setattr(Architecture, "matrix_weights", property(lambda m: whole.fget(m) % (1 << 32)))


def taken_whatever_it_is(patch: pytest.MonkeyPatch) -> None:
    architecture = import_module("training.memory.architecture")
    patch.setattr(architecture, "at_least_one", lambda _name, value: value)


def taken_but_for_the_vocabulary(patch: pytest.MonkeyPatch, wrong: object) -> None:
    architecture = import_module("training.memory.architecture")
    whole = architecture.at_least_one

    def taken(name: str, value: object) -> object:
        return value if value == wrong and name != "vocab_size" else whole(name, value)

    patch.setattr(architecture, "at_least_one", taken)


def text_is_a_size(patch: pytest.MonkeyPatch) -> None:
    taken_but_for_the_vocabulary(patch, "8")


def any_integer_is_a_size(patch: pytest.MonkeyPatch) -> None:
    taken_but_for_the_vocabulary(patch, 2**63)


def one_adapter_too_few(patch: pytest.MonkeyPatch) -> None:
    from training.memory import plan  # noqa: PLC0415

    whole = plan.adapter_parameters
    patch.setattr(plan, "adapter_parameters", lambda m, a: whole(m, a) * 7 // 8)


def no_scales(patch: pytest.MonkeyPatch) -> None:
    from suites.fuzz import lora_config  # noqa: PLC0415
    from training.memory.plan import quantised_matrices as whole  # noqa: PLC0415
    from training.memory.quantised import Quantised  # noqa: PLC0415

    def without(model: Any, *, double: bool) -> Quantised:
        found = whole(model, double=double)
        return Quantised(codes=found.codes, scales=0, tables=found.tables)

    patch.setattr(lora_config, "quantised_matrices", without)


def any_dropout(patch: pytest.MonkeyPatch) -> None:
    from training.memory.approach import Approach  # noqa: PLC0415

    patch.setattr(Approach, "__post_init__", lambda _approach: None)


def tanh_gelu(patch: pytest.MonkeyPatch) -> None:
    from torch.nn import functional  # noqa: PLC0415

    whole = functional.gelu
    patch.setattr(functional, "gelu", lambda x: whole(x, approximate="tanh"))


def relu_of_nan_is_zero(patch: pytest.MonkeyPatch) -> None:
    import torch  # noqa: PLC0415
    from torch.nn import functional  # noqa: PLC0415

    patch.setattr(functional, "relu", lambda x: torch.where(x > 0, x, torch.zeros_like(x)))


def dead_silu(patch: pytest.MonkeyPatch) -> None:
    """The right values, and a backward of zeros: what the seed's own check would not see."""
    from torch.nn import functional  # noqa: PLC0415

    whole = functional.silu
    patch.setattr(functional, "silu", lambda x: whole(x.detach()) + 0 * x.nan_to_num(0, 0, 0))


NUMERIC = [
    ("parameter_calc", forgotten_norms, {"parameters", "a_layer_more"}),
    ("parameter_calc", thirty_two_bits, {"parameters", "projections"}),
    ("parameter_calc", taken_whatever_it_is, {"wrong_sizes_are_refused"}),
    ("parameter_calc", text_is_a_size, {"wrong_sizes_are_refused"}),
    ("parameter_calc", any_integer_is_a_size, {"wrong_sizes_are_refused"}),
    ("parameter_calc", one_adapter_too_few, {"adapters"}),
    ("lora_config", one_adapter_too_few, {"adapters", "planned_alone"}),
    ("lora_config", no_scales, {"four_bit_scales"}),
    ("lora_config", any_dropout, {"planner_refuses_what_is_wrong"}),
    ("tensor_ops", tanh_gelu, {"gelu_by_value"}),
    ("tensor_ops", relu_of_nan_is_zero, {"relu_propagates"}),
    ("tensor_ops", dead_silu, {"silu_slope_by_value"}),
]


@pytest.mark.parametrize(("target", "plant", "wanted"), NUMERIC)
def test_negative_control_a_wrong_number_is_found(
    target: str, plant: Plant, wanted: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    assert wanted <= broken(target)


@pytest.mark.parametrize("target", ["parameter_calc", "lora_config", "tensor_ops"])
def test_the_same_budget_finds_nothing_in_the_healthy_code(target: str) -> None:
    assert broken(target) == set()


def kinds_of_faults(target: str, folder: Path) -> Iterator[str]:
    """The kinds of all faults within the budget, as they are found."""
    from suites.fuzz import files  # noqa: PLC0415
    from suites.fuzz.draw import dice  # noqa: PLC0415
    from suites.fuzz.reader import Trial  # noqa: PLC0415
    from suites.fuzz.readers import reader  # noqa: PLC0415

    made = reader(target)
    trial = Trial(made)
    for index in range(FILES):
        files.write(made.mutated(dice(target, SEED, index)), folder)
        if fault := trial.read(folder):
            yield fault.kind


def reads_what_is_not_there(patch: pytest.MonkeyPatch) -> None:
    from pytest_modelqa.artifacts import gguf  # noqa: PLC0415

    patch.setattr(gguf._Cursor, "need", lambda _self, _count, _where: None)


def believes_every_offset(patch: pytest.MonkeyPatch) -> None:
    from pytest_modelqa.artifacts import safetensors  # noqa: PLC0415

    def believed(header: Any, file: Path, entries: dict[str, Any], base: int, _size: int) -> None:
        for name, entry in entries.items():
            if tensor := safetensors._tensor(header, file, name, entry, base):
                header.tensors.append(tensor)
        header.checked += 1

    patch.setattr(safetensors, "_place", believed)


def believes_every_size(patch: pytest.MonkeyPatch) -> None:
    from pytest_modelqa.artifacts import apr  # noqa: PLC0415

    patch.setattr(apr, "_sizes", lambda info: (info.size,))


def leaves_its_folder(patch: pytest.MonkeyPatch) -> None:
    from pytest_modelqa.artifacts import lock  # noqa: PLC0415

    patch.setattr(lock, "is_path", lambda name: isinstance(name, str))


def recurses(patch: pytest.MonkeyPatch) -> None:
    from pytest_modelqa.playbook import positions  # noqa: PLC0415

    patch.setattr(positions, "_refuse_deep", lambda _text, _file: None)
    patch.setattr(positions, "MAX_DEPTH", 1 << 20)


def unbounded(patch: pytest.MonkeyPatch) -> None:
    from pytest_modelqa.engines import template  # noqa: PLC0415

    patch.setattr(template, "MAX_RENDERED_CHARS", 1 << 40)


READERS = [
    ("gguf", reads_what_is_not_there, "raised"),
    ("safetensors", believes_every_offset, "unsound"),
    ("apr", believes_every_size, "raised"),
    ("lockfile", leaves_its_folder, "unsound"),
    ("playbook", recurses, "raised"),
    ("template", unbounded, "unsound"),
]


@pytest.mark.parametrize(("target", "plant", "kind"), READERS)
def test_negative_control_a_careless_reader_is_found(
    target: str, plant: Plant, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a defect does first depends on the seed: what lies past the end may raise too."""
    plant(monkeypatch)
    assert kind in kinds_of_faults(target, tmp_path / "input")
