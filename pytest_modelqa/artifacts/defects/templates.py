"""Conversations that are written in another way than the model learned them."""

from __future__ import annotations

import re
from collections.abc import Callable

from pytest_modelqa.artifacts.defects.defect import Change, Defect, DefectClass, Inapplicable
from pytest_modelqa.artifacts.defects.subject import Subject

KEY = "tokenizer.chat_template"

_LOOP = re.compile(r"for message in messages(?= *-?%})")
_CONTENT = re.compile(r"message(\['content'\]|\[\"content\"\]|\.content)")
_PROMPT = re.compile(r"if add_generation_prompt\b")
_LLAMA2 = (
    "{% for message in messages %}{% if message['role'] == 'assistant' %}{{ ' ' + "
    "message['content'] + ' ' }}{% else %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% endif %}{% endfor %}"
)


def _defect(
    name: str,
    what: str,
    change: Callable[[Subject], Change | Inapplicable],
    cause: str = "template text",
) -> Defect:
    return Defect(
        name=name,
        category=DefectClass.TEMPLATE,
        what=what,
        causes=(cause,),
        caught_by="template parity",
        change=change,
    )


def _rewritten(edit: Callable[[str], str]) -> Callable[[Subject], Change | Inapplicable]:
    def change(subject: Subject) -> Change | Inapplicable:
        before = subject.template
        if not before:
            return Inapplicable("there is no chat template")
        after = edit(before)
        if after == before:
            return Inapplicable("the chat template is not spelt in a way that is known here")
        return Change(place=KEY, metadata={KEY: after})

    return change


def _dropped(subject: Subject) -> Change | Inapplicable:
    if not subject.template:
        return Inapplicable("there is no chat template")
    return Change(place=KEY, metadata={KEY: None})


def _markers(template: str) -> str:
    """Every literal that names the assistant's turn names another role."""
    return re.sub(r"(?<=[>\s\n'\"])assistant(?=\\n|\n|<)", "model", template)


DEFECTS = (
    _defect("dropped-template", "There is no chat template.", _dropped,
            "missing template"),
    _defect("no-generation-prompt", "The assistant's turn is not opened.",
            _rewritten(lambda t: _PROMPT.sub("if false", t)),
            "generation prompt"),
    _defect("wrong-role-marker", "The assistant's turn has another name.", _rewritten(_markers)),
    _defect("extra-whitespace", "A space stands before every message.",
            _rewritten(lambda t: _CONTENT.sub(r"(' ' + message\1)", t))),
    _defect("other-models-template", "Turns are written as Llama 2 has them.",
            _rewritten(lambda _: _LLAMA2)),
    _defect("system-dropped", "System messages are left out.",
            _rewritten(lambda t: _LOOP.sub(
                "for message in messages if message['role'] != 'system'", t))),
    _defect("history-dropped", "Only the last message is written.",
            _rewritten(lambda t: _LOOP.sub("for message in messages[-1:]", t))),
    _defect("turn-not-closed", "The mark that ends a turn is left out.",
            _rewritten(lambda t: re.sub(r"<\|(?:im_end|eot_id|end)\|>", "", t))),
)  # fmt: skip
