"""The readers that are fuzzed, by the name of their target."""

from __future__ import annotations

from importlib import import_module

from pytest_modelqa.core.errors import UsageError
from suites.fuzz import (
    apr_files,
    gguf_files,
    limits,
    lock_files,
    playbook_files,
    probes,
    safetensors_files,
    template_files,
)
from suites.fuzz.reader import Reader

READERS: tuple[Reader, ...] = (
    Reader(
        name="gguf",
        seeds=gguf_files.seeds,
        mutated=gguf_files.mutated,
        probe=probes.probe_gguf,
    ),
    Reader(
        name="safetensors",
        seeds=safetensors_files.seeds,
        mutated=safetensors_files.mutated,
        probe=probes.probe_safetensors,
    ),
    Reader(name="apr", seeds=apr_files.seeds, mutated=apr_files.mutated, probe=probes.probe_apr),
    Reader(
        name="playbook",
        seeds=playbook_files.seeds,
        mutated=playbook_files.mutated,
        probe=probes.probe_playbook,
    ),
    Reader(
        name="lockfile",
        seeds=lock_files.seeds,
        mutated=lock_files.mutated,
        probe=probes.probe_lockfile,
    ),
    Reader(
        name="template",
        seeds=template_files.seeds,
        mutated=template_files.mutated,
        probe=probes.probe_template,
        growth_kib=limits.PROGRAM_KIB,
    ),
)


def reader(name: str) -> Reader:
    """A reader by its name; or by `module:function:argument`, made by the function for a model.

    Raises UsageError with the names that are known.
    """
    for known in READERS:
        if known.name == name:
            return known
    module, _, rest = name.partition(":")
    attribute, _, argument = rest.partition(":")
    if attribute:
        found = getattr(import_module(module), attribute)
        made = found(argument) if argument else found
        if isinstance(made, Reader):
            return made
    names = ", ".join(r.name for r in READERS)
    raise UsageError(f"no reader is called {name!r}", remedy=f"choose one of: {names}")
