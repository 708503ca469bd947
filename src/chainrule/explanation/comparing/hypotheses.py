"""What the other side may have done instead: each hypothesis is a function that tries it out.

It computes what would have come of it, and speaks only if that gives the other side's numbers, all
of them, to within rounding. A new one is a function in `HYPOTHESES`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from chainrule.explanation.comparing.difference import distance
from chainrule.explanation.comparing.fitting import fitted, nice, ratio_of
from chainrule.explanation.comparing.layers import attribute_of, is_option, layer_of, option_of
from chainrule.explanation.comparing.rounding import Estimate
from chainrule.explanation.comparing.suspects import Suspect
from chainrule.explanation.symbols import NEXT
from chainrule.explanation.trace import Array
from chainrule.graph import Attributes, DType, Node
from chainrule.ops import OPS, Elementwise


def _stored_constant(suspect: Suspect) -> str | None:
    """The op itself is told another number: both graphs say so."""
    node = suspect.node
    if node.op != "constant" or suspect.theirs.ndim:
        return None
    a, b = suspect.all.labels
    before, after = float(node.attributes["value"]), float(suspect.theirs)  # type: ignore[arg-type]
    kind = np.dtype(node.dtype.numpy)
    what = option_of(suspect.all.trace, suspect.position, before)
    return f"{what}: {_short(before, kind)} in {a}, {_short(after, kind)} in {b}"


def _unchanged(suspect: Suspect) -> str | None:
    """What the update leaves as it was."""
    graph, b = suspect.all.trace.graph, suspect.all.labels[1]
    own = suspect.name.removeprefix(NEXT)
    position = graph.positions.get(own)
    if own == suspect.name or position is None or position not in suspect.all.followed.stored:
        return None
    if distance(suspect.all.followed.stored[position], suspect.theirs).count:
        return None
    is_buffer = f"d_{own}" not in graph.positions and ":" not in own
    why = ": its layer is in evaluation mode" if is_buffer else ""
    return f"{b} leaves {own} as it was{why}"


def _missing_input(suspect: Suspect) -> str | None:
    """A parameter that the other side does not have, or does not use."""
    graph, matching = suspect.all.trace.graph, suspect.all.matching
    for i in suspect.boundary:
        node = graph.nodes[i]
        if (
            node.op != "input"
            or not node.dtype.is_float
            or not np.any(suspect.all.followed.stored[i])
        ):
            continue
        if suspect.is_explained(suspect.again({i: np.zeros(node.shape)})):
            has = "has no" if i not in matching.names else "does not use"
            return (
                f"{suspect.all.labels[1]} {has} {node.name}: without it {suspect.name} is the same"
            )
    return None


def _transposed(suspect: Suspect) -> str | None:
    """A square matrix that is used as its transpose."""
    for i in suspect.boundary:
        array = suspect.all.followed.stored[i]
        if array.ndim != 2 or array.shape[0] != array.shape[1] or array.dtype.kind != "f":
            continue
        if suspect.is_explained(suspect.again({i: array.T})):
            name = suspect.all.trace.graph.name_of(i)
            return f"{suspect.all.labels[1]} uses the transpose of {name} in {suspect.name}"
    return None


def _another_function(suspect: Suspect) -> str | None:
    """Another function of the op table in the place of this one."""
    node = suspect.node
    if not isinstance(OPS.get(node.op), Elementwise) or len(node.inputs) != 1:
        return None
    for name, other in OPS.items():
        if not isinstance(other, Elementwise) or other.arity != 1 or other.accepts != "float":
            continue
        if name == node.op or other.returns is not None:
            continue
        changed = replace(node, op=name, attributes=Attributes())
        if suspect.is_explained(suspect.again(nodes={suspect.position: changed})):
            a, b = suspect.all.labels
            return f"{suspect.name} is {node.op} in {a}; in {b} it is {name}"
        for option, default in other.defaults.items():
            if not isinstance(default, float):
                continue

            def with_option(value: float, option: str = option, name: str = name) -> Estimate:
                attributes = Attributes({option: value})
                return suspect.again(
                    nodes={suspect.position: replace(node, op=name, attributes=attributes)}
                )

            value = fitted(suspect.theirs, with_option, default)
            if value is not None:
                a, b = suspect.all.labels
                return (
                    f"{suspect.name} is {node.op} in {a}; in {b} it is {name} with "
                    f"{option} {value:g}"
                )
    return None


def _another_option(suspect: Suspect) -> str | None:
    """Another number among an op's attributes: a slope, an eps."""
    for i, node in suspect.segment:
        for key, value in node.attributes.items():
            if node.op == "constant" or not isinstance(value, float) or not math.isfinite(value):
                continue

            def with_value(
                number: float, i: int = i, node: Node = node, key: str = key
            ) -> Estimate:
                attributes = Attributes({**node.attributes, key: number})
                return suspect.again(nodes={i: replace(node, attributes=attributes)})

            found = fitted(suspect.theirs, with_value, value)
            if found is not None:
                a, b = suspect.all.labels
                what = attribute_of(suspect.all.trace, i, key, value)
                return f"{what}: {value:g} in {a}, {found:g} in {b}"
    return None


