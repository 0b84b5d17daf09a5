"""GGUF to safetensors: the same values, under the names and in the order of transformers."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from safetensors.numpy import load_file

from pytest_modelqa.artifacts.derive import derive
from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.artifacts.tokenizer import (
    PRE_TOKENIZERS,
    pre_tokenizer_name,
    tokenizer_config,
    tokenizer_json,
)
from pytest_modelqa.core.answer import TokenIds
from pytest_modelqa.core.errors import Refused
from pytest_modelqa.core.model import ArtifactSpec
from pytest_modelqa.core.request import Tokenize
from pytest_modelqa.runtime.machine import address_space
from pytest_modelqa.runtime.pool import Pool
from pytest_modelqa.runtime.protocol import WorkerConfig
from tests.artifacts.made import HF_NAMES, METADATA, SHAPES, float_tensors, gguf_bytes, values


def derived(tmp_path: Path, data: bytes) -> dict[str, Any]:
    (tmp_path / "m.gguf").write_bytes(data)
    (tmp_path / "out").mkdir()
    derive(tmp_path / "m.gguf", tmp_path / "out")
    return load_file(tmp_path / "out" / "model.safetensors")


def permuted(weights: Any, heads: int) -> Any:
    """llama.cpp's converter does this to Q and K (LlamaModel.permute)."""
    rows = weights.shape[0]
    split = weights.reshape(heads, 2, rows // heads // 2, *weights.shape[1:])
    return split.swapaxes(1, 2).reshape(weights.shape)


def test_float_tensors_come_out_bit_by_bit_and_q_and_k_in_order(tmp_path: Path) -> None:
    out = derived(tmp_path, gguf_bytes())
    assert set(out) == {f"{n}.weight" for n in HF_NAMES.values()}
    for name in SHAPES:
        found, stored = out[f"{HF_NAMES[name]}.weight"], values(name)
        if name.endswith(("attn_q", "attn_k")):
            assert not np.array_equal(found, stored)
            found = permuted(found, 2 if name.endswith("q") else 1)
        np.testing.assert_array_equal(found, stored)


def test_quantised_tensors_are_ggufs_own_dequantisation(tmp_path: Path) -> None:
    kind = GGMLQuantizationType.Q8_0
    tensors = float_tensors()
    raw = quantize(values("blk.0.ffn_up"), kind)
    at = next(i for i, t in enumerate(tensors) if t[0] == "blk.0.ffn_up.weight")
    tensors[at] = (tensors[at][0], tensors[at][1], int(kind), raw.tobytes())
    out = derived(tmp_path, gguf_bytes(tensors=tensors))
    found = out["model.layers.0.mlp.up_proj.weight"]
    np.testing.assert_array_equal(found, dequantize(raw, kind))
    assert found.dtype == np.float32


def test_an_untied_head_and_biases_are_kept(tmp_path: Path) -> None:
    head = ("output.weight", SHAPES["token_embd"], 0, values("token_embd").tobytes())
    bias = ("blk.0.attn_v.bias", (16,), 0, np.arange(16, dtype=np.float32).tobytes())
    out = derived(tmp_path, gguf_bytes(tensors=[*float_tensors(), head, bias]))
    np.testing.assert_array_equal(out["lm_head.weight"], values("token_embd"))
    np.testing.assert_array_equal(out["model.layers.0.self_attn.v_proj.bias"], np.arange(16))
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["tie_word_embeddings"] is False


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"general.architecture": "mamba"}, "architecture 'mamba'"),
        ({"tokenizer.ggml.pre": "nosuch"}, "pre-tokenizer 'nosuch'"),
        ({"tokenizer.ggml.model": "t5"}, "tokenizer 't5'"),
        ({"llama.rope.scaling.type": "yarn"}, "scaled rotary"),
        (
            {"tokenizer.ggml.add_bos_token": struct.pack("<I?", 7, True)},
            "adds BOS to texts and does not say which",
        ),
    ],
)
def test_what_cannot_be_derived_truly_is_refused(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Refused, match=reason):
        derived(tmp_path, gguf_bytes(METADATA | change))


def test_a_family_whose_rows_the_converter_leaves_alone_is_left_alone(tmp_path: Path) -> None:
    renamed = {k.replace("llama", "qwen2"): v for k, v in METADATA.items()}
    renamed |= {"general.architecture": "qwen2", "tokenizer.ggml.pre": "qwen2"}
    bias = ("blk.0.attn_q.bias", (32,), 0, np.arange(32, dtype=np.float32).tobytes())
    out = derived(tmp_path, gguf_bytes(renamed, [*float_tensors(), bias]))
    for name in SHAPES:
        np.testing.assert_array_equal(out[f"{HF_NAMES[name]}.weight"], values(name))
    np.testing.assert_array_equal(out["model.layers.0.self_attn.q_proj.bias"], np.arange(32))
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["model_type"], config["architectures"]) == ("qwen2", ["Qwen2ForCausalLM"])


