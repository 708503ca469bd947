"""History: what each epoch came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.eager.tensor import Array


class History(dict[str, list[float]]):
    """Values by name, one for each epoch: ``history["val_accuracy"][-1]``."""

    def append(self, logs: Mapping[str, float]) -> None:
        """Add an epoch."""
        for name, value in logs.items():
            self.setdefault(name, []).append(value)

    def keep(self, epochs: int) -> None:
        """Forget all but the first `epochs` epochs."""
        for values in self.values():
            del values[epochs:]

    @property
    def epochs(self) -> int:
        """How many epochs there are."""
        return max(map(len, self.values()), default=0)

    def epoch(self, epoch: int) -> dict[str, float]:
        """The values of one epoch."""
        return {name: values[epoch] for name, values in self.items()}


@dataclass(frozen=True)
class Averages:
    """Costs and statistics of an epoch so far: Σ wᵢ·vᵢ / Σ wᵢ over its updates, in float64.

    Parameters
    ----------
    totals : mapping of str to float, or to (nested) lists of them
        Σ wᵢ·vᵢ by name.
    weights : mapping of str to float
        Σ wᵢ by name: a loss may weigh examples otherwise than metrics do.
    """

    totals: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)

    def plus(self, totals: Mapping[str, Array], weights: Mapping[str, Array]) -> Averages:
        """These with the totals and the weights of more updates, arrays of shape (updates, ...)."""
        return Averages(
            {name: _sum_in_order(self.totals.get(name), more) for name, more in totals.items()},
            {name: _sum_in_order(self.weights.get(name), more) for name, more in weights.items()},
        )

    def means(self) -> dict[str, Array]:
        """The averages."""
        return {name: np.divide(total, self.weights[name]) for name, total in self.totals.items()}


def _sum_in_order(so_far: Any, more: Array) -> Any:
    """Sum one update after the other, so that chunks of any length make the same bits."""
    first = np.zeros_like(more[:1]) if so_far is None else np.asarray(so_far)[None]
    return np.add.accumulate(np.concatenate([first, more]))[-1].tolist()
