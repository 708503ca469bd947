"""One update as a graph: what a training loop of one's own runs, and what can be printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from chainrule.eager import Tensor, Trace
from chainrule.graph import DType, Graph, Shape, TensorType
from chainrule.rewrite import eliminate_dead_nodes

Tensors = dict[str, Tensor]
Apply = Callable[[Tensors, Tensors, Tensors, Tensor, Tensor], tuple[Tensors, Tensors]]


class Typed(Protocol):
    """Anything with a shape and a dtype: a Tensor, a parameter, an array, a TensorType."""

    @property
    def shape(self) -> Shape:
        """The shape."""
        ...

    @property
    def dtype(self) -> Any:
        """The dtype, ours or NumPy's."""
        ...


def types_of(parameters: Mapping[str, Typed]) -> dict[str, TensorType]:
    """The types of parameters, by path."""
    return {
        name: TensorType(tuple(each.shape), DType.of(each.dtype))
        for name, each in parameters.items()
    }


def trace_update(
    name: str,
    apply: Apply,
    types: Mapping[str, TensorType],
    state_types: Mapping[str, TensorType],
) -> Graph:
    """Return the graph that `apply` writes for parameters of these types.

    Parameters
    ----------
    name : str
        The graph's name.
    apply : callable
        An optimiser's `apply`.
    types : mapping of str to TensorType
        The parameters, by path.
    state_types : mapping of str to TensorType
        The state, by key.
    """
    with Trace() as trace:
        w = {path: trace.input(kind, path) for path, kind in types.items()}
        d_w = {path: trace.input(kind, f"d_{path}") for path, kind in types.items()}
        state = {key: trace.input(kind, _name(key)) for key, kind in state_types.items()}
        t = trace.input(TensorType((), DType.I64), "t")
        lr = trace.input(TensorType((), DType.F64), "lr")
        new_w, new_state = apply(w, d_w, state, t, lr)
        results = {f"next_{_name(key)}": value for key, value in (new_w | new_state).items()}
        graph = trace.build(name, results)
    return eliminate_dead_nodes(graph).graph


def _name(key: str) -> str:
    return key.replace(":", ".")  # a name in a graph has no colon
