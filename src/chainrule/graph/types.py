"""What a value is: its element type, its axes, one of them the named batch axis."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from chainrule.base.errors import DTypeError, ParseError


class DType(enum.Enum):
    """Element type of a value. The member's value is how it is printed: ``f32[10,784]``."""

    F32 = "f32"
    F64 = "f64"
    I32 = "i32"
    I64 = "i64"
    U32 = "u32"
    BOOL = "bool"

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The NumPy dtype with the same bits."""
        return _TO_NUMPY[self]

    @property
    def is_float(self) -> bool:
        """Whether values of this type have derivatives."""
        return self in (DType.F32, DType.F64)

    @property
    def is_integer(self) -> bool:
        """Whether values of this type can index an axis."""
        return self in (DType.I32, DType.I64, DType.U32)

    @classmethod
    def of(cls, dtype: object) -> DType:
        """Read a dtype from a DType, its printed name, or anything ``np.dtype`` accepts.

        Raises
        ------
        DTypeError
            If no supported dtype has these bits.
        """
        if isinstance(dtype, cls):
            return dtype
        if isinstance(dtype, str) and dtype in cls._value2member_map_:
            return cls(dtype)
        try:
            return _FROM_NUMPY[np.dtype(dtype)]  # type: ignore[call-overload]
        except (TypeError, KeyError):
            known = ", ".join(f"{member.numpy}" for member in cls)
            raise DTypeError(
                f"expected one of the dtypes {known}; got {dtype!r}",
                advice="Convert the array first, for example with x.astype('float32')",
            ) from None


_TO_NUMPY: dict[DType, np.dtype[np.generic]] = {
    DType.F32: np.dtype(np.float32),
    DType.F64: np.dtype(np.float64),
    DType.I32: np.dtype(np.int32),
    DType.I64: np.dtype(np.int64),
    DType.U32: np.dtype(np.uint32),
    DType.BOOL: np.dtype(np.bool_),
}
_FROM_NUMPY = {numpy_dtype: member for member, numpy_dtype in _TO_NUMPY.items()}


class Axis(int):
    """The size of a named axis, such as the batch axis ``B=10``.

    It is an ``int``, so shape arithmetic needs no cases; arithmetic drops the name, as it
    should: half a batch is no longer the batch. The name is a promise: element i along the axis
    depends on no other example than the i-th. Where `each` example has several elements, one
    example's behind the other's, the axis prints as ``B=10*4``: 40 elements.

    Parameters
    ----------
    name : str
    size : int
        The number of elements.
    each : int
        How many of them belong to one example.
    """

    name: str
    each: int

    def __new__(cls, name: str, size: int, each: int = 1) -> Axis:
        axis = super().__new__(cls, size)
        axis.name, axis.each = name, each
        return axis

    @classmethod
    def parse(cls, text: str) -> Axis | None:
        """Read an axis as it prints; None if `text` is none."""
        match = _AXIS.fullmatch(text)
        if match is None:
            return None
        each = int(match["each"] or 1)
        return cls(match["name"], int(match["examples"]) * each, each)

    @property
    def examples(self) -> int:
        """The number of examples."""
        return int(self) // self.each

    def __getnewargs__(self) -> tuple[str, int, int]:  # type: ignore[override]
        return self.name, int(self), self.each

    def __repr__(self) -> str:
        each = "" if self.each == 1 else f"*{self.each}"
        return f"{self.name}={self.examples}{each}"

    __str__ = __repr__


_AXIS = re.compile(r"(?P<name>\w+)=(?P<examples>\d+)(\*(?P<each>[1-9]\d*))?")


Shape = tuple[int, ...]


def same_axis(size: int, other: int) -> int:
    """Of two axes of one size that run together: the one that has a name."""
    return size if isinstance(size, Axis) else other


def forget_names(shape: Shape, gone: Iterable[int]) -> Shape:
    """`shape` without the names that axes in `gone` have.

    Along an axis named B, element i belongs to example i. Where an op mixes the elements along
    such an axis, nothing in its result belongs to one example any more.
    """
    names = {size.name for size in gone if isinstance(size, Axis)}
    return tuple(int(s) if isinstance(s, Axis) and s.name in names else s for s in shape)


def format_shape(shape: Shape) -> str:
    """Print a shape as in ``[B=10,784]``."""
    return f"[{','.join(map(str, shape))}]"


@dataclass(frozen=True, slots=True)
class TensorType:
    """Shape and dtype of a value, printed as ``f32[B=10,784]``."""

    shape: Shape
    dtype: DType

    def __str__(self) -> str:
        return f"{self.dtype.value}{format_shape(self.shape)}"

    @property
    def size(self) -> int:
        """The number of elements."""
        product = 1
        for dimension in self.shape:
            product *= dimension
        return product

    @classmethod
    def parse(cls, text: str) -> TensorType:
        """Read a type as `__str__` prints it.

        Raises
        ------
        ParseError
            If `text` is not of the form ``dtype[dimensions]``.
        """
        match = _TYPE.fullmatch(text)
        if match is None or match["dtype"] not in DType._value2member_map_:
            raise ParseError(f"expected a type such as f32[B=10,784]; got {text!r}")
        dimensions: list[int] = []
        for dimension in filter(None, match["shape"].split(",")):
            axis = Axis.parse(dimension)
            dimensions.append(int(dimension) if axis is None else axis)
        return cls(tuple(dimensions), DType(match["dtype"]))


_DIMENSION = r"(\d+|\w+=\d+(\*[1-9]\d*)?)"
_TYPE = re.compile(rf"(?P<dtype>[a-z]+\d*)\[(?P<shape>({_DIMENSION}(,{_DIMENSION})*)?)\]")
