"""A room's front door shows what its files define, and not what they import."""

import math
import sys
from types import ModuleType

from chainrule.base.front_door import defined_names, show_definitions, show_registered
from chainrule.base.registry import Registry


def module(name, code, **names):
    made = ModuleType(name)
    vars(made).update(names)
    exec(code, vars(made))  # noqa: S102 - a file for the test
    return made


FILE = module("room.file", "import math\ndef sine(): ...\ndef _inner(): ...\nLIMIT = 3")


def star(*files):
    """What `from file import *` puts into an ``__init__``, and the submodule itself."""
    namespace = {"__name__": "room"}
    for file in files:
        namespace |= {name: v for name, v in vars(file).items() if name[0] != "_"}
        namespace[file.__name__.rpartition(".")[2]] = file
    return namespace


def test_a_file_defines_its_functions_and_not_its_imports():
    assert defined_names(FILE) == ["sine"]


def test_a_front_door_shows_definitions_and_files():
    namespace = star(FILE)
    assert namespace["math"] is math
    show_definitions(namespace, FILE)
    assert sorted(namespace) == ["__name__", "file", "sine"]


def test_a_front_door_shows_what_is_registered():
    registry = Registry("part")
    registry.register("part")(FILE.sine)
    namespace = {**star(FILE), "PARTS": registry, "sys": sys}
    show_registered(namespace, registry)
    assert sorted(namespace) == ["PARTS", "__name__", "file", "sine"]
