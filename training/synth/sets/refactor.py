"""style_refactor: code that breaks the style goes in, the same code in the style comes out."""

from __future__ import annotations

from training.synth.draw import Draw
from training.synth.sets.code import Class, Field, draw_fields, source
from training.synth.sets.made import Made, asked, fenced

CONSTRUCTOR = (
    "Refactor this class to the empty constructor pattern.",
    "Move the setup of $entity into init().",
    "Rewrite $entity in our style: the constructor must be empty.",
    "This constructor does too much. Refactor it.",
    "Apply the empty constructor pattern to $entity.",
    "Clean up $entity: all initialisation belongs in init().",
    "Please correct the class below, its constructor has logic.",
    "Turn this into a class with an empty constructor and init().",
    "$person's review asks for an empty constructor in $entity. Change it.",
    "Make $entity testable by moving its setup out of the constructor.",
    "Refactor $entity so that new has no side effects.",
    "The style check rejects $entity. Fix the class.",
    "Improve this code of $entity according to our rules.",
    "Bring $entity up to the standard of the project.",
    "Before $meeting: refactor the constructor of $entity.",
)
INITIALISER = (
    "Move the field initialisers of $entity into init().",
    "Fields must not be initialised where they are declared. Refactor $entity.",
    "Rewrite $entity so that init() gives all fields their values.",
    "Refactor the fields of $entity to our style.",
    "This class initialises its fields inline. Change that.",
    "Give $entity an init() method for the values of its fields.",
    "Apply our style to $entity: declare first, set in init().",
    "Convert the inline values of $entity into an init() method.",
    "Please move the defaults of $entity to init().",
    "Separate declaration and setup in $entity.",
)
SUMMARY = (
    "The constructor is empty now; `init()` does the setup.",
    "Moved the whole setup to `init()`. Callers use `new $entity().init()`.",
    "Nothing but `init()` changes the state of a new `$entity`.",
    "Creation has no side effects any more.",
    "Behaviour is unchanged, except that callers call `init()`.",
    "The fields are declared at the top and set in `init()`.",
    "A test can now create `$entity` without any setup.",
    "Setup and creation are two steps.",
    "What the constructor did is in `init()`.",
    "`$entity` follows the pattern now.",
)


def make(draw: Draw) -> Made:
    """A class with a busy constructor, or with values at its fields; and its better form."""
    fields = draw_fields(draw, 2, 3)
    busy = draw.chance(0.6)
    kind, pool = ("constructor", CONSTRUCTOR) if busy else ("initialiser", INITIALISER)
    template, instruction = asked(draw, f"refactor-{kind}", pool)
    shape = Class(name=draw.bound["entity"], fields=fields)
    better = source(draw, shape)
    worse = _busy(shape, better) if busy else _inline(shape, better)
    return Made(
        template=template,
        instruction=instruction,
        input=fenced(worse),
        output=f"{fenced(better)}\n\n{draw.line(SUMMARY)}",
    )


def _busy(shape: Class, better: str) -> str:
    declared = "\n".join(f"  private {name}: {kind};" for name, kind, _, _ in shape.fields)
    setup = "\n".join(f"    this.{name} = {value};" for name, _, value, _ in shape.fields)
    head = f"{shape.export}class {shape.name} {{\n{declared}\n\n  constructor() {{\n{setup}\n  }}"
    return f"{head}\n\n{_methods(better)}"


def _inline(shape: Class, better: str) -> str:
    declared = "\n".join(map(_initialised, shape.fields))
    return f"{shape.export}class {shape.name} {{\n{declared}\n\n{_methods(better)}"


def _initialised(field: Field) -> str:
    name, kind, value, _ = field
    return f"  private {name}: {kind} = {value};"


def _methods(better: str) -> str:
    """What follows `init()` in the better form, which both have."""
    after = better.split("  init(", 1)[1]
    return after.split("\n  }\n\n", 1)[1] if "\n  }\n\n" in after else "}"
