"""How training is set up, and how it went: updates, batches, histories."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.base.errors import ShapeError, TrainingError
from chainrule.explanation.diagnosing.costs import costs
from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.explanation.diagnosing.finding import LIKELY
from chainrule.explanation.diagnosing.linear import is_structural
from chainrule.explanation.diagnosing.rule import Found, rule
from chainrule.explanation.diagnosing.scores import as_targets
from chainrule.explanation.diagnosing.trials import rates_of
from chainrule.explanation.diagnosing.variants import standing_still
from chainrule.graph import Axis

Array = np.ndarray[Any, Any]


@rule(
    "no-update",
    severity="error",
    needs="nothing",
    looks_for="A training without a single update: too few rows for a batch, or a rate of 0.",
    fix="Use a batch_size of at most the number of examples, or drop_last=False.",
    explains=(
        "learning-rate-too-small",
        "gradient-zero",
        "class-collapse",
        "too-few-units",
        "frozen-layer",
    ),
)
def _no_update(evidence: Evidence) -> Iterator[Found]:
    case = evidence.case
    refused = case.refusal
    if isinstance(refused, TrainingError) and "update takes" in refused.message:
        yield Found(
            f"No update would ever happen, of {evidence.count} examples",
            (
                str(refused),
                "after any number of epochs the weights are those that were drawn",
            ),
            where="batches",
            fix=refused.advice,
        )
        return
    if case.engine is None or case.plan is None:
        return
    every = [path for path, _ in case.net.named_parameters()]
    if case.optimizer.lr and set(standing_still(case)) == set(every) != set():
        yield Found(
            "Every parameter is in a group with a learning rate of 0: no update changes anything",
            (f"the optimizer's own rate is {case.optimizer.lr:g}, and no parameter is left to it",),
            where="optimizer",
            fix="Give the groups that are to train a rate above 0, or a pattern that fits fewer",
        )
        return
    steps = case.steps or evidence.planned or case.plan.updates_per_epoch
    rates = rates_of(case.engine, 0, min(steps, 2000))
    if rates and not any(rates):
        yield Found(
            "The learning rate is 0: no update changes anything",
            (f"in the first {len(rates):,} updates the rate is 0",),
            where="optimizer",
            fix="Give the optimizer a learning rate above 0, or another schedule",
        )
        return
    if case.history is not None and case.history.epochs and not case.steps:
        yield Found(
            f"{case.history.epochs} epochs were made, and no update",
            ("the run has 0 steps",),
            where="batches",
        )


@rule(
    "batch-norm-on-tiny-batch",
    severity="warning",
    needs="nothing",
    looks_for="Batch normalisation over so few numbers that their mean and variance are noise.",
    fix="Use larger batches, or nn.GroupNorm or nn.LayerNorm, which do not mix examples.",
    source="Wu and He 2018, section 1",
)
def _batch_norm_on_tiny_batch(evidence: Evidence) -> Iterator[Found]:
    case = evidence.case
    if isinstance(case.refusal, ShapeError) and case.source is not None:
        yield Found(
            "The last batch of an epoch is a single example, which has no variance",
            (
                (
                    f"{evidence.count} examples in batches of {case.batch_size} leave "
                    f"{evidence.count % case.batch_size}"
                ),
                str(case.refusal),
            ),
            where="batches",
            severity="error",
            fix="Use drop_last=True, or a batch_size that leaves more than one",
        )
        return
    modules = [
        path
        for path, module in case.net.named_modules()
        if any(name == "running_var" for name, _ in module.named_buffers())
    ]
    if not modules or case.plan is None:
        return
    size = case.plan.sizes()[0] if case.plan.sizes() else 0
    numbers = {path: size * _places(evidence, path) for path in modules}
    modules = [path for path, count in numbers.items() if 0 < count <= 4]
    if not modules:
        return
    size = min(numbers[path] for path in modules)
    error = (2 / max(size - 1, 1)) ** 0.5
    yield Found(
        f"{len(modules)} layers normalise over {size} numbers of a batch",
        (
            f"a variance from {size} numbers is off by {error:.0%} in the mean: √(2/(n-1))",
            (
                "what an example becomes depends on the few that chance put beside it, and the "
                "running "
                "statistics of evaluation are of another size"
            ),
        ),
        where=", ".join(modules[:4]),
        confidence=LIKELY,
    )


def _places(evidence: Evidence, path: str) -> int:
    """At how many places each example has a channel that a layer normalises: 1 in a table."""
    trace = evidence.trace
    if trace is None:
        return 1
    sizes = [
        node.type.size // (int(node.shape[0]) * int(node.shape[1]))
        for node in trace.graph.nodes[: trace.graph.labels["loss"]]
        if (node.scope or "") == path
        and len(node.shape) > 1
        and isinstance(node.shape[0], Axis)
        and node.dtype.is_float
    ]
    return max((int(size) for size in sizes), default=1)


@rule(
    "overfitting",
    severity="warning",
    needs="run",
    looks_for="A validation loss that rises while the training loss goes on falling.",
    fix="Stop where the validation loss is least (cr.EarlyStopping()), or use more data, dropout, "
    "weight decay or a smaller network.",
)
def _overfitting(evidence: Evidence) -> Iterator[Found]:
    history = evidence.case.history
    assert history is not None
    held, own = history.get("val_loss"), history.get("loss")
    if not held or not own or len(held) < 4:
        return
    values = np.asarray(held)
    if not np.isfinite(values).all():
        return
    best = int(values.argmin())
    if _took_back_the_best(evidence, float(values[best])):
        return  # what there is to do was done
    tail = float(values[-max(len(values) // 5, 3) :].min())  # and not in one epoch by chance
    least = float(values[best])  # a likelihood's may be below 0
    rises = best <= 0.75 * (len(values) - 1) and tail - least > 0.2 * abs(least)
    if rises and own[best] - own[-1] > 0.2 * abs(own[best]):
        yield Found(
            f"Since epoch {best + 1} of {len(values)} it learns its examples by heart",
            (
                (
                    f"the validation loss was {values[best]:.4g} after epoch {best + 1}, and is "
                    f"{values[-1]:.4g} now"
                ),
                f"the training loss fell from {own[best]:.4g} to {own[-1]:.4g} in that time",
            ),
            where=f"epoch {best + 1}",
            confidence=LIKELY,
        )
        return
    mine, theirs = evidence.performance, evidence.held_out_performance
    if mine is None or theirs is None:
        return
    by_heart = mine > 0.99 and own[-1] < 0.01 * values[-1]  # nothing is left to learn of them
    if mine < 0.8 or mine - theirs < (0.25 if by_heart else 0.4):
        return
    yield Found(
        "It has learnt its examples by heart, and little of what they have in common",
        (
            (
                f"{evidence.skill_is} is {mine:.3f} on the training examples and {theirs:.3f} "
                "on the "
                "held-out ones"
            ),
            f"the training loss is {own[-1]:.4g}, the validation loss {values[-1]:.4g}",
        ),
        where="network",
        confidence=LIKELY,
    )


def _took_back_the_best(evidence: Evidence, least: float) -> bool:
    """Whether the network was left with other weights than the last, as good as the best were."""
    held_out, left, state = evidence.case.held_out, evidence.case.left, evidence.case.state
    if held_out is None or left is None:
        return False
    if all(np.array_equal(left[path], state[path]) for path in left):
        return False
    places = np.arange(held_out.count)
    outputs = evidence.outputs_on(held_out, places, left)
    found = None if outputs is None else costs(evidence, outputs, held_out.target[places])
    return found is not None and float(found.mean()) < 1.05 * least


@rule(
    "class-collapse",
    severity="warning",
    needs="run",
    looks_for="A trained network that says one class, whatever it is asked.",
    fix="Look at the scales, the learning rate and the balance of the classes.",
)
def _class_collapse(evidence: Evidence) -> Iterator[Found]:
    outputs, classes, case = evidence.outputs, evidence.classes, evidence.case
    if outputs is None or classes is None or case.history is None or not case.history.epochs:
        return
    answers = evidence.said(outputs)
    if answers is None or not np.isfinite(outputs).all():
        return
    labels = classes[evidence.sampled]
    said, counts = np.unique(answers, return_counts=True)
    share = counts.max() / len(answers)
    true = np.unique(labels, return_counts=True)[1].max() / len(labels)
    if share < 0.99:
        return
    if true > 0.9 and (evidence.agreement is None or evidence.agreement.sigmas < 4):
        return  # the rare class is nowhere to be told from the other
    if true > 0.6 and _knows_how_likely(evidence, outputs, labels):
        return  # what is the likeliest of all is the same everywhere
    yield Found(
        f"The network says class {said[counts.argmax()]} for {share:.0%} of the examples",
        (
            (
                f"after {case.steps:,} updates, of {len(answers):,} examples "
                f"{counts.max():,} get that answer; {true:.0%} are of the commonest class"
            ),
        ),
        where="outputs",
        confidence=LIKELY,
        explains=None if is_structural(evidence) else ("too-few-units",),
    )


def _knows_how_likely(evidence: Evidence, outputs: Array, labels: Array) -> bool:
    """Whether it says each class as often as it is, in the mean, and more where it is."""
    odds = as_targets(outputs.astype(np.float64), evidence.case.loss.outputs)
    odds = odds.reshape(len(odds), -1)
    if odds.shape[1] == 1:
        odds = np.concatenate([1 - odds, odds], axis=1)
    if (odds < 0).any() or (odds > 1).any() or odds.shape[1] <= labels.max():
        return False
    there = np.eye(odds.shape[1])[labels]
    shares = there.mean(axis=0)
    off = float(np.abs(odds.mean(axis=0) - shares).sum())
    # By how much more it says a class where it is: 1 for who knows, 0 for who guesses.
    apart = (odds * (there - shares)).mean(axis=0).sum() / (shares * (1 - shares)).sum()
    return off < 0.5 * float(1 - shares.max()) and bool(apart > 0.03)
