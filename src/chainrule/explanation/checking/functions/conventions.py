"""Which axis is which in a learner's code: of examples, of weights, of biases.

Weights may be (out, in) or (in, out); examples rows, columns or single vectors.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.explanation.trace import Array


@dataclass(frozen=True)
class Layout:
    """Which axis is which.

    Parameters
    ----------
    examples : {"rows", "columns", "vector", "column"}
        Of x and y: (m, n), (n, m), or with one example (n,) or (n, 1).
    weights : {"(out, in)", "(in, out)"}
    biases : {"(out,)", "(out, 1)", "(1, out)"}
    has_classes : bool
        Whether a target is the number of its class, and not a row with a 1 in it.
    has_one_output : bool
        Whether networks have one output; then a target may be one number.
    has_flat_targets : bool
        Whether it is: targets have the shape (m,), and not (m, 1).
    """

    examples: str
    weights: str
    biases: str
    has_classes: bool = False
    has_one_output: bool = False
    has_flat_targets: bool = False

    def targets(self, array: Array) -> Any:
        """The targets of a batch, as this layout has them."""
        if self.has_flat_targets:
            return float(array[0, 0]) if self.is_single else array[:, 0].copy()
        if not self.has_classes:
            return self.data(array)
        classes = array.argmax(axis=1)
        return int(classes[0]) if self.is_single else classes

    def data(self, array: Array) -> Array:
        """A batch, as this layout has it."""
        match self.examples:
            case "rows":
                return array.copy()
            case "vector":
                return np.array(array[0])
        return np.array(array.T)

    def weight(self, array: Array) -> Array:
        """A weight of shape (out, in)."""
        return array.copy() if self.weights == "(out, in)" else array.T.copy()

    def bias(self, array: Array) -> Array:
        """A bias of shape (out,)."""
        shapes = {"(out,)": (-1,), "(out, 1)": (-1, 1), "(1, out)": (1, -1)}
        return array.reshape(shapes[self.biases]).copy()

    @property
    def is_single(self) -> bool:
        """Whether there is one example at a time."""
        return self.examples in ("vector", "column")

    def __str__(self) -> str:
        """In words."""
        data = {
            "rows": "examples are rows",
            "columns": "examples are columns",
            "vector": "one example at a time",
            "column": "one example at a time, a column",
        }
        classes = ", targets are numbers of classes" if self.has_classes else ""
        one = ", one output" if self.has_one_output else ""
        flat = " and targets (m,)" if self.has_flat_targets else ""
        shapes = f"weights are {self.weights}, biases {self.biases}"
        return f"{data[self.examples]}, {shapes}{classes}{one}{flat}"


def layouts(
    *, is_wrapped: bool, is_choice: bool = False, has_one_output: bool = False
) -> Iterator[Layout]:
    """Every layout that a function may be written for, those of most code first; batches first.

    Parameters
    ----------
    is_wrapped : bool
        Whether the function is given the whole case, and makes of it what it wants.
    is_choice : bool
        Whether a target is one of the outputs, so that it may be the number of a class.
    has_one_output : bool
        Whether those for networks with one output are asked for.
    """
    if is_wrapped:
        yield Layout("rows", "(out, in)", "(out,)", has_one_output=has_one_output)
        return
    shapes = itertools.product(("(in, out)", "(out, in)"), ("(out,)", "(1, out)", "(out, 1)"))
    pairs = list(shapes)
    kinds = (False, True) if is_choice or has_one_output else (False,)
    for every in (("rows", "columns"), ("vector", "column")):
        for is_other, examples in itertools.product(kinds, every):
            for weights, biases in pairs:
                yield Layout(
                    examples,
                    weights,
                    biases,
                    has_classes=is_other and not has_one_output,
                    has_one_output=has_one_output,
                    has_flat_targets=is_other and has_one_output,
                )
