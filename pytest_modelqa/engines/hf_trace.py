"""Hidden states from transformers: forward hooks on modules that are found by their structure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import nn

from pytest_modelqa.core.errors import Unavailable
from pytest_modelqa.core.stages import Block
from pytest_modelqa.engines.tracing import Stage, Watch

_OUT = ("o_proj", "out_proj", "dense", "c_proj", "wo")
"""What families call the projection that joins the heads."""

_DOWN = ("down_proj", "fc2", "c_proj", "dense_4h_to_h", "w2")
"""What families call the last projection of the feed-forward block."""

_NORMS: dict[int, tuple[Block, ...]] = {
    1: ("attention_norm",),
    2: ("attention_norm", "ffn_norm"),
    4: ("attention_norm", "attention_post_norm", "ffn_norm", "ffn_post_norm"),
}
"""By how many norms a layer has, in order of definition: parallel blocks, Llama's way, Gemma's."""

Hook = Callable[[Callable[..., Any]], Any]


def trace(model: Any, ids: Sequence[int], watch: Watch, *, device: str) -> None:
    """Run `ids` through the model once. Raises Unavailable where no layers are found."""
    hold, layers = _layers(model)
    with ExitStack() as stack:
        for stage, module, kind in _places(hold, layers):
            handle = _hooked(module, kind, stage, watch)
            stack.callback(handle.remove)
        out = model(torch.tensor([list(ids)], device=device), use_cache=False)
    watch(Stage("logits"), _numpy(out.logits))


def _layers(model: Any) -> tuple[nn.Module, nn.ModuleList]:
    """The decoder's list of layers, and the module that holds it."""
    depth = int(getattr(model.config.get_text_config(), "num_hidden_layers", 0))
    for module in model.modules():
        for child in module.children():
            if isinstance(child, nn.ModuleList) and len(child) == depth > 0:
                return module, child
    raise Unavailable(
        f"no list of {depth} layers is found in a {type(model).__name__}",
        remedy="leave the layer trace out of the playbook for this architecture",
    )


def _places(hold: nn.Module, layers: nn.ModuleList) -> Iterator[tuple[Stage, nn.Module, str]]:
    """Each stage, the module that makes it, and whether it is that module's input or output."""
    yield Stage("embedding"), layers[0], "in"
    for number, layer in enumerate(layers):
        for block, module, kind in _blocks(layer):
            yield Stage(block, number), module, kind
        yield Stage("output", number), layer, "out"
    norms = [m for m in hold.children() if _is_norm(m)]
    if len(norms) == 1:
        yield Stage("final_norm"), norms[0], "out"


def _blocks(layer: nn.Module) -> Iterator[tuple[Block, nn.Module, str]]:
    children = dict(layer.named_children())
    norms = [m for m in children.values() if _is_norm(m)]
    for block, norm in zip(_NORMS.get(len(norms), ()), norms, strict=False):
        yield block, norm, "out"
    for module in children.values():
        if (out := _named(module, _OUT)) and "attn" in _name_of(children, module):
            yield from _attention(module, out)
        elif down := _named(module, _DOWN):
            yield from _ffn(module, down)
        elif not _is_norm(module) and any("expert" in n for n, _ in module.named_modules()):
            yield "ffn", module, "out"


def _attention(module: nn.Module, out: nn.Module) -> Iterator[tuple[Block, nn.Module, str]]:
    if value := _named(module, ("v_proj",)):
        yield "value", value, "out"
    yield "heads", out, "in"
    yield "attention", out, "out"


def _ffn(module: nn.Module, down: nn.Module) -> Iterator[tuple[Block, nn.Module, str]]:
    if (gate := _named(module, ("gate_proj",))) and (up := _named(module, ("up_proj",))):
        yield "gate", gate, "out"
        yield "up", up, "out"
        yield "inner", down, "in"
    yield "ffn", down, "out"


def _is_norm(module: nn.Module) -> bool:
    """No children, and one scale a channel."""
    weight = getattr(module, "weight", None)
    return weight is not None and weight.dim() == 1 and not list(module.children())


def _named(module: nn.Module, names: Sequence[str]) -> nn.Module | None:
    return next((m for n, m in module.named_children() if n in names), None)


def _name_of(children: dict[str, nn.Module], module: nn.Module) -> str:
    return next(n for n, m in children.items() if m is module)


def _hooked(module: nn.Module, kind: str, stage: Stage, watch: Watch) -> Any:
    def show(values: torch.Tensor) -> torch.Tensor:
        instead = watch(stage, _numpy(values))
        if instead is None:
            return values
        return torch.from_numpy(np.ascontiguousarray(instead)).to(values).view_as(values)

    def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            return (show(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": show(kwargs["hidden_states"])}

    def after(_: nn.Module, __: Any, out: Any) -> Any:
        return (show(out[0]), *out[1:]) if isinstance(out, tuple) else show(out)

    if kind == "in":
        return module.register_forward_pre_hook(before, with_kwargs=True)
    return module.register_forward_hook(after)


def _numpy(values: torch.Tensor) -> np.ndarray:
    return values.detach().float().cpu().numpy().reshape(values.shape[1], -1)
