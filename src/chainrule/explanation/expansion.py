"""What a number is made of: arithmetic on other numbers of the step that have names.

An op says how one element of its result comes from elements of its operands (`Op.terms`). Values
without a name are opened in turn, so that what is left are numbers that a reader knows: weights,
activations, gradients. Moves (a reshape, a transpose) vanish, and so do choices by an integer (a
gather), since the trace knows how they were made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chainrule.explanation.inside import choosing_body, is_composite
from chainrule.explanation.trace import Place, Trace
from chainrule.graph import DType, Node
from chainrule.ops import ElementwiseOp, bind
from chainrule.ops.broadcasting import broadcast_index
from chainrule.ops.expression import (
    Apply,
    Element,
    Expression,
    Fold,
    Lazy,
    Literal,
    apply,
    read,
)

INLINED_AT_MOST = 40
"""How many parts a value without a name may have, to be shown inside of another."""
WRITTEN_AT_MOST = 400
"""How many numbers it may have with all that is in the terms of its sums."""


@dataclass(frozen=True, slots=True, eq=False)
class Number(Expression):
    """A leaf: one number of the trace."""

    place: Place


def expand(trace: Trace, place: Place) -> Expression:
    """Return what the number at `place` is made of, in `Number` leaves.

    An input of the step is made of nothing: it comes back as itself.
    """
    if trace.node(place).op == "input":
        return Number(place)
    return _terms(trace, place)


def constituents(trace: Trace, place: Place, most: int) -> tuple[list[Place], bool]:
    """The places without a name that `expand` opened on the way, and `place` itself in front.

    Each is one application of an op, from stored operands to a stored result. Of a sum of very
    many terms some are looked into, spread evenly.

    Returns
    -------
    list of Place
        At most about `most`.
    bool
        Whether these are all.
    """
    found: dict[Place, None] = {}
    stack = [place]
    is_all = True
    while stack and len(found) < most:
        here = stack.pop()
        if here in found or trace.node(here).op == "input":
            continue
        found[here] = None
        inside = _own_terms(trace, here)
        is_sampled = isinstance(inside, Fold) and len(inside.items) > most
        if isinstance(inside, Fold) and is_sampled:
            spread = range(0, len(inside.items), -(-len(inside.items) // most))
            inside = Fold(inside.op, [inside.items[i] for i in spread])
        opened = [
            leaf for leaf in leaves(inside) if _is_written(trace, leaf) or opens_inside(trace, leaf)
        ]
        is_all = is_all and not (is_sampled and opened)
        stack.extend(opened)
    return list(found), is_all and not stack


def leaves(expression: Expression) -> list[Place]:
    """The numbers that an expression is made of, each once, in the order of reading."""
    found: dict[Place, None] = {}
    stack: list[Expression] = [expression]
    seen: set[int] = set()
    kept = []  # an id is unique only among the living
    while stack:
        part = stack.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        kept.append(part)
        match part:
            case Number(place):
                found[place] = None
            case Apply():
                stack.extend(reversed(part.arguments))
            case Fold():
                stack.extend(reversed(list(part.items)))
    return list(found)


def is_known(trace: Trace, place: Place) -> bool:
    """Whether a number is one that a reader knows by name, or an op's that stands as itself."""
    node = trace.node(place)
    if node.name is not None or node.op == "input":
        return True
    return is_composite(node) or _is_found(trace, node)


def _is_found(trace: Trace, node: Node) -> bool:
    """Whether it is an integer that numbers decide, such as the place of the third in order."""
    return node.dtype.is_integer and any(trace.graph.nodes[i].dtype.is_float for i in node.inputs)


def _terms(trace: Trace, place: Place) -> Expression:
    shown = _Inlined(trace)
    return read_lazily(_own_terms(trace, place), shown)


