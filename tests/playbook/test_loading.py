"""A text becomes values, or all of its mistakes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pytest_modelqa.core.check import Category, FailurePolicy, Severity
from pytest_modelqa.core.errors import ExitCode, PlaybookError
from pytest_modelqa.playbook.load import load
from pytest_modelqa.playbook.values import Limits
from tests.playbook.conftest import Load, Problems
from tests.playbook.stubs import MINIMAL, STUBS, Pattern, Sum

ARTIFACTS = """\
version: "1.0"
model:
  id: org/name
  revision: abc
  reference: gguf-f16
  artifacts:
    - {format: gguf, quantization: f16, source: "hf:org/name:a.gguf", sha256: "%s"}
    - {format: gguf, quantization: q8_0, source: "file:sub/b.gguf", engine: scripted}
    - {format: safetensors, quantization: f32, source: "derive:gguf-f16"}
test_matrix: {modalities: [run, chat], backends: [cpu], formats: [gguf, safetensors]}
""" % ("AB" * 32)


def test_a_minimal_playbook_has_every_default(loaded: Load) -> None:
    book = loaded()
    assert (book.name, book.version, book.model.id) == ("book.yaml", "1.0", "org/name")
    assert book.model.revision == ""
    assert book.model.artifacts == ()
    assert book.matrix.quantizations == {"gguf": ("q4_k_m",)}
    assert book.failure_policy is FailurePolicy.STOP_ON_P0
    assert (book.seed, book.tier, book.limits) == (0, 2, Limits())
    assert (book.scenarios, book.blocks, book.severities) == ((), (), {})


def test_artifacts_are_resolved(loaded: Load, tmp_path: Path) -> None:
    book = loaded(ARTIFACTS, whole=True)
    first, second, third = book.model.artifacts
    assert (first.key, first.sha256, first.revision) == ("gguf-f16", "ab" * 32, "abc")
    assert second.source == f"file:{(tmp_path / 'sub/b.gguf').resolve()}"
    assert (second.revision, second.engine) == ("", "scripted")
    assert third.source == "derive:gguf-f16"
    assert book.model.reference == "gguf-f16"
    assert book.matrix.quantizations == {"gguf": ("f16", "q8_0"), "safetensors": ("f32",)}


def test_a_revision_belongs_to_one_repository(loaded: Load) -> None:
    text = ARTIFACTS.replace("hf:org/name:a.gguf", "hf:org/name-GGUF:a.gguf")
    assert loaded(text, whole=True).model.artifacts[0].revision == "main"
    text = text.replace("sha256:", "revision: v2, sha256:")
    assert loaded(text, whole=True).model.artifacts[0].revision == "v2"


def test_a_models_source_makes_its_only_artifact(loaded: Load) -> None:
    text = MINIMAL.replace("org/name}", 'org/name, source: "file:/x/a.gguf"}')
    (only,) = loaded(text, whole=True).model.artifacts
    assert (only.key, only.source) == ("gguf-q4_k_m", "file:/x/a.gguf")


def test_a_models_source_is_the_first_artifacts_default(loaded: Load) -> None:
    text = MINIMAL.replace(
        "org/name}",
        'org/name, source: "file:/x/a.gguf", artifacts: [{format: gguf, quantization: q8_0}]}',
    )
    (only,) = loaded(text, whole=True).model.artifacts
    assert (only.key, only.source) == ("gguf-q8_0", "file:/x/a.gguf")


def test_scenarios_carry_their_oracle(loaded: Load) -> None:
    book = loaded(
        "tier: 3\nscenarios:\n"
        "  - {name: a, prompt: 'What is 2 + 2?', oracle: sum, expected: 4}\n"
        "  - {name: b, prompt: x, oracle: pattern, pattern: 'y+', texts: [p, q], category: EDGE,\n"
        "     gate: F-MINE, tier: 1, allow_garbage: true, system: be brief, max_tokens: 5,\n"
        "     schema: {enum: [null]}}\n"
    )
    first, second = book.scenarios
    assert first.oracle == Sum(expected=4)
    assert second.oracle == Pattern(pattern="y+", texts=("p", "q"), schema={"enum": [None]})
    assert (second.category, second.gate, second.tier) == (Category.EDGE, "F-MINE", 1)
    assert (second.system, second.max_tokens, second.allow_garbage) == ("be brief", 5, True)


def test_the_seeds_example_loads(loaded: Load) -> None:
    book = loaded(
        """\
