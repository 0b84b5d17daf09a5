"""Engines struck in the middle of a generation: real faults in a real worker, on a real model.

Which prompt is struck by what stands in the environment, as JSON: `{"lamp and stone": "segfault"}`
strikes every generation whose text holds those words. The blow falls before the third pass unless
told otherwise: the prompt and two tokens have been computed by then.
"""

from __future__ import annotations

import ctypes
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.core.request import Generate, Request
from pytest_modelqa.engines.generation import Steps
from suites.chaos.naming import AT, BLOWS, GO, HERE, MEETING

_USUALLY = "3"
_POLL_S = 0.005

Blow = Callable[[], None]


def hang() -> None:
    """Native code that never returns; other threads go on, heartbeats too."""
    ctypes.CDLL(None).pause()


def hold() -> None:
    """The same with the interpreter's lock held: not even a heartbeat comes."""
    ctypes.PyDLL(None).pause()


def exhaust() -> None:
    """Python asks for more than the address space holds: MemoryError, which can be caught."""
    bytearray(1 << 46)


def meet() -> None:
    """Tell that the middle of a generation is reached, and wait to be killed or waved on; once."""
    here, go = (Path(os.environ[MEETING], name) for name in (HERE, GO))
    if here.exists():
        return
    part = here.with_suffix(".part")
    part.write_text(str(os.getpid()))
    part.replace(here)
    while not go.exists():
        time.sleep(_POLL_S)


class Striking:
    """What an engine inherits beside its own class to be struck. `blows` are those it knows."""

    blows: ClassVar[Mapping[str, Blow]] = {
        "hang": hang,
        "hold": hold,
        "exhaust": exhaust,
        "meet": meet,
    }
    _blow: Blow | None = None

    def answer(self, request: Request) -> Any:
        """Note whether this request is a victim; then answer it."""
        self._blow = self._blow_of(request)
        return super().answer(request)  # type: ignore[misc]  # of the engine beside it

    def sequence(self) -> Steps:
        """The engine's own, and the blow before one of its passes."""
        feed: Steps = super().sequence()  # type: ignore[misc]  # of the engine beside it
        blow, at = self._blow, int(os.environ.get(AT, _USUALLY))
        passes = 0

        def struck(ids: list[int]) -> NDArray[np.float32]:
            nonlocal passes
            passes += 1
            if passes == at and blow is not None:
                blow()
            return feed(ids)

        return struck

    def _blow_of(self, request: Request) -> Blow | None:
        if not isinstance(request, Generate):
            return None
        text = request.prompt if request.prompt is not None else request.messages[-1].content
        struck: dict[str, str] = json.loads(os.environ.get(BLOWS, "{}"))
        return next((self.blows[do] for words, do in struck.items() if words in text), None)
