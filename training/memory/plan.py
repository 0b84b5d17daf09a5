"""How much memory a training step takes: exact integers, part by part."""

from __future__ import annotations

from dataclasses import dataclass

from training.memory.activations import activation_bytes, recomputed_bytes
from training.memory.approach import FLOAT, MOMENTS, Approach
from training.memory.architecture import Architecture
from training.memory.peak import Step, logit_bytes, moments, workspace_bytes
from training.memory.quantised import Quantised, nf4


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """What a training step takes. Every `_bytes` is a whole number; parameters are counts.

    `weight_bytes` are the base's weights: under qlora the codes of the quantised ones and the rest
    as it is. `scale_bytes` are the scales and tables of the quantised ones, else zero.
    `recomputed_bytes` are those of `activation_bytes` that come and go with checkpointing.
    `workspace_bytes` is the most that is taken for a moment besides these parts.
    """

    architecture: Architecture
    approach: Approach
    base_parameters: int
    adapter_parameters: int
    trainable_parameters: int
    weight_bytes: int
    scale_bytes: int
    adapter_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    activation_bytes: int
    recomputed_bytes: int
    logit_bytes: int
    workspace_bytes: int

    @property
    def parameters(self) -> int:
        """The parameters of the base and of its adapters."""
        return self.base_parameters + self.adapter_parameters

    @property
    def trainable_share(self) -> float:
        """Trained parameters over all parameters, from 0 to 1; as peft reports it."""
        return self.trainable_parameters / self.parameters

    @property
    def parts(self) -> dict[str, int]:
        """The bytes of every part, by name; their sum is the total."""
        return {
            "weights": self.weight_bytes,
            "scales": self.scale_bytes,
            "adapters": self.adapter_bytes,
            "optimizer": self.optimizer_bytes,
            "gradients": self.gradient_bytes,
            "activations": self.activation_bytes,
            "logits": self.logit_bytes,
            "workspace": self.workspace_bytes,
        }

    @property
    def static_bytes(self) -> int:
        """What stays between steps: weights with scales, adapters, the optimizer's state."""
        return self.weight_bytes + self.scale_bytes + self.adapter_bytes + self.optimizer_bytes

    @property
    def moments(self) -> dict[str, int]:
        """What is alive at once in the moments that can be the peak of a step, by name."""
        step = Step(
            static=self.static_bytes,
            kept=self.activation_bytes - self.recomputed_bytes,
            recomputed=self.recomputed_bytes,
            gradients=self.gradient_bytes,
        )
        return moments(self.architecture, self.approach, step)

    @property
    def peak_bytes(self) -> int:
        """The peak of one step that starts and ends without gradients."""
        return max(self.moments.values())

    @property
    def total_bytes(self) -> int:
        """All parts at once: no step takes more, also where gradients are accumulated."""
        return sum(self.parts.values())


def adapter_parameters(model: Architecture, approach: Approach) -> int:
    """The numbers of all adapters: rank times inputs and outputs of every target in every layer."""
    if approach.kind == "full":
        return 0
    ends = sum(m.inputs + m.outputs for m in model.matrices if m.name in approach.targets)
    return model.num_hidden_layers * approach.rank * ends


def quantised_matrices(model: Architecture, *, double: bool) -> Quantised:
    """The bytes of all projections of all layers in NF4."""
    each = [nf4(matrix.weights, double=double) for matrix in model.matrices]
    layers = model.num_hidden_layers
    return Quantised(
        codes=layers * sum(q.codes for q in each),
        scales=layers * sum(q.scales for q in each),
        tables=layers * sum(q.tables for q in each),
    )


def make_plan(model: Architecture, approach: Approach) -> MemoryPlan:
    """The plan of a checked architecture and approach."""
    adapters = adapter_parameters(model, approach)
    full = approach.kind == "full"
    trained = model.parameters if full else adapters
    tensors = model.tensors if full else 2 * len(approach.targets) * model.num_hidden_layers
    width = approach.width if full else FLOAT
    weights, scales = _base_bytes(model, approach)
    steps = tensors * FLOAT if approach.optimizer == "adamw" else 0  # AdamW counts in each tensor
    return MemoryPlan(
        architecture=model,
        approach=approach,
        base_parameters=model.parameters,
        adapter_parameters=adapters,
        trainable_parameters=trained,
        weight_bytes=weights,
        scale_bytes=scales,
        adapter_bytes=adapters * FLOAT,
        gradient_bytes=trained * width,
        optimizer_bytes=trained * width * MOMENTS[approach.optimizer] + steps,
        activation_bytes=activation_bytes(model, approach),
        recomputed_bytes=recomputed_bytes(model, approach),
        logit_bytes=logit_bytes(model, approach),
        workspace_bytes=workspace_bytes(model, approach),
    )


def _base_bytes(model: Architecture, approach: Approach) -> tuple[int, int]:
    if approach.kind != "qlora":
        return model.parameters * approach.width, 0
    packed = quantised_matrices(model, double=approach.double_quantisation)
    rest = model.other_weights * approach.width
    return packed.codes + rest, packed.scales + packed.tables
