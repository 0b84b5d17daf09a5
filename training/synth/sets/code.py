"""TypeScript in the style that is taught: empty constructor, all setup in `init()`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.synth.draw import Draw
from training.synth.words import FIELDS, TRAINED_FIELDS

Field = tuple[str, str, str, str]
"""Name, type, value that `init()` gives it, and what it is in words."""

BASES = (
    "BaseComponent", "DomainObject", "Emitter", "ManagedEntity", "RootNode",
    "WebElement", "Persistent", "Observable", "UnitBase", "LayerPart",
)  # fmt: skip
INTERFACES = (
    "Component", "Startable", "Disposable", "Identified", "Serializable",
    "Reloadable", "Described", "Restorable", "Configurable", "Closeable",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """A class to write down. `scenario` restores its state from one value."""

    name: str
    fields: Sequence[Field]
    base: str = ""
    interface: str = ""
    scenario: bool = False
    export: str = "export "


def draw_fields(draw: Draw, low: int = 2, high: int = 4) -> list[Field]:
    """Some fields of this side."""
    return draw.some(FIELDS, draw.rng.randint(low, high), TRAINED_FIELDS)


def source(draw: Draw, shape: Class) -> str:
    """The class, and before it the interface of its scenario where it has one."""
    members = [
        [f"  private {name}!: {kind};" for name, kind, _, _ in shape.fields],
        ["  constructor() {", "    super();", "  }"] if shape.base else ["  constructor() {}"],
        _init(draw, shape),
        *(_methods(draw, field) for field in shape.fields[:2]),
    ]
    if shape.scenario:
        members.append(_to_scenario(shape))
    body = "\n\n".join("\n".join(lines) for lines in members)
    return f"{_scenario(shape)}{_head(shape)} {{\n{body}\n}}"


def _head(shape: Class) -> str:
    extends = f" extends {shape.base}" if shape.base else ""
    implements = f" implements {shape.interface}" if shape.interface else ""
    return f"{shape.export}class {shape.name}{extends}{implements}"


def _scenario(shape: Class) -> str:
    if not shape.scenario:
        return ""
    lines = "\n".join(f"  {name}: {kind};" for name, kind, _, _ in shape.fields)
    return f"{shape.export}interface {shape.name}Scenario {{\n{lines}\n}}\n\n"


def _init(draw: Draw, shape: Class) -> list[str]:
    if shape.scenario:
        given = f"scenario: {shape.name}Scenario"
        setup = [f"    this.{name} = scenario.{name};" for name, *_ in shape.fields]
        return [f"  init({given}): this {{", *setup, "    return this;", "  }"]
    argument = next((f for f in shape.fields if f[1] in ("number", "string")), None)
    takes = argument is not None and draw.chance(0.5)
    given = f"{argument[0]}: {argument[1]} = {argument[2]}" if argument and takes else ""
    setup = [
        f"    this.{name} = {name if takes and argument and name == argument[0] else value};"
        for name, _, value, _ in shape.fields
    ]
    if draw.chance(0.6):
        return [f"  init({given}): this {{", *setup, "    return this;", "  }"]
    return [f"  init({given}): void {{", *setup, "  }"]


def _to_scenario(shape: Class) -> list[str]:
    values = [f"      {name}: this.{name}," for name, *_ in shape.fields]
    head = f"  toScenario(): {shape.name}Scenario {{"
    return [head, "    return {", *values, "    };", "  }"]


def _methods(draw: Draw, field: Field) -> list[str]:
    name, kind, _, _ = field
    signature, body = draw.shared(_BY_TYPE[kind])
    start = name[:1].upper() + name[1:]
    lines = [line.replace("NAME", name).replace("Start", start) for line in (signature, *body)]
    return [f"  {lines[0]} {{", *(f"    {line}" for line in lines[1:]), "  }"]


_BY_TYPE: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "string[]": (
        ("addToStart(value: string): void", ("this.NAME.push(value);",)),
        ("countStart(): number", ("return this.NAME.length;",)),
        ("hasInStart(value: string): boolean", ("return this.NAME.includes(value);",)),
        ("clearStart(): void", ("this.NAME = [];",)),
        ("lastOfStart(): string | undefined", ("return this.NAME[this.NAME.length - 1];",)),
    ),
    "number": (
        ("setStart(value: number): void", ("this.NAME = value;",)),
        ("isWithinStart(value: number): boolean", ("return value <= this.NAME;",)),
        ("raiseStart(by: number = 1): number", ("this.NAME += by;", "return this.NAME;")),
        ("describeStart(): string", ("return `NAME: ${this.NAME}`;",)),
    ),
    "boolean": (
        ("toggleStart(): boolean", ("this.NAME = !this.NAME;", "return this.NAME;")),
        ("isStart(): boolean", ("return this.NAME;",)),
        ("setStart(value: boolean): void", ("this.NAME = value;",)),
    ),
    "string": (
        ("setStart(value: string): void", ("this.NAME = value.trim();",)),
        ("getStart(): string", ("return this.NAME;",)),
        ("hasStart(value: string): boolean", ("return this.NAME === value;",)),
    ),
    "Map<string, number>": (
        (
            "countStart(key: string): void",
            ("const before = this.NAME.get(key) ?? 0;", "this.NAME.set(key, before + 1);"),
        ),
        ("getStart(key: string): number", ("return this.NAME.get(key) ?? 0;",)),
        ("sizeOfStart(): number", ("return this.NAME.size;",)),
    ),
}
