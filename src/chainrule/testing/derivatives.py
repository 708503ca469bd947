"""Compare the derivatives of one op with two oracles that share nothing with its pullback.

The first differentiates the op's terms with 50 digits; the second takes finite differences of a
backend's kernel. The pullback is held to the first twice: its graph, evaluated with 50 digits,
must agree to 17 of them, which proves the formula; and what the backend computes must lie within
the bounds that rounding derives from that graph, which proves the arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.autodiff import pullback, pushforward
from chainrule.backends import Backend
from chainrule.base.random import normal, normal_words, random_bits, seed_words
from chainrule.graph import DType, Graph, TensorType
from chainrule.ops.composite import unfold
from chainrule.ops.expression import Expression
from chainrule.testing.cases import Case
from chainrule.testing.differences import differentiate
from chainrule.testing.enclosure import Enclosure, enclose
from chainrule.testing.exact import (
    Number,
    Where,
    derivative,
    evaluate,
    float_elements,
    second_derivative,
    summands,
)
from chainrule.testing.values import bound_op, indices

Array = NDArray[Any]
Index = tuple[int, ...]

# What the 50 digits leave of themselves after a difference, with digits to spare: see exact.py.
_AGREEMENT = 1e-17


@dataclass(frozen=True)
class _Run:
    """A graph on its inputs: what each element of a result is made of, and what is computed."""

    graph: Graph
    arrays: Sequence[Array]
    computed: Sequence[Array]

    @classmethod
    def of(cls, backend: Backend, graph: Graph, arrays: Sequence[Array]) -> _Run:
        return cls(graph, arrays, backend.run(graph, arrays))

    def expression(self, result: int, index: Index) -> Expression:
        return _unfold(self.graph, self.graph.outputs[result].node, index)

    def errors(self) -> list[Array]:
        """For each result, how far rounding may have taken its elements."""
        return [
            np.array(
                [float(_width(self.enclose(result, index))) for index in np.ndindex(array.shape)]
            ).reshape(array.shape)
            for result, array in enumerate(self.computed)
        ]

    def enclose(self, result: int, index: Index) -> Enclosure:
        found = enclose(self.expression(result, index), self.arrays, DType.F64)
        assert isinstance(found, Enclosure)
        return found


# A graph is run on one unit vector after another; what its elements are made of stays the same.
_unfold = lru_cache(maxsize=4096)(unfold)


class Derivatives:
    """The derivatives of one case, exact and computed.

    Parameters
    ----------
    case : Case
        In f64, with a float result.
    backend : Backend
    """

    def __init__(self, case: Case, backend: Backend) -> None:
        self.case = case
        self.backend = backend
        op, operands = bound_op(case)
        self.terms = {index: op.terms(operands, index) for index in indices(case.result)}
        # Inputs are the graph's first nodes: their positions are the operands' numbers.
        self.floats = [i for i in case.graph.inputs if case.graph.nodes[i].dtype is DType.F64]
        self.rule = pullback(case.graph)
        self.u = _normal(case.result, "u")

    def elements(self) -> Iterator[Where]:
        """Every float element of the operands."""
        for operand in self.floats:
            for index in np.ndindex(self.case.arrays[operand].shape):
                yield operand, index

    def first_faults(self) -> Iterator[str]:
        """Compare ∂y/∂x, each element with each, with both oracles."""
        primal = _Run.of(self.backend, self.case.graph, self.case.arrays)
        differences = self.differences(primal, self.elements())
        for index in indices(self.case.result):
            unit = _unit(self.case.result, index)
            run = _Run.of(self.backend, self.rule, [*self.case.arrays, unit])
            for where in self.elements():
                what = f"{self.case.label}: ∂y{list(index)}/∂{_name(where)}"
                exact = self.jacobian[index].get(where)
                slope, bound = (float(part[0][index]) for part in differences[where])
                slot = self.floats.index(where[0]), where[1]
                yield from _compare(what, run, slot, exact, slope, bound)

    def second_faults(self) -> Iterator[str]:
        """Compare the derivatives of Σ u·∂y/∂x, in x and in u, with both oracles."""
        arrays = [*self.case.arrays, self.u]
        first = _Run.of(self.backend, self.rule, arrays)
        second = pullback(self.rule)
        order = [*self.floats, len(self.case.arrays)]  # what its results are cotangents of
        cotangents = [(order[-1], index) for index in indices(self.case.result)]
        differences = self.differences(first, [*self.elements(), *cotangents])
        for start in self.elements():
            result = self.floats.index(start[0])
            units = [
                _unit(self.rule.nodes[output.node].type, start[1] if i == result else None)
                for i, output in enumerate(self.rule.outputs)
            ]
            run = _Run.of(self.backend, second, [*arrays, *units])
            for end, difference in differences.items():
                if end[0] == order[-1]:
                    what = f"∂(Σ u·∂y/∂{_name(start)})/∂u{list(end[1])}"
                    exact = self.jacobian[end[1]].get(start)
                else:
                    what = f"∂(Σ u·∂y/∂{_name(start)})/∂{_name(end)}"
                    exact = self.hessian.get((start, end))
                slope, bound = (float(part[result][start[1]]) for part in difference)
                slot = order.index(end[0]), end[1]
                yield from _compare(f"{self.case.label}: {what}", run, slot, exact, slope, bound)

    def transpose_faults(self) -> Iterator[str]:
        """Compare what is pushed forward with J·v, and ⟨Jv,u⟩ with ⟨v,Jᵀu⟩."""
        tangents = [_normal(self.case.graph.nodes[i].type, f"v{i}") for i in self.floats]
        forward = pushforward(self.case.graph)
        pushed = _Run.of(self.backend, forward, [*self.case.arrays, *tangents])
        pulled = _Run.of(self.backend, self.rule, [*self.case.arrays, self.u])
        for index, row in self.jacobian.items():
            exact = sum(
                slope * float(tangents[self.floats.index(operand)][at])
                for (operand, at), slope in row.items()
            )
            yield from _compare(f"{self.case.label}: (Jv){list(index)}", pushed, (0, index), exact)
        pairs = [
            (self.u, pushed.computed[0], pushed.errors()[0]),
            *zip(tangents, pulled.computed, pulled.errors(), strict=True),
        ]
        left, *rights = (float(np.sum(weight * value)) for weight, value, _ in pairs)
        # The products' sums round less than once for each of their elements.
        allowed = sum(
            float(np.sum(abs(weight) * (error + abs(value) * value.size * 2.0**-52)))
            for weight, value, error in pairs
        )
        if not abs(left - sum(rights)) <= allowed:
            yield f"{self.case.label}: ⟨Jv,u⟩ is {left!r} and ⟨v,Jᵀu⟩ is {sum(rights)!r}"

    @cached_property
    def jacobian(self) -> Mapping[Index, Mapping[Where, Number]]:
        """∂y/∂x of the terms; elements that a term does not contain are left out."""
        rows: dict[Index, dict[Where, Number]] = {}
        for index, term in self.terms.items():
            row = rows.setdefault(index, {})
            for part in summands(term):
                for where in float_elements(part, self.case.arrays):
                    row[where] = row.get(where, 0) + derivative(part, self.case.arrays, where)
        return rows

    @cached_property
    def hessian(self) -> Mapping[tuple[Where, Where], Number]:
        """The second derivatives of Σ u·y, of the terms; pairs that never meet are left out."""
        total: dict[tuple[Where, Where], Number] = {}
        for index, term in self.terms.items():
            u = float(self.u[index])
            for part in summands(term):
                elements = float_elements(part, self.case.arrays)
                for i, one in enumerate(elements):
                    for other in elements[i:]:
                        share = u * second_derivative(part, self.case.arrays, one, other)
                        for pair in {(one, other), (other, one)}:
                            total[pair] = total.get(pair, 0) + share
        return total

    def differences(
        self, run: _Run, elements: Iterator[Where] | Sequence[Where]
    ) -> dict[Where, tuple[list[Array], list[Array]]]:
        """Finite differences of all results of `run` in each of `elements`, with bounds."""
        errors = run.errors()
        return {
            where: differentiate(
                lambda xs: self.backend.run(run.graph, xs), run.arrays, *where, errors
            )
            for where in elements
        }


def _compare(
    what: str,
    run: _Run,
    slot: tuple[int, Index],
    exact: Number | None,
    slope: float | None = None,
    bound: float = 0.0,
) -> Iterator[str]:
    """Hold one computed derivative, and the expression behind it, to the oracles.

    `exact` is None where the result does not contain the element at all: then the computed
    number is zero, and not nearly so.
    """
    got = float(run.computed[slot[0]][slot[1]])
    if exact is None:
        if got != 0:
            yield f"{what} should be 0; got {got!r}"
        return
    written = evaluate(run.expression(*slot), run.arrays)
    if not abs(written - exact) <= _AGREEMENT * max(1, abs(exact)):
        yield f"{what} is {float(exact):.12g} by the terms, {float(written):.12g} by the pullback"
    if got != float(exact):
        enclosure = run.enclose(*slot)
        bound += float(_width(enclosure))
        if not enclosure.holds(got):
            yield f"{what} should be {enclosure}; got {got!r}"
    if slope is not None and not abs(got - slope) <= bound:
        yield f"{what} should be {slope:.12g} ± {bound:.1g} by differences; got {got!r}"


def _width(enclosure: Enclosure) -> Number:
    return enclosure.high - enclosure.low


def _normal(kind: TensorType, stream: str) -> Array:
    words = random_bits(seed_words(0), 0, stream, 0, kind.size * normal_words(np.float64))
    return normal(words, np.float64).reshape(tuple(map(int, kind.shape)))


def _unit(kind: TensorType, index: Index | None) -> Array:
    """Zeros of this type, but for a one at `index`."""
    unit = np.zeros(tuple(map(int, kind.shape)), kind.dtype.numpy)
    if index is not None:
        unit[index] = 1
    return unit


def _name(where: Where) -> str:
    return f"x{where[0]}{list(where[1])}"
