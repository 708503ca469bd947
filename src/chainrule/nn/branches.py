"""Modules past each other and side by side: residual and parallel connections."""

from __future__ import annotations

from functools import reduce
from typing import Any

from chainrule.base.errors import ConfigurationError, ShapeError
from chainrule.eager import Tensor, concatenate, here
from chainrule.eager.axes import axis_of
from chainrule.graph import format_shape
from chainrule.nn.arguments import as_choice, as_position
from chainrule.nn.containers import check_module
from chainrule.nn.module import LAYERS, Module


@LAYERS.register("Residual")
class Residual(Module):
    """y = x + f(x): a module with a connection past it   [He, Zhang, Ren and Sun 2016, eq. 1].

    Parameters
    ----------
    module : Module
        f, whose output has the shape of its input; for several in a row a `Sequential`.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.Residual(nn.ReLU())([[1.0, -2.0]]).numpy().tolist()
    [[2.0, -2.0]]
    """

    def __init__(self, module: Module) -> None:
        check_module("Residual", module, "the argument")
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Add to x what the module makes of it."""
        y = self.module(x)
        if not isinstance(y, Tensor) or y.shape != x.shape:
            raise ShapeError(
                f"Residual adds x to what its module makes of it; got x of shape "
                f"{format_shape(x.shape)} and {_shown(y)}",
                where=here(),
            )
        return x + y


_COMBINE = ("concatenate", "sum", "none")


@LAYERS.register("Parallel")
class Parallel(Module):
    """Modules side by side, their outputs combined; their paths are ``0``, ``1``, ...

    Parameters
    ----------
    *modules : Module
        At least one.
    combine : str
        ``"concatenate"`` joins the outputs along `dim`, ``"sum"`` adds them, ``"none"`` returns
        them as a tuple.
    dim : int
        The axis along which outputs are joined.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.Parallel(nn.Identity(), nn.ReLU())([[1.0, -2.0]]).numpy().tolist()
    [[1.0, -2.0, 1.0, 0.0]]
    """

    def __init__(self, *modules: Module, combine: str = "concatenate", dim: int = -1) -> None:
        if not modules:
            raise ConfigurationError("Parallel takes at least one module")
        self.combine = as_choice("Parallel", "combine", combine, _COMBINE)
        self.dim = as_position("Parallel", "dim", dim)
        for i, module in enumerate(modules):
            check_module("Parallel", module, f"argument {i}")
            setattr(self, str(i), module)

    def forward(self, *inputs: Any) -> Any:
        """Apply each module to the one input, or each to its own where there are as many."""
        modules = [module for _, module in self.named_children()]
        given = inputs[0] if len(inputs) == 1 and isinstance(inputs[0], tuple) else inputs
        if len(given) not in (1, len(modules)):
            raise ShapeError(
                f"Parallel has {len(modules)} modules, and takes one input or as many; "
                f"got {len(given)}",
                where=here(),
            )
        each = given * len(modules) if len(given) == 1 else given
        outputs = [module(x) for module, x in zip(modules, each, strict=True)]
        if self.combine == "none":
            return tuple(outputs)
        self._check(outputs)
        if self.combine == "sum":
            return reduce(lambda a, b: a + b, outputs)
        return concatenate(outputs, self.dim)

    def extra_repr(self) -> str:
        dim = f", dim={self.dim}" if self.combine == "concatenate" else ""
        return f"combine={self.combine!r}{dim}"

    def _check(self, outputs: list[Any]) -> None:
        """Raise ShapeError unless the outputs can be added, or joined along `dim`."""
        shapes = [y.shape if isinstance(y, Tensor) else None for y in outputs]
        first = shapes[0]
        if first is not None and self.combine == "concatenate":
            along = axis_of(self.dim, len(first), "Parallel")
            shapes = [s and (*s[:along], *s[along + 1 :], -len(s)) for s in shapes]
        if None in shapes or any(shape != shapes[0] for shape in shapes):
            but = f" but for axis {self.dim}" if self.combine == "concatenate" else ""
            got = ", ".join(map(_shown, outputs))
            raise ShapeError(
                f"Parallel combines outputs of one shape{but}; got {got}", where=here()
            )


def _shown(output: Any) -> str:
    return format_shape(output.shape) if isinstance(output, Tensor) else type(output).__name__