class _Inlined:
    """Shows a number inside of another: as itself, or as what it is made of."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.known: dict[Place, Expression] = {}

    def __call__(self, place: Place) -> Expression:
        # A stack, not recursion: values without a name may be a long chain.
        stack = [place]
        while stack:
            here = stack[-1]
            if here in self.known:
                stack.pop()
                continue
            if not opens_inside(self.trace, here):
                self.known[here] = self._as_itself(here)
                continue
            own = _own_terms(self.trace, here)
            missing = [leaf for leaf in leaves(own) if leaf not in self.known]
            if missing:
                stack.extend(missing)
            else:
                self.known[here] = read_lazily(own, self.known.__getitem__)
        return self.known[place]

    def _as_itself(self, place: Place) -> Expression:
        place = _source(self.trace, place)
        if _is_written(self.trace, place):
            return Literal(self.trace.value(place).item())
        return Number(place)


def opens_inside(trace: Trace, place: Place) -> bool:
    """Whether a number is shown as what it is made of: without a name, and of few parts."""
    if is_known(trace, place) or _is_written(trace, place):
        return False
    answer = trace.opening.get(place)
    if answer is None:
        answer = trace.opening[place] = _is_of_few_parts(trace, place)
    return answer


def _is_of_few_parts(trace: Trace, place: Place) -> bool:
    parts = visited = 0
    stack = [(place, True)]
    while stack:
        here, counts = stack.pop()
        here = _source(trace, here)
        visited += 1
        if is_known(trace, here) or _is_written(trace, here):
            parts += counts
        else:
            own = _own_terms(trace, here)
            is_sum = isinstance(own, Fold)
            parts += counts * (len(own.items) if isinstance(own, Fold) else 1)
            if parts <= INLINED_AT_MOST:
                # What is in the terms of a sum is no part, but it is written, and may be sums.
                stack.extend((each, counts and not is_sum) for each in _occurrences(own))
        if parts > INLINED_AT_MOST or visited > WRITTEN_AT_MOST:
            return False
    return True


def _occurrences(expression: Expression) -> list[Place]:
    """The numbers of an expression, as often as they stand in it."""
    found: list[Place] = []
    stack = [expression]
    while stack:
        match stack.pop():
            case Number(place):
                found.append(place)
            case Apply() as part:
                stack.extend(reversed(part.arguments))
            case Fold() as part:
                stack.extend(reversed(list(part.items)))
    return found


def _is_written(trace: Trace, place: Place) -> bool:
    """Whether a number is written in the graph: a constant, or a count along an axis."""
    node = trace.node(place)
    return not node.inputs and node.op != "input"


def _source(trace: Trace, place: Place) -> Place:
    """Follow moves of unnamed values to what was moved."""
    while not is_known(trace, place):
        terms = _own_terms(trace, place)
        if not isinstance(terms, Number):
            break
        place = terms.place
    return place


def _own_terms(trace: Trace, place: Place) -> Expression:
    """What one op made the number of, in `Number` leaves, without choices by an integer."""
    node = trace.node(place)
    if node.op == "input":
        return Number(place)
    op = bind(node.op, node.attributes)
    if not node.inputs:  # a constant, or a count along an axis
        return Literal(trace.value(place).item())
    if is_composite(node):
        chosen = _own_terms_of_choosing(trace, place)
        if chosen is not None:
            return chosen
    types = tuple(trace.graph.nodes[i].type for i in node.inputs)
    if isinstance(op, ElementwiseOp) and not op.attributes:
        # As a function of its operands: what the function is, its declaration says.
        operands = zip(node.inputs, types, strict=True)
        at = [Place(i, broadcast_index(place.index, kind.shape)) for i, kind in operands]
        return Apply(node.op, tuple(map(Number, at)))
    return read_elements(trace, terms_of(trace, place), node.inputs)


def terms_of(trace: Trace, place: Place) -> Expression:
    """What the op says of one of its numbers, of an integer that is known."""
    node = trace.node(place)
    op = bind(node.op, node.attributes)
    types = tuple(trace.graph.nodes[i].type for i in node.inputs)
    if node.dtype.is_integer:
        return op.terms_of_found(types, place.index, int(trace.value(place)))
    return op.terms(types, place.index)


def _own_terms_of_choosing(trace: Trace, place: Place) -> Expression | None:
    """What a composite made in which integers choose: they are known, and the choice is made."""
    body = choosing_body(trace, place.node)
    if body is None:
        return None
    outer = trace.node(place).inputs
    inputs = {position: outer[i] for i, position in enumerate(body.graph.inputs)}
    known: dict[Place, Expression] = {}
    start = Place(body.graph.outputs[0].node, place.index)
    stack = [start]
    while stack:
        here = stack[-1]
        if here in known:
            stack.pop()
        elif here.node in inputs:
            known[here] = Number(Place(inputs[here.node], here.index))
        else:
            own = _own_terms(body, here)
            missing = [leaf for leaf in leaves(own) if leaf not in known]
            stack.extend(missing)
            if not missing:
                known[here] = read_lazily(own, known.__getitem__)
    return known[start]


def one_op(trace: Trace, place: Place) -> Expression:
    """What one op made the number of, in `Number` leaves; constants are written as numbers."""

    def shown(leaf: Place) -> Expression:
        return Literal(trace.value(leaf).item()) if _is_written(trace, leaf) else Number(leaf)

    return read_lazily(_own_terms(trace, place), shown)


def definition(trace: Trace, place: Place) -> Expression | None:
    """The formula of the function that made a number, in its operands; None for a primitive."""
    node = trace.node(place)
    if node.op == "input":
        return None
    op = bind(node.op, node.attributes)
    if not isinstance(op, ElementwiseOp) or op.attributes or op.declaration.is_primitive:
        return None
    types = tuple(trace.graph.nodes[i].type for i in node.inputs)
    expression = read_elements(trace, op.terms(types, place.index), node.inputs)
    return read_lazily(expression, _Inlined(trace))


def read_elements(trace: Trace, expression: Expression, inputs: Sequence[int]) -> Expression:
    """Put numbers of the trace in the place of an op's operands."""
    if isinstance(expression, Fold) and isinstance(expression.items, Lazy):
        items = expression.items

        def item(position: int) -> Expression:
            return read(items[position], _Numbers(trace, inputs))

        return Fold(expression.op, Lazy(len(items), item), expression.order)
    return read(expression, _Numbers(trace, inputs))


