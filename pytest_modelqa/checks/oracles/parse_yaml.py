"""YAML through PyYAML: data, not sentences. Loaded by name: PyYAML stands at the top.

Nodes are composed, never constructed: no tag runs, no alias is expanded.
"""

from __future__ import annotations

from typing import Any

import yaml

from pytest_modelqa.checks.oracles.parsing import NotCode


def fenced_entries(text: str) -> int:
    """Entries of all documents' top-level mappings or sequences, at least 1 each.

    A scalar is refused: every sentence is one. Raises NotCode.
    """
    return sum(max(len(root.value), 1) for root in _roots(text))


def bare_entries(text: str) -> int:
    """The same outside of a fence, where "Note: this is prose." must not pass for a mapping.

    Refused as well: keys of several words, and a single key with a scalar value. Raises NotCode.
    """
    for root in _roots(text):
        if isinstance(root, yaml.MappingNode) and _reads_like_prose(root.value):
            raise NotCode("it reads like a sentence with a colon, not like data")
    return fenced_entries(text)


def _roots(text: str) -> list[yaml.CollectionNode]:
    try:
        roots = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise NotCode(" ".join(str(error).split())[:160]) from None
    if not roots:
        raise NotCode("there is no document")
    collections = [root for root in roots if isinstance(root, yaml.CollectionNode)]
    if len(collections) < len(roots):
        raise NotCode("a mapping or a sequence is expected, this is a scalar")
    return collections


def _reads_like_prose(pairs: list[tuple[Any, Any]]) -> bool:
    if any(" " in str(key.value).strip() for key, _ in pairs):
        return True
    return len(pairs) == 1 and isinstance(pairs[0][1], yaml.ScalarNode)
