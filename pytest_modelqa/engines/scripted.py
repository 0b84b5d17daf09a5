"""An engine that answers from a script: for tests of the runtime, on the production seam.

The artifact is a JSON file. `load` says what opening does; `rules` are tried in order, the first
whose `match` is a substring of the prompt (or of the last message) decides; `text` is answered,
or `do` is done, each after `delay_s` seconds:

    {"load": "ok", "rules": [{"match": "2 + 2", "text": "4"}, {"match": "boom", "do": "segfault"}],
     "text": "I am a script."}

`do`: segfault, abort, kill, exit, hang, stop, raise, oom, garble, nan, empty, pad, cut, and
"kill once", which a file beside the script remembers. A playbook must name this engine; nothing
falls back to it.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np

from pytest_modelqa.core.answer import (
    Answer,
    Description,
    Generation,
    Rendered,
    Retraced,
    TokenIds,
    TracedStep,
)
from pytest_modelqa.core.errors import Refused
from pytest_modelqa.core.request import (
    Describe,
    Generate,
    RenderChat,
    Request,
    Retrace,
    ScoreLogits,
    Tokenize,
)
from pytest_modelqa.engines.arrays import keep_logits
from pytest_modelqa.engines.base import Settings
from pytest_modelqa.engines.generation import Begin

_VOCABULARY = 256
_BATCH = 8


class Scripted:
    """Prompts are tokenized into bytes, answers into words; logits are a fixed ramp."""

    def __init__(self, script: dict[str, Any], settings: Settings) -> None:
        self._script = script
        self._settings = settings

    @classmethod
    def open(cls, artifact: Path, settings: Settings) -> Self:
        """Read the script and do what `load` says. Raises Refused for `"load": "refuse"`."""
        script = json.loads(artifact.read_text())
        load = script.get("load", "ok")
        if load == "refuse":
            raise Refused("the script refuses to load", where=str(artifact))
        if load != "ok":
            _misbehave(load)
        script["struck"] = artifact.with_suffix(".struck")
        return cls(script, settings)

    def describe(self) -> Description:
        """A vocabulary of bytes."""
        return Description(
            engine="scripted",
            build="scripted 1",
            architecture="script",
            backend=self._settings.backend,
            dtype="none",
            threads=self._settings.threads,
            n_vocab=_VOCABULARY,
            n_ctx=self._settings.n_ctx,
            n_ctx_train=self._settings.n_ctx,
            n_params=0,
            bos_id=-1,
            eos_id=0,
            pad_id=-1,
            stop_ids=(0,),
            template_sha256="",
        )

    def answer(self, request: Request) -> Answer:
        """Answer by the first rule that matches."""
        match request:
            case Describe():
                return self.describe()
            case Tokenize():
                return TokenIds(ids=tuple(request.text.encode()), decoded=request.text)
            case RenderChat():
                return Rendered(text="\n".join(m.content for m in request.messages))
            case Generate():
                return self._generate(request)
            case Retrace():
                return _retraced(self._generate(request.generation))
            case ScoreLogits():
                count = len(request.ids) or len(request.text)
                ramp = np.linspace(-1, 1, _VOCABULARY, dtype=np.float32)
                return keep_logits(np.tile(ramp, (count, 1)), self._settings.arrays)
            case _:
                raise TypeError(f"the script does not answer {type(request).__name__}")

    def use_threads(self, threads: int) -> None:
        """A script needs none."""

    def answer_batch(
        self, requests: Sequence[Generate], begin: Begin
    ) -> Iterator[tuple[int, Answer]]:
        """Eight at a time: all of them have begun before the first one is answered."""
        for start in range(0, len(requests), _BATCH):
            chunk = range(start, min(start + _BATCH, len(requests)))
            for index in chunk:
                begin(index)
            for index in chunk:
                yield index, self._generate(requests[index])

    def close(self) -> None:
        """Nothing to free."""

    def _generate(self, request: Generate) -> Generation:
        prompt = request.prompt if request.prompt is not None else request.messages[-1].content
        rule: dict[str, Any] = next(
            (r for r in self._script.get("rules", ()) if r["match"] in prompt), {}
        )
        do = rule.get("do", "")
        time.sleep(self._script.get("delay_s", 0))
        text = rule.get("text", self._script.get("text", ""))
        if do in ("nan", "empty", "pad"):
            text = ""
        elif do == "kill once":
            _kill_once(self._script["struck"])
        elif do and do != "cut":
            _misbehave(do)
        pieces = re.findall(r"\S+\s*|\s+", _until(text, request.stop))
        kept = pieces[: request.max_tokens]
        ids = tuple(len(p) % _VOCABULARY for p in kept) if do != "pad" else (1,) * 16
        whole = len(kept) == len(pieces) and do != "cut"
        return Generation(
            prompt_tokens=len(prompt.encode()),
            ids=ids,
            text="".join(kept),
            finish="stop" if whole else "length",
            nonfinite_steps=int(do == "nan"),
            special_ids=len(ids) if do == "pad" else 0,
            prefill_s=0.001,
            decode_s=0.001,
            peaks=(1.0,) * len(ids),
        )


def _until(text: str, stop: tuple[str, ...]) -> str:
    """The text up to the end of the first stop text in it."""
    ends = [at + len(s) for s in stop if (at := text.find(s)) >= 0]
    return text[: min(ends, default=len(text))]


def _retraced(made: Generation) -> Retraced:
    """The same ids, each of them certain; a text that ended chose id 0."""
    chosen = (*made.ids, *((0,) if made.finish == "stop" else ()))
    steps = (TracedStep(ids=(i,), logits=(1.0,), rescored=(1.0,)) for i in chosen)
    return Retraced(ids=made.ids, finish=made.finish, stop_ids=(0,), steps=tuple(steps))


def _misbehave(how: str) -> None:
    if how not in _DEEDS:
        raise RuntimeError(f"the script says: {how}")
    _DEEDS[how]()


def _kill_once(struck: Path) -> None:
    if not struck.exists():
        struck.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _garble() -> None:
    for fd in range(3, 32):
        with suppress(OSError):
            os.write(fd, b"\x00\xffnot the protocol\n")


def _exhaust() -> None:
    hoard = []
    while True:
        hoard.append(bytes(64 << 20))  # address space; no page is touched


_DEEDS: dict[str, Callable[[], object]] = {
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda: os._exit(3),
    "hang": lambda: time.sleep(3600),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "oom": _exhaust,
    "garble": _garble,
}
