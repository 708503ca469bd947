"""The plainest layers: linear maps, and the same numbers in another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from chainrule.base.errors import ShapeError
from chainrule.eager import Tensor, apply, as_tensor, here
from chainrule.eager.axes import axis_of
from chainrule.graph import Axis, format_shape
from chainrule.nn.arguments import as_count, as_position, as_sizes
from chainrule.nn.initializers import Initializer, as_initializer, uniform
from chainrule.nn.module import LAYERS, Module
from chainrule.nn.parameter import Parameter, meet


@LAYERS.register("Linear")
class Linear(Module):
    """y = x·Wᵀ + b.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
    weight_init, bias_init : Initializer, or the name of a registered one, optional
        By default torch's: U(-1/√in, 1/√in) for both.

    Attributes
    ----------
    weight : Parameter of shape (out_features, in_features)
    bias : Parameter of shape (out_features,), or None

    Examples
    --------
    >>> from chainrule import nn
    >>> layer = nn.Linear(3, 2)
    >>> layer.weight.replace([[1.0, 0.0, 2.0], [0.0, 1.0, 0.5]])
    >>> layer.bias.replace([0.5, -0.5])
    >>> layer([[1.0, 2.0, 3.0]]).numpy().tolist()
    [[7.5, 3.0]]
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        weight_init: Initializer | str | None = None,
        bias_init: Initializer | str | None = None,
    ) -> None:
        self.in_features = as_count("Linear", "in_features", in_features)
        self.out_features = as_count("Linear", "out_features", out_features)
        self.weight, self.bias = affine_parameters(
            self.out_features, self.in_features, bias, weight_init, bias_init
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        x = as_tensor(x)
        check_last_axis("Linear", "in_features", self.in_features, x)
        return affine(x, self.weight, self.bias)


def affine_parameters(
    rows: int,
    columns: int,
    bias: bool,
    weight_init: Initializer | str | None,
    bias_init: Initializer | str | None,
) -> tuple[Parameter, Parameter | None]:
    """A weight (rows, columns) and a bias (rows,), by default from U(-1/√columns, 1/√columns)."""
    w, b = starts(1 / math.sqrt(columns), weight_init, bias_init)
    weight = Parameter(shape=(rows, columns), initializer=w)
    return weight, Parameter(shape=(rows,), initializer=b) if bias else None


def starts(
    bound: float, weight_init: Initializer | str | None, bias_init: Initializer | str | None
) -> tuple[Initializer, Initializer]:
    """How a weight and a bias start: as it was asked for, or from U(-bound, bound)."""
    given = (weight_init, bias_init)
    w, b = (uniform(-bound, bound) if rule is None else as_initializer(rule) for rule in given)
    return w, b


def affine(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x·Wᵀ + b for x of shape (..., in), a weight (out, in) and a bias (out,) or None."""
    x, weight = meet(x, weight)
    y = apply("contract", x, weight, over=(x.ndim - 1, 1))
    return y if bias is None else y + bias


def check_last_axis(layer: str, argument: str, size: int, x: Tensor, name: str = "x") -> None:
    """Raise ShapeError unless x is (..., size), the `size` being an argument of a layer."""
    got = f"{layer}({argument}={size}) got {name} of shape {format_shape(x.shape)}"
    if not x.ndim:
        raise ShapeError(f"{got}: it has no axes", where=here())
    last = x.shape[-1]
    if isinstance(last, Axis) and last.each == 1:
        raise ShapeError(
            f"{got}: one number for each example, its only axis is the batch",
            where=here(),
            advice="Give examples of one feature a second axis with x.reshape(-1, 1), "
            "and a single example a first one with x[None]",
        )
    if last != size:
        raise ShapeError(
            f"{got}: its last axis is {last}",
            where=here(),
            advice=f"Did you mean {argument}={last}?",
        )


@LAYERS.register("Bilinear")
class Bilinear(Module):
    """yₒ = Σᵢⱼ x1ᵢ·wₒᵢⱼ·x2ⱼ + bₒ: linear in each of two inputs.

    Parameters
    ----------
    in1_features, in2_features, out_features : int
    bias : bool
    weight_init, bias_init : Initializer, or the name of a registered one, optional
        By default torch's: U(-1/√in1, 1/√in1) for both.

    Attributes
    ----------
    weight : Parameter of shape (out_features, in1_features, in2_features)
    bias : Parameter of shape (out_features,), or None

    Examples
    --------
    >>> from chainrule import nn
    >>> layer = nn.Bilinear(2, 3, 1, bias=False)
    >>> layer.weight.replace([[[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]]])
    >>> layer([[1.0, 2.0]], [[3.0, 4.0, 5.0]]).numpy().tolist()
    [[23.0]]
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        *,
        weight_init: Initializer | str | None = None,
        bias_init: Initializer | str | None = None,
    ) -> None:
        self.in1_features = as_count("Bilinear", "in1_features", in1_features)
        self.in2_features = as_count("Bilinear", "in2_features", in2_features)
        self.out_features = as_count("Bilinear", "out_features", out_features)
        shape = (self.out_features, self.in1_features, self.in2_features)
        w, b = starts(1 / math.sqrt(self.in1_features), weight_init, bias_init)
        self.weight = Parameter(shape=shape, initializer=w)
        self.bias = Parameter(shape=shape[:1], initializer=b) if bias else None

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Map (..., in1_features) and (..., in2_features) to (..., out_features)."""
        x1, x2 = as_tensor(x1), as_tensor(x2)
        check_last_axis("Bilinear", "in1_features", self.in1_features, x1, "x1")
        check_last_axis("Bilinear", "in2_features", self.in2_features, x2, "x2")
        if x1.shape[:-1] != x2.shape[:-1]:
            raise ShapeError(
                f"Bilinear takes two inputs that differ in their last axis alone; got shapes "
                f"{format_shape(x1.shape)} and {format_shape(x2.shape)}",
                where=here(),
            )
        x1, weight = meet(x1, self.weight)
        x2, _ = meet(x2, self.weight)
        outer = x1.ndim - 1
        # (..., in1) with (out, in1, in2) is (..., out, in2); then each row with its own x2.
        rows = apply("contract", x1, weight, over=(outer, 1))
        batch = tuple(axis for i in range(outer) for axis in (i, i))
        y = apply("contract", rows, x2, over=(outer + 1, outer), batch=batch)
        return y if self.bias is None else y + self.bias


@LAYERS.register("Identity")
class Identity(Module):
    """y = x. Unlike torch's it takes no arguments that it would ignore.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.Identity()([[1.0, -2.0]]).numpy().tolist()
    [[1.0, -2.0]]
    """

    def forward(self, x: Any) -> Any:
        """Return x."""
        return x


@LAYERS.register("Flatten")
class Flatten(Module):
    """Join the axes from `start_dim` to `end_dim` into one.

    Parameters
    ----------
    start_dim, end_dim : int
        Both are joined, too; negative ones count from the end.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.Flatten()([[[1.0, 2.0], [3.0, 4.0]]]).numpy().tolist()
    [[1.0, 2.0, 3.0, 4.0]]
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = as_position("Flatten", "start_dim", start_dim)
        self.end_dim = as_position("Flatten", "end_dim", end_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Flatten x."""
        x = as_tensor(x)
        rank = x.ndim
        start, end = (d + rank if d < 0 else d for d in (self.start_dim, self.end_dim))
        if not 0 <= start <= end < rank:
            # A vector of examples is as flat as it can be.
            if rank == 1 and self.start_dim == 1 and end == 0:
                return x
            raise ShapeError(
                f"{self!r} got x of shape {format_shape(x.shape)}: it has no axes "
                f"{self.start_dim} to {self.end_dim}",
                where=here(),
            )
        middle = math.prod(x.shape[start : end + 1])
        shape = (*x.shape[:start], middle, *x.shape[end + 1 :])
        return x if start == end else apply("reshape", x, shape=shape)


@LAYERS.register("Unflatten")
class Unflatten(Module):
    """Divide one axis into several.

    Parameters
    ----------
    dim : int
        The axis; negative ones count from the end.
    unflattened_size : sequence of int
        The new axes' sizes; one may be -1: what is left.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.Unflatten(1, (2, 2))([[1.0, 2.0, 3.0, 4.0]]).numpy().tolist()
    [[[1.0, 2.0], [3.0, 4.0]]]
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        self.dim = as_position("Unflatten", "dim", dim)
        self.unflattened_size = as_sizes(
            "Unflatten", "unflattened_size", unflattened_size, one_open=True
        )

    def forward(self, x: Tensor) -> Tensor:
        """Divide the axis of x."""
        x = as_tensor(x)
        axis = axis_of(self.dim, x.ndim, "Unflatten")
        size, sizes = int(x.shape[axis]), self.unflattened_size
        known = math.prod(part for part in sizes if part != -1)
        if size % known if -1 in sizes else size != known:
            raise ShapeError(
                f"{self!r} got x of shape {format_shape(x.shape)}: its axis {axis} is {size}",
                where=here(),
            )
        parts = (size // known if part == -1 else part for part in sizes)
        return apply("reshape", x, shape=(*x.shape[:axis], *parts, *x.shape[axis + 1 :]))
