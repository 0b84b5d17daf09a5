"""Evidence as a run writes it: one line of each type, each request and each answer."""

from __future__ import annotations

import json
import math
import zlib
from typing import Any

from pytest_modelqa.core.answer import (
    Answer,
    Description,
    Failure,
    Finding,
    Generation,
    Inspection,
    Logits,
    Rendered,
    Retraced,
    TokenIds,
    TracedStep,
)
from pytest_modelqa.core.ids import canonical, content_key
from pytest_modelqa.core.measuring import Measured, MeasuredRow, Measurement, measure
from pytest_modelqa.core.request import (
    Describe,
    Generate,
    Inspect,
    Message,
    RenderChat,
    Request,
    Retrace,
    ScoreLogits,
    Tokenize,
)
from pytest_modelqa.core.wire import encode
from tests.reports.records import CELLS, SHA256, mixed

TIME = "2026-01-02T03:04:06Z"
SETTINGS = {"backend": "cpu", "n_ctx": 2048, "dtype": "float32", "mode": "exact"}
TURN = Message(role="user", content="Where is Paris? \x07 日本")

EXCHANGES: tuple[tuple[Request, Answer], ...] = (
    (
        Inspect(),
        Inspection(
            format="gguf",
            architecture="llama",
            tensors=272,
            parameters=134_515_008,
            checked=310,
            findings=(Finding(code="SHORT", where="blk.0.attn_q", message="3 bytes", offset=7),),
            unsafe=False,
        ),
    ),
    (
        Describe(),
        Description(
            engine="llamacpp",
            build="llama-cpp-python 0.3.16",
            architecture="llama",
            backend="cpu",
            dtype="q4_1",
            threads=2,
            n_vocab=49152,
            n_ctx=2048,
            n_ctx_train=8192,
            n_params=134_515_008,
            bos_id=1,
            eos_id=2,
            pad_id=-1,
            stop_ids=(2,),
            template_sha256="",
        ),
    ),
    (Tokenize(text="a\x00b"), TokenIds(ids=(81, 82), decoded="ab")),
    (RenderChat(messages=(TURN,)), Rendered(text="<|im_start|>user")),
    (
        Generate(messages=(TURN,)),
        Generation(
            prompt_tokens=12,
            ids=(7, 8),
            text="In France.",
            finish="stop",
            nonfinite_steps=0,
            special_ids=0,
            prefill_s=0.05,
            decode_s=0.02,
            peaks=(18.5, 17.25),
        ),
    ),
    (
        ScoreLogits(ids=(1, 2)),
        Logits(
            file="arrays/a.safetensors",
            sha256=SHA256,
            positions=2,
            vocabulary=49152,
            nonfinite=1,
            spread=math.nan,
            top1=(-1, 5),
        ),
    ),
    (
        Retrace(generation=Generate(messages=(TURN,))),
        Retraced(
            ids=(7,),
            finish="length",
            stop_ids=(2,),
            steps=(TracedStep(ids=(7, 9), logits=(18.5, 3.0), rescored=(18.4, 3.1)),),
        ),
    ),
    (
        measure("gradients", {"layers": "0", "seed": 7}),
        Measurement(
            rows=(
                MeasuredRow(
                    values=(
                        Measured(name="name", value="loss: lm_head.weight"),
                        Measured(name="relative_error", value=math.nan),
                        Measured(name="elements", value=384),
                        Measured(name="worst", value=None),
                        Measured(name="tied", value=False),
                    )
                ),
            )
        ),
    ),
    (
        Generate(prompt="Once", max_tokens=8),
        Failure(cause="crashed", reason="the worker died of signal 11 (SIGSEGV)"),
    ),
)


def lines() -> list[dict[str, Any]]:
    """A whole run, each line with its checksum."""
    whole = mixed()
    found: list[dict[str, Any]] = [
        {"type": "run", "run": encode(whole.run), "planned": encode(whole.planned)}
    ]
    found += [{"type": "artifact", "artifact": encode(a)} for a in whole.artifacts]
    found += [_answer(request, answer) for request, answer in EXCHANGES]
    found += [{"type": "incident", "cell": CELLS[0], "text": "2 requests under way: it died"}]
    found += [{"type": "result", "result": encode(r)} for r in whole.results]
    found += [{"type": "end", "ended": TIME, "interrupted": False}]
    return [{**line, "crc": checksum(line)} for line in found]


def checksum(line: dict[str, Any]) -> str:
    """CRC-32 of the canonical line."""
    return f"{zlib.crc32(canonical(line).encode()):08x}"


def jsonl() -> str:
    """The run as text."""
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines())


def _answer(request: Request, answer: Answer) -> dict[str, Any]:
    engine = {"name": "llamacpp", "build": "llama-cpp-python 0.3.16", "settings": SETTINGS}
    return {
        "type": "answer",
        "key": content_key(encode(request), SHA256, engine),
        "cell": CELLS[0],
        "artifact_sha256": SHA256,
        "engine": engine,
        "request": encode(request),
        "answer": encode(answer),
        "seconds": 0.07,
        "resumed": False,
        "time": TIME,
    }
