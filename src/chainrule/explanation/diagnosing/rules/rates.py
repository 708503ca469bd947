"""The learning rate: told by trial steps, with it and with smaller and larger ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.explanation.diagnosing.finding import LIKELY
from chainrule.explanation.diagnosing.rule import RULES, Found, rule
from chainrule.explanation.diagnosing.trials import Trial
from chainrule.explanation.diagnosing.units import stuck_units


@rule(
    "learning-rate-too-large",
    severity="error",
    needs="trials",
    looks_for="Steps that go too far: with a smaller rate the same number of them comes further.",
    fix="Lower the learning rate.",
    explains=(
        "dead-units",
        "saturated-units",
        "class-collapse",
        "loss-not-finite",
        "gradient-not-finite",
        "gradient-zero",
        "vanishing-gradient",
        "overfitting",
    ),
    source="LeCun, Bottou, Orr and Müller 1998, section 5: lr < 2/λmax",
)
def _learning_rate_too_large(evidence: Evidence) -> Iterator[Found]:
    yield from _grown(evidence)
    if not np.isfinite(evidence.loss):
        evidence = evidence.redrawn  # it has run away: what did it begin with?
    mine = evidence.trial(1.0)
    if not np.isfinite(mine.start) or not evidence.learning_rate:
        return
    if mine.end < 0.1 * mine.start:
        return  # it comes far as it is
    smaller = [evidence.trial(0.1), evidence.trial(0.01)]
    best = min(smaller, key=lambda trial: trial.end)
    start = evidence.trial(0.0).end  # the same batches, and no step
    fall = start - best.end
    if not np.isfinite(best.end) or fall <= 0.02 * abs(start):
        return  # no rate makes it better
    if mine.breach is not None and mine.breach.is_of_domain:
        return  # log(0) is no matter of steps
    gained = start - mine.end
    still = evidence.trial(0.0).losses.max()
    thrown = mine.end > 3 * best.end and mine.losses.max() > 2 * still >= 2 * best.losses.max()
    if gained > 0.3 * fall and not thrown:
        return
    lr = evidence.highest_rate
    halted = mine.halted
    yield Found(
        f"A learning rate of {lr:g} goes too far: "
        + ("the loss is not finite" if halted else f"the loss comes to {mine.end:.4g}")
        + f" where {lr * best.factor:g} brings it to {best.end:.4g}",
        (
            f"before any update the loss is {start:.4g}",
            _told(mine, lr) + (f", over {mine.losses.max():.4g}" if thrown else ""),
            *(_told(trial, lr) for trial in smaller),
        ),
        where="optimizer",
        confidence=LIKELY,
        fix=f"Lower the learning rate, to {lr * best.factor:g} or thereabouts",
        explains=_after_steps(evidence),
        trace=evidence.open("loss"),
        command=evidence.command("loss"),
    )


def _grown(evidence: Evidence) -> Iterator[Found]:
    """A schedule that has raised the rate since the loss was least, and the loss with it."""
    case = evidence.case
    if case.history is None or case.engine is None or case.plan is None:
        return
    losses = np.asarray(case.history.get("loss", []))
    if len(losses) < 3 or not np.isfinite(losses).all():
        return
    best = int(losses.argmin())
    last = min(case.steps, len(losses) * case.plan.updates_per_epoch) - 1
    then, now = (
        case.engine.rate.at(step, case.plan.locate(step)[0])
        for step in (best * case.plan.updates_per_epoch, last)
    )
    risen, fallen = losses[-1] - losses[best], losses[0] - losses[best]
    if now < 3 * then or risen < max(0.5 * fallen, 0.1 * abs(losses[best])):
        return
    yield Found(
        f"The schedule has raised the learning rate to {now:.3g}, and that goes too far",
        (
            f"in epoch {best + 1}, at {then:.3g}, the loss was {losses[best]:.4g}",
            f"in epoch {len(losses)}, at {now:.3g}, it is {losses[-1]:.4g}",
        ),
        where="schedule",
        confidence=LIKELY,
        fix=f"Let the schedule lower the rate, or end at no more than {then:.2g}",
        explains=_after_steps(evidence),
    )


def _after_steps(evidence: Evidence) -> tuple[str, ...]:
    """What steps that go too far explain: not units that were saturated before any step."""
    explains = RULES["learning-rate-too-large"].explains
    if any(len(stuck_units(layer)) for layer in evidence.born.hidden):
        return tuple(name for name in explains if name != "saturated-units")
    return explains


@rule(
    "learning-rate-too-small",
    severity="warning",
    needs="trials",
    looks_for="Steps so small that the training ends before it has come anywhere.",
    fix="Raise the learning rate, or train for longer.",
    explains=("too-few-units", "class-collapse"),
)
def _learning_rate_too_small(evidence: Evidence) -> Iterator[Found]:
    yield from _faded(evidence)
    mine, lr = evidence.trial(1.0), evidence.case.optimizer.lr
    if not lr or not np.isfinite(mine.end) or evidence.planned is None:
        return
    start = evidence.trial(0.0).end  # the same batches, and no step
    if mine.end < 0.9 * start:
        return
    # Steps that are small enough add up: as many more of them are as one that is larger.
    longer = max(evidence.planned / evidence.updates, 1.0)
    whole = mine if longer <= 1 else evidence.trial(longer)
    larger = _larger(evidence, longer)
    best = min(larger, key=lambda trial: trial.end)
    fall, gained = start - best.end, start - whole.end
    if not np.isfinite(fall) or fall <= 0.1 * abs(start):
        return
    if abs(gained) > (0.2 if fall > 0.5 * abs(start) else 0.1) * fall:
        return
    yield Found(
        f"A learning rate of {lr:g} moves the loss by {abs(gained):.2g} in "
        f"{evidence.planned:,} steps",
        (
            f"before any update the loss is {start:.4g}",
            (
                f"{evidence.planned:,} steps of {lr:g} come as far as {evidence.updates} of "
                f"{lr * longer:.3g}: to {whole.end:.4g}"
            ),
            *(_told(trial, lr) for trial in larger if np.isfinite(trial.end)),
        ),
        where="optimizer",
        confidence=LIKELY,
        fix=f"Raise the learning rate, to {lr * best.factor / longer:.2g} or thereabouts",
    )


def _larger(evidence: Evidence, factor: float) -> list[Trial]:
    """Larger rates, up to one that comes less far than the one before."""
    found: list[Trial] = []
    for power in range(1, 9):
        found.append(evidence.trial(factor * 10.0**power))
        if power > 2 and not found[-1].end < found[-2].end:
            break
    return found


def _faded(evidence: Evidence) -> Iterator[Found]:
    """A schedule that takes the rate away long before the training is over."""
    case = evidence.case
    if evidence.planned is None or case.engine is None:
        return
    steps = np.linspace(0, evidence.planned - 1, 200).astype(int)
    rates = np.array(
        [case.engine.rate.at(int(s), case.engine.plan.locate(int(s))[0]) for s in steps]
    )
    share = float(rates.mean() / rates.max()) if rates.max() > 0 else 1.0
    if share > 0.1:
        return
    now = evidence.performance if case.steps else evidence.skill()
    more = evidence.skill("schedule")
    if now is None or more is None or more - now < (0.03 if case.steps else 0.15):
        return
    half = int(np.argmax(rates < 0.01 * rates.max()))
    yield Found(
        f"The schedule has taken the learning rate away after {steps[half]:,} of "
        f"{evidence.planned:,} steps",
        (
            (
                f"from {rates.max():g} it falls to {rates[-1]:.2g}; its mean is {share:.1%} of the "
                "largest"
            ),
            (
                f"{evidence.skill_is} is {now:.3f}; {evidence.updates} more steps with the "
                "optimizer's "
                f"own rate bring it to {more:.3f}"
            ),
        ),
        where="schedule",
        confidence=LIKELY,
        fix="Let the schedule last as long as the training: its unit may be epochs, or updates",
    )


def _told(trial: Trial, lr: float) -> str:
    rate = f"{len(trial.losses)} steps with {lr * trial.factor:.3g}"
    if trial.halted:
        return f"{rate}, and the next one is not finite"
    return f"{rate} bring it to {trial.end:.4g}"
