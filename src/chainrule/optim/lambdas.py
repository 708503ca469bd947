"""Schedules made of a function.

They stand in no registry: no file can hold a function, so a run that is resumed is given them
again. A schedule that has options, and that files can hold, is a subclass of `Schedule`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chainrule.base.errors import ConfigurationError
from chainrule.optim.schedule import Schedule


@dataclass(eq=False, repr=False)
class LambdaLR(Schedule):
    """The learning rate times a function of the count: factor = f(count).

    Parameters
    ----------
    lr_lambda : callable
        f, from a count to a factor.
    unit : {"step", "epoch"}
        What is counted.

    Examples
    --------
    >>> [LambdaLR(lambda epoch: 1 / (1 + epoch)).multiplier(epoch) for epoch in (0, 1, 3)]
    [1.0, 0.5, 0.25]
    """

    lr_lambda: Callable[[int], float]

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_callable(self, self.lr_lambda)

    def multiplier(self, count: int, lr: float | None = None) -> float:
        return float(self.lr_lambda(count))


@dataclass(eq=False, repr=False)
class MultiplicativeLR(Schedule):
    """The learning rate times a function, again each time: factor = f(1)·f(2)···f(count).

    Parameters
    ----------
    lr_lambda : callable
        f, from a count to what the rate before it is multiplied by. It is called once for each.
    unit : {"step", "epoch"}
        What is counted.

    Examples
    --------
    >>> schedule = MultiplicativeLR(lambda epoch: 0.5 if epoch % 2 else 1.0)
    >>> [schedule.multiplier(epoch) for epoch in range(4)]
    [1.0, 0.5, 0.5, 0.25]
    """

    lr_lambda: Callable[[int], float]
    _products: list[float] = field(init=False, default_factory=lambda: [1.0])

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_callable(self, self.lr_lambda)

    def multiplier(self, count: int, lr: float | None = None) -> float:
        while len(self._products) <= count:
            self._products.append(self._products[-1] * float(self.lr_lambda(len(self._products))))
        return self._products[count]


def _check_callable(owner: Schedule, function: object) -> None:
    if not callable(function):
        raise ConfigurationError(
            f"{type(owner).__name__} takes lr_lambda as a function of the count; got {function!r}"
        )
