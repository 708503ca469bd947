"""A step with some of its rules changed: what a mistaken backward pass computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from chainrule.explanation.checking.anatomy import Anatomy, computed
from chainrule.explanation.trace import Array
from chainrule.ops import Builder, Value


class Draft(Builder):
    """A step that is being changed; what does not depend on a change keeps its value.

    Ops are methods, as of any `Builder`. Nodes are changed in place: whoever uses a node uses what
    it was changed to, also what is changed later. So mistakes are made one after the other, and
    each of them sees those before it.

    Parameters
    ----------
    anatomy : Anatomy
    """

    def __init__(self, anatomy: Anatomy) -> None:
        super().__init__()
        self.anatomy = anatomy
        self.nodes = list(anatomy.nodes)
        self.changed: set[int] = set()
        self._values: dict[int, Array] = {}

    def at(self, position: int) -> Value:
        """The value of a node, as an operand of what is put in the place of others."""
        return Value(self, position)

    def change(self, position: int, make: Callable[[Value], Value]) -> None:
        """Put something else in the place of a node.

        Parameters
        ----------
        position : int
        make : callable
            From what the node was to what all that use it see instead.

        Raises
        ------
        ShapeError
            If it has another shape.
        """
        node = self.nodes[position]
        # A copy takes the old node's place at the end; the node becomes what is made of that copy.
        was = self._append(replace(node, name=None), None)
        made = make(was)
        if made.position == was.position:
            self.nodes.pop()
            return
        if made.type != node.type:
            made = self._fitted(made, node.type.shape)
        new = self.nodes[made.position]
        if new.op == "input" or made.position < len(self.anatomy.nodes):
            new = self.nodes[self.apply("mul", made, self.constant(1.0, made.dtype)).position]
        self.nodes[position] = replace(new, name=node.name, scope=node.scope, source=node.source)
        self.changed.add(position)
        self._values.clear()

    def _fitted(self, made: Value, shape: tuple[int, ...]) -> Value:
        return self.broadcast(made, shape=shape)

    def values(self, positions: Iterable[int]) -> dict[int, Array]:
        """The values of nodes, computed where a change reaches them."""
        reached = self._reached
        wanted = list(positions)
        known, stack = self._values, [i for i in wanted if i in reached]
        while stack:
            position = stack[-1]
            if position in known:
                stack.pop()
                continue
            node = self.nodes[position]
            missing = [i for i in node.inputs if i in reached and i not in known]
            if missing:
                stack.extend(missing)
                continue
            operands = [known[i] if i in reached else self.anatomy.values[i] for i in node.inputs]
            known[position] = computed(node, self.nodes, operands)
            stack.pop()
        return {i: known[i] if i in reached else self.anatomy.values[i] for i in wanted}

    @property
    def _reached(self) -> set[int]:
        """The nodes that depend on what was changed; those that are new among them."""
        count = len(self.anatomy.nodes)
        users: dict[int, list[int]] = {}
        fresh = [*self.changed, *range(count, len(self.nodes))]
        for position in fresh:
            for i in self.nodes[position].inputs:
                users.setdefault(i, []).append(position)
        found, stack = set[int](), list(fresh)
        while stack:
            position = stack.pop()
            if position in found:
                continue
            found.add(position)
            stack.extend(users.get(position, ()))
            if position < count:
                stack.extend(self.anatomy.users.get(position, ()))
        return found
