"""Tensor: an array that remembers how it was computed, or a symbol in a graph being traced."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.backends import get_backend
from chainrule.base.errors import ChainruleError, DTypeError, ShapeError, TracingError
from chainrule.eager.methods import Methods
from chainrule.eager.promotion import dtype_of as dtype_of
from chainrule.eager.promotion import is_weak
from chainrule.eager.promotion import promote as promote
from chainrule.eager.tracing import (
    Trace,
    current_scope,
    current_trace,
    here,
    is_open,
    located,
    refuse_number,
    user_source,
)
from chainrule.graph import (
    Attributes,
    AttributeValue,
    DType,
    Graph,
    Node,
    Output,
    Shape,
    Source,
    TensorType,
)
from chainrule.ops import OPS, Elementwise, Value, infer_type

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Made:
    """How an eager Tensor was computed.

    `arrays` are the operands' values at the time: a variable may have another one since. `number`
    counts all that is made: what has a smaller one was made before.
    """

    op: str
    inputs: tuple[Tensor, ...]
    arrays: tuple[Array, ...]
    attributes: Attributes
    scope: str
    source: Source | None
    number: int = field(default_factory=itertools.count().__next__)


class Tensor(Methods):
    """An n-dimensional array with derivatives.

    Outside of a traced function its value exists at once (`numpy`), and `backward` fills in
    `grad`; inside one it is a symbol. NumPy's operators, names and promotion rules hold; every
    elementwise op of the op table is a method, such as ``t.tanh()``.

    Parameters
    ----------
    value : array_like
        Numbers, in a supported dtype (float32, float64, int32, int64, uint32, bool). They are
        copied: a Tensor does not change with the array it was made of.
    dtype : optional
        A NumPy dtype or name; by default NumPy's choice, so ``2.0`` is float64.

    Attributes
    ----------
    grad : Tensor or None
        Set by `backward`, never added to.
    name : str or None
        What the value is called where it enters a graph.

    Examples
    --------
    >>> t = Tensor(2.0)
    >>> y = (t * 3).exp()
    >>> y.backward()
    >>> print(t.grad.numpy() == 3 * y.numpy())
    True
    """

    __slots__ = ("__weakref__", "_made", "_position", "_type", "_value", "grad", "name", "trace")

    def __init__(self, value: Any, dtype: object = None) -> None:
        self._set(_new_array(value, dtype))
        self._made: Made | None = None
        self.trace: Trace | None = None
        self._position = -1
        self.grad: Tensor | None = None
        self.name: str | None = None

    def _set(self, array: Array) -> None:
        # A variable changes by getting another array: no array changes.
        array.flags.writeable = False
        self._value: Array | None = array
        self._type = TensorType(array.shape, DType.of(array.dtype))

    @classmethod
    def computed(cls, array: Array, made: Made | None = None) -> Tensor:
        """Wrap an array that a backend computed, without a copy."""
        tensor = Tensor.__new__(Tensor)
        tensor._set(array)
        tensor._made, tensor.trace, tensor._position = made, None, -1
        tensor.grad, tensor.name = None, None
        return tensor

    @classmethod
    def symbol(cls, trace: Trace, value: Value) -> Tensor:
        """Stand for a value of a graph being traced."""
        tensor = Tensor.__new__(Tensor)
        tensor._value, tensor._type = None, value.type
        tensor._made, tensor.trace, tensor._position = None, trace, value.position
        tensor.grad, tensor.name = None, None
        return tensor

    # --- what it is -----------------------------------------------------------------------

    @property
    def type(self) -> TensorType:
        """Shape and dtype."""
        return self._type

    @property
    def shape(self) -> Shape:
        """The shape."""
        return self._type.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype, as NumPy's."""
        return self._type.dtype.numpy

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._type.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._type.size

    @property
    def made(self) -> Made | None:
        """How it was computed; None for a leaf."""
        return self._made

    @property
    def traced_value(self) -> Value:
        """Its value in the graph being traced."""
        if self.trace is None:
            raise TracingError("an eager Tensor has no place in a graph")
        return Value(self.trace.builder, self._position)

    def check_alive(self) -> None:
        """Raise TracingError if it is a symbol of a trace that is not open, here and now."""
        if self.trace is not None and not is_open(self.trace):
            raise TracingError(
                "A value of a traced function was used after the function had returned, or in "
                "another thread",
                where=here(),
                advice="Return it from the function instead of storing it outside",
            )

    def _need_number(self, what: str) -> None:
        if self.trace is not None:
            self.check_alive()
            raise refuse_number(what)

    # --- its numbers ------------------------------------------------------------------------

    def numpy(self) -> Array:
        """The value, as a read-only array.

        Raises
        ------
        TracingError
            If it is a symbol.
        """
        self._need_number("numpy()")
        assert self._value is not None
        return self._value

    def item(self) -> float | int | bool:
        """The only element, as a Python number."""
        self._need_number("item()")
        number: float | int | bool = self.numpy().item()
        return number

    def detach(self) -> Tensor:
        """The same value as a leaf, without its history.

        Examples
        --------
        A loop of updates starts each one from a leaf; otherwise every step would go back through
        all steps before it.

        >>> w = tensor([1.0, 2.0])
        >>> for _ in range(3):
        ...     (w * w).sum().backward()
        ...     w = (w - 0.25 * w.grad).detach()
        >>> w.numpy().tolist()
        [0.125, 0.25]
        """
        return Tensor(self.numpy())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        self._need_number("A NumPy function")
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __bool__(self) -> bool:
        self._need_number("A Python `if` or `while`")
        return bool(self.numpy())

    def __float__(self) -> float:
        self._need_number("float()")
        return float(self.numpy())

    def __int__(self) -> int:
        self._need_number("int()")
        return int(self.numpy())

    def __index__(self) -> int:
        self._need_number("A position in Python")
        if self.shape or not self._type.dtype.is_integer:
            raise TypeError(f"a position is an integer of shape (); got {self._type}")
        return int(self.numpy())

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a Tensor of shape () has no length")
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        if self._value is None:
            return f"Tensor({self._type}, traced)"
        text = np.array2string(self._value, separator=", ", prefix="Tensor(")
        return f"Tensor({text}, dtype={self.dtype})"

    def __format__(self, specification: str) -> str:
        if specification and not self.shape:
            return format(self.item(), specification)
        return super().__format__(specification)

    def __getattr__(self, op: str) -> Callable[..., Tensor]:
        if op.startswith("_") or op not in OPS or not isinstance(OPS.get(op), Elementwise):
            raise AttributeError(f"Tensor has no attribute {op!r}", name=op, obj=self)
        return lambda *others, **attributes: elementwise(op, self, *others, **attributes)

    def __dir__(self) -> list[str]:
        ops = [name for name in OPS if isinstance(OPS.get(name), Elementwise)]
        return sorted({*super().__dir__(), *ops})

    # --- shape and parts -----------------------------------------------------------------------

    @property
    def T(self) -> Tensor:
        """The transpose."""
        return axes.transpose(self)

    def astype(self, dtype: object) -> Tensor:
        """The same numbers in another dtype."""
        target = dtype_of(dtype)
        return self if target is self.type.dtype else apply("cast", self, dtype=target)

    def __getitem__(self, index: Any) -> Tensor:
        return indexing.index_tensor(self, index)

    # --- derivatives -------------------------------------------------------------------------

    def backward(self) -> None:
        """Set `grad` on every float Tensor that this scalar was computed from.

        Called twice it gives the same answer: nothing accumulates. Frozen parameters are passed by.

        Raises
        ------
        NotDifferentiableError
            If it is no float scalar.
        """
        backward.backward(self)


