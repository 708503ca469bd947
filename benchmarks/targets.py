"""What is to be reached, and the rows that say whether it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.contenders import OURS
from benchmarks.micro import FUNCTIONS, PRODUCTS
from benchmarks.race import Result
from benchmarks.rows import Row, Spread, geometric_mean, ratios

NUMPY = ("numpy", "numpy-tuned")
TORCH = ("torch", "torch-tuned")
PEERS = (*NUMPY, "jax", "jax-jit", *TORCH, "torch-compile")


@dataclass(frozen=True)
class Target:
    """A bound on ours ÷ the fastest of some.

    Parameters
    ----------
    of : tuple of str
        Names of contenders.
    limit : float
    """

    of: tuple[str, ...]
    limit: float


TARGETS = {
    "w1": [Target(("jax",), 0.8)],
    "w2": [Target(("jax",), 0.8)],
    "w3": [Target(("jax",), 0.4), Target(TORCH, 0.07), Target(NUMPY, 0.35)],
    "w4": [Target(("jax", "jax-jit", *TORCH, "torch-compile"), 0.85)],
    "w9": [Target(PEERS, 0.75)],
    "w10": [Target(("jax-jit", *TORCH), 0.85)],
    # A product of 0.9 times their speed takes 1/0.9 of their time.
    **{
        name: [Target((*NUMPY, "torch"), 1 / (1.15 if product.is_small else 0.9))]
        for name, product in PRODUCTS.items()
    },
    **{name: [Target(TORCH, 1.1)] for name in FUNCTIONS},
}
WARM_START, COLD_START = 0.35, 1.5
"""Seconds from the start of a process to the end of its first step."""
MEMORY = 0.5
"""Of what torch takes at most."""
VARIANT = 1.3
"""Time for an operation, of that in the plain workload."""
FINITE = 2.0
"""Percent that the check for finite numbers may take."""
EXPLAINED = 3.0
"""Steps that one takes of which all values are captured."""
CHECK = 50.0
"""Milliseconds for a learner's gradients of a network 2-3-1."""
CHECK_PAIR = 4000.0
"""Milliseconds for two mistakes in 784-512-512-10, of which one gradient is handed in."""
CHECK_NONE = 8000.0
"""The same where no mistake explains it."""
MEAN = 1.0
"""Geometric mean over all products, and over all functions."""
SCALING = 0.85
"""Of the speed-up by a second thread that nothing but arithmetic has."""
COMMAND_LINE = 3.0
"""Seconds for 30 epochs of MNIST."""


def race_rows(task: str, results: Mapping[str, Result], *, threads: int = 1) -> list[Row]:
    """A row for each contender, with the targets beside the one that each is about.

    The fastest of those that a target names is the one with the least median.
    """
    ours = results[OURS]
    work = task if threads == 1 else f"{task}, {threads} threads"
    rows = {name: _plain_row(work, name, result) for name, result in results.items()}
    for name, row in rows.items():
        if name != OURS and row.step is not None and ours.seconds and not ours.problem:
            figure = Spread.of(ratios(ours.seconds, results[name].seconds))
            rows[name] = replace(row, figure=figure)
    unjudged = []
    for target in TARGETS[task] if threads == 1 else []:
        steps = {n: s.median for n in target.of if n in rows and (s := rows[n].step) is not None}
        if not steps or rows[OURS].step is None:
            why = "none of them has a figure" if rows[OURS].step else "ours has none"
            names = " or ".join(target.of)
            unjudged.append(Row(work, f"best of {names}", limit=target.limit, note=why))
            continue
        fastest = min(steps, key=steps.__getitem__)
        rows[fastest] = replace(rows[fastest], limit=target.limit)
    return [*rows.values(), *unjudged, *_process_rows(work, results)]


def _plain_row(work: str, name: str, result: Result) -> Row:
    return Row(
        work,
        name,
        step=Spread.of(result.seconds) if result.seconds else None,
        first=Spread.of(result.cold) if result.cold else None,
        warm=Spread.of(result.warm) if result.warm else None,
        memory=result.memory,
        rounds=tuple(result.seconds),
        deviations=result.deviations,
        note=result.problem,
    )


def _process_rows(work: str, results: Mapping[str, Result]) -> list[Row]:
    """First steps and memory, of a race that looked at them."""
    ours, made = results[OURS], []
    for what, times, limit in (
        ("first step, full cache", ours.warm, WARM_START),
        ("first step, empty cache", ours.cold, COLD_START),
    ):
        if times:
            made.append(Row(work, what, figure=Spread.of(times), unit="s", limit=limit))
    torch = [m for name in TORCH if name in results and (m := results[name].memory)]
    if ours.memory and torch:
        part = ours.memory / min(torch)
        made.append(Row(work, "memory ÷ torch's", figure=Spread.of([part]), limit=MEMORY))
    return made


def summary(rows: Sequence[Row]) -> list[Row]:
    """The geometric mean of our time ÷ theirs over all rows with a target."""
    found = [r.figure.median for r in rows if r.limit is not None and r.figure is not None]
    if not found:
        return []
    figure = Spread.of([geometric_mean(found)])
    return [Row(f"all {len(found)}", "geometric mean", figure=figure, limit=MEAN)]
