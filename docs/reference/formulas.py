"""Formulas of ops and of graphs, as expressions: the same that are computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.graph import AttributeValue, Axis, DType, Graph, Node, TensorType
from chainrule.graph.printer import format_attribute
from chainrule.ops import OPS, Elementwise, format_expression
from chainrule.ops.elementwise import VOCABULARY, Indicator, Marker
from chainrule.ops.expression import (
    Apply,
    Expression,
    Fold,
    Literal,
    Symbol,
    apply,
    as_expression,
    read,
)
from docs.reference.symbols import option

_NEW = "\0new"
_LONGEST = 12  # leaves: a longer formula is written in two lines


# --- elementwise ops ------------------------------------------------------------------------------


def value_of(op: Elementwise) -> Expression:
    """An op's formula, its attributes by name; a primitive's is its own notation."""
    symbols = tuple(map(Symbol, op.operands))
    if op.formula is None:
        return apply(op.name, *symbols)
    return as_expression(op.formula(VOCABULARY, *symbols, **_attributes(op)))


def partial_of(op: Elementwise, operand: int) -> Expression | Marker:
    """The derivative in one operand, its attributes by name; an indicator as 1 and 0."""
    rule = op.partials[operand]
    if isinstance(rule, Marker):
        return rule
    formula = rule.condition if isinstance(rule, Indicator) else rule
    symbols = (*map(Symbol, op.operands), Symbol("y"))
    written = as_expression(formula(VOCABULARY, *symbols, **_attributes(op)))
    return apply("select", written, 1, 0) if isinstance(rule, Indicator) else written


def _attributes(op: Elementwise) -> dict[str, Any]:
    return {name: Symbol(name) for name in op.defaults}


def words_of(expression: Expression) -> set[str]:
    """The ops that a formula is written with."""
    found: set[str] = set()
    stack = [expression]
    while stack:
        part = stack.pop()
        if isinstance(part, Apply):
            found.add(part.op)
            stack += part.arguments
        elif isinstance(part, Fold):
            stack += part.items
    return found


def simplified(expression: Expression) -> Expression:
    """Leave out of each case of a choice what its condition decides.

    ``(x if x ≤ 0 else 0) if x ≤ 0 else 1`` is ``x if x ≤ 0 else 1``. Conditions are the same if
    they are written the same.
    """
    return _decided(expression, {})


def _decided(expression: Expression, known: Mapping[str, bool]) -> Expression:
    if not isinstance(expression, Apply):
        return expression
    condition = expression.arguments[0] if expression.arguments else None
    if condition is None or not _is_choice(expression):
        return Apply(
            expression.op,
            tuple(_decided(argument, known) for argument in expression.arguments),
            expression.dtype,
        )
    _, then, otherwise = expression.arguments
    written = format_expression(condition)
    if written in known:
        return _decided(then if known[written] else otherwise, known)
    return Apply(
        expression.op,
        (
            _decided(condition, known),
            _decided(then, {**known, written: True}),
            _decided(otherwise, {**known, written: False}),
        ),
    )


def _is_choice(expression: Apply) -> bool:
    declaration = OPS.get(expression.op)
    return isinstance(declaration, Elementwise) and declaration.condition


# --- graphs ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Equation:
    """One line of a graph: a name, and the formula of its value."""

    name: str
    value: Expression
    type: TensorType


def equations(
    graph: Graph,
    names: Mapping[str, str] | None = None,
    numbers: Mapping[float, Expression] | None = None,
) -> list[Equation]:
    """Write a graph as formulas, one for each result and for each value that is used twice.

    Parameters
    ----------
    graph : Graph
    names : mapping of str to str, optional
        What to call inputs and outputs instead of their own names.
    numbers : mapping of float to Expression, optional
        What a constant stands for, such as an option.
    """
    return _Lines(graph, names or {}, numbers or {}).written()


class _Lines:
    def __init__(
        self, graph: Graph, names: Mapping[str, str], numbers: Mapping[float, Expression]
    ) -> None:
        self.graph = graph
        self.numbers = numbers
        self.names = names
        self.results = {output.node: output.label for output in reversed(graph.outputs)}
        self.uses = Counter(i for node in graph.nodes for i in node.inputs)
        self.lines: list[Equation] = []
        self.sizes: dict[int, int] = {}
        self.unnamed = 0

    def written(self) -> list[Equation]:
        values: dict[int, Expression] = {}
        for position, node in enumerate(self.graph.nodes):
            value = self._expression(position, node, values)
            values[position] = value
            if node.op != "input" and self._stands_alone(position, node, value):
                name = self._name(position)
                self.lines.append(Equation(name, value, node.type))
                values[position] = Symbol(name)
                self.sizes[position] = 1
        for output in self.graph.outputs:  # a result that is an input, or another result
            if self.results[output.node] != output.label or self._is_input(output.node):
                node = self.graph.nodes[output.node]
                name = self.names.get(output.label, output.label)
                self.lines.append(Equation(name, values[output.node], node.type))
        return self._told_apart()

    def _told_apart(self) -> list[Equation]:
        """Results by their names; one that has an input's name has a prime if that is still read.

        w ← w - g reads the old w and writes the new. If a later line reads the old one, the new
        one is w′.
        """
        final: dict[str, Expression] = {}
        for position, line in enumerate(self.lines):
            if line.name.endswith(_NEW):
                name = line.name.removesuffix(_NEW)
                is_read = any(
                    name in _names_in(later.value) for later in self.lines[position + 1 :]
                )
                final[line.name] = Symbol(f"{name}′" if is_read else name)
        return [
            Equation(
                final[line.name].name if line.name in final else line.name,  # type: ignore[attr-defined]
                read(line.value, _Renaming(final)),
                line.type,
            )
            for line in self.lines
        ]

    def _is_input(self, position: int) -> bool:
        return self.graph.nodes[position].op == "input"

    def _stands_alone(self, position: int, node: Node, value: Expression) -> bool:
        if position in self.results:
            return True
        if not isinstance(value, Apply):
            return False
        return self.uses[position] > 1 or self.sizes[position] > _LONGEST

    def _name(self, position: int) -> str:
        if position in self.results:
            label = self.results[position]
            return f"{self.names.get(label, label)}{_NEW}"
        self.unnamed += 1
        return f"u{self.unnamed}"

    def _expression(
        self, position: int, node: Node, values: Mapping[int, Expression]
    ) -> Expression:
        self.sizes[position] = sum(self.sizes[i] for i in node.inputs) or 1
        if node.op == "input":
            name = self.graph.name_of(position)
            return Symbol(self.names.get(name, name))
        if node.op == "constant":
            number = node.attributes["value"]
            assert isinstance(number, int | float)
            return self.numbers.get(number) or Literal(number)
        operands = [values[i] for i in node.inputs]
        if node.op == "cast" and self._keeps_the_number(node):
            return operands[0]
        nested = [value for value in node.attributes.values() if isinstance(value, Graph)]
        if nested:  # a function of one's own is written by its name
            return Apply(nested[0].name, tuple(operands))
        options = [option(key, written) for key, written in _options(node)]
        return Apply(node.op, (*operands, *options))

    def _keeps_the_number(self, node: Node) -> bool:
        """A cast of an integer or a float to a float: the formula is about the number."""
        return node.dtype.is_float and self.graph.nodes[node.inputs[0]].dtype.value != "bool"


@dataclass(frozen=True)
class _Renaming:
    names: Mapping[str, Expression]

    def leaf(self, leaf: Expression) -> Expression:
        return self.names.get(leaf.name, leaf) if isinstance(leaf, Symbol) else leaf

    def apply(self, op: str, arguments: Sequence[Expression], dtype: DType | None) -> Expression:
        return Apply(op, tuple(arguments), dtype)

    def fold(self, op: str, items: Sequence[Expression], order: str) -> Expression:
        return Fold(op, tuple(items), order)


def _names_in(expression: Expression) -> set[str]:
    found, stack = set(), [expression]
    while stack:
        part = stack.pop()
        if isinstance(part, Apply):
            stack += part.arguments
        elif isinstance(part, Symbol):
            found.add(part.name)
    return found


def _options(node: Node) -> list[tuple[str, str]]:
    """The attributes that are not the op's defaults, as they are printed."""
    declaration = OPS.get(node.op)
    defaults = declaration.defaults if isinstance(declaration, Elementwise) else {}
    return [
        (key, format_attribute(_without_names(value)))
        for key, value in node.attributes.items()
        if key not in defaults or defaults[key] != value
    ]


def _without_names(value: AttributeValue) -> AttributeValue:
    """A shape by its sizes: [B=3,1] is a type, shape=[3,1] an argument."""
    if isinstance(value, tuple):
        return tuple(map(_without_names, value))
    return int(value) if isinstance(value, Axis) else value
