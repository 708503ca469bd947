"""Loss: one cost per example; one reducer makes the batch's loss of them."""

from __future__ import annotations

import inspect
import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from chainrule.base.constant import as_kept
from chainrule.base.errors import ConfigurationError, ShapeError, TargetError
from chainrule.base.registry import Registry
from chainrule.eager import Tensor, as_tensor, here
from chainrule.eager.tensor import Array
from chainrule.eager.trees import leaves
from chainrule.graph import DType, format_shape
from chainrule.nn.agreement import check_costs, width_of
from chainrule.nn.calling import as_tensors
from chainrule.nn.configured import Configured

if TYPE_CHECKING:
    from chainrule.nn.module import Module

LOSSES: Registry[type[Loss]] = Registry("loss")

Outputs = Literal[
    "values",
    "log-values",
    "logits",
    "log-probabilities",
    "scores",
    "binary logits",
    "probabilities",
    "signs",
    "mean and variance",
    "distances",
    "several",
]
"""What a network's outputs are to a loss; metrics and predictions read them accordingly.

- ``values``: numbers beside the target's.
- ``log-values``: the logarithms of such numbers.
- ``logits``: one for each class; softmax makes the classes' probabilities of them.
- ``log-probabilities``: one for each class, their exponentials sum to 1.
- ``scores``: one for each class, of which the largest is the answer, and no probabilities.
- ``binary logits``: each output the log-odds of a 1; above 0 it says 1.
- ``probabilities``: each output the probability of a 1; above one half it says 1.
- ``signs``: each output says by its sign -1 or +1.
- ``mean and variance``: two outputs, of which the first is beside the target.
- ``distances``: each output a distance, small where the target is +1 and large where it is -1.
- ``several``: outputs that are compared with each other; none of them says what the target is.
"""

READABLE: Mapping[str, tuple[float, float]] = {
    "log-probabilities": (-math.inf, 0.0),
    "probabilities": (0.0, 1.0),
}
"""Where outputs of a kind lie, of those that do not lie anywhere."""

Targets = Literal["values", "classes", "distributions", "zeros and ones", "signs", "none"]
"""What a loss compares outputs with.

- ``values``: numbers, one for each output.
- ``classes``: an integer from 0 for each example; some losses take a distribution as well.
- ``distributions``: the classes' probabilities, of each example.
- ``zeros and ones``: one for each output; some losses take what lies between as well.
- ``signs``: -1 or +1 for each output.
- ``none``: nothing; whatever is given is not looked at.
"""


