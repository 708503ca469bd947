"""The rule by which any element of a node is computed, with letters for the indices.

For one number `expansion` writes its own terms. A rule says the same of all elements of a node at
once: δ1[b,i] = (Σ over j of δ2[b,j]·W2[j,i])·σ′(z1[b,i]). It is put together from the forms of the
nodes without a name on the way, as `expansion` puts together their terms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from chainrule.explanation.forms import Affine, Form, form_of
from chainrule.explanation.symbols import symbol_of_any
from chainrule.explanation.tidying import tidy
from chainrule.explanation.trace import Trace
from chainrule.graph import DType, Graph, Node
from chainrule.ops import CompositeOp, bind, format_expression
from chainrule.ops.expression import OVER, Expression, Fold, Literal, Symbol, apply, read

PARTS_AT_MOST = 40
"""How many parts a rule may have, before values without a name stand in it as themselves."""


@dataclass(frozen=True, slots=True, eq=False)
class Slot(Expression):
    """Any element of a node: where it is, as a function of the rule's variables."""

    node: int
    axes: tuple[Affine, ...]


@dataclass(frozen=True)
class Rule:
    """How any element of a node is computed.

    Parameters
    ----------
    node : int
    letters : tuple of str
        The names of the variables: the indices of the result first, then those of sums.
    expression : Expression
        In `Slot` leaves.
    """

    node: int
    letters: tuple[str, ...]
    expression: Expression

    def index_of(self, slot: Slot) -> tuple[str, ...]:
        """The index of a slot in letters: ``("b", "i + 1")``."""
        return tuple(_written(axis, self.letters) for axis in slot.axes)


def rule_of(trace: Trace, node: int) -> Rule | None:
    """The rule of a node; None for an input, and where its elements differ in more than place."""
    graph = trace.graph
    form = _form(graph, node)
    if form is None:
        return None
    writer = _Writer(graph, node)
    identity = tuple(
        Affine(0, tuple(int(axis == k) for k in range(len(graph.nodes[node].shape))))
        for axis in range(len(graph.nodes[node].shape))
    )
    expression = writer.written(form, graph.nodes[node].inputs, identity)
    opening = _Opening(writer)
    while opening.found:
        opening.found = False
        expression = read(expression, opening)
    return Rule(node, tuple(writer.letters), tidy(expression))


def format_rule(trace: Trace, rule: Rule) -> str:
    """Write a rule on one line: ``∂C/∂W2[i,j] = Σ over b of δ2[b,i]·a1[b,j]``."""

    def name(leaf: Expression) -> str:
        if isinstance(leaf, Slot):
            return str(symbol_of_any(trace, leaf.node, rule.index_of(leaf)))
        if isinstance(leaf, Symbol):
            return leaf.name
        assert isinstance(leaf, Literal)
        return format(leaf.value, "g") if isinstance(leaf.value, float) else str(leaf.value)

    rank = len(trace.graph.nodes[rule.node].shape)
    left = symbol_of_any(trace, rule.node, rule.letters[:rank])
    return f"{left} = {format_expression(rule.expression, name)}"


def _form(graph: Graph, node: int) -> Form | None:
    here = graph.nodes[node]
    return form_of(here, [graph.nodes[i].type for i in here.inputs])


class _Writer:
    """Writes forms as expressions, giving each variable a letter."""

    def __init__(self, graph: Graph, node: int) -> None:
        self.graph = graph
        self.parts = 0
        self._free = _alphabet()
        self.letters = [self._letter(axis) for axis in graph.nodes[node].shape]

    def written(self, form: Form, inputs: Sequence[int], at: tuple[Affine, ...]) -> Expression:
        """The form at an index that is a function of the rule's variables."""
        first = len(self.letters)
        variables = [*at]
        for k, _ in enumerate(form.sizes):
            variables.append(Affine(0, tuple(int(v == first + k) for v in range(first + k + 1))))
            self.letters.append(self._letter_of_sum(form, inputs, len(at) + k))
        slots: list[Expression] = [
            Slot(inputs[o.input], tuple(_composed(axis, variables) for axis in o.axes))
            for o in form.operands
        ]
        self.parts += len(slots)
        body = apply(form.op, *slots, dtype=form.dtype) if form.op else slots[0]
        if not form.fold or all(size == 1 for size in form.sizes):
            return body
        return Fold(form.fold, (body,), OVER + ", ".join(self.letters[first:]))

    def _letter_of_sum(self, form: Form, inputs: Sequence[int], variable: int) -> str:
        """The letter of what a sum runs over: that of the axis it runs along."""
        for operand in form.operands:
            for axis, place in enumerate(operand.axes):
                if place.coefficients[variable]:
                    return self._letter(self.graph.nodes[inputs[operand.input]].shape[axis])
        return next(self._free)

    def _letter(self, axis: object) -> str:
        name = (getattr(axis, "name", None) or "").lower()
        return name if name and name not in getattr(self, "letters", ()) else next(self._free)


class _Opening:
    """Reads a rule with values without a name opened by one level."""

    def __init__(self, writer: _Writer) -> None:
        self.writer, self.found = writer, True

    def leaf(self, leaf: Expression) -> Expression:
        if not isinstance(leaf, Slot):
            return leaf
        graph = self.writer.graph
        node = graph.nodes[leaf.node]
        if not node.inputs and node.op != "input":
            return self._constant(node, leaf)
        if node.name is not None or isinstance(bind(node.op, node.attributes), CompositeOp):
            return leaf
        form = _form(graph, leaf.node)
        if form is None:
            return leaf
        if self.writer.parts + len(form.operands) > PARTS_AT_MOST and not form.is_move:
            return leaf
        self.found = True
        return self.writer.written(form, node.inputs, leaf.axes)

    def _constant(self, node: Node, leaf: Slot) -> Expression:
        """A constant, or, of a count along an axis, the index itself."""
        value, axis = node.attributes.get("value"), node.attributes.get("axis")
        if isinstance(value, int | float):
            return Literal(value)
        if isinstance(axis, int):
            return Symbol(_written(leaf.axes[axis], self.writer.letters))
        return leaf

    def apply(self, op: str, arguments: Sequence[Expression], dtype: DType | None) -> Expression:
        return apply(op, *arguments, dtype=dtype)

    def fold(self, op: str, items: Sequence[Expression], order: str) -> Expression:
        return Fold(op, tuple(items), order)


def _composed(axis: Affine, variables: Sequence[Affine]) -> Affine:
    """An affine function of variables that are affine functions themselves."""
    length = max((len(v.coefficients) for v in variables), default=0)
    coefficients = [0] * length
    constant = axis.constant
    for factor, variable in zip(axis.coefficients, variables, strict=False):
        constant += factor * variable.constant
        for k, coefficient in enumerate(variable.coefficients):
            coefficients[k] += factor * coefficient
    return Affine(constant, tuple(coefficients))


def _written(axis: Affine, letters: Sequence[str]) -> str:
    parts = [
        letter if coefficient == 1 else f"{coefficient}{letter}"
        for letter, coefficient in zip(letters, axis.coefficients, strict=False)
        if coefficient
    ]
    if axis.constant or not parts:
        parts.append(str(axis.constant))
    return " + ".join(parts).replace("+ -", "- ")


def _alphabet() -> Iterator[str]:
    yield from "ijklmnpqrstuvw"
    for number in count(1):
        yield f"i{number}"
