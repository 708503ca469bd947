"""Units: dead, saturated, or all alike; layers that nobody trains."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.base.errors import TrainingError
from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.explanation.diagnosing.finding import CERTAIN, LIKELY, Severity
from chainrule.explanation.diagnosing.rule import Found, rule
from chainrule.explanation.diagnosing.slopes import Slope
from chainrule.explanation.diagnosing.units import Activation, stuck_units
from chainrule.explanation.diagnosing.variants import standing_still

Array = np.ndarray[Any, Any]


@rule(
    "dead-units",
    severity="warning",
    needs="step",
    looks_for="Units whose slope is exactly 0 on every example: nothing comes back through them.",
    fix="Draw their weights again with biases of 0 (nn.init.kaiming_uniform), lower the learning "
    "rate, or use LeakyReLU, which is never flat.",
    explains=(
        "gradient-zero",
        "vanishing-gradient",
        "class-collapse",
        "learning-rate-too-small",
        "too-few-units",
    ),
    source="Lu, Shin, Su and Karniadakis 2019",
)
def _dead_units(evidence: Evidence) -> Iterator[Found]:
    for layer in evidence.activations:
        if layer.squashes or layer.is_flat or not np.isfinite(layer.z).all():
            continue
        dead = np.flatnonzero(layer.flat_shares == 1)
        share = len(dead) / layer.flat_shares.size
        if share < (1 if layer.is_output else 0.25):
            continue
        unit = int(dead[0])
        z = layer.z[:, unit]
        index = (0, unit, *(0,) * (layer.z.ndim - 2))
        every = len(evidence.captured) == evidence.count
        yield Found(
            f"{len(dead)} of {layer.flat_shares.size} units of {_called(layer)} are off on all "
            f"{len(layer.z):,} examples",
            (
                (
                    f"{layer.operand}[{unit}] goes from {z.min():.4g} to {z.max():.4g}, where "
                    f"{layer.op} has slope 0"
                ),
                (
                    "the gradient of their weights is 0 on every example, so no update brings them "
                    "back"
                ),
                *(
                    ("all of the layer is dead: nothing below it gets a gradient",)
                    if share == 1
                    else ()
                ),
            ),
            where=layer.scope or layer.name,
            line=layer.line,
            confidence=CERTAIN if every else LIKELY,
            severity="error" if share == 1 else _grave(evidence, share),
            explains=None if share == 1 else (),
            trace=evidence.open(layer.operand, *index),
            command=evidence.command(layer.operand, *index),
        )


def _grave(evidence: Evidence, share: float) -> Severity:
    """A layer of which half is left may be all that it takes, and begins so in a deep network."""
    most = 0.5 if evidence.case.steps else 0.75
    return "warning" if share >= most and not evidence.does_well else "note"


@rule(
    "saturated-units",
    severity="warning",
    needs="step",
    looks_for="Hidden units that stay at the flat ends of a squashing activation.",
    fix="Scale the inputs, and draw the weights smaller: nn.init.xavier_uniform.",
    explains=("vanishing-gradient", "gradient-zero", "learning-rate-too-small", "class-collapse"),
    source="Glorot and Bengio 2010, section 3",
)
def _saturated_units(evidence: Evidence) -> Iterator[Found]:
    for layer in evidence.hidden:
        stuck = stuck_units(layer)
        if not len(stuck):
            continue
        unit = int(stuck[0])
        index = (0, unit, *(0,) * (layer.z.ndim - 2))
        yield Found(
            f"{len(stuck)} of {layer.saturated_shares.size} units of {_called(layer)} are "
            "saturated",
            (
                (
                    f"{layer.operand} has |z| of {np.abs(layer.z).mean():.3g} in the mean and "
                    f"{np.abs(layer.z).max():.3g} at most"
                ),
                (
                    f"the slope of {layer.op} there is {np.abs(layer.slope).mean():.2g} in the "
                    f"mean, and {layer.steepest:g} at its steepest"
                ),
            ),
            where=layer.scope or layer.name,
            line=layer.line,
            confidence=LIKELY,
            severity="note" if evidence.case.steps and evidence.does_well else None,
            trace=evidence.open(layer.operand, *index),
            command=evidence.command(layer.operand, *index),
        )


@rule(
    "symmetric-initialization",
    severity="error",
    needs="step",
    looks_for="Units of a layer that begin alike and get the same gradient: they stay one unit.",
    fix="Draw the weights at random: leave them to nn.Linear, or use nn.init.xavier_uniform. "
    "Biases may be 0.",
    explains=(
        "too-few-units",
        "class-collapse",
        "gradient-zero",
        "learning-rate-too-small",
        "vanishing-gradient",
    ),
    source="Goodfellow, Bengio and Courville 2016, section 8.4",
)
def _symmetric_initialization(evidence: Evidence) -> Iterator[Found]:
    evidence = evidence.born
    steepest = max(
        (float(np.abs(s.gradient).max()) for s in evidence.slopes if s.gradient is not None),
        default=0.0,
    )
    for slope in evidence.weights:
        assert slope.gradient is not None
        if not np.isfinite(slope.gradient).all():
            continue
        value = slope.value.reshape(len(slope.value), -1)
        gradient = slope.gradient.reshape(value.shape).astype(np.float64)
        # The units of a table of word vectors are its columns.
        for what, v, g in (("row", value, gradient), ("column", value.T, gradient.T)):
            scale = np.abs(g).max()
            # Sums of equal terms in another order differ by rounding; so does what cancels to 0.
            slack = max(1e-4 * scale, 1e-6 * steepest)
            alike = len(v) > 1 and (v == v[:1]).all() and np.abs(g - g[:1]).max() <= slack
            if scale and alike:
                yield _alike(evidence, slope, what, v[0], g[0], len(v))
                return
    if _all_zero(evidence):
        yield Found(
            "All weights begin at 0, so no gradient passes any layer but the last",
            (
                *(f"{s.path} is 0 everywhere" for s in evidence.weights[:3]),
                "the gradient of a layer is that of the next one times its weights",
            ),
            where=", ".join(s.path for s in evidence.weights[:4]),
        )


def _alike(
    evidence: Evidence, slope: Slope, what: str, value: Array, gradient: Array, count: int
) -> Found:
    index = (0,) * slope.value.ndim
    more = ", ..." if len(value) > 4 else ""
    return Found(
        f"All {count} units of {slope.path} have the same weights, and the same gradient",
        (
            f"each {what} of {slope.path} is [{', '.join(f'{v:g}' for v in value[:4])}{more}]",
            (
                f"each {what} of its gradient is "
                f"[{', '.join(f'{v:.3g}' for v in gradient[:4])}{more}]: after any number of "
                "updates they are equal still"
            ),
            f"the layer computes one number, {count} times",
        ),
        where=slope.path,
        trace=evidence.open(f"d_{slope.path}", *index),
        command=evidence.command(f"d_{slope.path}", *index),
    )


def _all_zero(evidence: Evidence) -> bool:
    """Whether two layers in a row begin at 0: neither ever gets a gradient."""
    weights = evidence.weights
    zero = [not s.value.any() for s in weights]
    return any(a and b for a, b in itertools.pairwise(zero)) and not any(
        s.gradient is not None and s.gradient.any()
        for s, is_zero in zip(weights, zero, strict=True)
        if is_zero and s is not weights[-1]
    )


@rule(
    "frozen-layer",
    severity="warning",
    needs="trials",
    looks_for="Frozen parameters that nobody has trained, without which it learns much better.",
    fix="Set requires_grad=True on them and a learning rate above 0, or load what they were "
    "trained to be.",
    explains=("too-few-units", "learning-rate-too-small", "class-collapse"),
)
def _frozen_layer(evidence: Evidence) -> Iterator[Found]:
    case = evidence.case
    if isinstance(case.refusal, TrainingError) and "frozen" in case.refusal.message:
        yield Found(
            "All parameters are frozen: no update changes anything",
            (str(case.refusal),),
            where="network",
            severity="error",
            fix="Set requires_grad=True on those that should train",
        )
        return
    still = set(standing_still(case))
    frozen = [
        (path, p)
        for path, p in case.net.named_parameters()
        if path in still and p.numpy().ndim >= 2
    ]
    if not frozen:
        return
    skill, free = evidence.skill(), evidence.skill("frozen")
    if skill is None or free is None:
        return
    drawn = [path for path, p in frozen if _as_drawn(p, path, case.seed)]
    if free - skill < (0.05 if drawn else 0.25):
        return
    where = drawn or [path for path, _ in frozen]
    numbers = sum(p.numpy().size for _, p in frozen)
    total = sum(p.numpy().size for p in case.net.parameters())
    yield Found(
        f"{len(where)} weights are frozen, and the network learns little without them",
        (
            f"{where[0]} has "
            + (
                "a learning rate of 0"
                if dict(frozen)[where[0]].requires_grad
                else "requires_grad=False"
            )
            + (", and is what its initializer draws from the seed" if drawn else ""),
            f"{numbers:,} of the network's {total:,} numbers never change",
            (
                f"after {evidence.updates} trial steps {evidence.skill_is} is {skill:.3f}; "
                "with all "
                f"parameters training it is {free:.3f}"
            ),
        ),
        where=", ".join(where[:4]),
        confidence=LIKELY,
    )


def _as_drawn(parameter: Any, path: str, seed: int) -> bool:
    """Whether a parameter is what it is drawn as, from the seed or from the usual one."""
    if parameter.initializer is None:
        return False
    shape = tuple(map(int, parameter.shape))
    for each in {0, seed}:
        drawn = np.asarray(parameter.initializer(shape, each, path)).astype(parameter.dtype)
        if np.ptp(drawn) > 0 and np.array_equal(drawn, parameter.numpy()):
            return True
    return False


def _called(layer: Activation) -> str:
    return f"layer {layer.scope}" if layer.scope else layer.name
