"""From a Python function to a graph: run it on symbols, and keep what it was called with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np

from chainrule.backends import get_backend
from chainrule.base.errors import DTypeError, NotDifferentiableError
from chainrule.eager.tensor import Tensor, as_tensor, constant
from chainrule.eager.tracing import Trace, at_the_users_line, current_trace, here
from chainrule.eager.trees import is_array, is_number, leaves, modules, rebuild
from chainrule.graph import Axis, DType, Graph, TensorType
from chainrule.rewrite import eliminate_dead_nodes


@dataclass(frozen=True)
class Traced:
    """A function as a graph, with the Tensors that are its inputs.

    Parameters
    ----------
    graph : Graph
        Outputs: ``y``, ``y1``, ... for the arrays of the result, then ``write0``, ... for the
        state that was assigned.
    inputs : tuple of Tensor
        In the graph's order: the arguments' arrays, the modules' parameters, what was captured.
    targets : mapping of int to tuple of str
        For each argument that is differentiated, the graph's names for its leaves.
    result : object
        The function's result; its arrays and numbers stand for the ``y`` outputs.
    variables : tuple of Tensor
        What the ``write`` outputs are assigned to.
    """

    graph: Graph
    inputs: tuple[Tensor, ...]
    targets: Mapping[int, tuple[str, ...]]
    result: Any
    variables: tuple[Tensor, ...]

    @property
    def results(self) -> tuple[str, ...]:
        """Labels of the ``y`` outputs."""
        labels = tuple(self.graph.labels)
        return labels[: len(labels) - len(self.variables)]

    @property
    def float_results(self) -> tuple[str, ...]:
        """Labels of those of them that have derivatives."""
        nodes, labels = self.graph.nodes, self.graph.labels
        return tuple(label for label in self.results if nodes[labels[label]].dtype.is_float)

    def graph_of(self, labels: Collection[str]) -> Graph:
        """The graph with these outputs only: without the state, for instance."""
        return keep_outputs(self.graph, labels)

    def run(self, graph: Graph) -> dict[str, Tensor]:
        """Run a graph that extends this one, and assign the state."""
        outputs = execute(graph, self.inputs)
        for i, variable in enumerate(self.variables):
            assign(variable, outputs[f"write{i}"])
        return outputs

    def like_argument(self, argument: Any, position: int, outputs: Mapping[str, Any]) -> Any:
        """The gradients ``d_<name>`` among `outputs`, in the structure of the argument there."""
        found = (outputs[f"d_{name}"] for name in self.targets[position])
        return rebuild(argument, found, open_modules=True)

    def restore(self, outputs: Mapping[str, Any]) -> Any:
        """The function's result, with these values in the place of its arrays and numbers."""
        labels = iter(self.results)
        flat = [
            outputs[next(labels)] if is_array(leaf) or is_number(leaf) else leaf
            for _, leaf in leaves(self.result, open_modules=False)
        ]
        return rebuild(self.result, iter(flat), open_modules=False)


def keep_outputs(graph: Graph, labels: Collection[str]) -> Graph:
    """Let a graph compute these outputs only."""
    kept = tuple(output for output in graph.outputs if output.label in labels)
    return eliminate_dead_nodes(Graph(graph.name, graph.nodes, kept, graph.aliases)).graph


