"""Mistakes that give the same numbers here, and an input on which they give different ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import numpy as np

from chainrule.base.random import (
    permutation,
    random_bits,
    seed_words,
    uniform,
    uniform_words,
)
from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import CircularError, Draft
from chainrule.explanation.checking.mistake import Fault, faults_of
from chainrule.explanation.trace import Array, Index

if TYPE_CHECKING:
    from chainrule.explanation.checking.verdict import Cause, Check

_INPUTS = 24
"""So many inputs are tried; causes that agree on all of them are taken for the same."""

_MOST_CAUSES = 12
_APART = 0.02  # of the value's largest number: what is told apart with two digits


@dataclass(frozen=True, eq=False)
class Separation:
    """An input that tells causes apart, and what each of them gives on it.

    Parameters
    ----------
    x, y : array
        In the shapes of the step's own; small round numbers. Empty where there are several inputs.
    value : str
        The value to compute on them; empty if no input tells any two apart.
    index : tuple of int
        Which number of it.
    true : float
        The true number there.
    groups : tuple of (tuple of Cause, float)
        Causes that give the same number there, and that number.
    is_same_input : bool
        Whether it is the step's own input: another value of it, handed in, tells them apart.
    """

    x: Array
    y: Array
    value: str
    index: Index
    true: float
    groups: tuple[tuple[tuple[Cause, ...], float], ...]
    is_same_input: bool = False

    @property
    def is_possible(self) -> bool:
        """Whether any two of the causes are told apart."""
        return len(self.groups) > 1


def tell_apart(check: Check) -> Separation | None:
    """Find an input of the same shapes on which the causes of a check differ.

    Parameters
    ----------
    check : Check

    Returns
    -------
    Separation or None
        None where there are no two causes that explain everything, or several inputs, of which no
        others are drawn.
    """
    anatomy = check.anatomy
    causes = check.causes[:_MOST_CAUSES]
    if anatomy is None or len(causes) < 2 or not check.is_whole:
        return None
    gradients = [f"d_{name}" for name in anatomy.parameters]
    values = list(dict.fromkeys([*(row.entry.value for row in check.rows), *gradients]))
    errors = [name for name in anatomy.names if name.startswith("d_") and name.endswith(".out")]
    best: Separation | None = None
    # A value that was not handed in is asked for more easily than another example, and a gradient
    # more easily than an error.
    asked = chain(
        [(anatomy, values), (anatomy, [*values, *errors])],
        ((moved, values) for moved in _other_inputs(anatomy)),
    )
    for moved, among in asked:
        found = _separate(moved, causes, among)
        if found is not None and moved is anatomy:
            found = replace(found, is_same_input=True)
        if found is not None and (best is None or len(found.groups) > len(best.groups)):
            best = found
        if best is not None and len(best.groups) == len(causes):
            break
    if best is not None and not best.is_possible and not _has_inputs(anatomy):
        return None  # nothing was tried
    return best


def _separate(
    anatomy: Anatomy, causes: Sequence[Cause], values: Sequence[str]
) -> Separation | None:
    """The number by which the most causes are told apart on this input."""
    known = {(fault.mistake.name, fault.where): fault for fault in faults_of(anatomy)}
    predicted = []
    for cause in causes:
        faults = [known.get((fault.mistake.name, fault.where)) for fault in cause.faults]
        if None in faults:
            return None  # on this input it cannot be made
        try:
            predicted.append(_predicted(anatomy, [f for f in faults if f is not None], values))
        except CircularError:
            return None
    best: tuple[int, float, str, Index, list[int]] | None = None
    for value in values:
        stacked = np.stack([np.atleast_1d(each[value]) for each in predicted])
        if not stacked.size or not np.isfinite(stacked).all():
            continue
        flat = stacked.reshape(len(causes), -1)
        size = float(np.abs(flat).max()) or 1.0
        for column in range(min(flat.shape[1], 256)):
            groups, gap = _grouped(flat[:, column], _APART * size)
            found = (len(set(groups)), gap / size)
            if best is None or found > best[:2]:
                shape = predicted[0][value].shape
                index = tuple(map(int, np.unravel_index(column, shape))) if shape else ()
                best = (*found, value, index, groups)
    if best is None:
        return None
    _, _, value, index, groups = best
    told = []
    for group in dict.fromkeys(groups):
        members = [k for k, each in enumerate(groups) if each == group]
        number = float(predicted[members[0]][value][index])
        told.append((tuple(causes[k] for k in members), number))
    x, y = (
        anatomy.values[anatomy.names[name]] if name in anatomy.names else np.empty(0)
        for name in ("x", "target")
    )
    true = float(anatomy.values[anatomy.names[value]][index])
    return Separation(x, y, value if len(told) > 1 else "", index, true, tuple(told))


def _grouped(numbers: Array, apart: float) -> tuple[list[int], float]:
    """Which numbers are as good as equal, and the least distance between two that are not."""
    order = np.argsort(numbers)
    groups, group, gap = [0] * len(numbers), 0, np.inf
    for before, after in pairwise(order):
        away = float(numbers[after] - numbers[before])
        if away > apart:
            group, gap = group + 1, min(gap, away)
        groups[after] = group
    return groups, gap if np.isfinite(gap) else 0.0


def _predicted(
    anatomy: Anatomy, faults: Sequence[Fault], values: Sequence[str]
) -> dict[str, Array]:
    draft = Draft(anatomy)
    for fault in faults:
        fault.change(draft)
    positions = [anatomy.names[value] for value in values]
    found = draft.values(positions)
    return {value: found[position] for value, position in zip(values, positions, strict=True)}


def _has_inputs(anatomy: Anatomy) -> bool:
    """Whether the step has one input and targets, of which others can be drawn."""
    return {"x", "target"} <= anatomy.names.keys()


def _other_inputs(anatomy: Anatomy) -> Iterator[Anatomy]:
    """The same step on other data of the same shapes: numbers with one decimal."""
    if not _has_inputs(anatomy):
        return
    positions = {name: anatomy.names[name] for name in ("x", "target")}
    for trial in range(_INPUTS):
        given = {
            positions["x"]: _drawn(trial, anatomy.values[positions["x"]]),
            positions["target"]: _targets(trial, anatomy.values[positions["target"]]),
        }
        yield on_other_data(anatomy, given)


def _drawn(trial: int, x: Array) -> Array:
    """Other inputs of the same kind: of integers, those that are there."""
    if not x.size:
        return x
    drawn = _uniform(trial, "x", x.shape)
    if x.dtype.kind != "f":
        there = np.unique(x)
        return np.asarray(there[(drawn * len(there)).astype(int)], x.dtype)
    return np.round(2 * drawn - 1, 1) + 0.0  # no -0


def _targets(trial: int, y: Array) -> Array:
    """Other targets that the loss can reach: rows that are there, or numbers between them."""
    if y.ndim and len(y) > 1 and (y.dtype.kind != "f" or trial % 2):
        return y[permutation(len(y), 0, trial, "targets")]
    is_classes = y.dtype.kind != "f" or bool((y == np.round(y)).all())
    is_distribution = y.ndim > 1 and y.shape[-1] > 1 and np.allclose(y.sum(axis=-1), 1.0)
    if not y.size or is_classes or is_distribution:
        return y
    low, high = float(y.min()), float(y.max())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    drawn = low + (high - low) * _uniform(trial, "y", y.shape)
    return np.clip(np.round(drawn, 1), low, high)


def _uniform(trial: int, stream: str, shape: tuple[int, ...]) -> Array:
    count = math.prod(shape) * uniform_words(np.float64)
    return uniform(random_bits(seed_words(0), trial, stream, 0, count)).reshape(shape)


def on_other_data(anatomy: Anatomy, given: dict[int, Array]) -> Anatomy:
    """The same step computed on other inputs; what does not depend on them keeps its value."""
    values = list(anatomy.values)
    reached = set(given)
    for position, array in given.items():
        values[position] = np.asarray(array, values[position].dtype)
    with np.errstate(all="ignore"):
        for position, node in enumerate(anatomy.nodes):
            if position not in given and not reached.isdisjoint(node.inputs):
                reached.add(position)
                operands = [values[i] for i in node.inputs]
                values[position] = anatomy.kernels[position](*operands)
    return replace(anatomy, values=values)
