"""Front doors: what a room's ``__init__`` shows is what its files define, without a list of it."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from chainrule.base.registry import Registry


def show_definitions(namespace: dict[str, Any], *files: ModuleType) -> None:
    """Take out of an ``__init__``'s namespace what its star imports brought from elsewhere.

    A new layer or op is named where it is written and nowhere else: the front door takes all that
    the file defines. But a star brings what the file itself imports as well.

    Parameters
    ----------
    namespace : dict of str
        The ``globals()`` of the ``__init__``, right below its star imports.
    *files : module
        The files that were imported by a star.
    """
    shown = {name for file in files for name in defined_names(file)}
    brought = {name for file in files for name in vars(file)}
    rooms_own = {file.__name__.rpartition(".")[2] for file in files}
    for name in brought - shown - rooms_own:
        if not name.startswith("_"):
            namespace.pop(name, None)


def defined_names(file: ModuleType) -> list[str]:
    """The public functions and classes that a module defines itself, in the order of the file."""
    return [
        name
        for name, value in vars(file).items()
        if not name.startswith("_")
        and hasattr(value, "__qualname__")
        and value.__module__ == file.__name__
    ]


def show_registered(namespace: dict[str, Any], *registries: Registry[Any]) -> None:
    """Take out of an ``__init__``'s namespace all but submodules, registries and their parts.

    Parameters
    ----------
    namespace : dict of str
        The ``globals()`` of the ``__init__``, right below its star imports.
    *registries : Registry
    """
    parts = [*registries, *(part for registry in registries for part in registry.values())]
    room = namespace["__name__"]
    for name, value in list(namespace.items()):
        is_file = isinstance(value, ModuleType) and value.__name__.startswith(f"{room}.")
        if not (name.startswith("_") or is_file or any(value is part for part in parts)):
            del namespace[name]
