"""Use a network: predict outputs, evaluate a loss and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.backends import Backend
from chainrule.base.errors import ConfigurationError, DataError, ShapeError
from chainrule.eager import Tensor, here
from chainrule.eager.tensor import Array
from chainrule.eager.trees import leaves, rebuild
from chainrule.graph import format_shape
from chainrule.nn.agreement import width_of
from chainrule.nn.batches import InputTypes as InputTypes
from chainrule.nn.batches import TracedBatch, map_batches
from chainrule.nn.batches import as_columns as as_columns
from chainrule.nn.batches import as_target as as_target
from chainrule.nn.batches import batch_type as batch_type
from chainrule.nn.batches import check_lengths as check_lengths
from chainrule.nn.batches import float_dtype as float_dtype
from chainrule.nn.batches import name_columns as name_columns
from chainrule.nn.losses import Loss, as_loss
from chainrule.nn.measures import Measures, Tally
from chainrule.nn.metrics import Definition, count_confusions, counted_targets, metric_names
from chainrule.nn.module import Module


def predict(net: Module, x: Any, batch_size: int = 256) -> Any:
    """Return the outputs of `net` for examples `x`, in evaluation mode.

    Parameters
    ----------
    net : Module
    x : array of shape (N, ...), or tuple of arrays for a network with several inputs
        Converted to the network's dtype; integers stay integers for a network that reads them as
        positions, such as one with an Embedding.
    batch_size : int
        How many examples are computed at once.

    Returns
    -------
    array of shape (N, ...)
        For a network with several outputs, what it returns with arrays in their places: a tuple,
        a dict.

    Raises
    ------
    ShapeError
        If x does not fit the network, or an output does not have the examples in front.

    Notes
    -----
    Code is for one number of rows. So what remains behind whole batches is computed in a batch of
    the next power of two, its last example repeated, and trimmed; a row's bits do not depend on
    the rows beside it. A network that is not shown to compute each example by itself, such as one
    that subtracts ``x.mean(0)``, is compiled for the rows there are. NumPy, where it computes,
    pads nothing.
    """
    net.initialize()

    def output_of(*inputs: Tensor) -> Any:
        output = net(*inputs)
        _check_examples_in_front(output, int(inputs[0].shape[0]))
        return output

    columns = as_columns(x, InputTypes.of(net), copy=False)
    named = name_columns(columns)
    batches = [result for _, result in map_batches(output_of, named, batch_size)]
    flat = [[leaf for _, leaf in leaves(batch, open_modules=False)] for batch in batches]
    joined = (np.concatenate(parts) for parts in zip(*flat, strict=True))
    return rebuild(batches[0], joined, open_modules=False)


def evaluate(
    net: Module,
    x: Any,
    y: Any,
    *,
    loss: Any = None,
    metrics: Sequence[str | Definition] | str | Definition | None = None,
    weights: Any = None,
    batch_size: int | None = None,
) -> dict[str, float]:
    """Return the loss and metrics of `net` on examples, in evaluation mode.

    Parameters
    ----------
    net : Module
    x : array of shape (N, ...), or tuple of arrays
    y : array of shape (N, ...)
    loss : Loss, name or function, optional
        By default the one the network was trained with.
    metrics : sequence of str or Definition, optional
        Registered metrics, as `nn.metrics` says; by default those it was trained with. They are
        computed in float64, and NaN if an output is.
    weights : array of shape (N,), optional
        Sample weights: each number is Σ wᵢ·vᵢ / Σ wᵢ.
    batch_size : int, optional
        How many examples are computed at once, as in `predict`. By default 256; or more where
        each is computed by itself and the network is not wide: as many as give no layer more than
        4 MiB.

    Returns
    -------
    dict of str to float
        ``loss`` and the metrics.

    Raises
    ------
    ConfigurationError
        If no loss is given and the network was not trained.
    TargetError, ShapeError
        If the targets do not fit.
    """
    criterion = _loss_of(net, loss, "evaluate")
    known = net.trained_with[1] if net.trained_with else ()
    chosen = metric_names(known if metrics is None else metrics)
    net.initialize()
    columns, target = _examples(net, x, y, criterion)
    measures = Measures.of(criterion, chosen, target)
    return Evaluator(net, measures, columns, target, weights)(batch_size)


def confusion_matrix(
    net: Module, x: Any, y: Any, *, loss: Any = None, weights: Any = None, batch_size: int = 256
) -> Array:
    """Count for each class (rows) as which its examples are taken (columns).

    Parameters
    ----------
    net : Module
    x : array of shape (N, ...), or tuple of arrays
    y : array of shape (N, ...)
        Classes, in the form that the loss takes them. One output for each example divides two
        classes: 0 and 1, or -1 and +1.
    loss : Loss, name or function, optional
        Says how outputs are read; by default the one the network was trained with.
    weights : array of shape (N,), optional
        Sample weights.
    batch_size : int

    Returns
    -------
    array of shape (classes, classes)
        Counts, int64; with weights their sums, float64. Its diagonal over its sum is accuracy.

    Raises
    ------
    ConfigurationError
        If no loss is given and the network was not trained.
    TargetError, ShapeError
        If the targets do not fit, or are no classes.
    NonFiniteError
        If an output is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule import nn
    >>> logits = np.array([[3.0, 1.0], [0.0, 2.0], [1.0, 2.0]])
    >>> nn.confusion_matrix(nn.Sequential(), logits, [0, 0, 1], loss="CrossEntropyLoss")
    array([[1, 1],
           [0, 1]])
    """
    criterion = _loss_of(net, loss, "confusion_matrix")
    net.initialize()
    columns, target = _examples(net, x, y, criterion)
    outputs = predict(net, columns, batch_size)
    if isinstance(outputs, np.ndarray):
        criterion.check_target(target, width_of(Tensor(outputs)))
    w = None if weights is None else as_weights(weights, len(target))
    return count_confusions(criterion, outputs, target, w)


def _loss_of(net: Module, loss: Any, asking: str) -> Loss:
    if loss is None and net.trained_with is None:
        raise ConfigurationError(
            f"{asking} needs a loss: this network was not trained by fit",
            advice='Pass a loss, for example loss="CrossEntropyLoss"',
        )
    return as_loss(loss) if loss is not None or net.trained_with is None else net.trained_with[0]


def _examples(net: Module, x: Any, y: Any, loss: Loss) -> tuple[tuple[Array, ...], Array]:
    """Inputs and targets as the network and the loss read them, one target for each example."""
    types = InputTypes.of(net)
    columns = as_columns(x, types, copy=False)
    target = as_target(y, loss, types.dtype)
    check_lengths(columns, target)
    return columns, target


class Evaluator:
    """Loss and metrics of a network on examples, accumulated over batches in float64.

    Parameters
    ----------
    net : Module
    measures : Measures
    columns : sequence of array
        The network's inputs.
    target : array
    weights : array of shape (N,), optional
    backend : Backend, optional
        What computes; by default what ``"auto"`` is.

    Notes
    -----
    The network is traced the first time. After that only its parameters and buffers may change.
    """

    def __init__(
        self,
        net: Module,
        measures: Measures,
        columns: Sequence[Array],
        target: Array,
        weights: Any = None,
        backend: Backend | None = None,
    ) -> None:
        self.net = net
        self.measures = measures
        self.target = target
        self.weights = as_weights(weights, len(target))
        self.backend = backend
        self._arrays = {**name_columns(columns), "target": target}
        self._counted = counted_targets(measures.loss, target)
        self._traced: dict[int, TracedBatch] = {}

    def __call__(self, batch_size: int | None = None) -> dict[str, float]:
        """Evaluate the network as it is now."""
        tally = Tally(self.measures)
        found = map_batches(self._measure, self._arrays, batch_size, self.backend, self._traced)
        for rows, measured in found:
            tally.add(measured, self.target[rows], self.weights[rows])
        return tally.values()

    def _measure(self, *batch: Tensor) -> dict[str, Any]:
        output, measures = self.net(*batch[:-1]), self.measures
        width = width_of(output)
        measures.loss.check_target(self.target, width)
        measures.check(self._counted, width)
        found = vars(measures.of_evaluated(output, batch[-1]))
        return {name: value for name, value in found.items() if value is not None}


def as_weights(weights: Any, count: int) -> Array:
    """Sample weights as float64 [N]; ones where none are given.

    Raises
    ------
    ShapeError
        If there is not one for each of `count` examples.
    DataError
        If one is negative or not finite, or all are zero.
    """
    if weights is None:
        return np.ones(count)
    given = np.asarray(weights, np.float64)
    if given.shape != (count,):
        raise ShapeError(
            f"There is one weight for each of {count} examples; got shape "
            f"{format_shape(given.shape)}"
        )
    if not (np.isfinite(given).all() and (given >= 0).all() and given.any()):
        raise DataError("Weights are finite, not negative, and not all of them zero")
    return given


def _check_examples_in_front(output: Any, count: int) -> None:
    for _, leaf in leaves(output, open_modules=False):
        if not isinstance(leaf, Tensor):
            raise ShapeError(
                f"predict joins outputs that are Tensors; the network gave {type(leaf).__name__}",
                where=here(),
            )
        if leaf.shape[:1] != (count,):
            raise ShapeError(
                f"predict joins outputs along their first axis, the examples; for {count} "
                f"examples the network gave shape {format_shape(leaf.shape)}",
                where=here(),
            )
