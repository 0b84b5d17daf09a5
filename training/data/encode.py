"""Records to token ids: through the model's own chat template, with the loss on the response alone.

What the model is asked (the template up to and with its generation prompt) and what it answers are
tokenised apart, as an engine that is asked sees them; labels are -100 on all that is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.core.errors import UsageError
from training.config.values import DataSection
from training.records import Record, RecordFile

IGNORED = -100
"""The label that cross-entropy leaves out."""
_CHUNK = 1024
"""Texts that are tokenised together; bounds memory, not the result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One record as tokens: `ids` in order, of which the first `asked` are the prompt's.

    `cut` tokens were lost to the maximum length.
    """

    ids: NDArray[np.int32]
    asked: int
    cut: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Sequences for training; each row holds one sample, or several that were packed.

    A map-style data set of dicts: `input_ids`, `labels` (-100 where nothing is learned) and
    `attention_mask`: 1 for the row's first sample, 2 for the second, and so on.
    """

    samples: tuple[Sample, ...]
    rows: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        ids: list[int] = []
        labels: list[int] = []
        mask: list[int] = []
        for number, at in enumerate(self.rows[index], start=1):
            sample = self.samples[at]
            own = sample.ids.tolist()
            ids += own
            labels += [IGNORED] * sample.asked + own[sample.asked :]
            mask += [number] * len(own)
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row."""
        own = np.array([len(s.ids) for s in self.samples], dtype=np.int64)
        return np.array([own[list(row)].sum() for row in self.rows], dtype=np.int64)


def encode(part: RecordFile, tokenizer: Any, section: DataSection) -> list[Sample | None]:
    """Encode a set; None in the place of a record whose whole response was cut off.

    Raises UsageError where the template does not fit, or where a record is too long and
    truncation is off.
    """
    made: list[Sample | None] = []
    texts = _texts(part, tokenizer, section.system)
    while chunk := list(islice(texts, _CHUNK)):
        asked = tokenizer([a for a, _ in chunk], add_special_tokens=False)["input_ids"]
        said = tokenizer([b for _, b in chunk], add_special_tokens=False)["input_ids"]
        for prompt, response in zip(asked, said, strict=True):
            made.append(_bounded(prompt, response, section, part.place(len(made))))
    return made


def one_a_row(samples: Sequence[Sample]) -> Examples:
    """No packing."""
    return Examples(samples=tuple(samples), rows=tuple((i,) for i in range(len(samples))))


def _bounded(
    prompt: list[int], response: list[int], section: DataSection, place: str
) -> Sample | None:
    length = len(prompt) + len(response)
    excess = max(0, length - section.max_length)
    if excess and not section.truncation:
        raise UsageError(
            f"{length} tokens; data.max_length is {section.max_length}, and truncation is off",
            where=place,
            remedy="raise data.max_length, or set data.truncation to true",
        )
    if excess >= len(response):
        return None
    ids = np.array((prompt + response)[: section.max_length], dtype=np.int32)
    return Sample(ids=ids, asked=len(prompt), cut=excess)


def _texts(part: RecordFile, tokenizer: Any, system: str) -> Iterator[tuple[str, str]]:
    """What is asked and what is answered, as the template writes them."""
    _require_template(tokenizer)
    before = [{"role": "system", "content": system}] if system else []
    special = re.compile("|".join(map(re.escape, sorted(tokenizer.all_special_tokens))) or "(?!)")
    for index, record in enumerate(part.records):
        _require_plain(record, special, part.place(index))
        asked = [*before, {"role": "user", "content": record.prompt}]
        prompt = _rendered(tokenizer, asked, open_ended=True)
        answer = {"role": "assistant", "content": record.output}
        whole = _rendered(tokenizer, [*asked, answer], open_ended=False)
        yield prompt, _response(whole, prompt, record, tokenizer, part.place(index))


def _require_plain(record: Record, special: re.Pattern[str], place: str) -> None:
    """In a text, `<|im_end|>` would be read as the token that ends a turn."""
    found = special.search(record.prompt) or special.search(record.output)
    if found:
        raise UsageError(
            f"the text holds {found[0]!r}, which is a special token of the model",
            where=place,
            remedy="write it in another way, or leave the record out",
        )


def _require_template(tokenizer: Any) -> None:
    if not getattr(tokenizer, "chat_template", None):
        raise UsageError(
            "the tokenizer has no chat template, so it is not known how the model is asked",
            where=str(getattr(tokenizer, "name_or_path", "")),
            remedy="use an instruct model, or put chat_template.jinja beside its tokenizer",
        )


def _rendered(tokenizer: Any, messages: list[dict[str, str]], *, open_ended: bool) -> str:
    text: str = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=open_ended
    )
    return text


def _response(whole: str, prompt: str, record: Record, tokenizer: Any, place: str) -> str:
    """What follows the generation prompt, up to the token that ends the turn."""
    response = whole.removeprefix(prompt)
    if response == whole or record.output.strip() not in response:
        raise UsageError(
            "the chat template does not write the answer after its generation prompt: "
            f"{whole[-80:]!r} after {prompt[-40:]!r}",
            where=place,
            remedy="use a model whose template does, as those of SmolLM2, Qwen2 and Llama 3",
        )
    end = tokenizer.eos_token or ""
    trimmed = response.rstrip()
    return trimmed if end and trimmed.endswith(end) else response + end
