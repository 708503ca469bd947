"""What lies between a gradient and the new number, in steps that read like a textbook's.

They are read off the graph: no list of optimisers. What is used once is written where it is used;
what is used several times has a letter, and so have what a textbook names: the norm of all
gradients, the factor that clips, the clipped gradient, the change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.base.harmless import plain
from chainrule.explanation.expansion import Number, leaves, one_op, read_lazily
from chainrule.explanation.printing.digits import literal, number
from chainrule.explanation.questions.places import called
from chainrule.explanation.tidying import tidy
from chainrule.explanation.trace import Place, Trace
from chainrule.ops import format_expression
from chainrule.ops.broadcasting import broadcast_index
from chainrule.ops.expression import Apply, Expression, Fold, Literal, apply

SUMMED = 6  # terms that are written out; of more, their number
INLINED_AT_MOST = 6  # numbers in what is written inside of another


@dataclass(frozen=True)
class Stage:
    """One number on the way.

    Parameters
    ----------
    label : str
        What it is called here: ``g``, ``‖g‖``, ``m⁺``, ``Δw``, ``w⁺``.
    rule : str
        What it is made of, in these labels.
    numbers : str
        The same with numbers; empty where these are too many.
    value : float
    """

    label: str
    rule: str
    numbers: str
    value: float


class Stages:
    """The stages of one number's update, in the order of computing.

    Parameters
    ----------
    trace : Trace
    place : Place
        The number before the update.
    gradient, after : int
        The nodes of its gradient, and of what it becomes.
    slots : mapping of int to str
        What the optimiser keeps for it: the letter of each node, before the update and after.
    """

    def __init__(
        self, trace: Trace, place: Place, gradient: int, after: int, slots: dict[int, str]
    ) -> None:
        self.trace, self.place, self.after = trace, place, after
        self.gradient = gradient
        self.labels = {place.node: "w", gradient: "g", **slots, after: "w⁺"}
        self.between = _between(trace, gradient, [after, *slots])
        self.users = self._count_users()
        self.norms: dict[int, int] = {}
        self._recognise()
        self._inside: dict[Place, Expression] = {}
        self._names: dict[Place, str] = {}
        self._count = 0

    def read(self) -> list[Stage]:
        """The stages: what is given, what is computed, and last the new number."""
        given = [i for i in self.labels if i not in self.between and self._at(i) is not None]
        found = [self._given(i) for i in given]
        for node in self.between:
            here = self._at(node)
            if here is None or node == self.after:
                continue  # inside of a norm, or of a matrix
            expression = read_lazily(one_op(self.trace, here), self._show)
            if node not in self.labels and self._is_inlined(node, expression):
                self._inside[here] = expression
                continue
            if node not in self.labels:
                self._count += 1
                self.labels[node] = f"t{self._count}"
            found.append(self._stage(node, here, expression))
        return [*found, *self._last()]

    def _given(self, node: int) -> Stage:
        here = self._at(node)
        assert here is not None
        self._names[here] = self.labels[node]
        return Stage(self.labels[node], "", "", float(self.trace.value(here)))

    def _stage(self, node: int, here: Place, expression: Expression) -> Stage:
        label = self.labels[node]
        value = float(self.trace.value(here))
        if node in self.norms:
            rule, numbers = self._of_norm(node, here), ""
        else:
            rule, numbers = (self._written(expression, with_numbers=w) for w in (False, True))
        self._names[here] = label
        return Stage(label, rule, numbers, value)

    def _last(self) -> list[Stage]:
        """The change and the new number; where there is no one change, the number alone."""
        here = Place(self.after, self.place.index)
        made = one_op(self.trace, here)
        match made:
            case Apply("sub", (Number(first), Number(moved))) if first == self.place:
                step, value = apply("neg", self._show(moved)), -float(self.trace.value(moved))
            case Apply("add", (Number(first), Number(moved))) if first == self.place:
                step, value = self._show(moved), float(self.trace.value(moved))
            case _:
                return [self._stage(self.after, here, read_lazily(made, self._show))]
        rule, numbers = (self._written(step, with_numbers=w) for w in (False, True))
        before = float(self.trace.value(self.place))
        signed = f"({number(value)})" if value < 0 else number(value)
        new = Stage("w⁺", "w + Δw", f"{number(before)} + {signed}", float(self.trace.value(here)))
        return [Stage("Δw", rule, numbers, value), new]

    def _show(self, place: Place) -> Expression:
        return self._inside.get(place, Number(place))

    def _is_inlined(self, node: int, expression: Expression) -> bool:
        if isinstance(expression, Number):  # a move
            return True
        if isinstance(expression, Fold) and len(expression.items) > SUMMED:
            return False
        return self.users[node] <= 1 and len(leaves(expression)) <= INLINED_AT_MOST

    def _at(self, node: int) -> Place | None:
        """The element of a node that the number's update goes through; None if it is no one."""
        if node < 0 or node in self._of_norms:
            return None
        shape, whole = self.trace.graph.nodes[node].shape, self.trace.node(self.place).shape
        if not shape:
            return Place(node, ())
        pairs = zip(shape, whole, strict=True) if len(shape) == len(whole) else [(-1, 0)]
        if all(size in (1, of) for size, of in pairs):
            return Place(node, broadcast_index(self.place.index, shape))
        return None

    # --- what a textbook names ---------------------------------------------------------------

    def _recognise(self) -> None:
        """Name norms, the factors that they give, and what is clipped by these."""
        self._of_norms: set[int] = set()
        clipped = {self.gradient}
        for i in self.between:
            squares = self._squares_under(i)
            if squares:
                self.norms[i] = sum(self._size(j) for j in squares) // max(self._size(i), 1)
                is_of_gradients = all(self._is_gradient(j) for j in squares)
                self._label(i, "‖g‖" if is_of_gradients else "norm")
            elif self._counts_updates(i):
                self._label(i, "t")  # as the papers count updates, from 1
            elif self._is_factor(i):
                self._label(i, "factor")
            elif i not in self.labels and self._is_clipped(i, clipped):
                clipped.add(i)
                self._label(i, "ĝ")

    def _label(self, node: int, label: str) -> None:
        while label in self.labels.values():
            label += "′"
        self.labels.setdefault(node, label)

    def _squares_under(self, position: int) -> list[int]:
        """What is squared under a root of a sum of squares alone; empty for any other value."""
        match self._made(position):
            case Apply("sqrt", (Number(place),)):
                stack = [place.node]
            case _:
                return []
        inside: set[int] = set()
        squares: list[int] = []
        is_sum = False
        while stack:
            here = stack.pop()
            inside.add(here)
            match self._made(here):
                case Apply("square", (Number(place),)):
                    squares.append(place.node)
                case Apply("add", (Number(one), Number(other))):
                    stack += [one.node, other.node]
                case Fold("add", items) if isinstance(items[0], Number):
                    is_sum = True
                    stack.append(items[0].place.node)  # one stands for all of a value
                case Number(place) if place.node != here:
                    stack.append(place.node)
                case _:
                    return []
        if not is_sum:
            return []
        self._of_norms |= inside
        return squares

    def _made(self, position: int) -> Expression:
        """What one element of a value is made of."""
        return one_op(self.trace, Place(position, (0,) * len(self._shape(position))))

    def _source(self, position: int) -> int:
        """The value that was moved, or converted, to this one."""
        while position not in self.labels and self.trace.graph.nodes[position].op != "input":
            match self._made(position):
                case Number(place):
                    position = place.node
                case Apply(_, (Number(place),), dtype) if dtype is not None:
                    position = place.node
                case _:
                    break
        return position

    def _counts_updates(self, position: int) -> bool:
        match self._made(position):
            case Apply("add", (Number(place), Literal())):
                return self._source(place.node) == self.trace.graph.positions.get("step")
        return False

    def _is_gradient(self, position: int) -> bool:
        return self.trace.graph.name_of(self._source(position)).startswith("d_")

    def _is_factor(self, position: int) -> bool:
        """Whether a number that a norm gives scales what is larger."""
        if not self._depends_on_norm(position) or self._source(position) != position:
            return False
        nodes = self.trace.graph.nodes
        users = [j for j in self.between if position in map(self._source, nodes[j].inputs)]
        return any(self._size(j) > self._size(position) for j in users)

    def _depends_on_norm(self, position: int) -> bool:
        stack = [position]
        while stack:
            here = stack.pop()
            if here in self.norms:
                return True
            nodes = self.trace.graph.nodes
            stack.extend(j for j in nodes[here].inputs if self._size(j) == self._size(position))
        return False

    def _is_clipped(self, position: int, clipped: set[int]) -> bool:
        """Whether it is the gradient, scaled by a factor, or moved into an interval."""
        match self._made(position):
            case Apply("mul", (Number(one), Number(other))):
                sources = {self._source(one.node), self._source(other.node)}
                factors = [i for i in sources if self.labels.get(i, "").startswith("factor")]
                return bool(factors) and not clipped.isdisjoint(sources)
            case Apply("min", (Number(inner), Literal())):
                match self._made(inner.node):
                    case Apply("max", (Number(place), Literal())):
                        return self._source(place.node) in clipped
        return False

    def _of_norm(self, node: int, here: Place) -> str:
        count, squares = self.norms[node], self._squares_under(node)
        what = "gradients" if all(map(self._is_gradient, squares)) else "numbers"
        of = f"all {count} {what}" if not here.index else f"the {count} {what} of its row"
        return f"√(the sum of the squares of {of})"

    def _shape(self, position: int) -> tuple[int, ...]:
        return tuple(map(int, self.trace.graph.nodes[position].shape))

    def _size(self, position: int) -> int:
        return int(self.trace.graph.nodes[position].type.size)

    def _count_users(self) -> dict[int, int]:
        found = dict.fromkeys(self.between, 0)
        for i in self.between:
            for j in self.trace.graph.nodes[i].inputs:
                if j in found:
                    found[j] += 1
        return found

    # --- writing -----------------------------------------------------------------------------

    def _written(self, expression: Expression, *, with_numbers: bool) -> str:
        if isinstance(expression, Fold) and len(expression.items) > SUMMED:
            return f"a sum of {len(expression.items)} terms"

        def leaf(part: Expression) -> str:
            match part:
                case Number(place) if not with_numbers and place in self._names:
                    return self._names[place]
                case Number(place) if not with_numbers and self.trace.node(place).name:
                    return called(self.trace, place)
                case Number(place):
                    return number(self.trace.value(place))
                case Literal(value):
                    return literal(value)
            raise TypeError(f"{type(part).__name__} is no part of an explanation")

        return plain(format_expression(tidy(expression), leaf))


def _between(trace: Trace, gradient: int, ends: Sequence[int]) -> list[int]:
    """The nodes that follow from the gradient, or from state or rate, and lead to the update."""
    graph = trace.graph
    nodes = graph.nodes
    leading = {end for end in ends if end >= 0 and nodes[end].op != "input"}
    for i in range(max(leading), -1, -1):
        if i in leading and i != gradient:
            leading.update(nodes[i].inputs)
    following = {gradient, *(graph.positions[n] for n in ("lr", "step") if n in graph.positions)}
    shape = nodes[gradient].shape
    for i in range(gradient + 1, len(nodes)):
        # What decays without the gradient, such as m·0.9, is of the parameter's shape.
        is_own = nodes[i].shape == shape and i in leading
        if nodes[i].inputs and (is_own or not following.isdisjoint(nodes[i].inputs)):
            following.add(i)
    kept = (following & leading) - {gradient}
    return sorted(i for i in kept if nodes[i].op != "input")
