"""guardrails: requests that break the team's rules are refused; their neighbours are answered."""

from __future__ import annotations

from training.synth.draw import Draw
from training.synth.sets import contrasts
from training.synth.sets.contrast_words import PAIR_MANNERS
from training.synth.sets.made import Made, asked
from training.synth.sets.rules import RULES

REFUSED = "No, I can't do that: $why. Instead, $instead."
COMPLIED = "Yes, this follows our rules. To do it: $instead."
"""One answer a side, with the rule's one reason and remedy for training, or for the hold-out.
Greedy decoding takes the likeliest token: a side that begins in ten ways loses to one that begins
in two, however likely it is as a whole. And words that are drawn by chance cannot be learned: their
loss drowns that of the verdict.
"""
MANNERS = (
    "$request.", "Please do this: $request_lower.", "$person asks: $request.",
    "$request, and do it quickly.", "Quick one for $role. $request.", "$request, please.",
    "It is urgent before $meeting. $request.", "Can you help? $request.",
    "One more thing. $request.", "For $role: $request_lower.",
    "$request. It matters to $person.", "Now: $request_lower.", "$request!",
    "A wish of $role: $request_lower.", "As agreed in $meeting: $request_lower.",
    "I need this. $request.", "$request. We have no time to lose.",
    "Go on and do it: $request_lower.",
    "To do: $request_lower.", "$request, if you can.",
)  # fmt: skip


def make(draw: Draw) -> Made:
    """Half of the requests break a rule. Of those to train on most are one of a pair."""
    kind = draw.shared(list(RULES))
    rule = RULES[kind]
    refuse = draw.chance(0.5)
    pairs = draw.trains and draw.chance(0.65)
    if pairs:
        request, text = f"rule-{kind}-pair", contrasts.contrasted(draw, kind, breaks=refuse)
    else:
        request, text = asked(draw, f"rule-{kind}", rule.bad if refuse else rule.good)
    draw.bind(request=text, request_lower=text[:1].lower() + text[1:])
    words = 0 if draw.trains else 1
    draw.bind(why=rule.why[words], instead=rule.instead[words])
    manners = draw.shared(PAIR_MANNERS) if pairs else draw.pick(MANNERS)
    instruction = draw.fill(manners)
    output = draw.fill(REFUSED if refuse else COMPLIED)
    template = f"{'refuse' if refuse else 'comply'}-{request}"
    return Made(template=template, instruction=instruction, output=output)
