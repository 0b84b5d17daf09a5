"""One training step of a real tiny model: buffers, gradients, flags, leaks, accumulation."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.tier2, pytest.mark.qual, pytest.mark.usefixtures("one_thread")]

FAMILIES = ["llama", "qwen2", "gemma"]


def test_the_forward_fills_the_buffers_that_the_backward_needs() -> None:
    from suites.training_invariants import stepping  # noqa: PLC0415 - imports torch

    model = stepping.training()
    out = stepping.forward(model, output_hidden_states=True, output_attentions=True)
    assert len(out.hidden_states) == model.config.num_hidden_layers + 1
    assert len(out.attentions) == model.config.num_hidden_layers
    for state in out.hidden_states:
        assert state.shape == (2, 8, 16)
        assert bool(state.isfinite().all())
        assert float(state.detach().abs().amax(-1).min()) > 0
    for weights in out.attentions:
        assert weights.shape == (2, 4, 8, 8)
        sums = weights.detach().sum(-1)
        assert float((sums - 1).abs().max()) < 1e-6  # float32 eps times eight terms
        assert float(weights.detach().triu(1).abs().max()) == 0  # causal


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_gets_a_finite_gradient_that_is_not_zero(family: Any) -> None:
    from suites.training_invariants import stepping  # noqa: PLC0415

    found = stepping.gradients(stepping.training(family))
    assert len(found) >= 20
    assert stepping.faults(found) == []


@pytest.mark.parametrize(
    ("defect", "said"), [("frozen", "none"), ("detached", "zeros"), ("poisoned", "not finite")]
)
def test_negative_control_a_parameter_without_a_sound_gradient_is_named(
    defect: str, said: str
) -> None:
    from suites.training_invariants import stepping  # noqa: PLC0415

    model = stepping.training()
    weight = model.model.layers[1].mlp.up_proj.weight
    if defect == "frozen":
        weight.requires_grad_(False)
    else:
        factor = 0.0 if defect == "detached" else float("inf")
        weight.register_hook(lambda gradient: gradient * factor)
    assert stepping.faults(stepping.gradients(model)) == [
        f"model.layers.1.mlp.up_proj.weight: {said}"
    ]


def test_flags_say_what_is_kept() -> None:
    import torch  # noqa: PLC0415

    from suites.training_invariants import stepping  # noqa: PLC0415

    model = stepping.training()
    plain = stepping.forward(model)
    assert plain.hidden_states is None
    assert plain.attentions is None
    assert plain.past_key_values is None
    assert plain.loss.requires_grad
    with torch.no_grad():
        assert not stepping.forward(model).loss.requires_grad
    assert model(input_ids=stepping.IDS, use_cache=True).past_key_values is not None


def test_five_models_made_trained_and_dropped_leave_nothing() -> None:
    from suites.training_invariants import stepping  # noqa: PLC0415

    assert stepping.survivors(5) == 0


def test_negative_control_a_kept_loss_is_seen_as_a_leak() -> None:
    from suites.training_invariants import stepping  # noqa: PLC0415

    kept: list[Any] = []
    parameters = len(list(stepping.training().parameters()))
    # the kept losses hold their graphs, and those hold the weights
    assert stepping.survivors(5, keep=kept) > 5 * parameters / 2


def test_two_half_batches_accumulate_to_the_gradient_of_the_whole() -> None:
    from suites.training_invariants import stepping  # noqa: PLC0415

    model = stepping.training()
    whole = stepping.gradients(model)
    halves = [stepping.gradients(model, stepping.IDS[i : i + 1]) for i in range(2)]
    for name, gradient in whole.items():
        first, second = (half[name] for half in halves)
        assert gradient is not None
        assert first is not None
        assert second is not None
        distance = float((gradient - (first + second) / 2).abs().max())
        # float32 eps times the depth of a two-layer backward
        assert distance <= 1e-5 * float(gradient.abs().max())


def test_checkpointed_activations_give_the_same_gradients() -> None:
    from suites.training_invariants import stepping  # noqa: PLC0415

    plain = stepping.gradients(stepping.training())
    model = stepping.training()
    model.activation_checkpointing_enable()
    again = stepping.gradients(model)
    assert plain.keys() == again.keys()
    for name, gradient in plain.items():
        other = again[name]
        assert gradient is not None
        assert other is not None
        assert float((gradient - other).abs().max()) <= 1e-6 * float(gradient.abs().max())