class Loss(Configured, ABC):
    """A function of (output, target) to one cost per example, of shape [B].

    Notes
    -----
    torch's losses return the batch's mean; here `weighted_mean` makes it, so that sample
    weights, class weights and short batches have one meaning for every loss. So there is no
    `reduction`: ``loss.of_batch(output, target)`` is torch's ``"mean"``. A call gives what
    ``"none"`` does, averaged over the outputs of each example, and the sum of these is ``"sum"``
    over the number of outputs of an example.
    """

    outputs: Outputs = "values"
    """What it takes the outputs for."""

    targets: Targets = "values"
    """What it compares them with."""

    measures_distance: ClassVar[bool] = False
    """Whether the cost is least where output and target are equal: then a target that the last
    layer cannot give is a mistake."""

    def __call__(self, output: Any, target: Any = None) -> Tensor:
        """Return the cost of each example, once outputs and targets whose numbers are known fit.

        Parameters
        ----------
        output : array_like of shape (B, ...), or tuple of such
            What the network returned.
        target : array_like of shape (B, ...), optional
            A loss whose outputs are compared with each other needs none.

        Raises
        ------
        TargetError, OutputError, ShapeError
            If they have no meaning for this loss.
        """
        outputs = _as_tensors(output)
        targets = self._as_targets(outputs, target)
        if isinstance(targets, Tensor) and targets.trace is None:
            self.check_target(targets.numpy(), width_of(outputs))
        if all(tensor.trace is None for tensor in _tensors_in(outputs)):
            self.check_output(outputs)
        costs = self.forward(outputs, targets)
        check_costs(self.made_by, costs, outputs)
        return costs

    def _as_targets(self, outputs: Any, target: Any) -> Any:
        if target is None:
            if self.targets != "none":
                raise TargetError(f"{self.made_by} compares outputs with targets; got none")
            return None
        if isinstance(target, np.ndarray | list):
            dtypes = (tensor.dtype for tensor in _tensors_in(outputs))
            dtype = next(dtypes, np.dtype(np.float64))
            return as_tensor(self.prepare_target(np.asarray(target), dtype))
        return _as_tensors(target)

    @property
    def made_by(self) -> str:
        """What an error calls the function that gives the costs."""
        return type(self).__name__

    @abstractmethod
    def forward(self, output: Any, target: Any) -> Tensor:
        """Costs [B] of outputs [B, ...] beside targets."""

    def of_batch(self, output: Any, target: Any = None, weights: Any = None) -> Tensor:
        """The loss of a batch, as torch's losses return it: finish(Σ wᵢ·lᵢ / Σ wᵢ).

        Parameters
        ----------
        output, target
            As for a call.
        weights : array_like of shape (B,), optional
            Sample weights; the loss's own weights multiply them.
        """
        outputs = _as_tensors(output)
        targets = self._as_targets(outputs, target)
        costs = self(outputs, targets)
        given = None if weights is None else as_tensor(weights)
        return self.finish(weighted_mean(costs, self.all_weights(costs, targets, given)))

    def all_weights(self, costs: Tensor, target: Any, given: Tensor | None) -> Tensor | None:
        """The weights of a batch's costs, [B]: those given times the loss's own; None: all 1."""
        targets: Any = None if target is None else _as_tensors(target)
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

    def directions(
        self, net: Module, inputs: Sequence[Tensor], target: Any, shares: Tensor
    ) -> Mapping[str, Tensor]:
        """What the optimiser follows in the place of the loss's gradient, by parameter path.

        A learning rule that is no gradient, such as contrastive divergence, writes this method; its
        costs are shown, and not differentiated.

        Parameters
        ----------
        net : Module
        inputs : sequence of Tensor of shape (B, ...)
        target : Tensor of shape (B, ...)
        shares : Tensor of shape (B,)
            wᵢ / Σ wᵢ: each example's share in the batch.
        """
        raise NotImplementedError(f"{type(self).__name__} follows its gradient")

    @property
    def is_rule(self) -> bool:
        """Whether it has `directions` of its own."""
        return type(self).directions is not Loss.directions

    @property
    def is_mean(self) -> bool:
        """Whether the batch's loss is the mean cost, as `finish` leaves it."""
        return type(self).finish is Loss.finish

    def prepare_target(self, target: Array, dtype: np.dtype[Any]) -> Array:
        """Return the target in the dtype the loss computes with: by default the outputs'.

        It does not change with the one that is given.
        """
        return as_kept(np.asarray(target), dtype)

    def check_target(self, target: Array, width: int | None) -> None:
        """Raise TargetError if these targets have no meaning for this loss.

        Parameters
        ----------
        target : array of shape (N, ...)
        width : int or None
            The size of the outputs' axis behind that of the batch, where they have one: the
            classes of [B, C], and of [B, C, d1, ...].
        """

    def check_output(self, output: Any) -> None:
        """Raise OutputError if these outputs, whose numbers are known, have no meaning for it.

        Parameters
        ----------
        output : Tensor, or tuple of Tensors
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


def _tensors_in(outputs: Any) -> list[Tensor]:
    found = (leaf for _, leaf in leaves(outputs, open_modules=False))
    return [leaf for leaf in found if isinstance(leaf, Tensor)]


def per_example(values: Tensor, reduce: Callable[..., Tensor]) -> Tensor:
    """One number for each example: `reduce` over all axes but the first, where there are others."""
    axes = tuple(range(1, values.ndim))
    return reduce(values, axis=axes) if axes else values
