"""Figures that are shown of a training: whether they say what their names promise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.base.errors import ChainruleError
from chainrule.explanation.diagnosing.costs import is_of_last, last_of_epochs
from chainrule.explanation.diagnosing.draws import normals
from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.explanation.diagnosing.finding import POSSIBLE
from chainrule.explanation.diagnosing.rule import Found, rule
from chainrule.nn.losses.loss import LOSSES
from chainrule.nn.measures import Measures, measure_arrays
from chainrule.nn.metrics import METRICS, make_metric

Array = np.ndarray[Any, Any]


@rule(
    "misreported-metric",
    severity="error",
    looks_for="A figure that says something else than its name: accuracy by a tolerance, the last "
    "sample's loss for the epoch's.",
    fix="Count an answer as right if it is on the right side: metrics=['accuracy'].",
)
def _misreported_metric(evidence: Evidence) -> Iterator[Found]:
    yield from _figures_of_sound_answers(evidence)
    yield from _reported_losses(evidence)
    if type(evidence.case.loss).__name__ not in LOSSES and is_of_last(evidence):
        yield Found(
            "The loss of a batch is that of its last example alone",
            (
                (
                    "each example of a batch is said to cost what the last one does, and "
                    "that is what "
                    "is differentiated and shown"
                ),
            ),
            where="loss",
            fix="Return one cost for each example: the mean over the batch is made of them",
            explains=("gradient-zero", "class-collapse", "learning-rate-too-small"),
        )


def _figures_of_sound_answers(evidence: Evidence) -> Iterator[Found]:
    """A metric that is low for answers as good as the targets themselves."""
    if not evidence.case.metrics:
        return
    answers = _answers(evidence)
    if answers is None:
        return
    for name in evidence.case.metrics:
        found = (
            _too_strict(evidence, name, answers)
            or _reads_otherwise(evidence, name, answers)
            or _praises_what_is_wrong(evidence, name, answers)
            or _counts_no(evidence, name, answers)
        )
        if found is not None:
            yield found


def _too_strict(evidence: Evidence, name: str, answers: Answers) -> Found | None:
    """A metric that is 1 for the targets themselves and low for what is as good."""
    best, value, worst = (
        _measured(evidence, name, given) for given in (answers.exact, answers.sound, answers.wrong)
    )
    if best is None or value is None or worst is None or worst >= best:
        return None
    # Of numbers a tolerance may be meant, one that lets none of them pass is not.
    most = 0.05 if answers.copied is None else max(0.5, _commonest(evidence))
    if best < 0.99 or value > most:
        return None
    assert evidence.arrays is not None
    right = (
        "outputs that are on the right side for every example"
        if evidence.classes is not None
        else "outputs that are off by a twentieth of the targets' deviation"
    )
    return Found(
        f"{name} is {value:.2f} for answers that are all good",
        (
            (
                f"{right}, such as {answers.sound.flat[0]:.4g} for a target of "
                f"{float(evidence.arrays.target[evidence.sampled].flat[0]):.4g}, give {name} = "
                f"{value:.2f}"
            ),
            (
                f"the targets themselves give {best:.2f}: it asks for numbers that are equal, or "
                "nearly, or draws its line elsewhere than the loss"
            ),
        ),
        where=name,
        fix=None
        if evidence.classes is not None
        else "Measure a regression by how far it is off: metrics=['mae'] or ['r2']",
    )


def _praises_what_is_wrong(evidence: Evidence, name: str, answers: Answers) -> Found | None:
    """A metric of one's own that is high where every example gets a class that is not its own."""
    if not _is_own(name) or evidence.classes is None or answers.copied is None:
        return None
    kinds = len(np.unique(evidence.classes))
    best, worst = (_measured(evidence, name, given) for given in (answers.exact, answers.wrong))
    if best is not None and best == worst == _measured(evidence, name, answers.sound):
        return Found(
            f"{name} is {best:.2f} whatever the network says",
            (f"right outputs give {best:.2f}, and so do outputs that are all wrong",),
            where=name,
            fix="Let it compare outputs with targets: metrics=['accuracy']",
        )
    if kinds < 3 or best != 1.0 or worst is None or not 0.5 < worst < 1.0:
        return None
    return Found(
        f"{name} is {worst:.2f} where not one example gets its class",
        (
            f"outputs that say another class for each example give {name} = {worst:.2f}",
            (
                f"an example has {answers.copied.shape[-1]} outputs, and it counts each by itself: "
                "most are to say no, for any class"
            ),
        ),
        where=name,
        fix="Count an example as right if its largest output is its class's: metrics=['accuracy']",
    )


