"""Open one gradient: the node of the backward graph that holds it, as the sum that it is.

Nothing here knows a formula. The node's op says of which products an element is made (`Op.terms`),
the run says what their factors were, and two proofs follow: the terms are added up again, and the
loss is differenced in double precision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.backends import get_backend
from chainrule.eager import Tensor, elementwise
from chainrule.graph import DType, Graph
from chainrule.ops import Builder, bind, format_expression
from chainrule.ops.expression import Apply, Element, Expression, Fold, Literal, fold_in_order, read
from chainrule.testing.differences import differentiate
from chainrule.testing.widen import in_float64
from chainrule.train import Moment

Array = np.ndarray[Any, np.dtype[Any]]
Index = tuple[int, ...]


@dataclass(frozen=True)
class Term:
    """One term of the sum.

    Parameters
    ----------
    factors : tuple of (str, tuple of int, float)
        Which elements it is made of: the name of a value, the index in it, the number.
    value : float
    """

    factors: tuple[tuple[str, Index, float], ...]
    value: float


@dataclass(frozen=True)
class Opened:
    """One element of a gradient, opened.

    Parameters
    ----------
    name : str
        The canonical name of the gradient: ``d_2.weight``.
    index : tuple of int
    formula : str
        What its op does, and of which values: ``y = Σₖ aₖ·bₖ``.
    terms : tuple of Term
        In the declared order.
    total : float
        The terms added up in that order.
    stored : float
        What training computed and used.
    rounding : float
        By how much the two may differ, because each adds in an order of its own.
    difference, error : float
        The finite difference of the loss in double precision, and the bound of its error.
    """

    name: str
    index: Index
    formula: str
    terms: tuple[Term, ...]
    total: float
    stored: float
    rounding: float
    difference: float
    error: float

    @property
    def adds_up(self) -> bool:
        """Whether the terms make the gradient that was used, up to the order of adding."""
        return abs(self.total - self.stored) <= self.rounding

    def factor_names(self, textbook: Mapping[str, str]) -> list[str]:
        """Return each factor's element with ``b`` for the index that differs from term to term.

        Parameters
        ----------
        textbook : mapping of str to str
            Other names for values: ``{"d_2.out": "δ2"}``.
        """
        named = []
        for k, (name, _, _) in enumerate(self.terms[0].factors):
            places = [term.factors[k][1] for term in self.terms]
            axes = zip(*places, strict=True)
            told = ("b" if len(set(axis)) > 1 else str(axis[0]) for axis in axes)
            named.append(f"{textbook.get(name, name)}[{','.join(told)}]")
        return named

    def captions(self, textbook: Mapping[str, str]) -> list[str]:
        """Return what each factor's value is."""
        told = []
        for name, _, _ in self.terms[0].factors:
            of = name.removeprefix("d_")
            what = "the gradient at" if name.startswith("d_") else "the value of"
            told.append(f"{textbook.get(name, name)} is {what} {of}")
        return told


def largest_gradient(moment: Moment) -> tuple[str, Index]:
    """Return the weight whose gradient is the largest: its parameter and its place in it."""
    graph = moment.graph
    paths = [p for p, array in moment.parameters.items() if array.ndim > 1]
    names = [path for path in paths if f"d_{path}" in graph.positions]
    values = moment.record([f"d_{path}" for path in names])
    largest = max(names, key=lambda path: float(abs(values[f"d_{path}"]).max()))
    gradient = values[f"d_{largest}"]
    flat = int(abs(gradient).argmax())
    return largest, tuple(int(i) for i in np.unravel_index(flat, gradient.shape))


