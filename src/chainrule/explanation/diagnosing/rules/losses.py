"""Outputs beside what the loss reads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.base.errors import ConfigurationError
from chainrule.explanation.diagnosing.costs import costs, is_of_last
from chainrule.explanation.diagnosing.draws import normals, order
from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.explanation.diagnosing.finding import LIKELY
from chainrule.explanation.diagnosing.outputs import last_op, opener, output_range, refusal_of
from chainrule.explanation.diagnosing.rule import Found, rule
from chainrule.explanation.diagnosing.units import line_of
from chainrule.nn.losses.loss import LOSSES, READABLE
from chainrule.ops import ElementwiseOp, bind

Array = np.ndarray[Any, Any]


@rule(
    "loss-output-mismatch",
    severity="error",
    looks_for="A last layer that gives something else than what the loss reads.",
    fix="Leave out the last activation where the loss reads logits; add it where it does not.",
    explains=(
        "loss-not-finite",
        "gradient-not-finite",
        "vanishing-gradient",
        "saturated-units",
        "gradient-zero",
        "learning-rate-too-small",
        "class-collapse",
        "dead-units",
        "learning-rate-too-large",
        "too-few-units",
    ),
)
def _loss_output_mismatch(evidence: Evidence) -> Iterator[Found]:
    refused = refusal_of(evidence)
    if isinstance(refused, ConfigurationError):
        yield Found(refused.message, (str(refused),), where="last layer", fix=refused.advice)
        return
    if _is_constant(evidence):
        yield _constant_output(evidence)
        return
    yield from _of_other_examples(evidence)
    yield from _blind_to_a_class(evidence)
    yield from _squashed_logits(evidence)
    yield from _bounded_logarithms(evidence)
    yield from _one_sign(evidence)
    yield from _raw_outputs(evidence)
    yield from _classes_as_numbers(evidence)


def _is_constant(evidence: Evidence) -> bool:
    """Whether the last op makes one number of everything, as softmax does over one output."""
    trace, position = evidence.trace, evidence.output_node
    if trace is None or position is None:
        return False
    node, value = trace.graph.nodes[position], np.asarray(trace.values[position])
    if len(node.inputs) != 1 or len(value) < 2 or not np.isfinite(value).all():
        return False
    given = np.asarray(trace.values[node.inputs[0]])
    is_elementwise = isinstance(bind(node.op, node.attributes), ElementwiseOp)
    return bool(not is_elementwise and np.ptp(value) == 0 and np.ptp(given) > 0)


def _constant_output(evidence: Evidence) -> Found:
    trace, position = evidence.trace, evidence.output_node
    assert trace is not None
    assert position is not None
    node, value = trace.graph.nodes[position], np.asarray(trace.values[position])
    given = np.asarray(trace.values[node.inputs[0]])
    return Found(
        f"The outputs are {value.flat[0]:g} for every example, whatever the weights",
        (
            (
                f"what {node.op} is given goes from {given.min():.4g} to {given.max():.4g}, "
                "and all of "
                f"it becomes {value.flat[0]:g}"
            ),
            "its gradient is 0, and nothing before it learns",
        ),
        where="last layer",
        line=evidence.line("out"),
        fix="Use Sigmoid for one output; softmax is for one output per class",
        **opener(evidence),
    )


def _of_other_examples(evidence: Evidence) -> Iterator[Found]:
    """A loss of one's own in which the targets of one example count for the others."""
    case, arrays = evidence.case, evidence.arrays
    assert arrays is not None
    if type(case.loss).__name__ in LOSSES or evidence.outputs is None:
        return
    yield from _softmax_over_examples(evidence)
    places = evidence.sampled[: min(len(evidence.sampled), 16)]
    target = arrays.target[places]
    outputs = normals((len(places), *evidence.outputs.shape[1:]), "answers")
    outputs = outputs.astype(evidence.outputs.dtype)
    if len(places) < 3 or not np.ptp(target):
        return
    turned = np.roll(target, 1, axis=0)
    before, after = costs(evidence, outputs, target), costs(evidence, outputs, turned)
    if (
        before is None
        or after is None
        or not np.isfinite(before).all()
        or np.array_equal(target, turned)
    ):
        return
    if not np.allclose(before, after, rtol=1e-5, atol=1e-7) or is_of_last(evidence):
        return
    nowhere = costs(evidence, outputs, np.zeros_like(target))
    if nowhere is not None and np.array_equal(before, nowhere):
        return  # it reads no targets, by intention
    yield Found(
        "The loss compares every output with every target, not with its own",
        (
            (
                f"with targets that are passed on from each example to the next, {len(places)} "
                f"examples cost {before.mean():.6g}, as before"
            ),
            (
                f"outputs have shape {list(outputs.shape)}, targets {list(target.shape)}: one "
                "less the "
                f"other has shape {list(np.broadcast_shapes(outputs.shape, target.shape))}"
            ),
        )
        if _broadcast(outputs, target)
        else (
            (
                f"with targets that are passed on from each example to the next, {len(places)} "
                f"examples cost {before.mean():.6g}, as before"
            ),
        ),
        where="loss",
        fix="Bring both to one shape: target.reshape(-1, 1) beside outputs (B, 1)",
    )


