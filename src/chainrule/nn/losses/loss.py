"""Loss: one cost per example; one reducer makes the batch's loss of them."""

from __future__ import annotations

import inspect
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import reduce
from typing import Any, ClassVar

import numpy as np

from chainrule.base.errors import ConfigurationError, ShapeError
from chainrule.base.registry import Registry
from chainrule.eager import Tensor, as_tensor, here
from chainrule.eager.tensor import Array
from chainrule.graph import DType, format_shape
from chainrule.nn.agreement import check_costs, width_of
from chainrule.nn.calling import as_tensors
from chainrule.nn.configured import Configured

LOSSES: Registry[type[Loss]] = Registry("loss")


class Loss(Configured, ABC):
    """A function of (output, target) to one cost per example, of shape [B].

    Notes
    -----
    torch's losses return the batch's mean; here `weighted_mean` makes it, so that sample
    weights, class weights and short batches have one meaning for every loss.
    """

    outputs: ClassVar[str] = "values"
    """What the outputs are: ``values`` beside the target, ``logits`` of classes, or ``binary
    logits``; accuracy reads them accordingly."""

    measures_distance: ClassVar[bool] = False
    """Whether the cost is least where output and target are equal: then a target that the last
    layer cannot give is a mistake."""

    def __call__(self, output: Any, target: Any) -> Tensor:
        """Return the cost of each example, once the target, where its numbers are known, fits."""
        outputs = _as_tensors(output)
        if isinstance(outputs, Tensor) and not isinstance(target, tuple | dict):
            if isinstance(target, np.ndarray | list):
                target = self.prepare_target(np.asarray(target), outputs.dtype)
            target = as_tensor(target)
            if target.trace is None:
                self.check_target(target.numpy(), width_of(outputs))
        costs = self.forward(outputs, _as_tensors(target))
        check_costs(self.made_by, costs, outputs)
        return costs

    @property
    def made_by(self) -> str:
        """What an error calls the function that gives the costs."""
        return type(self).__name__

    @abstractmethod
    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B] of outputs [B, ...] beside targets."""

    def of_batch(self, output: Any, target: Any, weights: Any = None) -> Tensor:
        """The loss of a batch, as torch's losses return it: finish(Σ wᵢ·lᵢ / Σ wᵢ).

        Parameters
        ----------
        output, target
            As for a call.
        weights : array_like of shape (B,), optional
            Sample weights; the loss's own weights multiply them.
        """
        costs = self(output, target)
        given = None if weights is None else as_tensor(weights)
        return self.finish(weighted_mean(costs, self.all_weights(costs, target, given)))

    def all_weights(self, costs: Tensor, target: Any, given: Tensor | None) -> Tensor | None:
        """The weights of a batch's costs, [B]: those given times the loss's own; None: all 1."""
        targets = _as_tensors(target)
        own = (self.example_weights(targets), self.counted(targets))
        return combined_weights(costs.type.dtype, given, *own)

    def example_weights(self, target: Tensor) -> Tensor | None:
        """What the cost of each example counts, [B], beside its sample weight; None: all alike.

        A loss with class weights returns that of each target. It is asked while a training step
        is traced, so it computes on Tensors.
        """
        return None

    def counted(self, target: Tensor) -> Tensor | None:
        """Whether each example counts at all, bool[B]; None: all do.

        Examples that do not, such as those of an ignored class, have no cost and no weight, and no
        metric sees them.
        """
        return None

    def finish(self, mean: Tensor) -> Tensor:
        """The batch's loss from the mean cost: by default the mean cost itself."""
        return mean

    @property
    def is_mean(self) -> bool:
        """Whether the batch's loss is the mean cost, as `finish` leaves it."""
        return type(self).finish is Loss.finish

    def prepare_target(self, target: Array, dtype: np.dtype[Any]) -> Array:
        """Return the target in the dtype the loss computes with: by default the outputs'."""
        return np.asarray(target).astype(dtype)

    def check_target(self, target: Array, width: int | None) -> None:
        """Raise TargetError if these targets have no meaning for this loss.

        Parameters
        ----------
        target : array of shape (N, ...)
        width : int or None
            The outputs' last axis, where they have more than the batch axis.
        """


def weighted_mean(costs: Tensor, weights: Any = None) -> Tensor:
    """Σ wᵢ·lᵢ / Σ wᵢ: the batch's loss.

    Parameters
    ----------
    costs : Tensor of shape (B,)
    weights : array_like of shape (B,), optional
        Sample weight times class weight; 1 by default.

    Raises
    ------
    ShapeError
        If there is not one weight for each cost.
    """
    if weights is None:
        return costs.mean()
    given = as_tensor(weights).astype(costs.dtype)
    if given.shape != costs.shape:
        raise ShapeError(
            f"There is one weight for each cost; got weights {format_shape(given.shape)} and "
            f"costs {format_shape(costs.shape)}",
            where=here(),
        )
    return (given * costs).sum() / given.sum()


def combined_weights(dtype: DType, *weights: Tensor | None) -> Tensor | None:
    """The product of those weights that there are, each [B], in `dtype`; None if there are none."""
    given = [w.astype(dtype) for w in weights if w is not None]
    return reduce(operator.mul, given) if given else None


class FunctionLoss(Loss):
    """A loss made of any function of (output, target) to [B].

    Parameters
    ----------
    function : callable
        Given what the network returns, and the target in the network's dtype.
    """

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        self.function = function

    @property
    def made_by(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        costs: Tensor = self.function(output, target)
        return costs


def as_loss(loss: Any) -> Loss:
    """Return a Loss: itself, one by its registered name, or one made of a function.

    Raises
    ------
    NameNotFoundError
        If no loss has this name.
    ConfigurationError
        If it is none of these.
    """
    if isinstance(loss, str):
        return LOSSES.get(loss)()
    if inspect.isclass(loss) and issubclass(loss, Loss):
        return loss()
    if isinstance(loss, Loss):
        return loss
    if not callable(loss) or inspect.isclass(loss):
        shown = loss.__name__ if inspect.isclass(loss) else type(loss).__name__
        raise ConfigurationError(
            "A loss is a Loss, the name of one, or a function of (output, target); got " + shown
        )
    return FunctionLoss(loss)


def _as_tensors(tree: Any) -> Any:
    tensors = as_tensors(tree)
    return tensors if isinstance(tensors, tuple | list | dict) else as_tensor(tensors)


def per_example(values: Tensor, reduce: Callable[..., Tensor]) -> Tensor:
    """One number for each example: `reduce` over all axes but the first, where there are others."""
    axes = tuple(range(1, values.ndim))
    return reduce(values, axis=axes) if axes else values
