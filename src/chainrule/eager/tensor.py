"""Tensor: an array that remembers how it was computed, or a symbol in a graph being traced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.backends import get_backend
from chainrule.base.errors import ChainruleError, DTypeError, TracingError
from chainrule.eager.tracing import (
    Trace,
    current_scope,
    current_trace,
    is_open,
    located,
    refuse_number,
    user_source,
)
from chainrule.graph import Attributes, AttributeValue, DType, Node, Shape, Source, TensorType
from chainrule.graph.node import Graph, Output
from chainrule.ops import OPS, Elementwise, Value, infer_type

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Made:
    """How an eager Tensor was computed."""

    op: str
    inputs: tuple[Tensor, ...]
    attributes: Attributes
    scope: str
    source: Source | None


class Tensor:
    """An n-dimensional array with derivatives.

    Outside of a traced function its value exists at once (`numpy`), and `backward` fills in
    `grad`; inside one it is a symbol. NumPy's operators, names and promotion rules hold; every
    elementwise op of the op table is a method, such as ``t.tanh()``.

    Parameters
    ----------
    value : array_like
        Numbers, in a supported dtype (float32, float64, int32, int64, uint32, bool).

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
    __array_ufunc__ = None  # `ndarray @ Tensor` asks Tensor

    def __init__(self, value: Any, dtype: object = None) -> None:
        if isinstance(value, Tensor):
            value = value.numpy()
        array = np.array(value, dtype=None if dtype is None else DType.of(dtype).numpy)
        self._set(array)
        self._made: Made | None = None
        self.trace: Trace | None = None
        self._position = -1
        self.grad: Tensor | None = None
        self.name: str | None = None

    def _set(self, array: Array) -> None:
        self._value: Array | None = array
        self._type = TensorType(array.shape, DType.of(array.dtype))

    @classmethod
    def _traced(cls, trace: Trace, value: Value) -> Tensor:
        tensor = Tensor.__new__(Tensor)
        tensor._value, tensor._made, tensor.grad, tensor.name = None, None, None, None
        tensor._type, tensor.trace, tensor._position = value.type, trace, value.position
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
        """Raise TracingError if it is a symbol of a trace that has ended."""
        if self.trace is not None and not is_open(self.trace):
            raise TracingError(
                "A value of a traced function was used after the function had returned",
                advice="Return it from the function instead of storing it outside",
            )

    def numpy(self) -> Array:
        """The value, as a read-only view.

        Raises
        ------
        TracingError
            If it is a symbol.
        """
        if self._value is None:
            self.check_alive()
            raise refuse_number("numpy()")
        view = self._value.view()
        view.flags.writeable = False
        return view

    def item(self) -> float | int | bool:
        """The only element, as a Python number."""
        number: float | int | bool = self.numpy().item()
        return number

    def detach(self) -> Tensor:
        """The same value as a leaf, without its history."""
        return Tensor(self.numpy())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __bool__(self) -> bool:
        if self._value is None:
            raise refuse_number("A Python `if` or `while`")
        return bool(self._value)

    def __float__(self) -> float:
        if self._value is None:
            raise refuse_number("float()")
        return float(self._value)

    def __int__(self) -> int:
        if self._value is None:
            raise refuse_number("int()")
        return int(self._value)

    __index__ = __int__

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

    __hash__ = object.__hash__

    # --- arithmetic ------------------------------------------------------------------------

    def __add__(self, other: Any) -> Tensor:
        return elementwise("add", self, other)

    def __radd__(self, other: Any) -> Tensor:
        return elementwise("add", other, self)

    def __sub__(self, other: Any) -> Tensor:
        return elementwise("sub", self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return elementwise("sub", other, self)

    def __mul__(self, other: Any) -> Tensor:
        return elementwise("mul", self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return elementwise("mul", other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return elementwise("div", self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return elementwise("div", other, self)

    def __pow__(self, other: Any) -> Tensor:
        # x² is exact for negative x and cheaper than a power.
        is_two = isinstance(other, int | float) and other == 2
        return elementwise("square", self) if is_two else elementwise("power", self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return elementwise("power", other, self)

    def __neg__(self) -> Tensor:
        return elementwise("neg", self)

    def __abs__(self) -> Tensor:
        return elementwise("abs", self)

    def __matmul__(self, other: Any) -> Tensor:
        from chainrule.eager.functions import matmul

        return matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        from chainrule.eager.functions import matmul

        return matmul(other, self)

    def __lt__(self, other: Any) -> Tensor:
        return elementwise("less", self, other)

    def __le__(self, other: Any) -> Tensor:
        return elementwise("less_equal", self, other)

    def __gt__(self, other: Any) -> Tensor:
        return elementwise("greater", self, other)

    def __ge__(self, other: Any) -> Tensor:
        return elementwise("greater_equal", self, other)

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return elementwise("equal", self, other)

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return elementwise("not_equal", self, other)

    def __and__(self, other: Any) -> Tensor:
        return elementwise("logical_and", self, other)

    def __invert__(self) -> Tensor:
        return elementwise("logical_not", self)

    def __getattr__(self, op: str) -> Callable[..., Tensor]:
        if op.startswith("_") or op not in OPS or not isinstance(OPS.get(op), Elementwise):
            raise AttributeError(f"Tensor has no attribute {op!r}")
        return lambda *others, **attributes: elementwise(op, self, *others, **attributes)

    def __dir__(self) -> list[str]:
        ops = [name for name in OPS if isinstance(OPS.get(name), Elementwise)]
        return sorted({*super().__dir__(), *ops})

    # --- shape and reduction ----------------------------------------------------------------

    def sum(self, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        """Sum over `axis`; over all axes by default."""
        from chainrule.eager.functions import reduce_axes

        return reduce_axes("sum", self, axis, keepdims)

    def mean(self, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        """Mean over `axis`; over all axes by default."""
        from chainrule.eager.functions import reduce_axes

        return reduce_axes("mean", self, axis, keepdims)

    def max(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Largest element over `axis`; at a tie the first one takes the gradient."""
        from chainrule.eager.functions import reduce_axis

        return reduce_axis("amax", self, axis, keepdims)

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Position of the first of the largest elements over `axis`."""
        from chainrule.eager.functions import reduce_axis

        return reduce_axis("argmax", self, axis, keepdims)

    def reshape(self, *shape: int | Sequence[int]) -> Tensor:
        """The same elements under another shape; one size may be -1."""
        from chainrule.eager.functions import reshape

        return reshape(self, *shape)

    def transpose(self, *axes: int) -> Tensor:
        """Permute the axes; reverse them by default."""
        order = tuple(axis % self.ndim for axis in axes) or tuple(reversed(range(self.ndim)))
        return apply("transpose", self, axes=order)

    @property
    def T(self) -> Tensor:
        """The transpose."""
        return self.transpose()

    def astype(self, dtype: object) -> Tensor:
        """The same numbers in another dtype."""
        target = DType.of(dtype)
        return self if target is self.type.dtype else apply("cast", self, dtype=target)

    def __getitem__(self, index: Any) -> Tensor:
        from chainrule.eager.indexing import index_tensor

        return index_tensor(self, index)

    def softmax(self, axis: int = -1) -> Tensor:
        """Softmax over `axis`."""
        return apply("softmax", self, axis=axis % self.ndim)

    def log_softmax(self, axis: int = -1) -> Tensor:
        """Logarithm of the softmax over `axis`, without its underflow."""
        return apply("log_softmax", self, axis=axis % self.ndim)

    # --- derivatives -------------------------------------------------------------------------

    def backward(self) -> None:
        """Set `grad` on every float Tensor that this scalar was computed from.

        Called twice it gives the same answer: nothing accumulates.

        Raises
        ------
        NotDifferentiableError
            If it is no float scalar.
        """
        from chainrule.eager.backward import backward

        backward(self)


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
        trace.builder.scope = current_scope()
        return trace.wrap(trace.builder.apply(op, *map(trace.lift, inputs), **attributes))
    except ChainruleError as error:
        raise located(error) from None


def _compute(op: str, inputs: tuple[Tensor, ...], attributes: Attributes) -> Tensor:
    types = tuple(tensor.type for tensor in inputs)
    kind = infer_type(Node(op, (), (), DType.BOOL, attributes), types)
    nodes = [Node("input", (), t.shape, t.dtype) for t in types]
    position = len(nodes)
    nodes.append(Node(op, tuple(range(position)), kind.shape, kind.dtype, attributes))
    graph = Graph(op, tuple(nodes), (Output("y", position),))
    (value,) = get_backend("numpy").run(graph, [t.numpy() for t in inputs])
    result = Tensor(value)
    result._made = Made(op, inputs, attributes, current_scope(), user_source())
    return result


def elementwise(op: str, *operands: Any, **attributes: AttributeValue) -> Tensor:
    """Apply an elementwise op with NumPy's promotion: a Python number takes the others' dtype."""
    declaration = OPS.get(op)
    if not isinstance(declaration, Elementwise):
        raise DTypeError(f"{op} is no elementwise op")
    first = 1 if declaration.condition else 0
    dtype = promote(operands[first:], declaration.accepts == "float")
    converted = [_as_dtype(operand, dtype) for operand in operands[first:]]
    if declaration.condition:
        converted.insert(0, as_tensor(operands[0]))
    return apply(op, *converted, **attributes)


def promote(operands: Sequence[Any], needs_float: bool) -> DType:
    """The dtype in which operands meet, by NumPy's rule."""
    weak = (bool, int, float)
    strong = [o.dtype if isinstance(o, Tensor) else o for o in operands]
    types = [
        o if type(o) in weak else np.asarray(o).dtype if not isinstance(o, np.dtype) else o
        for o in strong
    ]
    dtype = np.result_type(*types)
    if needs_float and dtype.kind != "f":
        dtype = np.dtype(np.float64)
    return DType.of(dtype)


def _as_dtype(operand: Any, dtype: DType) -> Tensor:
    if isinstance(operand, Tensor):
        return operand if operand.type.dtype is dtype else operand.astype(dtype)
    trace = current_trace()
    if type(operand) in (bool, int, float):
        if trace is not None:
            return trace.wrap(trace.builder.constant(dtype.numpy.type(operand).item(), dtype))
        return Tensor(operand, dtype)
    return Tensor(np.asarray(operand), dtype)
