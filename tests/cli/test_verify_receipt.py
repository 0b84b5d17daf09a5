"""`modelqa verify-receipt`: what was measured holds, and no edit does, however careful."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.cli import main
from pytest_modelqa.cli.verification import rejudged
from pytest_modelqa.core.errors import ExitCode
from pytest_modelqa.core.ids import content_key
from pytest_modelqa.core.receipt import CheckReceipt, Exchange, of_json, own_hash
from pytest_modelqa.core.wire import decode, encode
from pytest_modelqa.reports.receipt_summary import overall, summary
from tests.cli.conftest import Compared

Captured = pytest.CaptureFixture[str]
Body = dict[str, Any]
Edit = Callable[[Body], object]


def verify(file: Path, capsys: Captured, *options: str) -> tuple[int, Body]:
    """Exit code, and what was printed as JSON."""
    capsys.readouterr()
    code = main(["verify-receipt", str(file), "--json", *options])
    found: Body = json.loads(capsys.readouterr().out)
    return code, found


def edited(source: Compared, edit: Edit, folder: Path, *, forged: bool = True) -> Path:
    """A copy of the receipt after `edit` of its body; a forger makes its own hash anew."""
    document = copy.deepcopy(source.document)
    body = document["receipt"]
    edit(body)
    if forged:
        body["sha256"] = own_hash(body)
    file = folder / "edited.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


def test_receipts_hold_whatever_they_say(
    same: Compared, different: Compared, capsys: Captured
) -> None:
    for source, verdict in ((same, "same"), (different, "differs")):
        code, found = verify(source.receipt, capsys)
        assert (code, found["problems"]) == (ExitCode.OK, [])
        assert found["verdict"] == verdict
        assert len(found["checked"]) == 7


def test_a_receipt_is_measured_again(same: Compared, capsys: Captured) -> None:
    code, found = verify(same.receipt, capsys, "--rerun", "1", "--seed", "1")
    assert (code, found["problems"]) == (ExitCode.OK, [])
    assert any(text.startswith("measured again: ") for text in found["checked"])


def test_a_person_reads_what_was_checked_and_what_was_not(same: Compared, capsys: Captured) -> None:
    assert main(["verify-receipt", str(same.receipt)]) == ExitCode.OK
    said = capsys.readouterr().out
    assert "ok         own hash: the receipt is as it was written" in said
    assert "unchecked  nothing was measured again; --rerun K does" in said
    assert f"{same.receipt}: holds, and says: same" in said


def _exchange(body: Body, kind: str) -> Body:
    return next(e for e in body["exchanges"] if e["answer"]["kind"] == kind)


def _check(body: Body, name: str) -> Body:
    return next(c for c in body["checks"] if c["name"] == name)


def _halved(values: list[Any]) -> None:
    values[:] = [v / 2 for v in values]


def _without_an_exchange(body: Body) -> None:
    body["exchanges"].remove(_exchange(body, "LogitsCompared"))


def _without_checks(body: Body) -> None:
    """And without the diagnosis, which is made of the same answers."""
    body["checks"] = [c for c in body["checks"] if c["name"] not in ("logits-parity", "parity")]
    _summed(body)


def _without_settings(body: Body) -> None:
    for exchange in body["exchanges"]:
        exchange["engine"] = {"reference": {"name": "x"}}


def _another_prompt(body: Body) -> None:
    exchange = _exchange(body, "GreedyCompared")
    exchange["request"]["text"] = "What is the capital of Spain?"


def _summed(body: Body) -> None:
    """What a careful forger does: all aggregates anew."""
    exchanges = [decode(Exchange, e) for e in body["exchanges"]]
    body["summary"] = encode(summary(exchanges))
    body["overall"] = encode(overall([decode(CheckReceipt, c) for c in body["checks"]]))


EDITS: dict[str, tuple[Edit, str, str]] = {
    "the verdict of a check": (
        lambda b: _check(b, "logits-parity")["verdict"].update(outcome="falsified"),
        "verdicts",
        "says falsified, the answers are corroborated",
    ),
    "the reason of a check": (
        lambda b: _check(b, "tensor-parity")["verdict"].update(reason="all is well"),
        "verdicts",
        "the reason is",
    ),
    "how much was tested": (
        lambda b: _check(b, "greedy-parity")["verdict"].update(tested=100_000),
        "verdicts",
        "the tested is 100000",
    ),
    "the overall verdict": (
        lambda b: b["overall"].update(sameness="differs"),
        "arithmetic",
        'says "differs", the answers come to "same"',
    ),
    "a mean": (lambda b: b["summary"].update(kl_mean=1e-9), "arithmetic", "says 1e-09"),
    "a prompt's metric": (
        lambda b: b["summary"]["prompts"][0].update(kl_max=0.0), "arithmetic", "says 0.0"
    ),
    "a position": (
        lambda b: _halved(_exchange(b, "LogitsCompared")["answer"]["kl"]),
        "arithmetic",
        "the answers come to",
    ),
    "an id": (
        lambda b: _exchange(b, "GreedyCompared")["answer"]["candidate"]["ids"].reverse(),
        "arithmetic",
        "the answers come to",
    ),
    "a removed answer": (_without_an_exchange, "verdicts", "the receipt has no answer to"),
    "removed checks": (_without_checks, "keys", "no check has this answer as evidence"),
    "another prompt": (_another_prompt, "keys", "is not the key of this request"),
    "another artifact": (
        lambda b: b["candidate"].update(sha256="0" * 64), "keys", "is not the key of this request"
    ),
    "another engine": (
        lambda b: _exchange(b, "LogitsCompared")["engine"].update(build="llama 9"),
        "keys",
        "is not the key of this request",
    ),
    "the engine at the top": (
        lambda b: b["engine"].update(build="llama 9"), "arithmetic", 'says "llama 9"'
    ),
    "another quantisation": (
        lambda b: b["cell"]["artifact"].update(quantization="q4_0"), "arithmetic", "gguf-q4_0"
    ),
    "an answer beside another": (
        lambda b: b["exchanges"].append(copy.deepcopy(b["exchanges"][0])), "keys", "twice"
    ),
    "an engine without settings": (_without_settings, "arithmetic", "cannot be followed"),
    "another file": (
        lambda b: b["reference"]["files"][0].update(sha256="0" * 64), "artifact", "SHA-256 is"
    ),
    "another tokenizer": (
        lambda b: b["candidate"].update(tokenizer_sha256="0" * 64), "artifact", "tokenizer_sha256"
    ),
    "an unknown field": (lambda b: b.update(note="trust me"), "schema", "note"),
    "a missing field": (lambda b: b.pop("machine"), "schema", "machine"),
    "a text for a number": (
        lambda b: b["summary"].update(kl_mean="small"), "schema", "small"
    ),
    "no evidence for a verdict": (
        lambda b: _check(b, "logits-parity").update(evidence=[]), "verdicts", "without any evidence"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_with_a_new_hash_does_not_hold(
    name: str, same: Compared, tmp_path: Path, capsys: Captured
) -> None:
    edit, what, message = EDITS[name]
    code, found = verify(edited(same, edit, tmp_path), capsys)
    assert code == ExitCode.FAILED
    assert any(p["what"] == what and message in p["message"] for p in found["problems"]), found


def test_a_model_that_differs_is_not_the_same_for_want_of_the_check_that_failed(
    different: Compared, tmp_path: Path, capsys: Captured
) -> None:
    def shortened(body: Body) -> None:
        body["checks"] = [
            c for c in body["checks"]
            if c["name"] == "parity" or c["verdict"]["outcome"] == "corroborated"
        ]  # fmt: skip
        _summed(body)

    code, found = verify(edited(different, shortened, tmp_path), capsys)
    assert (code, found["verdict"]) == (ExitCode.OK, "differs")
    assert not any("tensor-parity" in text for text in found["checked"])


def test_any_edit_breaks_the_hash(same: Compared, tmp_path: Path, capsys: Captured) -> None:
    """Of what nothing else contradicts: the date, the machine."""
    for edit in (
        lambda b: b.update(created="2020-01-01T00:00:00Z"),
        lambda b: b["machine"].update(cpu="another"),
    ):
        code, found = verify(edited(same, edit, tmp_path, forged=False), capsys)
        assert code == ExitCode.FAILED
        assert [p["what"] for p in found["problems"]] == ["own hash"]


def _consistent(body: Body) -> None:
    """Better divergences than were measured, and everything that follows from them made anew."""
    for exchange in body["exchanges"]:
        if exchange["answer"]["kind"] == "LogitsCompared":
            _halved(exchange["answer"]["kl"])
    _summed(body)


def test_a_consistent_forgery_is_found_by_measuring_again(
    different: Compared, tmp_path: Path, capsys: Captured
) -> None:
    file = edited(different, _consistent, tmp_path)
    document = json.loads(file.read_text(encoding="utf-8"))
    _rejudge(document["receipt"])
    file.write_text(json.dumps(document), encoding="utf-8")
    assert verify(file, capsys)[0] == ExitCode.OK
    code, found = verify(file, capsys, "--rerun", "99")  # of one prompt, half may be within noise
    assert code == ExitCode.FAILED
    assert any(p["what"] == "measurement" and ".kl[" in p["where"] for p in found["problems"])


def _rejudge(body: Body) -> None:
    """The most careful forger judges again, with this tool's own checks."""
    receipt = of_json({"receipt": body})
    for said, check in zip(body["checks"], receipt.checks, strict=True):
        if check.evidence:
            said["verdict"] = encode(rejudged(check, receipt))
    _summed(body)
    body["sha256"] = own_hash(body)


