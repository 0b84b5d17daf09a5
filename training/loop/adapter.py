"""A base model with a fresh adapter, and its tokenizer: what is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pytest_modelqa.core.errors import Refused, UsageError
from training.bases import Base, settings_of, shapes_of
from training.config import TrainingConfig
from training.config.values import LoraSection
from training.loop.device import Device


def tokenizer_of(folder: Path, say: Callable[[str], None]) -> Any:
    """The base's tokenizer. Raises Refused.

    Where it has no pad token its end token pads: padding is known by its place, never by its id.
    """
    from transformers import AutoTokenizer  # noqa: PLC0415 - heavy: only where something is trained

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise Refused(f"its tokenizer cannot be read: {error}", where=str(folder)) from error
    if tokenizer.pad_token_id is None and tokenizer.eos_token_id is not None:
        say(f"warning: no pad token: padding with the end token {tokenizer.eos_token!r}")
    return tokenizer


def known_modules(names: Iterable[str]) -> list[str]:
    """The last names of the linear layers inside blocks, such as `q_proj`; sorted, each once."""
    inside = (n.removesuffix(".weight").split(".") for n in names if n.endswith("_proj.weight"))
    return sorted({parts[-1] for parts in inside})


def require_modules(base: Base, lora: LoraSection) -> None:
    """Raise UsageError with the modules that there are, where a wanted one is not among them."""
    shapes = {n: s for n, s in shapes_of(base.folder).items() if n.endswith(".weight")}
    ends = {n.removesuffix(".weight").rsplit(".", 1)[-1]: s for n, s in shapes.items()}
    absent = [m for m in lora.target_modules if len(ends.get(m, ())) != 2]  # noqa: PLR2004
    if absent:
        there = ", ".join(known_modules(shapes)) or ", ".join(sorted(ends))
        raise UsageError(
            f"the model has no linear module {', '.join(map(repr, absent))}",
            where="lora.target_modules",
            remedy=f"choose of those that exist: {there}",
        )


def require_context(base: Base, config: TrainingConfig) -> None:
    """Raise UsageError where sequences would be longer than the positions that the model has."""
    context = settings_of(base.folder).get("max_position_embeddings")
    if isinstance(context, int) and config.data.max_length > context:
        raise UsageError(
            f"{config.data.max_length} tokens are more than the model's context, {context}",
            where="data.max_length",
            remedy=f"set data.max_length to {context} or less",
        )


def attach(base: Base, lora: LoraSection, device: Device, *, checkpointing: bool) -> Any:
    """Load the base, frozen, with a fresh adapter, in float32, on every target module.

    Under qlora the base is held in 4 bits (NF4, double quantisation).
    """
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training  # noqa: PLC0415

    model = load(base.folder, device, four_bits=lora.method == "qlora")
    model.config.use_cache = False
    if lora.method == "qlora":
        prepare: Any = prepare_model_for_kbit_training
        model = prepare(model, use_gradient_checkpointing=checkpointing)
    elif checkpointing:
        model.enable_input_require_grads()
    settings = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]  # peft scales by any number
        lora_dropout=lora.dropout,
        target_modules=list(lora.target_modules),
        task_type="CAUSAL_LM",
        bias="none",
    )
    return get_peft_model(model, settings)


def load(folder: Path, device: Device, *, four_bits: bool = False) -> Any:
    """The model of a folder, on its device, in evaluation mode. No code of it is run."""
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM  # noqa: PLC0415

    more: dict[str, Any] = _quantised(device) if four_bits else {}
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder, dtype=getattr(torch, device.dtype), local_files_only=True, **more
    )
    return _differentiable(model) if four_bits else model.to(device.kind)


def _differentiable(model: Any) -> Any:
    """Keep bitsandbytes from packing weights for AVX-512 BF16, as it does where one evaluates.

    It never unpacks them, and what is packed has no backward: every gradient after the first
    evaluation would be lost at that layer (bitsandbytes 0.50, `Linear4bit.forward`).
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model


def _quantised(device: Device) -> dict[str, Any]:
    from training.weights import four_bits  # noqa: PLC0415 - loads torch

    return {"quantization_config": four_bits(device.dtype)}
