"""Gradients: absent, zero, not finite, or lost and grown on their way back through the layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.base.errors import TrainingError
from chainrule.explanation.diagnosing.dependence import unread
from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.explanation.diagnosing.finding import LIKELY
from chainrule.explanation.diagnosing.rule import Found, rule
from chainrule.explanation.diagnosing.units import line_of
from chainrule.train.diagnosis import find_cause

Array = np.ndarray[Any, Any]


@rule(
    "gradient-missing",
    severity="error",
    needs="nothing",
    looks_for="A parameter that trains and that the loss is not computed from.",
    fix="Use it in forward, or take it out of the network.",
    explains=("gradient-zero", "too-few-units", "class-collapse", "learning-rate-too-small"),
)
def _gradient_missing(evidence: Evidence) -> Iterator[Found]:
    case = evidence.case
    if isinstance(case.refusal, TrainingError) and "does not depend" in case.refusal.message:
        yield Found(
            "The loss depends on no parameter that trains",
            (str(case.refusal),),
            where="network",
            fix=case.refusal.advice,
        )
        return
    missing = [s for s in evidence.slopes if not s.reached or s.cut is not None]
    zero = [s for s in evidence.slopes if s.gradient is not None and not s.gradient.any()]
    cut_off = set[str]()
    # A bias alone may cancel, in a difference of two outputs, say.
    if evidence.arrays is not None and any(s.value.ndim >= 2 for s in zero):
        found = unread(evidence, [s.path for s in zero])
        matrices = [s.path for s in zero if s.value.ndim >= 2]
        cut_off = set(found) if set(found) & set(matrices) else set()
    missing += [s for s in evidence.slopes if s.path in cut_off and s not in missing]
    if not missing:
        return
    first = missing[0]
    index = (0,) * first.value.ndim
    if first.path in cut_off and first.reached and first.cut is None:
        line = ""
        why = (
            f"{first.path} has a gradient of 0, and the loss is the same whatever {first.path} is, "
            "however all others are drawn: what is made of it is left out on the way to the loss"
        )
    elif first.cut is None:
        line = ""
        why = (
            f"no op between {first.path} and the loss leads from one to the other: forward does "
            "not use it, or uses it where nothing depends on the result"
        )
    else:
        assert evidence.trace is not None
        line = line_of(evidence.trace, first.cut)
        why = (
            f"numbers pass from {first.path} to the loss, and no gradient comes back: one op on "
            "the way, such as detach(), lets none through"
        )
    numbers = sum(s.value.size for s in missing)
    yield Found(
        f"{len(missing)} of {len(evidence.slopes)} parameters get no gradient from the loss",
        (why, f"so {numbers:,} numbers stay as they were drawn"),
        where=", ".join(s.path for s in missing[:4]),
        line=line,
        fix=None if first.cut is None else "Take the detach() out, or freeze what is before it",
        trace=evidence.open(first.path, *index),
        command=evidence.command(first.path, *index),
    )


@rule(
    "loss-not-finite",
    severity="error",
    needs="trials",
    looks_for="A loss that is NaN or infinite on finite data.",
    fix="Keep what the named op is given inside its domain, or use a loss that reads logits.",
    explains=("gradient-not-finite",),
)
def _loss_not_finite(evidence: Evidence) -> Iterator[Found]:
    trace = evidence.trace
    assert trace is not None
    if not np.isfinite(evidence.loss):
        label = trace.graph.labels["loss"]
        yield _not_finite(evidence, label, f"The loss is {evidence.loss}")
        return
    trial = evidence.trial(1.0)
    breach = trial.breach
    if breach is None or breach.of != "loss" or not breach.is_of_domain:
        return  # numbers that run away are another thing
    of = ", ".join(f"{value:.6g}" for value in breach.operands)
    yield Found(
        f"After {len(trial.losses)} trial steps {breach.op} gives {breach.value}, and so does the "
        "loss",
        (
            f"{breach.name} = {breach.op}({of}) = {breach.value}",
            (
                f"no number that {breach.op} is given is larger than {breach.largest:.3g}: "
                "nothing has "
                "run away, this is the end of its domain"
            ),
        ),
        where=breach.scope or breach.name,
        line=breach.line,
    )


@rule(
    "gradient-not-finite",
    severity="error",
    needs="step",
    looks_for="A gradient that is NaN or infinite where the loss is finite.",
    fix="Keep what the named op is given away from where its slope is infinite: sqrt(x + 1e-12).",
)
def _gradient_not_finite(evidence: Evidence) -> Iterator[Found]:
    trace = evidence.trace
    assert trace is not None
    if not np.isfinite(evidence.loss):
        return
    for slope in evidence.slopes:
        if slope.gradient is not None and not np.isfinite(slope.gradient).all():
            position = trace.graph.positions[f"d_{slope.path}"]
            yield _not_finite(evidence, position, f"The gradient of {slope.path} is not finite")
            return
    trial = evidence.trial(1.0) if evidence.has_trials else None
    breach = None if trial is None else trial.breach
    if trial is None or breach is None or breach.of == "loss" or not breach.is_of_domain:
        return
    of = ", ".join(f"{value:.6g}" for value in breach.operands)
    yield Found(
        f"After {len(trial.losses)} trial steps a gradient is {breach.value}, and it begins in "
        f"{breach.name}",
        (f"{breach.name} = {breach.op}({of}) = {breach.value}, while the loss is finite",),
        where=breach.scope or breach.name,
        line=breach.line,
    )


def _not_finite(evidence: Evidence, position: int, title: str) -> Found:
    """Follow a number that is not finite back to the op that made it."""
    trace = evidence.trace
    assert trace is not None
    graph, values = trace.graph, list(trace.values)
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(values[position]))[0])
    at, where = find_cause(graph, values, position, index)
    node, name = graph.nodes[at], graph.name_of(at)
    operands = [
        f"{graph.name_of(i)} up to {np.nanmax(np.abs(np.asarray(values[i], np.float64))):.4g}"
        for i in node.inputs
        if np.asarray(values[i]).size
    ]
    made = f"{name}{list(where) if where else ''} is {values[at][where]}"
    how = f", made by {node.op} of {', '.join(operands)}" if operands else ", as it is given"
    opened = trace.graph.name_of(position)
    return Found(
        f"{title}, and it begins in {name}",
        (made + how, f"from there it reaches {opened}"),
        where=node.scope or name,
        line=line_of(trace, at),
        trace=evidence.open(name, *where),
        command=evidence.command(name, *where),
    )


@rule(
    "gradient-zero",
    severity="error",
    needs="trials",
    looks_for="A parameter that trains, that the loss is computed from, and that does not move.",
    fix="See what its gradient is made of: cr.explain(...).why_zero says which factor is 0.",
)
def _gradient_zero(evidence: Evidence) -> Iterator[Found]:
    still = [
        s
        for s in evidence.slopes
        # A bias alone may cancel: one before batch norm, or of two distances that are subtracted.
        if s.value.ndim >= 2
        and s.reached
        and s.cut is None
        and s.gradient is not None
        and not np.any(s.gradient)
    ]
    if not still or not evidence.learning_rate:
        return
    # A last layer that begins at 0 gives zeros to those below in the first step alone.
    after = evidence.trial(1.0).state
    still = [s for s in still if np.array_equal(after[s.path], evidence.start[s.path])]
    cut_off = set(unread(evidence, [s.path for s in still]))  # these are named gradient-missing
    still = [s for s in still if s.path not in cut_off]
    if not still:
        return
    first = still[0]
    trace = evidence.trace
    assert trace is not None
    index = (0,) * first.value.ndim
    why = trace.why_zero(f"d_{first.path}", *index)
    last = why.steps[-1] if why.steps else None
    yield Found(
        f"{len(still)} of {len(evidence.slopes)} parameters have a gradient of 0, on all "
        f"{len(evidence.captured):,} examples and after {evidence.updates} trial steps",
        tuple(f"{step.name} is 0: {step.because}" for step in why.steps[:4]),
        where=", ".join(s.path for s in still[:4]),
        line="" if last is None else evidence.line(last.name.partition("[")[0]),
        trace=evidence.open(f"d_{first.path}", *index),
        command=evidence.command(f"d_{first.path}", *index),
    )


GONE = 1e-5
"""What is left of a gradient that has vanished, of what it is at the output.

