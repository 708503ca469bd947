"""A step with some of its rules changed: what a mistaken backward pass computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from chainrule.autodiff import pull_back
from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.ledger import Ledger, Step
from chainrule.explanation.checking.version import CircularError as CircularError
from chainrule.explanation.checking.version import Edit, Single
from chainrule.explanation.trace import Array
from chainrule.graph import DType, Node
from chainrule.ops import Builder, Call, Value, bind


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
        self._given: dict[int, Array] = {}
        self._was: dict[int, int] = {}
        self._redirected = False
        self._made: Single | None = None

    def at(self, position: int) -> Value:
        """The value of a node, as an operand of what is put in the place of others."""
        return Value(self, position)

    def given(self, numbers: Array | float) -> Value:
        """Numbers that no node of the step computes."""
        array = np.asarray(numbers, np.float64)
        value = self._append(Node("input", (), array.shape, DType.F64))
        self._given[value.position] = array
        return value

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
        if position in self._given or (node.op == "input" and position < len(self.anatomy.nodes)):
            self._given[was.position] = self._known(position)
        if position not in self.changed:
            self._was[was.position] = position
        made = make(was)
        if made.position == was.position:
            return
        if made.shape != node.shape:
            made = self.broadcast(made, shape=node.shape)
        new = self.nodes[made.position]
        if new.op == "input" or made.position < len(self.anatomy.nodes):
            new = self.nodes[(made * 1.0).position]
        self.nodes[position] = replace(new, name=node.name, scope=node.scope, source=node.source)
        self._given.pop(position, None)
        self._mark(position)

    def redirect(self, old: int, new: Value, users: Iterable[int]) -> None:
        """Hand some of those that use a node another value in its place.

        Parameters
        ----------
        old : int
        new : Value
            Of the same type.
        users : iterable of int
            Those who are to use it.
        """
        for user in users:
            node = self.nodes[user]
            if old in node.inputs:
                inputs = tuple(new.position if i == old else i for i in node.inputs)
                self.nodes[user] = replace(node, inputs=inputs)
                self._redirected = True
                self._mark(user)

    def _mark(self, position: int) -> None:
        self.changed.add(position)
        self._made = None

    def pulled(self, position: int, operand: int, d_y: Value, **instead: Value) -> Value:
        """What an op of the step hands back to one of its operands.

        Parameters
        ----------
        position : int
            The op.
        operand : int
            The operand's number.
        d_y : Value
            What arrives at the op.
        **instead : Value
            ``y`` in the place of the op's result, ``x0``, ``x1`` ... in that of its operands.
        """
        node = self.anatomy.nodes[position]
        inputs = [instead.get(f"x{k}", self.at(i)) for k, i in enumerate(node.inputs)]
        wanted = tuple(k == operand for k in range(len(inputs)))
        call = Call(tuple(inputs), instead.get("y", self.at(position)), wanted)
        handed = pull_back(self, bind(node.op, node.attributes), call, d_y)[operand]
        return d_y * 0.0 if handed is None else handed

    def version(self, ledger: Ledger) -> Single:
        """The step with these changes in it.

        Parameters
        ----------
        ledger : Ledger
            Where its values are kept, with those of other drafts.
        """
        count = len(self.anatomy.nodes)
        appended = range(count, len(self.nodes))
        shift = ledger.reserve(len(appended)) - count
        steps, given = {}, {}
        for position in (*self.changed, *appended):
            node = self.nodes[position]
            own = position if position < count else position + shift
            if node.op == "input":
                given[own] = ledger.given(self._given[position], node)
            else:
                inputs = tuple([i if i < count else i + shift for i in node.inputs])
                steps[own] = Step(ledger.recipe(node), node, inputs)
        was = {own + shift: position for own, position in self._was.items()}
        edit = Edit(frozenset(self.changed), steps, given, was, self._redirected)
        return Single(ledger, edit)

    def values(self, positions: Iterable[int]) -> dict[int, Array]:
        """The values of nodes, computed where a change reaches them.

        Raises
        ------
        CircularError
            If a value depends on itself.
        """
        if self._made is None:
            self._made = self.version(Ledger(self.anatomy))
        made = self._made
        return {i: made.ledger.value(made.number(i)) for i in positions}

    def _known(self, position: int) -> Array:
        if position in self._given:
            return self._given[position]
        return np.asarray(self.anatomy.values[position])
