"""Measures: the loss and the metrics of outputs beside targets, batch by batch, then of all.

Training sums them in the graph of its step, evaluation over batches; both sum, for each example,
what is said here, and both make the same numbers of the sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.eager import Tensor
from chainrule.eager.tensor import Array
from chainrule.nn.losses.loss import Loss, combined_weights
from chainrule.nn.metrics import Mean, Metric, OfAll

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
    """

    costs: Tensor
    statistics: Mapping[str, Tensor]
    cost_weights: Tensor | None
    weights: Tensor | None


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

    def of_batch(self, output: Any, target: Any, given: Tensor | None = None) -> Measured:
        """Measure the examples of a batch, with their sample weights [B]."""
        costs = self.loss(output, target)
        found = {
            name: metric.statistics(output, target)
            for name, metric in self.metrics.items()
            if isinstance(metric, Mean)
        }
        weights = combined_weights(costs.type.dtype, given, self.loss.counted(target))
        own = self.loss.example_weights(target)
        cost_weights = weights if own is None else combined_weights(costs.type.dtype, weights, own)
        return Measured(costs, found, cost_weights, weights)

    @property
    def of_all(self) -> dict[str, OfAll]:
        """The metrics that need all examples at once."""
        return {name: m for name, m in self.metrics.items() if isinstance(m, OfAll)}

    def values(self, means: Mapping[str, Any]) -> dict[str, float]:
        """What the weighted means of costs and statistics come to, by name."""
        return {name: self._value(name, np.asarray(mean)) for name, mean in means.items()}

    def _value(self, name: str, mean: Array) -> float:
        if name == LOSS:
            return float(mean) if self.loss.is_mean else self.loss.finish(Tensor(mean)).item()
        metric = self.metrics.get(name)
        return metric.value(mean) if isinstance(metric, Mean) else float(mean)


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
        self._examples: list[tuple[Array, Array, Array]] = []

    def add(self, batch: Mapping[str, Any], target: Array, weights: Array) -> None:
        """Add a batch.

        Parameters
        ----------
        batch : mapping of str to array
            What `Measures.of_batch` says of it, without sample weights; and its ``output``, where
            a metric needs those of all examples.
        target, weights : array
            Its targets and its sample weights.
        """
        self._sum(LOSS, batch["costs"], weights * batch.get("cost_weights", 1.0))
        counts = weights * batch.get("weights", 1.0)
        for name, values in batch["statistics"].items():
            self._sum(name, values, counts)
        if self.measures.of_all:
            self._examples.append((batch["output"], target, counts))

    def _sum(self, name: str, values: Array, weights: Array) -> None:
        self._totals[name] = self._totals.get(name, 0.0) + np.tensordot(weights, values, 1)
        self._weights[name] = self._weights.get(name, 0.0) + float(weights.sum())

    def values(self) -> dict[str, float]:
        """The loss and the metrics of all examples, in the order they were asked for."""
        found = self.measures.values(
            {name: total / self._weights[name] for name, total in self._totals.items()}
        )
        if self.measures.of_all:
            columns = [np.concatenate(parts) for parts in zip(*self._examples, strict=True)]
            counted = columns[-1] > 0
            rows = [column[counted] for column in columns]
            found |= {name: m.value(*rows) for name, m in self.measures.of_all.items()}
        return {name: found[name] for name in (LOSS, *self.measures.metrics)}
