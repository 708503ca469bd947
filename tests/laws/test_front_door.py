"""The names of `import chainrule` are the same for people, for Python and for type checkers."""

import ast
import importlib
import re
import subprocess
import sys
from types import ModuleType

import pytest

from chainrule.base.front_door import defined_names
from tests.tree import PACKAGE, short, sources, syntax_tree

FRONT = PACKAGE / "__init__.py"


def names_for_type_checkers():
    """{name: home} of the imports under ``if TYPE_CHECKING``; a star brings what a file defines."""
    found = {}
    for statement in syntax_tree(FRONT).body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            for line in statement.body:
                assert isinstance(line, ast.ImportFrom), ast.unparse(line)
                if line.names[0].name == "*":
                    home = importlib.import_module(line.module)
                    found |= dict.fromkeys(defined_names(home), home)
                    continue
                for alias in line.names:
                    assert alias.name == alias.asname, f"{alias.name} as itself, or it is private"
                    found[alias.name] = importlib.import_module(line.module)
    return found


def test_a_type_checker_sees_the_names_that_are_there():
    import chainrule

    assert sorted(names_for_type_checkers()) == sorted(chainrule.__all__)


@pytest.mark.parametrize("name", sorted(names_for_type_checkers()))
def test_every_name_is_what_a_type_checker_takes_it_for(name):
    import chainrule

    found = getattr(chainrule, name)
    if isinstance(found, ModuleType):
        assert found is importlib.import_module(f"chainrule.{name}")
    else:
        assert found is getattr(names_for_type_checkers()[name], name)


def test_the_listed_names_are_these():
    import chainrule

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
    unknown = [(path, name) for path, name in spoken if name not in names_for_type_checkers()]
    assert not unknown


def test_import_of_all_names_works():
    code = "from chainrule import *; import chainrule; print(len(chainrule.__all__))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(len(names_for_type_checkers()))


def test_an_unknown_name_is_an_attribute_error():
    import chainrule

    with pytest.raises(AttributeError, match="chainrule has no 'gard'"):
        chainrule.gard  # noqa: B018


def test_import_loads_no_room():
    code = "import sys, chainrule; print(*[m for m in sys.modules if m.startswith('chainrule.')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