version: "1.0"
model:
  id: "Qwen/Qwen2.5-Coder-1.5B"
  revision: "main"
test_matrix:
  modalities: [run, chat]
  backends: [cpu, gpu]
  formats: [gguf, safetensors]
scenarios:
  - name: "arithmetic_basic"
    prompt: "What is 2 + 2?"
    oracle: sum
    expected: 4
differential_tests:
  tensor_diff:
    enabled: true
    filter: "embed,lm_head"
    gates: ["F-ROSETTA-DIFF-001"]
  inference_compare:
    enabled: true
    prompt: "What is 2+2?"
    tolerance: 1e-5
profile_ci:
  enabled: true
  assertions:
    min_throughput: 10.0  # tok/s
    max_p99_ms: 500       # ms
trace_payload:
  enabled: true
  gates: ["F-TRACE-PAYLOAD-001", "F-TRACE-PAYLOAD-002"]
""",
        whole=True,
    )
    assert [(b.name, b.category, len(b.gates)) for b in book.blocks] == [
        ("tensor_diff", Category.COMP, 1),
        ("inference_compare", Category.COMP, 0),
        ("profile_ci", Category.PERF, 0),
        ("trace_payload", Category.STAB, 2),
    ]
    assert book.blocks[2].parameters["assertions"]["max_p99_ms"] == 500


def test_generated_scenarios_and_expected_sizes_are_blocks(loaded: Load) -> None:
    book = loaded("scenarios_generated: {families: [code], count: 7}\n")
    (block,) = book.blocks
    assert (block.name, block.category) == ("scenarios_generated", Category.QUAL)
    assert (block.parameters["families"], block.parameters["count"]) == (["code"], 7)
    sized = loaded(MINIMAL.replace("org/name}", "org/name, expected_num_layers: 30}"), whole=True)
    assert sized.blocks[0].parameters == {"expected_num_layers": 30}


@pytest.mark.parametrize(
    "text",
    [
        "parity: {enabled: false}",
        "differential_tests: {enabled: false, tensor_diff: {}}",
        "differential_tests: {tensor_diff: {enabled: false}}",
        "memory: {}\ngates: {F-MEMORY: {enabled: false}}",
        "trace_payload: {gates: [F-A, F-B]}\ngates: {F-A: {enabled: false}, F-B: {enabled: false}}",
    ],
)
def test_what_is_turned_off_is_not_there(loaded: Load, text: str) -> None:
    assert loaded(text).blocks == ()


def test_a_disabled_gate_takes_its_scenarios_and_no_others(loaded: Load) -> None:
    book = loaded(
        "gates: {F-A: {enabled: false}, F-B: {severity: P0}, G4: {severity: P1}}\n"
        "chaos: {gates: [F-A, F-C]}\n"
        "scenarios:\n"
        "  - {name: a, prompt: '1', oracle: sum, gate: F-A}\n"
        "  - {name: b, prompt: '1', oracle: sum, gate: F-B}\n"
    )
    assert [s.name for s in book.scenarios] == ["b"]
    assert book.blocks[0].gates == ("F-C",)
    assert book.severities == {"F-B": Severity.P0, "G4": Severity.P1}


def test_the_hash_is_the_files_own(loaded: Load) -> None:
    book = loaded()
    assert book.sha256 == hashlib.sha256(book.path.read_bytes()).hexdigest()


def test_an_error_has_the_exit_code_of_wrong_usage(loaded: Load) -> None:
    with pytest.raises(PlaybookError) as caught:
        loaded("a: 1")
    assert caught.value.exit_code is ExitCode.USAGE


def test_all_mistakes_are_told_at_once_in_order(problems: Problems) -> None:
    found = problems(
        """\
