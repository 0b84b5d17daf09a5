"""Chat templates are foreign code: rendered in a sandbox, bounded, refused when they fail."""

from __future__ import annotations

import pytest

from pytest_modelqa.core.errors import Refused
from pytest_modelqa.core.request import Message
from pytest_modelqa.engines.template import render

TURNS = (Message(role="user", content="Hi <b> 'é'"),)


def rendered(template: str, **tokens: str) -> str:
    return render(template, TURNS, add_generation_prompt=True, tokens=tokens)


def test_a_template_sees_messages_tokens_and_the_generation_prompt() -> None:
    template = (
        "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    assert rendered(template, bos_token="<s>") == "<s><user>Hi <b> 'é'<assistant>"


def test_blocks_are_trimmed_as_templates_expect() -> None:
    assert rendered("  {% if true %}\nx\n  {% endif %}\ny") == "x\ny"


def test_tojson_escapes_nothing_but_json() -> None:
    assert rendered("{{ messages[0]['content'] | tojson }}") == "\"Hi <b> 'é'\""


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("", "no chat template"),
        ("{{ messages[0", "the chat template fails"),
        ("{{ raise_exception('only user turns') }}", "only user turns"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "SecurityError"),
        ("{% set _ = messages.append(1) %}", "SecurityError"),
        ("{{ undefined.attribute }}", "UndefinedError"),
        ("{% for i in range(10 ** 9) %}x{% endfor %}", "OverflowError"),
        ("{% for i in range(9999) %}{{ 'x' * 1000 }}{% endfor %}", "more than 1,000,000"),
    ],
)
def test_a_bad_template_is_refused_with_the_reason(template: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        rendered(template)
