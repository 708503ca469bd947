"""What a comparison of two steps found: data, for every surface."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.explanation.trace import Array, Index, Trace

EQUAL = "same"
ROUNDING = "rounding"
GIVEN = "given"
ARISES = "arises"
FOLLOWS = "follows"
APART = "apart"
SHAPE = "shape"

WORDS = {
    EQUAL: "the same",
    ROUNDING: "rounding",
    GIVEN: "differs: it is given",
    ARISES: "differs: it begins here",
    FOLLOWS: "differs: it follows",
    APART: "differs: nothing says by what",
    SHAPE: "not of one shape",
}
"""What is said of a value, by its kind."""


@dataclass(frozen=True)
class Distance:
    """How far two arrays are apart.

    Parameters
    ----------
    largest : float
        The largest |a - b|; NaN against a number is infinitely far.
    index : tuple of int
        Where that is.
    a, b : float
        The two numbers there.
    relative : float
        To the largest size in `a`.
    ulps : float
        In units in the last place there, of the coarser of the two dtypes.
    count : int
        How many numbers differ.
    """

    largest: float
    index: Index
    a: float
    b: float
    relative: float
    ulps: float
    count: int


@dataclass(frozen=True)
class Difference:
    """One value of a step, as one side has it and the other.

    Parameters
    ----------
    name : str
        Canonical, in the trace that has a graph.
    other : str
        Its name in the other.
    phase : str
        ``"given"``, ``"forward"``, ``"backward"`` or ``"update"``.
    kind : str
        ``"same"``; ``"rounding"``: no more than what computing allows; ``"given"``: nothing in
        the step computed it; ``"arises"``: what it was computed from does not give it on both
        sides; ``"follows"``: it does, and differs; ``"apart"``: nothing says by what it was
        computed; ``"shape"``: the shapes are not the same.
    distance : Distance or None
        None where the shapes are not the same.
    tolerance : float
        How far rounding may put it from what its operands give, there where it is furthest from
        that; 0 where the bits must be the same.
    excess : float
        How far it is from that, in units of the tolerance: above 1 is a difference.
    where : tuple of int
        The place where that was found.
    shapes : tuple of two tuples of int
    note : str
        More on it.
    op : str
        What computes it, in the trace that has a graph.
    """

    name: str
    other: str
    phase: str
    kind: str
    distance: Distance | None
    tolerance: float = 0.0
    excess: float = 0.0
    where: Index = ()
    shapes: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    note: str = ""
    op: str = ""

    @property
    def is_real(self) -> bool:
        """Whether it is more than rounding."""
        return self.kind not in (EQUAL, ROUNDING)

    @property
    def place(self) -> Index:
        """The number to look at: where it is furthest from what it should be."""
        if self.kind == ARISES or self.distance is None:
            return self.where
        return self.distance.index

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        found: dict[str, Any] = {
            "name": self.name,
            "other": self.other,
            "phase": self.phase,
            "kind": self.kind,
        }
        if self.distance is not None and self.kind != EQUAL:
            d = self.distance
            found |= {
                "largest": number(d.largest),
                "at": list(d.index),
                "a": number(d.a),
                "b": number(d.b),
                "relative": number(d.relative),
                "ulps": number(d.ulps),
                "differing": d.count,
                "tolerance": number(self.tolerance),
                "of_tolerance": number(self.excess),
            }
        if self.kind == SHAPE:
            found["shapes"] = [list(shape) for shape in self.shapes]
        if self.note:
            found["note"] = self.note
        return found


@dataclass(frozen=True)
class Setting:
    """Something that a step was told, other in one than in the other."""

    name: str
    a: str
    b: str

    def __str__(self) -> str:
        return f"{self.name}: {self.a} in a, {self.b} in b"


@dataclass(frozen=True)
class Opened:
    """The first differing number, as what it is made of on both sides.

    Parameters
    ----------
    a, b : Trace
        The step as each side computed it; what one has not told is computed from what it told.
    name : str
    index : tuple of int
    stored, made : pair of float
        What each side has, and what its operands give; NaN where nothing is known.
    """

    a: Trace
    b: Trace
    name: str
    index: Index
    stored: tuple[float, float]
    made: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Diff:
    """Two steps, compared value by value. It is true where they differ by more than rounding.

    Parameters
    ----------
    titles : pair of str
        What a and b are.
    values : list of Difference
        Of every value that both have, in the order of the graph; unnamed ones only where a
        difference arises in them.
    settings : list of Setting
        What the steps were told and is not the same: loss, optimiser, learning rate.
    notes : list of str
        What to know beside: renamed modules, another order of operations.
    only_in_a, only_in_b : list of str
        Values that one of them has.
    missing : list of str
        Those of them that ought to be on both sides: parameters and their gradients.
    causes : list of str
        What explains the first differences, tried out on the numbers.
    step : int or None
        Of runs: the step that is compared.
    opened : Opened or None
        The first differing number.
    """

    titles: tuple[str, str]
    values: list[Difference]
    settings: list[Setting] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    only_in_a: list[str] = field(default_factory=list)
    only_in_b: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)
    step: int | None = None
    opened: Opened | None = None

    def __getitem__(self, name: str) -> Difference:
        """Return what was found of one value."""
        from chainrule.base.errors import NameNotFoundError

        for each in self.values:
            if name in (each.name, each.other):
                return each
        raise NameNotFoundError.among("compared value", name, [each.name for each in self.values])

    @property
    def first(self) -> Difference | None:
        """The first value, in the order of computing, that differs by more than rounding."""
        return self._first("given", "forward", "backward", "update")

    @property
    def first_given(self) -> Difference | None:
        """The first that was given: data, a weight, a state, a learning rate."""
        return self._first("given")

    @property
    def first_forward(self) -> Difference | None:
        """The first in the forward pass."""
        return self._first("forward")

    @property
    def first_backward(self) -> Difference | None:
        """The first gradient."""
        return self._first("backward")

    @property
    def first_update(self) -> Difference | None:
        """The first in the update."""
        return self._first("update")

    @property
    def origins(self) -> list[Difference]:
        """The values in which a difference begins: given, or computed in another way."""
        return [each for each in self.values if each.kind in (GIVEN, ARISES, SHAPE, APART)]

    @property
    def same(self) -> bool:
        """Whether there is no difference but rounding."""
        return not (self.settings or self.missing or any(each.is_real for each in self.values))

    @property
    def identical(self) -> bool:
        """Whether every number is equal."""
        return self.same and all(each.kind == EQUAL for each in self.values)

    def __bool__(self) -> bool:
        return not self.same

    def show(self, file: Any = None) -> None:
        """Print what was found, for people; plain text where `file` is no terminal."""
        from chainrule.explanation.comparing.showing import show

        show(self, file)

    def to_json(self) -> dict[str, Any]:
        """The same as plain data, for programs: no NaN, no infinity, which JSON does not have."""
        first = self.first
        backward = self.first_backward
        return {
            "a": self.titles[0],
            "b": self.titles[1],
            "same": self.same,
            "identical": self.identical,
            "step": self.step,
            "first": None if first is None else first.to_json(),
            "first_backward": None if backward is None else backward.to_json(),
            "causes": list(self.causes),
            "settings": [{"name": s.name, "a": s.a, "b": s.b} for s in self.settings],
            "notes": list(self.notes),
            "only_in_a": list(self.only_in_a),
            "only_in_b": list(self.only_in_b),
            "missing": list(self.missing),
            "values": [each.to_json() for each in self.values],
        }

    def __repr__(self) -> str:
        if self.same:
            return f"Diff(same, {len(self.values)} values)"
        first = self.first
        return f"Diff(first={first.name if first else None!r}, {len(self.values)} values)"

    def _first(self, *phases: str) -> Difference | None:
        found = (each for each in self.values if each.is_real and each.phase in phases)
        return next(found, None)


def number(value: float) -> float | str:
    """A number as JSON has it: what is not finite, as text."""
    return float(value) if math.isfinite(value) else str(float(value))


def distance(a: Array, b: Array) -> Distance:
    """Compare two arrays of one shape; NaN equals NaN."""
    x, y = (np.asarray(array) for array in (a, b))
    if not x.size:
        return Distance(0.0, (0,) * x.ndim, 0.0, 0.0, 0.0, 0.0, 0)
    wide, other = x.astype(np.float64), y.astype(np.float64)
    with np.errstate(all="ignore"):
        if x.dtype.kind == "f" and y.dtype.kind == "f" and x.dtype != y.dtype:
            # The finer one is compared as the coarser one has it: its further digits are no error.
            coarse = min((x.dtype, y.dtype), key=lambda kind: kind.itemsize)
            wide, other = (v.astype(coarse).astype(np.float64) for v in (x, y))
        equal = (wide == other) | (np.isnan(wide) & np.isnan(other))
        if {x.dtype.kind, y.dtype.kind} <= set("iub"):
            equal = np.asarray(x == y)
        away = np.where(equal, 0.0, np.abs(wide - other))
        away = np.where(np.isnan(away), np.inf, away)
        flat = int(np.argmax(away))
        index = tuple(int(i) for i in np.unravel_index(flat, x.shape))
        largest = float(away[index])
        finite = np.abs(wide[np.isfinite(wide)])
        scale = float(finite.max()) if finite.size else 0.0
        ulps = 0.0
        if largest:
            kinds = [v.dtype for v in (x, y) if v.dtype.kind == "f"]
            coarse = min(kinds, key=lambda kind: kind.itemsize) if kinds else np.dtype(np.float64)
            size = max(abs(float(wide[index])), abs(float(other[index])))
            gap = float(np.spacing(coarse.type(size))) if kinds else 1.0
            ulps = largest / gap if math.isfinite(gap) and math.isfinite(largest) else math.inf
    return Distance(
        largest,
        index,
        float(x[index]),
        float(y[index]),
        largest / scale if scale else (math.inf if largest else 0.0),
        ulps,
        int(np.count_nonzero(~equal)),
    )


Named = Mapping[str, Array]
