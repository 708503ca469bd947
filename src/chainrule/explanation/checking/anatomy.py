"""A training step taken apart: forward pass, the backward pass with each op's part in it, update.

The step is written once more in float64, since a learner's numbers come from no float32. Its
backward pass is walked again, so that it is known which node is which op's part: a mistaken rule is
put in the place of exactly one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeGuard

import numpy as np

from chainrule.autodiff import Pull, append_gradients
from chainrule.backends.numpy.backend import Routine, make_kernel
from chainrule.base.errors import ConfigurationError
from chainrule.explanation.double import is_draw
from chainrule.explanation.symbols import NEXT
from chainrule.explanation.trace import Array, Trace
from chainrule.graph import Graph, Node, TensorType
from chainrule.ops import Builder, CompositeOp, Custom, Op, Value, bind
from chainrule.ops.composites import MEAN
from chainrule.testing.widen import in_float64

Kernel = Callable[..., Array]


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A step in float64, and what each of its nodes is there for.

    Parameters
    ----------
    trace : Trace
        The step as it was computed.
    nodes : sequence of Node
        Forward pass, backward pass, update.
    values : sequence of array
        Of each node.
    names : mapping of str to int
        Where the values are that have names, gradients (``d_...``) and updates (``next....``)
        among them.
    pulls : sequence of Pull
        Each op's part in the backward pass, from the loss down.
    forward : int
        How many nodes the forward pass has: they come first.
    seed : int
        Where the derivative of the loss by itself is: 1.
    penalty_seed : int or None
        The same of the penalty, which is minimised with the loss.
    kernels : sequence of callable
        What computes each node.
    backward : int
        How many nodes forward and backward pass have together: the update's come after them.
    ask_previous : callable, optional
        For the gradients of the step before, by the names of their parameters.
    class_weight : array, optional
        For each example the weight of its class, where that is known: in the step it is one number
        with the example's own.
    """

    trace: Trace
    nodes: Sequence[Node]
    values: Sequence[Array]
    names: Mapping[str, int]
    pulls: Sequence[Pull]
    forward: int
    seed: int
    penalty_seed: int | None
    kernels: Sequence[Kernel]
    backward: int
    ask_previous: Callable[[], Mapping[str, Array]] | None = None
    class_weight: Array | None = None

    @cached_property
    def previous(self) -> Mapping[str, Array] | None:
        """The gradients of the step before, where there was one that is known."""
        return None if self.ask_previous is None else self.ask_previous()

    @cached_property
    def users(self) -> Mapping[int, tuple[int, ...]]:
        """For each node those that it is an operand of."""
        found: dict[int, list[int]] = {}
        for position, node in enumerate(self.nodes):
            for i in dict.fromkeys(node.inputs):
                found.setdefault(i, []).append(position)
        return {i: tuple(positions) for i, positions in found.items()}

    @cached_property
    def below(self) -> Sequence[int]:
        """For each node those that depend on it, itself among them: a bit for each."""
        found = [1 << i for i in range(len(self.nodes))]
        for position in range(len(self.nodes) - 1, -1, -1):
            for i in self.nodes[position].inputs:
                found[i] |= found[position]
        return found

    def above(self, position: int) -> set[int]:
        """What a node is computed from, itself included."""
        found, stack = set[int](), [position]
        while stack:
            i = stack.pop()
            if i not in found:
                found.add(i)
                stack.extend(self.nodes[i].inputs)
        return found

    def size(self, position: int) -> float:
        """How large the largest number of a value would be, did nothing in its sum cancel.

        The gradient of a bias in front of a batch normalisation is 0, and what is computed of it is
        rounding, as large as that of what is added up.
        """
        node = self.nodes[position]
        if not node.inputs or not bind(node.op, node.attributes).adds:
            return 0.0
        found = self.kernels[position](*[np.abs(self.values[i]) for i in node.inputs])
        return float(found[np.isfinite(found)].max(initial=0.0))

    @cached_property
    def pull_of(self) -> Mapping[int, Pull]:
        """An op's part in the backward pass, by the op's position."""
        return {pull.node: pull for pull in self.pulls}

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters that have a gradient."""
        return tuple(
            name
            for name, position in self.names.items()
            if f"d_{name}" in self.names and self.nodes[position].op == "input" and _is_state(name)
        )

    @property
    def examples(self) -> int:
        """How many examples the batch has."""
        return max(len(self.trace.about.rows), 1)


def _is_state(name: str) -> bool:
    return name not in ("x", "target") and not name.startswith("d_")


def take_apart(
    trace: Trace, ask_previous: Callable[[], Mapping[str, Array]] | None = None
) -> Anatomy:
    """Write the step in float64 with its backward pass walked anew.

    Parameters
    ----------
    trace : Trace
        Of one batch.
    ask_previous : callable, optional
        For the gradients of the step before, by the names of their parameters.

    Raises
    ------
    ConfigurationError
        If the step has no gradient of a loss: it follows a learning rule, or is of several batches.
    """
    if trace.about.is_rule or "loss" not in trace.graph.labels:
        raise ConfigurationError(
            "There is no backward pass to compare with: the step follows a learning rule",
            advice="check compares gradients of a loss",
        )
    wide = in_float64(trace.graph)
    costs = [wide.labels[name] for name in ("loss", "penalty") if name in wide.labels]
    held = {i for i in range(len(wide.nodes)) if is_draw(trace.graph, i)}
    b, moved = Builder(), dict[int, Value]()
    needed = wide.ancestors(costs)
    for i, node in enumerate(wide.nodes):
        if node.op == "input" or i in needed:
            moved[i] = _copied(b, node, moved)
    forward = len(b.nodes)
    wrt = [name for name in _differentiated(wide) if wide.positions[name] in moved]
    # One for each cost, though both are 1: a mistake may be made with the loss alone.
    seeds = [b.apply("constant", value=1.0, dtype=wide.nodes[cost].dtype) for cost in costs]
    cotangents = {moved[cost]: one for cost, one in zip(costs, seeds, strict=True)}
    pulls: list[Pull] = []
    targets = [moved[wide.positions[name]] for name in wrt]
    found = append_gradients(b, cotangents, targets, pulls)
    for name, gradient in zip(wrt, found, strict=True):
        moved[wide.positions[f"d_{name}"]] = gradient
    backward = len(b.nodes)
    updates = [output.node for output in wide.outputs if output.label.startswith(NEXT)]
    for i in sorted(_missing(wide, updates, moved)):
        if i not in moved:
            moved[i] = _copied(b, wide.nodes[i], moved)
    known = {moved[i].position: trace.values[i] for i in moved if i in held or _is_input(wide, i)}
    nodes = tuple(b.nodes)
    names = {node.name: i for i, node in enumerate(nodes) if node.name is not None}
    names |= {alias: names[name] for alias, name in b.aliases.items() if name in names}
    names |= {name: moved[i].position for name, i in wide.positions.items() if i in moved}
    names |= {label: moved[i].position for label, i in wide.labels.items() if i in moved}
    kernels = _kernels(nodes)
    return Anatomy(
        trace,
        nodes,
        _evaluate(nodes, kernels, known),
        names,
        pulls,
        forward,
        seeds[0].position,
        seeds[1].position if len(seeds) > 1 else None,
        kernels,
        backward,
        ask_previous,
    )


def _is_input(graph: Graph, position: int) -> bool:
    return graph.nodes[position].op == "input"


def _differentiated(graph: Graph) -> list[str]:
    """The parameters that the step has gradients of."""
    names = [graph.name_of(i) for i in graph.inputs]
    return [name for name in names if f"d_{name}" in graph.positions]


def _missing(graph: Graph, positions: Sequence[int], given: Mapping[int, Value]) -> set[int]:
    """What values are computed from, up to what is there already."""
    found, stack = set[int](), list(positions)
    while stack:
        position = stack.pop()
        if position not in found and position not in given:
            found.add(position)
            stack.extend(graph.nodes[position].inputs)
    return found


def _copied(b: Builder, node: Node, moved: Mapping[int, Value]) -> Value:
    if node.op == "input":
        return b.input(node.type, node.name)
    operands = [moved[i] for i in node.inputs]
    op = bind(node.op, node.attributes)
    with b.in_scope(node.scope, node.source):
        if _takes_mean(op, operands):
            # Opened, so that the paths through its mean and its variance are there to be lost.
            body = op.body(tuple(value.type for value in operands))
            value = b.inline(body, operands)[body.labels["y"]]
        else:
            value = b.apply(node.op, *operands, **node.attributes)
    if node.name is not None:
        b.name(value, node.name)
    return value


def _takes_mean(op: Op, operands: Sequence[Value]) -> TypeGuard[CompositeOp]:
    """Whether an op is a composite of one value and of means of it: a normalisation."""
    if not isinstance(op, CompositeOp) or len(operands) != 1:
        return False
    return any(node.op == MEAN.name for node in op.body((operands[0].type,)).nodes)


def _kernels(nodes: Sequence[Node]) -> list[Kernel]:
    return [
        _no_kernel if node.op == "input" else kernel_of(node, [nodes[i] for i in node.inputs])
        for node in nodes
    ]


def _no_kernel(*_: Array) -> Array:
    raise AssertionError("an input is not computed")


def _evaluate(
    nodes: Sequence[Node], kernels: Sequence[Kernel], known: Mapping[int, Array]
) -> list[Array]:
    values: list[Array] = []
    with np.errstate(all="ignore"):
        for position, node in enumerate(nodes):
            if position in known:
                values.append(np.asarray(known[position], node.dtype.numpy))
            else:
                values.append(kernels[position](*[values[i] for i in node.inputs]))
    return values


def kernel_of(node: Node, operands: Sequence[Node]) -> Kernel:
    """What computes a node, by NumPy."""
    types = tuple(operand.type for operand in operands)
    op = bind(node.op, node.attributes)
    if isinstance(op, CompositeOp | Custom):
        routine = _of_body(op, types, " ".join(map(str, types)))
        return lambda *arrays: routine(arrays)[0]
    return make_kernel(node, types)


# Types hash by size alone, so the batch axis's name is part of the key as text.
@lru_cache(maxsize=256)
def _of_body(op: CompositeOp | Custom, types: tuple[TensorType, ...], printed: str) -> Routine:
    return Routine(op.body if isinstance(op, Custom) else op.body(types))
