"""An artifact on its way from file to open engine, inside a worker."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pytest_modelqa.artifacts.inspect import inspect
from pytest_modelqa.core.answer import Failure, Inspection
from pytest_modelqa.core.errors import Refused, Unavailable
from pytest_modelqa.engines import engine_table, resolve
from pytest_modelqa.engines.base import Engine, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ToOpen:
    """A model file and the engine that shall open it."""

    engine: str
    artifact: Path
    format: str
    settings: Settings


class Opening:
    """Opens once, when first needed; what it refused it refuses again."""

    def __init__(self, what: ToOpen, telling: Callable[[str], None]) -> None:
        self._what = what
        self._telling = telling
        self._engine: Engine | None = None
        self._refusal: Failure | None = None

    def engine(self, threads: int) -> Engine | Failure:
        """The opened model, computing with `threads`, or why there is none."""
        if self._engine is None and self._refusal is None:
            self._telling("opening")
            self._open()
            self._telling("opened")
        if self._engine is not None:
            self._engine.use_threads(threads)
            return self._engine
        assert self._refusal is not None
        return self._refusal

    @cached_property
    def inspection(self) -> Inspection:
        """Of a model file, once. A script is no model file: there is nothing to be unsafe."""
        if not engine_table()[self._what.engine].synthetic:
            return inspect(self._what.artifact, self._what.format)
        return Inspection(
            format="script",
            architecture="script",
            tensors=0,
            parameters=0,
            checked=1,
            findings=(),
            unsafe=False,
        )

    def unsafe(self) -> Failure | None:
        """Why this file may be given neither to a native loader nor to a reader of values."""
        seen = self.inspection
        if not seen.unsafe:
            return None
        first = seen.findings[0]
        return Failure(
            cause="refused",
            reason=f"not handed to the native loader: {first.code} at byte {first.offset}: "
            f"{first.message}",
        )

    def _open(self) -> None:
        self._refusal = self.unsafe()
        if self._refusal is not None:
            return
        try:
            _, engine = resolve(self._what.engine)
            self._engine = engine.open(self._what.artifact, self._what.settings)
        except Unavailable as error:
            self._refusal = Failure(cause="unavailable", reason=error.what, remedy=error.remedy)
        except Refused as error:
            self._refusal = Failure(cause="refused", reason=error.what, remedy=error.remedy)
        except MemoryError:
            self._refusal = Failure(
                cause="crashed", reason="out of memory while loading (limits.memory_mb)"
            )
        except Exception as error:  # noqa: BLE001 - a foreign loader may raise anything
            reason = f"loading raised {type(error).__name__}: {error}"
            self._refusal = Failure(cause="refused", reason=reason, detail=last_lines())


def last_lines() -> str:
    """The end of the traceback of the exception that is being handled."""
    return "".join(traceback.format_exc().splitlines(keepends=True)[-20:])
