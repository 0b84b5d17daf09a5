"""Chains of conversion: what comes out, what is kept, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from gguf.quants import dequantize

import pytest_modelqa
from pytest_modelqa.artifacts import gguf, safetensors
from pytest_modelqa.artifacts.convert import stages
from pytest_modelqa.artifacts.convert.kinds import Kind, kind_of, target_kind
from pytest_modelqa.artifacts.convert.run import convert
from pytest_modelqa.artifacts.convert.stages import RECORD
from pytest_modelqa.artifacts.convert.tools import TOOLS, route, versions
from pytest_modelqa.artifacts.hashing import sha256_of
from pytest_modelqa.core.errors import OutputError, Refused, Unavailable, UsageError
from tests.artifacts.made import METADATA, float_tensors, gguf_bytes, hf_folder

SCHEMA = json.loads(
    (Path(pytest_modelqa.__file__).parent / "schemas" / "derivation.schema.json").read_text()
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the module: a stage that several tests need is made once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "m.gguf").write_bytes(gguf_bytes())
    return tmp_path / "m.gguf"


def raw(file: Path) -> dict[str, tuple[str, bytes]]:
    data = file.read_bytes()
    header = gguf.read(file)
    assert not header.findings
    return {t.name: (t.type, data[t.offset : t.offset + t.bytes]) for t in header.tensors}


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_gguf_to_safetensors_to_gguf_gives_every_tensor_bit_by_bit(
    source: Path, cache: Path
) -> None:
    folder = convert(source, Kind("safetensors", "f32"), cache).made.path
    back = convert(folder, Kind("gguf", "f32"), cache).made.path
    assert raw(back) == raw(source)
    before, after = gguf.read(source).metadata, gguf.read(back).metadata
    for key in METADATA:
        assert after[key] == before[key], key


def test_a_wrong_order_of_q_and_k_does_not_survive_that_round_trip(
    source: Path, cache: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "planted"
    shutil.copytree(convert(source, Kind("safetensors", "f32"), cache).made.path, folder)
    header = safetensors.read_folder(folder)
    (place,) = (t for t in header.tensors if t.name.endswith("q_proj.weight"))
    data = bytearray((folder / "model.safetensors").read_bytes())
    span = slice(place.offset, place.offset + place.bytes)
    values = np.frombuffer(bytes(data[span]), dtype=np.float32).reshape(2, 8, 2, -1)
    data[span] = values.swapaxes(1, 2).tobytes()
    (folder / "model.safetensors").write_bytes(data)
    back = raw(convert(folder, Kind("gguf", "f32"), cache).made.path)
    assert [name for name, value in raw(source).items() if back[name] != value] == [
        "blk.0.attn_q.weight"
    ]


def test_safetensors_to_apr_to_safetensors_gives_the_same_folder(
    cache: Path, tmp_path: Path
) -> None:
    folder = hf_folder(tmp_path / "hf")
    packed = convert(folder, Kind("apr", "f32"), cache).made.path
    out = convert(packed, Kind("safetensors", "f32"), cache).made.path
    assert contents(out).keys() == contents(folder).keys()
    for name in ("config.json", "tokenizer.json"):
        assert (out / name).read_bytes() == (folder / name).read_bytes()

    def tensors(where: Path) -> dict[str, Any]:
        data = (where / "model.safetensors").read_bytes()
        return {
            t.name: (t.type, t.shape, data[t.offset : t.offset + t.bytes])
            for t in safetensors.read_folder(where).tensors
        }

    assert tensors(out) == tensors(folder)


def test_a_quantised_file_holds_what_llama_cpp_makes_of_it(source: Path, cache: Path) -> None:
    made = convert(source, Kind("gguf", "q8_0"), cache).made
    assert kind_of(made.path) == Kind("gguf", "q8_0")
    found, before = raw(made.path), raw(source)
    for name, (kind, data) in found.items():
        if kind == "F32":
            assert data == before[name][1]
            continue
        stored = np.frombuffer(data, dtype=np.uint8).reshape(-1, 34)
        from gguf import GGMLQuantizationType

        values = dequantize(stored, GGMLQuantizationType.Q8_0).reshape(-1)
        expected = np.frombuffer(before[name][1], dtype=np.float32)
        np.testing.assert_allclose(values, expected, atol=np.abs(expected).max() / 200)
    assert "Q8_0" in {kind for kind, _ in found.values()}


def test_shorter_floats_say_so_in_the_configuration(source: Path, cache: Path) -> None:
    for quantization, torch_name in (("f16", "float16"), ("bf16", "bfloat16")):
        direct = convert(source, Kind("safetensors", quantization), cache).made.path
        full = convert(source, Kind("safetensors", "f32"), cache).made.path
        cast = convert(full, Kind("safetensors", quantization), cache).made.path
        assert {t.type for t in safetensors.read_folder(direct).tensors} == {quantization.upper()}
        config = json.loads((direct / "config.json").read_text())
        assert config["dtype"] == torch_name
        assert contents(cast) == contents(direct)


def test_twice_is_the_same_bytes_and_the_second_is_a_hit(
    source: Path, cache: Path, tmp_path: Path
) -> None:
    for target in (Kind("gguf", "q4_0"), Kind("apr", "bf16")):
        one = convert(source, target, tmp_path / "one")
        again = convert(source, target, tmp_path / "one")
        two = convert(source, target, tmp_path / "two")
        assert all(s.fresh for s in (*one.stages, *two.stages))
        assert not any(s.fresh for s in again.stages)
        assert again.made.path == one.made.path
        assert [s.sha256 for s in one.stages] == [s.sha256 for s in two.stages]
        assert [s.record for s in one.stages] == [s.record for s in two.stages]


def test_a_parent_of_other_bytes_never_gets_the_old_child(source: Path, cache: Path) -> None:
    target = Kind("safetensors", "f32")
    one = convert(source, target, cache)
    changed = float_tensors()
    name, shape, kind, data = changed[0]
    changed[0] = (name, shape, kind, data[:-4] + np.float32(7.0).tobytes())
    source.write_bytes(gguf_bytes(tensors=changed))
    two = convert(source, target, cache)
    assert two.made.path != one.made.path
    assert two.made.sha256 != one.made.sha256


def test_a_newer_tool_never_gets_the_old_child(source: Path, cache: Path) -> None:
    (stage,) = route(Kind("gguf", "f32"), Kind("safetensors", "f32"))
    newer = stage._replace(tool=stage.tool._replace(revision=stage.tool.revision + 1))
    before = stages.entry_of(stage, "a" * 64, cache)
    assert stages.entry_of(newer, "a" * 64, cache) != before
    assert stages.entry_of(stage, "a" * 64, cache) == before


def test_each_stage_says_where_it_comes_from(source: Path, cache: Path) -> None:
    result = convert(source, Kind("apr", "f16"), cache)
    parent = sha256_of(source, cache)
    assert [s.kind for s in result.stages] == [Kind("safetensors", "f16"), Kind("apr", "f16")]
    for stage in result.stages:
        jsonschema.validate(stage.record, SCHEMA)
        definition = stage.record["predicate"]["buildDefinition"]
        assert definition["resolvedDependencies"][0]["digest"]["sha256"] == parent
        assert definition["externalParameters"]["artifact"]["sha256"] == stage.sha256
        assert sha256_of(stage.path, cache) == stage.sha256
        assert json.loads((stage.log.parent / RECORD).read_text()) == stage.record
        parent = stage.sha256
    packages = {d["uri"] for d in definition["resolvedDependencies"][1:]}
    assert not packages
    first = result.stages[0].record["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert first[1]["uri"] == f"pkg:pypi/gguf@{versions(TOOLS['dequantise'])['gguf']}"


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"subject": []},
        {"created": "2026-01-01"},
        {"predicate": {}},
    ],
)
def test_the_records_schema_refuses_what_is_no_record(
    source: Path, cache: Path, change: dict[str, Any]
) -> None:
    record = dict(convert(source, Kind("safetensors", "f32"), cache).made.record)
    jsonschema.validate(record, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record | change, SCHEMA)


# What must be refused, and leave nothing behind.


def test_a_truncated_source_is_refused_before_any_tool_opens_it(
    source: Path, tmp_path: Path
) -> None:
    whole = source.read_bytes()
    convert(source, Kind("safetensors", "f32"), tmp_path / "c")
    source.write_bytes(whole[:-1000])
    with pytest.raises(Refused, match="GGUF-TRUNCATED") as caught:
        convert(source, Kind("gguf", "q8_0"), tmp_path / "c")
    assert "modelqa inspect" in caught.value.remedy
    assert not list((tmp_path / "c" / "derived").glob("gguf-q8_0*"))


def test_an_unknown_architecture_is_refused_with_what_would_help(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf_bytes(METADATA | {"general.architecture": "mamba"}))
    with pytest.raises(Refused, match="architecture 'mamba' cannot be rebuilt") as caught:
        convert(tmp_path / "m.gguf", Kind("safetensors", "f32"), tmp_path / "c")
    assert "source of its own" in caught.value.remedy
    (log,) = (tmp_path / "c" / "derived").glob("*.failed.log")
    assert "mamba" in log.read_text()
    assert not [p for p in (tmp_path / "c" / "derived").iterdir() if p.is_dir()]


def test_what_llama_cpp_declines_is_refused_with_its_own_words(tmp_path: Path, cache: Path) -> None:
    wide = [t for t in float_tensors() if ".ffn_" not in t[0] or "norm" in t[0]]
    for name, shape in (("gate", (32, 256)), ("up", (32, 256)), ("down", (256, 32))):
        data = np.linspace(-1, 1, 8192, dtype=np.float32).tobytes()
        wide.append((f"blk.0.ffn_{name}.weight", shape, 0, data))
    source = tmp_path / "m.gguf"
    source.write_bytes(gguf_bytes(METADATA | {"llama.feed_forward_length": 256}, wide))
    convert(source, Kind("gguf", "q4_k_m"), cache)
    with pytest.raises(Refused, match="requires an imatrix") as caught:
        convert(source, Kind("gguf", "iq2_xxs"), cache)
    assert "failed.log" in caught.value.remedy
    assert not [p for p in (cache / "derived").glob("gguf-iq2_xxs*") if p.is_dir()]


def test_a_damaged_copy_in_the_cache_is_not_handed_out(source: Path, tmp_path: Path) -> None:
    made = convert(source, Kind("gguf", "q8_0"), tmp_path).made.path
    data = bytearray(made.read_bytes())
    data[-1] ^= 1
    made.write_bytes(data)
    with pytest.raises(Refused, match="not what its record says") as caught:
        convert(source, Kind("gguf", "q8_0"), tmp_path)
    assert caught.value.remedy.startswith("rm -r ")


def test_a_full_disk_is_noticed_before_anything_is_written(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(OutputError, match="1,000 are free"):
        convert(source, Kind("safetensors", "f32"), tmp_path / "c")
    assert not list((tmp_path / "c").glob("derived/*"))


def test_the_same_kind_and_unknown_kinds_are_usage_errors(source: Path, cache: Path) -> None:
    with pytest.raises(UsageError, match="is gguf-f32 already"):
        convert(source, Kind("gguf", "f32"), cache)
    with pytest.raises(UsageError, match="cannot be read"):
        convert(source.with_name("no.gguf"), Kind("gguf", "f32"), cache)
    with pytest.raises(UsageError, match="no quantisation"):
        target_kind("gguf", "q9_9")
    with pytest.raises(UsageError, match="no format"):
        target_kind("onnx", "f32")
    with pytest.raises(Unavailable, match="apr files of q4_0"):
        target_kind("apr", "q4_0")
    (source.parent / "x.bin").write_bytes(b"PK\3\4 and more")
    with pytest.raises(Refused, match="neither GGUF nor APR"):
        convert(source.parent / "x.bin", Kind("gguf", "f32"), cache)


def test_a_chain_loses_nothing_before_its_last_step() -> None:
    def tools(source: Kind, target: Kind) -> list[str]:
        return [f"{s.tool.name} {s.target}" for s in route(source, target)]

    assert tools(Kind("apr", "bf16"), Kind("gguf", "q4_k_m")) == [
        "unpack safetensors-bf16", "hf-to-gguf gguf-bf16", "quantise gguf-q4_k_m",
    ]  # fmt: skip
    assert tools(Kind("gguf", "q4_1"), Kind("gguf", "f16")) == ["quantise gguf-f16"]
    assert tools(Kind("apr", "f32"), Kind("apr", "f16")) == [
        "unpack safetensors-f32", "cast safetensors-f16", "pack apr-f16",
    ]  # fmt: skip
    with pytest.raises(Unavailable):
        route(Kind("apr", "q4"), Kind("gguf", "f16"))


# Several processes, and killed ones.

CHILD = """
import sys
from pathlib import Path
from pytest_modelqa.artifacts.convert.kinds import Kind
from pytest_modelqa.artifacts.convert.run import convert
made = convert(Path(sys.argv[1]), Kind("safetensors", "f32"), Path(sys.argv[2])).made
print(made.fresh, made.sha256)
"""


def child(source: Path, cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(source), str(cache)], stdout=subprocess.PIPE, text=True
    )


def test_processes_that_want_the_same_make_it_once(source: Path, tmp_path: Path) -> None:
    running = [child(source, tmp_path / "c") for _ in range(3)]
    said = [process.communicate()[0].split() for process in running]
    assert sorted(fresh for fresh, _ in said) == ["False", "False", "True"]
    assert len({sha256 for _, sha256 in said}) == 1


def test_a_killed_conversion_leaves_no_half_artifact_and_no_writer(tmp_path: Path) -> None:
    wide = gguf_bytes(
        tensors=[
            *float_tensors(),
            ("output.weight", (32, 1 << 20), 0, bytes(128 << 20)),
        ]
    )
    (tmp_path / "m.gguf").write_bytes(wide)
    cache = tmp_path / "c"
    process = child(tmp_path / "m.gguf", cache)
    parts = cache / "derived"
    deadline = time.monotonic() + 60
    while not list(parts.glob("*.part/model/*")) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.communicate()
    (part,) = parts.glob("*.part")
    assert not [p for p in parts.iterdir() if p.is_dir() and p != part]
    while (worker := _writers(part)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not worker
    made = convert(tmp_path / "m.gguf", Kind("safetensors", "f32"), cache).made
    assert made.fresh
    assert not part.exists()
    assert not safetensors.read_folder(made.path).findings


def _writers(part: Path) -> list[str]:
    """Processes that name the unfinished folder on their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes()
        except OSError:
            continue  # ended meanwhile
        if os.fsencode(part) in line:
            found.append(process.name)
    return found


