"""Experiments as TOML: read with every complaint at its line, and written so that they read back.

``--set key=value`` and the options of ``chainrule train`` are laid over what a file says, by the
same keys: ``training.epochs``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from chainrule.base.errors import (
    ConfigurationError,
    DataNotFoundError,
    FileFormatError,
    NameNotFoundError,
    did_you_mean,
)
from chainrule.cli.experiment import Experiment

Table = dict[str, Any]

_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


def read_table(path: Path) -> Table:
    """Read an experiment file as a table whose keys and types have been checked.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    FileFormatError
        If it is not TOML, or a value is of the wrong type; the message names the line.
    NameNotFoundError
        If there is no such key; the nearest is suggested.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = did_you_mean(path.name, [file.name for file in path.parent.glob("*.toml")])
        raise DataNotFoundError(f"There is no file {path}", advice=near) from None
    except UnicodeDecodeError:
        raise FileFormatError(f"{path} is not UTF-8 text") from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FileFormatError(f"{path} is not TOML: {error}") from None
    places = _Places(str(path), text)
    _check_keys(table, places)
    _convert(table, places)
    return table


def overlaid(table: Mapping[str, Any], changes: Mapping[str, tuple[Any, str]]) -> Experiment:
    """Return the experiment of a table with some keys changed.

    Parameters
    ----------
    table : mapping
        What `read_table` returned, or nothing.
    changes : mapping of str to (value, option)
        By dotted key, with the option that a complaint should name: ``{"training.epochs": (5,
        "--epochs")}``.

    Raises
    ------
    ConfigurationError, NameNotFoundError
        If a change has the wrong type, or its key does not exist.
    """
    merged: Table = {key: dict(v) if isinstance(v, dict) else v for key, v in table.items()}
    for key, (value, option) in changes.items():
        *sections, last = key.split(".")
        inner = merged
        for section in sections:
            inner = inner.setdefault(section, {})
            if not isinstance(inner, dict):
                raise ConfigurationError(f"{option}: {section} is no table")
        _make_room(merged, inner, key, value)
        inner[last] = value
    places = _Options({key: option for key, (_, option) in changes.items()})
    _check_keys(merged, places)
    return _convert(merged, places)


def as_toml(experiment: Experiment) -> str:
    """Write an experiment as TOML; what it leaves open is left out.

    Examples
    --------
    >>> from chainrule.cli.experiment import Data, Experiment
    >>> print(
    ...     as_toml(Experiment(loss="MSELoss", data=Data(name="sine", test=0.2))).split("[net")[0]
    ... )
    loss = "MSELoss"
    <BLANKLINE>
    [data]
    name = "sine"
    test = 0.2
    seed = 0
    <BLANKLINE>
    <BLANKLINE>
    """
    plain, sections = _told(experiment)
    lines = [f"{_key(k)} = {_value(v)}" for k, v in plain.items()]
    for name, section in sections.items():
        told = section
        if isinstance(section, msgspec.Struct):
            plain, inner = _told(section)
            told = plain | inner
        if told:
            lines += ["", f"[{name}]", *(f"{_key(k)} = {_value(v)}" for k, v in told.items())]
    return "\n".join(lines).lstrip("\n") + "\n"


def _told(struct: msgspec.Struct) -> tuple[Table, Table]:
    """Return the values that are said, and the tables, but for empty ones that are the default."""
    plain: Table = {}
    tables: Table = {}
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        is_default = value == field.default or (
            field.default is msgspec.NODEFAULT and value == _made(field.default_factory)
        )
        if value is None or (is_default and not value and value in ({}, [])):
            continue
        (tables if isinstance(value, dict | msgspec.Struct) else plain)[field.name] = value
    return plain, tables


def _made(factory: Any) -> Any:
    return factory() if callable(factory) else None


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return _quoted(value)
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            told = ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None)
            return f"{{ {told} }}"
    raise ConfigurationError(f"TOML has no way to write {value!r}")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    # TOML allows no control characters in a string, not even a tab in older readers.
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda m: f"\\u{ord(m[0]):04X}", escaped) + '"'


def _make_room(merged: Table, inner: Table, key: str, value: Any) -> None:
    """Remove what a change contradicts: it was said later, and it is meant."""
    network = merged.get("network", {})
    if key in ("network.hidden", "network.activation", "network.dropout", "network.output"):
        network.pop("layers", None)
    if key == "network.layers":
        for other in ("hidden", "activation", "dropout", "output"):
            network.pop(other, None)
    if key.endswith(".name") and inner.get("name") not in (None, value):
        inner.clear()  # one optimiser's options mean nothing to another
    if key == "data.name":
        merged["data"] = inner
        inner.pop("file", None)


