"""The plainest layers: one after another, a linear map, another shape."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, overload

from chainrule.base.errors import ConfigurationError, ShapeError
from chainrule.eager import Tensor, apply, as_tensor, here
from chainrule.graph import Axis, format_shape
from chainrule.nn.arguments import as_count, as_position
from chainrule.nn.initializers import Initializer, as_initializer, uniform
from chainrule.nn.module import LAYERS, Module
from chainrule.nn.parameter import Parameter, meet


@LAYERS.register("Sequential")
class Sequential(Module):
    """Modules one after the other; their paths are ``0``, ``1``, ...

    Parameters
    ----------
    *modules : Module
    """

    def __init__(self, *modules: Module) -> None:
        for i, module in enumerate(modules):
            if not isinstance(module, Module):
                raise _not_a_module(module, i)
            setattr(self, str(i), module)

    def forward(self, x: Any) -> Any:
        """Apply the modules in order."""
        for module in self:
            x = module(x)
        return x

    def __iter__(self) -> Iterator[Module]:
        return (module for _, module in self.named_children())

    def __len__(self) -> int:
        return len(list(self.named_children()))

    @overload
    def __getitem__(self, position: int) -> Module: ...
    @overload
    def __getitem__(self, position: slice) -> Sequential: ...

    def __getitem__(self, position: int | slice) -> Module:
        modules = list(self)
        if isinstance(position, slice):
            return Sequential(*modules[position])
        return modules[position]


def _not_a_module(thing: object, position: int) -> ConfigurationError:
    shown = thing.__name__ if isinstance(thing, type) else type(thing).__name__
    return ConfigurationError(
        f"Sequential takes modules; argument {position} is {shown}",
        advice=f"Write {shown}(...)" if isinstance(thing, type) else None,
    )


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
    bound = 1 / math.sqrt(columns)
    w = uniform(-bound, bound) if weight_init is None else as_initializer(weight_init)
    b = uniform(-bound, bound) if bias_init is None else as_initializer(bias_init)
    weight = Parameter(shape=(rows, columns), initializer=w)
    return weight, Parameter(shape=(rows,), initializer=b) if bias else None


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
    if isinstance(last, Axis):
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


@LAYERS.register("Flatten")
class Flatten(Module):
    """Join the axes from `start_dim` to `end_dim` into one.

    Parameters
    ----------
    start_dim, end_dim : int
        Both are joined, too; negative ones count from the end.
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
