"""`modelqa`: what belongs beside pytest. Machine-readable output alone goes to stdout."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from pytest_modelqa.cli import (
    build,
    calibrate,
    convert,
    crossval,
    fetch,
    inspect,
    mutate,
    playbooks,
    quantize,
    receipts,
    tdg,
    tiers,
)
from pytest_modelqa.cli.registered import Registered
from pytest_modelqa.core.errors import ExitCode, ModelQAError, OutputError

_CTRL_C = 130
"""What typer makes of a KeyboardInterrupt: 128 and the number of SIGINT."""

app = typer.Typer(
    cls=Registered,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Qualify language models: playbooks, plans, reports. Runs themselves are pytest's.",
)
for part in (
    playbooks, fetch, inspect, convert, quantize, build, crossval, calibrate, mutate, receipts,
    tdg, tiers,
):  # fmt: skip
    app.add_typer(part.app)


@app.command("exit-codes")
def exit_codes() -> None:
    """Print the table of exit codes, in Markdown."""
    typer.echo("| code | name | meaning |\n| --- | --- | --- |")
    for code in ExitCode:
        typer.echo(f"| {code.value} | {code.name} | {code.meaning} |")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; every foreseen error is a message and a code, never a traceback."""
    try:
        code = app(argv, prog_name="modelqa", standalone_mode=False)
    except ModelQAError as error:
        typer.echo(f"modelqa: {error}", err=True)
        return error.exit_code
    except OSError as error:
        typer.echo(f"modelqa: {OutputError(str(error))}", err=True)
        return ExitCode.OUTPUT
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except Exception as error:  # click's own usage errors carry their message and a code of 2
        if not hasattr(error, "format_message"):
            raise
        typer.echo(f"modelqa: {error.format_message()}\n  try: modelqa --help", err=True)
        return ExitCode.USAGE
    if code == _CTRL_C:
        return ExitCode.INTERRUPTED
    return code if isinstance(code, int) else ExitCode.OK
