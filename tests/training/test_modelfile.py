"""Modelfiles: written, read back the same, and held against the GGUF file that they speak of."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from pytest_modelqa.artifacts.build import built
from pytest_modelqa.artifacts.convert.kinds import Kind
from pytest_modelqa.artifacts.convert.run import convert
from pytest_modelqa.artifacts.hashing import cache_root
from pytest_modelqa.core.errors import ModelQAError, Refused, Unavailable, UsageError
from pytest_modelqa.core.request import Message
from pytest_modelqa.engines.template import render
from training.modelfile import Modelfile, ModelfileError, check, compose, parse, written
from training.modelfile.check import compare
from training.modelfile.compose import metadata_of
from training.modelfile.template import turns_of

FULL = """\
# a comment
from ./model.gguf
TEMPLATE \"\"\"{{ .Prompt }}
# no comment
\"\"\"
SYSTEM You are brief.
PARAMETER temperature 0.7
parameter num_ctx 4096
PARAMETER stop "<|im_end|>"
PARAMETER stop <|endoftext|>
MESSAGE user Hello
LICENSE \"\"\"MIT\"\"\"
"""
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n"), min_size=1)
QUOTABLE = TEXT.filter(lambda t: '"""' not in t and not t.endswith('"'))
LINE = st.from_regex(r"[A-Za-z0-9_./-]{1,30}", fullmatch=True)


@pytest.fixture(scope="session")
def gguf_file() -> Path:
    """Ci-light as an f16 GGUF file."""
    folder = built("ci-light", cache_root())
    return convert(folder, Kind("gguf", "f16"), cache_root(), lambda _: None).made.path


def test_a_modelfile_is_read_as_ollama_reads_it() -> None:
    assert parse(FULL) == Modelfile(
        source="./model.gguf",
        template="{{ .Prompt }}\n# no comment\n",
        system="You are brief.",
        parameters=(
            ("temperature", 0.7),
            ("num_ctx", 4096),
            ("stop", "<|im_end|>"),
            ("stop", "<|endoftext|>"),
        ),
        messages=(("user", "Hello"),),
        licenses=("MIT",),
    )


@settings(max_examples=60, deadline=None)
@given(
    source=LINE,
    template=QUOTABLE,
    system=QUOTABLE,
    licenses=st.lists(QUOTABLE, max_size=2),
    stops=st.lists(QUOTABLE, max_size=3),
    temperature=st.floats(0, 2),
    top_k=st.integers(0, 10**6),
    said=st.lists(st.tuples(st.sampled_from(["user", "assistant"]), QUOTABLE), max_size=2),
)
def test_what_is_written_is_read_back_the_same(  # noqa: PLR0917 - what Hypothesis draws
    source: str,
    template: str,
    system: str,
    licenses: list[str],
    stops: list[str],
    temperature: float,
    top_k: int,
    said: list[tuple[str, str]],
) -> None:
    made = Modelfile(
        source=source,
        template=template,
        system=system,
        parameters=(
            ("temperature", temperature), ("top_k", top_k), *(("stop", stop) for stop in stops),
        ),
        licenses=tuple(licenses),
        messages=tuple(said),
    )  # fmt: skip
    assert parse(written(made)) == made


