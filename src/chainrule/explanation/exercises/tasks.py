"""The values that an exercise asks for: what they are called on paper, in a file, in the step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chainrule.base.errors import ConfigurationError, NameNotFoundError
from chainrule.explanation.checking.naming import element
from chainrule.explanation.exercises.setting import LARGEST
from chainrule.explanation.symbols import NEXT
from chainrule.explanation.trace import Array, Index, Place, Trace

_INDEXED = re.compile(r"(?P<name>.+?)\[(?P<index>-?\d+(?:,\s*-?\d+)*)\]")


@dataclass(frozen=True, eq=False)
class Task:
    """One value that is asked for, or some of its numbers.

    Parameters
    ----------
    trace : Trace
    value : str
        Its name in the step: ``d_2.out``.
    name : str
        As it is written in a file, with the letters of any keyboard: ``delta2``.
    indices : tuple of tuple of int
        Which of its numbers.
    """

    trace: Trace
    value: str
    name: str
    indices: tuple[Index, ...]

    @cached_property
    def position(self) -> int:
        """Where the value is in the step."""
        return self.trace.graph.find(self.value)

    @property
    def true(self) -> Array:
        """The numbers that are asked for."""
        return np.array([self.trace.values[self.position][i] for i in self.indices], np.float64)

    @property
    def before(self) -> Array | None:
        """What an updated weight was before; None for anything else."""
        parameter = self.value.removeprefix(NEXT)
        if parameter == self.value:
            return None
        values = self.trace.values[self.trace.graph.find(parameter)]
        return np.array([values[i] for i in self.indices], np.float64)

    @property
    def places(self) -> list[Place]:
        """Where these numbers are."""
        return [Place(self.position, index) for index in self.indices]

    def label(self, index: Index) -> str:
        """What a number is called in a file: ``delta2[0]``; the one example has no index."""
        index = index[1:] if _of_one_example(self.trace, self.position) else index
        return f"{self.name}[{','.join(map(str, index))}]" if index else self.name

    @property
    def asked(self) -> str:
        """What one says to ask for it: the name, and the index where it is a part."""
        shape = tuple(map(int, self.trace.graph.nodes[self.position].shape))
        is_whole = len(self.indices) == int(np.prod(shape))
        return self.name if is_whole else self.label(self.indices[0])


def steps_of(trace: Trace) -> list[str]:
    """The values of a textbook's way through a chain: forward, backward, update."""
    names = dict(trace.graph.aliases)
    layers = [k for k in range(1, len(names) + 1) if f"z{k}" in names]
    found = [names[f"{letter}{k}"] for k in layers for letter in "za" if f"{letter}{k}" in names]
    found.append("loss")
    for k in reversed(layers):
        parameters = [names[f"{letter}{k}"] for letter in "Wb"]
        found += [names[f"δ{k}"], *(f"d_{name}" for name in parameters)]
    weights = [names[f"{letter}{k}"] for k in layers for letter in "Wb"]
    if trace.about.learning_rate is not None:
        found += [NEXT + name for name in weights]
    return [name for name in found if name in trace.graph.positions or name in trace.graph.labels]


def tasks_of(trace: Trace, ask: Sequence[str], *, with_update: bool) -> list[Task]:
    """The values that are asked for, in the order in which one comes to them.

    Parameters
    ----------
    trace : Trace
    ask : sequence of str
        ``"d_2.weight"``, ``"dW2"``, ``"δ2"``, ``"delta2[0]"``; of nothing, all of a textbook's
        steps.
    with_update : bool
        Whether updated weights are among the steps.

    Raises
    ------
    NameNotFoundError
        If the step has no such value.
    ConfigurationError
        If more is asked for than one does by hand.
    """
    steps = [name for name in steps_of(trace) if with_update or not name.startswith(NEXT)]
    forms = dict(_forms(trace, steps, with_update))
    short = {value: form for form, value in reversed(forms.items())}
    chosen: dict[str, dict[Index, None]] = {}
    for asked in ask or steps:
        value, indices = _read(trace, asked, forms)
        chosen.setdefault(value, {}).update(dict.fromkeys(indices))
    order = {name: k for k, name in enumerate(steps)}
    names = sorted(chosen, key=lambda v: (order.get(v, len(order)), trace.graph.find(v)))
    tasks = [Task(trace, value, short[value], tuple(sorted(chosen[value]))) for value in names]
    count = sum(len(task.indices) for task in tasks)
    if count > _NUMBERS:
        raise ConfigurationError(
            f"An exercise asks for at most {_NUMBERS} numbers; these are {count}",
            advice='Ask for a part, such as --ask "delta1" or "dW1[0,1]"',
        )
    return tasks


_NUMBERS = 4 * LARGEST["values asked for"]


def _forms(trace: Trace, steps: Sequence[str], with_update: bool) -> Iterator[tuple[str, str]]:
    """What values are called, the form that files have first."""
    names = dict(trace.graph.aliases)
    for alias, name in names.items():
        if alias.startswith("δ"):
            yield f"delta{alias[1:]}", name
        elif alias[0] in "Wb":
            yield f"d{alias}", f"d_{name}"
            if with_update:
                yield f"{alias}_new", f"{NEXT}{name}"
        elif alias != "out":
            yield alias, name
    yield "C", "loss"
    for alias, name in names.items():
        yield alias, name
    for name in (*steps, *trace.graph.positions):
        is_update = name.startswith(NEXT) and not with_update
        if name not in names and not is_update and not _is_given(trace, name):
            yield name, name


def _is_given(trace: Trace, name: str) -> bool:
    node = trace.graph.nodes[trace.graph.find(name)]
    return not node.inputs or not node.dtype.is_float


def _read(trace: Trace, asked: str, forms: dict[str, str]) -> tuple[str, list[Index]]:
    name, index = asked.strip() if isinstance(asked, str) else repr(asked), None
    if name not in forms and (match := _INDEXED.fullmatch(name)):
        name, index = match["name"], tuple(map(int, match["index"].split(",")))
    if name not in forms or _is_given(trace, forms[name]):
        if name in forms:
            raise ConfigurationError(
                f"{name} stands on the sheet; it is nothing to ask for",
                advice=f"Its gradient is d{name}, what it becomes by the update {name}_new",
            )
        known = [form for form, value in forms.items() if not _is_given(trace, value)]
        raise NameNotFoundError.among("value to ask for", name, known)
    value = forms[name]
    position = trace.graph.find(value)
    shape = tuple(map(int, trace.graph.nodes[position].shape))
    if index is None:
        return value, list(np.ndindex(*shape))
    if _of_one_example(trace, position) and len(index) == len(shape) - 1:
        index = (0, *index)
    if len(index) != len(shape):
        raise ConfigurationError(f"{asked} is no number of {name}: its shape is {list(shape)}")
    try:
        return value, [element(shape, index)]
    except LookupError as error:
        raise ConfigurationError(f"{asked}: {error.args[0]}") from None


def _of_one_example(trace: Trace, position: int) -> bool:
    shape = trace.graph.nodes[position].shape
    return bool(shape) and shape[0] == 1 and getattr(shape[0], "name", None) is not None
