"""Numbers that were trained elsewhere, and a report of which of them a network took."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

import numpy as np

from chainrule.base.array_files import ArrayKind, array_kinds, read_arrays
from chainrule.base.errors import ConfigurationError, DataError, DTypeError, ShapeError
from chainrule.eager.tensor import Array
from chainrule.graph import format_shape
from chainrule.nn.module import Module
from chainrule.nn.parameter import Variable
from chainrule.nn.state import as_array, match_state

Rename = Mapping[str, str] | Callable[[str], str | None]

_LISTED_AT_MOST = 20


@dataclass(frozen=True)
class Misfit:
    """An array that has a variable's name and is not of its kind.

    Parameters
    ----------
    path : str
        The variable in the network.
    name : str
        The array in the source.
    reason : str
    """

    path: str
    name: str
    reason: str


@dataclass(frozen=True)
class Report:
    """What a network took from a source; printed, it says so.

    Parameters
    ----------
    source : str
    loaded : mapping of str to str
        The network's variables that took numbers, by path, to the names in the source.
    shapes : mapping of str to tuple of int
        Of all variables of the network.
    missing : sequence of str
        Variables that the source has nothing for: they keep what they have.
    misfits : sequence of Misfit
        Variables that the source has something else for: they keep what they have, too.
    left_over : sequence of str
        Names in the source that are none in the network.
    """

    source: str
    loaded: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]
    missing: Sequence[str]
    misfits: Sequence[Misfit]
    left_over: Sequence[str]

    @property
    def is_complete(self) -> bool:
        """Whether every variable of the network took numbers and nothing was left over."""
        return not (self.missing or self.misfits or self.left_over)

    def __str__(self) -> str:
        count = f"{len(self.loaded)} of {len(self.shapes)}"
        lines = [f"{count} parameters and buffers were loaded from {self.source}"]
        for title, rows in (
            ("loaded", [self._shown(path, name) for path, name in self.loaded.items()]),
            ("missing in the source", [self._shown(path, path) for path in self.missing]),
            ("of another kind", [f"{m.path}: {m.reason}" for m in self.misfits]),
            ("left over in the source", list(self.left_over)),
        ):
            if rows:
                lines.append(f"{title} ({len(rows)}):")
                lines += [f"  {row}" for row in rows[:_LISTED_AT_MOST]]
                more = len(rows) - _LISTED_AT_MOST
                lines += [f"  and {more} more"] if more > 0 else []
        suggested = _suggestion(self)
        return "\n".join([*lines, suggested] if suggested else lines)

    def _shown(self, path: str, name: str) -> str:
        origin = f"  from {name}" if name != path else ""
        return f"{path} {format_shape(self.shapes[path])}{origin}"


def load_pretrained(
    net: Module,
    source: str | PathLike[str] | Mapping[str, Any],
    rename: Rename | None = None,
) -> Report:
    """Let `net` take the numbers that have its variables' names and shapes; report the rest.

    Parameters
    ----------
    net : Module
    source : path, or mapping of str to array_like
        A ``.safetensors`` or ``.npz`` file, or arrays or torch tensors by name. Nothing in a file
        is ever unpickled.
    rename : mapping of str to str, or callable, optional
        From names in the source to those in the network. A mapping replaces whole names and
        beginnings of paths: ``{"model.encoder": "encoder", "fc": "head"}``; ``""`` stands for no
        beginning, so that ``{"model": ""}`` takes one away and ``{"": "encoder"}`` puts one in
        front. The longest one that fits counts. A function returns the new name, or None to leave
        an array out.

    Returns
    -------
    Report

    Raises
    ------
    FileFormatError
        If the file is damaged.
    DataError
        If two names become one, or a shared variable is given different numbers.
    ConfigurationError
        If `rename` or `source` is of another kind.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule import nn
    >>> net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    >>> weights = {"body.weight": np.ones((3, 2)), "body.bias": np.zeros(3), "step": 7}
    >>> report = net.load_pretrained(weights, rename={"body": "0"})
    >>> print(report)
    2 of 4 parameters and buffers were loaded from a mapping
    loaded (2):
      0.weight [3,2]  from body.weight
      0.bias [3]  from body.bias
    missing in the source (2):
      2.weight [1,3]
      2.bias [1]
    left over in the source (1):
      step
    >>> net[0].weight.numpy().tolist()
    [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    """
    arrays = _Arrays.of(source)
    origins = _renamed(arrays.names, rename)
    variables = dict(net.variables_by_every_path())
    misfits: list[Misfit] = []
    fitting: dict[str, Any] = {}
    for path, name in origins.items():
        if path not in variables:
            continue
        try:
            array = arrays.read(name, variables[path].shape)
            fitting[path] = variables[path].fitting(array, path)
        except (ShapeError, DTypeError) as error:
            misfits.append(Misfit(path, name, error.message.removeprefix(f"{path} ")))
    taken = match_state(variables.items(), fitting, strict=False)
    for variable, new in taken.items():
        variable.replace(new)
    # A shared variable stands in the report under its first path.
    first: dict[Variable, str] = {}
    for path, variable in variables.items():
        first.setdefault(variable, path)
    loaded: dict[str, str] = {}
    for path in fitting:
        loaded.setdefault(first[variables[path]], origins[path])
    unfit = {misfit.path for misfit in misfits}
    return Report(
        source=arrays.shown,
        loaded={path: loaded[path] for path in first.values() if path in loaded},
        shapes={path: tuple(map(int, variable.shape)) for variable, path in first.items()},
        missing=tuple(path for path in first.values() if path not in {*loaded, *unfit}),
        misfits=tuple(misfits),
        left_over=tuple(name for path, name in origins.items() if path not in variables),
    )


@dataclass(frozen=True)
class _Arrays:
    """Named arrays in memory or in a file, of which only those that fit are read."""

    shown: str
    names: Sequence[str]
    given: Mapping[str, Any] | None = None
    path: str | PathLike[str] = ""
    kinds: Mapping[str, ArrayKind] | None = None

    @classmethod
    def of(cls, source: Any) -> _Arrays:
        if isinstance(source, Mapping):
            return cls("a mapping", list(source), given=source)
        if not isinstance(source, str | PathLike):
            raise ConfigurationError(
                "load_pretrained reads a file or a mapping of arrays by name; got "
                f"{type(source).__name__}",
                advice="Pass for example another network's state_dict()",
            )
        kinds = array_kinds(source)
        return cls(fspath(source), list(kinds), path=source, kinds=kinds)

    def read(self, name: str, shape: tuple[int, ...]) -> Array:
        if self.given is not None:
            return as_array(self.given[name])
        assert self.kinds is not None
        kind = self.kinds[name]
        if kind.shape != shape or kind.dtype.hasobject:
            # Only its shape and dtype are wanted, to say that they do not fit.
            return np.broadcast_to(np.zeros((), kind.dtype), kind.shape)
        return read_arrays(self.path, [name])[name]


def _renamed(names: Sequence[str], rename: Rename | None) -> dict[str, str]:
    """From the names in the network to those in the source."""
    origins: dict[str, str] = {}
    for name in names:
        path = _new_name(name, rename)
        if path is None:
            continue
        if path in origins:
            raise DataError(f"{origins[path]} and {name} of the source both become {path}")
        origins[path] = name
    return origins


def _new_name(name: str, rename: Rename | None) -> str | None:
    if rename is None:
        return name
    if not isinstance(rename, Mapping):
        if not callable(rename):
            raise ConfigurationError(
                f"rename is a mapping of names or a function; got {type(rename).__name__}"
            )
        return rename(name)
    fitting = [old for old in rename if old in ("", name) or name.startswith(f"{old}.")]
    if not fitting:
        return name
    old = max(fitting, key=len)
    rest = name[len(old) :].lstrip(".")
    return ".".join(filter(None, (rename[old], rest)))


def _suggestion(report: Report) -> str | None:
    """What could be renamed, where names that are left over end like those that are missing."""
    found: dict[tuple[str, str], int] = {}
    for name in report.left_over:
        for pair in {pair for path in report.missing for pair in _beginnings(name, path)}:
            found[pair] = found.get(pair, 0) + 1
    if not found:
        return None
    # The one that most names agree on, and among those the one that changes least.
    old, new = max(found, key=lambda pair: (found[pair], -len(pair[0]) - len(pair[1])))
    return f"Perhaps rename={{{old!r}: {new!r}}}"


def _beginnings(name: str, path: str) -> Iterator[tuple[str, str]]:
    """What two names begin with before they agree to the end, if more than their last part does."""
    parts, others = name.split("."), path.split(".")
    same = 0
    while same < min(len(parts), len(others)) and parts[-1 - same] == others[-1 - same]:
        same += 1
    if same:
        yield ".".join(parts[: len(parts) - same]), ".".join(others[: len(others) - same])
