"""A run that a watcher stopped."""

from __future__ import annotations

from pytest_modelqa.core.errors import ExitCode, ModelQAError


class Stopped(ModelQAError):
    """A warning sign whose action is to stop; a checkpoint was saved, the message says what now."""

    exit_code = ExitCode.FAILED
