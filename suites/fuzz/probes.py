"""What reads each kind of file, and what must be true of the answer.

A sound answer is compared with something that does not share its code: the places of tensors with
the size of the file, a safetensors header with the library's own reader, a GGUF header with the
gguf package's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from pytest_modelqa.artifacts import apr, gguf, safetensors
from pytest_modelqa.artifacts.codes import CODES
from pytest_modelqa.artifacts.inspect import inspect
from pytest_modelqa.artifacts.lock import load_lock
from pytest_modelqa.artifacts.templates import MAX_RENDERED_CHARS
from pytest_modelqa.core.answer import Finding, Inspection
from pytest_modelqa.core.errors import PlaybookError, Refused
from pytest_modelqa.core.request import Message
from suites.fuzz import apr_files, gguf_files, limits, lock_files, playbook_files, template_files
from suites.fuzz.reader import Held, Unsound

_MOST_FINDINGS, _LONGEST = 101, 3000
"""What an inspection promises: 100 findings and a last one that counts the rest; short texts."""


_SOUND, _UNSAFE = "sound", "unsafe"


class _Span(NamedTuple):
    start: int
    end: int


def _findings(held: Held, found: Sequence[Finding]) -> None:
    held.must("findings_bounded", len(found) <= _MOST_FINDINGS, f"{len(found)} findings")
    for finding in found:
        known = finding.code in CODES and bool(finding.message)
        held.must("findings_known", known, f"{finding.code}: {finding.message[:80]}")
        text = finding.where + finding.message
        plain = len(text) < _LONGEST and text.isprintable()
        held.must("findings_printable", plain, ascii(text[:200]))


def _places(held: Held, spans: Iterable[_Span], size: int) -> None:
    """The tensors of a sound file lie within it, and none shares a byte with another."""
    end = 0
    for span in sorted(spans):
        inside = end <= span.start <= span.end <= size
        held.must("tensors_inside", inside, f"{span} after {end} in a file of {size}")
        end = span.end


def _inspected(held: Held, path: Path, form: str) -> Inspection:
    seen = inspect(path, form)
    _findings(held, seen.findings)
    counted = seen.checked > 0 or bool(seen.findings)
    held.must("never_green_by_silence", counted, "nothing was checked and nothing found")
    return seen


def _answer(seen: Inspection) -> str:
    """Safe to load; with errors where the configuration disagrees with the tensors."""
    return "inconsistent" if any(f.severity == "error" for f in seen.findings) else _SOUND


def probe_gguf(folder: Path, held: Held) -> str:
    """GGUF: the header, and the comparison of what it says with its tensors."""
    file = folder / gguf_files.NAME
    seen = _inspected(held, file, "gguf")
    if seen.unsafe:
        return _UNSAFE
    header = gguf.read(file)
    held.must("agrees_with_itself", len(header.tensors) == seen.tensors, "number of tensors")
    _places(held, (_Span(t.offset, t.offset + t.bytes) for t in header.tensors),
            file.stat().st_size)  # fmt: skip
    if header.version >= _PACKAGE_READS and header.tensors:
        _gguf_package(held, file, header)
    return _answer(seen)


_PACKAGE_READS = 2


def _gguf_package(held: Held, file: Path, header: gguf.Header) -> None:
    """The gguf package reads the same names, shapes and places, wherever it reads the file."""
    from gguf import GGUFReader  # noqa: PLC0415 - loaded once something is sound

    try:
        other = GGUFReader(file)
    except Exception as error:
        raise Unsound(f"package_agrees: {type(error).__name__}: {error!s:.200}") from error
    ours = [(t.name, t.shape, t.offset) for t in header.tensors]
    theirs = [(t.name, tuple(map(int, t.shape)), int(t.data_offset)) for t in other.tensors]
    held.must("package_agrees", ours == theirs, f"{ours[:2]} and {theirs[:2]}")


def probe_safetensors(folder: Path, held: Held) -> str:
    """A folder of safetensors: headers, index, config.json, tokenizer.json."""
    seen = _inspected(held, folder, "safetensors")
    if seen.unsafe:
        return _UNSAFE
    for file in sorted({t.file for t in safetensors.read_folder(folder).tensors}):
        alone = safetensors.read_file(file)
        _places(held, (_Span(t.offset, t.offset + t.bytes) for t in alone.tensors),
                file.stat().st_size)  # fmt: skip
        _safetensors_library(held, file, alone)
    return _answer(seen)


def _safetensors_library(held: Held, file: Path, header: safetensors.Header) -> None:
    """What we call sound, the library opens, with the same names and shapes."""
    import safetensors as library  # noqa: PLC0415 - loaded once something is sound

    deserialize: Any = library.deserialize
    try:
        other = {name: tuple(t["shape"]) for name, t in deserialize(file.read_bytes())}
    except library.SafetensorError as error:
        raise Unsound(f"library_agrees: {error!s:.200}") from error
    ours = {t.name: t.shape for t in header.tensors}
    held.must("library_agrees", ours == other, f"{ours} and {other}"[:300])


def probe_apr(folder: Path, held: Held) -> str:
    """APR v2: header, index, checksums, and the metadata against the tensors."""
    file = folder / apr_files.NAME
    seen = _inspected(held, file, "apr")
    if seen.unsafe:
        return _UNSAFE
    spans = [_Span(t.offset, t.offset + t.bytes) for t in apr.read(file).tensors]
    _places(held, spans, file.stat().st_size - apr.FOOTER_BYTES)
    return _answer(seen)


@cache
def _oracles() -> Any:
    from pytest_modelqa.checks.oracles import oracle_table  # noqa: PLC0415 - tree-sitter

    return oracle_table()


def probe_playbook(folder: Path, held: Held) -> str:
    """A playbook: accepted, or all of its mistakes with places that are in a file."""
    from pytest_modelqa.playbook.load import load  # noqa: PLC0415 - pydantic

    file = folder / playbook_files.NAME
    try:
        book = load(file, _oracles())
    except PlaybookError as error:
        lines = len(file.read_bytes().splitlines()) + 1
        for problem in error.problems:
            here = 1 <= problem.line <= max(lines, _LINES_OF_TEMPLATES) and problem.column >= 1
            held.must("problems_placed", here, f"{problem}")
            held.must("problems_told", bool(problem.message.strip()), f"{problem}")
        held.must("problems_told", bool(error.problems), "an error without a problem")
        raise
    held.must("accepted_is_whole", bool(book.sha256 and book.model.id), "an empty playbook")
    finite = all(0 <= s.temperature < float("inf") and s.max_tokens > 0 for s in book.scenarios)
    held.must("accepted_is_whole", finite, "a scenario with impossible numbers")
    return _SOUND


_LINES_OF_TEMPLATES = 400
"""A problem may stand in a template that the playbook extends."""


def probe_lockfile(folder: Path, held: Held) -> str:
    """A lockfile: whatever is accepted stays in its folder and pins what it names."""
    lock = load_lock(folder / lock_files.NAME)
    for entry in lock.entries:
        held.must("source_is_parsed", bool(entry.parsed.scheme), entry.source)
        for file in entry.files:
            parts = Path(file.path).parts
            stays = not Path(file.path).is_absolute() and not {"..", "."} & set(parts)
            held.must("paths_stay", stays and "\\" not in file.path, ascii(file.path))
            held.must("hash_is_whole", len(bytes.fromhex(file.sha256)) == _SHA256, file.sha256)
    return _SOUND


_SHA256 = 32


def probe_template(folder: Path, held: Held) -> str:
    """A chat template: a bounded text, or refused; what takes too much ends in its own process."""
    from pytest_modelqa.artifacts import templates  # noqa: PLC0415

    template = (folder / template_files.NAME).read_text(encoding="utf-8", errors="replace")
    turns = (Message(role="system", content="be kind"), Message(role="user", content="hello"))
    try:
        with limits.processor_time(limits.CPU_S / 2):  # the rest is left for its own process
            seen = templates.attempt(template, {"bos_token": "<s>"})
            known = bool(seen.problem) != bool(seen.text) and len(seen.detail) < _LONGEST
            held.must("attempt_is_told", known, f"{seen.problem} {seen.detail}"[:200])
            text = _said(template, turns)
    except (limits.OutOfTime, MemoryError):
        seen = templates.render(template, "{}")
        bounded = len(seen.text) <= MAX_RENDERED_CHARS and bool(seen.problem or seen.text)
        held.must("ends_in_its_process", bounded, f"{seen.problem} {seen.detail}"[:200])
        return "ended in its process"
    held.must("text_is_bounded", len(text) <= MAX_RENDERED_CHARS, f"{len(text)} characters")
    return _SOUND


def _said(template: str, turns: Sequence[Message]) -> str:
    """What the engine renders; without the system's turn where the template refuses that.

    Such as Gemma's: with that turn alone each copy of it would be refused at once.
    """
    from pytest_modelqa.engines.template import render  # noqa: PLC0415

    say = partial(render, template, add_generation_prompt=True, tokens={"bos_token": "<s>"})
    try:
        return say(turns)
    except Refused:
        return say(turns[1:])