def test_a_finished_stage_is_kept_when_a_later_one_fails(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf_bytes())
    target = Kind("apr", "f16")
    work = stages._logged

    def killed(command: list[str], log: Path) -> int:
        if "pack" in command:
            log.write_text("Killed")
            return -9
        return work(command, log)

    monkeypatch.setattr(stages, "_logged", killed)
    with pytest.raises(Refused, match="pack cannot make apr-f16"):
        convert(tmp_path / "m.gguf", target, tmp_path / "c")
    monkeypatch.undo()
    result = convert(tmp_path / "m.gguf", target, tmp_path / "c")
    assert [s.fresh for s in result.stages] == [False, True]


@pytest.mark.nightly
def test_the_real_model_survives_the_round_trip(smollm2: Path, tmp_path: Path) -> None:
    folder = convert(smollm2, Kind("safetensors", "f32"), tmp_path).made.path
    back = convert(folder, Kind("gguf", "f32"), tmp_path).made.path
    direct = convert(smollm2, Kind("gguf", "f32"), tmp_path).made.path
    kept = {t.name: t for t in gguf.read(direct).tensors}
    found = gguf.read(back).tensors
    one, two = (np.memmap(f, dtype=np.uint8, mode="r") for f in (direct, back))
    assert {t.name for t in found} == kept.keys()
    for tensor in found:
        twin = kept[tensor.name]
        assert (twin.type, twin.shape) == (tensor.type, tensor.shape)
        assert np.array_equal(
            two[tensor.offset : tensor.offset + tensor.bytes],
            one[twin.offset : twin.offset + twin.bytes],
        ), tensor.name
