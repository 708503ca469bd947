"""One contender's process: it does what it is told on its standard input, a line of JSON each.

``{"do": "open", "task": ..., "arrays": {name: file}, "whole": false}``
    Read the arrays, begin, take the first step. Answers with the time, on the clock that all
    processes share, when that was done, and the seconds that reading took.
``{"do": "run", "steps": n}``
    Answers with the seconds they took.
``{"do": "value"}``
    What is to be compared.
``{"do": "memory"}``
    The most memory that the process has had, and what of it are the arrays, in bytes.

Run as ``python -m benchmarks.worker CONTENDER THREADS``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.task import Runner, Unsupported
from benchmarks.tasks import task_named


class Worker:
    """What the messages act on."""

    def __init__(self, contender: Contender, threads: int) -> None:
        self.contender = contender
        self.threads = threads
        self.arrays_bytes = 0
        self.runner: Runner

    def open(self, task: str, arrays: dict[str, str], whole: bool) -> dict[str, Any]:
        import numpy as np

        began = time.monotonic()
        loaded = {name: np.load(file) for name, file in arrays.items()}
        reading = time.monotonic() - began
        self.arrays_bytes = sum(array.nbytes for array in loaded.values())
        self.runner = self.contender.open_task(task_named(task), loaded, self.threads, whole=whole)
        self.runner.run(1)
        return {"at": time.monotonic(), "reading": reading}

    def run(self, steps: int) -> dict[str, Any]:
        began = time.perf_counter()
        self.runner.run(steps)
        return {"seconds": time.perf_counter() - began}

    def value(self) -> dict[str, Any]:
        return {"value": self.runner.value()}

    def memory(self) -> dict[str, Any]:
        return {"peak": peak_memory(), "arrays": self.arrays_bytes}


def peak_memory() -> int:
    """The most memory that this process has had, in bytes."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            line = next(line for line in file if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    except (OSError, StopIteration):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak


def main(name: str, threads: str) -> None:
    """Answer until the input ends."""
    if hasattr(os, "sched_setaffinity"):  # as many processors as threads; what else runs, on others
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-int(threads) :])
    # Libraries may print: what they print goes where errors go.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker(CONTENDERS[name], int(threads))
    for line in sys.stdin:
        message = json.loads(line)
        try:
            answer = getattr(worker, message.pop("do"))(**message)
        except Unsupported as reason:
            answer = {"unsupported": str(reason)}
        except Exception as error:  # whatever it is belongs in the table
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
