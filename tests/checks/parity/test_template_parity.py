"""Template parity: rendered conversations on real engines, and the class of what differs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.checks.parity.conversations import CONVERSATIONS
from pytest_modelqa.checks.parity.template import (
    GATE,
    TemplateClass,
    TemplateParity,
    classify_template,
)
from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.comparison.templates import (
    CompareTemplates,
    Conversation,
    ConversationCompared,
    Prompt,
    Template,
    TemplatesCompared,
)
from pytest_modelqa.core.verdict import Outcome
from tests.checks.parity.asking import CELL, Told, asked
from tests.checks.parity.conftest import Plant

CHECK = TemplateParity()

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + "
    "'<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
INST = (
    "{% if tools %}{{ '[TOOLS]' + (tools | tojson) }}{% endif %}"
    "{% if messages[0]['role'] != 'system' %}{{ 'Be kind. ' }}{% endif %}"
    "{% for m in messages %}{{ '[' + m['role'] + '] ' + m['content'] + ' [end]' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ ' [assistant] ' }}{% endif %}"
)
PLANTED: dict[str, tuple[str | None, str]] = {
    "dropped": (None, "missing template: "),
    "fallback": (CHATML, "fallback template: "),
    "no prompt": (INST.replace("if add_generation_prompt", "if false"), "missing generation"),
    "another system": (INST.replace("Be kind", "Be rude"), "system text: "),
    "a line more": (INST + "{{ '\\n' }}", "whitespace: "),
    "no history": (INST.replace("in messages %}", "in messages[-1:] %}"), "text: "),
    "an error": (INST + "{{ raise_exception('no') }}", "render error: "),
    "refuses tools": ("{% if tools %}{{ raise_exception('x') }}{% endif %}" + INST, "render error"),
    "no syntax": ("{% if %}", "render error: "),
}


@pytest.fixture(scope="module")
def told(ci_light: tuple[Path, Path], plant: Plant) -> dict[str, dict[str, Any]]:
    """Copies with other templates, compared with a copy that has the template above."""
    reference = plant("reference", {"chat_template": INST})
    copies = {name: plant(name, {"chat_template": text}) for name, (text, _) in PLANTED.items()}
    copies["sound"] = plant("sound", {"chat_template": INST})
    found = asked(reference, *copies.values())
    return {name: found[str(path)]["template-parity"] for name, path in copies.items()}


@pytest.mark.parametrize("name", PLANTED)
def test_another_template_is_falsified_with_its_class(
    told: dict[str, dict[str, Any]], name: str
) -> None:
    assert told[name]["outcome"] == "falsified", told[name]
    assert told[name]["reason"].startswith(PLANTED[name][1]), told[name]["reason"]


def test_the_same_template_is_corroborated_on_every_conversation(
    told: dict[str, dict[str, Any]],
) -> None:
    sound = told["sound"]
    assert sound["outcome"] == "corroborated", sound
    assert sound["tested"] == len(CONVERSATIONS)
    assert "equal ids" in sound["reason"]
    assert "llama.cpp's own renderer, not used here" in sound["reason"]


def test_the_templates_of_folder_and_file_are_one_and_their_tokens_too(planted: Told) -> None:
    sound = planted["sound"]["template-parity"]
    assert sound["outcome"] == "corroborated", sound
    other = planted["kind"]["template-parity"]
    assert other["outcome"] == "falsified"
    assert other["reason"].startswith("tokens: "), other["reason"]


def test_conversations_are_of_every_kind_with_and_without_a_prompt() -> None:
    names = {(c.name, c.add_generation_prompt) for c in CONVERSATIONS}
    assert len(names) == len(CONVERSATIONS)
    for name in ("single", "multi", "system", "empty", "unicode", "special", "tool-call"):
        assert {(name, True), (name, False)} <= names
    assert any(c.tools and c.turns[-1].role == "tool" for c in CONVERSATIONS)
    [request] = CHECK.requests(CELL).values()
    assert request == CompareTemplates(conversations=CONVERSATIONS)
    assert GATE == "F-PARITY-TEMPLATE"


SIDE = Template(engine="transformers", sha256="f" * 64, characters=100)


def _prompt(text: str = "", problem: str = "", library: str | None = None) -> Prompt:
    return Prompt(
        text=text,
        problem=problem,
        library=text if library is None else library,
        library_problem=problem,
        ids=len(text),
    )


def _compared(
    ours: Prompt, theirs: Prompt, conversation: Conversation = CONVERSATIONS[0], id_at: int = -1
) -> ConversationCompared:
    char = -1 if ours.text == theirs.text else 0
    return ConversationCompared(
        name=conversation.name,
        add_generation_prompt=conversation.add_generation_prompt,
        candidate=ours,
        reference=theirs,
        char=char,
        id_at=id_at,
        candidate_piece="a" if id_at >= 0 else "",
        reference_piece="b" if id_at >= 0 else "",
    )


def _seen(*conversations: ConversationCompared, **sides: Template) -> TemplatesCompared:
    same = {"candidate": replace(SIDE, engine="llamacpp"), "reference": SIDE}
    return TemplatesCompared(conversations=conversations, **{**same, **sides})


SAME = _compared(_prompt("hi"), _prompt("hi"))
NONE = replace(SIDE, sha256="", characters=0)


def _outcome(seen: TemplatesCompared) -> Outcome:
    return CHECK.judge({"templates": seen}).outcome


def test_what_is_written_alike_corroborates() -> None:
    verdict = CHECK.judge({"templates": _seen(SAME)})
    assert (verdict.outcome, verdict.tested) == (Outcome.CORROBORATED, 1)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(_seen(), Outcome.INCONCLUSIVE, id="no conversation"),
        pytest.param(_seen(SAME, candidate=NONE), Outcome.FALSIFIED, id="the candidate has none"),
        pytest.param(
            _seen(SAME, reference=NONE), Outcome.INCONCLUSIVE, id="only the candidate has"
        ),
        pytest.param(
            _seen(SAME, candidate=NONE, reference=NONE), Outcome.UNAVAILABLE, id="neither has one"
        ),
        pytest.param(
            _seen(_compared(_prompt(problem="no"), _prompt(problem="no"))),
            Outcome.INCONCLUSIVE,
            id="both refuse everything",
        ),
        pytest.param(
            _seen(_compared(_prompt("hi"), _prompt("hi", library="ho"))),
            Outcome.INCONCLUSIVE,
            id="transformers renders the reference otherwise",
        ),
    ],
)
def test_what_was_not_compared_is_no_pass(seen: TemplatesCompared, expected: Outcome) -> None:
    assert _outcome(seen) is expected


def test_a_refusal_of_both_beside_what_is_alike_is_told() -> None:
    seen = _seen(SAME, _compared(_prompt(problem="no"), _prompt(problem="no"), CONVERSATIONS[1]))
    verdict = CHECK.judge({"templates": seen})
    assert (verdict.outcome, verdict.tested) == (Outcome.CORROBORATED, 1)
    assert "both refuse 1, first system: no" in verdict.reason


def test_the_other_renderer_of_llamacpp_alone_fails_nothing() -> None:
    seen = _seen(_compared(_prompt("hi", library="ho"), _prompt("hi")))
    verdict = CHECK.judge({"templates": seen})
    assert verdict.outcome is Outcome.CORROBORATED
    assert "llama.cpp's own renderer, not used here, writes 1 otherwise" in verdict.reason


@pytest.mark.parametrize(
    ("compared", "expected"),
    [
        (_compared(_prompt("hi"), _prompt("ho")), "text"),
        (_compared(_prompt("h i"), _prompt("hi")), "whitespace"),
        (_compared(_prompt("hi"), _prompt("hi:bot")), "missing generation prompt"),
        (_compared(_prompt("hi"), _prompt("hi"), id_at=1), "tokens"),
        (_compared(_prompt("hi"), _prompt(problem="no")), "render error"),
        (_compared(_prompt(problem="no"), _prompt("hi")), "render error"),
        (SAME, None),
    ],
)
def test_a_conversation_tells_its_class(
    compared: ConversationCompared, expected: TemplateClass | None
) -> None:
    other = replace(SAME, name="multi")
    seen = _seen(compared, other, replace(SAME, name="system"))
    assert classify_template(seen) == expected
    assert _outcome(seen) is (Outcome.FALSIFIED if expected else Outcome.CORROBORATED)


def test_equal_texts_with_other_ids_name_the_index_and_both_tokens() -> None:
    seen = _seen(_compared(_prompt("hi"), _prompt("hi"), id_at=1))
    reason = CHECK.judge({"templates": seen}).reason
    assert "at index 1 the token 'a', in the reference 'b'" in reason


def test_a_failure_is_passed_on() -> None:
    verdict = CHECK.judge({"templates": Failure(cause="timeout", reason="slow")})
    assert verdict.outcome is Outcome.TIMEOUT
