"""Facts compared one by one: counted, and kept where they disagree."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_modelqa.core.answer import Finding, Severity


class Facts:
    """Compares, counts, and keeps what disagrees. `offsets` places names and keys in the file."""

    def __init__(self, offsets: Mapping[str, int]) -> None:
        self.checked = 0
        self.findings: list[Finding] = []
        self._offsets = offsets

    def same(self, code: str, where: str, found: object, expected: object, source: str) -> None:
        """One fact. `source` names where the expectation comes from."""
        self.holds(found == expected, code, where, f"is {found}, {source} says {expected}")

    def holds(
        self, sound: bool, code: str, where: str, message: str, severity: Severity = "error"
    ) -> None:
        """One fact; `message` says what is wrong where it does not hold."""
        self.checked += 1
        if sound:
            return
        offset = self._offsets.get(where, -1)
        self.findings.append(
            Finding(code=code, where=where, message=message, offset=offset, severity=severity)
        )
