"""The JSON Schema says what the loader says, as far as a schema can."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from pytest_modelqa import playbook
from pytest_modelqa.checks.oracles import oracle_table
from pytest_modelqa.core.errors import PlaybookError
from pytest_modelqa.playbook.export import json_schema
from pytest_modelqa.playbook.positions import parse
from tests.playbook.conftest import Load
from tests.playbook.stubs import MINIMAL, STUBS

VALIDATOR = Draft202012Validator(json_schema(STUBS))
COMMITTED = Path(playbook.__file__).parents[1] / "schemas" / "playbook.schema.json"
GATE = "kind: ship, threshold: 0.9, prompts: prompts.jsonl, examples: examples.jsonl, oracle: sum"
TASK = "name: a, group: b, prompt: '1', oracle: sum"
ASK = "{name: a, prompt: '1', oracle: sum"
PART = "{name: a, prompt: x, oracle: pattern, pattern: y"


def accepted_by_schema(text: str) -> bool:
    tree, flaws = parse(text.encode(), "f.yaml")
    assert not flaws
    return VALIDATOR.is_valid(tree.plain())


def accepted_by_loader(loaded: Load, text: str) -> bool:
    try:
        loaded(text, whole=True)
    except PlaybookError:
        return False
    return True


VALID = [
    "",
    "name: a\ndescription: ''",
    "seed: 0",
    "tier: 3\nfailure_policy: collect_all",
    "limits: {memory_mb: 1024, load_timeout_s: 1, n_ctx: 4096, max_tokens: 1}",
    "gates: {G0: {severity: P0, description: x}}",
    f"scenarios: [{ASK}}}]",
    f"scenarios: [{ASK}, expected: '4', tier: 1, gate: F-A-1, category: EDGE}}]",
    f"scenarios: [{ASK}, allow_garbage: true, system: s, max_tokens: 1}}]",
    f"scenarios: [{PART}, texts: [a, b], at_least: 2, kind: full, schema: {{a: null}}}}]",
    "scenarios: []",
    "differential_tests: {tensor_diff: {filter: 'a,b', tolerance: 0}, fingerprint: {stats: [std]}}",
    "differential_tests: {validate_stats: {tolerance: {layernorm: 1}}}",
    "parity: {min_cosine: 0.99, steps: 8, prompts: [a], ollama: {model_tag: a:b}}",
    "profile_ci: {warmup: 0, assertions: {max_p99_ms: 5}, backends: [cpu]}",
    "trace_payload: {gates: [F-A]}",
    "gradients: {layers: [0, 3], max_relative_error: 1e-7}",
    "chaos: {max_seconds: 9}\nfuzz: {max_seconds: 0.5}\nmemory: {approaches: [lora]}",
    "training: {config: a.json, stages: [data, gguf], quantizations: [q8_0], max_kl: 0.1}",
    "training: {run: out/run, merged: out/merged, gguf: out/m.gguf, min_effect: 1e-3}",
    f"ship_gates: {{harnesses: {{a_1: {{{GATE}}}}}}}",
    f"ship_gates: {{min_overall: 1, confidence: 0.99, harnesses: {{a: {{{GATE}, samples: 2, "
    "metric: rate, confidence: 0.9, system: s, max_tokens: 9, stop: [a, b], mode: fast, "
    "expected: '1'}}}",
    f"canaries: {{tasks: [{{{TASK}}}], stages: [gguf-q4_k_m]}}",
    f"canaries: {{tasks: [{{{TASK}, expected: 1, system: s, max_tokens: 9, stop: [a]}}]}}",
    "canaries: {file: canaries.yaml}",
    "canaries: {enabled: false}",
    "scenarios_generated: {families: [edge], count: 1, oracles: {code: sum}}",
]

INVALID = [
    "names: a",
    "name: 3",
    "name:",
    "seed: -1",
    "seed: 1.5",
    "seed: '1'",
    "tier: 0",
    "failure_policy: stop",
    "limits: {memory_mb: null}",
    "limits: {n_ctx: 2}",
    "limits: {load_timeout_s: 0}",
    "limits: {unknown: 1}",
    "gates: {g0: {severity: P0}}",
    "gates: {G0: {severity: P4}}",
    "gates: {G0: P0}",
    "scenarios: {}",
    "scenarios: [1]",
    "scenarios: [{}]",
    "scenarios: [{name: a, prompt: x}]",
    "scenarios: [{name: a, prompt: x, oracle: nope}]",
    f"scenarios: [{ASK}, pattern: x}}]",
    f"scenarios: [{ASK}, expected: [1]}}]",
    f"scenarios: [{ASK}, expected: null}}]",
    f"scenarios: [{ASK}, gate: G1}}]",
    f"scenarios: [{ASK}, category: qual}}]",
    f"scenarios: [{ASK}, max_tokens: 0}}]",
    f"scenarios: [{ASK}, allow_garbage: yes}}]",
    "scenarios: [{name: a, prompt: x, oracle: pattern}]",
    f"scenarios: [{PART}, texts: []}}]",
    f"scenarios: [{PART}, at_least: 0}}]",
    f"scenarios: [{PART}, kind: half}}]",
    "scenarios: [{name: G2, prompt: '1', oracle: sum}]",
    "scenarios: [{name: 'a b', prompt: '1', oracle: sum}]",
    "scenarios: [{name: \"a\\n\", prompt: '1', oracle: sum}]",
    "differential_tests: {tensor: {}}",
    "differential_tests: {fingerprint: {stats: [std, std]}}",
    "parity:",
    "parity: {min_cosine: 2}",
    "parity: {min_cosine: .nan}",
    "parity: {ollama: {}}",
    "profile_ci: {min_throughput: 3}",
    "profile_ci: {backends: []}",
    "trace_payload: true",
    "trace_payload: {gates: [G1]}",
    "gradients: {layers: [-1]}",
    "gradients: {layers: []}",
    "gradients: {max_relative_error: 0}",
    "memory: {approaches: [all]}",
    "fuzz: {max_seconds: 0}",
    "training: {stages: [deploy]}",
    "training: {stages: [run, run]}",
    "training: {max_kl: 0}",
    "training: {adapter: out/run}",
    "ship_gates: {}",
    "ship_gates: {harnesses: {}}",
    "ship_gates: {harnesses: []}",
    "ship_gates: {harnesses: {a: {}}}",
    f"ship_gates: {{harnesses: {{A: {{{GATE}}}}}}}",
    f"ship_gates: {{harnesses: {{a__b: {{{GATE}}}}}}}",
    f"ship_gates: {{confidence: 1, harnesses: {{a: {{{GATE}}}}}}}",
    f"ship_gates: {{reference: gguf-f16, harnesses: {{a: {{{GATE}}}}}}}",
    f"ship_gates: {{harnesses: {{a: {{{GATE}, threshhold: 1}}}}}}",
    f"ship_gates: {{harnesses: {{a: {{{GATE}, samples: 0}}}}}}",
    f"ship_gates: {{harnesses: {{a: {{{GATE}, metric: F1}}}}}}",
    f"ship_gates: {{harnesses: {{a: {{{GATE}, stop: [a, a]}}}}}}",
    f"ship_gates: {{harnesses: {{a: {{{GATE}, pattern: x}}}}}}",
    f"ship_gates: {{harnesses: {{a: {{{GATE.replace('sum', 'pattern')}, pattern: x}}}}}}",
    f"ship_gates: {{harnesses: {{a: {{{GATE.replace('sum', 'nope')}}}}}}}",
    f"ship_gates: {{harnesses: {{a: {{{GATE.replace('prompts.jsonl', '{file: x}')}}}}}}}",
    "canaries: {}",
    "canaries: {tasks: [{}]}",
    "canaries: {tasks: 1}",
    f"canaries: {{file: canaries.yaml, tasks: [{{{TASK}}}]}}",
    f"canaries: {{tasks: [{{{TASK}, mode: fast}}]}}",
    f"canaries: {{tasks: [{{{TASK}}}], stages: []}}",
    f"canaries: {{tasks: [{{{TASK}}}], baseline: old.json}}",
    "scenarios_generated: {oracles: {code: nope}}",
    "scenarios_generated: {families: [code, code]}",
    "extends: 3",
]

SEMANTIC = [
    "gates: {F-NOPE: {severity: P1}}",
    "gates: {G1: {enabled: false}}",
    "parity: {reference: gguf-f16}",
    f"scenarios: [{ASK}}}, {ASK}}}]",
    f"scenarios: [{ASK}, max_tokens: 300}}]",
    "scenarios: [{name: a, prompt: x, oracle: sum}]",
    "scenarios: [{name: a, prompt: x, oracle: pattern, pattern: '('}]",
    "limits: {max_tokens: 4096}",
    "extends: nowhere.yaml",
    f"ship_gates: {{harnesses: {{a: {{{GATE}, samples: 3}}}}}}",
    f"ship_gates: {{harnesses: {{a: {{{GATE}, metric: f1}}}}}}",
    f"ship_gates: {{harnesses: {{a: {{{GATE.replace('prompts.jsonl', 'none.jsonl')}}}}}}}",
    f"ship_gates: {{artifact: gguf-f16, harnesses: {{a: {{{GATE}}}}}}}",
    "canaries: {file: none.yaml}",
    f"canaries: {{tasks: [{{{TASK}}}, {{{TASK}}}]}}",
    f"canaries: {{tasks: [{{{TASK}}}], stages: [gguf-f16]}}",
    "default_model: base",
    "seed: 1.0",  # JSON Schema calls 1.0 an integer
]
"""What only the loader can know."""


@pytest.mark.parametrize("text", VALID)
def test_both_accept(loaded: Load, text: str) -> None:
    assert accepted_by_loader(loaded, MINIMAL + text)
    assert accepted_by_schema(MINIMAL + text)


@pytest.mark.parametrize("text", INVALID)
def test_both_refuse(loaded: Load, text: str) -> None:
    assert not accepted_by_loader(loaded, MINIMAL + text)
    assert not accepted_by_schema(MINIMAL + text)


@pytest.mark.parametrize("text", SEMANTIC)
def test_only_the_loader_can_refuse(loaded: Load, text: str) -> None:
    assert not accepted_by_loader(loaded, MINIMAL + text)
    assert accepted_by_schema(MINIMAL + text)


GGUF = "format: gguf, quantization: f16"


@pytest.mark.parametrize(
    ("model", "valid"),
    [
        ("id: name", True),
        ("id: a/b, source: 'file:x.gguf', family: llama, size_category: tiny", True),
        ("id: a/b, expected_num_layers: 3, revision: refs/pr/1", True),
        (f"id: a/b, artifacts: [{{{GGUF}, source: 'pypi:d:p/x.gguf'}}]", True),
        (f"id: a/b, artifacts: [{{{GGUF}, source: 'hf:a/b:x.gguf', revision: v1}}]", True),
        ("id: a/b/c", False),
        ("id: ''", False),
        ("revision: main", False),
        ("id: a/b, source: 'http://x'", False),
        ("id: a/b, reference: f16", False),
        ("id: a/b, expected_num_layers: 0", False),
        ("id: a/b, artifacts: [{format: gguf}]", False),
        (f"id: a/b, artifacts: [{{{GGUF}, source: 'pypi:d:../x'}}]", False),
        (f"id: a/b, artifacts: [{{{GGUF}, source: 'pypi:d:a/../x'}}]", False),
        (f"id: a/b, artifacts: [{{{GGUF}, source: 'hf:a/b:/x'}}]", False),
        (f"id: a/b, artifacts: [{{{GGUF}, source: 'file:x', sha256: {'a' * 63}}}]", False),
        (f"id: a/b, artifacts: [{{{GGUF}, source: 'file:x', engine: 'A B'}}]", False),
        ("id: a/b, artifacts: [{format: safetensors, quantization: q8_0, source: 'file:x'}]",
         False),
        ("id: a/b, artifacts: {}", False),
    ],
)  # fmt: skip
def test_both_agree_on_a_model(loaded: Load, model: str, valid: bool) -> None:
    text = MINIMAL.replace("id: org/name", model)
    assert accepted_by_loader(loaded, text) is valid
    assert accepted_by_schema(text) is valid


@pytest.mark.parametrize(
    ("matrix", "valid"),
    [
        ("modalities: [run, chat, serve], backends: [cpu, gpu], formats: [gguf, apr]", True),
        ("modalities: [run], backends: [cpu], formats: [gguf], quantizations: [f16]", True),
        ("modalities: [run], backends: [cpu], formats: [gguf], quantizations: {gguf: [f16]}", True),
        ("modalities: [], backends: [cpu], formats: [gguf]", False),
        ("modalities: [run], backends: [tpu], formats: [gguf]", False),
        ("modalities: [run], backends: [cpu]", False),
        ("modalities: [run, run], backends: [cpu], formats: [gguf]", False),
        ("modalities: [run], backends: [cpu], formats: [gguf], quantizations: f16", False),
        ("modalities: [run], backends: [cpu], formats: [gguf], quantizations: {gguf: f16}", False),
        ("modalities: [run], backends: [cpu], formats: [gguf], quantizations: {}", True),
        ("modalities: [run], backends: [cpu], formats: [gguf], quantizations: {x: [f16]}", False),
    ],
)
def test_both_agree_on_a_matrix(loaded: Load, matrix: str, valid: bool) -> None:
    head = MINIMAL.splitlines()[:2]
    text = "\n".join([*head, f"test_matrix: {{{matrix}}}", ""])
    assert accepted_by_loader(loaded, text) is valid
    assert accepted_by_schema(text) is valid


@pytest.mark.parametrize("key", ["version", "model", "test_matrix"])
def test_both_miss_a_required_key(loaded: Load, key: str) -> None:
    data = yaml.safe_load(MINIMAL)
    del data[key]
    text = yaml.safe_dump(data)
    assert not accepted_by_loader(loaded, text)
    assert not accepted_by_schema(text)


RICH = """\
version: "1.0"
name: rich
model:
  id: a/b
  reference: gguf-f16
  expected_num_layers: 2
  artifacts:
    - {format: gguf, quantization: f16, source: "hf:a/b:c.gguf", revision: main}
    - {format: safetensors, quantization: f32, source: "derive:gguf-f16"}
