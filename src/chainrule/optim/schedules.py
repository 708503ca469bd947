"""Schedules in closed form: torch's, with its names, arguments and values."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from chainrule.optim.kinds import Count, Listed, NonNegative, Number, Whole
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
    >>> [schedule.multiplier(epoch) for epoch in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    step_size: Count
    gamma: NonNegative = 0.1

    def multiplier(self, count: int, lr: float | None = None) -> float:
        return self.gamma ** (count // self.step_size)


@SCHEDULES.register("MultiStepLR")
@dataclass(eq=False, repr=False)
class MultiStepLR(Schedule):
    """Multiply the learning rate by γ at each milestone: factor = γ^(milestones reached).

    Parameters
    ----------
    milestones : sequence of int
        Counts at which the rate changes, ≥ 0; one that is there twice counts twice.
    gamma : float
        γ ≥ 0.
    unit : {"step", "epoch"}
        What is counted.

    Examples
    --------
    >>> schedule = MultiStepLR([1, 3], gamma=0.5)
    >>> [schedule.multiplier(epoch) for epoch in range(5)]
    [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    milestones: Annotated[tuple[int, ...], Listed(Whole(at_least=0))]
    gamma: NonNegative = 0.1

    def multiplier(self, count: int, lr: float | None = None) -> float:
        return self.gamma ** sum(milestone <= count for milestone in self.milestones)


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

    Examples
    --------
    >>> schedule = ExponentialLR(gamma=0.5)
    >>> [schedule.multiplier(epoch) for epoch in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """

    gamma: NonNegative

    def multiplier(self, count: int, lr: float | None = None) -> float:
        return self.gamma**count


@SCHEDULES.register("ConstantLR")
@dataclass(eq=False, repr=False)
class ConstantLR(Schedule):
    """Begin at a share of the learning rate: factor = f while count < n, and 1 from then on.

    Parameters
    ----------
    factor : float
        f in [0, 1].
    total_iters : int
        n ≥ 1: how many epochs it is multiplied.
    unit : {"step", "epoch"}
        What is counted.

    Examples
    --------
    >>> schedule = ConstantLR(factor=0.5, total_iters=2)
    >>> [schedule.multiplier(epoch) for epoch in range(4)]
    [0.5, 0.5, 1.0, 1.0]
    """

    factor: Annotated[float, Number(low=0, high=1)] = 1 / 3
    total_iters: Count = 5

    def multiplier(self, count: int, lr: float | None = None) -> float:
        return self.factor if count < self.total_iters else 1.0


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
    >>> [schedule.multiplier(step) for step in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    start_factor: Annotated[float, Number(low=0, high=1, open_low=True)] = 1 / 3
    end_factor: Annotated[float, Number(low=0, high=1)] = 1.0
    total_iters: Count = 5
    _: KW_ONLY
    unit: Unit = "step"

    def multiplier(self, count: int, lr: float | None = None) -> float:
        way = min(count, self.total_iters) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * way


@SCHEDULES.register("PolynomialLR")
@dataclass(eq=False, repr=False)
class PolynomialLR(Schedule):
    """Go down to 0 along a power: factor = (1 - min(count, n) / n)^power.

    Parameters
    ----------
    total_iters : int
        n ≥ 1: how many epochs the way takes; the rate is 0 after it.
    power : float
        1 is a line; less is late, more is early.
    unit : {"step", "epoch"}
        What is counted.

    Examples
    --------
    >>> schedule = PolynomialLR(total_iters=4, power=2)
    >>> [schedule.multiplier(epoch) for epoch in range(6)]
    [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]
    """

    total_iters: Count = 5
    power: NonNegative = 1.0

    def multiplier(self, count: int, lr: float | None = None) -> float:
        way: float = (1 - min(count, self.total_iters) / self.total_iters) ** self.power
        return way