def _another_constant(suspect: Suspect) -> str | None:
    """Another number written in the graph: an eps, a momentum, the count of a mean."""
    constants = _constants(suspect)
    a, b = suspect.all.labels
    trace = suspect.all.trace
    for i, value in constants:
        found = fitted(suspect.theirs, partial(_with_constant, suspect, i), value)
        if found is not None and not _is_scale(suspect, i, found / value if value else 0.0):
            what = option_of(trace, i, value)
            return f"{what}: {_short(value, _kind(suspect))} in {a}, {found:g} in {b}"
    for (i, first), (j, second) in itertools.permutations(constants, 2):
        if first < second or not math.isclose(first + second, 1.0, rel_tol=1e-6):
            continue
        if suspect.is_explained(_with_constants(suspect, {i: second, j: first})):
            told = _weights(suspect, (i, first), (j, second), second)
            return f"{told}: it weighs old and new the other way round"
        found = fitted(suspect.theirs, partial(_with_weights, suspect, i, j), second)
        if found is not None:
            return _weights(suspect, (i, first), (j, second), 1 - found)
    return None


def _weights(
    suspect: Suspect, first: tuple[int, float], second: tuple[int, float], other: float
) -> str:
    """Two weights that make 1: told as the option that one of them is.

    Parameters
    ----------
    first, second : (int, float)
        Where they are, and what here.
    other : float
        What the first is there.
    """
    trace, (a, b) = suspect.all.trace, suspect.all.labels
    kind = _kind(suspect)
    if is_option(trace, *second) or not is_option(trace, *first):
        (position, value), other = second, 1 - other
    else:
        position, value = first
    what = option_of(trace, position, value)
    return f"{what}: {_short(value, kind)} in {a}, {_short(other, kind)} in {b}"


def _another_scale(suspect: Suspect) -> str | None:
    """The same but for a factor: a sum in the place of a mean, a half, a sign."""
    found = suspect.all.followed.computed(suspect.position)
    ratio = ratio_of(suspect.theirs, found)
    if ratio is None or ratio == 1:
        return None
    a, b = suspect.all.labels
    shown = f"{ratio:g}" if abs(ratio - 1) > 0.01 else f"{ratio:.12g}"
    factor = f"{suspect.name} is {shown} times as large in {b}"
    if ratio == -1:
        return f"{suspect.name} has the other sign in {b}"
    for size, of in _counts(suspect):
        if size > 1 and math.isclose(ratio, size, rel_tol=1e-6):
            return f"{factor}: {b} takes the sum of {size} {of}, {a} the mean"
        if size > 1 and math.isclose(ratio * size, 1, rel_tol=1e-6):
            return f"{factor}: {b} takes the mean of {size} {of}, {a} the sum"
    return f"{factor}, and otherwise the same"


