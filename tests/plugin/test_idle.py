"""With the plugin installed and unused, a pytest run does not notice it."""

from __future__ import annotations

import pytest


def test_an_idle_run_imports_the_entry_module_and_nothing_else(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_modules():
            ours = sorted(m for m in sys.modules if m.split(".")[0] == "pytest_modelqa")
            assert ours == ["pytest_modelqa", "pytest_modelqa.plugin"]
            for heavy in ("pydantic", "yaml", "numpy", "torch", "llama_cpp", "jinja2"):
                assert heavy not in sys.modules, heavy
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)


def test_a_run_with_a_playbook_imports_no_engine_library(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import sys

        def pytest_unconfigure(config):
            heavy = [m for m in ("torch", "transformers", "llama_cpp") if m in sys.modules]
            print("heavy:", heavy)
        """
    )
    pytester.makefile(".json", script='{"text": "The city is Paris."}')
    pytester.makefile(
        ".yaml",
        book="""
        version: "1.0"
        model:
          id: test/scripted
          artifacts:
            - {format: gguf, quantization: f32, source: "file:script.json", engine: scripted}
        test_matrix:
          {modalities: [chat], backends: [cpu], formats: [gguf], quantizations: [f32]}
        """,
    )
    result = pytester.runpytest_subprocess("--playbook", "book.yaml")
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["heavy: []"])