def tensor(value: Any, dtype: object = None) -> Tensor:
    """Make a Tensor of numbers.

    Parameters
    ----------
    value : array_like
    dtype : optional
        A NumPy dtype or name; by default NumPy's choice, so ``2.0`` is float64.
    """
    return Tensor(value, dtype)


def as_tensor(value: Any) -> Tensor:
    """Return `value` if it is a Tensor, and a Tensor of its numbers otherwise."""
    return value if isinstance(value, Tensor) else Tensor(value)


def _new_array(value: Any, dtype: object) -> Array:
    """Copy the numbers of `value` into an array of a supported dtype."""
    if isinstance(value, Tensor):
        value = value.numpy()
    elif isinstance(value, list | tuple) and any(isinstance(part, Tensor) for part in value):
        raise DTypeError(
            "A Tensor is made of numbers; this list holds Tensors, whose history would be lost",
            where=here(),
            advice="Join Tensors with cr.concatenate",
        )
    try:
        array = np.asarray(value)
    except ValueError:
        raise ShapeError(
            "An array has rows of equal length; these rows are ragged", where=here()
        ) from None
    if array.dtype.kind not in "biuf":
        what = type(value).__name__ if array.dtype == object else f"dtype {array.dtype}"
        raise DTypeError(f"A Tensor is made of real numbers; got {what}", where=here())
    target = dtype_of(array.dtype if dtype is None else dtype).numpy
    # From the original: Python knows that 2**40 does not fit into int32, an array would wrap it.
    with np.errstate(over="ignore"):
        return np.array(value, dtype=target)