def _dropped(suspect: Suspect) -> str | None:
    """Zeros, and everything else times one number: a dropout that is on, or off, on one side."""
    trace, (a, b) = suspect.all.trace, suspect.all.labels
    found = suspect.all.followed.computed(suspect.position)
    zeros, scale = _mask(suspect.theirs, found)
    if scale:
        return (
            f"{suspect.name} in {b} has {zeros} of {suspect.theirs.size} numbers at zero and the "
            f"others times {scale:g}: a dropout is left on"
        )
    is_random = any("stream" in node.attributes for _, node in suspect.segment)
    for i in suspect.boundary:
        operand = suspect.all.followed.stored[i]
        if not is_random or operand.shape != suspect.theirs.shape:
            continue
        name = trace.graph.name_of(i)
        if distance(operand, suspect.theirs).count == 0:
            told = f"{suspect.name} drops numbers of {name} in {a}; in {b} they all pass"
            return f"{told}: dropout is off"
        if _mask(suspect.theirs, Estimate(operand.astype(np.float64), 0.0))[1]:
            return (
                f"{suspect.name} is random: {b} dropped other numbers of {name} than {a}. Compare "
                "without dropout (p=0)"
            )
    return None


def _another_operand(suspect: Suspect) -> str | None:
    """A value that the other side alone has, in the place of an operand."""
    trace, (a, b) = suspect.all.trace, suspect.all.labels
    for i in suspect.boundary:
        operand = suspect.all.followed.stored[i]
        for name in suspect.all.matching.only_there:
            other = suspect.all.values[name]
            if other.shape != operand.shape or name.startswith(("d_", "next.")):
                continue
            if not suspect.is_explained(suspect.again({i: other})):
                continue
            known = trace.graph.name_of(i)
            zeros, scale = _mask(other, Estimate(operand.astype(np.float64), 0.0))
            told = f"{suspect.name} reads {name} in {b}, where {a} reads {known}"
            if scale:
                told += (
                    f"; {name} is {known} with {zeros} of {other.size} numbers at zero and the "
                    f"others times {scale:g}: a dropout is left on"
                )
            return told
    return None


def _passed_on(suspect: Suspect) -> str | None:
    """A layer that the other side leaves out: what goes into it comes out of it."""
    graph, b = suspect.all.trace.graph, suspect.all.labels[1]
    for i, node in suspect.segment:
        if not node.name or not node.dtype.is_float or node.name.startswith(("d_", NEXT)):
            continue
        for j in suspect.boundary:
            operand = suspect.all.followed.stored[j]
            if graph.nodes[j].shape != node.shape or graph.nodes[j].op == "input":
                continue
            if i == suspect.position:
                explains = distance(operand, suspect.theirs).count == 0
            else:
                explains = suspect.is_explained(suspect.again({i: operand}))
            if explains:
                what = layer_of(suspect.all.trace, i)
                return f"{b} has no {what}: it passes {graph.name_of(j)} on as it is"
    return None


def _another_term(suspect: Suspect) -> str | None:
    """The same and some multiple of an operand: a decay, a residual connection."""
    found = suspect.all.followed.computed(suspect.position)
    if suspect.theirs.dtype.kind != "f":
        return None
    with np.errstate(all="ignore"):
        left = suspect.theirs.astype(np.float64) - found.value
    for i in suspect.boundary:
        operand = suspect.all.followed.stored[i]
        if operand.shape != left.shape or operand.dtype.kind != "f":
            continue
        place = np.unravel_index(int(np.argmax(np.abs(operand))), operand.shape)
        wide = operand.astype(np.float64)
        if not wide[place] or not np.isfinite(left[place]):
            continue
        with np.errstate(all="ignore"):
            gap = np.spacing(np.abs(suspect.theirs)).astype(np.float64)

        def with_term(k: float, wide: Array = wide, gap: Array = gap) -> Estimate:
            return Estimate(found.value + k * wide, found.error + gap)

        factor = nice(left[place] / wide[place], lambda k: suspect.is_explained(with_term(k)))
        if suspect.is_explained(with_term(factor)):
            name, b = suspect.all.trace.graph.name_of(i), suspect.all.labels[1]
            return f"{suspect.name} has {factor:g} times {name} added in {b}"
    return None


