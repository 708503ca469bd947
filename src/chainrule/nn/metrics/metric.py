"""What a metric is: read off a mean of what is known of each example, or off all at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from chainrule.base.errors import ConfigurationError, ShapeError
from chainrule.base.registry import Registry
from chainrule.eager import Tensor, here
from chainrule.eager.tensor import Array
from chainrule.eager.trees import leaves
from chainrule.graph import format_shape
from chainrule.nn.agreement import check_one_output
from chainrule.nn.losses.loss import Loss

Statistics = Callable[[Any, Tensor], Tensor]
"""(output, target) to one number per example, [B], or several, [B, ...]."""

Check = Callable[[Array, int | None], None]
"""(all targets of a set, width of the outputs): raises where a metric has no meaning for it."""


def _always_fits(target: Array, width: int | None) -> None:
    pass


def _the_output(output: Any, target: Tensor) -> Tensor:
    check_one_output("A metric of all examples", output)
    kept: Tensor = output
    return kept


@dataclass(frozen=True)
class Mean:
    """A metric that is read off the weighted mean of something known of each example.

    Parameters
    ----------
    statistics : callable
        (output, target) to one number per example, [B], or several, [B, ...]. It is traced into
        the training step, so it computes on Tensors; there it has the network's dtype, and in
        evaluation float64.
    value : callable
        From their weighted mean over the examples, a float64 array of shape (...), to a number.
    check : callable
        From the targets of a set that is evaluated, and the outputs' width, to TargetError where
        the metric has no meaning for it.
    """

    statistics: Statistics
    value: Callable[[Array], float] = float
    check: Check = _always_fits


@dataclass(frozen=True)
class OfAll:
    """A metric of all examples together, such as an area under a curve: no mean gives it.

    It is evaluated on whole sets, and not while training goes over batches.

    Parameters
    ----------
    value : callable
        From what was read [N, ...], without NaN, the targets [N, ...] and weights [N] > 0 of all
        examples, as arrays, to a number.
    read : callable
        (output, target) of a batch to what of it is kept for `value`, a Tensor [B, ...] in float64;
        by default the output.
    check : callable
        As for `Mean`.
    """

    value: Callable[[Array, Array, Array], float]
    read: Statistics = _the_output
    check: Check = _always_fits


Metric = Mean | OfAll

Maker = Callable[[Loss, Array], Metric | Statistics]
"""From a loss and a whole target array to a metric, or to the statistics of one that is their
mean."""


class Definition(ABC):
    """A metric as it is asked for, before it is known for which outputs and targets.

    A subclass is a registered frozen dataclass. It may have one field, its argument, which is part
    of its name.
    """

    is_share: ClassVar[bool] = False
    """Whether it is a part of a whole, which is shown in percent."""

    larger_is_better: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """What it is called in lists of metrics, in histories and in files.

        Raises
        ------
        ConfigurationError
            If it is not registered.
        """
        for name, found in METRICS.items():
            if found is type(self):
                return name
        raise ConfigurationError(
            f"{type(self).__name__} is not registered, so that no run folder could name it",
            advice=f'Put @nn.METRICS.register("...") before class {type(self).__name__}',
        )

    @abstractmethod
    def __call__(self, loss: Loss, target: Array) -> Metric:
        """The metric for outputs of this loss beside targets like these.

        Parameters
        ----------
        loss : Loss
        target : array of shape (N, ...)
            As the loss prepares them, without those that it ignores.

        Raises
        ------
        TargetError
            If it has no meaning for them.
        """


METRICS: Registry[Maker | type[Definition]] = Registry("metric")
"""For each metric its definition; or a function from the loss and the whole target array to the
metric, or to the statistics of one that is their mean. One that takes a number has ``k`` in the
number's place."""


def as_metric(name: str, made: Metric | Statistics) -> Metric:
    """Return a metric, its statistics seen to be of each example."""
    if isinstance(made, OfAll):
        return made
    metric = made if isinstance(made, Mean) else Mean(made)

    def statistics(output: Any, target: Tensor) -> Tensor:
        values = metric.statistics(output, target)
        outputs = (leaf for _, leaf in leaves(output, open_modules=False))
        batch = next(leaf.shape[:1] for leaf in outputs if isinstance(leaf, Tensor))
        if values.shape[:1] != batch:
            raise ShapeError(
                f"A metric gives numbers for each example, with the {batch[0]} of the batch in "
                f"front; {name} gave {format_shape(values.shape)}",
                where=here(),
            )
        return values

    return Mean(statistics, metric.value, metric.check)
