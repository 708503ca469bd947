"""Variables of a module: parameters, which train, and buffers, which are kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.base.constant import as_kept
from chainrule.base.errors import ConfigurationError, DTypeError, ShapeError, TracingError
from chainrule.eager import Tensor, as_tensor, assign, here
from chainrule.eager.promotion import promote
from chainrule.eager.tensor import Array
from chainrule.graph import DType, Shape, TensorType, format_shape
from chainrule.nn.initializers import Initializer


class Variable(Tensor):
    """A Tensor whose numbers can be replaced; inside a trace it is an input, not a constant.

    Parameters
    ----------
    value : array_like, optional
        Its numbers. Without them it is drawn later, by `draw`.
    shape : tuple of int
        The shape, where there are no numbers yet.
    initializer : Initializer, optional
        How it is drawn.
    dtype : optional
        A NumPy dtype or name. By default arrays keep theirs, and what is drawn is float32.
    """

    __slots__ = ("initializer",)

    def __init__(
        self,
        value: Any = None,
        *,
        shape: Shape = (),
        initializer: Initializer | None = None,
        dtype: object = None,
    ) -> None:
        self.initializer = initializer
        if value is not None:
            super().__init__(value, dtype)
            return
        if initializer is None:
            kind = type(self).__name__
            raise ConfigurationError(
                f"A {kind} is made of numbers, or of a shape and an initializer",
                advice=f"For example {kind}(np.zeros(3)), or "
                f"{kind}(shape=(3,), initializer=nn.init.normal())",
            )
        super().__init__(0.0)
        self._value = None
        self._type = TensorType(tuple(shape), DType.of("float32" if dtype is None else dtype))

    @property
    def is_drawn(self) -> bool:
        """Whether it has numbers yet."""
        return self._value is not None

    def draw(self, seed: int, path: str) -> None:
        """Draw the numbers from (seed, path), in float64, and round them to the dtype.

        Parameters
        ----------
        seed : int
        path : str
            The canonical name: two variables of one network differ by it.

        Raises
        ------
        ShapeError
            If the initializer gives another shape.
        """
        if self.initializer is None:
            raise TracingError(f"{path} was made of numbers: there is nothing to draw it from")
        shape = tuple(map(int, self.shape))
        drawn = np.asarray(self.initializer(shape, seed, path))
        if drawn.shape != shape:
            raise ShapeError(
                f"{path} has shape {format_shape(shape)}; its initializer gave "
                f"{format_shape(drawn.shape)}"
            )
        self._set(np.array(drawn, self.dtype))

    def settle(self, seed: int, path: str) -> None:
        """Take the name `path`, and numbers if it has none yet."""
        self.name = path
        if not self.is_drawn:
            self.draw(seed, path)

    def replace(self, value: Any) -> None:
        """Give it new numbers of the same shape, in the dtype it has.

        Raises
        ------
        ShapeError
            If the shape differs.
        DTypeError
            If they are no numbers, or fractions where it holds integers.
        """
        self._set(self.fitting(value))

    def fitting(self, value: Any, name: str | None = None) -> Array:
        """Return `value` as an array of this type, or raise as `replace` does, under a `name`."""
        array = np.asarray(value)
        name = name or self.name or f"The {type(self).__name__.lower()}"
        if array.shape != self.shape:
            raise ShapeError(
                f"{name} has shape {format_shape(self.shape)}; got {format_shape(array.shape)}"
            )
        if array.dtype.kind not in "biuf":
            raise DTypeError(f"{name} holds {self.dtype} numbers; got {array.dtype}")
        with np.errstate(invalid="ignore"):  # NaN as an integer: refused below
            converted = as_kept(array, np.dtype(self.dtype))
        if not self.type.dtype.is_float and not np.array_equal(converted, array):
            raise DTypeError(f"{name} holds {self.dtype} numbers; got {array.tolist()}")
        return converted

    def convert(self, dtype: object) -> None:
        """Change the dtype, rounding the numbers."""
        if self.is_drawn:
            self._set(self.numpy().astype(DType.of(dtype).numpy, copy=False))
        else:
            self._type = TensorType(self.shape, DType.of(dtype))

    def numpy(self) -> Array:
        if not self.is_drawn:
            raise TracingError(
                f"{type(self).__name__} {self.name or format_shape(self.shape)} has not been "
                "drawn yet",
                advice="Call net.initialize(seed=0), or use the network once",
            )
        return super().numpy()

    def __repr__(self) -> str:
        kind = type(self).__name__
        if not self.is_drawn:
            return f"{kind}({self.type}, not drawn yet)"
        return super().__repr__().replace("Tensor(", f"{kind}(", 1)


class Parameter(Variable):
    """A weight or bias: what training changes.

    Parameters
    ----------
    value : array_like, optional
        Its numbers. Without them it is drawn later, by `draw`. Arrays of floats keep their
        dtype; Python's numbers, and integers, which cannot be trained, become float32.
    shape : tuple of int
        The shape, where there are no numbers yet.
    initializer : Initializer, optional
        How it is drawn.
    dtype : optional
        float32 or float64.

    Attributes
    ----------
    requires_grad : bool
        Whether training changes it; False freezes it.
    """

    __slots__ = ("requires_grad",)

    def __init__(
        self,
        value: Any = None,
        *,
        shape: Shape = (),
        initializer: Initializer | None = None,
        dtype: object = None,
    ) -> None:
        if dtype is None:
            strong = isinstance(value, np.ndarray | np.generic | Tensor)
            dtype = value.dtype if strong and value.dtype.kind == "f" else np.float32
        if not DType.of(dtype).is_float:
            raise DTypeError(f"A Parameter is float32 or float64; got {DType.of(dtype).numpy}")
        super().__init__(value, shape=shape, initializer=initializer, dtype=dtype)
        self.requires_grad = True


class Buffer(Variable):
    """State that is not trained but kept: running statistics, counters."""

    __slots__ = ()

    def assign(self, value: Any) -> None:
        """Replace the value: at once, or, in a traced step, by one more output of the step.

        Parameters
        ----------
        value : Tensor or array_like
            Of this shape; it is converted to this dtype.

        Raises
        ------
        ShapeError
            If the shape differs.
        """
        new = as_tensor(value)
        if new.shape != self.shape:
            raise ShapeError(
                f"Buffer {self.name or ''} has shape {format_shape(self.shape)}; "
                f"got {format_shape(new.shape)}",
                where=here(),
            )
        assign(self, new.astype(self.type.dtype))

    def numpy(self) -> Array:
        # How a buffer starts does not depend on a seed: zeros, ones.
        if not self.is_drawn:
            self.draw(0, self.name or "")
        return super().numpy()


def meet(x: Tensor, *parameters: Tensor) -> tuple[Tensor, ...]:
    """An input and a layer's parameters in the dtype in which they meet.

    Integers, such as the pixels of an image, take the parameters' dtype; floats are promoted as
    NumPy does.
    """
    own = parameters[0].type.dtype
    dtype = promote((x, parameters[0]), needs_float=True) if x.type.dtype.is_float else own
    return tuple(each.astype(dtype) for each in (x, *parameters))
