"""style_core: classes with an empty constructor and an init() that sets them up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from training.synth.draw import Draw
from training.synth.sets.code import BASES, INTERFACES, Class, draw_fields, source
from training.synth.sets.made import Made, asked, fenced, listed

PLAIN = (
    "Write a TypeScript class $entity with $fields.",
    "Create a TypeScript class named $entity. It keeps $fields.",
    "I need a class $entity in TypeScript that holds $fields.",
    "Implement $entity as a TypeScript class; its state is $fields.",
    "Please generate the TypeScript class for a $entity__words with $fields.",
    "Show me $entity in TypeScript. State: $fields.",
    "Build a $entity__words class in TypeScript. It has $fields.",
    "Give me the code of a TypeScript class $entity, storing $fields.",
    "Add a new class $entity to the project, in TypeScript, with $fields.",
    "Code a TypeScript class that models a $entity__words: $fields.",
    "How would you write a $entity class in TypeScript with $fields?",
    "Define the class $entity (TypeScript). It should track $fields.",
    "We are missing a $entity__words. Write the TypeScript class; it needs $fields.",
    "Produce a small TypeScript class called $entity which knows $fields.",
    "Draft a TypeScript class for the $entity__words so that $goal. It keeps $fields.",
    "Set up a class $entity in TypeScript with $fields, following our style.",
    "TypeScript, please: a class $entity that owns $fields.",
    "Create class $entity following the empty constructor pattern. State: $fields.",
    "Write $entity with an empty constructor and an init() method. It holds $fields.",
    "Sketch the $entity__words as a TypeScript class with $fields.",
    "$entity, a TypeScript class, is missing. Fields: $fields.",
    "One class in TypeScript, $entity, and in it $fields.",
    "The next class is $entity (TypeScript). What it holds: $fields.",
    "$person needs class $entity in TypeScript; it consists of $fields.",
    "Code only: TypeScript class $entity with $fields.",
    "Class $entity. TypeScript. State: $fields.",
    "A TypeScript class knows $fields. It is called $entity. Write it.",
    "Make a class for $role in TypeScript: $entity, which remembers $fields.",
    "In TypeScript: $entity, one class. We store $fields.",
    "Let us have $entity as a class in TypeScript with $fields.",
)
FREE = (
    "Write a TypeScript class $entity that $duty.",
    "Create a TypeScript class which $duty. Call it $entity.",
    "I need a class in TypeScript that $duty; name it $entity.",
    "Implement $entity: a TypeScript class that $duty.",
    "Generate a TypeScript class for a $entity__words that $duty.",
    "Show me a TypeScript class $entity that $duty.",
    "Build a component $entity in TypeScript which $duty.",
    "Give me a simple TypeScript class called $entity.",
    "Code a class $entity for $role; it $duty.",
    "Write the $entity class in TypeScript. It $duty.",
    "Please add a TypeScript class $entity, so that $goal.",
    "Create a class $entity with an init() method; it $duty.",
    "Write a small class for a $entity__words in TypeScript.",
    "How does a class $entity that $duty look in TypeScript?",
    "Design a TypeScript class named $entity which $duty.",
    "Make $entity, the TypeScript class that $duty.",
    "$duty__start: that is what class $entity does. Write it in TypeScript.",
    "TypeScript class $entity, please. What it does: it $duty.",
    "We lack a class that $duty. Call it $entity and write it in TypeScript.",
    "The TypeScript class $entity, which $duty: write its code.",
)
DERIVED = (
    "Write a TypeScript class $entity that extends $base and has $fields.",
    "Create $entity as a subclass of $base in TypeScript. It keeps $fields.",
    "Derive a class $entity from $base (TypeScript); it holds $fields.",
    "Implement the TypeScript class $entity extends $base, with $fields.",
    "I need a $entity__words built on $base, in TypeScript, with $fields.",
    "Show a $base subclass called $entity in TypeScript that stores $fields.",
    "Extend $base with a class $entity that tracks $fields. Use TypeScript.",
    "Generate the TypeScript code of $entity, which inherits from $base: $fields.",
    "Our $entity__words should be a $base. Write it in TypeScript with $fields.",
    "Code $entity on top of $base in TypeScript; its state is $fields.",
)
SCENARIO = (
    "Write a TypeScript class $entity whose state comes from a scenario: $fields.",
    "Create $entity with init(scenario) and toScenario() in TypeScript. State: $fields.",
    "Implement a $entity__words in TypeScript that can be saved to a scenario. It keeps $fields.",
    "I want a TypeScript class $entity that is restored from a scenario with $fields.",
    "Generate class $entity with scenario-based state: $fields.",
    "Show how $entity is serialised with toScenario() in TypeScript; it has $fields.",
    "Build the TypeScript class $entity. A scenario carries $fields.",
    "Code a $entity__words with a scenario interface and toScenario(), in TypeScript: $fields.",
    "Make $entity restartable: a TypeScript class with a scenario of $fields.",
    "Define a scenario and a class for the $entity__words in TypeScript with $fields.",
)
TRAINED_SCENARIO = (
    "Write a TypeScript class $entity with toScenario(). State: $fields.",
    "A TypeScript class $entity that can be saved by toScenario(); fields: $fields.",
    "$entity must be able to save itself: TypeScript, toScenario(), $fields.",
    "Give $entity (TypeScript) a toScenario() method. It stores $fields.",
    "Make a TypeScript class $entity which returns its state from toScenario(): $fields.",
    "TypeScript: class $entity, init(scenario), toScenario(), $fields.",
    "I want to save and restore $entity. TypeScript class, please, with $fields.",
    "Save the state of $entity with toScenario(). Write the class; it has $fields.",
    "The class $entity should be stored as a scenario. TypeScript. It knows $fields.",
    "Create a TypeScript class $entity whose toScenario() gives back $fields.",
    "Store and load $entity through a scenario, in TypeScript: $fields.",
    "Write $entity so that it survives a restart: a scenario with $fields. TypeScript.",
)
"""More of these, which training alone draws from; so are the next ones."""
TRAINED_PLAIN = (
    "Write TypeScript: class $entity, members $fields.",
    "The file $entity.ts is missing. It has class $entity with $fields.",
    "Create $entity.ts: a class that $duty and has $fields.",
    "A class in TypeScript, please. Name: $entity. Members: $fields.",
    "Class $entity in TypeScript. It $duty and keeps $fields.",
    "Make the file $entity.ts with a class that knows $fields.",
    "$entity.ts, please: the class $duty, with $fields.",
    "Type the TypeScript class $entity for me; members are $fields.",
    "New TypeScript class: $entity. It $duty. Its state: $fields.",
    "We want to model a $entity__words in TypeScript: $fields.",
)
TRAINED_COMPONENT = (
    "$entity implements $interface. TypeScript, with $fields.",
    "TypeScript: $entity for the interface $interface; members $fields.",
    "The interface $interface needs a class $entity in TypeScript: $fields.",
    "Let $entity implement $interface, in TypeScript, and keep $fields.",
    "A component $entity, in TypeScript, with init() and $fields; it is a $interface.",
    "Make $entity a $interface (TypeScript). Members: $fields.",
)
COMPONENT = (
    "Write a TypeScript component $entity that implements $interface, with $fields.",
    "Create the component $entity in TypeScript. It implements $interface and keeps $fields.",
    "Implement $interface in a TypeScript class $entity holding $fields.",
    "Generate a $entity component with an init() method; it implements $interface: $fields.",
    "I need $entity as a component ($interface) in TypeScript with $fields.",
    "Show me a TypeScript component for a $entity__words. Interface $interface, state $fields.",
    "Build a component class $entity for $interface in TypeScript that tracks $fields.",
    "Code the $entity__words as a TypeScript component of $interface, with $fields.",
    "Add a component $entity (implements $interface) in TypeScript; it owns $fields.",
    "Produce a TypeScript class $entity that satisfies $interface and stores $fields.",
)
LEAD = (
    "The constructor stays empty; `init()` sets everything up.",
    "All setup is in `init()`, so the constructor does nothing.",
    "Here is `$entity`. Call `init()` after creating it.",
    "`$entity` is created empty and gets its state from `init()`.",
    "State is declared here and set in `init()`, never in the constructor.",
    "As always: an empty constructor, and an `init()` that returns a ready object.",
    "An object of `$entity` can be made at no cost; `init()` gives it its state.",
    "The class follows the empty constructor pattern.",
    "Creation and setup are apart: `new $entity()` first, then `init()`.",
    "Nothing happens in the constructor, so `$entity` is easy to test.",
)


def make(draw: Draw) -> Made:
    """One class: plain, with fields of its own choice, derived, with a scenario, a component."""
    fields = draw_fields(draw)
    base, interface = draw.pick(BASES), draw.pick(INTERFACES)
    draw.bind(fields=listed([words for *_, words in fields]), base=base, interface=interface)
    name = draw.bound["entity"]
    kinds: Mapping[str, tuple[Sequence[str], Sequence[str], Class]] = {
        "plain": (PLAIN, TRAINED_PLAIN, Class(name=name, fields=fields)),
        "free": (FREE, (), Class(name=name, fields=fields)),
        "derived": (DERIVED, (), Class(name=name, fields=fields, base=base)),
        "scenario": (SCENARIO, TRAINED_SCENARIO, Class(name=name, fields=fields, scenario=True)),
        "component": (
            COMPONENT, TRAINED_COMPONENT, Class(name=name, fields=fields, interface=interface),
        ),
    }  # fmt: skip
    kind = draw.rng.choices(list(kinds), (30, 25, 15, 15, 15))[0]
    pool, more, shape = kinds[kind]
    template, instruction = asked(draw, f"class-{kind}", pool, more)
    code = fenced(source(draw, shape))
    output = f"{draw.line(LEAD)}\n\n{code}" if draw.chance(0.3) else code
    return Made(template=template, instruction=instruction, output=output)