def _blind_to_a_class(evidence: Evidence) -> Iterator[Found]:
    """A loss of one's own that costs the same whatever is said of a class: labels it does not mean.

    A hinge, max(0, 1 - y·z), is 1 where y is 0.
    """
    case, arrays = evidence.case, evidence.arrays
    if type(case.loss).__name__ in LOSSES or evidence.outputs is None or arrays is None:
        return
    target = arrays.target[evidence.sampled]
    kinds = np.unique(target)
    if not 2 <= len(kinds) <= 10 or target.reshape(len(target), -1).shape[1] != 1:
        return
    blind = []
    for kind in kinds:
        some = np.full_like(target[:16], kind)
        outputs = 3 * normals((len(some), *evidence.outputs.shape[1:]), "answers")
        found = costs(evidence, outputs.astype(evidence.outputs.dtype), some)
        if found is None or not np.isfinite(found).all():
            return
        if np.ptp(found) == 0:
            blind.append((kind, found[0]))
    if not blind:
        return
    kind, cost = blind[0]
    if len(blind) == len(kinds):
        yield Found(
            "The loss costs the same whatever the network says",
            (
                f"outputs that were drawn at random cost {cost:g} each for the target {kind:g}",
                "its gradient by the outputs is 0 everywhere, and nothing is learnt",
            ),
            where="loss",
            fix="Let the cost depend on the outputs: a softmax over one output is 1 whatever that "
            "is, and BCEWithLogitsLoss is for one",
        )
        return
    yield Found(
        f"The loss costs {cost:g} for every example with the target {kind:g}, whatever is said",
        (
            f"the targets are {', '.join(f'{each:g}' for each in kinds)}",
            (
                f"for {kind:g} the gradient by the outputs is 0: "
                f"{(target == kind).mean():.0%} of the examples teach nothing"
            ),
        ),
        where="loss",
        fix="Give the classes the numbers that this loss means: -1 and +1 for a hinge",
    )


def _broadcast(outputs: Array, target: Array) -> bool:
    try:
        return bool(np.broadcast_shapes(outputs.shape, target.shape) != outputs.shape)
    except ValueError:
        return False


def _softmax_over_examples(evidence: Evidence) -> Iterator[Found]:
    """Shares that sum to 1 over the examples of a batch: those of one answer depend on others."""
    trace = evidence.trace
    if trace is None:
        return
    for position, node in enumerate(trace.graph.nodes[: trace.graph.labels["loss"]]):
        value = np.asarray(trace.values[position])
        if len(node.inputs) != 1 or value.ndim != 2 or value.shape[0] == value.shape[1]:
            continue
        if value.dtype.kind != "f" or len(value) < 3 or not (value >= 0).all():
            continue
        if np.allclose(value.sum(axis=0), 1, atol=1e-4) and not np.allclose(
            value.sum(axis=1), 1, atol=1e-4
        ):
            name = trace.graph.name_of(position)
            yield Found(
                f"{node.op} is taken over the examples of a batch, and not over the classes",
                (
                    (
                        f"{name} has shape {list(value.shape)}: its columns sum to 1, and its "
                        "rows to "
                        f"{value.sum(axis=1).min():.3g} to {value.sum(axis=1).max():.3g}"
                    ),
                    "the answer to an example depends on what stands beside it in its batch",
                ),
                where=name,
                line=line_of(trace, position),
                fix="Take it over the last axis: softmax(axis=1)",
                trace=evidence.open(name, 0, 0),
                command=evidence.command(name, 0, 0),
            )
            return