def test_shorter_floats_are_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf_bytes())
    (tmp_path / "out").mkdir()
    derive(tmp_path / "m.gguf", tmp_path / "out", "F16")
    out = load_file(tmp_path / "out" / "model.safetensors")
    found = out["model.embed_tokens.weight"]
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, values("token_embd").astype(np.float16))
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "float16"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ((), ["a"]),
        (("bos",), ["<s>", "a"]),
        (("eos",), ["a", "b"]),
        (("bos", "eos"), ["<s>", "a", "b"]),
    ],
)
def test_the_ends_that_a_file_adds_to_texts_are_added(
    flags: tuple[str, ...], expected: list[str]
) -> None:
    from tokenizers import Tokenizer

    ids = {"tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.eos_token_id": 2}
    added = {f"tokenizer.ggml.add_{end}_token": True for end in flags}
    tokenizer = Tokenizer.from_str(json.dumps(tokenizer_json(METADATA | ids | added)))
    assert tokenizer.encode("a").tokens == expected
    assert tokenizer.encode("a", add_special_tokens=False).tokens == ["a"]


@pytest.mark.parametrize("name", sorted(PRE_TOKENIZERS))
def test_a_rebuilt_pre_tokenizer_is_known_by_its_steps(name: str) -> None:
    tokenizer = tokenizer_json(METADATA | {"tokenizer.ggml.pre": name})
    found = pre_tokenizer_name(tokenizer)
    assert PRE_TOKENIZERS[found] == PRE_TOKENIZERS[name]
    steps = tokenizer["pre_tokenizer"]["pretokenizers"]
    assert not pre_tokenizer_name(
        {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [*steps, {"type": "Whitespace"}]}}
    )
    assert not pre_tokenizer_name({})


def test_a_tensor_of_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    extra = ("blk.0.ffn_gate_exps.weight", (32,), 0, bytes(128))
    with pytest.raises(Refused, match="ffn_gate_exps"):
        derived(tmp_path, gguf_bytes(tensors=[*float_tensors(), extra]))


def test_the_template_and_special_tokens_are_carried_over() -> None:
    config = tokenizer_config(METADATA | {"tokenizer.chat_template": "{{ messages }}"})
    assert config["chat_template"] == "{{ messages }}"
    assert config["eos_token"] == "<s>"


# The real model, in workers: the rebuilt tokenizer must split text as llama.cpp does.


def strings() -> list[str]:
    rng = random.Random(7)
    alphabet = "ab 1é\n\t.,'<|>漢🙂A\u0301٣_=(){}"
    fixed = [
        "1234567 12.5 3,000 ٣٤٥", "  leading\n\n\ttabs ", "def f(x):\n    return x**2  # é",
        "東京 Москва القاهرة", "🙂👩‍👩‍👧 e\u0301", "<|im_start|>user\nhi<|im_end|>", "a" * 300,
        "don't I'll we've", "\u00a0nbsp\u200bzero", "ﬁ ligature", "\x07 bell",
    ]  # fmt: skip
    made = ["".join(rng.choices(alphabet, k=rng.randint(1, 30))) for _ in range(200)]
    return fixed + made


@pytest.fixture(scope="module")
def workers(
    smollm2: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Pool, WorkerConfig, WorkerConfig]]:
    where = tmp_path_factory.mktemp("derive")
    parent = ArtifactSpec(model="m", format="gguf", quantization="q4_1", source=f"file:{smollm2}")
    child = ArtifactSpec(
        model="m", format="safetensors", quantization="f32", source="derive:gguf-q4_1"
    )
    both = {parent.key: parent, child.key: child}
    configs = [
        WorkerConfig(
            engine=engine, artifact=provision(spec, both, folder=where).path, format=spec.format,
            backend="cpu", threads=1, n_ctx=512, arrays=where, memory_bytes=address_space(None),
            cache_bytes=1 << 30,
        )
        for engine, spec in (("llamacpp", parent), ("transformers", child))
    ]  # fmt: skip
    with Pool(logs=where, load_timeout_s=120, request_floor_s=60, request_timeout_s=60) as pool:
        yield pool, configs[0], configs[1]


def split(pool: Pool, config: WorkerConfig) -> list[TokenIds]:
    requests = [Tokenize(text=t, special=s) for t in strings() for s in (False, True)]
    got = dict(pool.answer(config, requests))
    answers = [got[i].answer for i in range(len(requests))]
    assert all(isinstance(a, TokenIds) for a in answers)
    return [a for a in answers if isinstance(a, TokenIds)]


def test_the_rebuilt_tokenizer_splits_as_llama_cpp_does(
    workers: tuple[Pool, WorkerConfig, WorkerConfig], tmp_path: Path
) -> None:
    pool, ours, theirs = workers
    expected = split(pool, ours)
    assert len(expected) > 400
    assert split(pool, theirs) == expected

    # The planted defect: digits are no longer split, which is what a lost pre-tokenizer does.
    from dataclasses import replace

    folder = tmp_path / "lost"
    folder.mkdir()
    for file in theirs.artifact.iterdir():
        (folder / file.name).symlink_to(file)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    steps = tokenizer["pre_tokenizer"]["pretokenizers"]
    tokenizer["pre_tokenizer"]["pretokenizers"] = [s for s in steps if s["type"] != "Digits"]
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert split(pool, replace(theirs, artifact=folder)) != expected
