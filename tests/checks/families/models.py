"""Models of the tests: functions from prompt to text, healthy or with one planted defect."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from pytest_modelqa.checks.oracles.arithmetic import the_expression


def arithmetic(prompt: str) -> str:
    if "gets" in prompt:
        return str(sum(map(int, re.findall(r"\d+", prompt))))
    return str(the_expression(prompt).value)


def wrong_from(limit: int) -> Callable[[str], str]:
    """Planted: every result from `limit` upwards is one too large."""

    def model(prompt: str) -> str:
        value = int(arithmetic(prompt))
        return str(value + (value >= limit))

    return model


def code(prompt: str) -> str:
    if "SQL" in prompt:
        return "```sql\nSELECT * FROM users WHERE id > 1;\n```"
    if "JavaScript" in prompt:
        return "```javascript\nfunction f(x) { return x + 1; }\n```"
    return "```python\ndef f(x):\n    return x + 1\n```"


def formatting(prompt: str) -> str:
    if "JSON" in prompt:
        return json.dumps(dict.fromkeys(re.findall(r'"(\w+)"', prompt), "x"))
    if count := re.match(r"List (\d)", prompt):
        return "\n".join(["- one", "- two", "- three", "- four"][: int(count[1])])
    asked = prompt.rpartition(": ")[2]
    if "upper" in prompt:
        return asked.upper()
    if marks := re.search(r"like (\W)this(\W):", prompt):
        return f"{marks[1]}{asked}{marks[2]}"
    return asked


def edge(prompt: str) -> str:
    return "Hello! How can I help you today?"


HEALTHY = {"arithmetic": arithmetic, "code": code, "formatting": formatting, "edge": edge}