def _squashed_logits(evidence: Evidence) -> Iterator[Found]:
    """Logits that can only lie in an interval: no probability near 1 can be said."""
    case = evidence.case
    if case.loss.outputs not in ("logits", "binary logits"):
        return
    ends = output_range(evidence)
    trace, position = evidence.trace, evidence.output_node
    if ends is None or trace is None or position is None:
        return
    low, high = ends
    width = np.asarray(trace.values[position]).shape[-1]
    if case.loss.outputs == "logits":
        if math.isinf(high - low) or np.asarray(trace.values[position]).ndim < 2:
            return
        # One class at the top of the interval, the others at its bottom [Bishop 2006, eq. 4.62].
        # Shares of a whole are so at the corners of their simplex.
        floor = math.log1p((width - 1) * math.exp(low - high))
        best = math.exp(-floor)
    else:
        ends_said = [1 / (1 + math.exp(-min(max(end, -700), 700))) for end in (low, high)]
        if ends_said[0] < 0.05 and ends_said[1] > 0.95:
            return
        best = ends_said[1]
        floor = max(-math.log(max(ends_said[1], 1e-300)), -math.log(max(1 - ends_said[0], 1e-300)))
    if best > 0.99 and case.loss.outputs == "logits":
        return
    op = last_op(evidence)
    name = type(case.loss).__name__
    yield Found(
        f"{name} reads logits, and the last op is {op}, whose outputs lie in [{low:g}, {high:g}]",
        (
            (
                f"{name} applies its own "
                f"{'softmax' if case.loss.outputs == 'logits' else 'sigmoid'} "
                f"to what {op} gave"
            ),
            f"an answer that is as sure as it can be gets the probability {best:.3f}"
            if case.loss.outputs == "logits"
            else f"what it can say lies between the probabilities {ends_said[0]:.3f} and "
            f"{ends_said[1]:.3f}",
            f"the loss has a floor of {floor:.3f}, and gradients pass {op} on top",
        ),
        where="last layer",
        line=evidence.line("out"),
        fix=f"Leave out the {op} at the end: {name} wants the numbers before it",
        **opener(evidence),
    )


def _bounded_logarithms(evidence: Evidence) -> Iterator[Found]:
    """Logarithms that cannot be below 0, or so: no number below 1 can be said."""
    case, ends = evidence.case, output_range(evidence)
    if case.loss.outputs != "log-values" or ends is None or evidence.values is None:
        return
    low, high = (math.exp(min(end, 700.0)) for end in ends)
    values = evidence.values[evidence.sampled]
    near = evidence.neighbours
    means = values[near.nearest].mean(axis=1) if near else values.mean(axis=0, keepdims=True)
    beyond = float(((means < 0.8 * low) | (means > 1.25 * high)).mean())
    if beyond < 0.1:
        return
    name, op = type(case.loss).__name__, last_op(evidence)
    yield Found(
        f"{name} reads logarithms, and the last op is {op}, whose outputs lie in "
        f"[{ends[0]:g}, {ends[1]:g}]",
        (
            f"so the network can say {low:.3g} to {high:.3g}, and nothing else",
            (
                f"the targets have a mean of {values.mean():.3g}; around {beyond:.0%} of the "
                "examples it lies outside"
            ),
        ),
        where="last layer",
        line=evidence.line("out"),
        fix=f"Leave out the {op} at the end, or tell the loss that it gets the numbers themselves",
        **opener(evidence),
    )


def _one_sign(evidence: Evidence) -> Iterator[Found]:
    """Outputs that are to say -1 or +1 by their sign, and have only one."""
    case, ends = evidence.case, output_range(evidence)
    if case.loss.outputs != "signs" or ends is None or ends[0] < 0 < ends[1]:
        return
    name, op = type(case.loss).__name__, last_op(evidence)
    yield Found(
        f"{name} reads signs, and the last op is {op}, whose outputs lie in "
        f"[{ends[0]:g}, {ends[1]:g}]",
        (
            f"an output below 0 says -1 and one above 0 says +1: all outputs of {op} say the same",
            "of the other sign the cost is never 0, however sure the network is",
        ),
        where="last layer",
        line=evidence.line("out"),
        fix=f"Leave out the {op} at the end: {name} wants the numbers before it",
        **opener(evidence),
    )