def test_limits_that_were_chosen_are_told(same: Compared, tmp_path: Path, capsys: Captured) -> None:
    """Nothing contradicts a limit that is set high enough: a reader is told of it."""
    _, found = verify(same.receipt, capsys)
    assert any("steps = 6" in text for text in found["chosen"])


def test_the_models_are_found_where_they_are_named(
    same: Compared, f16: Path, negated: Path, tmp_path: Path, capsys: Captured
) -> None:
    moved = edited(same, lambda b: b["candidate"].update(source="file:/gone.gguf"), tmp_path)
    code, found = verify(moved, capsys)
    assert code == ExitCode.OK
    assert any("candidate: file:/gone.gguf is not here" in text for text in found["unchecked"])
    assert verify(moved, capsys, "--artifact", f"candidate={f16}")[1]["problems"] == []
    code, found = verify(moved, capsys, "--artifact", f"candidate={negated}")
    assert code == ExitCode.FAILED
    assert {p["what"] for p in found["problems"]} == {"artifact"}


def test_measuring_again_needs_the_models(same: Compared, tmp_path: Path, capsys: Captured) -> None:
    gone = edited(same, lambda b: b["reference"].update(source="file:/gone"), tmp_path)
    assert main(["verify-receipt", str(gone), "--rerun", "1"]) == ExitCode.NOTHING_RAN
    said = capsys.readouterr().err
    assert "the reference of this receipt is not here" in said
    assert "--artifact reference=PATH" in said


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "{}", '{"format": "modelqa-report"}'])
def test_what_is_no_receipt_is_wrong_input(text: str, tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "other.json"
    file.write_text(text, encoding="utf-8")
    assert main(["verify-receipt", str(file)]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert f"{file}: is no receipt" in said
    assert "Traceback" not in said


def test_wrong_options_are_wrong_input(same: Compared, capsys: Captured) -> None:
    for option in ("candidate", "=x", "candidate=", "other=x", "candidate=/absent"):
        code = main(["verify-receipt", str(same.receipt), "--artifact", option])
        assert code == ExitCode.USAGE
        assert "Traceback" not in capsys.readouterr().err


def test_keys_bind_requests_to_artifacts(same: Compared) -> None:
    body = same.document["receipt"]
    for exchange in body["exchanges"]:
        hashes = body["candidate"]["sha256"], body["reference"]["sha256"]
        key = content_key(exchange["request"], hashes[0], exchange["engine"], hashes[1])
        assert key == exchange["key"]
