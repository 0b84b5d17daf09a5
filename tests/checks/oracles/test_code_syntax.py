"""The code oracle: real parsers, prose refused, a prefix not judged."""

from __future__ import annotations

from typing import get_args

import pytest

from pytest_modelqa.checks.oracles.code_syntax import GRAMMARS, CodeSyntax, Language
from pytest_modelqa.core.verdict import Outcome
from tests.checks.oracles.completions import completion

GOOD: dict[str, list[str]] = {
    "python": [
        "def add(a, b):\n    return a + b",
        "```python\nx = 1\n```",
        "Sure:\n\n```py\nprint('hi')\n```\n\nThat prints hi.",
        "```\nfor i in range(3):\n    print(i)\n```",
        "import math\nprint(math.pi)",
        "class A:\n    pass",
        "x: int = 3",
        "raise ValueError('no')",
        "try:\n    import json\nexcept ImportError:\n    pass",
        r"pattern = '\d'",
    ],
    "javascript": [
        "function f(x) { return x + 1; }",
        "```js\nconst a = [1, 2].map((n) => n * 2);\n```",
        "console.log('hi')",
        "export default class A {}",
        "x = 3",
    ],
    "typescript": [
        "interface User { name: string; age?: number }",
        "```ts\nconst x: number = 1;\n```",
        "type Id = string | number;",
        "function id<T>(x: T): T { return x; }",
    ],
    "json": ['{"a": [1, 2]}', "[]", '```json\n{"name": "Anna"}\n```', "{}"],
    "yaml": ["name: a\nage: 3", "```yaml\nname: a\n```", "- 1\n- 2", "a:\n  b: 1"],
    "sql": [
        "SELECT name FROM users WHERE age > 30;",
        "```sql\nINSERT INTO t (a) VALUES (1);\n```",
        "SELECT 1",
        "SELECT count(*) FROM t",
        "CREATE TABLE t (id INT PRIMARY KEY)",
        "UPDATE t SET a = 1 WHERE b = 2",
        "WITH x AS (SELECT 1 AS a) SELECT a FROM x",
        "BEGIN; DELETE FROM t; COMMIT;",
    ],
}
BAD: dict[str, list[str]] = {
    "python": [
        "def add(a, b)\n    return a + b", "```python\nprint('hi'\n```", "x = ", "if x\n  y",
        "```python\n```", "import os", "\x00x = 1", "(" * 500,
    ],
    "javascript": ["function f( {", "const = 3", "```js\nlet x\n```", "return x +", "{ a: 1"],
    "typescript": ["interface { name }", "const x: = 1", "let go"],
    "json": ["{'a': 1}", '{"a": 1,}', '{"a": NaN}', '"text"', "4", "true", "[" * 100_000],
    "yaml": ["a: [1, 2", "a: b: c", "\ta: 1", "```yaml\nhello\n```", "4", "!!python/x"],
    "sql": ["SELECT FROM WHERE", "SELEC name FROM t", "SELECT name", "UPDATE t", "DROP", "SHOW x"],
}  # fmt: skip
PROSE = [
    "Paris",
    "Yes.",
    "Hello world",
    "The capital of France is Paris.",
    "Answer: Paris",
    "Note: this is prose.",
    "not sure",
    "this is it",
    "raise taxes",
    "global warming",
    "let go",
    "Sure (thing)",
    "Use the force",
    "Describe a cat",
    "Select one",
    "Show me the money",
    "I do not know how to write code.",
    "42",
]


def cases(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(language, text) for language, texts in table.items() for text in texts]


def judged(language: str, text: str) -> Outcome:
    oracle = CodeSyntax(language=language)  # type: ignore[arg-type]
    return oracle.judge("Write it.", completion(text)).outcome


def test_every_language_of_the_type_has_a_grammar_and_examples() -> None:
    assert set(get_args(Language)) == set(GRAMMARS) == set(GOOD) == set(BAD)


@pytest.mark.parametrize(("language", "text"), cases(GOOD))
def test_code_that_parses_is_corroborated(language: str, text: str) -> None:
    assert judged(language, text) is Outcome.CORROBORATED


@pytest.mark.parametrize(("language", "text"), cases(BAD), ids=lambda v: v[:20])
def test_code_that_does_not_parse_is_falsified(language: str, text: str) -> None:
    assert judged(language, text) is Outcome.FALSIFIED


@pytest.mark.parametrize("language", GRAMMARS)
@pytest.mark.parametrize("text", PROSE)
def test_prose_is_no_code_in_any_language(language: str, text: str) -> None:
    assert judged(language, text) is Outcome.FALSIFIED


def test_one_bad_block_among_good_ones_falsifies() -> None:
    text = "```python\nx = 1\n```\nand\n```python\nx = = 1\n```"
    verdict = CodeSyntax(language="python").judge("", completion(text))
    assert verdict.outcome is Outcome.FALSIFIED
    assert "line 1" in verdict.reason


def test_a_block_of_another_language_is_not_the_one_asked_for() -> None:
    verdict = CodeSyntax(language="sql").judge("", completion("```python\nx = 1\n```"))
    assert verdict.outcome is Outcome.FALSIFIED
    assert verdict.reason == "no sql block, only python"


def test_blocks_of_other_languages_beside_the_right_one_do_not_matter() -> None:
    text = "```bash\npip install (\n```\n\n```python\nimport x\nx.run()\n```"
    assert judged("python", text) is Outcome.CORROBORATED


def test_code_cut_off_at_max_tokens_is_inconclusive_never_a_pass() -> None:
    for text in (
        "```python\ndef f(x):\n    return",
        "```python\nx = 1\n",
        "def f(x):\n    return x",
    ):
        verdict = CodeSyntax(language="python").judge("", completion(text, finish="length"))
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert verdict.remedy == "raise max_tokens"


def test_a_closed_block_decides_though_the_text_after_it_was_cut() -> None:
    good, bad = "```python\nx = 1\n```\nThis", "```python\nx = = 1\n```\nThis"
    oracle = CodeSyntax(language="python")
    assert oracle.judge("", completion(good, finish="length")).outcome is Outcome.CORROBORATED
    assert oracle.judge("", completion(bad, finish="length")).outcome is Outcome.FALSIFIED


def test_a_missing_last_fence_is_forgiven_where_the_model_ended_by_itself() -> None:
    assert judged("python", "```python\nx = 1\n") is Outcome.CORROBORATED


def test_too_few_statements_falsify() -> None:
    oracle = CodeSyntax(language="python", min_statements=2)
    assert oracle.judge("", completion("x = 1")).outcome is Outcome.FALSIFIED
    assert oracle.judge("", completion("x = 1\ny = 2")).outcome is Outcome.CORROBORATED


def test_impossible_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="python, javascript"):
        CodeSyntax(language="cobol")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1"):
        CodeSyntax(language="python", min_statements=0)