Hypothesis = Callable[[Suspect], str | None]

HYPOTHESES: tuple[Hypothesis, ...] = (
    _stored_constant,
    _unchanged,
    _missing_input,
    _transposed,
    _passed_on,
    _another_option,
    _another_function,
    _another_constant,
    _another_scale,
    _dropped,
    _another_operand,
    _another_term,
)


def _constants(suspect: Suspect) -> list[tuple[int, float]]:
    found = []
    for i, node in suspect.segment:
        value = node.attributes.get("value")
        if node.op == "constant" and isinstance(value, float) and math.isfinite(value):
            found.append((i, value))
    return found


def _with_constants(suspect: Suspect, numbers: Mapping[int, float]) -> Estimate:
    nodes = {}
    for i, number in numbers.items():
        node = suspect.all.trace.graph.nodes[i]
        attributes = Attributes({**node.attributes, "value": float(number)})
        nodes[i] = replace(node, attributes=attributes)
    return suspect.again(nodes=nodes)


def _with_constant(suspect: Suspect, position: int, value: float) -> Estimate:
    return _with_constants(suspect, {position: value})


def _with_weights(suspect: Suspect, first: int, second: int, value: float) -> Estimate:
    """Two weights that make 1, the second being this."""
    return _with_constants(suspect, {first: 1 - value, second: value})


def _is_scale(suspect: Suspect, position: int, factor: float) -> bool:
    """Whether a constant does no more than scale the value: then a count says it better."""
    if not factor:
        return False
    doubled = _with_constants(
        suspect, {position: 2 * float(suspect.all.trace.values[position])}
    ).value
    with np.errstate(all="ignore"):
        return any(
            np.allclose(doubled, k * suspect.expected, rtol=1e-6, atol=0) for k in (0.5, 2.0)
        )


def _counts(suspect: Suspect) -> list[tuple[int, str]]:
    """What may have been averaged over: the examples, the numbers of each, all of them."""
    found: dict[int, str] = {}
    graph = suspect.all.trace.graph
    for i in {*suspect.boundary, suspect.position}:
        shape = tuple(map(int, graph.nodes[i].shape))
        if len(shape) and getattr(graph.nodes[i].shape[0], "name", None):
            found.setdefault(shape[0], "examples")
            found.setdefault(math.prod(shape), "numbers")
            found.setdefault(math.prod(shape[1:]), "numbers of each example")
    return list(found.items())


def _mask(array: Array, of: Estimate) -> tuple[int, float]:
    """How many numbers are zero, and what the others are multiplied by; 0 if it is no mask."""
    zero = np.asarray(array) == 0
    count = int(np.count_nonzero(zero & (of.value != 0)))
    if not count or zero.all():
        return 0, 0.0
    kept = ~zero
    part = Estimate(of.value[kept], np.broadcast_to(of.error, of.value.shape)[kept])
    ratio = ratio_of(np.asarray(array)[kept], part)
    return (count, ratio) if ratio is not None and ratio >= 1 else (0, 0.0)


def _kind(suspect: Suspect) -> Any:
    dtype = suspect.node.dtype
    return np.dtype(dtype.numpy if dtype.is_float else DType.F64.numpy)


def _short(value: float, kind: Any) -> str:
    """A number with as few digits as give it in its dtype."""
    return f"{nice(value, lambda v: kind.type(v) == kind.type(value)):g}"
