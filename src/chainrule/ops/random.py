"""Random numbers as ops: the same graph with the same key gives the same numbers, anywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from chainrule.base.errors import DTypeError, GraphError, ShapeError
from chainrule.base.random import stream_id
from chainrule.graph import DType, Shape, TensorType
from chainrule.ops.builder import Builder, Value
from chainrule.ops.composite import composite
from chainrule.ops.expression import Element, Expression, apply
from chainrule.ops.samples import bad_sample, operand, sample
from chainrule.ops.table import Batch, Call, Op, Operands, declare


@dataclass(frozen=True)
class RandomBits(Op):
    """32 random bits for each element, from (seed, stream, step, row): see `base.random`.

    Operands: the seed u32[2], the step i64[], the examples' rows in the data set i64[...].

    Parameters
    ----------
    shape : tuple of int
        The shape drawn for each row; the result's shape is that of the rows, then this.
    stream : str
        The stream's name, such as the path of the layer that draws.
    """

    shape: tuple[int, ...]
    stream: str

    name: ClassVar[str] = "random_bits"
    arity: ClassVar[int | None] = 3

    def infer(self, operands: Operands) -> TensorType:
        seed, step, rows = operands
        if seed != TensorType((2,), DType.U32):
            raise ShapeError(f"random_bits takes a seed u32[2]; got {seed}")
        if step != TensorType((), DType.I64) or rows.dtype is not DType.I64:
            raise DTypeError(f"random_bits takes a step i64[] and rows i64; got {step} and {rows}")
        return TensorType(rows.shape + self.shape, DType.U32)

    def pullback(self, b: Builder, call: Call, d_y: Value) -> list[Value | None]:
        return [None, None, None]

    def batched(self, b: Builder, batch: Batch) -> Value:
        if batch.mapped != (False, False, True):
            raise GraphError(
                "random_bits takes one seed and one step for all examples",
                advice="Tell the examples apart by their rows",
            )
        return b.random_bits(*batch.operands, shape=self.shape, stream=self.stream)

    def terms(self, operands: Operands, index: tuple[int, ...]) -> Expression:
        rank = len(operands[2].shape)
        word = 0
        for i, size in zip(index[rank:], self.shape, strict=True):
            word = word * size + i
        seed = (Element(0, (0,)), Element(0, (1,)))
        return apply(
            "random_bits",
            *seed,
            Element(1, ()),
            Element(2, index[:rank]),
            *stream_id(self.stream),
            word,
        )

    def formula(self) -> str:
        return f"y = Threefry(seed, {self.stream!r}, step, row)"


def _uniform(
    b: Builder, seed: Value, step: Value, rows: Value, *, shape: Shape, stream: str, dtype: DType
) -> Value:
    if not dtype.is_float:
        raise DTypeError(f"uniform numbers are floats; got {dtype.value}")
    if dtype is DType.F32:
        bits = b.random_bits(seed, step, rows, shape=shape, stream=stream)
        high = b.shift_right(bits, b.constant(8, DType.U32))
        return b.cast(high, dtype=dtype) * 2.0**-24
    pairs = b.random_bits(seed, step, rows, shape=(*shape, 2), stream=stream)
    first, second = _last_axis(b, pairs)
    high = b.cast(b.shift_right(first, b.constant(5, DType.U32)), dtype=dtype)
    low = b.cast(b.shift_right(second, b.constant(6, DType.U32)), dtype=dtype)
    return (high * 2.0**26 + low) * 2.0**-53


def _normal(
    b: Builder, seed: Value, step: Value, rows: Value, *, shape: Shape, stream: str, dtype: DType
) -> Value:
    draws = b.uniform(seed, step, rows, shape=(*shape, 2), stream=stream, dtype=dtype)
    u, v = _last_axis(b, draws)
    ulp = 2.0**-24 if dtype is DType.F32 else 2.0**-53
    return b.sqrt(b.log(u + ulp) * -2.0) * b.cos(v * (2 * math.pi))


def _last_axis(b: Builder, pairs: Value) -> list[Value]:
    """Split a last axis of size 2 into its two elements."""
    outer = tuple(map(int, pairs.shape[:-1]))
    zeros, ones = (0,) * len(outer), (1,) * len(outer)
    return [
        b.reshape(
            b.slice(pairs, starts=(*zeros, i), stops=(*outer, i + 1), steps=(*ones, 1)),
            shape=pairs.shape[:-1],
        )
        for i in range(2)
    ]


_BAD_SEED = ("u32[3]", "i64[]", "i64[4]")
_KEYS = (
    operand("u32[2]", (7, 0)),
    operand("i64[]", (3,)),
    operand("i64[B=3]", (0, 5, 2**33)),
)

declare(
    RandomBits,
    samples=(sample(*_KEYS, shape=(2, 3), stream="dropout"),),
    bad_samples=(
        bad_sample(
            "random_bits takes a seed u32[2]; got u32[3].",
            *_BAD_SEED,
            shape=(2,),
            stream="dropout",
        ),
    ),
    source="Salmon et al. 2011",
)
UNIFORM = composite(
    "uniform",
    arity=3,
    body=_uniform,
    formula="y ~ U[0, 1)",
    samples=(
        sample(*_KEYS, shape=(2,), stream="dropout", dtype=DType.F32),
        sample(*_KEYS, shape=(2,), stream="dropout", dtype=DType.F64),
    ),
    bad_samples=(
        bad_sample(
            "random_bits takes a seed u32[2]; got u32[3].",
            *_BAD_SEED,
            shape=(2,),
            stream="dropout",
            dtype=DType.F32,
        ),
        bad_sample(
            "uniform numbers are floats; got i64.",
            "u32[2]",
            "i64[]",
            "i64[4]",
            shape=(2,),
            stream="dropout",
            dtype=DType.I64,
        ),
    ),
)
NORMAL = composite(
    "normal",
    arity=3,
    body=_normal,
    formula="y ~ N(0, 1)",
    samples=(
        sample(*_KEYS, shape=(2,), stream="noise", dtype=DType.F32),
        sample(*_KEYS, shape=(2,), stream="noise", dtype=DType.F64),
    ),
    bad_samples=(
        bad_sample(
            "random_bits takes a seed u32[2]; got u32[3].",
            *_BAD_SEED,
            shape=(2,),
            stream="noise",
            dtype=DType.F32,
        ),
    ),
    source="Box and Muller 1958",
)
