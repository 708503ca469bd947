"""chainrule: a task's step, compiled as `fit` does it, and its session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import chainrule as cr
from benchmarks.contenders.by_hand import mean_square_norm
from benchmarks.contenders.chainrule_step import (
    LOSSES,
    OPTIMIZERS,
    network,
    step_of,
    training_of,
)
from benchmarks.micro import Micro
from benchmarks.task import Array, Cursor, Runner, Task
from benchmarks.workloads import Workload
from chainrule.backends import get_backend
from chainrule.train.engine import Engine
from chainrule.train.plan import LearningRate, Plan
from chainrule.train.run import Moment
from chainrule.train.state import initial_state
from chainrule.train.writing import NEXT


def open_task(
    task: Task,
    arrays: Mapping[str, Array],
    threads: int,
    *,
    backend: str,
    whole: bool = False,
) -> Runner:
    """Begin a task.

    Parameters
    ----------
    task : Task
    arrays : mapping of str to array
    threads : int
    backend : str
    whole : bool
        Train by `chainrule.fit`, with all that it does before and after, where the task is a
        training.
    """
    if whole and isinstance(task, Workload) and not task.per_example:
        return Fit(task, arrays, threads, backend)
    if isinstance(task, Workload) and task.explains:
        return Explained(task, arrays, threads, backend)
    return Session(task, arrays, threads, backend)


class Session(Runner):
    """A compiled step, advanced."""

    def __init__(self, task: Task, arrays: Mapping[str, Array], threads: int, backend: str) -> None:
        self.task, self.arrays = task, arrays
        self.step = step_of(task, arrays)
        program = get_backend(backend).compile(self.step.graph, self.step.wiring, threads)
        self.session = program.open(self.step.state, self.step.data)
        self.cursor = Cursor(arrays["rows"]) if self.step.batch else None
        self.outputs: Mapping[str, Array] = {}

    def run(self, steps: int) -> None:
        self.outputs = {}
        pieces = self.cursor.take(steps) if self.cursor else [np.zeros((steps, 0), np.int64)]
        for rows in pieces:
            advanced = self.session.advance(rows, self.step.fed(len(rows)))
            if advanced.steps < len(rows):
                raise ArithmeticError("A step was not finite")
            self.outputs = advanced.outputs

    def value(self) -> float:
        if isinstance(self.task, Workload) and not self.task.per_example:
            return float(self.outputs["loss"][-1])
        results = [self.outputs[label] for label in self.step.wiring.latest]
        if isinstance(self.task, Micro):
            return self.task.error(results[0], self.arrays)
        return mean_square_norm(results)


class Explained(Runner):
    """`chainrule.explain`, step by step: what a trace says comes next is where the next begins."""

    def __init__(
        self, task: Workload, arrays: Mapping[str, Array], threads: int, backend: str
    ) -> None:
        recipe, source = training_of(task, arrays)
        rows = np.asarray(arrays["rows"], np.int64)
        plan = Plan(rows.size, task.batch, shuffle=False, rows=rows.reshape(-1))
        rate = LearningRate(task.lr)
        self.engine = Engine(recipe, source, plan, rate, get_backend(backend), threads)
        self.state: Mapping[str, Array] = initial_state(recipe, 0, accumulate=False)
        self.step, self.lr = 0, task.lr

    def run(self, steps: int) -> None:
        for _ in range(steps):
            epoch, update = self.engine.plan.locate(self.step)
            rows = self.engine.plan.batches(epoch, update)
            moment = Moment(self.step, epoch, rows, self.lr, self.state, self.engine)
            self.trace = cr.explain(moment)
            labels, values = self.trace.graph.labels, self.trace.values
            self.state = {
                name: values[labels[NEXT + name]] if NEXT + name in labels else before
                for name, before in self.state.items()
            }
            self.step += 1

    def value(self) -> float:
        return float(self.trace["loss"].value)


class Fit(Runner):
    """`chainrule.fit`: the first step by itself, then as many epochs as have so many steps."""

    def __init__(
        self, task: Workload, arrays: Mapping[str, Array], threads: int, backend: str
    ) -> None:
        self.task, self.arrays = task, arrays
        # As what our loaders return, which a training reads where it is.
        cr.data.Dataset(task.name, arrays["x"], arrays["target"]).read_only()
        self.options: dict[str, Any] = {
            "loss": LOSSES[task.loss](),
            "optimizer": OPTIMIZERS[task.optimizer](lr=task.lr),
            "batch_size": task.batch,
            "dtype": task.dtype,
            "backend": backend,
            "threads": threads,
            "shuffle": task.shuffled,
            "drop_last": True,
            "progress": False,
        }
        self.net = network(task)

    def run(self, steps: int) -> None:
        x, target = self.arrays["x"], self.arrays["target"]
        epochs = -(-steps // self.task.steps_per_epoch)
        if steps == 1:
            x, target = x[: self.task.batch], target[: self.task.batch]
        run = cr.fit(self.net, x, target, epochs=epochs, **self.options)
        self.loss = float(run.history["loss"][-1])

    def value(self) -> float:
        return self.loss
