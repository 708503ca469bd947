"""Samples made concrete: an op's declared operands as arrays, and the graph of that one op."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.base.random import normal, normal_words, random_bits, seed_words
from chainrule.graph import DType, Graph, TensorType
from chainrule.ops import OPS, Builder, Declaration, Elementwise, Sample, SampleInput

Array = NDArray[Any]

FLOATS = (DType.F32, DType.F64)
INTEGERS = (DType.I32, DType.I64, DType.U32)


@dataclass(frozen=True, eq=False)
class Case:
    """One op applied to one sample's operands.

    Parameters
    ----------
    op : str
        The op's name in the table.
    label : str
        Which sample, in which dtype: ``"sample 0, f32"``.
    graph : Graph
        Inputs ``x0``, ``x1``, ...; the op; its result as the output ``y``.
    arrays : tuple of array
        The operands.
    """

    op: str
    label: str
    graph: Graph
    arrays: tuple[Array, ...]

    @property
    def result(self) -> TensorType:
        """The type of the result."""
        return self.graph.nodes[-1].type


def cases(name: str) -> Iterator[Case]:
    """Every sample of the op `name` in every dtype that it stands for.

    A sample with float operands stands for f32 and f64; an elementwise op that accepts other
    numbers, or any values, is tried on those too.
    """
    declaration = OPS.get(name)
    for position, sample in enumerate(declaration.samples):
        for dtype in _dtypes(declaration, sample):
            retyped = retype(sample, dtype)
            shown = f", {dtype.value}" if dtype else ""
            yield Case(
                name,
                f"sample {position}{shown}",
                sample_graph(name, retyped),
                tuple(materialize(retyped)),
            )


def float64_cases(name: str) -> Iterator[Case]:
    """The cases of the op `name` whose float operands are f64: those that derivatives are of."""
    for case in cases(name):
        types = [case.graph.nodes[i].dtype for i in case.graph.inputs]
        if DType.F64 in types and DType.F32 not in types:
            yield case


def _dtypes(declaration: Declaration, sample: Sample) -> tuple[DType | None, ...]:
    if not any(operand.type.dtype.is_float for operand in sample.inputs):
        return (None,)
    if any(isinstance(value, Graph) for value in sample.attributes.values()):
        return (None,)  # a nested graph has its dtypes written in it
    accepts = declaration.accepts if isinstance(declaration, Elementwise) else "float"
    if accepts == "any":
        return (*FLOATS, *INTEGERS, DType.BOOL)
    return (*FLOATS, *INTEGERS) if accepts == "number" else FLOATS


def retype(sample: Sample, dtype: DType | None) -> Sample:
    """Let the float operands of `sample` have another dtype, their values cut to it."""
    if dtype is None:
        return sample
    return replace(sample, inputs=tuple(_retype(operand, dtype) for operand in sample.inputs))


def _retype(operand: SampleInput, dtype: DType) -> SampleInput:
    if not operand.type.dtype.is_float:
        return operand
    values = operand.values
    if values is not None and not dtype.is_float:
        values = [_cut(value, dtype) for value in values]
    return SampleInput(TensorType(operand.type.shape, dtype), values, operand.below)


def _cut(value: float, dtype: DType) -> int:
    """The integer or truth value that stands for `value` among values of `dtype`."""
    if dtype is DType.BOOL:
        return int(value > 0)
    whole = int(value) if np.isfinite(value) else 0
    return abs(whole) if dtype is DType.U32 else whole


def materialize(sample: Sample, seed: int = 0) -> list[Array]:
    """Fill the operands of `sample`: the same arrays each time.

    Parameters
    ----------
    sample : Sample
    seed : int
        Other seeds, other drawn numbers; values that the sample gives stay.

    Returns
    -------
    list of array
        Floats drawn from a normal distribution, integers from 0 up to `below`.

    Examples
    --------
    >>> from chainrule.ops.samples import operand, sample
    >>> [x.tolist() for x in materialize(sample(operand("f32[2]", (0.5, 2)), "bool[3]"))]
    [[0.5, 2.0], [True, False, True]]
    """
    return [_fill(operand, position, seed) for position, operand in enumerate(sample.inputs)]


def _fill(operand: SampleInput, position: int, seed: int) -> Array:
    kind = operand.type
    shape = tuple(map(int, kind.shape))
    if operand.values is not None:
        values = np.array(operand.values, np.float64 if kind.dtype.is_float else np.int64)
        return values.astype(kind.dtype.numpy).reshape(shape)
    key = seed_words(seed)
    if kind.dtype.is_float:
        words = random_bits(key, 0, "sample", position, kind.size * normal_words(np.float64))
        return normal(words, np.float64).astype(kind.dtype.numpy).reshape(shape)
    words = random_bits(key, 0, "sample", position, kind.size)
    return (words % np.uint32(operand.below)).astype(kind.dtype.numpy).reshape(shape)


def sample_graph(name: str, sample: Sample) -> Graph:
    """The graph of the op `name` on operands as `sample` describes them."""
    b = Builder()
    operands = [b.input(operand.type, f"x{i}") for i, operand in enumerate(sample.inputs)]
    y = b.apply(name, *operands, **sample.attributes)
    b.name(y, "y")
    return b.build(f"{name}_sample", {"y": y})
