"""A race: contenders of one task, each in its own process, take turns; and their first steps."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.contenders import CONTENDERS, OURS
from benchmarks.contenders.by_hand import expected
from benchmarks.process import Failed, Worker
from benchmarks.task import Array, Task
from benchmarks.workloads import Workload

PAUSE = 0.05
"""Seconds before a turn, where there are threads: those of OpenBLAS and OpenMP look out for more
work for a while, which takes the processor from who is next."""


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    Parameters
    ----------
    rounds : int
        How many turns each contender has.
    turn : float
        Seconds of one.
    cold : int
        How many first steps are timed.
    """

    rounds: int = 15
    turn: float = 0.2
    cold: int = 3


@dataclass
class Result:
    """What one contender has done.

    Parameters
    ----------
    seconds : list of float
        Of a step, in each round.
    deviations : mapping of int to float
        After so many steps, how far its value was from the right one, as a part of it.
    cold, warm : list of float
        Seconds from the start of its process to the end of its first step; warm with the caches
        that the cold one left.
    memory : int
        Bytes at most, without the data.
    problem : str
        Why there is nothing, or why nothing of it counts.
    """

    seconds: list[float] = field(default_factory=list)
    deviations: dict[int, float] = field(default_factory=dict)
    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    memory: int | None = None
    problem: str = ""


@contextmanager
def saved(task: Task) -> Iterator[tuple[dict[str, str], dict[int, float]]]:
    """A task's arrays in files, and the values to expect."""
    arrays = task.arrays()
    if isinstance(task, Workload):
        right = of_numpy(task, arrays) if task.skip else expected(task, arrays)
    else:
        right = dict.fromkeys(task.tolerances, 0.0)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        files = {}
        for name, array in arrays.items():
            files[name] = str(Path(folder, f"{name}.npy"))
            np.save(files[name], array)
        yield files, right


def of_numpy(task: Task, arrays: Mapping[str, Array]) -> dict[int, float]:
    """What our NumPy backend finds, where nobody has written the formulas by hand."""
    runner = CONTENDERS["chainrule-numpy"].open_task(task, arrays, 1)
    found, done = {}, 0
    for steps in task.tolerances:
        runner.run(steps - done)
        found[steps], done = runner.value(), steps
    return found


@dataclass(frozen=True)
class Entry:
    """Who starts in a race, and with what.

    Parameters
    ----------
    contender : str
    task : Task
    files : mapping of str to str
        Of its arrays.
    right : mapping of int to float
        The values to find, by steps.
    threads : int
    """

    contender: str
    task: Task
    files: Mapping[str, str]
    right: Mapping[int, float]
    threads: int = 1


def race(
    task: Task, names: Sequence[str], settings: Settings, *, threads: int = 1, first: bool = True
) -> dict[str, Result]:
    """Let contenders do a task, taking turns; then time their first steps, if `first`."""
    missing = {name: why for name in names if (why := CONTENDERS[name].missing())}
    with saved(task) as (files, right):
        here = [name for name in names if name not in missing]
        entries = {name: Entry(name, task, files, right, threads) for name in here}
        results = take_turns(entries, settings)
        for name, result in results.items():
            if first and not result.problem:
                time_first_steps(entries[name], settings, result)
    results |= {name: Result(problem=why) for name, why in missing.items()}
    return {name: results[name] for name in names if name in results}


def take_turns(entries: Mapping[str, Entry], settings: Settings) -> dict[str, Result]:
    """Open all entries, check their values, and give each a turn in each round."""
    results = {key: Result() for key in entries}
    with ExitStack() as stack:
        caches = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="caches-")))
        ready = {}
        for key, entry in entries.items():
            worker = Worker(CONTENDERS[entry.contender], entry.threads, caches / key)
            stack.enter_context(worker)
            try:
                worker.ask("open", task=entry.task.name, arrays=dict(entry.files), whole=False)
                compare(worker, entry, results[key])
                ready[key] = worker, steps_in_a_turn(worker, settings.turn)
            except Failed as reason:
                results[key].problem = str(reason)
                if reason.is_choice and entry.contender != OURS:
                    del results[key]
        for number in range(settings.rounds):
            # Not always the same one after the same one: each finds what another has left.
            keys = list(ready)
            first = number % max(len(keys), 1)
            for key in keys[first:] + keys[:first]:
                worker, steps = ready[key]
                if entries[key].threads > 1:
                    time.sleep(PAUSE)
                try:
                    seconds = worker.ask("run", steps=steps)["seconds"]
                except Failed as reason:
                    results[key] = Result(problem=str(reason))
                    del ready[key]
                else:
                    results[key].seconds.append(seconds / steps)
    return results


def compare(worker: Worker, entry: Entry, result: Result) -> None:
    """Take the first steps, and note how far from the right values they lead.

    Raises
    ------
    Failed
        If that is too far.
    """
    task, done = entry.task, 1
    for steps, value in entry.right.items():
        if steps > done:
            worker.ask("run", steps=steps - done)
            done = steps
        found = worker.ask("value")["value"]
        deviation = task.deviation(found, value)
        result.deviations[steps] = deviation
        if not deviation <= task.tolerances[steps]:
            raise Failed(
                f"WRONG: after {steps} steps {found:.9g}, off by {deviation:.1g} of what is right"
            )


def steps_in_a_turn(worker: Worker, seconds: float) -> int:
    """How many steps take so long; the first ones are not counted."""
    steps = 1
    worker.ask("run", steps=steps)
    while True:
        took: float = worker.ask("run", steps=steps)["seconds"]
        if took >= seconds / 2:
            return max(1, round(steps * seconds / took))
        steps = max(2 * steps, min(round(steps * seconds / max(took, 1e-6)), 100 * steps))


def time_first_steps(entry: Entry, settings: Settings, result: Result) -> None:
    """Start anew, with empty caches and with full ones, and see how much memory it takes."""
    contender, arrays = CONTENDERS[entry.contender], dict(entry.files)
    for _ in range(settings.cold):
        with tempfile.TemporaryDirectory(prefix="caches-") as caches:
            for times in (result.cold, result.warm):
                with Worker(contender, entry.threads, Path(caches, "cache")) as worker:
                    try:
                        answer = worker.ask("open", task=entry.task.name, arrays=arrays, whole=True)
                        times.append(answer["at"] - worker.began - answer["reading"])
                        worker.ask("run", steps=3)
                        memory = worker.ask("memory")
                    except Failed as reason:
                        result.problem = f"first step: {reason}"
                        return
                result.memory = max(result.memory or 0, memory["peak"] - memory["arrays"])
                if contender.name != OURS:  # only ours is promised both ways
                    break
        if times[-1] > 5:  # torch.compile; its spread does not matter
            return
