"""Leakage: what is planted is found and named, what is only similar in form is not."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from training.data.leakage import THRESHOLD, Leak, duplicates, leaks
from training.records import Record, RecordFile

WORDS = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in ("l", "m", "n", "r", "st")]


def text(rng: random.Random, words: int = 60) -> str:
    return " ".join(rng.choices(WORDS, k=words))


def part(name: str, records: Sequence[Record]) -> RecordFile:
    return RecordFile(name=name, where=f"{name}.jsonl", records=tuple(records), sha256="")


def random_records(seed: int, count: int) -> list[Record]:
    rng = random.Random(seed)
    return [Record(instruction=text(rng, 12), output=text(rng)) for _ in range(count)]


def only(train: Sequence[Record], held: Sequence[Record], threshold: float = THRESHOLD) -> Leak:
    (found,) = leaks([part("train", train)], part("eval", held), threshold=threshold)
    return found


def test_independent_records_are_no_leak() -> None:
    assert leaks([part("train", random_records(1, 300))], part("eval", random_records(2, 60))) == ()


def test_negative_a_copied_record_is_named_on_both_sides() -> None:
    train, held = random_records(1, 50), random_records(2, 10)
    found = only([*train, held[3]], held)
    assert (found.kind, found.held, found.trained) == (
        "same record",
        "eval.jsonl:4",
        "train.jsonl:51",
    )
    assert "eval.jsonl:4 is in train.jsonl:51: same record" in str(found)


def test_negative_case_width_and_white_space_do_not_hide_a_copy() -> None:
    held = Record(instruction="Write the Plan.", output="First the trigger, then the rest.")
    hidden = Record(
        instruction="WRITE  the\n\uff30\uff4c\uff41\uff4e.",
        output="first the trigger,\tthen the REST. ",
    )
    assert only([hidden], [held]).kind == "same record"


def test_negative_the_same_prompt_with_another_answer_is_found() -> None:
    held = Record(instruction="Write the plan for the order store, please.", output="Yes.")
    other = Record(instruction=held.instruction, output="No, and here is a long reason why not.")
    assert only([other], [held]).kind == "same prompt"


def test_negative_an_instruction_moved_to_the_input_is_the_same_prompt() -> None:
    held = Record(instruction="Refactor this.", input="class A {}", output="x y z")
    moved = Record(instruction="Refactor this.\n\nclass A {}", output="other words here")
    assert only([moved], [held]).kind == "same prompt"


@pytest.mark.parametrize("changed", [1, 5])
def test_negative_a_record_with_a_few_changed_words_is_a_near_duplicate(changed: int) -> None:
    long = Record(instruction="Tell a story", output=text(random.Random(5), 200))
    held = [*random_records(2, 20), long]
    words = long.output.split()
    for at in range(changed):
        words[at * 30] = "changed"
    near = Record(instruction="Tell a story now", output=" ".join(words))
    found = only([*random_records(1, 100), near], held)
    assert (found.kind, found.trained) == ("near duplicate", "train.jsonl:101")
    assert THRESHOLD <= found.similarity < 1


def test_a_record_of_which_half_is_different_is_no_near_duplicate() -> None:
    held = random_records(2, 20)
    half = text(random.Random(9), 36)
    other = Record(instruction="now " + held[5].instruction, output=held[5].output[:150] + half)
    assert leaks([part("train", [other])], part("eval", held)) == ()


def test_the_search_misses_no_pair_that_a_comparison_of_all_finds() -> None:
    """Against brute force, on records of which many are similar to a chosen degree."""
    rng = random.Random(4)
    base = [text(rng, 40).split() for _ in range(12)]

    def varied(count: int) -> list[Record]:
        made = []
        for _ in range(count):
            words = list(rng.choice(base))
            for _ in range(rng.randrange(0, 8)):
                words[rng.randrange(len(words))] = rng.choice(WORDS)
            made.append(Record(instruction=f"task {rng.random()}", output=" ".join(words)))
        return made

    train, held = varied(150), varied(60)
    for threshold in (0.5, 0.7, 0.8, 0.95):
        found = leaks([part("train", train)], part("eval", held), threshold=threshold)
        got = {leak.held: round(leak.similarity, 9) for leak in found}
        want = {}
        for at, record in enumerate(held):
            best = max(jaccard(record, other) for other in train)
            if best >= threshold:
                want[f"eval.jsonl:{at + 1}"] = round(best, 9)
        assert got == want
        assert threshold > 0.9 or want


def jaccard(a: Record, b: Record) -> float:
    """The definition, written down again with sets of tuples."""
    sets = []
    for record in (a, b):
        words = f"{record.prompt} {record.output}".replace(".", " . ").split()
        sets.append(set(zip(words, words[1:], words[2:], strict=False)))
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_very_short_records_are_compared_too() -> None:
    short = Record(instruction="Hi", output="Yo")
    assert only([short], [short]).kind == "same record"
    assert leaks([part("train", [Record(instruction="Hi", output="No")])], part("eval", [])) == ()


def test_duplicates_are_counted_once_each() -> None:
    one, two = random_records(3, 2)
    assert duplicates([one, two, one, one]) == 2
    assert duplicates([one, two]) == 0
