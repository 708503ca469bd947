"""History: what each epoch came to."""

from __future__ import annotations

from collections.abc import Mapping


class History(dict[str, list[float]]):
    """Values by name, one for each epoch: ``history["val_accuracy"][-1]``."""

    def append(self, logs: Mapping[str, float]) -> None:
        """Add an epoch."""
        for name, value in logs.items():
            self.setdefault(name, []).append(value)

    @property
    def epochs(self) -> int:
        """How many epochs there are."""
        return max(map(len, self.values()), default=0)

    def epoch(self, epoch: int) -> dict[str, float]:
        """The values of one epoch."""
        return {name: values[epoch] for name, values in self.items()}


class Averages:
    """Loss and metrics of an epoch so far: Σ wᵢ·vᵢ / Σ wᵢ over its updates, in float64."""

    def __init__(self, totals: Mapping[str, float] | None = None, weight: float = 0.0) -> None:
        self.totals = dict(totals or {})
        self.weight = weight

    def add(self, values: Mapping[str, float], weight: float) -> None:
        """Count one update's values with its examples' weight."""
        for name, value in values.items():
            self.totals[name] = self.totals.get(name, 0.0) + value * weight
        self.weight += weight

    def means(self) -> dict[str, float]:
        """The averages."""
        return {name: total / self.weight for name, total in self.totals.items()}