class _Places:
    """Where a key of a file stands."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.lines = text.splitlines()

    def of(self, path: tuple[str, ...]) -> str | None:
        """Return "Line 7" for a key, or None where it cannot be told."""
        section: tuple[str, ...] = ()
        for number, line in enumerate(self.lines, 1):
            if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
                section = tuple(part.strip(" \"'") for part in header[1].split("."))
                if section == path:
                    return f"Line {number}"
                continue
            entry = re.match(r"\s*[\"']?([\w.-]+)[\"']?\s*=", line)
            if entry and (*section, *entry[1].split(".")) == path:
                return f"Line {number}"
        return self.of(path[:-1]) if len(path) > 1 else None

    def sentence(self, path: tuple[str, ...], problem: str) -> FileFormatError:
        """Return the error for what is wrong with a value."""
        return FileFormatError(f"{self.name}: {'.'.join(path)}: {problem}", where=self.of(path))


class _Options:
    """Which option of the command line set a key."""

    name = "The options"

    def __init__(self, options: Mapping[str, str]) -> None:
        self.options = options

    def of(self, path: tuple[str, ...]) -> str | None:
        """Return "Option --epochs" for a key that an option set."""
        option = self.options.get(".".join(path))
        return f"Option {option}" if option else None

    def sentence(self, path: tuple[str, ...], problem: str) -> ConfigurationError:
        """Return the error for what is wrong with a value."""
        option = self.options.get(".".join(path), ".".join(path))
        return ConfigurationError(f"{option}: {problem}")


def _check_keys(table: Table, places: _Places | _Options) -> None:
    sections = _fields(Experiment)
    pairs = [((), table, sections)]
    for name, kind in sections.items():
        if _is_struct(kind) and isinstance(table.get(name), dict):
            pairs.append(((name,), table[name], _fields(kind)))  # type: ignore[arg-type]
    for path, entries, known in pairs:
        for key in entries:
            if key in known:
                continue
            where = places.of((*path, key))
            error = NameNotFoundError.among("key", ".".join((*path, key)), known, where=where)
            homes = [n for n, k in sections.items() if _is_struct(k) and key in _fields(k)]
            if homes:
                error.advice = f"It belongs in [{homes[0]}]."
            elif near := did_you_mean(key, known):
                error.advice = f"{near} There are: {', '.join(known)}."
            if isinstance(places, _Places):
                error.message = f"{places.name}: {error.message[0].lower()}{error.message[1:]}"
            raise error


def _convert(table: Table, places: _Places | _Options) -> Experiment:
    try:
        return msgspec.convert(table, Experiment)
    except msgspec.ValidationError as error:
        problem, _, at = str(error).partition(" - at `$")
        path = tuple(re.findall(r"[\w-]+(?=[.\[`]|$)", at.partition("[")[0].strip(".`")))
        raise places.sentence(path, _in_words(problem, path)) from None


def _in_words(problem: str, path: tuple[str, ...]) -> str:
    """Return msgspec's complaint in words that do not need Python."""
    words = re.sub(r"`([^`]*)`", lambda m: _type_in_words(m[1]), problem)
    words = words[0].lower() + words[1:]
    if choices := _choices(path):
        given = re.search(r"'(.*)'", problem)
        near = did_you_mean(given[1], choices) if given else None
        words = f"expected {' or '.join(choices)}" + (f", got {given[1]!r}" if given else "")
        words += f". {near}" if near else ""
    return words


def _type_in_words(types: str) -> str:
    """Return ``int | null`` in words, without the null: it only means that a key may be absent."""
    names = [name.strip() for name in types.split("|")]
    return " or ".join(
        _TYPES.get(name, name) for name in names if name != "null" or len(names) == 1
    )


def _choices(path: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words that a key may have, where they are few and fixed."""
    kind: Any = Experiment
    for key in path:
        kind = _fields(kind).get(key) if _is_struct(kind) else None
    parts = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return next((get_args(part) for part in parts if get_origin(part) is Literal), ())


def _fields(struct: Any) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(struct)}


def _is_struct(kind: Any) -> bool:
    kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