test_matrix:
  modalities: [run]
  backends: [cpu]
  formats: [gguf, safetensors]
  quantizations: {gguf: [f16], safetensors: [f32]}
scenarios:
  - {name: a, prompt: "1", oracle: sum, expected: 4, gate: F-A}
  - {name: b, prompt: x, oracle: pattern, pattern: y, texts: [z], schema: {a: 1}}
differential_tests: {tensor_diff: {filter: a}, validate_stats: {tolerance: {layernorm: 1}}}
parity: {prompts: [a], ollama: {model_tag: a}}
profile_ci: {formats: [gguf], assertions: {max_p99_ms: 5}}
gradients: {layers: [0]}
ship_gates:
  baseline: gguf-f16
  harnesses:
    arithmetic:
      {kind: quality, threshold: 0.5, prompts: prompts.jsonl, examples: examples.jsonl,
       oracle: sum, expected: 4, stop: [x], max_tokens: 8}
canaries:
  {tasks: [{name: a, group: b, prompt: "1", oracle: sum, max_tokens: 8}], stages: [safetensors-f32]}
scenarios_generated: {families: [code], oracles: {code: sum}}
gates: {F-A: {severity: P1}}
limits: {n_ctx: 512, max_tokens: 64}
"""
JUNK: tuple[object, ...] = ("no-such-thing", -1, 2.5, True, None, [None], {"a": None})


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else ()
    for key, child in enumerate(value) if isinstance(value, list) else items:
        yield (*path, key)
        yield from places(child, (*path, key))


def replaced(path: tuple[str | int, ...], junk: object) -> Any:
    data = yaml.safe_load(RICH)
    parent = data
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = junk
    return data


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_junk_at_any_place_is_refused_by_the_loader_where_the_schema_refuses(
    loaded: Load, junk: object
) -> None:
    assert accepted_by_loader(loaded, RICH)
    refused = 0
    for path in places(yaml.safe_load(RICH)):
        data = replaced(path, junk)
        by_schema = VALIDATOR.is_valid(data)
        by_loader = accepted_by_loader(loaded, json.dumps(data))
        assert by_schema or not by_loader, path
        refused += not by_loader
    assert refused > 50


def test_what_a_template_supplies_is_not_required_by_the_schema() -> None:
    assert accepted_by_schema("extends: standard\nmodel: {id: a/b}\n")
    assert not accepted_by_schema("extends: standard\nmodle: {id: a/b}\n")


def test_the_schema_is_itself_valid() -> None:
    Draft202012Validator.check_schema(json_schema(STUBS))


def test_a_wrong_scenario_is_explained_for_its_oracle_alone() -> None:
    tree, _ = parse(f"{MINIMAL}scenarios: [{ASK}, patern: x}}]".encode(), "f.yaml")
    (error,) = VALIDATOR.iter_errors(tree.plain())
    assert "'patern' was unexpected" in error.message


def test_the_committed_schema_is_current() -> None:
    """Renew it: modelqa schema > pytest_modelqa/schemas/playbook.schema.json."""
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == json_schema(oracle_table())


def test_a_document_that_was_planted_wrong_fails_the_committed_schema() -> None:
    committed: dict[str, Any] = json.loads(COMMITTED.read_text(encoding="utf-8"))
    validator = Draft202012Validator(committed)
    good = yaml.safe_load(MINIMAL)
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, "scenarios": [{"name": "a"}]})
