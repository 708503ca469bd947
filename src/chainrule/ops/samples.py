"""What an op is tested on: operands described by type, filled by the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chainrule.graph import AttributeValue, TensorType


@dataclass(frozen=True)
class SampleInput:
    """One operand of a sample.

    Parameters
    ----------
    type : TensorType
        Float operands stand for every float dtype: tests run them in each.
    values : sequence of numbers, optional
        The elements in row-major order; without them floats are drawn from a normal
        distribution and integers from 0 up to `below`.
    below : int
        The bound of drawn integers.
    """

    type: TensorType
    values: Sequence[float] | None = None
    below: int = 2


@dataclass(frozen=True)
class Sample:
    """Operands and attributes that an op must handle on every backend."""

    inputs: tuple[SampleInput, ...]
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)


@dataclass(frozen=True)
class BadSample:
    """Operands and attributes that an op must refuse, and the message it refuses them with."""

    inputs: tuple[TensorType, ...]
    message: str
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)


def operand(text: str, values: Sequence[float] | None = None, *, below: int = 2) -> SampleInput:
    """Describe an operand by its printed type: ``operand("f64[2,3]")``."""
    return SampleInput(TensorType.parse(text), values, below)


def sample(*inputs: str | SampleInput, **attributes: AttributeValue) -> Sample:
    """Describe a sample; operands are printed types or what `operand` returns."""
    described = (operand(i) if isinstance(i, str) else i for i in inputs)
    return Sample(tuple(described), attributes)


def bad_sample(message: str, *inputs: str, **attributes: AttributeValue) -> BadSample:
    """Describe operands that must be refused with `message`."""
    return BadSample(tuple(map(TensorType.parse, inputs)), message, attributes)
