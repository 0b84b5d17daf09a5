"""The empty constructor oracle: near misses fail, unusual right classes pass."""

from __future__ import annotations

import pytest

from pytest_modelqa.checks.oracles.empty_constructor import EmptyConstructor
from pytest_modelqa.core.verdict import Outcome, Verdict
from tests.checks.oracles.completions import completion
from training.synth.sides import generate

NEAR_MISSES = {
    "the constructor assigns": (
        "class A {\n x!: number;\n constructor() { this.x = 1; }\n init() { this.x = 1; }\n}",
        "the constructor holds 'this.x = 1;'",
    ),
    "a parameter that is a field": (
        "class A {\n constructor(private x: number) {}\n init() { this.x += 1; }\n}",
        "the constructor assigns the field 'private x: number'",
    ),
    "a readonly parameter": (
        "class A {\n constructor(readonly x: number) {}\n init() { this.load(); }\n}",
        "assigns the field 'readonly x: number'",
    ),
    "a call in the constructor": (
        "class A {\n x!: number;\n constructor() { this.init(); }\n init() { this.x = 1; }\n}",
        "the constructor holds 'this.init();'",
    ),
    "logic in the arguments of super": (
        "class A extends B {\n x!: number;\n constructor() { super(load()); }\n"
        " init() { this.x = 1; }\n}",
        "logic in the arguments of super",
    ),
    "logic in a default value": (
        "class A {\n x!: number;\n constructor(now = Date.now()) {}\n init() { this.x = 1; }\n}",
        "logic in a default value",
    ),
    "more than super": (
        "class A extends B {\n x!: number;\n constructor() { super(); console.log('made'); }\n"
        " init() { this.x = 1; }\n}",
        "console.log",
    ),
    "a derived class without super": (
        "class A extends B {\n x!: number;\n constructor() {}\n init() { this.x = 1; }\n}",
        "calls super(...) 0 times",
    ),
    "super without a base": (
        "class A {\n x!: number;\n constructor() { super(); }\n init() { this.x = 1; }\n}",
        "extends nothing",
    ),
    "a field made by new": (
        "class A {\n x = new Map();\n constructor() {}\n init() { this.x.clear(); }\n}",
        "the field 'x' is initialised by logic, 'new Map()'",
    ),
    "a field made by a call": (
        "class A {\n x = Date.now();\n constructor() {}\n init() { this.x = 1; }\n}",
        "initialised by logic",
    ),
    "a field from another name": (
        "class A {\n x = DEFAULTS.x;\n constructor() {}\n init() { this.x = 1; }\n}",
        "initialised by logic",
    ),
    "a function called at once": (
        "class A {\n x = (() => 1)();\n constructor() {}\n init() { this.x = 1; }\n}",
        "initialised by logic",
    ),
    "a call within a literal": (
        "class A {\n x = [1, load()];\n constructor() {}\n init() { this.x = []; }\n}",
        "initialised by logic",
    ),
    "logic within a pattern of the parameters": (
        "class A {\n x!: number;\n constructor({ a = load() } = {}) {}\n init() { this.x = 1; }\n}",
        "logic in a default value",
    ),
    "the wrong version first": (
        "class A {\n x!: number;\n constructor() {}\n}\n"
        "class A {\n x!: number;\n constructor() {}\n init() { this.x = 1; }\n}",
        "A, line 1: has fields, and no init()",
    ),
    "no init": (
        "class A {\n x!: number;\n constructor() {}\n setup() { this.x = 1; }\n}",
        "has fields, and no init() that sets them up",
    ),
    "init without setup": (
        "class A {\n x!: number;\n constructor() {}\n init() { console.log('ready'); }\n}",
        "no init() that sets them up",
    ),
    "init that only returns itself": (
        "class A {\n x!: number;\n constructor() {}\n init(): this { return this; }\n}",
        "no init() that sets them up",
    ),
    "init that nobody can call": (
        "class A {\n x!: number;\n constructor() {}\n private init() { this.x = 1; }\n}",
        "no init() that sets them up",
    ),
    "init of the class, not of objects": (
        "class A {\n x!: number;\n constructor() {}\n static init() { this.x = 1; }\n}",
        "no init() that sets them up",
    ),
    "a getter called init": (
        "class A {\n x!: number;\n constructor() {}\n get init() { this.x = 1; return 1; }\n}",
        "no init() that sets them up",
    ),
    "setup of a local name alone": (
        "class A {\n x!: number;\n constructor() {}\n init() { const x = 1; }\n}",
        "no init() that sets them up",
    ),
    "one good class beside a bad one": (
        "class A {\n x!: number;\n constructor() {}\n init() { this.x = 1; }\n}\n"
        "class B {\n y: number;\n constructor() { this.y = 2; }\n}",
        "B, line 8: the constructor holds",
    ),
    "a declaration without bodies": (
        "declare class A {\n constructor();\n init(): void;\n}",
        "no class has an init() that does setup",
    ),
    "a bracket is missing": (
        "class A {\n x!: number;\n constructor() {}\n init() { this.x = 1;\n}",
        "not typescript",
    ),
    "an interface alone": ("interface A { init(): void }", "no class in the TypeScript"),
}  # fmt: skip
UNUSUAL = {
    "no constructor at all": "class A { x!: number; init() { this.x = 1; } }",
    "comments and semicolons": (
        "class A {\n x!: number;\n constructor() { /* empty */ ; // see init\n }\n"
        " init() { this.x = 1; }\n}"
    ),
    "private field and private constructor": (
        "class A { #x!: number; private constructor() {}"
        " init(): this { this.#x = 1; return this; } }"
    ),
    "async generic init": (
        "class A<T> { x!: T; constructor() {} async init<S extends T>(s: S): Promise<this>"
        " { this.x = s; return this; } }"
    ),
    "arguments handed on": (
        "class A extends B { x!: number; constructor(...args: unknown[]) { super(...args); }"
        " init() { this.x = 1; } }"
    ),
    "an argument handed on by its name": (
        "class A extends B { x!: number; constructor(name: string) { super({ name }); }"
        " init() { this.x = 1; } }"
    ),
    "literals and functions as fields": (
        "class A { x = 0; y: string[] = []; z = { a: [1, -2, 'b'] as const }; w = `none`;"
        " on = () => { this.x += 1; }; constructor() {} init() { this.x = 5; } }"
    ),
    "overloads": (
        "class A { x!: number; constructor(); constructor(name?: string) {}"
        " init() { this.x = 1; } }"
    ),
    "init as an arrow function": (
        "class A { x!: number; constructor() {} init = (): this => { this.x = 1; return this; }; }"
    ),
    "setup by Object.assign": (
        "class A { x!: number; constructor() {} init(s: S) { Object.assign(this, s); } }"
    ),
    "setup by destructuring": (
        "class A { x!: number; constructor() {} init(s: S) { ({ x: this.x } = s); } }"
    ),
    "setup by a method of its own": (
        "class A { x!: number; constructor() {} init() { this.load(); } load() { this.x = 1; } }"
    ),
    "init inherited from a class beside": (
        "class A { x!: number; constructor() {} init() { this.x = 1; } }\n"
        "class B extends A { y = 1; }"
    ),
    "a class without fields beside": (
        "class A { x!: number; constructor() {} init() { this.x = 1; } }\n"
        "class NotReady extends Error {}"
    ),
    "static fields may hold logic": (
        "class A { static shared = new Map(); x!: number; constructor() {} init() { this.x = 1; } }"
    ),
    "functions within a literal": (
        "class A { on = { open: () => this.load(), close() { this.load(); } };"
        " constructor() {} init() { this.load(); } load() {} }"
    ),
    "a class expression": (
        "const A = class { x!: number; constructor() {} init() { this.x = 1; } };"
    ),
    "an abstract class": (
        "export abstract class A { protected x!: number; constructor() {} abstract run(): void;"
        " public init(): void { this['x'] = 1; } }"
    ),
}


