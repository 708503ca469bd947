"""gcc -O3: the smallest network by hand in C, for what a processor can do at all."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.task import Array, Runner, Task, Unsupported
from benchmarks.workloads import WORKLOADS, Workload

SOURCE = Path(__file__).with_name("mazur.c")


def open_task(task: Task, arrays: Mapping[str, Array], threads: int) -> Runner:
    """Compile the network, and begin."""
    if task != WORKLOADS["w1"]:
        raise Unsupported("It is written for w1")
    assert isinstance(task, Workload)
    return Compiled(task, arrays)


class Compiled(Runner):
    """A shared library with the training in it."""

    def __init__(self, task: Workload, arrays: Mapping[str, Array]) -> None:
        pointer = np.ctypeslib.ndpointer(np.float64, flags="C")
        with tempfile.TemporaryDirectory() as folder:
            library = str(Path(folder, "mazur.so"))
            options = ["-O3", "-march=native", "-shared", "-fPIC"]
            subprocess.run(["gcc", *options, str(SOURCE), "-lm", "-o", library], check=True)
            self._train = ctypes.CDLL(library).train
        self._train.restype = ctypes.c_double
        self._train.argtypes = [ctypes.c_long, *[pointer] * 6, ctypes.c_double]
        (v, b), (w, c) = task.layers()
        x, target = (np.ascontiguousarray(arrays[name][0]) for name in ("x", "target"))
        self._arguments = v, w, b, c, x, target, task.lr
        self._loss = float("nan")

    def run(self, steps: int) -> None:
        self._loss = self._train(steps, *self._arguments)

    def value(self) -> float:
        return self._loss
