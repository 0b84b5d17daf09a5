"""Real models of an architecture, and what torch has allocated for them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM

from training.memory import Approach, Architecture

_from_config: Any = AutoModelForCausalLM.from_config

OPTIMIZERS: dict[str, Any] = {
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=1e-4),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=1e-4, momentum=0.9),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=1e-4),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocated:
    """Bytes of a model after a step, under the names of the parts of a plan."""

    parameters: int
    trainable: int
    weights: int
    adapters: int
    gradients: int
    optimizer: int
    activations: int


def configuration(model: Architecture) -> Any:
    """The configuration of transformers with the same sizes."""
    given: dict[str, Any] = {
        "vocab_size": model.vocab_size,
        "hidden_size": model.hidden_size,
        "intermediate_size": model.intermediate_size,
        "num_hidden_layers": model.num_hidden_layers,
        "num_attention_heads": model.num_attention_heads,
        "num_key_value_heads": model.key_heads,
        "head_dim": model.width,
        "tie_word_embeddings": model.tie_word_embeddings,
        "attention_bias": model.attention_bias,
        "mlp_bias": model.mlp_bias,
        "use_cache": False,
        "pad_token_id": None,
    }
    return AutoConfig.for_model(model.family, **given)


def without_weights(model: Architecture, approach: Approach) -> Any:
    """The model and its adapters on the meta device: shapes alone."""
    with torch.device("meta"):
        return adapted(_from_config(configuration(model)), approach)


def built(model: Architecture, approach: Approach) -> Any:
    """The model as it is trained, with weights from the seed of torch, in training mode."""
    made = _from_config(
        configuration(model), attn_implementation="sdpa", dtype=getattr(torch, approach.weights)
    )
    if approach.kind == "qlora":
        quantise(made, double=approach.double_quantisation)
    if approach.checkpointing:
        made.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return adapted(made, approach).train()


def adapted(base: Any, approach: Approach) -> Any:
    """The model with peft's adapters, unless all of it is trained.

    peft still asks transformers by a name that transformers 5.2x deprecates: not our warning.
    """
    if approach.kind == "full":
        return base
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415 - seconds, for adapters alone

    settings = LoraConfig(
        r=approach.rank,
        lora_dropout=approach.dropout,
        target_modules=list(approach.targets),
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        return get_peft_model(base, settings)


def quantise(model: Any, *, double: bool) -> None:
    """Put NF4 of bitsandbytes in the place of every projection; QLoRA leaves the head as it is."""
    linear = import_module("bitsandbytes.nn").Linear4bit  # seconds, for qlora alone
    for parent in list(model.model.layers.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear:
                made = linear(
                    child.in_features,
                    child.out_features,
                    bias=child.bias is not None,
                    compute_dtype=child.weight.dtype,
                    compress_statistics=double,
                    quant_type="nf4",
                    device="meta",
                )
                made.weight = packed(child.weight.data, double=double)
                made.bias = child.bias
                setattr(parent, name, made)


def packed(weight: Tensor, *, double: bool) -> Any:
    """A matrix in NF4 of bitsandbytes, packed at once on the CPU."""
    parameter = import_module("bitsandbytes.nn").Params4bit
    return parameter(
        weight, requires_grad=False, quant_type="nf4", compress_statistics=double, blocksize=64
    ).to("cpu")


def packed_bytes(parameter: Any) -> int:
    """What a matrix in NF4 takes: codes, scales, and the tables of levels."""
    state = parameter.quant_state
    held = [parameter.data, state.absmax, state.code]
    if state.nested:
        held += [state.offset, state.state2.absmax, state.state2.code]
    return stored(held)


def stored(tensors: Iterable[Tensor]) -> int:
    """The bytes of the storages behind these tensors, each storage once."""
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return sum(storages.values())


def allocated(model: Architecture, approach: Approach) -> Allocated:
    """What torch holds for the parts of a plan, measured around one step of training.

    Activations are what autograd kept that is neither parameter nor buffer, but for the
    log-probabilities of the loss, which the plan counts with the logits.
    """
    torch.manual_seed(0)
    made = built(model, approach)
    trained = [p for p in made.parameters() if p.requires_grad]
    optimizer = OPTIMIZERS[approach.optimizer](trained)
    kept = kept_by_autograd(made, ids_for(model, approach))
    adapters = [p for name, p in made.named_parameters() if "lora_" in name]
    base = [p for name, p in made.named_parameters() if "lora_" not in name]
    optimizer.step()
    return Allocated(
        parameters=sum(p.numel() for p in made.parameters()),
        trainable=sum(p.numel() for p in trained),
        weights=stored(base),
        adapters=stored(adapters),
        gradients=stored(p.grad for p in trained if p.grad is not None),
        optimizer=stored(_state(optimizer)),
        activations=kept - 4 * approach.positions * model.vocab_size,
    )


def ids_for(model: Architecture, approach: Approach) -> Tensor:
    """Random tokens for one step."""
    return torch.randint(0, model.vocab_size, (approach.batch, approach.tokens))


def kept_by_autograd(made: Any, ids: Tensor) -> int:
    """Run forward and backward; the bytes that the forward pass kept."""
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = made(input_ids=ids, labels=ids).loss
    own = {t.untyped_storage().data_ptr() for t in (*made.parameters(), *made.buffers())}
    found = stored(t for t in kept if t.untyped_storage().data_ptr() not in own)
    loss.backward()
    return found


def _state(optimizer: Any) -> Iterator[Tensor]:
    for state in optimizer.state.values():
        yield from (value for value in state.values() if isinstance(value, Tensor))