def open_gradient(moment: Moment, path: str, index: Index) -> Opened:
    """Open one element of the gradient of a parameter, at one update.

    Parameters
    ----------
    moment : Moment
        The update.
    path : str
        The parameter: ``2.weight``.
    index : tuple of int
    """
    graph, values = moment.graph, moment.record()
    position = graph.find(f"d_{path}")
    node = graph.nodes[position]
    op = bind(node.op, node.attributes)
    names = [graph.name_of(i) for i in node.inputs]
    expression = op.terms(tuple(graph.nodes[i].type for i in node.inputs), index)
    reader = _Numbers([values[name] for name in names], node.dtype)
    parts = expression.items if isinstance(expression, Fold) else [expression]
    terms = tuple(
        Term(_factors(part, names, reader), float(read(part, reader).item())) for part in parts
    )
    total = float(read(expression, reader).item())
    size = sum(abs(term.value) for term in terms)
    unit = 2.0**-24 if node.dtype is DType.F32 else 2.0**-53
    difference, error = _differenced(graph, values, path, index)
    return Opened(
        name=f"d_{path}",
        index=index,
        formula=f"{op.formula()}   with a = {', b = '.join(names)}",
        terms=terms,
        total=total,
        stored=float(values[f"d_{path}"][index]),
        # n products and n - 1 sums round in either order [Higham 2002, eq. 3.5].
        rounding=2 * (len(terms) + 1) * unit * size,
        difference=difference,
        error=error,
    )


@dataclass(frozen=True)
class _Numbers:
    """Reads an expression as numbers in the node's dtype, rounding after each operation."""

    arrays: Sequence[Array]
    dtype: DType

    def leaf(self, leaf: Expression) -> Array:
        if isinstance(leaf, Element):
            return np.asarray(self.arrays[leaf.input][leaf.index])
        assert isinstance(leaf, Literal)
        return np.asarray(leaf.value, self.dtype.numpy)

    def apply(self, op: str, arguments: Sequence[Array], dtype: DType | None) -> Array:
        result = elementwise(op, *map(Tensor, arguments)).numpy()
        return result if dtype is None else result.astype(dtype.numpy)

    def fold(self, op: str, items: Sequence[Array], order: str) -> Array:
        return fold_in_order(items, lambda a, b: self.apply(op, [a, b], None), order)


def _factors(
    part: Expression, names: Sequence[str], reader: _Numbers
) -> tuple[tuple[str, Index, float], ...]:
    """Return the elements of a product; of anything else, its text and its value."""
    arguments = part.arguments if isinstance(part, Apply) and part.op == "mul" else (part,)
    found = []
    for argument in arguments:
        number = float(read(argument, reader).item())
        if isinstance(argument, Element):
            found.append((names[argument.input], argument.index, number))
        else:
            found.append((format_expression(argument), (), number))
    return tuple(found)


def _differenced(
    graph: Graph, values: Mapping[str, Array], path: str, index: Index
) -> tuple[float, float]:
    """Return the finite difference of the loss in one element, in float64, and its error bound."""
    part, inputs = _what_depends_on(graph, values, path)
    wide = in_float64(part)
    backend = get_backend("numpy")
    found, errors = differentiate(
        lambda arrays: backend.run(wide, arrays),
        [np.asarray(a, n.dtype.numpy) for a, n in zip(inputs, wide.nodes, strict=False)],
        wide.input_names.index(path),
        index,
    )
    return float(found[0]), float(errors[0])


def _what_depends_on(
    graph: Graph, values: Mapping[str, Array], path: str
) -> tuple[Graph, list[Array]]:
    """Return the part of the loss that a parameter reaches, and the values that enter it.

    All else is held at what it was: a dropout mask must not be drawn anew in another precision.
    """
    start, loss = graph.find(path), graph.find("loss")
    reached = {start}
    for i in range(start + 1, loss + 1):
        if not reached.isdisjoint(graph.nodes[i].inputs):
            reached.add(i)
    needed = {loss}
    for i in range(loss, start, -1):
        if i in needed and i in reached:
            needed.update(graph.nodes[i].inputs)
    b = Builder()
    entering = [i for i in sorted(needed) if i not in reached or i == start]
    made = {i: b.input(graph.nodes[i].type, path if i == start else f"held{i}") for i in entering}
    for i in sorted(needed & reached - {start}):
        node = graph.nodes[i]
        made[i] = b.apply(node.op, *(made[j] for j in node.inputs), **dict(node.attributes))
    return b.build("loss", {"loss": made[loss]}), [values[graph.name_of(i)] for i in entering]
