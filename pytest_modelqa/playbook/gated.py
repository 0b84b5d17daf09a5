"""Ship gates and canaries of a playbook: their files read, every line an oracle that can judge it.

A mistake in a file is told with the file and its line; of many alike only the first few are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_modelqa.core.check import Oracle
from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.core.shipping import Demand
from pytest_modelqa.playbook.entries import Entries, Entry, Place
from pytest_modelqa.playbook.lines import Lines, lines_of_file, lines_of_generator
from pytest_modelqa.playbook.positions import Flaw, Tree, parse, read_bytes
from pytest_modelqa.playbook.problems import shown
from pytest_modelqa.playbook.shipping import (
    CanaryDoc,
    ExampleDoc,
    GeneratorDoc,
    HarnessDoc,
    PromptDoc,
    TasksDoc,
)
from pytest_modelqa.playbook.shipping_values import CanarySpec, Example, HarnessSpec, Prompt

MOST_TOLD = 10
"""Mistakes of one file that are told; the rest are counted."""
TAKEN = "report_final"
"""A harness of this name would be reported in the file of the decision."""


@dataclass(frozen=True, slots=True)
class Gated:
    """What was read. `digests` are the hashes of the files and of what generators made."""

    harnesses: tuple[HarnessSpec, ...]
    tasks: tuple[CanarySpec, ...]
    flaws: tuple[Flaw, ...]
    digests: tuple[str, ...]

    def sha256(self, playbook: str, candidate: str) -> str:
        """The playbook's hash, with what else decides a run: the files, and the chosen model."""
        if not (self.digests or candidate):
            return playbook
        parts = "\n".join((playbook, *self.digests, candidate))
        return hashlib.sha256(parts.encode()).hexdigest()


def gated(tree: Tree, entries: Entries, most_tokens: int) -> Gated:
    """Everything below `ship_gates` and `canaries`, unless they are turned off.

    The playbook's own mistakes go to `entries`; those of other files come back. `most_tokens` is
    what an answer may ask for.
    """
    reader = _Reader(entries, most_tokens)
    harnesses = tuple(reader.harnesses(tree))
    tasks = tuple(reader.tasks(tree))
    return Gated(harnesses, tasks, tuple(reader.flaws), tuple(reader.digests))


