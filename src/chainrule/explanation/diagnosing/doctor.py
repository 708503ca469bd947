"""doctor: ask every rule about a training, and fold what follows under its cause."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from chainrule.base.errors import ChainruleError, ConfigurationError
from chainrule.explanation.diagnosing import rules as _rules  # noqa: F401  they register
from chainrule.explanation.diagnosing.case import Case, of_run, set_up
from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.explanation.diagnosing.finding import Diagnosis, Finding
from chainrule.explanation.diagnosing.folding import fold
from chainrule.explanation.diagnosing.rule import RULES, Needs
from chainrule.nn.metrics import Definition
from chainrule.nn.penalties import Penalty
from chainrule.optim import Optimizer, ReduceLROnPlateau, Schedule
from chainrule.train.run import Run

EVERYTHING: tuple[Needs, ...] = ("nothing", "data", "step", "trials", "run")


def doctor(
    what: Any,
    x: Any = None,
    y: Any = None,
    *,
    loss: Any = "MSELoss",
    optimizer: Optimizer | None = None,
    batch_size: int = 32,
    epochs: int | None = None,
    validation: tuple[Any, ...] | None = None,
    validation_split: float | None = None,
    metrics: Sequence[str | Definition] = (),
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | Sequence[float] | None = None,
    accumulate: int = 1,
    drop_last: bool = False,
    schedule: Schedule | ReduceLROnPlateau | None = None,
    penalty: Penalty | Sequence[Penalty] | None = None,
    dtype: object = "float32",
    seed: int = 0,
    shuffle: bool = True,
    reported: Mapping[str, Sequence[float]] | None = None,
) -> Diagnosis:
    """Say what is wrong with a training, where it began, and what to change.

    Parameters
    ----------
    what : Module or Run
        A network, with the data and all else that `fit` would be given: it looks at the data, the
        loss, a captured step and some trial steps, all on copies. Or a run: then at its history,
        its first state and its last, too. Nothing is changed.
    x, y : arrays
        As `fit` takes them.
    loss, optimizer, batch_size, validation, validation_split, metrics, sample_weight, \
class_weight, accumulate, drop_last, schedule, penalty, dtype, seed, shuffle
        As `fit` takes them. Beside a run only `validation` has a meaning, for what the run was
        validated on.
    epochs : int, optional
        How many there are to be: it says whether a learning rate is too small for them.
    reported : mapping of str to sequence of float, optional
        What somebody else printed for each epoch of this run, such as ``{"loss": [...]}``: it is
        compared with what the run computed.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ShapeError, TargetError, DataError, ConfigurationError
        As `fit` does, for what no training could be. What a rule has a name for is no error here:
        it is a finding.
    ReplayError
        If a run's data is not there.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> from chainrule import nn
    >>> x, y = np.zeros((4, 2)), np.zeros((4, 1))
    >>> net = nn.Sequential(nn.Linear(2, 1))
    >>> "no-update" in cr.doctor(net, x, y, batch_size=8, drop_last=True)
    True
    """
    options: dict[str, Any] = {
        "loss": loss,
        "optimizer": optimizer,
        "batch_size": batch_size,
        "epochs": epochs,
        "validation_split": validation_split,
        "metrics": metrics,
        "sample_weight": sample_weight,
        "class_weight": class_weight,
        "accumulate": accumulate,
        "drop_last": drop_last,
        "schedule": schedule,
        "penalty": penalty,
        "dtype": dtype,
        "seed": seed,
        "shuffle": shuffle,
    }
    if isinstance(what, Run):
        _check_alone({"x": x, "y": y, **options})
        return diagnose(of_run(what, validation, reported=reported))
    case = set_up(what, x, y, **options, validation=validation, reported=reported)
    return diagnose(case)


def _check_alone(given: Mapping[str, Any]) -> None:
    """Raise ConfigurationError where a run is looked at with options of another."""
    parameters = inspect.signature(doctor).parameters
    for name, value in given.items():
        default = parameters[name].default
        if value is default or (isinstance(value, str | int | tuple) and value == default):
            continue
        raise ConfigurationError(
            f"doctor got a run, and {name} with it",
            advice="A run knows its data and how it was trained: cr.doctor(run)",
        )


def diagnose(
    case: Case, needs: Collection[Needs] = EVERYTHING, evidence: Evidence | None = None
) -> Diagnosis:
    """Ask the rules that read these kinds of evidence.

    Raises
    ------
    ChainruleError
        The one with which `fit` would refuse, if no rule has a name for it.
    """
    evidence = Evidence(case) if evidence is None else evidence
    evidence.capture()
    findings: list[Finding] = []
    asked = 0
    for rule in RULES.values():
        if rule.needs in needs and _is_there(evidence, rule.needs):
            asked += 1
            findings += rule.findings(evidence)
    if case.refusal is not None and not any(_names(f, case.refusal) for f in findings):
        raise case.refusal
    return Diagnosis(fold(findings), evidence.looked_at(), asked)


def _is_there(evidence: Evidence, needs: Needs) -> bool:
    if needs == "nothing":
        return True
    if needs == "data":
        return evidence.arrays is not None
    if needs == "step":
        return evidence.trace is not None
    if needs == "trials":
        return evidence.has_trials
    return evidence.case.history is not None


def _names(finding: Finding, refusal: ChainruleError) -> bool:
    """Whether a finding says what `fit` refuses."""
    return finding.severity == "error"
