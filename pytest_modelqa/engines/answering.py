"""How a model in this process answers requests: one way for every engine that holds one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.core.answer import (
    Answer,
    Description,
    Failure,
    Generation,
    Logits,
    Rendered,
    TokenIds,
)
from pytest_modelqa.core.comparison.templates import Conversation
from pytest_modelqa.core.errors import Refused
from pytest_modelqa.core.request import (
    Describe,
    Generate,
    Message,
    RenderChat,
    Request,
    Retrace,
    ScoreLogits,
    Tokenize,
)
from pytest_modelqa.core.stages import StageStatistics, Trace, Traced
from pytest_modelqa.engines.arrays import keep_logits
from pytest_modelqa.engines.generation import Begin, Completion, Job, Steps, complete
from pytest_modelqa.engines.retracing import retrace
from pytest_modelqa.engines.template import render
from pytest_modelqa.engines.tracing import Stage, Watch, statistics, top1
from pytest_modelqa.engines.vocabulary import Entries


class Model(Protocol):
    """What an engine's library must offer; ids are 0-based vocabulary indices."""

    n_ctx: int
    n_ids: int
    bos_id: int
    eos_id: int

    def describe(self) -> Description:
        """Tell what was opened."""

    def computing(self) -> AbstractContextManager[None]:
        """What `sequence` and `logits` run within, where `answer` does not see to it."""

    def tokenize(self, text: str, *, begin: bool, special: bool) -> list[int]:
        """Text to ids; `begin` adds BOS where the model has one, `special` parses control text."""

    def tokenize_all(
        self, texts: Sequence[str], *, begin: bool, special: bool
    ) -> Sequence[list[int]]:
        """Many texts to ids, each as `tokenize` does."""

    @property
    def entries(self) -> Entries:
        """What each id stands for."""

    def rendered_by_library(self, conversation: Conversation) -> str:
        """A conversation as the library itself renders the template. Raises Refused."""

    def decode(self, ids: Sequence[int], *, keep_special: bool) -> str:
        """Ids to text; a character that is cut off at the end is dropped."""

    def sequence(self) -> Steps:
        """A fresh, empty sequence."""

    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """Logits of every position: shape (len(ids), vocabulary)."""

    def logits_in(self, ids: Sequence[int], rows: int) -> Iterator[NDArray[np.float32]]:
        """Logits of every position, `rows` positions at a time, of one sequence computed so."""

    def use_threads(self, threads: int) -> None:
        """Compute with this many threads from now on."""

    def trace(self, ids: Sequence[int], watch: Watch) -> None:
        """Show every stage of one pass over `ids` to `watch`, which may replace its values."""

    def batch(self, jobs: Mapping[int, Job], begin: Begin) -> Iterator[tuple[int, Completion]]:
        """Complete jobs together, in order of completion."""

    @property
    def template(self) -> str:
        """The chat template, or empty."""

    @property
    def token_texts(self) -> Mapping[str, str]:
        """`bos_token` and the like, for templates."""

    @property
    def stop_ids(self) -> Collection[int]:
        """Ids that end a generation."""

    @property
    def control_ids(self) -> Collection[int]:
        """Ids that decode to nothing."""


def answer(model: Model, request: Request, arrays: Path) -> Answer:
    """Answer one request, without state from earlier ones; logits are kept in `arrays`."""
    match request:
        case Describe():
            return model.describe()
        case Tokenize():
            ids = model.tokenize(request.text, begin=False, special=request.special)
            return TokenIds(ids=tuple(ids), decoded=model.decode(ids, keep_special=True))
        case RenderChat():
            return Rendered(text=_rendered(model, request.messages, request.add_generation_prompt))
        case Generate():
            return _generation(model, request)
        case ScoreLogits():
            return _scored(model, request, arrays)
        case Retrace() | Trace():
            return _watched(model, request)
        case _:
            raise TypeError(f"no engine answers {type(request).__name__}")


def answer_batch(
    model: Model, requests: Sequence[Generate], begin: Begin
) -> Iterator[tuple[int, Answer]]:
    """Answer generations together; a prompt that cannot be put fails alone."""
    jobs = {}
    for index, request in enumerate(requests):
        try:
            job = _job(model, request)
        except Refused as error:
            job = Failure(cause="refused", reason=error.what, remedy=error.remedy)
        if isinstance(job, Failure):
            begin(index)
            yield index, job
        else:
            jobs[index] = job
    if jobs:
        for index, made in model.batch(jobs, begin):
            yield index, _told(model, made)


