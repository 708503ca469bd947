"""NumPy kernels: for each primitive a ufunc, for each structural op a function of its attributes.

A structural kernel is *made* once per node, from the bound op and its operands' types, and then
called with arrays. It returns a new array or a view; no kernel writes into its operands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from chainrule.backends.numpy.error_function import erf, erfc
from chainrule.backends.protocol import Array
from chainrule.base.errors import DataError
from chainrule.base.random import row_bits, step_key
from chainrule.base.registry import Registry
from chainrule.ops.contract import Contract
from chainrule.ops.index import Cast, Constant, Gather, Iota, ScatterAdd
from chainrule.ops.order import AddAlongAxis, Argsort, Cumsum, Flip, TakeAlongAxis
from chainrule.ops.random import RandomBits
from chainrule.ops.reduce import Amax, Argmax, Sum
from chainrule.ops.shape import Broadcast, Concat, Pad, Reshape, Slice, Transpose
from chainrule.ops.table import Operands

Kernel = Callable[..., Array]
KernelMaker = Callable[[Any, Operands], Kernel]

UFUNCS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sign": np.sign,
    "max": np.maximum,
    "min": np.minimum,
    "power": np.power,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "expm1": np.expm1,
    "atan": np.arctan,
    "erf": erf,
    "erfc": erfc,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.rint,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
    "logical_not": np.logical_not,
    "is_finite": np.isfinite,
    "select": np.where,
    "floor_divide": np.floor_divide,
    "remainder": np.remainder,
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
    "bitwise_not": np.bitwise_not,
    "shift_left": np.left_shift,
    "shift_right": np.right_shift,
}

KERNELS: Registry[KernelMaker] = Registry("NumPy kernel")


@KERNELS.register("contract")
def _contract(op: Contract, operands: Operands) -> Kernel:
    a, b = operands
    if not op.batch and len(a.shape) == len(b.shape) == 2 and len(op.over) == 2:
        return _matrix_product(op.over[0] == 0, op.over[1] == 1)
    # Batch, free and contracted axes gathered into one each: a product of stacks of matrices.
    a_free, b_free = op.a_free(len(a.shape)), op.b_free(len(b.shape))
    a_axes = op.a_batch + a_free + op.a_over
    b_axes = op.b_batch + op.b_over + b_free
    batch = [int(a.shape[i]) for i in op.a_batch]
    rows = [int(a.shape[i]) for i in a_free]
    columns = [int(b.shape[i]) for i in b_free]
    inner = int(np.prod([a.shape[i] for i in op.a_over], dtype=int))
    a_shape = (*batch, int(np.prod(rows, dtype=int)), inner)
    b_shape = (*batch, inner, int(np.prod(columns, dtype=int)))
    y_shape = (*batch, *rows, *columns)

    def kernel(left: Array, right: Array) -> Array:
        left = left.transpose(a_axes).reshape(a_shape)
        right = right.transpose(b_axes).reshape(b_shape)
        return (left @ right).reshape(y_shape)

    return kernel


def _matrix_product(transpose_left: bool, transpose_right: bool) -> Kernel:
    if transpose_left:
        return (lambda a, b: a.T @ b.T) if transpose_right else (lambda a, b: a.T @ b)
    return (lambda a, b: a @ b.T) if transpose_right else (lambda a, b: a @ b)


@KERNELS.register("sum")
def _sum(op: Sum, operands: Operands) -> Kernel:
    dtype = operands[0].dtype.numpy  # NumPy would widen int32
    return lambda x: np.add.reduce(x, axis=op.axes, dtype=dtype)


@KERNELS.register("amax")
def _amax(op: Amax, operands: Operands) -> Kernel:
    return lambda x: np.maximum.reduce(x, axis=op.axis)


@KERNELS.register("argmax")
def _argmax(op: Argmax, operands: Operands) -> Kernel:
    return lambda x: np.argmax(x, axis=op.axis)


@KERNELS.register("reshape")
def _reshape(op: Reshape, operands: Operands) -> Kernel:
    return lambda x: np.reshape(x, op.shape)


@KERNELS.register("transpose")
def _transpose(op: Transpose, operands: Operands) -> Kernel:
    return lambda x: np.transpose(x, op.axes)


@KERNELS.register("broadcast")
def _broadcast(op: Broadcast, operands: Operands) -> Kernel:
    return lambda x: np.broadcast_to(x, op.shape)


@KERNELS.register("slice")
def _slice(op: Slice, operands: Operands) -> Kernel:
    where = tuple(map(slice, op.starts, op.stops, op.steps))
    return lambda x: cast(Array, x[where])


@KERNELS.register("pad")
def _pad(op: Pad, operands: Operands) -> Kernel:
    x_type = operands[0]
    shape = op.infer(operands).shape
    steps = (inner + 1 for inner in op.interior)
    inside = tuple(map(slice, op.low, op.stops(x_type.shape), steps))

    def kernel(x: Array, filler: Array) -> Array:
        y = np.full(shape, filler, x_type.dtype.numpy)
        y[inside] = x
        return y

    return kernel


@KERNELS.register("concat")
def _concat(op: Concat, operands: Operands) -> Kernel:
    return lambda *parts: np.concatenate(parts, axis=op.axis)


@KERNELS.register("constant")
def _constant(op: Constant, operands: Operands) -> Kernel:
    value = np.asarray(op.value, op.dtype.numpy)
    value.flags.writeable = False  # every run returns it
    return lambda: value


@KERNELS.register("iota")
def _iota(op: Iota, operands: Operands) -> Kernel:
    shape = [1] * len(op.shape)
    shape[op.axis] = op.shape[op.axis]
    counted = np.arange(op.shape[op.axis], dtype=op.dtype.numpy).reshape(shape)
    value = np.broadcast_to(counted, op.shape)
    return lambda: value


@KERNELS.register("cast")
def _cast(op: Cast, operands: Operands) -> Kernel:
    return lambda x: np.asarray(x).astype(op.dtype.numpy)


@KERNELS.register("gather")
def _gather(op: Gather, operands: Operands) -> Kernel:
    size = int(operands[0].shape[op.axis])

    def kernel(x: Array, indices: Array) -> Array:
        _check_bounds("gather", indices, size)
        return np.take(x, indices, axis=op.axis)

    return kernel


@KERNELS.register("scatter_add")
def _scatter_add(op: ScatterAdd, operands: Operands) -> Kernel:
    x_type, indices_type = operands
    y_type = op.infer(operands)
    # np.add.at writes along the leading axis; the axes in front of `axis` move behind.
    inner = range(op.axis, op.axis + len(indices_type.shape))
    front = (*inner, *(i for i in range(len(x_type.shape)) if i not in inner))
    moved = (op.size, *y_type.shape[: op.axis], *y_type.shape[op.axis + 1 :])

    def kernel(x: Array, indices: Array) -> Array:
        _check_bounds("scatter_add", indices, op.size)
        y = np.zeros(moved, x_type.dtype.numpy)
        np.add.at(y, indices, x.transpose(front))
        return np.moveaxis(y, 0, op.axis)

    return kernel


@KERNELS.register("flip")
def _flip(op: Flip, operands: Operands) -> Kernel:
    return lambda x: np.flip(x, op.axes)


@KERNELS.register("cumsum")
def _cumsum(op: Cumsum, operands: Operands) -> Kernel:
    dtype = operands[0].dtype.numpy  # NumPy would widen int32
    if op.reverse:
        return lambda x: np.flip(np.cumsum(np.flip(x, op.axis), op.axis, dtype), op.axis)
    return lambda x: np.cumsum(x, op.axis, dtype)


@KERNELS.register("argsort")
def _argsort(op: Argsort, operands: Operands) -> Kernel:
    last = int(operands[0].shape[op.axis]) - 1

    def kernel(x: Array) -> Array:
        if not op.descending:
            return np.argsort(x, op.axis, stable=True).astype(np.int64, copy=False)
        # Twice in reverse: falling, and equal elements in the order they had.
        backward = np.argsort(np.flip(x, op.axis), op.axis, stable=True)
        return last - np.flip(backward, op.axis).astype(np.int64, copy=False)

    return kernel


@KERNELS.register("take_along_axis")
def _take_along_axis(op: TakeAlongAxis, operands: Operands) -> Kernel:
    size = int(operands[0].shape[op.axis])

    def kernel(x: Array, indices: Array) -> Array:
        _check_bounds("take_along_axis", indices, size)
        return np.take_along_axis(x, indices, op.axis)

    return kernel


@KERNELS.register("add_along_axis")
def _add_along_axis(op: AddAlongAxis, operands: Operands) -> Kernel:
    y_type = op.infer(operands)
    shape = tuple(map(int, operands[0].shape))

    def kernel(x: Array, indices: Array) -> Array:
        _check_bounds("add_along_axis", indices, op.size)
        y = np.zeros(tuple(map(int, y_type.shape)), y_type.dtype.numpy)
        places: list[Any] = list(np.ogrid[tuple(map(slice, shape))])
        places[op.axis] = indices
        np.add.at(y, tuple(places), x)
        return y

    return kernel


@KERNELS.register("random_bits")
def _random_bits(op: RandomBits, operands: Operands) -> Kernel:
    elements = int(np.prod(op.shape, dtype=int))
    shape = op.infer(operands).shape

    def kernel(seed: Array, step: Array, rows: Array) -> Array:
        key = step_key(seed, int(step), op.stream)
        return row_bits(key, rows, elements).reshape(shape)

    return kernel


def _check_bounds(op: str, indices: Array, size: int) -> None:
    wrong = (indices < 0) | (indices >= size)
    if np.any(wrong):
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise DataError(
            f"{op} takes indices from 0 to {size - 1}; got {np.asarray(indices)[first]}",
            where=f"Element {list(first)} of the indices",
        )
