"""NumPy's methods of arrays on Tensors, for those of its functions that have one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from chainrule.eager.operators import Operators

if TYPE_CHECKING:
    from chainrule.eager.tensor import Tensor

Axes = int | Sequence[int] | None


def _tensor(methods: Methods) -> Tensor:
    return cast("Tensor", methods)


class Methods(Operators):
    """NumPy's methods, each of which is a function of `import chainrule` as well.

    `Tensor` is the one class that derives from it.
    """

    __slots__ = ()

    def sum(self, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        """Sum over `axis`; over all axes by default. Integers and bools are summed as int64."""
        from chainrule.eager import axes

        return axes.reduce_axes("sum", _tensor(self), axis, keepdims)

    def mean(self, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        """Mean over `axis`; over all axes by default."""
        from chainrule.eager import axes

        return axes.reduce_axes("mean", _tensor(self), axis, keepdims)

    def max(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Largest element over `axis`; at a tie the first one takes the gradient."""
        from chainrule.eager import axes

        return axes.reduce_axis("amax", _tensor(self), axis, keepdims)

    def min(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Smallest element over `axis`; at a tie the first one takes the gradient."""
        from chainrule.eager import axes

        return axes.smallest(_tensor(self), axis, keepdims)

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Position of the first of the largest elements over `axis`."""
        from chainrule.eager import axes

        return axes.reduce_axis("argmax", _tensor(self), axis, keepdims)

    def reshape(self, *shape: int | Sequence[int]) -> Tensor:
        """The same elements under another shape; one size may be -1."""
        from chainrule.eager import axes

        return axes.reshape(_tensor(self), *shape)

    def transpose(self, *axes: int | Sequence[int]) -> Tensor:
        """Permute the axes; reverse them by default."""
        from chainrule.eager.axes import transpose

        return transpose(_tensor(self), *axes)

    def softmax(self, axis: int = -1) -> Tensor:
        """Softmax over `axis`."""
        from chainrule.eager import axes
        from chainrule.eager.tensor import apply

        x = _tensor(self)
        return apply("softmax", x, axis=axes.axis_of(axis, x.ndim, "softmax"))

    def log_softmax(self, axis: int = -1) -> Tensor:
        """Logarithm of the softmax over `axis`, without its underflow."""
        from chainrule.eager import axes
        from chainrule.eager.tensor import apply

        x = _tensor(self)
        return apply("log_softmax", x, axis=axes.axis_of(axis, x.ndim, "log_softmax"))

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
        from chainrule.eager import axes

        return axes.reshape(_tensor(self), -1)

    def take(self, indices: Any, axis: int | None = None) -> Tensor:
        """Slices along `axis` at integer positions; of all elements as one row by default."""
        from chainrule.eager import functions

        return (
            functions.take(self.ravel(), indices)
            if axis is None
            else functions.take(self, indices, axis)
        )

    def argmin(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Position of the first of the smallest elements over `axis`."""
        from chainrule.eager import axes

        return axes.reduce_axis("argmax", axes.falling(_tensor(self)), axis, keepdims)

    def any(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Whether an element over `axis` is true, or not 0."""
        from chainrule.eager import axes

        truth = _tensor(self).astype("bool").astype("int32")
        return axes.reduce_axis("amax", truth, axis, keepdims).astype("bool")

    def all(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Whether all elements over `axis` are true, or not 0."""
        from chainrule.eager import axes

        truth = _tensor(self).astype("bool").astype("int32")
        return axes.smallest(truth, axis, keepdims).astype("bool")
