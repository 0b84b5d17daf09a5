"""Chat templates: real shapes in pieces, with pieces gone, twice, or hostile."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from suites.fuzz.byte_edits import edited as edited_bytes
from suites.fuzz.files import Files

NAME = "chat_template.jinja"
_CHATML = """\
{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{
 '<|im_start|>system\nYou are kind<|im_end|>\n' }}{% endif %}{{ '<|im_start|>' + message['role']
 + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{
 '<|im_start|>assistant\n' }}{% endif %}"""
_TOOLS = """\
{{- bos_token }}
{%- set ns = namespace(system='', seen=false) %}
{%- for m in messages %}
{%- if m.role == 'system' %}{%- set ns.system = m.content | trim %}{%- continue %}
{%- elif m.role not in ['user', 'assistant', 'tool'] %}{{- raise_exception('role ' ~ m.role) }}
{%- endif %}
{{- '<|start|>' ~ m['role'] ~ ': ' ~ (m.content if m.content is string else m.content | tojson) }}
{%- if m.tool_calls is defined %}{%- for call in m.tool_calls %}
{{- call.function.name }}({{ call.function.arguments | tojson(indent=2) }})
{%- endfor %}{%- endif %}
{%- endfor %}
{%- if tools %}{{ tools | tojson }}{% endif %}
{%- if add_generation_prompt %}{{ strftime_now('%d %b %Y') }}{{ '<|assistant|>' }}{% endif %}"""
_MACRO = """\
{%- macro turn(m, depth=0) -%}[{{ m.role | upper }}] {{ m.content.strip().split('\n')[0] }}
{%- endmacro -%}
{%- for m in messages[:10] | selectattr('role', 'equalto', 'user') | list -%}
{{ turn(m) }}{{ loop.index0 % 2 }}{{ eos_token }}{%- endfor -%}"""
_SEEDS = (_CHATML, _TOOLS, _MACRO)

_PIECES = (
    "{{ 1 / 0 }}", "{{ 1 // 0 }}", "{{ 1 % 0 }}", "{{ messages[99] }}", "{{ messages[99].role }}",
    "{{ messages['x']['y'] }}", "{{ nothing.at.all }}", "{{ nothing() }}", "{{ none.x }}",
    "{{ ''.__class__.__mro__ }}", "{{ messages.append(1) }}", "{{ self }}", "{{ self.x() }}",
    "{{ messages | map('nope') | list }}", "{{ 'x' | int + [] }}", "{{ 'a' + 1 }}",
    "{{ '%d' | format('x') }}", "{{ '%s%s' | format(1) }}", "{{ '{0.a}' .format(1) }}",
    "{{ '{0.__class__}'.format(1) }}", "{{ 'a'.split('') }}", "{{ 'a'.index('z') }}",
    "{{ 'é'.encode('ascii') }}", "{{ [].pop() }}", "{{ {}.popitem() }}", "{{ [1] | sum('x') }}",
    "{{ [] | max }}", "{{ [] | first }}", "{{ [] | random }}", "{{ [3, 'a'] | sort }}",
    "{{ 'x' | tojson(indent=-9) }}", "{{ messages | tojson(indent='x') }}", "{{ loop | tojson }}",
    "{{ range(100001) | list }}", "{{ range(99999) | list | string }}", "{{ range(9, 0, 0) }}",
    "{% for i in range(99999) %}{{ i }}{% endfor %}", "{{ 'a' * 10 ** 7 }}",
    "{{ 'a' * 10 ** 12 }}", "{{ 10 ** 10000 }}", "{{ (10 ** 5000) | string }}",
    "{{ 1e308 * 10 | int }}", "{{ (1e308 * 10) | int }}", "{{ 'nan' | float | int }}",
    "{{ 'x' | center(10 ** 7) }}", "{{ 'x' | indent(10 ** 6) }}", "{{ 'x'.ljust(10 ** 7) }}",
    "{{ lipsum(n=1) }}", "{{ cycler() }}", "{{ joiner().next }}", "{{ dict(a=1, **{}) }}",
    "{% include 'x' %}", "{% extends 'x' %}", "{% import 'x' as y %}",
    "{% block b %}{% endblock %}",
    "{% macro r() %}{{ r() }}{% endmacro %}{{ r() }}", "{% call nothing() %}{% endcall %}",
    "{% set x = namespace() %}{{ x.y }}", "{% set x.y = 1 %}", "{% set messages = [] %}",
    "{% for a, b in messages %}{% endfor %}", "{% for a in 5 %}{% endfor %}", "{% break %}",
    "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}", "{% raw %}", "{# ",
    "{% filter upper %}", "{% endfor %}", "{% if %}", "{{", "}}", "{%", "{% trans %}", "{{ () }}",
    "{{ raise_exception() }}", "{{ raise_exception(messages) }}", "{{ strftime_now('%Q' * 9) }}",
    "{{ strftime_now(1) }}", "{{ strftime_now('\\ud800') }}", "{{ '\\ud800' }}", "{{ '\\x00' }}",
    "{{ " + "(" * 150 + "1" + ")" * 150 + " }}", "{{ " + "-" * 3000 + "1 }}",
    "{{ " + "1 + " * 2000 + "1 }}", "{% if 1 %}" * 120 + "{% endif %}" * 120,
    "{% for x in [1] %}" * 25 + "{% endfor %}" * 25, "{{ [" * 40 + "] }}" * 40, "{{ 0x }}",
    "{{ 1_0 }}", "{{ 'a" + "b" * 9000 + "' }}", "{{ a if }}", "{{ not }}",
    "{{ x is divisibleby 0 }}",
    "{{ 5 is divisibleby 0 }}", "{{ 5 is sameas }}", "{{ messages | batch(0) | list }}",
    "{{ messages | slice(0) | list }}", "{{ messages | groupby('role') }}", "{{ 1 | round(400) }}",
    "{{ 1 | filesizeformat }}", "{{ 'x' | truncate(-1) }}", "{{ 'x' | wordwrap(0) }}",
    "{{ 'x' | urlize }}", "{{ 7 | xmlattr }}", "{{ 'x' | attr('__class__') }}",
    "{{ 3 ** -1 / 0.0 }}",
)  # fmt: skip
"""What a template may say and mean harm by, or mean nothing by."""

_CUTS = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)


def seeds() -> tuple[Files, ...]:
    """The sound templates that mutations start from."""
    return tuple({NAME: text.encode()} for text in _SEEDS)


def mutated(dice: Random, templates: Sequence[str] = _SEEDS) -> Files:
    """One mutated template, of those that are given."""
    parts = _CUTS.split(dice.choice(templates))
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(parts))
        pick = dice.randrange(6)
        if pick == 0 and len(parts) > 1:
            del parts[at]
        elif pick == 1:
            parts.insert(dice.randrange(len(parts)), parts[at])
        elif pick == 2:
            parts[at] = dice.choice(parts)
        elif pick == 3:
            parts[at] = edited_bytes(dice, parts[at].encode(), 2).decode("utf-8", "replace")
        else:
            parts.insert(at, dice.choice(_PIECES))
    return {NAME: "".join(parts).encode("utf-8", "surrogatepass")}
