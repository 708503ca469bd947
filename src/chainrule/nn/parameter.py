"""Variables of a module: parameters, which train, and buffers, which are kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.base.errors import ShapeError, TracingError
from chainrule.eager import Tensor, assign
from chainrule.eager.tensor import Array
from chainrule.graph import DType, Shape, TensorType, format_shape
from chainrule.nn.initializers import Initializer


class Variable(Tensor):
    """A Tensor with a value that can be replaced; inside a trace it is an input, not a constant."""

    __slots__ = ()

    def replace(self, value: Any) -> None:
        """Give it new numbers of the same shape, in the dtype it has.

        Raises
        ------
        ShapeError
            If the shape differs.
        """
        array = np.asarray(value)
        if array.shape != self.shape:
            raise ShapeError(
                f"{self.name or 'The variable'} has shape {format_shape(self.shape)}; "
                f"got {format_shape(array.shape)}"
            )
        self._set(np.array(array, self.dtype))

    def convert(self, dtype: object) -> None:
        """Change the dtype, rounding the numbers."""
        self._set(self.numpy().astype(DType.of(dtype).numpy))


class Parameter(Variable):
    """A weight or bias: what training changes.

    Parameters
    ----------
    value : array_like, optional
        Its numbers. Without them it is drawn later, by `draw`.
    shape : tuple of int, optional
        The shape, where there is no value yet.
    initializer : Initializer, optional
        How it is drawn.

    Attributes
    ----------
    requires_grad : bool
        Whether training changes it; False freezes it.
    """

    __slots__ = ("initializer", "requires_grad")

    def __init__(
        self,
        value: Any = None,
        *,
        shape: Shape = (),
        initializer: Initializer | None = None,
        dtype: object = None,
    ) -> None:
        self.requires_grad = True
        self.initializer = initializer
        super().__init__(np.float32(0) if value is None else value, dtype)
        if value is None:
            self._value = None
            self._type = TensorType(tuple(shape), DType.of(dtype or "float32"))

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
            The parameter's canonical name: two parameters of one network differ by it.
        """
        if self.initializer is None:
            raise TracingError(f"Parameter {path} has neither a value nor an initializer")
        drawn = self.initializer(tuple(map(int, self.shape)), seed, path)
        self._set(drawn.astype(self.dtype))

    def convert(self, dtype: object) -> None:
        if self.is_drawn:
            super().convert(dtype)
        else:
            self._type = TensorType(self.shape, DType.of(dtype))

    def numpy(self) -> Array:
        if not self.is_drawn:
            raise TracingError(
                f"Parameter {self.name or format_shape(self.shape)} has not been drawn yet",
                advice="Call net.initialize(seed=0), or use the network once",
            )
        return super().numpy()

    def __repr__(self) -> str:
        if not self.is_drawn:
            return f"Parameter({self.type}, not drawn yet)"
        return super().__repr__().replace("Tensor(", "Parameter(", 1)


class Buffer(Variable):
    """State that is not trained but kept: running statistics, counters."""

    __slots__ = ()

    def assign(self, value: Tensor) -> None:
        """Replace the value: at once, or, in a traced step, by one more output of the step."""
        if value.shape != self.shape:
            raise ShapeError(
                f"Buffer {self.name or ''} has shape {format_shape(self.shape)}; "
                f"got {format_shape(value.shape)}"
            )
        assign(self, value.astype(self.type.dtype))
