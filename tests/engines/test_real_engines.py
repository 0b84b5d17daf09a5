"""Both engines on the real model, in workers: what they say, and what they refuse."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.core.answer import (
    Answer,
    Description,
    Failure,
    Generation,
    Logits,
    Rendered,
    TokenIds,
)
from pytest_modelqa.core.model import ArtifactSpec
from pytest_modelqa.core.request import (
    Describe,
    Generate,
    Message,
    RenderChat,
    Request,
    ScoreLogits,
    Tokenize,
)
from pytest_modelqa.runtime.machine import address_space, cache_bytes, threads_per_worker
from pytest_modelqa.runtime.pool import Pool
from pytest_modelqa.runtime.protocol import WorkerConfig

QUESTION = (Message(role="user", content="What is 2 + 2?"),)
TEXT = "The quick brown fox jumps over the lazy dog 1234 times."
SPECIAL = "<|im_start|>user\nhi<|im_end|>"

REQUESTS: dict[str, Request] = {
    "description": Describe(),
    "ids": Tokenize(text=TEXT),
    "special": Tokenize(text=SPECIAL, special=True),
    "plain": Tokenize(text=SPECIAL, special=False),
    "chat": RenderChat(messages=QUESTION),
    "one": Generate(messages=QUESTION, max_tokens=12),
    "two": Generate(messages=QUESTION, max_tokens=12),
    "until": Generate(messages=QUESTION, max_tokens=12, stop=("4",)),
    "raw": Generate(prompt="The sea is", max_tokens=4),
    "empty": Generate(prompt="", max_tokens=2),
    "logits": ScoreLogits(text="The sea is"),
    "outside": ScoreLogits(ids=(1, 10**6)),
    "too_long": Generate(prompt="word " * 300, max_tokens=1),
}

ENGINES = {"llamacpp": "gguf", "transformers": "safetensors"}


@pytest.fixture(scope="module")
def configs(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, WorkerConfig]:
    gguf = ArtifactSpec(model="m", format="gguf", quantization="q4_1", source=f"file:{smollm2}")
    folder = ArtifactSpec(
        model="m", format="safetensors", quantization="f32", source="derive:gguf-q4_1"
    )
    specs = {gguf.key: gguf, folder.key: folder}
    where = tmp_path_factory.mktemp("engines")
    made = {}
    for engine, spec in (("llamacpp", gguf), ("transformers", folder)):
        made[engine] = WorkerConfig(
            engine=engine,
            artifact=provision(spec, specs, folder=where).path,
            format=spec.format,
            backend="cpu",
            threads=threads_per_worker(),
            n_ctx=256,
            arrays=where / "arrays",
            memory_bytes=address_space(None),
            cache_bytes=cache_bytes(),
        )
    return made


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    logs = tmp_path_factory.mktemp("logs")
    with Pool(logs=logs, load_timeout_s=120, request_floor_s=60, request_timeout_s=60) as made:
        yield made


@pytest.fixture(scope="module")
def said(pool: Pool, configs: dict[str, WorkerConfig]) -> dict[str, dict[str, Answer]]:
    """Everything both engines answer, by engine and name."""
    everything = {}
    for engine in ENGINES:
        got = dict(pool.answer(configs[engine], list(REQUESTS.values())))
        everything[engine] = {n: got[i].answer for i, n in enumerate(REQUESTS)}
    return everything


@pytest.mark.parametrize("engine", ENGINES)
def test_a_description_tells_the_model(said: dict[str, dict[str, Answer]], engine: str) -> None:
    seen = said[engine]["description"]
    assert isinstance(seen, Description)
    assert (seen.n_params, seen.n_vocab, seen.n_ctx) == (134_515_008, 49_152, 256)
    assert (seen.bos_id, seen.eos_id, seen.pad_id) == (1, 2, 2)
    assert seen.architecture == "llama"
    assert seen.build.startswith(("llama-cpp-python", "transformers"))


def test_both_engines_split_and_render_alike(said: dict[str, dict[str, Answer]]) -> None:
    for name in ("ids", "special", "plain", "chat"):
        assert said["llamacpp"][name] == said["transformers"][name], name
    special, plain = said["llamacpp"]["special"], said["llamacpp"]["plain"]
    assert isinstance(special, TokenIds)
    assert isinstance(plain, TokenIds)
    assert 1 in special.ids
    assert 1 not in plain.ids
    chat = said["llamacpp"]["chat"]
    assert isinstance(chat, Rendered)
    assert chat.text.endswith("<|im_start|>assistant\n")


@pytest.mark.parametrize("engine", ENGINES)
def test_greedy_answers_repeat_exactly(said: dict[str, dict[str, Answer]], engine: str) -> None:
    one, two = said[engine]["one"], said[engine]["two"]
    assert isinstance(one, Generation)
    assert isinstance(two, Generation)
    assert (one.ids, one.text, one.finish) == (two.ids, two.text, two.finish)
    assert "4" in one.text


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stop_text_ends_the_answer_at_its_id(
    said: dict[str, dict[str, Answer]], engine: str
) -> None:
    whole, until = said[engine]["one"], said[engine]["until"]
    assert isinstance(whole, Generation)
    assert isinstance(until, Generation)
    assert until.finish == "stop"
    assert whole.ids[: len(until.ids)] == until.ids
    assert "4" in until.text
    assert "4" not in until.text[:-1], "it ends with the id that completes the stop text"


@pytest.mark.parametrize("engine", ENGINES)
def test_the_first_generated_id_is_the_greatest_logit(
    said: dict[str, dict[str, Answer]], engine: str
) -> None:
    """The alignment that an echo of log-probabilities once had off by one position."""
    raw, logits = said[engine]["raw"], said[engine]["logits"]
    assert isinstance(raw, Generation)
    assert isinstance(logits, Logits)
    assert logits.positions == raw.prompt_tokens
    assert logits.top1[-1] == raw.ids[0]
    assert logits.nonfinite == 0


def test_both_engines_prefer_the_same_tokens(said: dict[str, dict[str, Answer]]) -> None:
    ours, theirs = said["llamacpp"]["logits"], said["transformers"]["logits"]
    assert isinstance(ours, Logits)
    assert isinstance(theirs, Logits)
    assert ours.top1 == theirs.top1


@pytest.mark.parametrize("engine", ENGINES)
def test_what_cannot_be_answered_is_never_cut_or_guessed(
    said: dict[str, dict[str, Answer]], engine: str
) -> None:
    too_long, outside, empty = (said[engine][n] for n in ("too_long", "outside", "empty"))
    assert isinstance(too_long, Failure)
    assert too_long.cause == "unavailable"
    assert "the context holds 256" in too_long.reason
    assert isinstance(outside, Failure)
    assert "outside the vocabulary" in outside.reason
    assert isinstance(empty, Generation)
    assert empty.prompt_tokens == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_no_gpu_is_unavailable_and_says_so(
    pool: Pool, configs: dict[str, WorkerConfig], engine: str
) -> None:
    ((_, got),) = pool.answer(replace(configs[engine], backend="gpu"), [Describe()])
    if isinstance(got.answer, Description):
        assert got.answer.backend == "gpu"
    else:
        assert isinstance(got.answer, Failure)
        assert got.answer.cause == "unavailable"
        assert "GPU" in got.answer.reason
        assert got.answer.remedy


@pytest.mark.parametrize(
    ("engine", "module", "extra"),
    [("llamacpp", "llama_cpp", "llamacpp"), ("transformers", "transformers", "hf")],
)
def test_a_missing_extra_is_unavailable_and_names_the_command(
    configs: dict[str, WorkerConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    module: str,
    extra: str,
) -> None:
    hidden = f"raise ModuleNotFoundError('hidden', name={module!r})"
    (tmp_path / f"{module}.py").write_text(hidden)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Pool(
        logs=tmp_path / "logs", load_timeout_s=60, request_floor_s=60, request_timeout_s=60
    ) as pool:
        ((_, got),) = pool.answer(configs[engine], [Describe()])
    assert isinstance(got.answer, Failure)
    assert got.answer.cause == "unavailable"
    assert got.answer.remedy == f'python -m pip install "pytest-modelqa[{extra}]"'


def _changed_config(source: Path, target: Path, **values: object) -> Path:
    """A folder of links to a real model's files, with another config.json."""
    target.mkdir()
    for file in source.iterdir():
        if file.name != "config.json":
            (target / file.name).symlink_to(file)
    config = json.loads((source / "config.json").read_text()) | values
    (target / "config.json").write_text(json.dumps(config))
    return target


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"model_type": "nosuch", "architectures": ["NoSuch"]}, "model_type 'nosuch'"),
        ({"num_hidden_layers": 31}, "9 missing keys, first model.layers.30."),
        ({"vocab_size": 49_000}, "cannot load|mismatched keys"),
    ],
)
def test_transformers_refuses_what_it_would_fill_with_random_numbers(
    configs: dict[str, WorkerConfig], tmp_path: Path, values: dict[str, object], reason: str
) -> None:
    sound = configs["transformers"]
    folder = _changed_config(sound.artifact, tmp_path / "changed", **values)
    with Pool(
        logs=tmp_path / "logs", load_timeout_s=120, request_floor_s=60, request_timeout_s=60
    ) as pool:
        ((_, got),) = pool.answer(replace(sound, artifact=folder), [Describe()])
    assert isinstance(got.answer, Failure)
    assert got.answer.cause == "refused"
    assert re.search(reason, got.answer.reason), got.answer.reason
