"""``python -m benchmarks``, or ``make bench``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.live import Live
from rich.text import Text

from benchmarks import comparisons, machine, report, targets
from benchmarks.checking import checked_rows
from benchmarks.command_line import mnist_row
from benchmarks.contenders import CONTENDERS, OURS
from benchmarks.micro import FUNCTIONS, PRODUCTS
from benchmarks.race import Settings, race
from benchmarks.rows import Row
from benchmarks.workloads import WORKLOADS

RESULTS = Path("build", "benchmarks", "latest.json")
QUICK = Settings(rounds=5, turn=0.05, cold=1)
WITH_TWO_THREADS = ("w3", "w4", "w9")

app = App(name="benchmarks", help="How fast chainrule is, beside others on the same work.")
Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative=())]


@app.default
def run(
    *,
    work: Names = (),
    against: Names = (),
    rounds: int | None = None,
    quick: bool = False,
    threads: int = 0,
    to: Path = RESULTS,
) -> None:
    """Measure, and print one table.

    Parameters
    ----------
    work
        What to measure: w1, w2, w3, w4, w9, w10; sgemm, elementwise; variants (odd shapes, skips),
        finite (the check), fit (beside a session), explain (a step with all its values), check (a
        learner's gradients), scaling (a second thread), mnist (the command line). All by default.
    against
        Contenders beside chainrule; all by default.
    rounds
        How many turns each contender has.
    quick
        Few rounds and short turns: to see that it works, not what is fast.
    threads
        1 or 2; by default one, then two.
    to
        The file for all figures, as JSON.
    """
    unknown = [name for name in work if name not in PARTS]
    unknown += [name for name in against if name not in CONTENDERS]
    if unknown:
        known = ", ".join([*PARTS, *CONTENDERS])
        raise SystemExit(f"There is no {', '.join(unknown)}; there are {known}")
    settings = QUICK if quick else Settings()
    settings = settings if rounds is None else Settings(rounds, settings.turn, settings.cold)
    names = [OURS, *(n for n in CONTENDERS if n != OURS and (not against or n in against))]
    console = Console() if Console().is_terminal else Console(width=180)
    described = machine.description()
    rows: list[Row] = []
    with Live(console=console, transient=True, auto_refresh=False) as live:
        for part in PARTS if not work else [part for part in PARTS if part in work]:
            live.update(Text(f"{part} ..."), refresh=True)
            for row in _rows(part, names, settings, threads):
                rows.append(row)
                live.update(Text(f"{part} ... {row.work}: {row.what}"), refresh=True)
            described["load after"] = machine.load()
            report.save(rows, described, asdict(settings), to)
    report.show(rows, described, console)
    console.print(f"All figures: {to}")


PARTS = (
    *WORKLOADS,
    "sgemm",
    "elementwise",
    "variants",
    "finite",
    "fit",
    "explain",
    "check",
    "scaling",
    "mnist",
)


def _rows(part: str, names: list[str], settings: Settings, threads: int) -> Iterator[Row]:
    if part in WORKLOADS:
        if threads != 2:
            yield from targets.race_rows(part, race(WORKLOADS[part], names, settings))
        if threads == 2 or (threads == 0 and part in WITH_TWO_THREADS and _cores() > 1):
            found = race(WORKLOADS[part], names, settings, threads=2, first=False)
            yield from targets.race_rows(part, found, threads=2)
    elif part == "sgemm":
        yield from _operations(list(PRODUCTS), [n for n in names if n in MULTIPLY], settings)
    elif part == "elementwise":
        yield from _operations(list(FUNCTIONS), [n for n in names if n in CALCULATE], settings)
    elif part == "variants":
        for name in WORKLOADS:
            yield from comparisons.variant_rows(name, settings)
    elif part == "finite":
        for name in ("w3", "w4", "w9"):
            yield comparisons.finite_row(name, settings)
    elif part == "fit":
        for name, workload in WORKLOADS.items():
            if not workload.per_example:
                yield comparisons.fit_row(name, settings)
    elif part == "explain":
        for name in ("w3", "w4", "w9"):
            yield comparisons.explained_row(name, settings)
    elif part == "check":
        yield from checked_rows(settings)
    elif part == "scaling":
        yield from comparisons.scaling_rows("w4", settings)
    elif part == "mnist":
        yield mnist_row(settings.cold)


MULTIPLY = (OURS, "numpy", "numpy-tuned", "torch")
CALCULATE = (OURS, "torch", "torch-tuned")


def _operations(tasks: list[str], names: list[str], settings: Settings) -> Iterator[Row]:
    """Races in one operation each, and their geometric mean."""
    known = {**PRODUCTS, **FUNCTIONS}
    rows = []
    for name in tasks:
        found = targets.race_rows(name, race(known[name], names, settings, first=False))
        rows += found
        yield from found
    yield from targets.summary(rows)


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@app.command
def profile(*tasks: str, slowest: int = 0, repeats: int = 15) -> None:
    """Time each native kernel of a task's step.

    Parameters
    ----------
    tasks
        Such as w4, exp or "sgemm 512x512x512 nt".
    slowest
        Show only so many, the slowest first; 0: all, in the order in which they run.
    repeats
        Of how many runs the fastest is shown.
    """
    from benchmarks import profile as profiling

    console = Console() if Console().is_terminal else Console(width=130)
    for name in tasks:
        kernels = profiling.profile(name, repeats=repeats)
        whole = profiling.whole_step(name, repeats)
        profiling.show(name, kernels, whole, console, slowest=slowest)


if __name__ == "__main__":
    app()
