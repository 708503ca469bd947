"""Schedules along a cosine: down once, or again and again."""

from __future__ import annotations

import math
from dataclasses import dataclass

from chainrule.optim.kinds import Count, NonNegative
from chainrule.optim.schedule import SCHEDULES, Schedule, relative


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
    >>> [round(schedule.multiplier(epoch), 6) for epoch in range(4)]
    [1.0, 0.5, 0.0, 0.5]
    """

    T_max: Count
    eta_min: NonNegative = 0.0

    def multiplier(self, count: int, lr: float | None = None) -> float:
        lowest = relative(self, self.eta_min, lr)
        return lowest + (1 - lowest) * (1 + math.cos(math.pi * count / self.T_max)) / 2


@SCHEDULES.register("CosineAnnealingWarmRestarts")
@dataclass(eq=False, repr=False)
class CosineAnnealingWarmRestarts(Schedule):
    """Go down along half a cosine wave, again and again, each time more slowly.

    lr = e + (η - e)·(1 + cos(π·c / T)) / 2   [Loshchilov and Hutter 2017, eq. 5], with the count
    c since the last restart, and T = T_0·T_multⁱ after i restarts.

    Parameters
    ----------
    T_0 : int
        How many epochs the first way down takes, ≥ 1.
    T_mult : int
        How much longer each next one takes, ≥ 1.
    eta_min : float
        e ≥ 0: the smallest learning rate, as in `CosineAnnealingLR`.
    unit : {"step", "epoch"}
        What is counted.

    Examples
    --------
    >>> schedule = CosineAnnealingWarmRestarts(T_0=2, T_mult=2)
    >>> [round(schedule.multiplier(epoch), 3) for epoch in range(7)]
    [1.0, 0.5, 1.0, 0.854, 0.5, 0.146, 1.0]
    """

    T_0: Count
    T_mult: Count = 1
    eta_min: NonNegative = 0.0

    def multiplier(self, count: int, lr: float | None = None) -> float:
        length = self.T_0
        if self.T_mult == 1:
            count %= length
        while count >= length:
            count -= length
            length *= self.T_mult
        lowest = relative(self, self.eta_min, lr)
        return lowest + (1 - lowest) * (1 + math.cos(math.pi * count / length)) / 2
