"""How a doctor is examined: what it says of a set-up, when it is asked, and what that counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.explanation.diagnosing.setups.case import BEFORE, Case, Setup

Doctor = Callable[..., Any]
GRAVE = ("error", "warning")


def findings(doctor: Doctor, setup: Setup, when: str) -> tuple[Any, ...]:
    """Ask before training with what `fit` takes, or after it with the run.

    Where `fit` has raised there is no run: it is asked about the network as the error leaves it.
    """
    if when == BEFORE:
        return before(doctor, setup)
    try:
        run = setup.fit()
    except Exception:
        return before(doctor, setup)
    return tuple(doctor(run).findings)


def before(doctor: Doctor, setup: Setup) -> tuple[Any, ...]:
    """Ask with what `fit` takes, but for what only looks on while it trains."""
    options = {key: value for key, value in setup.options.items() if key != "callbacks"}
    return tuple(doctor(setup.net, setup.x, setup.y, **options).findings)


def missed(doctor: Doctor, case: Case) -> list[str]:
    """The moments at which a broken set-up's finding is not named, with what was said instead."""
    answers = {when: findings(doctor, case.make(), when) for when in case.looked_at}
    return [
        f"{case.name} {when}: {case.finding} is not among {sorted({f.name for f in said})}"
        for when, said in answers.items()
        if case.finding not in {finding.name for finding in said}
    ]


def false_alarms(doctor: Doctor, case: Case, **how: bool) -> list[str]:
    """What is said, as an error or a warning, of a set-up that does not have it."""
    return [
        f"{case.name} {when}: {finding.name} ({finding.severity})"
        for when in case.looked_at
        for finding in findings(doctor, case.make(**how), when)
        if finding.severity in GRAVE and finding.name not in case.also
    ]


def share_named(doctor: Doctor, cases: Iterable[Case]) -> tuple[float, list[str]]:
    """The share of the broken that are named at every moment they are looked at; the others."""
    answers = [missed(doctor, case) for case in cases]
    return sum(not a for a in answers) / len(answers), [line for a in answers for line in a]


def all_false_alarms(
    doctor: Doctor, healthy: Iterable[Case], broken: Iterable[Case]
) -> Iterator[str]:
    """Those of the healthy, and of the broken where the fault is taken out."""
    for case in healthy:
        yield from false_alarms(doctor, case)
    for case in broken:
        if case.can_be_mended:
            yield from false_alarms(doctor, case, mended=True)
