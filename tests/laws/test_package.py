"""What the package is made of, and what it ships."""

import ast
import tomllib
import zipfile
from inspect import ismodule

import pytest

from tests.tree import PACKAGE, ROOT, repository_files, rooms, short, sources, syntax_tree

LONGEST_FILE = 500  # lines; beyond it there is usually a second story to tell in a second file

HAS_FRONT_DOOR = (PACKAGE / "__init__.py").exists()


def test_rooms_have_a_purpose():
    silent = []
    for front in (room / "__init__.py" for room in rooms()):
        purpose = ast.get_docstring(syntax_tree(front)) if front.exists() else None
        if len((purpose or "").split()) < 10:
            silent.append(short(front))
    assert not silent, (
        f"{', '.join(silent)}: a room says in its docstring what it is for, what it may import, "
        "and where a newcomer adds things"
    )


def test_files_are_short():
    lengths = {
        short(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()
    }
    long = {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE}
    assert not long, f"more than {LONGEST_FILE} lines: {long}"


@pytest.mark.skipif(not HAS_FRONT_DOOR, reason="the package has no front door yet")
def test_front_door_names_are_not_rooms():
    import chainrule

    hidden = [
        name
        for name in getattr(chainrule, "__all__", ())
        if name in {room.name for room in rooms()} and not ismodule(getattr(chainrule, name))
    ]
    assert not hidden, f"{hidden}: importing the room of that name would replace the function"


@pytest.mark.skipif(not HAS_FRONT_DOOR, reason="the package has no front door yet")
def test_version_is_the_one_in_pyproject():
    import chainrule

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert chainrule.__version__ == project["version"]


def test_readme_is_shown_where_the_package_is():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (ROOT / "README.md").exists() == (project.get("readme") == "README.md")


def test_wheel_ships_every_file_of_the_package(tmp_path):
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    shipped = set(zipfile.ZipFile(wheel).namelist())
    ours = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in repository_files()
        if path.is_relative_to(PACKAGE)
    }
    assert "chainrule/py.typed" in shipped
    assert not ours - shipped