def _raw_outputs(evidence: Evidence) -> Iterator[Found]:
    """Numbers that cannot be what the loss reads: probabilities below 0, or above 1."""
    case = evidence.case
    if case.loss.outputs not in READABLE or evidence.trace is None:
        return
    position = evidence.output_node
    if position is None:
        return
    low, high = READABLE[case.loss.outputs]
    value = np.asarray(evidence.trace.values[position], np.float64)
    outside = (value < low) | (value > high)
    name = type(case.loss).__name__
    if outside.any():
        index = tuple(int(i) for i in np.argwhere(outside)[0])
        said = evidence.trace.graph.name_of(position)
        yield Found(
            f"{name} reads {case.loss.outputs}, and the network gives other numbers",
            (
                (
                    f"{said}{list(index)} = {value[index]:.4g}, which is outside of [{low:g}, "
                    f"{high:g}]"
                ),
                f"{outside.mean():.0%} of the outputs are; the logarithm of such is not defined",
            ),
            where=said,
            line=evidence.line("out"),
            fix="End the network with Sigmoid, or use BCEWithLogitsLoss, which reads logits"
            if case.loss.outputs == "probabilities"
            else "End the network with LogSoftmax, or use CrossEntropyLoss, which reads logits",
            trace=evidence.open(said, *index),
            command=evidence.command(said, *index),
        )
        return
    if case.loss.outputs == "log-probabilities" and value.ndim == 2 and value.shape[1] > 1:
        totals = np.exp(value).sum(axis=1)
        if abs(totals - 1).max() > 0.01:
            yield Found(
                f"{name} reads log-probabilities, and these do not belong to a distribution",
                (f"the exponentials of an example's outputs sum to {totals[0]:.3f}, not to 1",),
                where="last layer",
                fix="End the network with LogSoftmax, or use CrossEntropyLoss, which reads logits",
                **opener(evidence),
            )


def _classes_as_numbers(evidence: Evidence) -> Iterator[Found]:
    """Class numbers beside one output under a distance, where their order means nothing.

    Numbers that measure something are nearer to each other for examples that are near each other
    than the same classes numbered in any other order would be.
    """
    case, arrays = evidence.case, evidence.arrays
    assert arrays is not None
    if not case.loss.measures_distance or case.loss.outputs != "values":
        return
    target = arrays.target
    if target.reshape(len(target), -1).shape[1] != 1 or evidence.neighbours is None:
        return
    y = target.reshape(-1)[evidence.sampled].astype(np.float64)
    kinds, labels, counts = np.unique(y, return_inverse=True, return_counts=True)
    if not 3 <= len(kinds) <= 100 or not np.array_equal(kinds, np.rint(kinds)):
        return
    if counts.mean() < 8 or evidence.agreement is None:
        return
    agreement = float((labels[evidence.neighbours.nearest] == labels[:, None]).mean())
    by_chance = float(((counts / counts.sum()) ** 2).sum())
    if agreement < by_chance + 0.5 * (1 - by_chance):
        return  # the classes are not apart from each other: these are measurements
    near = evidence.neighbours.nearest

    def apart(numbers: Array) -> float:
        z = (numbers - numbers.mean()) / numbers.std()
        return float(((z[near] - z[:, None]) ** 2).mean())

    found = apart(kinds[labels])
    others = [apart(kinds[order(len(kinds), "numberings", k)][labels]) for k in range(200)]
    as_good = float(np.mean([other <= found for other in others]))
    if as_good < 0.05:
        return
    yield Found(
        f"The targets are {len(kinds)} classes, and {type(case.loss).__name__} takes their numbers "
        "for quantities",
        (
            (
                f"targets are the whole numbers {kinds[0]:g} to {kinds[-1]:g}; of an example's "
                "nearest "
                f"{agreement:.0%} have its own"
            ),
            (
                f"of 200 random numberings of these classes {as_good:.0%} put near examples as "
                "close "
                "together as this one: their order means nothing"
            ),
            (
                f"between class {kinds[0]:g} and class {kinds[-1]:g} the outputs would have to "
                "pass "
                "all others"
            ),
        ),
        where="targets",
        confidence=LIKELY,
        severity="warning",
        fix=f"Use CrossEntropyLoss with {len(kinds)} outputs and targets as integers",
    )