class _Reader:
    def __init__(self, entries: Entries, most_tokens: int) -> None:
        self._own = entries
        self._most_tokens = most_tokens
        self.flaws: list[Flaw] = []
        self.digests: list[str] = []

    def harnesses(self, tree: Tree) -> Iterator[HarnessSpec]:
        block = _enabled(tree, "ship_gates")
        listed = block.get("harnesses") if block else None
        confidence = block["confidence"].value if block and "confidence" in block else None
        for name in listed.value if listed and isinstance(listed.value, dict) else ():
            place = Place(tree, ("ship_gates", "harnesses", name))
            if name == TAKEN:
                self._own.flaws.append(place.flaw(f"eval_{name}.json holds the decision; rename"))
            elif isinstance(place.plain(), dict):
                yield from self._harness(name, place, confidence)

    def tasks(self, tree: Tree) -> Iterator[CanarySpec]:
        block = _enabled(tree, "canaries")
        if block is None:
            return
        here = Place(tree, ("canaries",))
        if ("file" in block) == ("tasks" in block):
            found = "both" if "file" in block else "none"
            self._own.flaws.append(here.flaw(f"needs one of `file` and `tasks`, found {found}"))
        elif "tasks" in block:
            yield from self._listed(here.under("tasks"), self._own)
        else:
            with_file = self._file_of_tasks(here.under("file"))
            if with_file is not None:
                yield from self._listed(Place(with_file, ("tasks",)), Entries(self._own.oracles))

    def _file_of_tasks(self, source: Place) -> Tree | None:
        named = source.plain()
        if not isinstance(named, str):
            return None
        path = _beside(source, named)
        try:
            if not path.is_file():
                self._own.flaws.append(source.flaw(f"no such file: {path}"))
                return None
            data = read_bytes(path)
            tree, flaws = parse(data, str(path))
        except UsageError as error:
            self._own.flaws.append(source.flaw(str(error)))
            return None
        except (OSError, ValueError) as error:  # too long, a zero byte, a folder that is closed
            self._own.flaws.append(source.flaw(f"cannot be read: {error}"))
            return None
        self.flaws += flaws
        self.digests.append(hashlib.sha256(data).hexdigest())
        entries = Entries(self._own.oracles)
        doc = entries.validated(TasksDoc, Place(tree))
        self.flaws += entries.flaws
        return tree if doc else None

    def _listed(self, place: Place, entries: Entries) -> Iterator[CanarySpec]:
        items = place.tree.nearest(place.path).value
        seen: set[str] = set()
        for i, item in enumerate(items if isinstance(items, list) else ()):
            if not isinstance(item.value, dict):
                continue
            here = place.under(i)
            task = self._task(here, entries)
            if task is not None and task.name in seen:
                entries.flaws.append(here.under("name").flaw(f"a second canary {task.name!r}"))
            elif task is not None:
                seen.add(task.name)
                yield task
        if entries is not self._own:
            self.flaws += _few(entries.flaws)

    def _task(self, place: Place, entries: Entries) -> CanarySpec | None:
        entry = entries.entry(place, CanaryDoc)
        oracle = entries.oracle(place, entry.kind, entry.given) if entry else None
        if entry is None or oracle is None:
            return None
        doc = entry.doc
        self._within_limits(place, doc.max_tokens, entries)
        if not entries.can_judge(place, oracle, doc.prompt):
            return None
        return CanarySpec(
            name=doc.name,
            group=doc.group,
            prompt=doc.prompt,
            oracle=oracle,
            system=doc.system or "",
            max_tokens=doc.max_tokens,
            stop=doc.stop,
        )

    def _harness(self, name: str, place: Place, usual: float | None) -> Iterator[HarnessSpec]:
        entry = self._own.entry(place, HarnessDoc, partial=True)
        if entry is None:
            return
        doc = entry.doc
        self._within_limits(place, doc.max_tokens, self._own)
        judged = _Judged(self._own, entry, place)
        prompts = self._prompts(place, judged)
        examples = self._examples(place, judged)
        self._own.flaws += _metric_flaws(place, entry, prompts)
        yield HarnessSpec(
            name=name,
            demand=Demand(
                kind=doc.kind,
                metric=doc.metric,
                threshold=doc.threshold,
                confidence=doc.confidence or usual,
            ),
            prompts=tuple(prompts),
            examples=tuple(examples),
            max_tokens=doc.max_tokens,
            stop=doc.stop,
            mode=doc.mode,
        )

    def _within_limits(self, place: Place, wanted: int, entries: Entries) -> None:
        if wanted > self._most_tokens:
            entries.flaws.append(
                place.under("max_tokens").flaw(
                    f"{wanted} is more than limits.max_tokens ({self._most_tokens}); raise that"
                )
            )

    def _prompts(self, place: Place, judged: _Judged) -> list[Prompt]:
        doc, source = judged.harness.doc, place.under("prompts")
        if isinstance(doc.prompts, GeneratorDoc):
            options = source.plain()
            lines = lines_of_generator(source, options.pop("generator"), options)
        else:
            lines = lines_of_file(source, _beside(source, doc.prompts))
        judged.tell_nowhere(lines.places)
        prompts = self._read(lines, judged.prompt)
        sound = len(prompts) == len(lines.places) > 0 and not lines.flaws
        if sound and doc.samples and doc.samples > len(prompts):
            message = f"{doc.samples} are asked for, and there are {len(prompts)} prompts"
            self._own.flaws.append(place.under("samples").flaw(message))
        return prompts[: doc.samples]

    def _examples(self, place: Place, judged: _Judged) -> list[Example]:
        source = place.under("examples")
        lines = lines_of_file(source, _beside(source, judged.harness.doc.examples))
        examples = self._read(lines, judged.example)
        for passes, kind in ((True, "good"), (False, "bad")):
            whole = len(examples) == len(lines.places) > 0
            if whole and not any(e.passes is passes for e in examples):
                message = f"has no {kind} example; add a line with passes: {str(passes).lower()}"
                self._own.flaws.append(source.flaw(message))
        return examples

    def _read(self, lines: Lines, make: Callable[[Place, Entries], Any]) -> list[Any]:
        if lines.sha256:
            self.digests.append(lines.sha256)
        entries = Entries(self._own.oracles)
        made = [value for place in lines.places if (value := make(place, entries)) is not None]
        told = (*lines.flaws, *entries.flaws, *_doubles(lines.places))
        self.flaws += _few(told)
        return made