def _counts_no(evidence: Evidence, name: str, answers: Answers) -> Found | None:
    """A metric of one's own that counts all right answers of one class, and none of another."""
    if not _is_own(name) or evidence.classes is None:
        return None
    labels = evidence.classes[evidence.sampled]
    shares = {}
    for kind in np.unique(labels):
        there = labels == kind
        right = _measured(evidence, name, answers.exact[there], there)
        wrong = _measured(evidence, name, answers.wrong[there], there)
        if right is None or wrong is None or wrong > right:
            return None
        shares[int(kind)] = right
    if set(shares.values()) != {0.0, 1.0}:
        return None
    never = [kind for kind, share in shares.items() if share == 0.0]
    ever = [kind for kind, share in shares.items() if share == 1.0]
    return Found(
        f"{name} counts no answer of class {never[0]} as right",
        (
            (
                f"where every example gets its own class, {name} is 1.00 for those of class "
                f"{ever[0]} and 0.00 for those of class {never[0]}"
            ),
        ),
        where=name,
        fix="Compare answers with targets as they are numbered: metrics=['accuracy']",
    )


def _is_own(name: str) -> bool:
    """Whether it is a metric that the library does not have."""
    return name in METRICS and not METRICS[name].__module__.startswith("chainrule.")


def _commonest(evidence: Evidence) -> float:
    """The share of the commonest class: what one and the same answer to everything gets."""
    if evidence.classes is None:
        return 0.0
    labels = evidence.classes[evidence.sampled]
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))


def _reads_otherwise(evidence: Evidence, name: str, answers: Answers) -> Found | None:
    """A metric that takes outputs for something else than the loss does: logits for odds."""
    read_as = evidence.case.loss.outputs
    if answers.copied is None or read_as not in ("logits", "binary logits"):
        return None
    right, wrong, copied = (
        _measured(evidence, name, given) for given in (answers.exact, answers.wrong, answers.copied)
    )
    if right is None or wrong is None or copied is None:
        return None
    # It counts: all or nothing. Whether right is 1, as for accuracy, or 0, as for errors.
    if copied in (0.0, 1.0) and right == wrong == 1.0 - copied:
        return Found(
            f"{name} reads {read_as} as if they were probabilities",
            (
                f"outputs that are the targets themselves, 0 and 1, give {name} = {copied:.2f}",
                (
                    f"the loss reads {read_as}, of which {answers.exact.max():.3g} says 1 and "
                    f"{answers.exact.min():.3g} says 0 without a doubt: these give {name} = "
                    f"{right:.2f}, and so do they where all are wrong"
                ),
            ),
            where=name,
        )
    if read_as != "binary logits" or right != copied or right == wrong:
        return None
    below, above = (
        _measured(evidence, name, np.where(answers.exact > 0, at, answers.exact))
        for at in (0.49, 0.51)
    )
    if above != right or below is None or below == right:
        return None
    return Found(
        f"{name} draws its line at an output of 0.5, and logits change sides at 0",
        (
            f"with outputs of 0.51 for every target of 1, {name} is {above:.2f}",
            f"with 0.49 it is {below:.2f}, although that is a probability of 0.62",
        ),
        where=name,
    )


@dataclass(frozen=True)
class Answers:
    """Outputs that are made up for the sampled examples.

    Parameters
    ----------
    exact : float64 array
        The targets, as far as what the loss reads can say them.
    sound : float64 array
        What is nearly as good.
    wrong : float64 array
        The opposite of exact ones; of values some that are far off.
    copied : float64 array, or None
        The targets of classes as they are, whatever the loss reads.
    """

    exact: Array
    sound: Array
    wrong: Array
    copied: Array | None = None


