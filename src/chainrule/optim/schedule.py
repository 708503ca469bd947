"""Schedule: a learning rate that is a function of the number of steps or epochs done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from chainrule.base.errors import ConfigurationError
from chainrule.base.registry import Registry
from chainrule.optim.kinds import Choice
from chainrule.optim.options import Configured, build

if TYPE_CHECKING:
    from chainrule.optim.plateau import ReduceLROnPlateau

SCHEDULES: Registry[type[Schedule | ReduceLROnPlateau]] = Registry("schedule")

Unit = Annotated[Literal["step", "epoch"], Choice(("step", "epoch"))]


@dataclass(eq=False, repr=False)
class Schedule(Configured, ABC):
    """A factor on the optimiser's learning rate, by the number of steps or epochs done.

    Parameters
    ----------
    unit : {"step", "epoch"}
        What is counted.
    """

    _: KW_ONLY
    unit: Unit = "epoch"

    @abstractmethod
    def multiplier(self, count: int, lr: float | None = None) -> float:
        """What the optimiser's learning rate is multiplied by.

        Parameters
        ----------
        count : int
            The number of steps or epochs done, ≥ 0.
        lr : float, optional
            The optimiser's learning rate; a schedule with a bound on the rate itself needs it.

        Returns
        -------
        float
        """

    @staticmethod
    def from_configuration(
        name: str, configuration: Mapping[str, Any]
    ) -> Schedule | ReduceLROnPlateau:
        """Make the schedule registered under `name` from what `configuration` gave.

        Parameters
        ----------
        name : str
            Its class's name, such as ``"StepLR"``.
        configuration : mapping of str to object
            Options that are left out have their defaults.

        Raises
        ------
        NameNotFoundError, ConfigurationError
            If the name or an option is unknown, or a value is not what it can be.
        """
        return build(SCHEDULES, name, configuration)


def relative(schedule: Schedule, rate: float, lr: float | None) -> float:
    """A rate as a factor on the optimiser's: a group with a rate of its own keeps its ratio.

    Parameters
    ----------
    schedule : Schedule
        Whose rate it is, for the message.
    rate : float
    lr : float, optional
        The optimiser's learning rate; a rate of 0 needs none.

    Raises
    ------
    ConfigurationError
        If that is not known, or 0.
    """
    if not rate:
        return 0.0
    if not lr:
        raise ConfigurationError(f"{schedule!r} takes an optimizer's learning rate > 0; got {lr!r}")
    return rate / lr