WRONG = {
    "no FROM": ("SYSTEM hi\n", 1, "FROM: is missing"),
    "no value": ("FROM\n", 1, "has no value"),
    "two FROM": ("FROM a\nFROM b\n", 2, "stands twice; first in line 1"),
    "unknown word": ("FROM a\nSISTEM hi\n", 2, "did you mean 'SYSTEM'"),
    "unknown parameter": ("FROM a\nPARAMETER temprature 1\n", 2, "did you mean 'temperature'"),
    "text for a number": ("FROM a\nPARAMETER top_p much\n", 2, "must be a number, found 'much'"),
    "nan": ("FROM a\nPARAMETER top_p nan\n", 2, "must be a number"),
    "fraction": ("FROM a\nPARAMETER num_ctx 4096.5\n", 2, "must be a whole number"),
    "no bool": ("FROM a\nPARAMETER use_mmap 2\n", 2, "must be true or false"),
    "parameter twice": (
        "FROM a\nPARAMETER top_k 1\nPARAMETER top_k 2\n", 3, "stands twice; first in line 2",
    ),
    "open quotes": ('FROM a\nSYSTEM """hello\nworld\n', 2, "opened and never closed"),
    "open quote": ('FROM a\nSYSTEM "hello\n', 2, "a quote is opened"),
    "text after": ('FROM a\nSYSTEM """one\ntwo""" three\n', 3, "text after the closing"),
    "role": ("FROM a\nMESSAGE boss Go\n", 2, "'boss' is no role"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_negative_a_mistake_is_named_by_its_line(name: str) -> None:
    text, line, said = WRONG[name]
    with pytest.raises(ModelfileError) as caught:
        parse(text, "the/Modelfile")
    assert [p.line for p in caught.value.problems] == [line]
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"the/Modelfile:{line}:")


@pytest.mark.parametrize("text", ['say """hi""" now', 'ends with a quote"'])
def test_negative_what_cannot_be_quoted_is_refused_not_mangled(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        written(Modelfile(source="a", system=text))


CHATML = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}"
    "{% endif %}{% for m in messages %}<start_of_turn>"
    "{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
MERGING = (
    "{% for m in messages %}{% if m.role == 'user' %}[INST] {% if loop.last %}"
    "{{ messages[0].content }} {% endif %}{{ m.content }} [/INST]"
    "{% elif m.role == 'assistant' %}{{ m.content }}</s>{% endif %}{% endfor %}"
)


def meta(template: str, **more: Any) -> dict[str, Any]:
    return {
        "tokenizer.chat_template": template,
        "tokenizer.ggml.tokens": ("<s>", "</s>"),
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.ggml.add_bos_token": True,
        **more,
    }


@pytest.mark.parametrize(
    ("template", "system", "default"),
    [(CHATML, True, "Be kind."), (LLAMA3, True, ""), (GEMMA, False, "")],
    ids=["chatml", "llama3", "gemma"],
)
def test_frames_write_what_the_jinja_template_writes(
    template: str, system: bool, default: str
) -> None:
    turns = turns_of(meta(template))
    assert turns is not None
    assert (turns.system is not None, turns.default_system) == (system, default)
    talk = [
        Message(role="user", content="One?"),
        Message(role="assistant", content="Two."),
        Message(role="user", content="Three?"),
    ]
    if system:
        talk.insert(0, Message(role="system", content="Count."))
    tokens = {"bos_token": "<s>", "eos_token": "</s>"}
    jinja = render(template, talk, add_generation_prompt=True, tokens=tokens)
    assert turns.text(talk) == jinja.removeprefix("<s>")
    assert ('eq .Role "system"' in turns.go()) == system
    assert turns.go().endswith(turns.opening)


@pytest.mark.parametrize(
    "template",
    [
        "",
        MERGING,
        "{% for m in messages %}{{ m.content }}",
        CHATML.replace("<|im_end|>\n{% endf", "{{ '{{' }}{% endf"),
    ],
    ids=["none", "turns depend", "broken", "go marks"],
)
def test_negative_a_template_without_frames_gets_none(template: str) -> None:
    assert turns_of(meta(template)) is None


def test_a_modelfile_of_ci_light_fits_it(gguf_file: Path) -> None:
    made = compose(gguf_file, source=gguf_file.name)
    findings = check(made, gguf_file.parent)
    assert [f.check for f in findings if not f.passed] == []
    assert made.values("stop") == ("<|im_end|>", "<|endoftext|>")
    assert made.values("num_ctx") == (1024,)
    assert parse(written(made)) == made


def test_a_modelfile_of_smollm2_has_the_seeds_parameters_and_the_models_own_words(
    smollm2: Path,
) -> None:
    made = compose(smollm2, source=smollm2.name)
    assert made.parameters == (
        ("temperature", 0.7),
        ("top_p", 0.9),
        ("top_k", 40),
        ("num_ctx", 4096),
        ("stop", "<|im_end|>"),
        ("stop", "<|endoftext|>"),
    )
    assert made.system == "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    assert made.licenses == ("apache-2.0",)
    assert all(f.passed for f in check(made, smollm2.parent))


def test_negative_each_thing_that_does_not_fit_is_named(gguf_file: Path) -> None:
    sound = compose(gguf_file, source=gguf_file.name)

    metadata = metadata_of(gguf_file)

    def broken(**changes: Any) -> list[str]:
        findings = compare(dataclasses.replace(sound, **changes), metadata)
        return [f.check for f in findings if not f.passed]

    def with_parameters(**values: Any) -> tuple[tuple[str, Any], ...]:
        kept = tuple(p for p in sound.parameters if p[0] not in values)
        return (*kept, *((k, v) for k, v in values.items() if v is not None))

    template = sound.template
    assert broken() == []
    absent = check(dataclasses.replace(sound, source="none.gguf"), gguf_file.parent)
    assert [(f.check, f.passed) for f in absent] == [("from", False)]
    assert broken(parameters=with_parameters(num_ctx=4096)) == ["context"]
    assert broken(parameters=with_parameters(num_ctx=None)) == ["context"]
    assert broken(parameters=with_parameters(top_p=1.5)) == ["top_p"]
    assert broken(parameters=with_parameters(temperature=float("nan"))) == ["temperature"]
    assert broken(parameters=with_parameters(stop="<|im_end|>")) == ["end of turn"]
    assert broken(parameters=(*sound.parameters, ("stop", "<|eot|>"))) == ["stop tokens"]
    assert broken(parameters=with_parameters(stop=None)) == ["stop tokens", "end of turn"]
    assert broken(template="") == ["template"]
    assert broken(template=template.replace("\n", "", 1)) == ["template"]
    assert broken(template=template.replace("<|im_end|>", "<|end|>")) == ["template"]


def test_negative_a_system_text_that_the_template_cannot_take_is_named(gguf_file: Path) -> None:
    without = GEMMA.replace("<start_of_turn>", "<|im_start|>").replace(
        "<end_of_turn>", "<|im_end|>"
    )
    changed = {"tokenizer.chat_template": without, "tokenizer.ggml.add_bos_token": True}
    metadata = {**metadata_of(gguf_file), **changed}
    turns = turns_of(metadata)
    assert turns is not None
    silent = dataclasses.replace(
        compose(gguf_file, source=gguf_file.name), template=turns.go(), system=""
    )
    spoken = dataclasses.replace(silent, system="Be brief.")
    assert [f.check for f in compare(silent, metadata) if not f.passed] == []
    assert [f.check for f in compare(spoken, metadata) if not f.passed] == ["system"]


def ask(*arguments: str | Path) -> Result:
    """Run the command; errors of ours are left in `exception`."""
    import typer

    from training.modelfile.command import modelfile

    app = typer.Typer()
    app.command()(modelfile)
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_the_command_writes_a_modelfile_that_the_command_finds_sound(
    gguf_file: Path, tmp_path: Path
) -> None:
    shutil.copyfile(gguf_file, tmp_path / "model.gguf")
    target = tmp_path / "Modelfile"
    done = ask(tmp_path / "model.gguf", "-o", target, "--system", "Be brief.")
    assert done.exit_code == 0, done.output
    assert target.read_text().startswith("FROM ./model.gguf\n")
    assert "sha256 " in done.stdout
    assert ask(target).exit_code == 0
    target.write_text(target.read_text().replace("num_ctx 1024", "num_ctx 2048"))
    done = ask(target)
    assert done.exit_code == 1
    assert "FAILED  context" in done.output


def test_negative_nothing_is_written_for_a_context_beyond_the_models(
    gguf_file: Path, tmp_path: Path
) -> None:
    done = ask(gguf_file, "-o", tmp_path / "Modelfile", "--num-ctx", "4096")
    assert isinstance(done.exception, Refused)
    assert "expected 1 to 1024 tokens" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_negative_a_cut_gguf_is_refused(gguf_file: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(gguf_file.read_bytes()[:5000])
    done = ask(cut)
    assert isinstance(done.exception, Refused)
    assert "modelqa inspect" in str(done.exception)


def test_negative_without_a_server_the_import_is_unavailable_and_says_what_to_run(
    gguf_file: Path, tmp_path: Path
) -> None:
    target = tmp_path / "Modelfile"
    done = ask(gguf_file, "-o", target, "--create", "tiny", "--host", "127.0.0.1:9")
    assert isinstance(done.exception, Unavailable)
    assert f"ollama create tiny -f {target}" in str(done.exception)
    assert isinstance(done.exception, ModelQAError)
