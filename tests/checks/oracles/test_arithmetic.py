"""The arithmetic oracle: whole tokens, exact values, nothing taken from an echo."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_modelqa.checks.oracles.arithmetic import Arithmetic, the_expression
from pytest_modelqa.checks.oracles.numbers import numbers_in, shown
from pytest_modelqa.core.verdict import Outcome
from tests.checks.oracles.completions import completion

pytestmark = pytest.mark.tier1

EXPRESSIONS = [
    ("What is 2 + 2?", Fraction(4)),
    ("Compute 17*23.", Fraction(391)),
    ("12 / 5", Fraction(12, 5)),
    ("What is (3 + 4) * -2?", Fraction(-14)),
    ("What is -3 + 5?", Fraction(2)),
    ("5 - -3", Fraction(8)),
    ("2 + 3 * 4 - 1", Fraction(13)),
    ("-2^2", Fraction(-4)),
    ("2 ** 3 ** 2", Fraction(512)),
    ("1,024 + 1", Fraction(1025)),
    ("0.1+0.2", Fraction(3, 10)),
    ("1e3 - 1", Fraction(999)),
    ("3 x 4", Fraction(12)),
    ("3 \u00d7 4 \u00f7 2 \u2212 1", Fraction(5)),
    ("5 minus 7 plus 1", Fraction(-1)),
    ("10 divided by 4", Fraction(5, 2)),
    ("3 multiplied by 4", Fraction(12)),
    ("2 to the power of 3", Fraction(8)),
    ("**2 + 2**", Fraction(4)),
    (r"Compute \(2 \times 3\).", Fraction(6)),
    (r"\frac{3}{4}", Fraction(3, 4)),
    ("What is $5 + $3?", Fraction(8)),
    ("A 17-year-old asks: what is 2 + 2?", Fraction(4)),
    ("What is 2 + 2? Answer with 1 number.", Fraction(4)),
    ("2 + 2 equals what? I mean 2+2", Fraction(4)),
    ("What is 2 + 2 = ?", Fraction(4)),
]


@pytest.mark.parametrize(("prompt", "value"), EXPRESSIONS, ids=[p for p, _ in EXPRESSIONS])
def test_the_expression_of_a_prompt_is_found_and_computed(prompt: str, value: Fraction) -> None:
    assert the_expression(prompt).value == value
    assert Arithmetic().problem_with(prompt) is None


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("What is the capital of France?", "no arithmetic expression"),
        ("What is two plus two?", "no arithmetic expression"),
        ("What is 10% of 250?", "no arithmetic expression"),
        ("Solve x + 3 = 7.", "no arithmetic expression"),
        ("2 + 2 and 3 + 3", "several expressions"),
        ("What is 2(3+4)?", "without an operator"),
        ("What is 2 + 2 + y?", "ends with an operator"),
        ("x + 3 + 5", "with a variable"),
        ("Is 2 + 2 = 5?", "nothing is left"),
        ("1 / 0", "division by zero"),
        ("1 / (2 - 2)", "division by zero"),
        ("0 ^ -1", "division by zero"),
        ("9^9^9", "exponents"),
        ("2^0.5", "exponents"),
        ("64^64^1 * 64^64 * 64^64 * 64^64 * 64^64 * 64^64 * 64^64 * 64^64 * 64^64 * 64^64 * 64^64",
         "bits"),
        ("(" * 30 + "1 + 1" + ")" * 30, "nested deeper"),
        ("1 + " * 80 + "1", "longer than"),
        ("(2 + 3", ""),
        ("(2 + 3) * (4", "not closed"),
    ],
)  # fmt: skip
def test_a_prompt_that_cannot_be_judged_is_a_problem(prompt: str, said: str) -> None:
    problem = Arithmetic().problem_with(prompt)
    if not said:
        assert problem is None
    else:
        assert problem is not None
        assert said in problem
        judged = Arithmetic().judge(prompt, completion("4"))
        assert judged.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("expected", [12 / 5, "12/5", "2.4", "24/10"])
def test_an_expected_value_that_agrees_is_no_problem(expected: float | str) -> None:
    assert Arithmetic(expected=expected).problem_with("What is 12 / 5?") is None


@pytest.mark.parametrize("expected", [2, "5/12", -2.4, "-12/5"])
def test_an_expected_value_that_disagrees_is_a_problem(expected: float | str) -> None:
    problem = Arithmetic(expected=expected).problem_with("What is 12 / 5?")
    assert problem is not None
    assert "12/5 (2.4)" in problem


@pytest.mark.parametrize("expected", ["four", "", "1/0", "1/2/3", True, float("nan"), "4 apples"])
def test_an_expected_value_that_is_no_number_is_refused(expected: float | str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        Arithmetic(expected=expected)


RIGHT = [
    ("2 + 2", "4"),
    ("2 + 2", "4."),
    ("2 + 2", "4.0"),
    ("2 + 2", "4.\n"),
    ("2 + 2", "**4**"),
    ("2 + 2", "$4"),
    ("2 + 2", "(4)"),
    ("2 + 2", "4e0"),
    ("2 + 2", "The answer is 4."),
    ("2 + 2", "answer:4"),
    ("2 + 2", "2 + 2 = 4"),
    ("2 + 2", "2+2=4"),
    ("2 + 2", "2 plus 2 is 4."),
    ("2 + 2", r"\boxed{4}"),
    ("2 + 2", "The sum of 2 and 2 is 4. You have 10 fingers."),
    ("2 + 2", "1. Take 2.\n2. Add 2.\n3. The result is 4."),
    ("2 + 2", "2 + 2 = 4\n\n3 + 3 = 6"),
    ("2 + 2", "Step 1: add 2 and 2. Step 2: we get 4."),
    ("17*23", "17*23 = 17*20 + 17*3 = 340 + 51 = 391"),
    ("17*23", "17*20 = 340, 17*3 = 51, so 340 + 51 = 391."),
    ("17*23", r"$17 \times 23 = 391$"),
    ("2 * 1", "2 * 1 = 2"),
    ("4 - 2", "2"),
    ("1 - 4", "-3"),
    ("1 - 4", "The result is \u22123."),
    ("1000 + 24", "1,024"),
    ("12 / 5", "2.4"),
    ("12 / 5", "12/5 = 2.4"),
    ("24 / 10", "12/5"),
    ("10 / 3", "3.33"),
    ("10 / 3", "10/3 = 3.3333"),
    ("20 / 3", "6.67"),
    ("20 / 3", "6.66"),
    ("5 - 5", "0"),
]
WRONG = [
    ("2 + 2", "14"),
    ("2 + 2", "40"),
    ("2 + 2", "A4"),
    ("2 + 2", "4th"),
    ("2 + 2", "4.5"),
    ("2 + 2", "1.4.2"),
    ("2 + 2", "4:30"),
    ("2 + 2", "4%"),
    ("2 + 2", "-4"),
    ("2 + 2", "four"),
    ("2 + 2", "2 + 2"),
    ("2 + 2", "What is 2 + 2?"),
    ("2 + 2", "2 + 2 = 5"),
    ("2 + 2", "1 2 3 4 5 6"),
    ("2 + 2", "1, 2, 3, 4, 5"),
    ("2 + 2", "4 or 5"),
    ("2 + 2", "3\n4\n5"),
    ("2 + 2", "2 + 2 equals 4.\n2 + 2 equals 5."),
    ("2 + 2", "The answer is 5, unless you meant 4."),
    ("2 * 1", "2 * 1 = 3"),
    ("1 * 3", "1 * 3"),
    ("2 + 0", "2 plus 0 is 20"),
    ("1 - 4", "3"),
    ("12 / 5", "12/5"),
    ("12 / 5", "2"),
    ("12 / 5", "12 / 5 = 2."),
    ("12 / 5", "2,4"),
    ("10 / 3", "3"),
    ("10 / 3", "3.3"),
    ("10 / 3", "3.34"),
    ("17 * 23", "321"),
]


@pytest.mark.parametrize(("prompt", "text"), RIGHT)
def test_a_right_answer_is_corroborated(prompt: str, text: str) -> None:
    verdict = Arithmetic().judge(f"What is {prompt}?", completion(text))
    assert verdict.outcome is Outcome.CORROBORATED, verdict.reason


@pytest.mark.parametrize(("prompt", "text"), WRONG)
def test_a_wrong_answer_is_falsified(prompt: str, text: str) -> None:
    verdict = Arithmetic().judge(f"What is {prompt}?", completion(text))
    assert verdict.outcome is Outcome.FALSIFIED, verdict.reason
    assert "expected" in verdict.reason


def test_the_reason_quotes_what_was_found() -> None:
    verdict = Arithmetic().judge("What is 2 + 2?", completion("I think 2 + 2 = 5."))
    assert verdict.reason == "expected 4, the completion says 5: 'I think 2 + 2 = 5.'"


OPERATORS: dict[str, Callable[[Fraction, Fraction], Fraction | None]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b if b else None,
}


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> tuple[str, Fraction]:
    """An expression as text, fully bracketed, with its value."""
    if not depth or draw(st.booleans()):
        number = draw(st.integers(0, 999))
        return str(number), Fraction(number)
    left, a = draw(expressions(depth=depth - 1))
    right, b = draw(expressions(depth=depth - 1))
    sign = draw(st.sampled_from(sorted(OPERATORS)))
    value = OPERATORS[sign](a, b)
    if value is None:
        sign, value = "+", a + b
    return f"({left} {sign} {right})", value


@given(expressions(), st.integers(1, 99))
@settings(max_examples=50, deadline=None)
def test_random_expressions_have_their_exact_value(made: tuple[str, Fraction], last: int) -> None:
    text, value = made
    prompt = f"What is {text} + {last}?"
    value += last
    assert the_expression(prompt).value == value
    right = f"{value.numerator}/{value.denominator}" if value.denominator > 1 else str(value)
    oracle = Arithmetic(expected=right)
    assert oracle.problem_with(prompt) is None
    if f"{text} + {last}" != right:
        good = oracle.judge(prompt, completion(f"The answer is {right}."))
        assert good.outcome is Outcome.CORROBORATED, good.reason
    off = value + 1
    wrong = oracle.judge(prompt, completion(f"The answer is {off.numerator}/{off.denominator}."))
    assert wrong.outcome is Outcome.FALSIFIED


@given(st.text(alphabet="0123456789+-*/^(). =x,\n$a", max_size=60))
@settings(max_examples=80, deadline=None)
def test_no_completion_makes_the_oracle_raise(text: str) -> None:
    assert Arithmetic().judge("What is 2 + 2?", completion(text)).reason


@given(st.integers(-(10**12), 10**12))
@settings(max_examples=40, deadline=None)
def test_an_integer_is_one_whole_token_in_every_notation(number: int) -> None:
    for text in (str(number), f"{number:,}", f"{number}.0", f"is {number}."):
        assert [n.value for n in numbers_in(text)] == [number]


def test_values_are_shown_as_people_write_them() -> None:
    assert [shown(Fraction(n, 12)) for n in (24, 3, 4)] == ["2", "1/4 (0.25)", "1/3"]
