"""Schedules between two rates: up and down again and again, or once over the whole training."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Literal

from chainrule.base.errors import ConfigurationError
from chainrule.optim.kinds import Choice, Count, Flag, Maybe, NonNegative, Number, Whole
from chainrule.optim.schedule import SCHEDULES, Schedule, Unit, relative

_Positive = Annotated[float, Number(low=0, open_low=True)]
_MaybeCount = Annotated[int | None, Maybe(Whole(at_least=1))]
_Mode = Literal["triangular", "triangular2", "exp_range"]


@SCHEDULES.register("CyclicLR")
@dataclass(eq=False, repr=False)
class CyclicLR(Schedule):
    """Go from one rate to another along a line and back, again and again.

    lr = b + (m - b)·h·s   [Smith 2017, §3], with the height h that goes from 0 to 1 and back in
    each cycle, and s = 1, or 1/2ⁱ after i cycles, or γ^count.

    Parameters
    ----------
    base_lr, max_lr : float
        b ≥ 0 and m > 0. They take the place of the optimiser's rate, which has to be > 0 all the
        same; a group with a rate of its own keeps its ratio to that.
    step_size_up : int
        How many steps the way up takes, ≥ 1.
    step_size_down : int, optional
        How many the way down takes; by default as many.
    mode : {"triangular", "triangular2", "exp_range"}
        Whether s is the first, the second or the third.
    gamma : float
        γ > 0.
    unit : {"step", "epoch"}
        What is counted.

    Notes
    -----
    Momentum stays as it is: torch's ``cycle_momentum`` is not there, nor is ``scale_fn``.

    Examples
    --------
    >>> schedule = CyclicLR(0.1, 0.5, step_size_up=2, mode="triangular2")
    >>> [round(schedule.multiplier(step, lr=1.0), 3) for step in range(9)]
    [0.1, 0.3, 0.5, 0.3, 0.1, 0.2, 0.3, 0.2, 0.1]
    """

    base_lr: NonNegative
    max_lr: _Positive
    step_size_up: Count = 2000
    step_size_down: _MaybeCount = None
    mode: Annotated[_Mode, Choice(("triangular", "triangular2", "exp_range"))] = "triangular"
    gamma: _Positive = 1.0
    _: KW_ONLY
    unit: Unit = "step"

    def multiplier(self, count: int, lr: float | None = None) -> float:
        up, down = self.step_size_up, self.step_size_down or self.step_size_up
        cycle, place = divmod(count, up + down)
        height = place / up if place <= up else (up + down - place) / down
        if self.mode == "triangular2":
            height *= 0.5**cycle
        elif self.mode == "exp_range":
            height *= self.gamma**count
        return relative(self, self.base_lr + (self.max_lr - self.base_lr) * height, lr)


@SCHEDULES.register("OneCycleLR")
@dataclass(eq=False, repr=False)
class OneCycleLR(Schedule):
    """Go up to a large rate once, and down to almost nothing, over the whole training.

    From m/d up to m and down to m/d/f [Smith and Topin 2018], along half a cosine wave or a line.

    Parameters
    ----------
    max_lr : float
        m > 0. It takes the place of the optimiser's rate, which has to be > 0 all the same; a
        group with a rate of its own keeps its ratio to that.
    total_steps : int, optional
        How many steps there are, ≥ 1.
    epochs, steps_per_epoch : int, optional
        Their product is as good as `total_steps`.
    pct_start : float
        The share of the steps that the way up takes, in [0, 1].
    anneal_strategy : {"cos", "linear"}
        Along what.
    div_factor, final_div_factor : float
        d and f, > 0.
    three_phase : bool
        Come down to m/d as fast as up, and only then to the last rate.
    unit : {"step", "epoch"}
        What is counted.

    Raises
    ------
    ConfigurationError
        If the number of steps is not given, or more steps are taken.

    Notes
    -----
    Momentum stays as it is: torch's ``cycle_momentum`` is not there. After the last step the rate
    stays, where torch goes on along the wave by one step.

    Examples
    --------
    >>> schedule = OneCycleLR(1.0, total_steps=5, pct_start=0.4, div_factor=4, final_div_factor=10)
    >>> [round(schedule.multiplier(step, lr=1.0), 3) for step in range(5)]
    [0.25, 1.0, 0.756, 0.269, 0.025]
    """

    max_lr: _Positive
    total_steps: _MaybeCount = None
    epochs: _MaybeCount = None
    steps_per_epoch: _MaybeCount = None
    pct_start: Annotated[float, Number(low=0, high=1)] = 0.3
    anneal_strategy: Annotated[Literal["cos", "linear"], Choice(("cos", "linear"))] = "cos"
    _: KW_ONLY
    div_factor: _Positive = 25.0
    final_div_factor: _Positive = 1e4
    three_phase: Flag = False
    unit: Unit = "step"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.total_steps is None and (self.epochs is None or self.steps_per_epoch is None):
            raise ConfigurationError("OneCycleLR needs total_steps, or epochs and steps_per_epoch")

    @property
    def steps(self) -> int:
        """How many steps there are."""
        if self.total_steps is not None:
            return self.total_steps
        return (self.epochs or 0) * (self.steps_per_epoch or 0)

    def multiplier(self, count: int, lr: float | None = None) -> float:
        if count > self.steps:
            raise ConfigurationError(
                f"{self!r} is over after {self.steps} {self.unit}s; it was asked for another",
                advice="Count them all: epochs · steps_per_epoch",
            )
        place = float(min(count, self.steps - 1))
        phases = self._phases()
        i = next(i for i, (end, _, _) in enumerate(phases) if place <= end)
        start = phases[i - 1][0] if i else 0.0
        end, low, high = phases[i]
        way = (place - start) / (end - start) if end != start else 1.0
        if self.anneal_strategy == "cos":
            way = (1 - math.cos(math.pi * way)) / 2
        return relative(self, low + (high - low) * way, lr)

    def _phases(self) -> list[tuple[float, float, float]]:
        """The last step of each phase, and the rates it begins and ends with."""
        first = self.max_lr / self.div_factor
        last = first / self.final_div_factor
        up = (self.pct_start * self.steps - 1, first, self.max_lr)
        if not self.three_phase:
            return [up, (self.steps - 1.0, self.max_lr, last)]
        down = (2 * self.pct_start * self.steps - 2, self.max_lr, first)
        return [up, down, (self.steps - 1.0, first, last)]
