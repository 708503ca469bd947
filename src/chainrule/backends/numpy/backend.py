"""Run graphs with NumPy: a list of instructions over numbered slots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.backends.numpy.formula import make_formula_kernel
from chainrule.backends.numpy.kernels import KERNELS, Kernel
from chainrule.backends.protocol import (
    Advanced,
    Array,
    Backend,
    Program,
    Rows,
    Session,
    Wiring,
    check_type,
    frozen,
)
from chainrule.base.errors import MissingKernelError
from chainrule.graph import Graph, Node
from chainrule.ops import ElementwiseOp, bind
from chainrule.ops.table import Operands
from chainrule.rewrite import eliminate_dead_nodes, expand_composites, merge_equal_nodes

Instruction = tuple[Kernel, tuple[int, ...], int, tuple[int, ...]]


@lru_cache(maxsize=4096)
def _make_kernel(op: str, node: Node, operands: Operands) -> Kernel:
    bound = bind(op, node.attributes)
    if isinstance(bound, ElementwiseOp):
        return make_formula_kernel(bound, operands)
    if op not in KERNELS:
        raise MissingKernelError(f"The NumPy backend has no kernel for the op {op}")
    maker: Callable[..., Kernel] = KERNELS.get(op)
    return maker(bound, operands)


def make_kernel(node: Node, operands: Operands) -> Kernel:
    """Return the function that computes `node` from arrays of these types.

    Raises
    ------
    MissingKernelError
        If there is none.
    """
    return _make_kernel(node.op, _anonymous(node), operands)


def _anonymous(node: Node) -> Node:
    """`node` without what does not change its kernel, so that equal kernels are made once."""
    return Node(node.op, (), node.shape, node.dtype, node.attributes)


class Routine:
    """A graph made ready to run.

    Parameters
    ----------
    graph : Graph
    keep_all : bool
        Keep every node's value, to be read by position; otherwise a value is let go after its
        last use.
    """

    def __init__(self, graph: Graph, *, keep_all: bool = False) -> None:
        expanded = expand_composites(graph, keep=lambda op: op in KERNELS)
        merged = merge_equal_nodes(expanded.graph)
        self.positions = {old: merged.moved[new] for old, new in expanded.moved.items()}
        lean = merged.graph
        if not keep_all:
            lean = eliminate_dead_nodes(lean).graph
        self._count = len(lean.nodes)
        self._inputs = len(lean.inputs)
        self._results = [output.node for output in lean.outputs]
        self._instructions = _schedule(lean, keep_all)
        self._types = [node.type for node in lean.nodes]

    @property
    def memory(self) -> int:
        """Bytes of the values that are there at once, at the most, inputs among them."""
        sizes = [kind.size * kind.dtype.numpy.itemsize for kind in self._types]
        held = most = sum(sizes[: self._inputs])
        for _, _, target, dying in self._instructions:
            held += sizes[target]
            most = max(most, held)
            held -= sum(sizes[i] for i in dying)
        return most

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        """Compute the outputs."""
        slots = self.run(inputs)
        return [slots[i] for i in self._results]

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """Compute the nodes' values, by position; those let go are None."""
        slots: list[Any] = [*inputs, *[None] * (self._count - self._inputs)]
        # A value that is not a number is data, not an accident: the caller checks for it.
        with np.errstate(all="ignore"):
            for kernel, sources, target, dying in self._instructions:
                slots[target] = kernel(*[slots[i] for i in sources])
                for i in dying:
                    slots[i] = None
        return slots


def _schedule(graph: Graph, keep_all: bool) -> list[Instruction]:
    last_use = {i: position for position, node in enumerate(graph.nodes) for i in node.inputs}
    for output in graph.outputs:
        last_use[output.node] = len(graph.nodes)
    instructions: list[Instruction] = []
    for position, node in enumerate(graph.nodes):
        if node.op == "input":
            continue
        kernel = make_kernel(node, tuple(graph.nodes[i].type for i in node.inputs))
        dying = () if keep_all else tuple(i for i in set(node.inputs) if last_use[i] == position)
        instructions.append((kernel, node.inputs, position, dying))
    return instructions


@lru_cache(maxsize=256)
def _routine(graph: Graph) -> Routine:
    return Routine(graph)


class NumpyBackend(Backend):
    """The reference: correct within derived bounds, and easy to read."""

    name = "numpy"
    arithmetic = "numpy"

    def run(self, graph: Graph, inputs: Sequence[Array]) -> list[Array]:
        for position, value in zip(graph.inputs, inputs, strict=True):
            name = graph.name_of(position)
            check_type(name, graph.nodes[position].type, np.shape(value), value.dtype)
        # Equal graphs share a routine: a loop that traces the same function pays once.
        return [np.asarray(value) for value in _routine(graph)(inputs)]

    def compile(self, step: Graph, wiring: Wiring, threads: int | None = None) -> Program:
        return NumpyProgram(step, wiring)


