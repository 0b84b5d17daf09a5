"""Commands of other packages: registered under `modelqa.commands`, imported when asked for.

The plugin never imports the companion packages. An entry point names a `typer.Typer` (a group of
commands) or a function (one command); the name of the entry point is the name of the command.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from pytest_modelqa.core.errors import Unavailable

GROUP = "modelqa.commands"


class Registered(TyperGroup):
    """The commands of the application itself, then the registered ones, by name.

    Commands are `Any` here: some releases of typer carry click with them, others depend on it.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Every name; a command of our own is never hidden by a registered one."""
        own = super().list_commands(ctx)
        return own + sorted({point.name for point in entry_points(group=GROUP)} - set(own))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command; imports the registered one of that name.

        One whose package cannot be imported stays in the list, and says so when it is called.
        """
        own = super().get_command(ctx, cmd_name)
        points = () if own is not None else tuple(entry_points(group=GROUP, name=cmd_name))
        if not points:
            return own
        try:
            return _command(cmd_name, points[0].load())
        except ImportError as error:
            return _unavailable(points[0], error)


def _command(name: str, registered: typer.Typer | Callable[..., object], **how: Any) -> Any:
    if isinstance(registered, typer.Typer):
        group = registered
    else:
        group = typer.Typer(add_completion=False, rich_markup_mode=None)
        group.command(name, **how)(registered)
    made = get_command(group)
    made.name = name
    return made


def _unavailable(point: EntryPoint, error: ImportError) -> Any:
    def refuse() -> None:
        raise Unavailable(
            f"modelqa {point.name} cannot be imported from {point.value}: {error}",
            remedy='python -m pip install "pytest-modelqa[all]"',
        )

    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    return _command(point.name, refuse, help=f"(unavailable: {error})", context_settings=settings)