def read_lazily(expression: Expression, show: Callable[[Place], Expression]) -> Expression:
    """Put what `show` says in the place of numbers; a long sum is read when it is looked at."""
    if isinstance(expression, Fold) and isinstance(expression.items, Lazy):
        items = expression.items
        return Fold(
            expression.op,
            Lazy(len(items), lambda i: read(items[i], _Shown(show))),
            expression.order,
        )
    return read(expression, _Shown(show))


_Known = int | bool | None  # what a part is, where integers alone decide it


class _Numbers:
    """Reads an op's terms; a choice that integers make is made."""

    def __init__(self, trace: Trace, inputs: Sequence[int]) -> None:
        self.trace, self.inputs = trace, inputs
        self.known: dict[int, tuple[Expression, _Known]] = {}

    def leaf(self, leaf: Expression) -> Expression:
        match leaf:
            case Element(operand, index):
                number = Number(Place(self.inputs[operand], index))
                value = self.trace.value(number.place)
                if value.dtype.kind in "iu":
                    self._know(number, int(value))
                return number
            case Literal(value) if isinstance(value, int):
                self._know(leaf, value)
        return leaf

    def apply(self, op: str, arguments: Sequence[Expression], dtype: DType | None) -> Expression:
        if op == "select":
            chosen = self._told(arguments[0])
            if chosen is not None:
                return arguments[1 if chosen else 2]
        made = Apply(op, tuple(arguments), dtype)
        told = [self._told(argument) for argument in arguments]
        if op == "equal" and None not in told:
            self._know(made, told[0] == told[1])
        return made

    def fold(self, op: str, items: Sequence[Expression], order: str) -> Expression:
        left = [item for item in items if not _is_zero(item)] if op == "add" else list(items)
        if len(left) == 1 or not left:
            return left[0] if left else Literal(0)
        return Fold(op, tuple(left), order)

    def _know(self, part: Expression, value: _Known) -> None:
        self.known[id(part)] = (part, value)

    def _told(self, part: Expression) -> _Known:
        return self.known.get(id(part), (part, None))[1]


def _is_zero(expression: Expression) -> bool:
    return isinstance(expression, Literal) and expression.value == 0


@dataclass(frozen=True)
class _Shown:
    """Reads an expression with something else in the place of each number."""

    show: Callable[[Place], Expression]

    def leaf(self, leaf: Expression) -> Expression:
        return self.show(leaf.place) if isinstance(leaf, Number) else leaf

    def apply(self, op: str, arguments: Sequence[Expression], dtype: DType | None) -> Expression:
        return apply(op, *arguments, dtype=dtype)

    def fold(self, op: str, items: Sequence[Expression], order: str) -> Expression:
        return Fold(op, tuple(items), order)
