"""History: what each epoch came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
    """Loss and metrics of an epoch so far: Σ wᵢ·vᵢ / Σ wᵢ over its updates, in float64.

    Parameters
    ----------
    totals : mapping of str to float
        Σ wᵢ·vᵢ by name.
    weight : float
        Σ wᵢ.
    """

    totals: Mapping[str, float] = field(default_factory=dict)
    weight: float = 0.0

    def plus(self, totals: Mapping[str, float], weight: float) -> Averages:
        """These with the totals and the weight of one more update."""
        summed = {name: self.totals.get(name, 0.0) + total for name, total in totals.items()}
        return Averages(summed, self.weight + weight)

    def means(self) -> dict[str, float]:
        """The averages."""
        return {name: total / self.weight for name, total in self.totals.items()}