A layer as it is drawn by default passes 0.4 of a gradient behind ReLU, and 0.14 behind a sigmoid:
five sigmoids leave 5e-5, which still trains.
"""

FAINT = 1e-3
"""What is left in a network that learns nothing in its first steps of what can be learnt."""

GROWN = 100
"""By how much a gradient grows that explodes: a well drawn layer passes 1 [He et al. 2015]."""


@rule(
    "vanishing-gradient",
    severity="warning",
    needs="trials",
    looks_for="Gradients that shrink from layer to layer on their way back, until nothing is left.",
    fix="Use ReLU or another activation that keeps slopes, a fitting initialisation "
    "(nn.init.kaiming_uniform), normalisation between layers, or residual connections.",
    explains=(
        "learning-rate-too-small",
        "class-collapse",
        "too-few-units",
    ),
    source="Glorot and Bengio 2010, section 4.2.2",
)
def _vanishing_gradient(evidence: Evidence) -> Iterator[Found]:
    born = evidence.born
    flow = born.flow
    if len(flow) < 2:
        return
    (first, low), (_, high) = flow[0], flow[-1]
    steps = len(flow) - 1
    if not 0 < low < (FAINT if steps > 3 else GONE) * high:
        return
    skill = evidence.skill()
    if skill is None or skill > (0.3 if low < GONE * high else 0.1):
        return  # it learns all the same
    if low >= GONE * high and not (_could_be_learnt(evidence) and _is_faint(born)):
        return
    path, index = _first_weight(born)
    yield Found(
        f"Of the gradient at the output {low / high:.1g} is left in {first}",
        (
            *_told(flow),
            f"each of {steps} steps back passes {(low / high) ** (1 / steps):.2g} of what it gets",
            f"after {evidence.updates} trial steps {evidence.skill_is} is {skill:.3f}",
        ),
        where=first,
        confidence=LIKELY,
        trace=born.open(f"d_{path}", *index),
        command=born.command(f"d_{path}", *index),
    )


@rule(
    "exploding-gradient",
    severity="warning",
    needs="step",
    looks_for="Gradients that grow from layer to layer on their way back.",
    fix="Draw the weights smaller (nn.init.kaiming_uniform), normalise between layers, or clip: "
    "optim.SGD(..., clip_norm=1.0).",
    explains=(
        "loss-not-finite",
        "gradient-not-finite",
        "learning-rate-too-large",
        "dead-units",
        "class-collapse",
    ),
    source="Pascanu, Mikolov and Bengio 2013, section 2; He, Zhang, Ren and Sun 2015, section 2.2",
)
def _exploding_gradient(evidence: Evidence) -> Iterator[Found]:
    # Where numbers have run away already: what did it begin with?
    born = evidence.born if np.isfinite(evidence.loss) else evidence.redrawn
    flow = born.flow
    if len(flow) < 3:
        return
    (first, high), (last, inner), (_, low) = flow[0], flow[-2], flow[-1]
    if not np.isfinite(high) or not min(inner, low) > 0:
        return
    # It grows from layer to layer, and not only where a difference is divided by its step.
    along = len(flow) > 3 and high > GROWN * inner
    if not along and not (high > GROWN * low and high > GROWN**0.5 * inner):
        return
    if along:
        flow, low = flow[:-1], inner
    else:
        last = "the output"
    steps = len(flow) - 1
    path, index = _first_weight(born)
    yield Found(
        f"The gradient in {first} is {high / low:.2g} times that in {last}",
        (
            *_told(flow),
            f"each of {steps} steps back makes it {(high / low) ** (1 / steps):.3g} times as large",
            f"the loss is {born.loss:.4g}",
        ),
        where=first,
        confidence=LIKELY,
        trace=born.open(f"d_{path}", *index),
        command=born.command(f"d_{path}", *index),
    )


def _is_faint(evidence: Evidence) -> bool:
    """Whether a weight gets next to nothing: one that later steps use too gets what theirs is."""
    sizes = [slope.size for slope in evidence.weights]
    return bool(sizes) and min(sizes) < FAINT * max(sizes)


def _could_be_learnt(evidence: Evidence) -> bool:
    """Whether inputs say something of the targets, and it has not learnt it by now."""
    near, mine = evidence.neighbours_say, evidence.performance
    learnt = evidence.case.steps and mine is not None and mine > 0.3
    return near is not None and near > 0.3 and not learnt


def _first_weight(evidence: Evidence) -> tuple[str, tuple[int, ...]]:
    first = evidence.weights[0] if evidence.weights else evidence.slopes[0]
    return first.path, first.largest


def _told(flow: list[tuple[str, float]]) -> Iterator[str]:
    """The gradient at some places, from the output back."""
    chosen = np.unique(np.linspace(0, len(flow) - 1, 4).round().astype(int))[::-1]
    for place in chosen:
        name, size = flow[place]
        yield f"at {name} the gradient of the loss is {size:.2g} in size"
