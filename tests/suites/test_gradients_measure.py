"""The gradients of any architecture that an artifact names: sound ones agree, planted ones not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.core.errors import Refused, Unavailable, UsageError

FAMILIES = ("llama", "qwen2", "gemma", "mistral", "phi3", "qwen3", "gpt2")
MORE = (
    "bloom", "cohere", "deepseek_v3", "falcon", "gemma2", "gemma3_text", "glm4", "gpt_bigcode",
    "gpt_neox", "gpt_oss", "gptj", "granite", "jamba", "mamba", "mixtral", "olmo2", "opt",
    "phi", "qwen2_moe", "qwen3_moe", "smollm3", "stablelm", "starcoder2",
)  # fmt: skip
"""Other attentions, norms and rotations, kinks, biases that have no gradient, experts, scans."""


def folder_of(kind: str, where: Path, **changes: Any) -> Path:
    """A folder with the configuration that transformers has for a type, and no weights."""
    from transformers import AutoConfig

    AutoConfig.for_model(kind, **changes).save_pretrained(where)
    return where


def measured(folder: Path, **options: Any) -> list[dict[str, Any]]:
    from suites.gradients.measure import measure

    return [dict(row) for row in measure(folder, {"layers": "0", "seed": 3, **options})]


def beyond(rows: list[dict[str, Any]]) -> list[str]:
    """What the check of the playbook would call wrong."""
    from pytest_modelqa.checks.numeric import Gradients
    from pytest_modelqa.core.measuring import Measured, MeasuredRow, Measurement

    made = Measurement(
        rows=tuple(
            MeasuredRow(values=tuple(Measured(name=k, value=v) for k, v in row.items()))
            for row in rows
        )
    )
    return [part.name for part in Gradients().judge({"rows": made}).parts if part.outcome.failed]


@pytest.mark.parametrize(
    "kind", [*FAMILIES, *(pytest.param(kind, marks=pytest.mark.nightly) for kind in MORE)]
)
@pytest.mark.filterwarnings("ignore")
def test_every_gradient_of_a_layer_and_of_the_loss_agrees(kind: str, tmp_path: Path) -> None:
    rows = measured(folder_of(kind, tmp_path))
    assert beyond(rows) == []
    assert {row["part"] for row in rows} == {"layer 0", "loss"}
    seen = [row for row in rows if row["largest"] > row["resolution"]]
    assert len(seen) > 12
    assert "layer 0: input" in {row["name"] for row in seen}


def test_negative_control_a_silu_whose_backward_is_zeros_is_red(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    silu = torch.nn.functional.silu
    folder = folder_of("qwen3", tmp_path)
    assert beyond(measured(folder)) == []
    monkeypatch.setattr(
        torch.nn.functional, "silu", lambda *a, **k: silu(*a, **k).detach(), raising=True
    )
    rows = measured(folder)
    assert "layer 0: mlp.gate_proj.weight" in beyond(rows)
    assert "layer 0: input" in beyond(rows)
    (worst,) = [row["worst"] for row in rows if row["name"] == "layer 0: mlp.gate_proj.weight"]
    assert "differences say" in worst


def test_negative_control_a_norm_that_drops_a_term_of_its_derivative_is_red(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    rsqrt = torch.rsqrt
    folder = folder_of("phi3", tmp_path)
    monkeypatch.setattr(torch, "rsqrt", lambda x: rsqrt(x).detach())
    assert "layer 0: input" in beyond(measured(folder))


def test_what_the_configuration_says_beyond_its_sizes_is_kept(tmp_path: Path) -> None:
    import torch

    from suites.gradients.architecture import small_model

    folder = folder_of("gemma2", tmp_path, attn_logit_softcapping=7.0, query_pre_attn_scalar=5)
    model = small_model(folder, layers=2, dtype=torch.float64)
    assert type(model).__name__ == "Gemma2ForCausalLM"
    assert model.config.attn_logit_softcapping == 7.0
    assert model.config.query_pre_attn_scalar == 5
    assert model.config.layer_types == ["sliding_attention", "full_attention"]
    assert (model.config.num_attention_heads, model.config.num_key_value_heads) == (4, 2)
    assert sum(p.numel() for p in model.parameters()) < 20_000


def test_the_layers_that_are_asked_are_measured(tmp_path: Path) -> None:
    rows = measured(folder_of("llama", tmp_path), layers="1,0")
    assert list(dict.fromkeys(row["part"] for row in rows)) == ["layer 1", "layer 0", "loss"]
    assert any("layers.2." in row["name"] for row in rows)


def test_the_same_seed_measures_the_same(tmp_path: Path) -> None:
    folder = folder_of("gpt2", tmp_path)
    assert measured(folder) == measured(folder)
    assert measured(folder, seed=4) != measured(folder)


@pytest.mark.parametrize("listed", ["", "a", "-1", "0,99", "1.5"])
def test_layers_that_are_none_are_refused(listed: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="layers"):
        measured(tmp_path, layers=listed)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model_type": 3}'])
def test_a_folder_that_names_no_architecture_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(Refused):
        measured(tmp_path)
    with pytest.raises(Refused, match="no model file"):
        measured(tmp_path / "config.json")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "nosuchmodel"}, "no such architecture"),
        (
            {"model_type": "new", "auto_map": {"AutoConfig": "configuration_new.NewConfig"}},
            "no such architecture",
        ),
        ({"model_type": "t5"}, "no causal language model"),
        ({"model_type": "gemma3"}, "made of several models"),
        ({"model_type": "llama", "hidden_act": "nosuchactivation"}, "cannot be built and run"),
    ],
)
def test_an_architecture_that_cannot_be_built_is_unavailable_and_says_why(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(changes))
    (tmp_path / "configuration_new.py").write_text("raise SystemExit('remote code ran')")
    with pytest.raises(Unavailable, match=said) as caught:
        measured(tmp_path)
    assert caught.value.remedy
