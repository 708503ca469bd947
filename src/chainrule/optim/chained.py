"""Schedules of schedules: one after the other, or all at once."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from itertools import pairwise
from typing import Annotated

from chainrule.base.errors import ConfigurationError
from chainrule.optim.kinds import Choice, Kind, Listed, Maybe, Whole
from chainrule.optim.schedule import SCHEDULES, Schedule, Unit


@dataclass(frozen=True)
class Nested(Kind):
    """A schedule, or its configuration with its name, as a run folder keeps it."""

    def read(self, value: object) -> Schedule:
        if isinstance(value, Mapping) and "name" in value:
            rest = {option: each for option, each in value.items() if option != "name"}
            value = Schedule.from_configuration(value["name"], rest)
        if not isinstance(value, Schedule):
            raise ValueError
        return value

    def __str__(self) -> str:
        return "a schedule that counts"


_Schedules = Annotated[tuple[Schedule, ...], Listed(Nested(), at_least=1)]
# None when it is left out; when the schedule is made it is its parts'.
_UnitOfParts = Annotated[Unit, Maybe(Choice(("step", "epoch")))]


@SCHEDULES.register("SequentialLR")
@dataclass(eq=False, repr=False)
class SequentialLR(Schedule):
    """One schedule after the other, each counting from its own beginning.

    Parameters
    ----------
    schedulers : sequence of Schedule
    milestones : sequence of int
        Where the second begins, the third, and so on: rising counts, ≥ 1.
    unit : {"step", "epoch"}, optional
        What is counted; by default what the schedulers count, which has to be the same for all.

    Raises
    ------
    ConfigurationError
        If schedulers and milestones do not fit together.

    Examples
    --------
    >>> from chainrule.optim import ExponentialLR, LinearLR
    >>> warm_up = LinearLR(start_factor=0.25, total_iters=3)
    >>> schedule = SequentialLR([warm_up, ExponentialLR(0.5, unit="step")], milestones=[3])
    >>> [schedule.multiplier(step) for step in range(6)]
    [0.25, 0.5, 0.75, 1.0, 0.5, 0.25]
    """

    schedulers: _Schedules
    milestones: Annotated[tuple[int, ...], Listed(Whole(at_least=1))]
    _: KW_ONLY
    unit: _UnitOfParts = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.milestones) != len(self.schedulers) - 1:
            raise ConfigurationError(
                f"SequentialLR takes one milestone fewer than schedulers; got "
                f"{len(self.schedulers)} schedulers and {len(self.milestones)} milestones"
            )
        if any(later <= earlier for earlier, later in pairwise(self.milestones)):
            raise ConfigurationError(
                f"SequentialLR takes milestones that rise; got {list(self.milestones)}"
            )
        self.__dict__["unit"] = _common_unit(self, self.unit)

    def multiplier(self, count: int, lr: float | None = None) -> float:
        i = bisect_right(self.milestones, count)
        begin = self.milestones[i - 1] if i else 0
        return self.schedulers[i].multiplier(count - begin, lr)


@SCHEDULES.register("ChainedScheduler")
@dataclass(eq=False, repr=False)
class ChainedScheduler(Schedule):
    """Several schedules at once: the factor is the product of theirs.

    Parameters
    ----------
    schedulers : sequence of Schedule
    unit : {"step", "epoch"}, optional
        What is counted; by default what the schedulers count, which has to be the same for all.

    Notes
    -----
    So it is in torch for schedules that multiply. Those that go between rates of their own, such
    as `OneCycleLR`, overwrite in torch what stands before them in the list; here they multiply
    like the others.

    Examples
    --------
    >>> from chainrule.optim import ExponentialLR, StepLR
    >>> schedule = ChainedScheduler([ExponentialLR(0.5), StepLR(2, gamma=0.1)])
    >>> [round(schedule.multiplier(epoch), 6) for epoch in range(4)]
    [1.0, 0.5, 0.025, 0.0125]
    """

    schedulers: _Schedules
    _: KW_ONLY
    unit: _UnitOfParts = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.__dict__["unit"] = _common_unit(self, self.unit)

    def multiplier(self, count: int, lr: float | None = None) -> float:
        return math.prod(schedule.multiplier(count, lr) for schedule in self.schedulers)


def _common_unit(owner: SequentialLR | ChainedScheduler, chosen: Unit | None) -> Unit:
    """What all of its schedulers count."""
    unit = chosen or owner.schedulers[0].unit
    for i, schedule in enumerate(owner.schedulers):
        if schedule.unit != unit:
            raise ConfigurationError(
                f"{type(owner).__name__} counts {unit}s, and so do all of its schedulers; "
                f"scheduler {i}, {type(schedule).__name__}, counts {schedule.unit}s",
                advice=f'Give each the same unit: {type(schedule).__name__}(..., unit="{unit}")',
            )
    return unit
