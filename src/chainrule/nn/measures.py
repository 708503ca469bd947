"""Measures: the loss and the metrics of outputs beside targets, batch by batch, then of all.

Training sums them in the graph of its step, evaluation over batches; both sum, for each example,
what is said here, and both make the same numbers of the sums.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from chainrule.eager import Tensor, where
from chainrule.eager.tensor import Array
from chainrule.eager.trees import leaves, rebuild
from chainrule.graph import DType
from chainrule.nn.losses.loss import Loss, combined_weights
from chainrule.nn.metrics import Mean, Metric, OfAll, make_metric

LOSS = "loss"


@dataclass(frozen=True)
class Measured:
    """What is known of the examples of a batch.

    Parameters
    ----------
    costs : Tensor of shape (B,)
    statistics : mapping of str to Tensor of shape (B, ...)
        Of each metric that is read off a mean.
    cost_weights : Tensor of shape (B,), or None
        Sample weights times the loss's own; None: all 1.
    weights : Tensor of shape (B,), or None
        What counts for metrics: sample weights, 0 for examples that the loss ignores.
    kept : mapping of str to Tensor of shape (B, ...)
        What metrics of all examples need of each; in evaluation.
    """

    costs: Tensor
    statistics: Mapping[str, Tensor]
    cost_weights: Tensor | None
    weights: Tensor | None
    kept: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Measures:
    """A loss, and metrics beside it.

    Parameters
    ----------
    loss : Loss
    metrics : mapping of str to Metric
    """

    loss: Loss
    metrics: Mapping[str, Metric] = field(default_factory=dict)

    @classmethod
    def of(cls, loss: Loss, metrics: Iterable[str], target: Array) -> Measures:
        """A loss, and metrics by name, beside targets like these.

        Raises
        ------
        NameNotFoundError, TargetError
            If no metric has such a name, or one has no meaning for them.
        """
        return cls(loss, {name: make_metric(name, loss, target) for name in metrics})

    def of_batch(self, output: Any, target: Any, given: Tensor | None = None) -> Measured:
        """Measure the examples of a batch of training, with their sample weights [B].

        It is in the network's dtype. A NaN in the outputs makes the loss NaN, and such a step is
        not taken: no metric has to look for it.
        """
        costs = self.loss(output, target)
        return self._measured(costs, output, target, given)

    def of_evaluated(self, output: Any, target: Any, costs: Tensor | None = None) -> Measured:
        """Measure the examples of a batch of evaluation: metrics in float64, whatever the network.

        A NaN among the outputs of an example makes what is known of it NaN.

        Parameters
        ----------
        output, target
        costs : Tensor of shape (B,), optional
            By default the loss's.
        """
        costs = self.loss(output, target) if costs is None else costs
        outputs = _in_float64(output)
        measured = self._measured(costs, outputs, target, None)
        kept = {name: metric.read(outputs, target) for name, metric in self.of_all.items()}
        is_nan = _has_nan(outputs)
        statistics = {
            name: _masked(is_nan, math.nan, values.astype(DType.F64))
            for name, values in measured.statistics.items()
        }
        kept = {name: _masked(is_nan, math.nan, values) for name, values in kept.items()}
        return Measured(costs, statistics, measured.cost_weights, measured.weights, kept)

    def _measured(self, costs: Tensor, output: Any, target: Any, given: Tensor | None) -> Measured:
        counted = self.loss.counted(target)
        statistics = {}
        for name, metric in self.metrics.items():
            if isinstance(metric, Mean):
                values = metric.statistics(output, target)
                # Not a weight of 0 alone: what has no meaning may be NaN.
                ignored = None if counted is None else ~counted
                statistics[name] = values if ignored is None else _masked(ignored, 0, values)
        weights = combined_weights(costs.type.dtype, given, counted)
        own = self.loss.example_weights(target)
        cost_weights = weights if own is None else combined_weights(costs.type.dtype, weights, own)
        return Measured(costs, statistics, cost_weights, weights)

    @property
    def of_all(self) -> dict[str, OfAll]:
        """The metrics that need all examples at once."""
        return {name: m for name, m in self.metrics.items() if isinstance(m, OfAll)}

    def check(self, target: Array, width: int | None) -> None:
        """Raise TargetError if a metric has no meaning for a set with these targets.

        Parameters
        ----------
        target : array of shape (N, ...)
            Those that the loss counts (`counted_targets`).
        width : int or None
            The outputs' axis behind that of the batch.
        """
        for metric in self.metrics.values():
            metric.check(target, width)

    def values(self, means: Mapping[str, Any]) -> dict[str, float]:
        """What the weighted means of costs and statistics come to, by name."""
        return {name: self._value(name, np.asarray(mean)) for name, mean in means.items()}

    def _value(self, name: str, mean: Array) -> float:
        if name == LOSS:
            return float(mean) if self.loss.is_mean else self.loss.finish(Tensor(mean)).item()
        metric = self.metrics.get(name)
        return float(metric.value(mean)) if isinstance(metric, Mean) else float(mean)


class Tally:
    """Sums over batches, in float64.

    Parameters
    ----------
    measures : Measures
    """

    def __init__(self, measures: Measures) -> None:
        self.measures = measures
        self._totals: dict[str, Array] = {}
        self._weights: dict[str, float] = {}
        self._examples: dict[str, list[tuple[Array, Array, Array]]] = {}

    def add(self, batch: Mapping[str, Any], target: Array, weights: Array) -> None:
        """Add a batch.

        Parameters
        ----------
        batch : mapping of str to array
            What `Measures.of_evaluated` says of it.
        target, weights : array
            Its targets and its sample weights.
        """
        self._sum(LOSS, batch["costs"], weights * batch.get("cost_weights", 1.0))
        counts = weights * batch.get("weights", 1.0)
        for name, values in batch["statistics"].items():
            self._sum(name, values, counts)
        for name, values in batch["kept"].items():
            self._examples.setdefault(name, []).append((values, target, counts))

    def _sum(self, name: str, values: Array, weights: Array) -> None:
        counted = weights != 0  # 0 times NaN is NaN, and these are not there
        total = np.tensordot(weights[counted], values[counted], 1)
        self._totals[name] = self._totals.get(name, 0.0) + total
        self._weights[name] = self._weights.get(name, 0.0) + float(weights.sum())

    def values(self) -> dict[str, float]:
        """The loss and the metrics of all examples, in the order they were asked for."""
        means = {
            name: total / self._weights[name] if self._weights[name] else total * math.nan
            for name, total in self._totals.items()
        }
        found = self.measures.values(means)
        found |= {name: self._of_all(name, metric) for name, metric in self.measures.of_all.items()}
        return {name: found[name] for name in (LOSS, *self.measures.metrics)}

    def _of_all(self, name: str, metric: OfAll) -> float:
        columns = [np.concatenate(parts) for parts in zip(*self._examples[name], strict=True)]
        counted = columns[-1] > 0
        kept, target, weights = (column[counted] for column in columns)
        if not len(kept) or np.isnan(kept).any():
            return math.nan
        return float(metric.value(kept, target, weights))


def measure_arrays(measures: Measures, outputs: Array, target: Array) -> dict[str, float]:
    """The metrics of outputs [N, ...] beside targets [N, ...], each example counting once.

    There is no loss among them: the numbers need not be those that it is of.
    """
    none = Tensor(np.zeros(len(target)))
    found = measures.of_evaluated(Tensor(outputs), Tensor(target), none)
    tally = Tally(measures)
    columns = {name: value for name, value in vars(found).items() if value is not None}
    arrays = (leaf.numpy() for _, leaf in leaves(columns, open_modules=False))
    tally.add(rebuild(columns, arrays, open_modules=False), target, np.ones(len(target)))
    return {name: value for name, value in tally.values().items() if name != LOSS}


def _in_float64(output: Any) -> Any:
    found = [leaf for _, leaf in leaves(output, open_modules=False)]
    wide = (leaf.astype(DType.F64) if _is_float(leaf) else leaf for leaf in found)
    return rebuild(output, wide, open_modules=False)


def _is_float(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.type.dtype.is_float


def _has_nan(output: Any) -> Tensor | None:
    """Whether an example has an output that is NaN, bool[B]; None: outputs are no floats."""
    found = [leaf for _, leaf in leaves(output, open_modules=False) if _is_float(leaf)]
    each = [(leaf != leaf).reshape(leaf.shape[0], -1).any(axis=1) for leaf in found]
    return reduce(operator.or_, each) if each else None


def _masked(marked: Tensor | None, value: float, values: Tensor) -> Tensor:
    """`values` [B, ...], and `value` for the examples that are marked, bool[B]."""
    if marked is None:
        return values
    return where(marked.reshape(-1, *(1,) * (values.ndim - 1)), value, values)
