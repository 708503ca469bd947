"""Schedules in closed form: torch's, with its names, arguments and values."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from chainrule.base.errors import ConfigurationError
from chainrule.optim.kinds import Count, NonNegative, Number
from chainrule.optim.schedule import SCHEDULES, Schedule, Unit


@SCHEDULES.register("StepLR")
@dataclass(eq=False, repr=False)
class StepLR(Schedule):
    """Multiply the learning rate by γ every so often: factor = γ^⌊count / step_size⌋.

    Parameters
    ----------
    step_size : int
        How many epochs each rate lasts, ≥ 1.
    gamma : float
        γ ≥ 0.
    unit : {"step", "epoch"}
        What is counted.

    Examples
    --------
    >>> schedule = StepLR(step_size=2, gamma=0.5)
    >>> [schedule.factor(epoch) for epoch in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    step_size: Count
    gamma: NonNegative = 0.1

    def factor(self, count: int, lr: float | None = None) -> float:
        return self.gamma ** (count // self.step_size)


@SCHEDULES.register("ExponentialLR")
@dataclass(eq=False, repr=False)
class ExponentialLR(Schedule):
    """Multiply the learning rate by γ each time: factor = γ^count.

    Parameters
    ----------
    gamma : float
        γ ≥ 0.
    unit : {"step", "epoch"}
        What is counted.
    """

    gamma: NonNegative

    def factor(self, count: int, lr: float | None = None) -> float:
        return self.gamma**count


@SCHEDULES.register("LinearLR")
@dataclass(eq=False, repr=False)
class LinearLR(Schedule):
    """Go from one factor to another along a line: a warm-up, as it stands by default.

    factor = s + (e - s)·min(count, n) / n

    Parameters
    ----------
    start_factor : float
        s in (0, 1].
    end_factor : float
        e in [0, 1].
    total_iters : int
        n ≥ 1: how many steps the way takes.
    unit : {"step", "epoch"}
        What is counted.

    Examples
    --------
    >>> schedule = LinearLR(start_factor=0.25, total_iters=3)
    >>> [schedule.factor(step) for step in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    start_factor: Annotated[float, Number(low=0, high=1, open_low=True)] = 1 / 3
    end_factor: Annotated[float, Number(low=0, high=1)] = 1.0
    total_iters: Count = 5
    _: KW_ONLY
    unit: Unit = "step"

    def factor(self, count: int, lr: float | None = None) -> float:
        way = min(count, self.total_iters) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * way


@SCHEDULES.register("CosineAnnealingLR")
@dataclass(eq=False, repr=False)
class CosineAnnealingLR(Schedule):
    """Go down along half a cosine wave, and up again if training lasts longer.

    lr = e + (η - e)·(1 + cos(π·count / T)) / 2   [Loshchilov and Hutter 2017, eq. 5]

    Parameters
    ----------
    T_max : int
        T ≥ 1: how many epochs the way down takes.
    eta_min : float
        e ≥ 0: the smallest learning rate. It is a rate, not a factor, so `factor` needs the
        optimiser's rate unless it is 0; a group with a rate of its own keeps its ratio.
    unit : {"step", "epoch"}
        What is counted.

    Examples
    --------
    >>> schedule = CosineAnnealingLR(T_max=2)
    >>> [round(schedule.factor(epoch), 6) for epoch in range(4)]
    [1.0, 0.5, 0.0, 0.5]
    """

    T_max: Count
    eta_min: NonNegative = 0.0

    def factor(self, count: int, lr: float | None = None) -> float:
        way = (1 + math.cos(math.pi * count / self.T_max)) / 2
        if not self.eta_min:
            return way
        if not lr:
            raise ConfigurationError(
                f"CosineAnnealingLR(eta_min={self.eta_min!r}) takes an optimizer's learning rate "
                f"> 0; got {lr!r}"
            )
        lowest = self.eta_min / lr
        return lowest + (1 - lowest) * way
