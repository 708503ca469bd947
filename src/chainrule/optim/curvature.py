"""What past steps say of a function's curvature, and where that leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from chainrule.backends import get_backend
from chainrule.eager import Tensor, Trace
from chainrule.eager.tensor import Array
from chainrule.graph import DType, Graph, TensorType

_LEAST_CURVATURE = 1e-10  # y·s: pairs with less say nothing of a minimum


@dataclass(frozen=True, eq=False)
class Memory:
    """What L-BFGS knows of the function after some steps.

    Parameters
    ----------
    steps, changes : tuples of arrays of shape (n,)
        The last steps s, and by how much each changed the gradient, y.
    scale : float
        γ = s·y / y·y of the last of them.
    step, gradient : array of shape (n,), or None
        The last step, and the gradient before it.
    """

    steps: tuple[Array, ...] = ()
    changes: tuple[Array, ...] = ()
    scale: float = 1.0
    step: Array | None = None
    gradient: Array | None = None

    def after(self, gradient: Array, size: int) -> Memory:
        """The memory with the last step in it, of at most `size` steps."""
        if self.step is None or self.gradient is None:
            return self
        change = gradient - self.gradient
        curvature = float(change @ self.step)
        if not curvature > _LEAST_CURVATURE:
            return self
        return Memory(
            (*self.steps, self.step)[-size:],
            (*self.changes, change)[-size:],
            curvature / float(change @ change),
            self.step,
            self.gradient,
        )


def direction(g: Array, steps: Sequence[Array], changes: Sequence[Array], scale: float) -> Array:
    """The direction of the next step: minus the inverse curvature times the gradient."""
    # Graphs for 1, 2, 4 ... pairs are enough: a pair whose ρ is 0 changes nothing.
    count = 1 << (len(steps) - 1).bit_length() if steps else 0
    nothing = [np.zeros_like(g)] * (count - len(steps))
    rho = [1 / (y @ s) for s, y in zip(steps, changes, strict=True)]
    graph = direction_graph(TensorType(g.shape, DType.of(g.dtype)), count)
    numbers = [np.asarray(number, g.dtype) for number in (scale, *rho, *[0.0] * len(nothing))]
    inputs = [g, *numbers, *steps, *nothing, *changes, *nothing]
    return get_backend("numpy").run(graph, inputs)[0]


@lru_cache(maxsize=64)
def direction_graph(kind: TensorType, count: int) -> Graph:
    """The direction's graph: from the gradient, γ, and `count` of ρ = 1 / y·s, of s and of y.

    Parameters
    ----------
    kind : TensorType
        The gradient's type, a vector.
    count : int
    """
    scalar = TensorType((), kind.dtype)
    with Trace() as trace:
        g = trace.input(kind, "d_x")
        scale = trace.input(scalar, "scale")
        rho = [trace.input(scalar, f"rho{i}") for i in range(count)]
        steps = [trace.input(kind, f"step{i}") for i in range(count)]
        changes = [trace.input(kind, f"change{i}") for i in range(count)]
        pairs = list(zip(rho, steps, changes, strict=True))
        return trace.build("direction", {"direction": _two_loops(g, scale, pairs)})


def _two_loops(g: Tensor, scale: Tensor, pairs: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    q, weights = -g, []
    for rho, s, y in reversed(pairs):
        a = (s @ q) * rho
        q = q - a * y
        weights.append(a)
    d = q * scale
    for (rho, s, y), a in zip(pairs, reversed(weights), strict=True):
        d = d + (a - (y @ d) * rho) * s
    return d
