"""`models:`: one playbook for several models, of which a run qualifies one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.playbook.positions import Flaw, Key, Tree
from pytest_modelqa.playbook.problems import not_a


def variants(tree: Tree) -> dict[str, Tree]:
    """The playbook once for each name under `models`, as if that one stood under `model`.

    The only one of a playbook without names is called "".
    """
    models = tree.child("models")
    if models is None or not isinstance(models.value, dict) or not models.value:
        return {"": tree}
    return {name: _with(tree, model) for name, model in models.value.items()}


def _with(tree: Tree, model: Tree) -> Tree:
    return Tree({**tree.value, "model": model}, tree.at, tree.key_at)


def model_flaws(tree: Tree) -> Iterator[Flaw]:
    """Exactly one of `model` and `models`; a default that is one of the names."""
    models, default = tree.child("models"), tree.child("default_model")
    if models is not None and tree.child("model") is not None:
        yield Flaw(models.head, ("models",), "stands beside `model`; remove one of the two")
    if default is None or not isinstance(default.value, str):
        return
    path = ("default_model",)
    if models is None:
        yield Flaw(default.head, path, "chooses among `models`, and there are none; remove it")
    elif isinstance(models.value, dict) and default.value not in models.value:
        yield Flaw(default.at, path, not_a(default.value, "model of this playbook", models.value))


def told_under(name: str, flaw: Flaw) -> Flaw:
    """A mistake of a variant's model, where it stands in the file."""
    if not name or flaw.path[:1] != ("model",):
        return flaw
    path: tuple[Key, ...] = ("models", name, *flaw.path[1:])
    return Flaw(flaw.at, path, flaw.message)


def chosen(found: Mapping[str, Tree], wanted: str, default: str, where: str) -> str:
    """The name of the model that is qualified. Raises UsageError where none, or no such one is."""
    names = ", ".join(found)
    if "" in found:
        if wanted:
            raise UsageError(
                f"--model {wanted}: this playbook has one `model`, and no `models` to choose from",
                where=where,
                remedy="leave --model out",
            )
        return ""
    name = wanted or default
    if not name:
        raise UsageError(
            f"the playbook has {len(found)} models, and none is chosen",
            where=where,
            remedy=f"--model NAME, one of: {names}",
        )
    if name not in found:
        raise UsageError(
            f"--model: {not_a(name, 'model of this playbook', found)}",
            where=where,
            remedy=f"--model NAME, one of: {names}",
        )
    return name
