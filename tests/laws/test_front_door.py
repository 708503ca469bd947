"""The names of `import chainrule` are the same for people, for Python and for type checkers."""

import ast
import importlib
import re
import subprocess
import sys

import pytest

from tests.tree import PACKAGE, short, sources, syntax_tree

FRONT = PACKAGE / "__init__.py"


def names_for_type_checkers():
    """{name: room} of the imports under ``if TYPE_CHECKING``."""
    found = {}
    for statement in syntax_tree(FRONT).body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            for line in statement.body:
                assert isinstance(line, ast.ImportFrom), ast.unparse(line)
                for alias in line.names:
                    assert alias.name == alias.asname, f"{alias.name} as itself, or it is private"
                    found[alias.name] = line.module.removeprefix("chainrule").lstrip(".")
    return found


def names_at_run_time():
    import chainrule

    return {**dict.fromkeys(chainrule._ROOMS, ""), **chainrule._NAMES}


def test_a_type_checker_sees_the_names_that_are_there():
    assert names_for_type_checkers() == names_at_run_time()


@pytest.mark.parametrize("name", sorted(names_at_run_time()))
def test_every_name_loads_from_the_room_it_is_said_to_be_in(name):
    import chainrule

    room = names_at_run_time()[name]
    found = getattr(chainrule, name)
    if room:
        assert found is getattr(importlib.import_module(f"chainrule.{room}"), name)
    else:
        assert found is importlib.import_module(f"chainrule.{name}")


def test_the_listed_names_are_these():
    import chainrule

    assert sorted(chainrule.__all__) == sorted(names_at_run_time())
    assert {*chainrule.__all__, "__version__"} <= set(dir(chainrule))


def test_names_that_errors_and_docstrings_tell_to_use_exist():
    spoken = [
        (short(path), name)
        for path in sources()
        for node in ast.walk(syntax_tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for name in re.findall(r"\bcr\.([a-z_]+)", node.value)
    ]
    assert spoken
    unknown = [(path, name) for path, name in spoken if name not in names_at_run_time()]
    assert not unknown


def test_import_of_all_names_works():
    code = "from chainrule import *; import chainrule; print(len(chainrule.__all__))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(len(names_at_run_time()))


def test_an_unknown_name_is_an_attribute_error():
    import chainrule

    with pytest.raises(AttributeError, match="chainrule has no 'gard'"):
        chainrule.gard  # noqa: B018


def test_import_loads_no_room():
    code = "import sys, chainrule; print(*[m for m in sys.modules if m.startswith('chainrule.')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
