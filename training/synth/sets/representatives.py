"""domain_representatives: whole files of a component: layers, command line, tests, scenarios."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from training.synth.draw import Draw
from training.synth.sets.code import Class, Field, draw_fields, source
from training.synth.sets.made import Made, asked, fenced, listed

LAYER_TWO = (
    "Write the layer2 implementation file of $entity with $fields.",
    "Generate src/layer2/$entity.ts. State: $fields.",
    "Create the implementation of $entity in layer2; it keeps $fields.",
    "I need the layer2 file for $entity: $fields.",
    "Show the layer2 class of the $entity__words with $fields.",
    "Implement $entity in layer2 of the architecture, with $fields.",
    "Put $entity into layer2. It holds $fields.",
    "Add the layer2 part of $entity: $fields.",
    "Produce the file of $entity for layer2, tracking $fields.",
    "Layer2, please: $entity with $fields.",
)
TRAINED_LAYER_TWO = (
    "The layer2 implementation of $entity, with $fields.",
    "Write $entity.ts of layer2. State: $fields.",
    "Implementation file, layer2: class $entity with $fields.",
    "Code the implementation of $entity (layer2). It knows $fields.",
    "Which code does layer2 have for $entity? It stores $fields.",
    "layer2/$entity.ts: write it, with $fields.",
    "Write the implementation that belongs into layer2: $entity and $fields.",
    "The implementation of the $entity__words lies in layer2. Write it: $fields.",
    "Please write the implementation file $entity.ts for layer2 with $fields.",
    "Layer2 implementation file wanted: $entity, with $fields.",
)
"""More of these, which training alone draws from."""
LAYER_THREE = (
    "Write the layer3 interface of $entity with $fields.",
    "Generate src/layer3/$entity.interface.ts. State: $fields.",
    "Create the interface of $entity in layer3; its scenario has $fields.",
    "I need the layer3 file for $entity: $fields.",
    "Show the layer3 contract of the $entity__words with $fields.",
    "Declare $entity in layer3 of the architecture, with $fields.",
    "Put the interface of $entity into layer3. Scenario: $fields.",
    "Add the layer3 part of $entity: $fields.",
    "Produce the interface of $entity for layer3, with $fields.",
    "Layer3, please: the interface of $entity with $fields.",
)
LAYER_FIVE = (
    "Write the layer5 entry point of $entity for $partner.",
    "Generate src/layer5/${entity}CLI.ts so that $role can start $entity.",
    "Create the command line of $entity in layer5 for $role.",
    "I need the layer5 file that starts $entity with $property.",
    "Show the command line class of the $entity__words in layer5 for $person.",
    "Make $entity callable from the command line (layer5), for $role.",
    "Put an entry point for $entity into layer5; $person will use it.",
    "Add the layer5 part of $entity, used in $meeting.",
    "Produce the layer5 command line for $entity with $property.",
    "Layer5, please: start $entity for $role.",
)
TESTS = (
    "Write a Vitest test file for $entity, which has $fields.",
    "Generate tests/$entity.test.ts with Vitest. State: $fields.",
    "Test $entity with Vitest; it keeps $fields.",
    "I need Vitest tests for $entity: $fields.",
    "Show how the $entity__words is tested with Vitest, given $fields.",
    "Cover $entity by a Vitest suite. It holds $fields.",
    "Add a test file (Vitest) for $entity with $fields.",
    "Create the Vitest suite of $entity: $fields.",
    "Produce a small Vitest test for $entity, tracking $fields.",
    "Vitest, please: check init() of $entity with $fields.",
)
SAMPLE: Mapping[str, str] = {
    "string[]": "['first', 'second']",
    "number": "7",
    "boolean": "true",
    "string": "'sample'",
    "Map<string, number>": "new Map([['first', 1]])",
}


def make(draw: Draw) -> Made:
    """One file."""
    fields = draw_fields(draw)
    draw.bind(fields=listed([words for *_, words in fields]))
    kind = draw.shared(list(_KINDS))
    pool, write = _KINDS[kind]
    more = TRAINED_LAYER_TWO if kind == "layer2" else ()
    template, instruction = asked(draw, kind, pool, more)
    code = write(draw, fields)
    return Made(template=template, instruction=instruction, output=fenced(code))


def _layer_two(draw: Draw, fields: Sequence[Field]) -> str:
    name = draw.bound["entity"]
    scenario = f"import type {{ {name}Scenario }} from '../layer3/{name}.interface';"
    code = source(draw, Class(name=name, fields=fields, scenario=True))
    return f"// src/layer2/{name}.ts\n{scenario}\n\n{code[code.index('export class') :]}"


def _layer_three(draw: Draw, fields: Sequence[Field]) -> str:
    name = draw.bound["entity"]
    lines = "\n".join(f"  {field}: {kind};" for field, kind, _, _ in fields)
    return (
        f"// src/layer3/{name}.interface.ts\n"
        f"export interface {name}Scenario {{\n{lines}\n}}\n\n"
        f"export interface {name}Contract {{\n"
        f"  init(scenario: {name}Scenario): this;\n"
        f"  toScenario(): {name}Scenario;\n}}"
    )


def _layer_five(draw: Draw, _: Sequence[Field]) -> str:
    name = draw.bound["entity"]
    command = draw.fill("$entity__kebab")
    return (
        f"// src/layer5/{name}CLI.ts\n"
        f"import {{ {name} }} from '../layer2/{name}';\n\n"
        f"export class {name}CLI {{\n"
        f"  private target!: {name};\n"
        "  private args!: string[];\n\n"
        "  constructor() {}\n\n"
        "  init(args: string[]): this {\n"
        "    this.args = args;\n"
        f"    this.target = new {name}();\n"
        "    return this;\n"
        "  }\n\n"
        "  run(): number {\n"
        "    if (this.args.includes('--help')) {\n"
        f"      console.log('usage: {command} [--help]');\n"
        "      return 0;\n"
        "    }\n"
        f"    console.log(`{command}: ${{this.target.constructor.name}} is ready`);\n"
        "    return 0;\n"
        "  }\n"
        "}"
    )


def _tests(draw: Draw, fields: Sequence[Field]) -> str:
    name = draw.bound["entity"]
    variable = draw.fill("$entity__camel")
    scenario = "\n".join(f"  {field}: {SAMPLE[kind]}," for field, kind, _, _ in fields)
    first = fields[0][0]
    return (
        f"// tests/{name}.test.ts\n"
        "import { describe, expect, it } from 'vitest';\n"
        f"import {{ {name} }} from '../src/layer2/{name}';\n\n"
        f"const scenario = {{\n{scenario}\n}};\n\n"
        f"describe('{name}', () => {{\n"
        "  it('is created empty', () => {\n"
        f"    expect(new {name}()).toBeDefined();\n"
        "  });\n\n"
        "  it('comes back from its scenario', () => {\n"
        f"    const {variable} = new {name}().init(scenario);\n"
        f"    expect({variable}.toScenario()).toEqual(scenario);\n"
        "  });\n\n"
        f"  it('keeps {first}', () => {{\n"
        f"    const saved = new {name}().init(scenario).toScenario();\n"
        f"    expect(saved.{first}).toEqual(scenario.{first});\n"
        "  });\n"
        "});"
    )


_KINDS: Mapping[str, tuple[Sequence[str], Callable[[Draw, Sequence[Field]], str]]] = {
    "layer2": (LAYER_TWO, _layer_two),
    "layer3": (LAYER_THREE, _layer_three),
    "layer5": (LAYER_FIVE, _layer_five),
    "vitest": (TESTS, _tests),
}
