"""All tasks, by name."""

from __future__ import annotations

from benchmarks.micro import FUNCTIONS, PRODUCTS
from benchmarks.task import Task
from benchmarks.workloads import WORKLOADS


def task_named(name: str) -> Task:
    """The task of this name; after a ``/`` comes what is different from the workload before it.

    Raises
    ------
    KeyError
        If there is none.
    """
    known: dict[str, Task] = {**WORKLOADS, **PRODUCTS, **FUNCTIONS}
    plain, _, difference = name.partition("/")
    if difference:
        workload = WORKLOADS[plain]
        others = (*workload.variants(), workload.unchecked(), workload.explained())
        known |= {each.name: each for each in others}
    return known[name]