def judged(code: str, tag: str = "typescript") -> Verdict:
    return EmptyConstructor().judge("Write it.", completion(f"```{tag}\n{code}\n```"))


@pytest.mark.parametrize(("code", "said"), NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_ship_negative_near_misses_of_an_empty_constructor_fail(code: str, said: str) -> None:
    verdict = judged(code)
    assert verdict.outcome is Outcome.FALSIFIED
    assert said in verdict.reason


@pytest.mark.parametrize("code", UNUSUAL.values(), ids=UNUSUAL)
def test_ship_negative_unusual_empty_constructors_pass(code: str) -> None:
    verdict = judged(code)
    assert verdict.outcome is Outcome.CORROBORATED, verdict.reason


def test_ship_negative_what_is_no_typescript_fails() -> None:
    oracle = EmptyConstructor()
    for text in ("The constructor is empty.", "```js\nclass A {}\n```", "```\nclass A {\n```"):
        assert oracle.judge("", completion(text)).outcome is Outcome.FALSIFIED


def test_code_in_an_untagged_block_in_no_block_and_in_tsx_counts() -> None:
    code = UNUSUAL["no constructor at all"]
    assert judged(code, "").outcome is Outcome.CORROBORATED
    assert judged(code, "tsx").outcome is Outcome.CORROBORATED
    assert EmptyConstructor().judge("", completion(code)).outcome is Outcome.CORROBORATED


def test_code_that_was_cut_off_is_inconclusive() -> None:
    text = "```ts\nclass A { x!: number; constructor() {}"
    verdict = EmptyConstructor().judge("", completion(text, finish="length"))
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_another_name_of_the_method_can_be_asked_for() -> None:
    code = "class A { x!: number; constructor() {} start() { this.x = 1; } }"
    assert judged(code).outcome is Outcome.FALSIFIED
    oracle = EmptyConstructor(init="start")
    assert oracle.judge("", completion(code)).outcome is Outcome.CORROBORATED
    with pytest.raises(ValueError, match="no name of a method"):
        EmptyConstructor(init="1st")


def test_many_flaws_are_counted_and_the_first_are_shown() -> None:
    verdict = judged("class A { a = f(); b = f(); c = f(); d = f(); }")
    assert verdict.reason.endswith("and 2 more")


def test_all_classes_that_training_teaches_are_accepted() -> None:
    taught = [
        record
        for file in generate(1500, 3).files
        for record in file.records
        if record.metadata["set"] in ("style_core", "style_refactor")
        or str(record.metadata["template"]).startswith(("layer2", "layer5"))
    ]
    assert len(taught) > 500
    for record in taught:
        verdict = EmptyConstructor().judge(record.prompt, completion(record.output))
        assert verdict.outcome is Outcome.CORROBORATED, (verdict.reason, record.output)