@dataclass(slots=True)
class _Judged:
    """Turns lines into questions and examples of one harness, with the oracle of each line."""

    own: Entries
    harness: Entry
    place: Place
    shared: Oracle | None = None
    refused: bool = False
    nowhere: tuple[str, ...] = ()

    def tell_nowhere(self, lines: Sequence[Place]) -> None:
        """Say once what the oracle requires, and neither the harness nor any line has."""
        lacking = self.harness.missing(self.harness.given)
        written = {key for line in lines for key in line.plain()}
        self.nowhere = tuple(name for name in lacking if lines and name not in written)
        for name in self.nowhere:
            message = f"is missing, here and in every line; {self.harness.kind.name} requires it"
            self.own.flaws.append(self.place.under(name).flaw(message))

    def prompt(self, place: Place, entries: Entries) -> Prompt | None:
        """A line of the prompts' file."""
        entry = entries.with_oracle(place, PromptDoc, self.harness.kind, partial=True)
        oracle = self._oracle(entry, place, entries)
        if (
            entry is None
            or oracle is None
            or not entries.can_judge(place, oracle, entry.doc.prompt)
        ):
            return None
        doc = entry.doc
        system = doc.system or self.harness.doc.system or ""
        return Prompt(id=doc.id, text=doc.prompt, oracle=oracle, system=system)

    def example(self, place: Place, entries: Entries) -> Example | None:
        """A line of the examples' file."""
        entry = entries.with_oracle(place, ExampleDoc, self.harness.kind, partial=True)
        oracle = self._oracle(entry, place, entries)
        if entry is None or oracle is None:
            return None
        doc = entry.doc
        if not entries.can_judge(place, oracle, doc.prompt or ""):
            return None
        at = place.tree.at
        return Example(
            answer=doc.answer,
            passes=doc.passes,
            why=doc.why,
            prompt=doc.prompt or "",
            oracle=oracle,
            place=f"{Path(at.file).name}:{at.line}",
        )

    def _oracle(self, entry: Entry | None, place: Place, entries: Entries) -> Oracle | None:
        """The harness's own where the line has no fields of it; all lines share that one."""
        if entry is None:
            return None
        if not entry.given and (self.refused or self.shared is not None):
            return self.shared
        given = {**self.harness.given, **entry.given}
        if missing := entry.missing(given):
            told = (place.under(name) for name in missing if name not in self.nowhere)
            message = f"is missing, here and in the harness; {entry.kind.name} requires it"
            entries.flaws += [where.flaw(message) for where in told]
            return None
        if entry.given:
            return entries.oracle(place, entry.kind, given)
        self.shared = self.own.oracle(self.place, entry.kind, given)
        self.refused = self.shared is None
        return self.shared


def _metric_flaws(place: Place, entry: Entry, prompts: Sequence[Prompt]) -> Iterator[Flaw]:
    if entry.doc.metric != "f1":
        return
    if not hasattr(entry.kind, "positive"):
        message = f"f1 needs an oracle of two classes, such as refusal; {entry.kind.name} has one"
        yield place.under("metric").flaw(message)
        return
    classes = {bool(getattr(p.oracle, "positive", False)) for p in prompts}
    if len(classes) == 1:
        yield place.under("prompts").flaw(
            f"all {len(prompts)} prompts are of one class; f1 needs both among the first `samples`"
        )


def _doubles(places: Sequence[Place]) -> Iterator[Flaw]:
    """A prompt that is asked twice counts once: the statistics need different ones."""
    ids: dict[str, Place] = {}
    texts: dict[tuple[str, str], Place] = {}
    for place in places:
        line = place.plain()
        if not isinstance(line.get("id"), str) or not isinstance(line.get("prompt"), str):
            continue
        text = (str(line.get("system", "")), line["prompt"])
        first = ids.setdefault(line["id"], place)
        if first is not place:
            yield place.under("id").flaw(f"a second prompt {shown(line['id'])}{_first(first)}")
        first = texts.setdefault(text, place)
        if first is not place:
            yield place.under("prompt").flaw(f"the same prompt again{_first(first)}")


def _first(place: Place) -> str:
    return f"; the first is at line {place.tree.at.line}" if not place.prefix else ""


def _few(flaws: Sequence[Flaw]) -> list[Flaw]:
    """The first mistakes, and how many more there are."""
    if len(flaws) <= MOST_TOLD:
        return list(flaws)
    *kept, last = flaws[:MOST_TOLD]
    more = f"{last.message} (and {len(flaws) - MOST_TOLD} more)"
    return [*kept, Flaw(last.at, last.path, more)]


def _enabled(tree: Tree, name: str) -> dict[str, Tree] | None:
    block = tree.value.get(name)
    if block is None or not isinstance(block.value, dict):
        return None
    value: dict[str, Tree] = block.value
    switch = value.get("enabled")
    return None if switch is not None and switch.value is False else value


def _beside(source: Place, name: str) -> Path:
    """Relative to the file in which the name stands."""
    return Path(source.tree.nearest(source.path).at.file).parent / name
