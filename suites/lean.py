"""Importing less: what the compiler of torch is imported for, and never used here.

bitsandbytes, which peft imports wherever it is installed, decorates its fallbacks for processors
with `torch.compile`, and transformers its paged cache with `torch.compiler.disable`. The decorator
alone imports torch's compiler: two thirds of the time that `import peft` takes, a fifth of what
transformers' models take. Everything here runs eagerly, and is the same code without decorators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch


@contextmanager
def uncompiled() -> Iterator[None]:
    """While active, the decorators of torch's compiler give functions back as they are."""
    with (
        mock.patch.object(torch, "compile", _as_it_is),
        mock.patch.object(torch.compiler, "disable", _as_it_is),
    ):
        yield


def _as_it_is(function: Callable[..., Any] | None = None, **_settings: Any) -> Any:
    """The function itself, called as a decorator with arguments or without."""
    return (lambda given: given) if function is None else function
