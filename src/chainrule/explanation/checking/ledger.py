"""The numbers of all drafts of a step, each computed once however many drafts have it.

Most of what a mistake changes is changed alike by others: two that are made in front of a layer
hand it the same error, and the gradients behind it are the same, too. So a value is known by how it
is computed. The same op on the same operands is one value, in whichever draft it stands, and what
is found out about it, say that it is not what a learner wrote, holds in all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from chainrule.explanation.checking.anatomy import Anatomy, Kernel, kernel_of
from chainrule.explanation.trace import Array
from chainrule.graph import Node
from chainrule.ops import bind

_ROOM = 1 << 28  # bytes of arrays that are kept: of a large network there is no room for all
_SMALL = 64  # numbers of an array that is known by what is in it, not by which array it is


@dataclass(frozen=True, slots=True)
class Step:
    """One op of a draft, before it is known what its operands are.

    Parameters
    ----------
    recipe : int
        The same for the same op with the same attributes and the same type of result.
    node : Node
    inputs : tuple of int
        Its operands, as the draft calls them.
    """

    recipe: int
    node: Node
    inputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """How a value is computed from others.

    Parameters
    ----------
    step : Step
    operands : tuple of int
        By number.
    """

    step: Step
    operands: tuple[int, ...]


@dataclass(eq=False)
class Ledger:
    """The values that drafts of a step have, by number.

    The step's own values have their positions for numbers; the numbers of others come after them.

    Parameters
    ----------
    anatomy : Anatomy
    """

    anatomy: Anatomy
    _recipes: dict[tuple[object, ...], int] = field(default_factory=dict)
    _numbers: dict[tuple[object, ...], int] = field(default_factory=dict)
    _nodes: list[Node] = field(default_factory=list)
    _ways: list[Way | None] = field(default_factory=list)
    _kernels: dict[tuple[int, ...], tuple[Kernel, int, tuple[Node, ...]]] = field(
        default_factory=dict
    )
    _given: dict[int, Array] = field(default_factory=dict)
    _computed: dict[int, Array] = field(default_factory=dict)
    _held: int = 0
    work: int = 0
    """What was done up to now: numbers computed, and what it takes to find out which.

    It counts, and measures no time: the same search does the same work on every machine.
    """
    _reserved: int = 0

    @cached_property
    def count(self) -> int:
        """How many values the step itself has."""
        return len(self.anatomy.nodes)

    def reserve(self, count: int) -> int:
        """The first of so many numbers by which a draft calls nodes of its own."""
        first = self.count + self._reserved
        self._reserved += count
        return first

    def recipe(self, node: Node) -> int:
        """The number of an op with its attributes and the type of its result."""
        key = (node.op, node.attributes, node.shape, node.dtype)
        return self._recipes.setdefault(key, len(self._recipes))

    @cached_property
    def steps(self) -> Sequence[Step]:
        """The ops of the step itself."""
        return [Step(self.recipe(node), node, node.inputs) for node in self.anatomy.nodes]

    def given(self, array: Array, node: Node) -> int:
        """The number of a value that no op computes."""
        # Beside the array itself, which is kept: so no other one gets its address.
        what = array.tobytes() if array.size <= _SMALL else id(array)
        key = ("given", array.shape, array.dtype.str, what)
        number = self._numbers.get(key)
        if number is None:
            number = self._enter(key, node, None)
            self._given[number] = array
        return number

    def number(self, step: Step, operands: tuple[int, ...]) -> int:
        """The number of what a step makes of operands."""
        self.work += _A_STEP
        key = (step.recipe, operands)
        found = self._numbers.get(key)
        if found is not None:
            return found
        return self._enter(key, step.node, Way(step, operands))

    def _enter(self, key: tuple[object, ...], node: Node, way: Way | None) -> int:
        number = self.count + len(self._ways)
        self._numbers[key] = number
        self._nodes.append(node)
        self._ways.append(way)
        return number

    def way(self, number: int) -> Way | None:
        """How a value is computed; None where it is given, or the step's own."""
        return None if number < self.count else self._ways[number - self.count]

    def compute(self, node: Node, operands: Sequence[Node], arrays: Sequence[Array]) -> Array:
        """Apply an op to arrays."""
        # By identity, the nodes being kept: to compare what they are takes longer than small ops.
        key = (id(node), *map(id, operands))
        found = self._kernels.get(key)
        if found is None:
            work = _work(node, operands)
            found = self._kernels[key] = (kernel_of(node, operands), work, (node, *operands))
        kernel, work, _ = found
        self.work += work
        return kernel(*arrays)

    def node(self, number: int) -> Node:
        """What has the type of a value."""
        own = number - self.count
        return self.anatomy.nodes[number] if own < 0 else self._nodes[own]

    def value(self, number: int) -> Array:
        """The numbers of a value, computed where they are not there."""
        found = self.known(number)
        if found is None:
            with np.errstate(all="ignore"):
                found = self._compute(number)
            self._make_room()
        return found

    def known(self, number: int) -> Array | None:
        """The numbers of a value, if they are there."""
        if number < self.count:
            return self.anatomy.values[number]
        found = self._computed.get(number)
        return self._given.get(number) if found is None else found

    def _compute(self, wanted: int) -> Array:
        stack = [wanted]
        while True:
            number = stack[-1]
            found = self.known(number)
            if found is None:
                way = self._ways[number - self.count]
                assert way is not None
                operands = [self.known(i) for i in way.operands]
                if any(array is None for array in operands):
                    stack += [i for i, a in zip(way.operands, operands, strict=True) if a is None]
                    continue
                nodes = [self.node(i) for i in way.operands]
                arrays = [array for array in operands if array is not None]
                found = self._computed[number] = self.compute(way.step.node, nodes, arrays)
                self._held += found.nbytes
            stack.pop()
            if not stack:
                return found

    def _make_room(self) -> None:
        """Let go of what was computed first; it is computed again where it is asked for again."""
        while self._held > _ROOM:
            first = next(iter(self._computed))
            self._held -= self._computed.pop(first).nbytes


_A_STEP = 1 << 11  # what it takes to find the number of a value, in numbers that are added up
_A_CALL = 1 << 14  # the same to call a kernel
_PRODUCTS = 8  # of a matrix product take as long as one number that is computed by itself


def _work(node: Node, operands: Sequence[Node]) -> int:
    size = node.type.size
    sizes = [operand.type.size for operand in operands]
    if len(sizes) == 2 and bind(node.op, node.attributes).adds:
        # Of matrices (m, k), (k, n) and (m, n) the root is mkn: the products of the sum.
        return _A_CALL + math.isqrt(size * sizes[0] * sizes[1]) // _PRODUCTS
    return _A_CALL + size + sum(sizes)
