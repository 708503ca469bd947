"""Whatever a user can name is described: public functions and classes, commands, options."""

import importlib
import importlib.util
import inspect
import re
from functools import cached_property
from types import ModuleType

import pytest

from tests.tree import PACKAGE, documents, module_name, rooms

SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)


def front_doors():
    """The modules whose names users type: the package, and each room."""
    fronts = [PACKAGE / "__init__.py", *(room / "__init__.py" for room in rooms())]
    return [module_name(front) for front in fronts if front.exists()]


def public_names(module):
    """What a front door shows of its room: `__all__`, or every name but its files' and imports'."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if not (name.startswith("_") or isinstance(value, ModuleType))
        and getattr(value, "__module__", module.__name__).startswith("chainrule")
    ]


def public_members(name, thing):
    """(name, function or class) of a public name and, for a class of ours, its public methods."""
    yield name, thing
    if not inspect.isclass(thing):
        return
    described = (property, cached_property)
    for member, value in vars(thing).items():
        value = inspect.unwrap(getattr(value, "__func__", value))
        if not member.startswith("_") and (
            inspect.isfunction(value) or isinstance(value, described)
        ):
            yield f"{name}.{member}", getattr(thing, member)


def faults_of(name, thing):
    """What the docstring of a function, class, method or property lacks."""
    if inspect.isclass(thing):
        text = inspect.cleandoc(thing.__dict__.get("__doc__") or "")
        # A dataclass without a docstring gets its signature for one.
        text = "" if text.startswith(f"{thing.__name__}(") else text
    else:
        text = inspect.getdoc(thing) or ""  # an overriding method has its base's
    if not text:
        return [f"{name}: no docstring"]
    summary = text.split("\n\n")[0]
    faults = []
    if "\n" in summary or not summary.endswith((".", "?", "!", ":")):
        faults.append(f"{name}: the summary is one line, a sentence: {summary!r}")
    parts = SECTION.split(text)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    if "Parameters" in sections and callable(thing):
        described = set(re.findall(r"\*{0,2}\w+", " ".join(unindented(sections["Parameters"]))))
        missing = [each for each in parameters(thing) if each not in described]
        if missing:
            faults.append(f"{name}: its Parameters leave out {', '.join(missing)}")
    return faults


def unindented(section):
    """The lines of a section that name something, without its type: 'x, y : array' is 'x, y '."""
    return [line.partition(":")[0] for line in section.splitlines() if line[:1].strip()]


def parameters(thing):
    """The names of a signature as numpydoc writes them: x, *args, **options."""
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    try:
        signature = inspect.signature(thing)
    except ValueError:
        return []
    return [
        stars.get(parameter.kind, "") + name
        for name, parameter in signature.parameters.items()
        if name not in {"self", "cls"} and not name.startswith("_")
    ]


@pytest.mark.parametrize("door", front_doors())
def test_public_names_are_described(door):
    module = importlib.import_module(door)
    faults = []
    for name in public_names(module):
        thing = getattr(module, name)
        # A constant, an alias of a type or a room has no docstring of its own to look at.
        if isinstance(thing, ModuleType) or not (
            inspect.isclass(thing) or inspect.isroutine(thing)
        ):
            continue
        for member, value in public_members(name, thing):
            faults += faults_of(member, value)
    assert not faults, "\n".join([door, *faults])


def command_line():
    """The cyclopts App behind `chainrule`; skips while there is none."""
    if not (PACKAGE / "cli" / "__init__.py").exists():
        pytest.skip("there is no command line yet")
    from chainrule.cli import app

    return app


def commands(app):
    return {name: app[name] for name in app if not name.startswith("-")}


def test_commands_are_documented():
    text = "\n".join(path.read_text(encoding="utf-8") for path in documents())
    missing = [name for name in commands(command_line()) if f"chainrule {name}" not in text]
    assert not missing, f"no Markdown file shows: {', '.join(missing)}"


def test_options_are_described():
    app = command_line()
    silent = []
    for name, command in {"": app, **commands(app)}.items():
        if name and not command.help:
            silent.append(name)
        if command.default_command is None:
            continue
        for argument in command.assemble_argument_collection(parse_docstring=True):
            if argument.show and not argument.parameter.help:
                silent.append(f"{name} {argument.name}")
    assert not silent, f"no help for: {', '.join(silent)}"


def documented(x, y=1, *rest, **options):
    """Add things.

    Parameters
    ----------
    x, y
        Two numbers.
    *rest : float
        More of them.
    **options
        Ignored.
    """


def half_documented(x, y):
    """Add things.

    Parameters
    ----------
    x
        A number; y is another.
    """


def wordy():
    """Add things, and
    go on about it
    """


class Silent(Exception):
    pass


@pytest.mark.parametrize(
    ("thing", "faults"),
    [
        (documented, []),
        (half_documented, ["f: its Parameters leave out y"]),
        (wordy, ["f: the summary is one line, a sentence: 'Add things, and\\ngo on about it'"]),
        (Silent, ["f: no docstring"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_faults_are_found(thing, faults):
    assert faults_of("f", thing) == faults