version: "1.0"
descripton: x
model:
  size_category: hugee
  artifacts:
    - {format: ggfu, quantization: Q4_K_M, source: "derive:gguf-q4_0"}
test_matrix:
  modalities: [run, run]
  backends: cpu
  formats: [safetensors, ggfu]
  scenario_count: 4
scenarios:
  - {name: a, prompt: hello, oracle: sum, expected: 4}
  - {name: a, prompt: 5, oracle: patern, max_tokens: 1000}
  - {name: c, promt: x, oracle: sum}
  - {name: d, prompt: x, oracle: pattern, pattern: "("}
  - 7
trace_payload:
gates: {G1: {enabled: no}, g2: {severity: P9}}
seed: 1.5
seed: 2
""",
        whole=True,
    )
    told = {f"{p.line}:{p.column}: {p.path}: {p.message}" for p in found}
    for expected in (
        "2:1: descripton: unknown key 'descripton'; did you mean 'description'? allowed:",
        "3:1: model.id: is missing, and required",
        "4:18: model.size_category: 'hugee' is not a size category; did you mean 'huge'? (tiny,",
        "6:16: model.artifacts[0].format: 'ggfu' is not a format; did you mean 'gguf'? "
        "(gguf, safetensors, apr, adapter)",
        "6:36: model.artifacts[0].quantization: 'Q4_K_M' is not a quantization; did you mean "
        "'q4_k_m'?",
        "6:52: model.artifacts[0].source: 'gguf-q4_0' is not an artifact of this playbook",
        "8:15: test_matrix.modalities: 'run' is listed twice",
        "9:13: test_matrix.backends: must be a list, found 'cpu'; write [cpu]",
        "10:26: test_matrix.formats[1]: 'ggfu' is not a format; did you mean 'gguf'? "
        "(gguf, safetensors, apr, adapter)",
        "11:3: test_matrix.scenario_count: unknown key 'scenario_count'; that is "
        "`scenarios_generated.count` here",
        "13:23: scenarios[0].prompt: no digit in the prompt",
        "14:12: scenarios[1].name: a second scenario 'a'; the first is at 13:12",
        "14:23: scenarios[1].prompt: must be text, found the number 5; put it in quotes",
        "14:34: scenarios[1].oracle: 'patern' is not an oracle; did you mean 'pattern'? "
        "(pattern, sum)",
        "14:54: scenarios[1].max_tokens: 1000 is more than limits.max_tokens (256); raise that",
        "15:5: scenarios[2].prompt: is missing, and required",
        "15:15: scenarios[2].promt: unknown key 'promt'; did you mean 'prompt'? allowed: name,",
        "16:52: scenarios[3].pattern: missing ), unterminated subpattern",
        "17:5: scenarios[4]: must be a mapping, found the number 7",
        "18:15: trace_payload: is empty; give it a value, or remove the key",
        "19:23: gates.G1.enabled: must be true or false, found 'no'; write false",
        "19:28: gates.g2: must be a gate id such as",
        "19:43: gates.g2.severity: 'P9' is not a severity (P0, P1, P2, P3)",
        "20:7: seed: must be a whole number, found the number 1.5",
        "21:1: seed: duplicate key 'seed'; the first is at 20:1",
    ):
        assert any(t.startswith(expected) for t in told), expected
    assert len(found) == 25
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("limits: {max_tokens: 4096}", "limits", "leaves no room for a prompt in n_ctx (2048)"),
        ("limits: {memory_mb: 1}", "limits.memory_mb", "must be at least 64, found 1"),
        ("tier: 4", "tier", "must be at most 3, found 4"),
        ("gates: {F-NOPE: {severity: P1}}", "gates.F-NOPE", "nothing decides it"),
        ("gates: {G2: {enabled: false}}", "gates.G2.enabled", "cannot be turned off"),
        ("chaos: {gates: [G1]}", "chaos.gates[0]", "must be a gate id such as F-MY"),
        ("parity: {reference: gguf-f16}", "parity.reference", "not a declared artifact"),
        ("parity: {min_cosine: .nan}", "parity.min_cosine", "must be a number, found '.nan'"),
        ("parity: {max_kl: 0}", "parity.max_kl", "must be greater than 0"),
        ("extends: standrad", "extends", "is not a template; did you mean 'standard'?"),
        ("extends: none.yaml", "extends", "no such file"),
        ("extends: book.yaml", "extends", "extends itself: book.yaml -> book.yaml"),
        ("scenarios_generated: {oracles: {code: smu}}", "scenarios_generated.oracles.code",
         "'smu' is not an oracle; did you mean 'sum'?"),
        ("scenarios: [{name: G1, prompt: '1', oracle: sum}]", "scenarios[0].name",
         "not the name of a gateway"),
        ("scenarios: [{name: a, prompt: '1', oracle: sum, expected: [1]}]",
         "scenarios[0].expected", "must be a whole number, found a list; or must be text"),
        ("scenarios: [{name: a, prompt: x, oracle: pattern}]", "scenarios[0].pattern",
         "is missing"),
        ("scenarios: [{name: a, prompt: x, oracle: pattern, pattern: x, texts: []}]",
         "scenarios[0].texts", "needs at least 1 entry, found 0 entries"),
        ("scenarios: [{name: a, prompt: '', oracle: sum}]", "scenarios[0].prompt",
         "needs at least 1 character"),
        ("scenarios: {}", "scenarios", "must be a list, found a mapping"),
        ("scenarios: [{name: a, prompt: x, oracle: 3}]", "scenarios[0].oracle", "must be text"),
        ("name: a\nname: b", "name", "duplicate key"),
        ("gates: {G1: {sev: P1}}", "gates.G1.sev", "allowed: severity, description, enabled"),
        ("scenarios: [{name: a, prompt: x, oracle: pattern, pattern: x, texts: [~]}]",
         "scenarios[0].texts[0]", "must be text, found nothing"),
        ("scenarios: [{name: a, prompt: x, oracle: sum, tier: on}]", "scenarios[0].tier",
         "must be a whole number, found 'on'"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_problem(problems: Problems, text: str, path: str, message: str) -> None:
    (problem,) = problems(text)
    assert problem.path == path
    assert message in problem.message
    assert problem.line > MINIMAL.count("\n")


@pytest.mark.parametrize(
    ("model", "path", "message"),
    [
        ("id: a b", "model.id", "must be ORG/NAME"),
        ("id: a/b, source: '../x'", "model.source", "must be pypi:DIST:FILE"),
        ("id: a/b, source: 'hf:a/b'", "model.source", "is safetensors, and test_matrix.formats"),
        ("id: a/b, source: 'derive:gguf-f16'", "model.source", "derives from nothing"),
        ("id: a/b, reference: gguf-f16", "model.reference", "(none is declared)"),
        ("id: a/b, artifacts: [3]", "model.artifacts[0]", "must be a mapping, found the number 3"),
        ("id: a/b, artifacts: [{format: gguf, quantization: f16}]", "model.artifacts[0].source",
         "is missing"),
        ("id: a/b, artifacts: [{format: gguf, quantization: f16, source: 'hf:a/b'}]",
         "model.artifacts[0].source", "names no file"),
        ("id: a/b, artifacts: [{format: gguf, quantization: f16, source: 'pypi:d:../x'}]",
         "model.artifacts[0].source", "stay inside its folder"),
        ("id: a/b, artifacts: [{format: gguf, quantization: f16, source: 'derive:gguf-f16'}]",
         "model.artifacts[0].source", "derives from itself"),
        ("id: a/b, artifacts: [{format: gguf, quantization: f32, source: 'file:x'}, "
         "{format: gguf, quantization: f16, source: 'derive:gguf-f32'}, "
         "{format: gguf, quantization: q8_0, source: 'derive:gguf-f16'}]",
         "model.artifacts[2].source", "gguf-f16 is derived itself; write derive:gguf-f32"),
        ("id: a/b, artifacts: [{format: gguf, quantization: f16, source: 'file:x', revision: m}]",
         "model.artifacts[0].revision", "only hf: sources"),
        ("id: a/b, artifacts: [{format: safetensors, quantization: q8_0, source: 'file:x'}]",
         "model.artifacts[0].quantization", "not a safetensors quantization (f32, f16, bf16)"),
        ("id: a/b, artifacts: [{format: gguf, quantization: f16, source: 'file:x', sha256: ab}]",
         "model.artifacts[0].sha256", "must be 64 hexadecimal digits"),
        ("id: a/b, source: 'file:y.gguf', "
         "artifacts: [{format: gguf, quantization: f16, source: 'file:x'}]",
         "model.source", "is never used"),
        ("id: a/b, artifacts: [{format: gguf, quantization: f16, source: 'file:x'}, "
         "{format: gguf, quantization: f16, source: 'file:y'}]",
         "model.artifacts[1]", "a second artifact gguf-f16; the first is [0]"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_model_is_told(
    problems: Problems, model: str, path: str, message: str
) -> None:
    (problem,) = problems(MINIMAL.replace("id: org/name", model), whole=True)
    assert problem.path == path
    assert message in problem.message
    assert problem.line == 2


@pytest.mark.parametrize(
    ("quantizations", "path", "message"),
    [
        ("{safetensors: [f32]}", "test_matrix.quantizations.safetensors", "does not list"),
        ("{gguf: [q4]}", "test_matrix.quantizations.gguf[0]", "did you mean 'q4_"),
        ("[q4]", "test_matrix.quantizations[0]", "is not a quantization"),
        ("q4_0", "test_matrix.quantizations", "must be a list, found 'q4_0'; write [q4_0]"),
        ("{ggfu: [q4_0]}", "test_matrix.quantizations.ggfu", "did you mean 'gguf'?"),
    ],
)
def test_a_mistake_in_the_quantizations_is_told(
    problems: Problems, quantizations: str, path: str, message: str
) -> None:
    text = MINIMAL.replace("[gguf]}", f"[gguf], quantizations: {quantizations}}}")
    (problem,) = problems(text, whole=True)
    assert problem.path == path
    assert message in problem.message


def test_safetensors_hold_floats_only(problems: Problems) -> None:
    text = MINIMAL.replace("[gguf]}", "[safetensors], quantizations: {safetensors: [f16, q8_0]}}")
    (problem,) = problems(text, whole=True)
    assert problem.path == "test_matrix.quantizations.safetensors[1]"
    assert problem.message == "'q8_0' is not a safetensors quantization (f32, f16, bf16)"


def test_quantizations_may_be_one_list_or_one_per_format(loaded: Load) -> None:
    for given in ("[q8_0, f16]", "{gguf: [q8_0, f16]}"):
        text = MINIMAL.replace("[gguf]}", f"[gguf], quantizations: {given}}}")
        assert loaded(text, whole=True).matrix.quantizations == {"gguf": ("q8_0", "f16")}


def test_an_unsupported_version_names_the_supported_one(problems: Problems) -> None:
    (problem,) = problems(MINIMAL.replace('"1.0"', '"2.0"'), whole=True)
    assert problem.message == "'2.0' is not a supported version; did you mean '1.0'? (1.0)"
    (problem,) = problems(MINIMAL.replace('"1.0"', "1.0"), whole=True)
    assert "write '1.0' with its quotes" in problem.message


def test_an_oracle_may_not_shadow_a_common_field(tmp_path: Path) -> None:
    from dataclasses import make_dataclass

    bad = make_dataclass("Bad", [("prompt", str, "x")], namespace={"name": "bad"})
    path = tmp_path / "b.yaml"
    path.write_text(MINIMAL + "scenarios: [{name: a, prompt: x, oracle: bad}]")
    with pytest.raises(PlaybookError, match="may not have a field 'prompt'"):
        load(path, {**STUBS, "bad": bad})