class NumpyProgram(Program):
    """A training step as a routine."""

    def __init__(self, step: Graph, wiring: Wiring) -> None:
        wiring.check(step)
        self.step = step
        self.wiring = wiring
        self.fed = wiring.fed(step)
        self.types = {name: step[name].type for name in step.input_names}
        self.routine = Routine(step)
        self.labels = [output.label for output in step.outputs]
        self._recorder: Routine | None = None

    @property
    def memory(self) -> int:
        return self.routine.memory

    @property
    def recorder(self) -> Routine:
        """The routine that keeps every value."""
        if self._recorder is None:
            self._recorder = Routine(self.step, keep_all=True)
        return self._recorder

    def open(self, state: Mapping[str, Array], data: Mapping[str, Array]) -> Session:
        return NumpySession(self, state, data)

    def record(
        self,
        state: Mapping[str, Array],
        data: Mapping[str, Array],
        rows: Rows,
        feeds: Mapping[str, Array],
        names: Sequence[str] | None = None,
    ) -> Mapping[str, Array]:
        step, recorder = self.step, self.recorder
        self.wiring.check_arrays(step, state, data)
        fed = {name: np.asarray(value)[None] for name, value in feeds.items()}
        self.wiring.check_fed(step, rows[None], fed)
        slots = recorder.run(self.inputs(state, data, rows, feeds))
        if names is None:
            names = [step.name_of(position) for position in range(len(step.nodes))]
        return {name: frozen(slots[recorder.positions[step.find(name)]]) for name in names}

    def inputs(
        self,
        state: Mapping[str, Array],
        data: Mapping[str, Array],
        rows: Rows,
        feeds: Mapping[str, Array],
    ) -> list[Array]:
        """What a step reads, in the graph's order."""
        wiring = self.wiring
        values: list[Array] = []
        for name in self.step.input_names:
            if name in wiring.state:
                values.append(state[name])
            elif name in wiring.data:
                values.append(data[name][rows])
            else:
                values.append(rows if name == wiring.rows else feeds[name])
        return values


class NumpySession(Session):
    """A training under way: the state is replaced at each step, never written into."""

    def __init__(
        self, program: NumpyProgram, state: Mapping[str, Array], data: Mapping[str, Array]
    ) -> None:
        self._program = program
        program.wiring.check_arrays(program.step, state, data)
        self._state = {name: np.asarray(state[name]) for name in program.wiring.state}
        self._data = data

    def advance(self, rows: Rows, feeds: Mapping[str, Array]) -> Advanced:
        wiring, labels = self._program.wiring, self._program.labels
        next_labels = set(wiring.state.values())
        alone = next_labels | set(wiring.latest)
        kept: dict[str, list[Array]] = {label: [] for label in labels if label not in alone}
        latest: dict[str, Array] = {}
        steps, interrupted = 0, False
        wiring.check_fed(self._program.step, rows, feeds)
        try:
            for step, batch in enumerate(rows):
                fed = {name: values[step] for name, values in feeds.items()}
                computed = self._program.routine(
                    self._program.inputs(self._state, self._data, batch, fed)
                )
                results = dict(zip(labels, computed, strict=True))
                if not all(_is_finite(results[label]) for label in wiring.finite):
                    break
                for label, values in kept.items():
                    values.append(results[label])
                latest = {label: frozen(results[label]) for label in wiring.latest}
                # The last thing a step does, and in one assignment: Ctrl-C finds a whole state.
                self._state = {name: results[label] for name, label in wiring.state.items()}
                steps += 1
        except KeyboardInterrupt:
            interrupted = True
        stacked = {label: self._stack(label, values[:steps]) for label, values in kept.items()}
        return Advanced(steps, stacked | latest, interrupted)

    def _stack(self, label: str, values: list[Array]) -> Array:
        kind = self._program.step.nodes[self._program.step.labels[label]].type
        return np.array(values, kind.dtype.numpy).reshape(len(values), *kind.shape)

    def record(
        self, rows: Rows, feeds: Mapping[str, Array], names: Sequence[str] | None = None
    ) -> Mapping[str, Array]:
        return self._program.record(self._state, self._data, rows, feeds, names)

    def state(self) -> dict[str, Array]:
        return {name: frozen(value) for name, value in self._state.items()}


def _is_finite(value: Array) -> bool:
    # One sum instead of a test of each element: NaN and inf survive it. An overflowing sum of
    # finite elements is the rare case that the second look is for.
    with np.errstate(all="ignore"):
        total = np.add.reduce(value, axis=None)
    return bool(np.isfinite(total) or np.isfinite(value).all())


BACKEND = NumpyBackend()