def _answers(evidence: Evidence) -> Answers | None:
    outputs, arrays = evidence.outputs, evidence.arrays
    if outputs is None or arrays is None:
        return None
    target, shape = arrays.target[evidence.sampled], outputs.shape
    read_as = evidence.case.loss.outputs
    found: Answers | None = None
    if evidence.classes is not None and outputs[0].size > 1:
        found = _of_classes(evidence.classes[evidence.sampled], outputs[0].size, read_as)
    elif target.size != outputs.size:
        return None
    elif evidence.classes is not None or read_as in ("binary logits", "probabilities"):
        found = _of_sides(target.reshape(len(target), -1), read_as)
    elif read_as == "values":
        found = _of_values(target.reshape(len(target), -1).astype(np.float64))
    if found is None:
        return None
    copied = None if found.copied is None else found.copied.reshape(shape)
    exact, sound, wrong = (a.reshape(shape) for a in (found.exact, found.sound, found.wrong))
    return Answers(exact, sound, wrong, copied)


def _of_values(exact: Array) -> Answers:
    """Numbers, and numbers that are off by a twentieth of their deviation."""
    noise = normals(exact.shape, "errors")
    noise = np.where(np.abs(noise) < 0.5, np.sign(noise) + noise, noise)
    spread = exact.std(axis=0)
    return Answers(exact, exact + 0.05 * spread * noise, exact + 3 * spread)


def _of_classes(labels: Array, count: int, read_as: str) -> Answers | None:
    """An output for each class: all for one of them, and four fifths."""
    if labels.max() >= count:
        return None
    hot = np.eye(count)[labels]
    share = np.where(hot == 1, 0.8, 0.2 / (count - 1))
    reads_logs = read_as in ("logits", "scores", "log-probabilities")
    exact = np.log(np.maximum(hot, 1e-30)) if reads_logs else hot
    return Answers(exact, np.log(share) if reads_logs else share, np.roll(exact, 1, axis=1), hot)


def _of_sides(target: Array, read_as: str) -> Answers | None:
    """Outputs that are one of two each: 0 and 1, or -1 and +1."""
    if not np.isin(target, (-1, 0, 1)).all():
        return None
    low = -1.0 if (target < 0).any() else 0.0
    yes = target > 0
    exact = np.where(yes, 1.0, low)
    sound = np.where(yes, 0.8, 0.8 * low + 0.2 * (low == 0))
    if read_as == "binary logits":
        exact = np.where(yes, 30.0, -30.0)
        sound = np.where(yes, np.log(4.0), -np.log(4.0))
    return Answers(exact, sound, exact.max() + exact.min() - exact, yes.astype(np.float64))


def _measured(
    evidence: Evidence, name: str, outputs: Array, some: Array | slice = slice(None)
) -> float | None:
    """A metric of given outputs beside the targets of the sampled examples, or of some of them."""
    case, arrays = evidence.case, evidence.arrays
    assert arrays is not None
    target = arrays.target[evidence.sampled][some]
    measures = Measures(case.loss, {name: make_metric(name, case.loss, arrays.target)})
    try:
        value = measure_arrays(measures, outputs, target).get(name)
    except ChainruleError:  # it has no meaning for such outputs
        return None
    return None if value is None or not np.isfinite(value) else float(value)


def _reported_losses(evidence: Evidence) -> Iterator[Found]:
    """What somebody printed for each epoch, beside what the run computed."""
    case = evidence.case
    given = (case.reported or {}).get("loss")
    if given is None or case.history is None or "loss" not in case.history or case.engine is None:
        return
    mean = np.asarray(case.history["loss"])
    told = np.asarray(given, np.float64)
    count = min(len(mean), len(told))
    if not count or np.allclose(told[:count], mean[:count], rtol=1e-3):
        return
    last = last_of_epochs(evidence, count)
    for what, values in last.items():
        if np.allclose(told[:count], values, rtol=1e-3, atol=1e-7):
            yield Found(
                f"The loss that is reported for an epoch is that of its {what} alone",
                (
                    f"reported after the first epoch: {told[0]:.6g}",
                    (
                        f"the loss of its {what} is {values[0]:.6g}, and the mean over all of its "
                        f"examples {mean[0]:.6g}"
                    ),
                    f"so it is in {count} of {count} epochs",
                ),
                where="loss",
                fix="Add up the loss of every batch times its size, and divide by the examples",
            )
            return
    yield Found(
        "The loss that is reported is not that of the training",
        (f"reported after the first epoch: {told[0]:.6g}; computed: {mean[0]:.6g}",),
        where="loss",
        confidence=POSSIBLE,
        severity="warning",
    )
