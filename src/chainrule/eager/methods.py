"""NumPy's methods of arrays on Tensors, for those of its functions that have one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from chainrule.eager.operators import Operators

if TYPE_CHECKING:
    from chainrule.eager.tensor import Tensor

Axes = int | Sequence[int] | None


class Methods(Operators):
    """Functions of `order`, `shapes` and `statistics` under NumPy's names for methods.

    `Tensor` is the one class that derives from it.
    """

    __slots__ = ()

    def argsort(self, axis: int | None = -1, descending: bool = False) -> Tensor:
        """Positions of the elements in rising order; equal ones keep their order."""
        from chainrule.eager import order

        return order.argsort(self, axis, descending)

    def sort(self, axis: int | None = -1, descending: bool = False) -> Tensor:
        """The elements in rising order, as a new Tensor; NumPy's method sorts in place."""
        from chainrule.eager import order

        return order.sort(self, axis, descending)

    def cumsum(self, axis: int | None = None) -> Tensor:
        """Sums of each element and all before it along `axis`."""
        from chainrule.eager import order

        return order.cumsum(self, axis)

    def clip(self, low: Any = None, high: Any = None) -> Tensor:
        """The elements, none below `low` and none above `high`."""
        from chainrule.eager import statistics

        return statistics.clip(self, low, high)

    def prod(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Product over `axis`; over all axes by default."""
        from chainrule.eager import statistics

        return statistics.prod(self, axis, keepdims)

    def var(self, axis: Axes = None, ddof: float = 0, keepdims: bool = False) -> Tensor:
        """Variance over `axis`, of as many elements less `ddof`."""
        from chainrule.eager import statistics

        return statistics.var(self, axis, ddof, keepdims)

    def std(self, axis: Axes = None, ddof: float = 0, keepdims: bool = False) -> Tensor:
        """Standard deviation over `axis`, of as many elements less `ddof`."""
        from chainrule.eager import statistics

        return statistics.std(self, axis, ddof, keepdims)

    def repeat(self, repetitions: int, axis: int | None = None) -> Tensor:
        """Each element so many times in a row along `axis`."""
        from chainrule.eager import shapes

        return shapes.repeat(self, repetitions, axis)

    def squeeze(self, axis: int | Sequence[int] | None = None) -> Tensor:
        """Leave out axes of size 1; all of them by default."""
        from chainrule.eager import shapes

        return shapes.squeeze(self, axis)

    def swapaxes(self, first: int, second: int) -> Tensor:
        """Exchange two axes."""
        from chainrule.eager import shapes

        return shapes.swapaxes(self, first, second)

    def ravel(self) -> Tensor:
        """All elements as one row, in row-major order."""
        from chainrule.eager import functions

        return functions.reshape(cast("Tensor", self), -1)

    def take(self, indices: Any, axis: int | None = None) -> Tensor:
        """Slices along `axis` at integer positions; of all elements as one row by default."""
        from chainrule.eager import functions

        return (
            functions.take(self.ravel(), indices)
            if axis is None
            else functions.take(self, indices, axis)
        )
