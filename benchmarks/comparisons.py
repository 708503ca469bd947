"""chainrule beside itself: odd shapes, skips, the finite check, traces, a second thread."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import Path

from benchmarks.contenders import CONTENDERS, OURS
from benchmarks.contenders.chainrule_step import step_of
from benchmarks.machine import FusedLoop
from benchmarks.process import Failed, Worker
from benchmarks.race import Entry, Result, Settings, saved, take_turns
from benchmarks.race import steps_in_a_turn as steps_in
from benchmarks.rows import Row, Spread, ratios
from benchmarks.targets import EXPLAINED, FINITE, SCALING, VARIANT
from benchmarks.workloads import WORKLOADS, Workload
from chainrule.graph import Graph
from chainrule.ops import bind
from chainrule.ops.contract import Contract
from chainrule.rewrite import eliminate_dead_nodes, expand_composites

MOVES = {"reshape", "transpose", "broadcast", "slice", "flip", "constant", "iota", "input", "cast"}
"""Ops that calculate nothing."""


def variant_rows(name: str, settings: Settings) -> Iterator[Row]:
    """Time for each operation of a workload's variants, ÷ that of the workload."""
    plain = WORKLOADS[name]
    per_step = operations(plain)
    for variant in plain.variants():
        ours, theirs = _pair(variant, plain, settings)
        row = Row(name, f"time an operation, {variant.name.partition('/')[2]}", limit=VARIANT)
        if problem := ours.problem or theirs.problem:
            yield replace(row, note=problem)
            continue
        factor = per_step / operations(variant)
        found = [factor * ratio for ratio in ratios(ours.seconds, theirs.seconds)]
        yield replace(row, step=Spread.of(ours.seconds), figure=Spread.of(found))


def finite_row(name: str, settings: Settings) -> Row:
    """What the check for numbers that are not finite takes, in percent of a step without it."""
    checked, unchecked = _pair(WORKLOADS[name], WORKLOADS[name].unchecked(), settings)
    row = Row(name, "the finite check", unit="%", limit=FINITE)
    if problem := checked.problem or unchecked.problem:
        return replace(row, note=problem)
    found = [100 * (ratio - 1) for ratio in ratios(checked.seconds, unchecked.seconds)]
    return replace(row, step=Spread.of(checked.seconds), figure=Spread.of(found))


def fit_row(name: str, settings: Settings) -> Row:
    """A step of `fit`, with all that it does before, between and after, ÷ a session's."""
    task = WORKLOADS[name]
    row = Row(name, "a step of fit ÷ a session's")
    with saved(task) as (files, _), tempfile.TemporaryDirectory() as caches:
        fit, session = (
            Worker(CONTENDERS[OURS], 1, Path(caches, name)) for name in ("fit", "session")
        )
        with fit, session:
            try:
                for worker, whole in ((fit, True), (session, False)):
                    worker.ask("open", task=name, arrays=files, whole=whole)
                epochs = -(-steps_in(fit, settings.turn) // task.steps_per_epoch)
                steps = epochs * task.steps_per_epoch
                seconds: tuple[list[float], list[float]] = ([], [])
                for _ in range(settings.rounds):
                    for worker, found in zip((fit, session), seconds, strict=True):
                        found.append(worker.ask("run", steps=steps)["seconds"] / steps)
            except Failed as reason:
                return replace(row, note=str(reason))
    figure = Spread.of(ratios(*seconds))
    return replace(row, step=Spread.of(seconds[0]), figure=figure, note=f"{epochs} epochs at once")


def explained_row(name: str, settings: Settings) -> Row:
    """A step that `explain` captures with all its values, ÷ a session's."""
    explained, plain = _pair(WORKLOADS[name].explained(), WORKLOADS[name], settings)
    limit = EXPLAINED if name == "w4" else None
    row = Row(name, "a step captured by explain ÷ a session's", limit=limit)
    if problem := explained.problem or plain.problem:
        return replace(row, note=problem)
    figure = Spread.of(ratios(explained.seconds, plain.seconds))
    return replace(row, step=Spread.of(explained.seconds), figure=figure)


def scaling_rows(name: str, settings: Settings) -> Iterator[Row]:
    """How much faster two threads are, beside how much faster two are in registers alone."""
    task, contender, loop = WORKLOADS[name], CONTENDERS[OURS], FusedLoop()
    row = Row(name, "that speed-up ÷ the loop's", limit=SCALING, at_least=True)
    alone, together = [], []
    with saved(task) as (files, _), tempfile.TemporaryDirectory() as caches:
        one, two = (Worker(contender, n, Path(caches, str(n))) for n in (1, 2))
        with one, two:
            try:
                for worker in (one, two):
                    worker.ask("open", task=name, arrays=files, whole=False)
                steps = steps_in(one, settings.turn)
                for _ in range(settings.rounds):
                    single, double = (w.ask("run", steps=steps)["seconds"] for w in (one, two))
                    together.append(single / double)
                    alone.append(loop.rate(2) / loop.rate(1))
            except Failed as reason:
                yield replace(row, note=str(reason))
                return
    yield Row(name, "speed-up by a second thread", figure=Spread.of(together))
    yield Row("a register loop", "speed-up by a second thread", figure=Spread.of(alone))
    yield replace(row, figure=Spread.of(ratios(together, alone)))


def operations(task: Workload) -> int:
    """How much a step calculates: two for each term of a product, one for each other element."""
    return operations_of(step_of(task, task.arrays()).graph)


def operations_of(graph: Graph) -> int:
    """How much a graph calculates."""
    graph = eliminate_dead_nodes(expand_composites(graph).graph).graph
    total = 0
    for node in graph.nodes:
        if node.op in MOVES:
            continue
        op, shapes = bind(node.op, node.attributes), [graph.nodes[i].shape for i in node.inputs]
        if isinstance(op, Contract):
            total += 2 * prod(node.shape) * prod(shapes[0][axis] for axis in op.a_over)
        else:
            total += max(map(prod, [node.shape, *shapes]))
    return total


def _pair(first: Workload, second: Workload, settings: Settings) -> tuple[Result, Result]:
    """A race of ours with ours."""
    with saved(first) as (a, right_a), saved(second) as (b, right_b):
        entries = {"a": Entry(OURS, first, a, right_a), "b": Entry(OURS, second, b, right_b)}
        found = take_turns(entries, settings)
    return found["a"], found["b"]
