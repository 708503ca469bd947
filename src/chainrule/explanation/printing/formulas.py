"""Formulas as they are read: what is to be written of an expression, in any notation.

Text, LaTeX and MathML write the same rows. A long sum becomes Σ with letters for the indices that
run, where its terms are alike, and its first and last terms where they are not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chainrule.explanation.expansion import Number, expand, is_known
from chainrule.explanation.explanation import Explanation, Term
from chainrule.explanation.printing.digits import literal, number
from chainrule.explanation.symbols import Symbol, symbol_of_any
from chainrule.explanation.tidying import tidy
from chainrule.explanation.trace import Place, Trace
from chainrule.graph import DType
from chainrule.ops import OPS, CompositeOp, Elementwise, bind, format_expression
from chainrule.ops.expression import OVER, Apply, Expression, Fold, Literal, apply, read

FEW = 4
"""A sum of at most so many terms is written out."""

_LONG = 120  # characters of a rule that is written with Σ wherever it can be
_LETTERS = "jklmnpqrstuvw"
_NESTED_AT_MOST = 6
_LETTERS_AT_MOST = 3  # indices that run together; of more, nobody sees how
_FUNCTION = re.compile(r"[a-z_]\w*\(")


@dataclass(frozen=True, slots=True, eq=False)
class Any(Expression):
    """A leaf that stands for several numbers of a node: ``δ1[b,3]``."""

    node: int
    index: tuple[int | str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Figure(Expression):
    """A leaf that is a number computed for reading: the value of a term."""

    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Omitted(Expression):
    """A leaf for the terms that are left out of a sum: ``…``."""


def symbol_of_leaf(trace: Trace, leaf: Number | Any) -> Symbol:
    """How a leaf is called."""
    if isinstance(leaf, Number):
        return symbol_of_any(trace, leaf.place.node, leaf.place.index)
    return symbol_of_any(trace, leaf.node, leaf.index)


@dataclass(frozen=True)
class Notation:
    """How what stands in a row is written: LaTeX, or MathML.

    Parameters
    ----------
    symbol : callable
        From a `Symbol`.
    number : callable
        From a number in digits.
    omitted : str
        For terms that are left out.
    """

    symbol: Callable[[Symbol], str]
    number: Callable[[str], str]
    omitted: str

    def leaves(self, trace: Trace, *, with_numbers: bool) -> Callable[[Expression], str]:
        """How to write a leaf of a row: its symbol, or its number."""

        def name(leaf: Expression) -> str:
            match leaf:
                case Number(place) if with_numbers:
                    return self.number(number(trace.value(place)))
                case Number() | Any():
                    return self.symbol(symbol_of_leaf(trace, leaf))
                case Figure(value):
                    return self.number(number(value))
                case Literal(value):
                    return self.number(literal(value))
                case Omitted():
                    return self.omitted
            raise TypeError(f"{type(leaf).__name__} is no part of an explanation")

        return name


@dataclass(frozen=True)
class Row:
    """One row of a derivation, to the right of the equals sign.

    Parameters
    ----------
    expression : Expression
    with_numbers : bool
        Whether its numbers are written in place of their names.
    """

    expression: Expression
    with_numbers: bool = False


@dataclass(frozen=True)
class Definition:
    """What a function is: ``sigmoid(x) = 1/(1 + exp(-x))``.

    Parameters
    ----------
    name : str
        Of the op.
    expression : Expression or None
        In the symbols of its declaration; None for a composite.
    text : str
        The same as text: ``mean: y = (Σ x) / n``.
    """

    name: str
    expression: Expression | None
    text: str


def rows_of(explanation: Explanation) -> list[Row]:
    """The rule of a number, the same with numbers, and the values of the terms it is a sum of."""
    if explanation.is_given:
        return []
    trace, terms = explanation.trace, explanation.terms
    expressions = [_readable(trace, term.expression) for term in terms]
    whole = _alike(trace, expressions) if is_large(terms) else None
    if whole is not None:
        return [Row(_shortened(trace, whole, FEW))]
    rule = _readable(trace, explanation.rule)
    few = FEW if _size(rule) <= _LONG else 1
    rows = [Row(_shortened(trace, rule, few, open_products=True))]
    in_numbers = _shortened(trace, rule, few)
    if _has_numbers(in_numbers):
        rows.append(Row(in_numbers, with_numbers=True))
    if 1 < len(terms) <= FEW and not all(map(_is_leaf, expressions)) and not _has_guard(terms):
        rows.append(Row(Fold("add", tuple(Figure(term.value) for term in terms)), True))
    return rows


def is_large(terms: Sequence[Term]) -> bool:
    """Whether a sum is read as a table: of many terms, or of one for each example."""
    return len(terms) > FEW or (len(terms) > 1 and terms[0].example is not None)


def definitions_of(explanations: Sequence[Explanation]) -> list[Definition]:
    """What the functions in the rules of numbers are, each once."""
    found: dict[str, Definition] = {}
    for each in explanations:
        node = each.trace.node(each.place)
        if each.is_given:
            continue
        op = bind(node.op, node.attributes)
        if isinstance(op, CompositeOp):
            found.setdefault(node.op, Definition(node.op, None, f"{node.op}: {op.formula()}"))
        for name in (part.op for part in _applied(each.rule)):
            declaration = OPS.get(name) if name in OPS else None
            if (
                name not in found
                and isinstance(declaration, Elementwise)
                and not declaration.is_primitive
                and not declaration.defaults
                and _FUNCTION.match(declaration.notation)
            ):
                value = declaration.bind({}).value
                found[name] = Definition(name, value, f"{name}(x) = {format_expression(value)}")
    return list(found.values())


def term_row(trace: Trace, term: Term) -> Expression:
    """One term, for reading."""
    return _shortened(trace, _readable(trace, term.expression), FEW)


def _is_leaf(expression: Expression) -> bool:
    match expression:
        case Apply("neg", (inner,)):
            return _is_leaf(inner)
    return not isinstance(expression, Apply | Fold)


def _has_guard(terms: Sequence[Term]) -> bool:
    """Whether a term is nothing because a condition says so: it is not written then."""
    return any(
        term.value == 0 and any(part.op == "select" for part in _applied(term.expression))
        for term in terms
    )


def _size(expression: Expression) -> int:
    """About how many characters it takes."""
    return len(format_expression(expression, lambda leaf: "a[0,0]"))


def _has_numbers(expression: Expression) -> bool:
    """Whether there are numbers to be plugged in, and none that stands for several."""
    parts = _parts(expression)
    return any(isinstance(part, Number) for part in parts) and not any(
        isinstance(part, Any) for part in parts
    )


def _applied(expression: Expression) -> list[Apply]:
    return [part for part in _parts(expression) if isinstance(part, Apply)]


def _parts(expression: Expression) -> list[Expression]:
    """An expression and everything in it; of a long sum, one term."""
    found, stack = [], [expression]
    while stack:
        part = stack.pop()
        found.append(part)
        if isinstance(part, Apply):
            stack.extend(reversed(part.arguments))
        elif isinstance(part, Fold) and len(part.items):
            kept = part.items if len(part.items) <= FEW else [part.items[0]]
            stack.extend(reversed(list(kept)))
    return found


def _alike(trace: Trace, terms: Sequence[Expression], op: str = "add") -> Expression | None:
    """Σ over what differs from term to term, where nothing but indices does; else None."""
    leaves = [_places(term) for term in terms]
    if len({_skeleton(term) for term in terms}) > 1 or len(set(map(len, leaves))) > 1:
        return None
    letters: dict[tuple[int | str, ...], str] = {}
    used = {i for leaf in leaves[0] for i in leaf[1] if isinstance(i, str)}
    if len(used) > _NESTED_AT_MOST:
        return None
    free = (letter for letter in _LETTERS if letter not in used)
    places = []
    for slot in zip(*leaves, strict=True):
        node = slot[0][0]
        if any(each[0] != node for each in slot):
            return None
        shape = trace.graph.nodes[node].shape
        index: list[int | str] = []
        for axis, positions in enumerate(zip(*(each[1] for each in slot), strict=True)):
            if len(set(positions)) > 1 and positions not in letters:
                if len(letters) == _LETTERS_AT_MOST:
                    return None
                name = (getattr(shape[axis], "name", None) or "").lower()
                is_free = name and name not in used and name not in letters.values()
                letters[positions] = name if is_free else next(free)
            index.append(positions[0] if len(set(positions)) == 1 else letters[positions])
        places.append((node, tuple(index)))
    if not letters:
        return None
    body = read(terms[0], _Replaced(places))
    return Fold(op, (body,), OVER + ", ".join(letters.values()))


_Where = tuple[int, tuple[int | str, ...]]  # a node, and an index of numbers or letters


def _skeleton(expression: Expression) -> str:
    return format_expression(
        expression, lambda leaf: repr(leaf.value) if isinstance(leaf, Literal) else "#"
    )


def _places(expression: Expression) -> list[_Where]:
    """Where the numbers are, in the order in which they are read."""
    collected = _Collected()
    read(expression, collected)
    return collected.places


class _Collected:
    """Reads an expression for the places in it."""

    def __init__(self) -> None:
        self.places: list[_Where] = []

    def leaf(self, leaf: Expression) -> None:
        match leaf:
            case Number(place):
                self.places.append((place.node, place.index))
            case Any(node, index):
                self.places.append((node, index))

    def apply(self, op: str, arguments: Sequence[None], dtype: DType | None) -> None:
        return None

    def fold(self, op: str, items: Sequence[None], order: str) -> None:
        return None


class _Replaced:
    """Reads an expression with other places in it, in the order of reading."""

    def __init__(self, places: Sequence[_Where]) -> None:
        self.places = iter(places)

    def leaf(self, leaf: Expression) -> Expression:
        return Any(*next(self.places)) if isinstance(leaf, Number | Any) else leaf

    def apply(self, op: str, arguments: Sequence[Expression], dtype: DType | None) -> Expression:
        return apply(op, *arguments, dtype=dtype)

    def fold(self, op: str, items: Sequence[Expression], order: str) -> Expression:
        return Fold(op, tuple(items), order)


def _readable(trace: Trace, expression: Expression) -> Expression:
    """The same with conditions as 1 or 0, and without terms that they rule out."""
    return tidy(read(expression, _Readable(trace)))


@dataclass(frozen=True)
class _Readable:
    trace: Trace

    def leaf(self, leaf: Expression) -> Expression:
        return leaf

    def apply(self, op: str, arguments: Sequence[Expression], dtype: DType | None) -> Expression:
        if dtype is not None and isinstance(arguments[0], Apply) and _is_condition(arguments[0].op):
            return apply("select", arguments[0], 1, 0)
        return apply(op, *arguments, dtype=dtype)

    def fold(self, op: str, items: Sequence[Expression], order: str) -> Expression:
        if op == "add" and not order.startswith(OVER):
            items = [each for each in map(self._decided, items) if each is not None] or items[:1]
        return items[0] if len(items) == 1 else Fold(op, tuple(items), order)

    def _decided(self, item: Expression) -> Expression | None:
        """What a term is, where two integers decide between it and 0; None: it is nothing."""
        match item:
            case Apply("select", (Apply("equal", (first, second)), then, Literal(0))):
                a, b = self._integer(first), self._integer(second)
                if a is None or b is None:
                    return item
                return then if a == b else None
        return item

    def _integer(self, leaf: Expression) -> int | None:
        match leaf:
            case Literal(value) if isinstance(value, int):
                return value
            case Number(place) if self.trace.value(place).dtype.kind in "iu":
                return int(self.trace.value(place))
        return None


def _is_condition(op: str) -> bool:
    declaration = OPS.get(op) if op in OPS else None
    return isinstance(declaration, Elementwise) and declaration.returns is DType.BOOL


def _shortened(
    trace: Trace, expression: Expression, few: int, *, open_products: bool = False
) -> Expression:
    """The same with long sums as Σ, or as their first and last terms.

    Parameters
    ----------
    trace : Trace
    expression : Expression
    few : int
        How many terms a sum may have that is written out.
    open_products : bool
        Whether a sum of products without a name of its own stands there as what it is.
    """
    return read(expression, _Shortened(trace, few, open_products))


@dataclass(frozen=True)
class _Shortened:
    trace: Trace
    few: int
    open_products: bool

    def leaf(self, leaf: Expression) -> Expression:
        if self.open_products and isinstance(leaf, Number):
            return sum_of_products(self.trace, leaf.place) or leaf
        return leaf

    def apply(self, op: str, arguments: Sequence[Expression], dtype: DType | None) -> Expression:
        return apply(op, *arguments, dtype=dtype)

    def fold(self, op: str, items: Sequence[Expression], order: str) -> Expression:
        if len(items) <= self.few or order.startswith(OVER):
            return Fold(op, tuple(items), order)
        alike = _alike(self.trace, items, op)
        if alike is not None or len(items) <= FEW:
            return alike or Fold(op, tuple(items), order)
        return Fold(op, (items[0], Omitted(), items[-1]), order)


def _is_long_sum(trace: Trace, place: Place) -> bool:
    """Whether one op adds many terms to it; that is known before the terms are opened."""
    node = trace.node(place)
    types = tuple(trace.graph.nodes[i].type for i in node.inputs)
    terms = bind(node.op, node.attributes).terms(types, place.index) if node.inputs else None
    return isinstance(terms, Fold) and len(terms.items) > FEW


def sum_of_products(trace: Trace, place: Place) -> Expression | None:
    """Σ for a number without a name that is a long sum of alike terms; None for any other."""
    if is_known(trace, place) or not _is_long_sum(trace, place):
        return None
    expression = _readable(trace, expand(trace, place))
    if not isinstance(expression, Fold) or expression.op != "add":
        return None
    return _alike(trace, list(expression.items))