def _generation(model: Model, request: Generate) -> Generation | Failure:
    job = _job(model, request)
    return job if isinstance(job, Failure) else _told(model, complete(model.sequence(), job))


def _watched(model: Model, request: Retrace | Trace) -> Answer:
    return _traced(model, request) if isinstance(request, Trace) else _retraced(model, request)


def _retraced(model: Model, request: Retrace) -> Answer:
    job = _job(model, request.generation)
    return job if isinstance(job, Failure) else retrace(model, job, request.top)


def _traced(model: Model, request: Trace) -> Traced | Failure:
    if request.chat:
        asked = Generate(
            messages=(Message(role="user", content=request.text),), max_tokens=request.steps
        )
    else:
        asked = Generate(prompt=request.text, max_tokens=request.steps)
    job = _job(model, asked)
    if isinstance(job, Failure):
        return job
    seen: dict[Stage, StageStatistics] = {}
    best: tuple[int, ...] = ()

    def watch(stage: Stage, values: NDArray[np.float32]) -> None:
        nonlocal best
        seen[stage] = statistics(stage, values)
        if stage.block == "logits":
            best = top1(values)

    model.trace(job.prompt, watch)
    return Traced(
        ids=tuple(job.prompt),
        stages=tuple(seen.values()),
        top1=best,
        greedy=tuple(complete(model.sequence(), job).ids),
        pad_id=model.describe().pad_id,
    )


def _job(model: Model, request: Generate) -> Job | Failure:
    prompt = _prompt(model, request)
    if len(prompt) >= model.n_ctx:
        return _too_long(len(prompt), model.n_ctx)
    return Job(
        prompt=prompt,
        request=request,
        stop_ids=model.stop_ids,
        n_ctx=model.n_ctx,
        decode=partial(model.decode, keep_special=False),
    )


def _told(model: Model, made: Completion) -> Generation:
    return Generation(
        prompt_tokens=len(made.job.prompt),
        ids=tuple(made.ids),
        text=model.decode(made.ids, keep_special=False),
        finish=made.finish,
        nonfinite_steps=made.nonfinite_steps,
        special_ids=sum(i in model.control_ids for i in made.ids),
        prefill_s=made.prefill_s,
        decode_s=made.decode_s,
        peaks=tuple(made.peaks),
    )


def _prompt(model: Model, request: Generate) -> list[int]:
    """Ids of the rendered conversation, or of the raw prompt; never empty."""
    if request.prompt is None:
        text = _rendered(model, request.messages, add_generation_prompt=True)
        return model.tokenize(text, begin=False, special=True)
    return model.tokenize(request.prompt, begin=True, special=True) or _beginning(model)


def _beginning(model: Model) -> list[int]:
    """What an empty prompt starts from: BOS, else EOS, as a document boundary."""
    for token in (model.bos_id, model.eos_id):
        if token >= 0:
            return [token]
    raise Refused("the model has neither BOS nor EOS to start an empty prompt from")


def _rendered(model: Model, messages: Sequence[Message], add_generation_prompt: bool) -> str:
    return render(
        model.template,
        messages,
        add_generation_prompt=add_generation_prompt,
        tokens=dict(model.token_texts),
    )


def _scored(model: Model, request: ScoreLogits, arrays: Path) -> Logits | Failure:
    ids = list(request.ids) or model.tokenize(request.text, begin=True, special=True)
    if len(ids) > model.n_ctx:
        return _too_long(len(ids), model.n_ctx)
    if wrong := [i for i in ids if not 0 <= i < model.n_ids]:
        reason = f"id {wrong[0]} is outside the vocabulary of {model.n_ids}"
        return Failure(cause="error", reason=reason)
    return keep_logits(model.logits(ids), arrays)


def _too_long(tokens: int, n_ctx: int) -> Failure:
    """A prompt that does not fit was not tested: unavailable, never cut silently."""
    return Failure(
        cause="unavailable",
        reason=f"the prompt is {tokens} tokens long and the context holds {n_ctx}",
        remedy="raise limits.n_ctx in the playbook, or shorten the prompt",
    )
