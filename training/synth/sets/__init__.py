"""One maker a training set; each draws its templates and values from one side alone."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from training.synth.draw import Draw
from training.synth.sets import (
    guardrails,
    patterns,
    process,
    refactor,
    reports,
    representatives,
    style,
    tool_calls,
)
from training.synth.sets.made import Made

MAKERS: Mapping[str, Callable[[Draw], Made]] = MappingProxyType(
    {
        "style_core": style.make,
        "domain_patterns": patterns.make,
        "process_framework": process.make,
        "domain_representatives": representatives.make,
        "style_refactor": refactor.make,
        "guardrails": guardrails.make,
        "tool_awareness": tool_calls.make,
        "reporting_protocol": reports.make,
    }
)
