"""Check a function's gradients: each element against finite differences in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.autodiff import pullback
from chainrule.backends import Backend, get_backend
from chainrule.base.errors import ConfigurationError, GradientError
from chainrule.base.random import normal, normal_words, random_bits, seed_words
from chainrule.eager.traced import trace_function
from chainrule.graph import DType, Graph, Node, Output
from chainrule.testing.differences import differentiate, measure_noise
from chainrule.testing.widen import in_float64

Array = NDArray[Any]

# What rounding may do to a gradient itself: 2**12 units in the last place of its largest element,
# enough for sums of thousands of terms that cancel; a thousandth of an element is 2**30 above it.
_ROUNDING = 2.0**-40


@dataclass(frozen=True)
class GradientReport:
    """What `check_gradients` looked at.

    Parameters
    ----------
    elements : int
        How many partial derivatives were compared.
    largest_error : float
        The largest difference, as a part of what was allowed.
    """

    elements: int
    largest_error: float


@dataclass(frozen=True)
class _Comparison:
    name: str
    index: tuple[int, ...]
    expected: float
    allowed: float
    got: float

    @property
    def error(self) -> float:
        """The difference as a part of what is allowed; NaN where one of the two is."""
        return abs(self.got - self.expected) / self.allowed if self.allowed else 0.0

    @property
    def is_wrong(self) -> bool:
        return not abs(self.got - self.expected) <= self.allowed

    def __str__(self) -> str:
        shown = f"[{', '.join(map(str, self.index))}]"
        return (
            f"d_{self.name}{shown} should be {self.expected:.12g} ± {self.allowed:.1g}, "
            f"and is {self.got:.12g}"
        )


def check_gradients(
    f: Graph | Callable[..., Any],
    inputs: Sequence[Any],
    *,
    order: int = 1,
    elements: int | None = None,
    seed: int = 0,
    backend: str | Backend = "numpy",
) -> GradientReport:
    """Compare the gradients of `f` with finite differences, element by element, in float64.

    Parameters
    ----------
    f : Graph or callable
        A graph, or a function (or Module) of Tensors; what it captures is checked as well.
    inputs : sequence
        The graph's inputs, or the function's arguments: arrays, or trees of them. float32 is
        widened to float64.
    order : int
        2 checks second derivatives as well: the gradients of the gradients.
    elements : int, optional
        Look at no more elements of each input than these, evenly spread; at all by default.
    seed : int
        Of the random cotangent, one number for each element of each result.
    backend : str or Backend

    Returns
    -------
    GradientReport

    Raises
    ------
    GradientError
        If an element is wrong: the input, the element, both values, and the op whose pullback
        is the cause.
    ConfigurationError
        If there are too few or too many inputs, or `order` is another number.

    Notes
    -----
    With results y and a random cotangent u, the pullback gives the gradient of Σ u·y. Each of its
    elements is compared with Σ u·∂y/∂x, where ∂y/∂x are central differences, extrapolated, with
    an error bound of their own. An element that is wrong by a factor of 1.001 is found. At a kink
    (relu at 0) a difference has no meaning: choose inputs away from kinks.

    Examples
    --------
    >>> import numpy as np
    >>> check_gradients(lambda x, w: (x @ w).tanh(), [np.ones((2, 3)), np.ones((3, 1))]).elements
    9
    """
    if order not in (1, 2):
        raise ConfigurationError(f"order is 1 or 2; got {order!r}")
    graph, arrays = _as_graph(f, inputs)
    runner = get_backend(backend) if isinstance(backend, str) else backend
    check = _Check(runner, elements, seed)
    report = check.whole(graph, arrays, "gradient")
    if order == 1:
        return report
    rule, cotangents = pullback(graph), check.cotangents(graph)
    second = check.whole(rule, [*arrays, *cotangents], "second derivative")
    return GradientReport(
        report.elements + second.elements, max(report.largest_error, second.largest_error)
    )


def _as_graph(f: Graph | Callable[..., Any], inputs: Sequence[Any]) -> tuple[Graph, list[Array]]:
    if isinstance(f, Graph):
        graph, arrays = f, [np.asarray(x) for x in inputs]
        if len(arrays) != len(graph.inputs):
            names = ", ".join(graph.input_names)
            raise ConfigurationError(
                f"graph {graph.name} takes {len(graph.inputs)} inputs ({names}); got {len(arrays)}"
            )
    else:
        arguments = [np.asarray(x) if isinstance(x, int | float) else x for x in inputs]
        traced = trace_function(f, arguments, {})
        # Assignments to state are outputs as well; nobody differentiates them.
        graph = traced.graph_of(traced.results)
        arrays = [tensor.numpy() for tensor in traced.inputs]
    wide = in_float64(graph)
    types = [wide.nodes[i].dtype.numpy for i in wide.inputs]
    return wide, [np.asarray(x, dtype) for x, dtype in zip(arrays, types, strict=True)]


@dataclass(frozen=True)
class _Check:
    backend: Backend
    elements: int | None
    seed: int

    def cotangents(self, graph: Graph) -> list[Array]:
        """A random cotangent for each float result of `graph`."""
        found = []
        for position, output in enumerate(graph.outputs):
            kind = graph.nodes[output.node].type
            if kind.dtype is DType.F64:
                size = kind.size * normal_words(np.float64)
                stream = f"cotangent of {graph.name}"
                words = random_bits(seed_words(self.seed), 0, stream, position, size)
                found.append(normal(words, np.float64).reshape(tuple(map(int, kind.shape))))
        return found

    def whole(self, graph: Graph, arrays: Sequence[Array], what: str) -> GradientReport:
        """Check every input of `graph`; raise with the cause if one is wrong."""
        for output, value in zip(graph.outputs, self.backend.run(graph, arrays), strict=True):
            if not np.isfinite(value).all():
                raise GradientError(
                    f"{graph.name} is not finite here: see its result {output.label}"
                )
        compared = list(self.compare(graph, arrays))
        wrong = [comparison for comparison in compared if comparison.is_wrong]
        if wrong:
            same = [comparison for comparison in compared if comparison.name == wrong[0].name]
            raise GradientError(
                f"The {what} d_{wrong[0].name} of {graph.name} is wrong in "
                f"{sum(c.is_wrong for c in same)} of {len(same)} elements: {wrong[0]}",
                where=self.cause(graph, arrays),
                advice="At a kink, or where the function ends, differences have no meaning: "
                "choose other inputs there",
            )
        worst = max((comparison.error for comparison in compared), default=0.0)
        return GradientReport(len(compared), worst)

    def compare(self, graph: Graph, arrays: Sequence[Array]) -> Iterator[_Comparison]:
        """Compare the chosen elements of every float input."""
        cotangents = self.cotangents(graph)
        rule = pullback(graph)
        gradients = self.backend.run(rule, [*arrays, *cotangents])
        floats = [o for o in graph.outputs if graph.nodes[o.node].dtype is DType.F64]
        results = Graph(graph.name, graph.nodes, tuple(floats), graph.aliases)

        def f(xs: list[Array]) -> list[Array]:
            return self.backend.run(results, xs)

        operands = [i for i in graph.inputs if graph.nodes[i].dtype is DType.F64]
        errors = measure_noise(f, arrays, operands)
        own_errors = measure_noise(
            lambda xs: self.backend.run(rule, [*xs, *cotangents]), arrays, operands
        )
        for operand, gradient, own in zip(operands, gradients, own_errors, strict=True):
            floor = _ROUNDING * float(np.max(abs(gradient), initial=0.0))
            floor += float(np.max(own, initial=0.0))
            for index in self.chosen(arrays[operand].shape):
                slopes, bounds = differentiate(f, arrays, operand, index, errors)
                pairs = zip(cotangents, slopes, strict=True)
                expected = sum(float(np.sum(u * slope)) for u, slope in pairs)
                pairs = zip(cotangents, bounds, strict=True)
                allowed = floor + sum(float(np.sum(abs(u) * bound)) for u, bound in pairs)
                got = float(gradient[index])
                yield _Comparison(graph.name_of(operand), index, expected, allowed, got)

    def chosen(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        """All elements of an input, or `elements` of them, evenly spread."""
        size = int(np.prod(shape, dtype=int))
        count = size if self.elements is None else min(size, self.elements)
        positions = [k * size // count for k in range(count)]
        return [tuple(int(i) for i in np.unravel_index(k, shape)) for k in positions]

    def cause(self, graph: Graph, arrays: Sequence[Array]) -> str:
        """Name the first node that is wrong by itself, on the operands that it really gets."""
        everything = tuple(Output(f"v{i}", i) for i in range(len(graph.nodes)))
        values = self.backend.run(Graph(graph.name, graph.nodes, everything), arrays)
        for position, node in enumerate(graph.nodes):
            if node.op == "input" or not node.dtype.is_float:
                continue
            alone = _alone(graph, node)
            for comparison in self.compare(alone, [values[i] for i in node.inputs]):
                if comparison.is_wrong:
                    line = f", {node.source}" if node.source else ""
                    return (
                        f"The pullback of op {node.op} (node {graph.name_of(position)}{line}) is "
                        f"wrong by itself: {comparison}"
                    )
        return "No op's pullback is wrong by itself"


def _alone(graph: Graph, node: Node) -> Graph:
    """The graph of one node; its operands are called x0, x1, ...."""
    inputs = tuple(
        Node("input", (), graph.nodes[i].shape, graph.nodes[i].dtype, name=f"x{k}")
        for k, i in enumerate(node.inputs)
    )
    count = len(inputs)
    copy = Node(node.op, tuple(range(count)), node.shape, node.dtype, node.attributes, "y")
    return Graph(node.op, (*inputs, copy), (Output("y", count),))
