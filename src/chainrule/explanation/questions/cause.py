"""Why a number is zero: which factor of which term is, and why that one, down to the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.explanation.capturing.batches import rows_of
from chainrule.explanation.expansion import Number, definition, leaves, one_op
from chainrule.explanation.explanation import Explanation, open_place
from chainrule.explanation.printing.digits import number
from chainrule.explanation.printing.text import write
from chainrule.explanation.questions.answer import Answer
from chainrule.explanation.questions.places import Named, called, element, find
from chainrule.explanation.symbols import describe
from chainrule.explanation.trace import Place, Trace
from chainrule.graph import Node
from chainrule.ops import ElementwiseOp, bind
from chainrule.ops.elementwise import ZERO
from chainrule.ops.expression import Apply, Expression, Fold, Literal

STEPS_AT_MOST = 100
LISTED = 3
SEED = "seed"  # the step's input that random layers draw from


@dataclass(frozen=True)
class Step:
    """One link of the chain.

    Parameters
    ----------
    name : str
        The canonical name of the number that is zero.
    symbol : str
    value : float
    because : str
        A sentence with numbers.
    """

    name: str
    symbol: str
    value: float
    because: str


@dataclass(frozen=True)
class WhyZero(Answer):
    """Why a number is zero, as a chain down to the data.

    Parameters
    ----------
    name : str
    value : float
    steps : tuple of Step
        The number first; each is zero because of the next. Empty if the number is not zero.
    cause : str
        The last sentence, in a word: ``"data"``, ``"parameter"``, ``"frozen"``, ``"not used"``,
        ``"flat"``, ``"not larger"``, ``"condition"``, ``"chance"``, ``"cancellation"``,
        ``"underflow"``, ``"written"`` or ``"not zero"``.
    """

    name: str
    value: float
    steps: tuple[Step, ...]
    cause: str

    @property
    def headings(self) -> Sequence[str]:
        if not self.steps:
            return [f"{self.name} = {number(self.value)} is not zero"]
        lines = [f"{self.name} is zero"]
        lines += [f"{step.symbol} = {number(step.value)}: {step.because}" for step in self.steps]
        return lines

    @property
    def table(self) -> Sequence[Sequence[str]]:
        return []


@dataclass(frozen=True)
class _Reason:
    because: str
    cause: str = ""
    next: Place | None = None


def why_zero(trace: Trace, named: Named) -> WhyZero:
    """Follow a zero to its cause; see `Trace.why_zero`."""
    frozen = _frozen(trace, named)
    if frozen is not None:
        return frozen
    place = find(trace, named)
    name = called(trace, place)
    value = float(trace.value(place))
    if value != 0:
        return WhyZero(name, value, (), "not zero")
    here = open_place(trace, place)
    steps: list[Step] = []
    while True:
        at = here.place
        reason = _reason(here)
        full = element(here.trace.graph.name_of(at.node), at.index)
        symbol = called(here.trace, at)
        steps.append(Step(full, symbol, float(here.value), reason.because))
        if reason.next is None or len(steps) >= STEPS_AT_MOST:
            return WhyZero(name, value, tuple(steps), reason.cause)
        here = open_place(here.trace, reason.next)


def _frozen(trace: Trace, named: Named) -> WhyZero | None:
    """The answer for a gradient that the step does not compute, of a parameter that it has."""
    name = named if isinstance(named, str) else str(named[0])
    base = name.partition("[")[0]
    primal = base.removeprefix("d_")
    graph = trace.graph
    if base == primal or base in graph.positions or primal not in graph.input_names:
        return None
    data = {"x", "target", "sample_weight", "rows", "lr", "step", "seed"}
    what = "data" if primal in data else "frozen"
    because = f"the step computes no gradient by {primal}: " + (
        "it is data, and no parameter" if what == "data" else "it is frozen, or a buffer"
    )
    return WhyZero(name, 0.0, (Step(name, name, 0.0, because),), what)


def _reason(here: Explanation) -> _Reason:
    trace, place = here.trace, here.place
    if here.is_given:
        return _given(trace, place)
    expression = one_op(trace, place)
    if isinstance(expression, Literal):
        return _of_constant(trace, place)
    if not trace.node(place).dtype.is_float and isinstance(expression, Apply):
        return _of_condition(here, expression)
    if isinstance(expression, Number):
        return _moved(trace, place, expression)
    inside = definition(trace, place)
    if inside is not None:
        found = _of(here, inside)
        rule = f"{write(here, expression)} = {write(here, inside)}: "
        return _Reason(rule + found.because, found.cause, found.next)
    return _of(here, expression)


def _given(trace: Trace, place: Place) -> _Reason:
    name = trace.graph.name_of(place.node)
    axis = trace.node(place).shape[:1]
    is_batch = bool(axis) and getattr(axis[0], "name", None)
    if is_batch and place.index and trace.about.rows:
        row = rows_of(trace.graph, trace.about.rows, name)[place.index[0]]
        return _Reason(f"the data say so: {describe(trace, place)}, row {row} of the data", "data")
    cause = "parameter" if f"next.{name}" in trace.graph.labels else "data"
    return _Reason(f"{describe(trace, place)} is 0 before the step", cause)


def _of_constant(trace: Trace, place: Place) -> _Reason:
    name = trace.graph.name_of(place.node)
    if name.startswith("d_"):
        return _without_a_way(trace, name[2:])
    return _Reason("it is written so", "written")


def _moved(trace: Trace, place: Place, to: Number) -> _Reason:
    name = trace.graph.name_of(place.node)
    source = trace.node(to.place)
    if name.startswith("d_") and not source.inputs and source.op != "input":
        return _without_a_way(trace, name[2:])
    return _Reason(f"it is {called(trace, to.place)}, elsewhere", "", to.place)


def _without_a_way(trace: Trace, primal: str) -> _Reason:
    """No gradient is computed for a value: nothing uses it, or only ops without a slope do."""
    graph = trace.graph
    ahead = {graph.positions[primal]} if primal in graph.positions else set[int]()
    for position, node in enumerate(graph.nodes[: graph.labels["loss"] + 1]):
        if ahead.intersection(node.inputs):
            ahead.add(position)
            if _is_flat(node):
                reason = f"the loss depends on {primal} by way of {node.op}, whose slope is 0"
                return _Reason(f"{reason} everywhere", "flat")
    return _Reason(f"the loss does not depend on {primal}: it is not used", "not used")


def _is_flat(node: Node) -> bool:
    """Whether an op has slope 0 everywhere, as a sign, a rounding or a comparison."""
    bound = bind(node.op, node.attributes)
    return isinstance(bound, ElementwiseOp) and ZERO in bound.declaration.partials


def _of(here: Explanation, part: Expression) -> _Reason:
    """Why an expression in numbers of the trace is zero."""
    match part:
        case Number(place):
            return _Reason(f"{called(here.trace, place)} is 0", "", place)
        case Literal():
            return _Reason("it is written so", "written")
        case Fold("add", items):
            return _of_sum(here, list(items))
        case Apply("add", terms) | Apply("sub", terms):
            return _of_sum(here, list(terms), is_difference=part.op == "sub")
        case Apply("mul", factors):
            return _of_product(here, factors)
        case Apply("select", (condition, yes, no)):
            return _of_choice(here, condition, yes, no)
        case Apply("max" | "min", arguments) | Fold("max", arguments):
            return _of_extreme(here, part, list(arguments))
        case Apply("cast" | "neg" | "abs" | "sign" | "sqrt", (only,)) if not here.evaluate(only):
            return _of(here, only)
        case Apply("div", (numerator, _)) if here.evaluate(numerator) == 0:
            return _of(here, numerator)
    return _Reason(_underflow(here, part), "underflow")


def _of_sum(
    here: Explanation, terms: Sequence[Expression], *, is_difference: bool = False
) -> _Reason:
    values = [here.evaluate(term) for term in terms]
    nonzero = [i for i, value in enumerate(values) if value != 0]
    if not nonzero:
        first = _of(here, terms[0])
        if len(terms) == 1:
            return first
        reasons: dict[str, int] = {}
        for term in terms:
            factor = _zero_factor(here, term)
            reasons[factor] = reasons.get(factor, 0) + 1
        counted = ", ".join(f"{what} in {n}" for what, n in sorted(reasons.items()))
        because = f"all {len(terms)} terms are zero ({counted}); the first: {first.because}"
        return _Reason(because, first.cause, first.next)
    shown = [number(values[i]) for i in nonzero[:LISTED]]
    more = f" and {len(nonzero) - LISTED} more" if len(nonzero) > LISTED else ""
    if len(nonzero) == 1:
        return _Reason(f"the term {shown[0]} is lost in rounding", "underflow")
    if is_difference:
        written = f"{write(here, terms[0])} - {write(here, terms[1])}"
        because = f"the two are equal: {written} = {shown[0]} - {shown[1]}"
        made = [_made(here.trace, term) for term in terms if isinstance(term, Number)]
        if len(made) == 1:  # 1 - y: what made y a 1
            because += f", since {made[0]}"
        return _Reason(because, "cancellation")
    listed = ", ".join(shown)
    return _Reason(f"terms that are not zero cancel: {listed}{more}", "cancellation")


def _zero_factor(here: Explanation, term: Expression) -> str:
    """Which factor of a term is zero, by the name of its value."""
    factors = term.arguments if isinstance(term, Apply) and term.op == "mul" else (term,)
    for factor in factors:
        if here.evaluate(factor) == 0:
            if isinstance(factor, Number):
                name = here.trace.graph.name_of(factor.place.node)
                return f"{name} is 0" if not name.startswith("%") else "a factor is 0"
            return "a factor is 0"
    return "a product is too small"


def _of_product(here: Explanation, factors: Sequence[Expression]) -> _Reason:
    zero = [factor for factor in factors if here.evaluate(factor) == 0]
    if not zero:
        values = "·".join(number(here.evaluate(factor)) for factor in factors)
        return _Reason(f"{values} is nearer to 0 than the smallest number there is", "underflow")
    # What stands at the data ends the chain; of two zeros the later factor is the nearer one.
    chosen = next((each for each in zero if _is_slope(here, each)), zero[0])
    inner = _of(here, chosen)
    both = "both factors are 0: " if len(zero) > 1 else ""
    written = "·".join(write(here, factor) for factor in factors)
    values = "·".join(number(here.evaluate(factor)) for factor in factors)
    return _Reason(f"{both}{written} = {values}; {inner.because}", inner.cause, inner.next)


def _is_slope(here: Explanation, part: Expression) -> bool:
    """Whether a factor is the slope of one value by another: ``d_a/d_z``."""
    return isinstance(part, Number) and "/d_" in here.trace.graph.name_of(part.place.node)


def _of_choice(
    here: Explanation, condition: Expression, yes: Expression, no: Expression
) -> _Reason:
    chosen = yes if here.evaluate(condition) else no
    because = _decision(here, condition)
    if isinstance(chosen, Literal):
        return _Reason(f"{because}, and then it is {number(chosen.value)}", "condition")
    inner = _of(here, chosen)
    return _Reason(f"{because}; {inner.because}", inner.cause, inner.next)


def _of_condition(here: Explanation, condition: Expression) -> _Reason:
    """Why a condition does not hold."""
    because = _decision(here, condition)
    if any(_is_random(here.trace, place.node) for place in leaves(condition)):
        return _Reason(f"{because}: dropped by chance", "chance")
    return _Reason(because, "condition")


def _is_random(trace: Trace, position: int) -> bool:
    """Whether a number is drawn: made of the seed, and of no float that the step is given."""
    stack, is_drawn = [position], False
    while stack:
        node = trace.graph.nodes[stack.pop()]
        if node.op == "input" and node.dtype.is_float:
            return False
        is_drawn = is_drawn or node.name == SEED
        stack.extend(node.inputs)
    return is_drawn


def _of_extreme(here: Explanation, part: Any, arguments: Sequence[Expression]) -> _Reason:
    values = [here.evaluate(argument) for argument in arguments]
    op = part.op
    for argument, value in zip(arguments, values, strict=True):
        if value == 0 and not isinstance(argument, Literal):
            return _of(here, argument)
    others = [
        f"{write(here, argument)} = {number(value)}"
        for argument, value in zip(arguments, values, strict=True)
        if not isinstance(argument, Literal)
    ]
    sign = "≤" if op == "max" else "≥"
    return _Reason(f"{', '.join(others[:LISTED])} {sign} 0", "not larger")


def _decision(here: Explanation, condition: Expression) -> str:
    """A condition with its numbers, and whether it holds: ``z ≤ 0 (-0.3 ≤ 0) holds``."""
    holds = bool(here.evaluate(condition))
    while True:
        match condition:
            case Apply("logical_not", (inner,)):
                condition, holds = inner, not holds
                continue
            case Number(place) if here.trace.node(place).op != "input":
                opened = one_op(here.trace, place)
                if isinstance(opened, Apply | Number):
                    condition = opened
                    continue
        break
    plain, numbers = write(here, condition), write(here, condition, with_numbers=True)
    written = plain if plain == numbers else f"{plain} ({numbers})"
    return f"{written} {'holds' if holds else 'does not hold'}"


def _made(trace: Trace, term: Number) -> str:
    """What made a number: ``y = sigmoid(z) = sigmoid(40)``."""
    opened = Explanation(trace, term.place)
    if opened.is_given:
        return f"{called(trace, term.place)} is given"
    made = one_op(trace, term.place)
    numbers = write(opened, made, with_numbers=True)
    return f"{called(trace, term.place)} = {write(opened, made)} = {numbers}"


def _underflow(here: Explanation, part: Expression) -> str:
    return f"{write(here, part)} = {write(here, part, with_numbers=True)} rounds to 0"
