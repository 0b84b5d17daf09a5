"""The pytest entry point: options and markers. Imports pytest and the standard library, no more.

Everything else is imported when `--playbook` is given; a test on `sys.modules` keeps it so.
"""

from __future__ import annotations

import pytest

_MARKERS = (
    "tier1: seconds, on every save",
    "tier2: minutes, on every push",
    "tier3: the rest, nightly",
    "gateway: one of the gateways G0 to G4 of a cell",
    "qual: counts for quality",
    "perf: counts for performance",
    "stab: counts for stability",
    "comp: counts for compatibility",
    "edge: counts for edge cases",
    "regr: counts for regressions",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options; all start with --modelqa but the one that users type most."""
    group = parser.getgroup("modelqa", "qualify language models from a playbook")
    group.addoption(
        "--playbook",
        action="append",
        default=[],
        metavar="FILE",
        dest="modelqa_playbooks",
        help="qualify the model of this YAML playbook; may be given several times "
        "(with --model NAME: that one of its `models`)",
    )
    group.addoption(
        "--modelqa-report",
        metavar="DIR",
        dest="modelqa_report",
        help="write evidence and reports to this folder (default: a new one under .modelqa/runs)",
    )
    group.addoption(
        "--modelqa-resume",
        action="append",
        default=[],
        metavar="DIR",
        dest="modelqa_resume",
        help="take answers from the evidence in this folder; may be given several times",
    )
    group.addoption(
        "--modelqa-explode",
        action="store_true",
        dest="modelqa_explode",
        help="make every generated example an item of its own, instead of a subtest of its family",
    )
    group.addoption(
        "--modelqa-strict",
        action="store_true",
        dest="modelqa_strict",
        help="count unavailable and inconclusive cases as failures",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser) -> None:
    """Declare --model where there is a playbook, and nowhere else: many projects have their own."""
    if early_config.known_args_namespace.modelqa_playbooks:
        parser.getgroup("modelqa").addoption(
            "--model",
            default="",
            metavar="NAME",
            dest="modelqa_model",
            help="qualify this one of the playbook's `models`",
        )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; load the rest of the plugin only for a playbook."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    if config.getoption("modelqa_playbooks"):
        from pytest_modelqa.plugin.session import Qualification  # noqa: PLC0415 - only on demand

        config.pluginmanager.register(Qualification.from_config(config), "modelqa-qualification")