def execute(graph: Graph, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
    """Run `graph`, or write it into the graph being traced; outputs by label."""
    trace = current_trace()
    if trace is None:
        arrays = get_backend("numpy").run(graph, [tensor.numpy() for tensor in inputs])
        return {
            output.label: Tensor.computed(array)
            for output, array in zip(graph.outputs, arrays, strict=True)
        }
    lifted = [trace.lift(tensor) for tensor in inputs]
    b = trace.builder
    with b.in_scope(""):  # the nodes know their modules already
        values = b.inline(graph, lifted)
    return {output.label: trace.wrap(values[output.node]) for output in graph.outputs}


def assign(variable: Tensor, value: Tensor) -> None:
    """Give a variable its new value: now, or as an output of the graph being traced."""
    trace = current_trace()
    if trace is None:
        variable._set(np.array(value.numpy(), variable.dtype))
    else:
        trace.writes[id(variable)] = (variable, value)
        trace.bind(variable, value)


def trace(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Graph:
    """Return the graph that `f` computes on arguments of these shapes and dtypes.

    Examples
    --------
    >>> print(trace(lambda x: (x * 2).sum(), np.zeros(3)))
    graph lambda(x: f64[3]) -> f64[]
      %1: f64[] = constant()  dtype=f64 value=2.0
      %2: f64[3] = mul(x, %1)
      %3: f64[] = sum(%2)  axes=[0]
      return y=%3
    """
    return eliminate_dead_nodes(trace_function(f, args, kwargs).graph).graph


def trace_function(
    f: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    wrt: Sequence[int] = (),
    examples: Mapping[int, Axis] | None = None,
) -> Traced:
    """Run `f` on symbols.

    Parameters
    ----------
    f : callable
    args, kwargs
        What it is called with: arrays and Tensors become symbols, the rest is passed on.
    wrt : sequence of int
        Positions of arguments to differentiate: their plain numbers and the parameters of their
        modules become symbols, too.
    examples : mapping of int to Axis, optional
        Positions of arguments whose arrays hold examples along the first axis, and its name.

    Raises
    ------
    NotDifferentiableError, DTypeError
        If an argument of `wrt` holds what has no gradient.
    """
    check_positions(wrt, args)
    with Trace() as trace:
        entry = _Entry(trace)
        symbols = [
            entry.enter(argument, name, position in wrt, (examples or {}).get(position))
            for position, (argument, name) in enumerate(
                zip(args, argument_names(f, len(args)), strict=True)
            )
        ]
        named = {key: entry.enter(value, key, False)[0] for key, value in kwargs.items()}
        result = f(*(symbol for symbol, _ in symbols), **named)
        outputs = {
            f"y{i}" if i else "y": _as_output(leaf) for i, leaf in enumerate(_array_leaves(result))
        }
        outputs |= {f"write{i}": value for i, (_, value) in enumerate(trace.writes.values())}
        graph = trace.build(_graph_name(f), outputs)
    variables = tuple(variable for variable, _ in trace.writes.values())
    return Traced(
        graph,
        tuple(map(_as_it_is, (*entry.inputs, *trace.captures), repeat(variables))),
        {position: symbols[position][1] for position in wrt},
        result,
        variables,
    )


def _as_it_is(tensor: Tensor, assigned: Sequence[Tensor]) -> Tensor:
    """A variable that the function assigns is an input as it was before, whenever that is read."""
    if not any(tensor is variable for variable in assigned):
        return tensor
    outer = current_trace()
    return Tensor.computed(tensor.numpy()) if outer is None else outer.wrap(outer.lift(tensor))


class _Entry:
    """Turns arguments into symbols of a trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.inputs: list[Tensor] = []

    def enter(
        self, argument: Any, name: str, wanted: bool, axis: Axis | None = None
    ) -> tuple[Any, tuple[str, ...]]:
        """Return `argument` with symbols in it, and, if `wanted`, the names of its leaves."""
        parameters = {
            id(parameter): path
            for module in modules(argument)
            for path, parameter in (module.trainable_parameters().items() if wanted else ())
        }
        replaced: list[Any] = []
        names: list[str] = []
        for path, leaf in leaves(argument, name, open_modules=wanted):
            if wanted:
                _check_differentiable(path, leaf)
            elif not is_array(leaf):
                replaced.append(leaf)
                continue
            symbol, used = self._symbol(parameters.get(id(leaf), path), leaf, axis)
            names.append(used)
            if id(leaf) in parameters:
                self.trace.bind(leaf, symbol)
            else:
                replaced.append(symbol)
        return rebuild(argument, iter(replaced), open_modules=False), tuple(names)

    def _symbol(self, path: str, leaf: Any, axis: Axis | None) -> tuple[Tensor, str]:
        outside = as_tensor(leaf)
        kind = outside.type
        if axis is not None and kind.shape:
            kind = TensorType((axis, *kind.shape[1:]), kind.dtype)
        symbol = self.trace.input(kind, _valid_name(path))
        self.inputs.append(outside)
        name = self.trace.builder.nodes[symbol.traced_value.position].name
        assert name is not None
        return symbol, name


def check_positions(wrt: Sequence[int], args: Sequence[Any]) -> None:
    """Raise DTypeError unless `wrt` are positions of arguments."""
    for position in wrt:
        if not 0 <= position < len(args):
            raise DTypeError(
                f"argnums={position} names a positional argument, counted from 0; "
                f"{len(args)} were given",
                where=here(),
            )


def _check_differentiable(path: str, leaf: Any) -> None:
    if not (is_array(leaf) or is_number(leaf)):
        raise DTypeError(
            f"Gradients are taken of numbers and arrays; {path} is {type(leaf).__name__}",
            where=here(),
        )
    dtype = leaf.dtype if hasattr(leaf, "dtype") else np.dtype(type(leaf))
    if dtype.kind != "f":
        raise NotDifferentiableError(
            f"Gradients are taken of floats; {path} is {dtype}",
            where=here(),
            advice=f"Write {leaf}.0, or convert it to float64" if is_number(leaf) else None,
        )


def _array_leaves(result: Any) -> list[Any]:
    every = leaves(result, open_modules=False)
    return [leaf for _, leaf in every if is_array(leaf) or is_number(leaf)]


def _as_output(leaf: Any) -> Tensor:
    if is_array(leaf):
        return as_tensor(leaf)
    return constant(leaf, dtype_of_number(leaf))


@at_the_users_line
def dtype_of_number(number: float) -> DType:
    """The dtype of a plain number, by NumPy's choice."""
    return DType.of(np.asarray(number).dtype)


def argument_names(f: Callable[..., Any], count: int) -> list[str]:
    """What `f` calls its first `count` arguments."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return (names + [f"arg{i}" for i in range(len(names), count)])[:count]


def _graph_name(f: Callable[..., Any]) -> str:
    return _valid_name(getattr(f, "__name__", type(f).__name__).strip("<>"))


def _valid_name(path: str) -> str:
    return "".join("_" if c in ' ,()=:%"{}\n\t' else c for c in path) or "x"
