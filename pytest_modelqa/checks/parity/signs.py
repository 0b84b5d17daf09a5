"""What configurations, tokenizers, templates, traces and logits that differ point to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from pytest_modelqa.checks.parity.causes import Sign
from pytest_modelqa.checks.parity.origin import Origin, origins
from pytest_modelqa.checks.parity.template import TemplateClass, classify_template, differing
from pytest_modelqa.checks.parity.tokenizer_cause import (
    TokenizerClass,
    TokenizerEvidence,
    classify,
    stop_ids,
)
from pytest_modelqa.core.comparison.templates import TemplatesCompared
from pytest_modelqa.core.comparison.tensors import ConfigurationCompared
from pytest_modelqa.core.comparison.trace import TraceCompared

_STATED = 0.95
"""Both files say it, and say different things."""
_SEEN = 0.92
"""What the engines themselves made of a text."""
_COMPUTED = 0.65
"""An origin in the computation: where, and only by exclusion why."""

_SUPPORTING = 0.5
"""Agrees with a cause, and with others: alone it names none."""

_PARAMETERS: Mapping[str, str] = {
    "rotary base": "RoPE base",
    "rotary scaling": "RoPE scaling",
    "rotary factor": "RoPE scaling",
    "rotary dimensions": "RoPE dimensions",
    "norm epsilon": "norm epsilon",
    "heads": "head count",
    "key-value heads": "head count",
    "head size": "head count",
    "context": "context length",
    "layers": "layer count",
    "final softcap": "softcap",
    "attention softcap": "softcap",
    "sliding window": "sliding window",
    "vocabulary": "vocabulary",
    "token list": "vocabulary",
    "tokenizer": "vocabulary",
    "merges": "merges",
    "pre-tokenizer": "pre-tokenizer",
    "added tokens": "special tokens",
    "bos id": "special tokens",
    "pad id": "special tokens",
    "eos id": "end of text",
    "adds eos": "added EOS",
}
_WEAK: Mapping[str, float] = {"pad id": 0.4, "head size": 0.5}
"""A PAD that is not used harms nobody; a head's size follows from the number of heads."""

_TOKENIZERS: Mapping[TokenizerClass, str] = {
    "pre-tokenizer": "pre-tokenizer",
    "merges": "merges",
    "missing BOS": "missing BOS",
    "double BOS": "double BOS",
    "prefix space": "prefix space",
    "special handling": "special tokens",
    "normalisation": "normalisation",
    "vocabulary": "vocabulary",
    "byte fallback": "byte fallback",
}
_TEMPLATES: Mapping[TemplateClass, str] = {
    "missing template": "missing template",
    "missing generation prompt": "generation prompt",
    "fallback template": "template text",
    "render error": "template text",
    "system text": "template text",
    "whitespace": "template text",
    "text": "template text",
}
"""`tokens` is missing: equal texts with other ids are the tokenizer's doing."""


def configuration_signs(seen: ConfigurationCompared) -> Iterator[Sign]:
    """One sign for each parameter that both sides state differently."""
    for parameter in seen.parameters:
        if parameter.equal:
            continue
        if parameter.name == "adds bos":
            cause = "double BOS" if parameter.candidate == "true" else "missing BOS"
        else:
            cause = _PARAMETERS.get(parameter.name, "configuration")
        yield Sign(
            cause=cause,
            place=parameter.where.split(" / ")[0] or parameter.name,
            evidence=f"{parameter.name} is {parameter.candidate}, in the reference "
            f"{parameter.reference}",
            weight=_WEAK.get(parameter.name, _STATED),
        )


def tokenizer_signs(evidence: TokenizerEvidence, told: str) -> Iterator[Sign]:
    """The class of what differs. `told` is the difference in words."""
    found = classify(evidence)
    if found is None:
        return
    cause, seen = _TOKENIZERS[found], evidence.vocabulary
    if found == "special handling" and stop_ids(seen):
        cause = "end of text"
    elif found == "special handling" and seen.candidate.plain_eos > seen.reference.plain_eos:
        cause = "added EOS"
    yield Sign(cause=cause, place="tokenizer", evidence=told, weight=_SEEN)


def template_signs(seen: TemplatesCompared, told: str) -> Iterator[Sign]:
    """The class of what differs, where it is not the tokenizer's doing."""
    found = classify_template(seen)
    if found is not None and found in _TEMPLATES:
        count = f"{len(differing(seen))} of {len(seen.conversations)} conversations"
        yield Sign(
            cause=_TEMPLATES[found], place="tokenizer.chat_template", evidence=f"{told} ({count})",
            weight=_SEEN,
        )  # fmt: skip


def trace_signs(seen: TraceCompared) -> Iterator[Sign]:
    """Origins of what is computed otherwise: they confirm a cause, or name one by their shape."""
    for origin in origins(seen):
        cause, weight = _of_origin(origin)
        yield Sign(
            cause=cause,
            place=origin.tensors or origin.block,
            evidence=f"{origin.block} of {_layers(origin)} is wrong by {origin.own:.2g} given the "
            f"reference's input; {origin.limit:.2g} is explained",
            weight=weight,
        )


_LARGE_NORM = 0.05
"""An epsilon moves norms by less than a hundredth, another convention by tens of hundredths."""


def _of_origin(origin: Origin) -> tuple[str, float]:
    """By its shape. Rotation does nothing at the first position: a wrong base grows from there on,
    a wrong order of the rows is wrong at once.
    """
    if not math.isfinite(origin.own):
        return "non-finite weights", _SEEN
    if origin.everywhere and origin.block == "heads":
        return ("RoPE base", _COMPUTED) if origin.grows else ("Q/K permutation", _SUPPORTING)
    if origin.everywhere and origin.block.endswith("norm"):
        return ("(1+w) norms" if origin.own > _LARGE_NORM else "norm epsilon"), _COMPUTED
    if origin.block == "logits":
        return "tied head", _SUPPORTING
    return "corrupted tensor", _COMPUTED


def _layers(origin: Origin) -> str:
    if not origin.layers:
        return "the model"
    if origin.everywhere:
        return f"{len(origin.layers)} layers"
    return f"layer {origin.layers[0]}"
