"""Arrays of examples, batch by batch through a function of Tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from chainrule.backends import Backend, get_backend
from chainrule.base.constant import as_kept
from chainrule.base.errors import ConfigurationError, DataError, ShapeError, TargetError
from chainrule.eager import Tensor, Trace, as_tensor
from chainrule.eager.tensor import Array
from chainrule.eager.trees import leaves, rebuild
from chainrule.graph import Axis, DType, Graph, Node, TensorType, format_shape
from chainrule.nn.calling import float_type
from chainrule.nn.losses import Loss
from chainrule.nn.mode import evaluation
from chainrule.nn.module import Module
from chainrule.nn.positions import check_positions
from chainrule.rewrite import eliminate_dead_nodes, resize_batch

T = TypeVar("T")

USUAL_ROWS = 256
"""How many rows are computed at once, where nobody says it."""

WIDEST_BYTES = 4 * 2**20
"""Of a value with a row for each example, where more rows than usual are computed at once.

About what a core has for itself in its cache: then they take less time than in smaller batches,
each of which is a call, and no more memory than a wide network takes anyway.
"""


@dataclass(frozen=True)
class InputTypes:
    """What a network's inputs are converted to.

    Parameters
    ----------
    dtype : numpy dtype
        Of numbers.
    integers : bool
        Whether integers stay integers, int64: a layer in the network reads them as positions.
        Otherwise they are numbers like others, such as the pixels of an image.
    """

    dtype: np.dtype[Any]
    integers: bool

    @classmethod
    def of(cls, net: Module) -> InputTypes:
        """Ask a network."""
        integers = any(module.reads_integers for _, module in net.named_modules())
        return cls(float_dtype(net), integers)

    def of_array(self, array: Array) -> np.dtype[Any]:
        """The dtype that an array is converted to."""
        is_integer = array.dtype.kind in "iu"
        return np.dtype(np.int64) if self.integers and is_integer else self.dtype


def float_dtype(net: Module) -> np.dtype[Any]:
    """The dtype a network computes in: that of its first float parameter, or float32."""
    kind = float_type(net)
    return np.dtype(np.float32) if kind is None else kind.numpy


def as_columns(x: Any, types: InputTypes, *, copy: bool = True) -> tuple[Array, ...]:
    """The arrays of an input: one, or several for a network with several inputs.

    Parameters
    ----------
    x : array_like, or tuple of them
    types : InputTypes
        What they are converted to.
    copy : bool
        False lets an array that has the dtype be itself, where nobody keeps it for later; otherwise
        only one that is constant is.

    Raises
    ------
    DataError
        If they are no numbers.
    ShapeError
        If they do not have the same examples along their first axis.
    """
    columns = tuple(_as_numbers(column) for column in (x if isinstance(x, tuple) else (x,)))
    sizes = {len(array) if array.ndim else -1 for array in columns}
    if len(sizes) != 1 or -1 in sizes:
        shown = ", ".join(format_shape(array.shape) for array in columns)
        raise ShapeError(f"Inputs have the examples along their first axis; got shapes {shown}")
    if copy:
        return tuple(as_kept(array, types.of_array(array)) for array in columns)
    return tuple(array.astype(types.of_array(array), copy=False) for array in columns)


def _as_numbers(column: Any) -> Array:
    if isinstance(column, Tensor):
        return column.numpy()
    try:
        array = np.asarray(column)
    except ValueError:  # rows of different lengths
        raise DataError(
            "Inputs are arrays of numbers; got rows of different lengths",
            advice="Bring the examples to one shape",
        ) from None
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"Inputs are arrays of numbers; got {array.dtype}",
            advice="Encode text and categories as numbers first",
        )
    return array


def as_target(y: Any, loss: Loss, dtype: np.dtype[Any]) -> Array:
    """The targets as the loss computes with them.

    Raises
    ------
    TargetError
        If they are no numbers.
    """
    target = y.numpy() if isinstance(y, Tensor) else np.asarray(y)
    if target.dtype.kind not in "biuf":
        raise TargetError(
            f"Targets are numbers; got {target.dtype}",
            advice="Number the classes: np.unique(y, return_inverse=True)[1]",
        )
    return loss.prepare_target(target, dtype)


def check_lengths(columns: Sequence[Array], target: Array) -> None:
    """Raise ShapeError unless there is one target for each example, and at least one example."""
    count = len(columns[0])
    if target.ndim == 0 or len(target) != count:
        rows = len(target) if target.ndim else 0
        raise ShapeError(f"There is one target for each example; got {count} examples and {rows}")
    if not count:
        raise ShapeError("There are no examples: x has shape " + format_shape(columns[0].shape))


def batch_type(array: Array, size: int) -> TensorType:
    """The type of a batch of `size` rows of `array`: its first axis is the batch axis, B."""
    return TensorType((Axis("B", size), *array.shape[1:]), DType.of(array.dtype))


def name_columns(columns: Sequence[T]) -> dict[str, T]:
    """A network's inputs by name: ``x``, or ``x0``, ``x1``, ... where there are several."""
    return {f"x{i}" if len(columns) > 1 else "x": column for i, column in enumerate(columns)}


