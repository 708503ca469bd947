"""Use a network: predict outputs, evaluate a loss and metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.backends import get_backend
from chainrule.base.errors import ConfigurationError, ShapeError
from chainrule.eager import Tensor, Trace
from chainrule.eager.tensor import Array
from chainrule.eager.trees import leaves, rebuild
from chainrule.graph import Axis, DType, TensorType, format_shape
from chainrule.nn.losses import Loss, as_loss
from chainrule.nn.metrics import Metric, make_metric
from chainrule.nn.mode import evaluation
from chainrule.rewrite import eliminate_dead_nodes

if TYPE_CHECKING:
    from chainrule.nn.module import Module


def as_columns(x: Any, dtype: np.dtype[Any]) -> tuple[Array, ...]:
    """The arrays of an input, in `dtype`: one, or several for a network with several inputs.

    Raises
    ------
    ShapeError
        If they do not have the same examples along their first axis.
    """
    columns = x if isinstance(x, tuple) else (x,)
    arrays = tuple(
        (column.numpy() if isinstance(column, Tensor) else np.asarray(column)).astype(dtype)
        for column in columns
    )
    sizes = {len(array) if array.ndim else -1 for array in arrays}
    if len(sizes) != 1 or -1 in sizes:
        shown = ", ".join(format_shape(array.shape) for array in arrays)
        raise ShapeError(f"Inputs have the examples along their first axis; got shapes {shown}")
    return arrays


def float_dtype(net: Module) -> np.dtype[Any]:
    """The dtype a network computes in: that of its first float parameter, or float32."""
    for parameter in net.parameters():
        if parameter.type.dtype.is_float:
            return parameter.dtype
    return np.dtype(np.float32)


def batch_type(array: Array, size: int) -> TensorType:
    """The type of a batch of `size` rows of `array`: its first axis is the batch axis, B."""
    return TensorType((Axis("B", size), *array.shape[1:]), DType.of(array.dtype))


def predict(net: Module, x: Any, batch_size: int = 256) -> Array:
    """Return the outputs of `net` for examples `x`, in evaluation mode.

    Parameters
    ----------
    net : Module
    x : array of shape (N, ...), or tuple of arrays for a network with several inputs
    batch_size : int
        How many examples are computed at once.

    Returns
    -------
    array of shape (N, ...)
        In the network's dtype; a tuple of arrays for a network with several outputs.
    """
    net.initialize()
    columns = as_columns(x, float_dtype(net))
    batches = [
        _run_batch(net, [c[start:stop] for c in columns], lambda output: output)
        for start, stop in _ranges(len(columns[0]), batch_size)
    ]
    flat = [[leaf for _, leaf in leaves(batch, open_modules=False)] for batch in batches]
    joined = (np.concatenate(parts) for parts in zip(*flat, strict=True))
    result: Array = rebuild(batches[0], joined, open_modules=False)
    return result


def evaluate(
    net: Module,
    x: Any,
    y: Any,
    *,
    loss: Any = None,
    metrics: Sequence[str] | None = None,
    weights: Array | None = None,
    batch_size: int = 256,
) -> dict[str, float]:
    """Return the loss and metrics of `net` on examples, in evaluation mode.

    Parameters
    ----------
    net : Module
    x : array of shape (N, ...), or tuple of arrays
    y : array of shape (N, ...)
    loss : Loss, name or function, optional
        By default the one the network was trained with.
    metrics : sequence of str, optional
        Names of registered metrics; by default those it was trained with.
    weights : array of shape (N,), optional
        Sample weights: each number is Σ wᵢ·vᵢ / Σ wᵢ.
    batch_size : int

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
    known = net.trained_with
    if loss is None and known is None:
        raise ConfigurationError(
            "evaluate needs a loss: this network was not trained by fit",
            advice="Pass loss=...",
        )
    criterion = as_loss(loss) if loss is not None or known is None else known[0]
    names = metrics if metrics is not None else (known[1] if known else ())
    net.initialize()
    dtype = float_dtype(net)
    columns = as_columns(x, dtype)
    target = criterion.prepare_target(np.asarray(y), dtype)
    check_lengths(columns, target)
    made = {name: make_metric(name, criterion, target) for name in names}
    return Evaluator(net, criterion, made)(columns, target, weights, batch_size)


def check_lengths(columns: Sequence[Array], target: Array) -> None:
    """Raise ShapeError unless there is one target for each example, and at least one example."""
    count = len(columns[0])
    if target.ndim == 0 or len(target) != count:
        rows = len(target) if target.ndim else 0
        raise ShapeError(f"There is one target for each example; got {count} examples and {rows}")
    if not count:
        raise ShapeError("There are no examples: x has shape " + format_shape(columns[0].shape))


class Evaluator:
    """Loss and metrics of a network, accumulated over batches in float64.

    Parameters
    ----------
    net : Module
    loss : Loss
    metrics : dict of str to Metric
    """

    def __init__(self, net: Module, loss: Loss, metrics: dict[str, Metric]) -> None:
        self.net = net
        self.loss = loss
        self.metrics = metrics

    def __call__(
        self,
        columns: Sequence[Array],
        target: Array,
        weights: Array | None = None,
        batch_size: int = 256,
    ) -> dict[str, float]:
        """Evaluate on all rows."""
        names = ["loss", *self.metrics]
        totals = dict.fromkeys(names, 0.0)
        weight = 0.0
        for start, stop in _ranges(len(target), batch_size):
            batch = [column[start:stop] for column in (*columns, target)]
            rows = _run_batch(self.net, batch, self._score, inputs=len(columns))
            w = np.ones(stop - start) if weights is None else weights[start:stop]
            weight += float(np.sum(w, dtype=np.float64))
            for name, values in zip(names, rows, strict=True):
                totals[name] += float(np.sum(w * values.astype(np.float64)))
        return {name: total / weight for name, total in totals.items()}

    def _score(self, output: Any, target: Tensor) -> list[Tensor]:
        return [self.loss(output, target), *(m(output, target) for m in self.metrics.values())]


def _run_batch(
    net: Module,
    batch: Sequence[Array],
    finish: Callable[..., Any],
    inputs: int | None = None,
) -> Any:
    """Trace ``finish(net(*inputs), *rest)`` for a batch of this size, and run it.

    The backend keeps what it prepared for a graph, so only the tracing is repeated.
    """
    with Trace() as trace, evaluation():
        symbols = [trace.input(batch_type(array, len(array))) for array in batch]
        count = len(symbols) if inputs is None else inputs
        result = finish(net(*symbols[:count]), *symbols[count:])
        tensors = [leaf for _, leaf in leaves(result, open_modules=False)]
        graph = trace.build("evaluate", {f"y{i}": tensor for i, tensor in enumerate(tensors)})
    lean = eliminate_dead_nodes(graph).graph
    arrays = get_backend("auto").run(lean, [*batch, *(c.numpy() for c in trace.captures)])
    return rebuild(result, iter(arrays), open_modules=False)


def _ranges(count: int, size: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + size, count)) for start in range(0, max(count, 1), size))
