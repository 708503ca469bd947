"""One update as a graph: what a training loop of one's own runs, and what can be printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from chainrule.backends import get_backend
from chainrule.base.errors import TracingError
from chainrule.eager import Tensor, Trace, current_trace, here
from chainrule.eager.tensor import Array
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


def refuse_tracing(owner: str) -> None:
    """Raise TracingError if a function is being traced."""
    if current_trace() is not None:
        raise TracingError(
            f"{owner}.update changes parameters, and while a function is traced there are only "
            "symbols",
            where=here(),
            advice="Call it outside the traced function",
        )


def run_update(
    graph: Graph,
    parameters: Mapping[str, Tensor],
    gradients: Mapping[str, Any],
    state: Mapping[str, Array],
    t: int,
    lr: float,
) -> dict[str, Array]:
    """Run the graph of `trace_update`, change the parameters, and return the new state.

    Parameters
    ----------
    graph : Graph
    parameters : mapping of str to Tensor
    gradients : mapping of str to Tensor or array
    state : mapping of str to array
        In whatever dtype it was kept; it is taken along into that of the graph.
    t : int
    lr : float
    """
    types = {name: graph.nodes[i].dtype.numpy for i, name in enumerate(graph.input_names)}
    inputs = [
        *(w.numpy() for w in parameters.values()),
        *(np.asarray(gradients[name], w.dtype) for name, w in parameters.items()),
        *(np.asarray(array, types[_name(key)]) for key, array in state.items()),
        np.asarray(t, np.int64),
        np.asarray(lr, np.float64),
    ]
    results = get_backend("numpy").run(graph, inputs)
    for w, new in zip(parameters.values(), results[: len(parameters)], strict=True):
        w._set(new)
    return dict(zip(state, results[len(parameters) :], strict=True))


def _name(key: str) -> str:
    return key.replace(":", ".")  # a name in a graph has no colon