def map_batches(
    f: Callable[..., Any],
    arrays: Mapping[str, Array],
    batch_size: int | None,
    backend: Backend | None = None,
    traced: dict[int, TracedBatch] | None = None,
) -> Iterator[tuple[slice, Any]]:
    """Run `f` on batches of the arrays' rows, in evaluation mode; give the rows and the results.

    Parameters
    ----------
    f : callable
        From one Tensor for each array to Tensors, or tuples, lists, dicts of them. It is traced
        once for each batch size: for whole batches and for what remains.

        A backend that compiles computes what remains in a batch of the next power of two, its
        last row repeated, and these rows are left out of the results; not so where `f` is not
        shown to compute each row by itself.
    arrays : mapping of str to array
        With one length. Without rows there is one batch, of none.
    batch_size : int or None
        None: `USUAL_ROWS`, or more where each row is computed by itself and even the widest value
        stays within `WIDEST_BYTES`.
    backend : Backend, optional
        What computes; by default what ``"auto"`` is.
    traced : dict, optional
        What `f` became before, by batch size, for arrays of these types; it is added to.

    Raises
    ------
    ConfigurationError
        If `batch_size` is no whole number above zero.
    DataError
        If an example holds a position that is not in its table.
    """
    whole = batch_size is None or (isinstance(batch_size, int) and batch_size >= 1)
    if isinstance(batch_size, bool) or not whole:
        raise ConfigurationError(f"batch_size is a whole number ≥ 1; got {batch_size!r}")
    count = len(next(iter(arrays.values())))
    traced = {} if traced is None else traced
    backend = backend or get_backend("auto")

    def trace(batch: Mapping[str, Array], size: int) -> TracedBatch:
        if size not in traced:
            traced[size] = _trace(f, batch)
        return traced[size]

    if batch_size is None:
        batch_size = USUAL_ROWS
        if count >= 2 * USUAL_ROWS:
            few = {name: array[:USUAL_ROWS] for name, array in arrays.items()}
            batch_size = trace(few, USUAL_ROWS).rows_at_once(count)
    for start in range(0, max(count, 1), batch_size):
        rows = slice(start, min(start + batch_size, count))
        batch = {name: array[rows] for name, array in arrays.items()}
        yield rows, trace(batch, rows.stop - start).run(batch, start, backend, batch_size)


@dataclass(frozen=True)
class TracedBatch:
    """A function traced for one batch size.

    Parameters
    ----------
    graph : Graph
    captures : tuple of Tensor
        What it uses besides its arguments: parameters and buffers.
    result : object
        What it returned, for its structure.
    """

    graph: Graph
    captures: tuple[Tensor, ...]
    result: Any

    def rows_at_once(self, count: int) -> int:
        """How many of `count` rows to compute at once: a power of two, if more than usual."""
        rows = USUAL_ROWS
        twice = resize_batch(self.graph, Axis("B", rows), 2 * rows)
        if twice is None:  # a row's numbers may depend on those beside it
            return rows
        sizes = (_bytes(node) for node in twice.nodes if _has_examples(node))
        widest = max(sizes, default=0) // (2 * rows)
        while 2 * rows <= min(count, WIDEST_BYTES // max(widest, 1)):
            rows *= 2
        return rows

    def run(
        self, batch: Mapping[str, Array], first_row: int, backend: Backend, batch_size: int
    ) -> Any:
        captured = [tensor.numpy() for tensor in self.captures]
        count = len(next(iter(batch.values())))
        size = _padded_size(count, batch_size) if backend.compiles_sizes else count
        larger = resize_batch(self.graph, Axis("B", count), size) if size > count else None
        columns = batch.values() if larger is None else _padded(batch.values(), size)
        try:
            arrays = backend.run(larger or self.graph, [*columns, *captured])
        except DataError:
            check_positions(self.graph, batch, first_row)  # says which row it was
            raise
        results = arrays if larger is None else [array[:count] for array in arrays]
        return rebuild(self.result, iter(results), open_modules=False)


def _has_examples(node: Node) -> bool:
    return any(isinstance(size, Axis) and size.name == "B" for size in node.shape)


def _bytes(node: Node) -> int:
    return int(node.type.size) * node.dtype.numpy.itemsize


def _padded_size(count: int, batch_size: int) -> int:
    """The next power of two, which many batches share; no more than a whole batch."""
    return min(1 << (count - 1).bit_length(), batch_size) if count else 0


def _padded(columns: Iterable[Array], size: int) -> Iterator[Array]:
    """Columns with their last rows repeated: a row that can be computed again cannot fail."""
    for column in columns:
        more = size - len(column)
        yield np.concatenate([column, np.broadcast_to(column[-1:], (more, *column.shape[1:]))])


def _trace(f: Callable[..., Any], batch: Mapping[str, Array]) -> TracedBatch:
    with Trace() as trace, evaluation():
        named = batch.items()
        result = f(*(trace.input(batch_type(array, len(array)), name) for name, array in named))
        tensors = [as_tensor(leaf) for _, leaf in leaves(result, open_modules=False)]
        outputs = {f"y{i}": tensor for i, tensor in enumerate(tensors)}
        graph = eliminate_dead_nodes(trace.build("evaluate", outputs)).graph
    return TracedBatch(graph, tuple(trace.captures), result)
