"""guardrails: requests that break the team's rules are refused; their neighbours are answered."""

from __future__ import annotations

from training.synth.draw import Draw
from training.synth.sets import contrasts
from training.synth.sets.made import Made, asked
from training.synth.sets.rules import RULES

REFUSALS = (
    "No, I can't do that: $why. Instead, $instead.",
    "No, I won't do this, because $why. Please $instead.",
    "No, I have to refuse: $why. What I can do: $instead.",
    "No, I must decline. The reason is that $why. The right way is to $instead.",
    "No, that is not allowed: $why. I suggest that you $instead.",
    "No, I refuse this request, since $why. Let us $instead.",
    "No, I'm not able to help with that, as $why. Better: $instead.",
    "No, sorry, I can't: $why. You could $instead.",
    "No, this breaks our rules: $why. I will not do it, but I can help you to $instead.",
    "No, I cannot do this. Reason: $why. Alternative: $instead.",
)
COMPLIES = (
    "Yes, sure. Start here: $instead. $example",
    "Yes, this follows our rules. To do it: $instead. $example",
    "Yes, gladly. First step: $instead. $example",
    "Yes, of course. The way to go: $instead. $example",
    "Yes, done in one step: $instead. $example",
    "Yes, here is how: $instead. $example",
    "Yes, good idea. Begin like this: $instead. $example",
    "Yes, certainly. Do this: $instead. $example",
    "Yes, right, that is how we work: $instead. $example",
    "Yes, happy to help: $instead. $example",
)
"""Each side begins with one word. Greedy decoding takes the likeliest token: a side that begins in
ten ways loses to one that begins in two, however likely it is as a whole.
"""
REFUSED = "No, I can't do that: $why. Instead, $instead."
COMPLIED = "Yes, this follows our rules. To do it: $instead."
"""What training answers, with the first reason and remedy of the rule: words that are drawn by
chance cannot be learned, and their loss drowns that of the one word that decides.
"""
EXAMPLES = (
    "Then review `$entity` with $person.", "Afterwards run the tests of `$entity`.",
    "Tell $role when `$entity` is ready.", "Keep the change to `$entity` small.",
    "Record the result for `$entity` in the PDCA.", "Check `$entity` once more before $meeting.",
    "Commit `$entity` with a message that says why.", "Show the result for `$entity` to $person.",
    "Measure that $goal.", "The next step for `$entity` is $property.",
)  # fmt: skip
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
    if draw.trains:
        draw.bind(why=rule.why[0], instead=rule.instead[0])
    else:
        draw.bind(why=draw.line(rule.why), instead=draw.line(rule.instead))
        draw.bind(example=draw.line(EXAMPLES))
    manners = draw.shared(contrasts.MANNERS) if pairs else draw.pick(MANNERS)
    instruction = draw.fill(manners)
    if draw.trains:
        output = draw.fill(REFUSED if refuse else COMPLIED)
    else:
        output = draw.line(REFUSALS if refuse else COMPLIES)
    template = f"{'refuse' if refuse else 'comply'}-{request}"
    return Made(template=template, instruction=instruction, output=output)
