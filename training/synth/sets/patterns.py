"""domain_patterns: what the patterns are, why they are used, and how they look on one class."""

from __future__ import annotations

from collections.abc import Mapping

from training.synth.draw import Draw
from training.synth.sets.code import Class, draw_fields, source
from training.synth.sets.made import Made, asked, fenced
from training.synth.sets.topics import FACTS

NAMES: Mapping[str, tuple[str, ...]] = {
    "constructor": ("the empty constructor pattern", "the rule of empty constructors"),
    "init": ("the init() method", "initialisation with init()"),
    "layers": ("the 5-layer architecture", "the architecture of five layers"),
    "oop": ("Radical OOP", "the principles of Radical OOP"),
    "scenario": ("scenario-based state management", "state kept in scenarios"),
    "pdca": ("the PDCA structure", "the sections of a PDCA", "the parts of a PDCA"),
    "tron": ("the TRON format", "decisions in TRON"),
    "links": ("the dual links of a PDCA", "PRECEDES and FOLLOWS"),
    "cmm": ("the CMM levels", "compliance with CMM"),
    "checklist": ("the verification checklist", "checking with a checklist"),
    "vitest": ("the choice of Vitest over Jest", "testing with Vitest"),
    "automation": ("the rule to automate manual steps", "automation instead of manual work"),
    "tools": ("the read_file tool", "when to call read_file"),
    "calls": ("the structure of a tool call", "how tool calls are written"),
}
EXPLAIN = (
    "Explain $topic to $role, with $entity as the example.",
    "What is $topic? Use $entity to show it.",
    "Describe $topic for someone who works on $entity.",
    "$person asks about $topic while writing $entity. Answer briefly.",
    "Why does $entity need $topic?",
    "Summarise $topic for $meeting; the class at hand is $entity.",
    "How does $topic help with $entity?",
    "Give the main points of $topic, as they apply to $entity.",
    "In a few sentences: $topic and $entity.",
    "What should $role know about $topic before touching $entity?",
    "Teach me $topic. I maintain $entity.",
    "Write a note on $topic for the documentation of $entity.",
    "We discuss $topic in $meeting. What does it mean for $entity?",
    "Can you explain $topic? $entity is my first class here.",
    "What is the purpose of $topic in $entity?",
    "Define $topic and say what changes in $entity.",
    "What does $person have to know about $topic to review $entity?",
    "Tell $role about $topic, in the context of $entity.",
    "Please clarify $topic for the team of $entity.",
    "Which rules follow from $topic for $entity?",
)
OPENINGS = (
    "$topic__start, in short:", "The idea behind $topic:", "For $entity it comes down to this.",
    "$topic__start is simple to state.", "What matters about $topic:",
    "Here is what $role needs to know.", "In this project, $topic is a fixed rule.",
    "The essence of $topic:", "Think of $entity, and $topic becomes clear.",
    "$topic__start rests on a few points.",
)  # fmt: skip
CLOSINGS = (
    "For `$entity` this means that $goal.", "So `$entity` stays easy to test.",
    "`$entity` is a good place to practise it.", "Ask $person when `$entity` does not fit.",
    "Check it for `$entity` in the next review.", "With `$entity` you see it at once.",
    "That is how `$entity` avoids $defect.", "It keeps `$entity` ready for $property.",
    "Whoever reads `$entity` will expect it.", "The PDCA of `$entity` should mention it.",
)  # fmt: skip
PLAIN = (
    "Give a short summary of $topic.",
    "$topic__start: what are the rules?",
    "Sum up $topic in three points.",
    "In brief: what is $topic about?",
    "Tell me the basics of $topic.",
    "I am new here. What is behind $topic?",
    "$role__start wants to know about $topic.",
    "Which points belong to $topic?",
    "Recall what we agreed on: $topic.",
    "Quick reminder on $topic, please.",
    "State the essentials of $topic.",
    "How would you put $topic in a few words?",
    "A new colleague asks: what about $topic?",
    "$topic__start, in plain words, please.",
    "Name all that belongs to $topic.",
    "Enumerate $topic.",
    "A list, please: $topic.",
    "Repeat $topic for me.",
    "$topic__start in one sentence.",
)
"""Asks of no class at all."""
PLAIN_OPENINGS = (
    "$topic__start, in short:", "The idea behind $topic:", "The rules are these.",
    "$topic__start is simple to state.", "What matters about $topic:",
    "It comes down to a few points.", "In this project, $topic is a fixed rule.",
    "The essence of $topic:", "Everybody here should know this.",
    "$topic__start rests on a few points.",
)  # fmt: skip
CODED = ("constructor", "init", "scenario")
"""Topics whose answers show a class, where one is spoken of."""


def make(draw: Draw) -> Made:
    """One topic, on one class or on none, in three to four points."""
    topic = draw.shared(list(NAMES))
    draw.bind(topic=draw.shared(NAMES[topic]))
    plain = draw.chance(0.4)
    template, instruction = asked(draw, "explain", PLAIN if plain else EXPLAIN)
    points = [draw.fill(draw.pick(fact)) for fact in FACTS[topic]]
    first, *others = points
    extra = draw.rng.sample(others, min(len(others), draw.rng.randint(2, 3)))
    opening = draw.line(PLAIN_OPENINGS if plain else OPENINGS)
    parts = [f"{opening} {first}", " ".join(extra)]
    if topic in CODED and not plain and draw.chance(0.9):
        parts.append(fenced(source(draw, _shape(draw, topic))))
    if not plain:
        parts.append(draw.line(CLOSINGS))
    return Made(template=f"{template}-{topic}", instruction=instruction, output="\n\n".join(parts))


def _shape(draw: Draw, topic: str) -> Class:
    fields = draw_fields(draw, 2, 2)
    return Class(name=draw.bound["entity"], fields=fields, scenario=topic == "scenario")