# --- applying ops -----------------------------------------------------------------------------


def apply(op: str, *inputs: Tensor, **attributes: AttributeValue) -> Tensor:
    """Apply an op of the table to Tensors: at once, or in the graph being traced.

    Raises
    ------
    ShapeError, DTypeError
        If it does not apply; the error carries the user's line and the layer.
    """
    trace = current_trace()
    try:
        if trace is None:
            return _compute(op, inputs, Attributes(attributes))
        operands = [trace.lift(tensor) for tensor in inputs]
        return trace.wrap(trace.builder.apply(op, *operands, **attributes))
    except ChainruleError as error:
        raise located(error) from None


def _compute(op: str, inputs: tuple[Tensor, ...], attributes: Attributes) -> Tensor:
    arrays = tuple(tensor.numpy() for tensor in inputs)
    graph = _graph_of_one(op, attributes, tuple(tensor.type for tensor in inputs))
    (value,) = get_backend("numpy").run(graph, arrays)
    made = Made(op, inputs, arrays, attributes, current_scope(), user_source())
    return Tensor.computed(value, made)


@lru_cache(maxsize=4096)
def _graph_of_one(op: str, attributes: Attributes, types: tuple[TensorType, ...]) -> Graph:
    operands = tuple(Node("input", (), kind.shape, kind.dtype) for kind in types)
    kind = infer_type(Node(op, (), (), DType.BOOL, attributes), types)
    node = Node(op, tuple(range(len(operands))), kind.shape, kind.dtype, attributes)
    return Graph(op, (*operands, node), (Output("y", len(operands)),))


def elementwise(op: str, *operands: Any, **attributes: AttributeValue) -> Tensor:
    """Apply an elementwise op with NumPy's promotion: a Python number takes the others' dtype.

    An op that is defined on floats takes integers as float64. (So an integer power is a float,
    where NumPy's is an integer.)
    """
    declaration = OPS.get(op)
    if not isinstance(declaration, Elementwise):
        raise DTypeError(f"{op} is no elementwise op")
    first = 1 if declaration.condition else 0
    dtype = promote(operands[first:], declaration.accepts == "float")
    converted = [_as_dtype(operand, dtype) for operand in operands[first:]]
    if declaration.condition:
        converted.insert(0, as_tensor(operands[0]))
    return apply(op, *converted, **attributes)


def _as_dtype(operand: Any, dtype: DType) -> Tensor:
    if isinstance(operand, Tensor):
        return operand.astype(dtype)
    array = _new_array(operand, dtype)
    if not (is_weak(operand) or isinstance(operand, np.generic)):
        return Tensor.computed(array)
    # A number that stands in the code stands in the graph; arrays are inputs.
    return constant(array.item(), dtype)


def constant(value: float, dtype: DType) -> Tensor:
    """A scalar that is written in the code, in `dtype`."""
    trace = current_trace()
    if trace is not None:
        return trace.constant(value, dtype)
    attributes = Attributes({"value": value, "dtype": dtype})
    made = Made("constant", (), (), attributes, current_scope(), None)
    return Tensor.computed(np.array(value, dtype.numpy), made)


# These need Tensor, and its methods need them.
from chainrule.eager import axes, backward, indexing  # noqa: E402
