"""ReduceLROnPlateau: a learning rate that falls when a metric no longer improves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from chainrule.base.errors import ConfigurationError, TrainingError
from chainrule.optim.kinds import Choice, Fraction, NonNegative, Number, Whole
from chainrule.optim.options import Configured
from chainrule.optim.schedule import SCHEDULES

_Mode = Annotated[Literal["min", "max"], Choice(("min", "max"))]
_ThresholdMode = Annotated[Literal["rel", "abs"], Choice(("rel", "abs"))]
_Count = Annotated[int, Whole(at_least=0)]


@SCHEDULES.register("ReduceLROnPlateau")
@dataclass(eq=False, repr=False)
class ReduceLROnPlateau(Configured):
    """Multiply the learning rate by a factor when a metric has stopped improving.

    It counts nothing but watches: call `observe` with the metric after each epoch.

    Parameters
    ----------
    mode : {"min", "max"}
        Whether smaller or larger is better.
    factor : float
        What the learning rate is multiplied by, in [0, 1).
    patience : int
        How many epochs in a row may bring no improvement.
    threshold : float
        By how much the metric has to be better than the best to count as better.
    threshold_mode : {"rel", "abs"}
        Whether `threshold` is a fraction of the best or a difference from it.
    cooldown : int
        How many epochs after a reduction are not counted.
    min_lr : float
        The smallest learning rate, ≥ 0.
    eps : float
        The smallest change of the learning rate that is made, ≥ 0.

    Attributes
    ----------
    scale : float
        What the optimiser's learning rate is multiplied by now.
    best : float or None
        The best metric so far.
    num_bad_epochs, cooldown_counter : int
        Epochs since an improvement; epochs of the cooldown that are left.

    Examples
    --------
    >>> plateau = ReduceLROnPlateau(factor=0.5, patience=1)
    >>> [plateau.observe(loss, lr=0.1) for loss in (1.0, 0.8, 0.8, 0.8, 0.7)]
    [1.0, 1.0, 1.0, 0.5, 0.5]
    """

    mode: _Mode = "min"
    factor: Fraction = 0.1
    patience: _Count = 10
    threshold: NonNegative = 1e-4
    threshold_mode: _ThresholdMode = "rel"
    cooldown: _Count = 0
    min_lr: NonNegative = 0.0
    eps: NonNegative = 1e-8
    scale: float = field(init=False, default=1.0)
    best: float | None = field(init=False, default=None)
    num_bad_epochs: int = field(init=False, default=0)
    cooldown_counter: int = field(init=False, default=0)

    def observe(self, metric: float, lr: float) -> float:
        """Take note of the metric after an epoch; return `scale`, reduced or not.

        Parameters
        ----------
        metric : float
            NaN is no improvement.
        lr : float
            The optimiser's learning rate, without any factor: `min_lr` and `eps` are rates.
        """
        metric = float(metric)
        if self._is_better(metric):
            self.best, self.num_bad_epochs = metric, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce(lr)
            self.num_bad_epochs, self.cooldown_counter = 0, self.cooldown
        return self.scale

    def _is_better(self, metric: float) -> bool:
        sign = 1.0 if self.mode == "min" else -1.0
        if self.best is None:
            return sign * metric < math.inf
        if self.threshold_mode == "abs":
            bound = self.best - sign * self.threshold
        else:
            bound = self.best * (1 - sign * self.threshold)
        return sign * metric < sign * bound

    def _reduce(self, lr: float) -> None:
        present = lr * self.scale
        reduced = max(present * self.factor, self.min_lr)
        if present - reduced > self.eps:
            self.scale = reduced / lr

    def state_dict(self) -> dict[str, float | int | None]:
        """What has been observed so far, as JSON can hold it."""
        return {
            "scale": self.scale,
            "best": self.best,
            "num_bad_epochs": self.num_bad_epochs,
            "cooldown_counter": self.cooldown_counter,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was called; nothing changes if it does not fit.

        Parameters
        ----------
        state : mapping of str to float, int or None

        Raises
        ------
        TrainingError
            If an entry is missing.
        ConfigurationError
            If an entry has a value it cannot have.
        """
        missing = [name for name in self.state_dict() if name not in state]
        if missing:
            raise TrainingError(f"ReduceLROnPlateau's state has no {missing[0]}")
        owner = "ReduceLROnPlateau's state"
        count = Whole(at_least=0)
        best = state["best"]
        if best is not None and not isinstance(best, int | float):
            raise ConfigurationError(f"{owner} takes best as a number, or None; got {best!r}")
        scale = Number(low=0, high=1).check(owner, "scale", state["scale"])
        counters = {
            name: count.check(owner, name, state[name])
            for name in ("num_bad_epochs", "cooldown_counter")
        }
        self.best = None if best is None else float(best)
        self.scale = scale
        self.num_bad_epochs = counters["num_bad_epochs"]
        self.cooldown_counter = counters["cooldown_counter"]
