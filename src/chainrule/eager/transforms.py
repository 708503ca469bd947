"""grad and its relatives: trace a function to a graph, differentiate the graph, run it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.autodiff import gradients, pullback, pushforward
from chainrule.backends import get_backend
from chainrule.base.errors import DTypeError, NotDifferentiableError, ShapeError
from chainrule.eager.tensor import Tensor, as_tensor
from chainrule.eager.tracing import Trace, current_trace, here
from chainrule.eager.trees import is_array, is_number, leaves, modules, rebuild
from chainrule.graph import Graph, format_shape
from chainrule.rewrite import eliminate_dead_nodes


@dataclass(frozen=True)
class Traced:
    """A function as a graph, with the Tensors that are its inputs.

    Parameters
    ----------
    graph : Graph
        Outputs: ``y``, ``y1``, ... for the leaves of the result, then ``write0``, ... for the
        state that was assigned.
    inputs : tuple of Tensor
        The arguments' arrays, the modules' parameters, then what was captured.
    paths : tuple of str
        The graph's name for each input.
    result : object
        The function's result; its leaves stand for the outputs.
    writes : tuple of Tensor
        The variables that the ``write`` outputs are assigned to.
    """

    graph: Graph
    inputs: tuple[Tensor, ...]
    paths: tuple[str, ...]
    result: Any
    writes: tuple[Tensor, ...]

    def input_name(self, tensor: Tensor) -> str:
        """The graph's name for an input."""
        return self.paths[next(i for i, t in enumerate(self.inputs) if t is tensor)]

    def run(self, graph: Graph, extra: Sequence[Tensor] = ()) -> dict[str, Tensor]:
        """Run a graph derived from this one on the same inputs, then `extra`; assign the state."""
        outputs = execute(graph, [*self.inputs, *extra])
        for i, variable in enumerate(self.writes):
            if f"write{i}" in outputs:
                assign(variable, outputs[f"write{i}"])
        return outputs


def execute(graph: Graph, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
    """Run `graph`, or write it into the graph being traced; outputs by label."""
    trace = current_trace()
    if trace is None:
        arrays = get_backend("numpy").run(graph, [tensor.numpy() for tensor in inputs])
        return {o.label: Tensor(a) for o, a in zip(graph.outputs, arrays, strict=True)}
    values = trace.builder.inline(graph, [trace.lift(tensor) for tensor in inputs])
    return {output.label: trace.wrap(values[output.node]) for output in graph.outputs}


def assign(variable: Tensor, value: Tensor) -> None:
    """Give a variable its new value: now, or as an output of the graph being traced."""
    trace = current_trace()
    if trace is None:
        variable._set(np.array(value.numpy(), variable.dtype))
    else:
        trace.writes[id(variable)] = (variable, value)
        trace.bind(variable, value)


def trace_function(
    f: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    wrt: Sequence[int] = (),
) -> tuple[Traced, list[list[Tensor]]]:
    """Run `f` on symbols.

    Parameters
    ----------
    f : callable
    args, kwargs
        What it is called with: arrays and Tensors become symbols, the rest is passed on.
    wrt : sequence of int
        Positions of arguments whose plain numbers become symbols too.

    Returns
    -------
    Traced
    list of list of Tensor
        For each of `wrt`, the inputs that are its leaves.
    """
    inputs: list[Tensor] = []
    paths: list[str] = []
    targets: list[list[Tensor]] = [[] for _ in wrt]
    with Trace() as trace:

        def symbol(path: str, leaf: Any) -> tuple[Tensor, Tensor]:
            outside = as_tensor(leaf)
            inside = trace.input(outside.type, _valid_name(path))
            inputs.append(outside)
            paths.append(trace.builder.nodes[inside.traced_value.position].name or "")
            return outside, inside

        def enter(position: int | str, argument: Any, name: str) -> Any:
            chosen = position in wrt
            replaced = []
            for path, leaf in leaves(argument, name, open_modules=False):
                if is_array(leaf) or (chosen and is_number(leaf)):
                    outside, inside = symbol(path, leaf)
                    replaced.append(inside)
                    if chosen:
                        targets[list(wrt).index(position)].append(outside)  # type: ignore[arg-type]
                elif chosen:
                    raise DTypeError(
                        f"Gradients are taken of numbers and arrays; {path} is "
                        f"{type(leaf).__name__}",
                        where=here(),
                    )
                else:
                    replaced.append(leaf)
            for module in modules(argument) if chosen else ():
                for path, parameter in module.trainable_parameters().items():
                    _, inside = symbol(path, parameter)
                    inputs[-1] = parameter
                    trace.bind(parameter, inside)
                    targets[list(wrt).index(position)].append(parameter)  # type: ignore[arg-type]
            return rebuild(argument, iter(replaced), open_modules=False)

        names = _parameter_names(f, len(args))
        entered = [enter(i, a, n) for i, (a, n) in enumerate(zip(args, names, strict=True))]
        named = {key: enter(key, value, key) for key, value in kwargs.items()}
        result = f(*entered, **named)
        results = [as_tensor(leaf) for _, leaf in leaves(result, open_modules=False)]
        outputs = {f"y{i}" if i else "y": t for i, t in enumerate(results)}
        outputs |= {f"write{i}": value for i, (_, value) in enumerate(trace.writes.values())}
        graph = trace.build(getattr(f, "__name__", "f").strip("<>"), outputs)
    captured = tuple(trace.captures)
    traced = Traced(
        graph,
        (*inputs, *captured),
        graph.input_names,
        result,
        tuple(variable for variable, _ in trace.writes.values()),
    )
    return traced, targets


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
    traced, _ = trace_function(f, args, kwargs)
    return eliminate_dead_nodes(traced.graph).graph


def value_and_grad(
    f: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that gives the value of `f` and its gradient.

    Parameters
    ----------
    f : callable
        Gives a float scalar; with `has_aux`, a tuple of it and anything else.
    argnums : int or tuple of int
        Which positional arguments the gradient is taken of: numbers, arrays, Tensors, tuples,
        lists, dicts of them, or a Module, which stands for its trainable parameters.
    has_aux : bool
        Return ``((value, aux), gradient)``.

    Returns
    -------
    callable
        To ``(value, gradient)``. The gradient has the structure of the argument; of a Module it
        is a dict of Tensors by parameter path.

    Raises
    ------
    NotDifferentiableError
        If the value is no float scalar, or an op on the way has no derivative.

    Examples
    --------
    >>> value, gradient = value_and_grad(lambda w: (w * w).sum())(np.array([1.0, 2.0]))
    >>> value.item(), gradient.numpy().tolist()
    (5.0, [2.0, 4.0])
    """
    single = isinstance(argnums, int)
    wrt = (argnums,) if isinstance(argnums, int) else argnums

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        _check_argnums(wrt, args)
        traced, targets = trace_function(f, args, kwargs, wrt)
        value = traced.result[0] if has_aux else traced.result
        if not isinstance(value, Tensor | float) or isinstance(value, float):
            value = as_tensor(value)
        if value.shape != () or not value.type.dtype.is_float:
            raise NotDifferentiableError(
                f"The gradient of a float scalar is asked for; the function gave {value.type}",
                where=here(),
                advice="Reduce it with .sum() or .mean(), or use cr.jacobian",
            )
        names = [[traced.input_name(t) for t in group] for group in targets]
        flat = [name for group in names for name in group]
        outputs = traced.run(gradients(traced.graph, of="y", wrt=flat))
        found = [
            rebuild(args[i], (outputs[f"d_{n}"] for n in group), open_modules=True)
            for i, group in zip(wrt, names, strict=True)
        ]
        gradient = found[0] if single else tuple(found)
        results = _results(traced, outputs)
        return (results, gradient)

    return wrapped


def grad(
    f: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that gives the gradient of `f`; see `value_and_grad`.

    Examples
    --------
    >>> grad(grad(lambda x: x**3))(2.0).item()
    12.0
    """
    both = value_and_grad(f, argnums, has_aux=has_aux)

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Return ``f(*primals)`` and the function from a cotangent of it to those of the primals.

    Parameters
    ----------
    f : callable
    *primals : arrays, or trees of them

    Examples
    --------
    >>> y, pull = vjp(lambda x: x * x, np.array([1.0, 2.0]))
    >>> pull(np.array([1.0, 10.0]))[0].numpy().tolist()
    [2.0, 40.0]
    """
    wrt = tuple(range(len(primals)))
    traced, targets = trace_function(f, primals, {}, wrt)
    results = _results(traced, traced.run(traced.graph))
    rule = pullback(_without_writes(traced.graph))

    def pull(cotangent: Any) -> tuple[Any, ...]:
        given = _like(cotangent, traced.result, "cotangent")
        outputs = execute(rule, [*traced.inputs, *given])
        return tuple(
            rebuild(
                primal,
                (outputs[f"d_{traced.input_name(t)}"] for t in group),
                open_modules=True,
            )
            for primal, group in zip(primals, targets, strict=True)
        )

    return results, pull


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Return ``f(*primals)`` and its derivative in the direction of `tangents`.

    Parameters
    ----------
    f : callable
    primals, tangents : sequences of arrays, or trees of them, of equal structure

    Examples
    --------
    >>> y, t = jvp(lambda x: x * x, [np.array([1.0, 2.0])], [np.array([1.0, 0.5])])
    >>> t.numpy().tolist()
    [2.0, 2.0]
    """
    wrt = tuple(range(len(primals)))
    traced, targets = trace_function(f, primals, {}, wrt)
    outputs = traced.run(traced.graph)
    given: dict[int, Tensor] = {}
    for group, primal, tangent in zip(targets, primals, tangents, strict=True):
        for target, t in zip(group, _like(tangent, primal, "tangent"), strict=True):
            given[id(target)] = t
    forward = pushforward(_without_writes(traced.graph))
    floats = [t for t in traced.inputs if t.type.dtype.is_float]
    pushed = execute(forward, [*traced.inputs, *(given.get(id(t), _zeros(t)) for t in floats)])
    tangents_out = (
        pushed[f"t_{label}"] if f"t_{label}" in pushed else _zeros(outputs[label])
        for label in traced.graph.labels
        if not label.startswith("write")
    )
    result = rebuild(traced.result, tangents_out, open_modules=False)
    return _results(traced, outputs), result


def jacobian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """Return a function that gives all partial derivatives of an array-valued `f`.

    Parameters
    ----------
    f : callable
        Gives one float array.
    argnums : int
        The argument: an array or a tree of arrays.

    Returns
    -------
    callable
        To Tensors of shape ``(*output.shape, *input.shape)``, in the structure of the argument.

    Examples
    --------
    >>> jacobian(lambda x: x * x)(np.array([1.0, 3.0])).numpy().tolist()
    [[2.0, 0.0], [0.0, 6.0]]
    """

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        _check_argnums((argnums,), args)
        traced, (targets,) = trace_function(f, args, kwargs, (argnums,))
        if not isinstance(traced.result, Tensor):
            raise DTypeError("jacobian takes a function to one array", where=here())
        y = traced.result
        rule = pullback(_without_writes(traced.graph))
        labels = [f"d_{traced.input_name(t)}" for t in targets]
        # One row for each output element: a unit cotangent through the same pullback.
        units = np.eye(y.size, dtype=y.dtype).reshape(y.size, *y.shape)
        rows = [execute(rule, [*traced.inputs, Tensor(unit)]) for unit in units]
        stacked = (
            _stack([row[n] for row in rows], y, t) for n, t in zip(labels, targets, strict=True)
        )
        return rebuild(args[argnums], stacked, open_modules=True)

    return wrapped


def hessian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """Return a function that gives all second derivatives of a scalar `f`.

    Parameters
    ----------
    f : callable
    argnums : int
        The argument: one array.

    Returns
    -------
    callable
        To a Tensor of shape ``(*input.shape, *input.shape)``.

    Examples
    --------
    >>> hessian(lambda x: (x * x * x).sum())(np.array([1.0, 2.0])).numpy().tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    """
    return jacobian(grad(f, argnums), argnums)


def _stack(rows: list[Tensor], y: Tensor, x: Tensor) -> Tensor:
    from chainrule.eager.functions import concatenate

    flat = [row.reshape(1, *x.shape) for row in rows]
    if not flat:
        return Tensor(np.zeros((*y.shape, *x.shape), x.dtype))
    return concatenate(flat).reshape(*y.shape, *x.shape)


def _results(traced: Traced, outputs: dict[str, Tensor]) -> Any:
    found = (outputs[label] for label in traced.graph.labels if not label.startswith("write"))
    return rebuild(traced.result, found, open_modules=False)


def _without_writes(graph: Graph) -> Graph:
    kept = tuple(o for o in graph.outputs if not o.label.startswith("write"))
    return eliminate_dead_nodes(Graph(graph.name, graph.nodes, kept, graph.aliases)).graph


def _like(tree: Any, pattern: Any, what: str) -> list[Tensor]:
    """The leaves of `tree` that stand for the float leaves of `pattern`, in its dtypes."""
    given = [as_tensor(leaf) for _, leaf in leaves(tree, open_modules=True)]
    wanted = [as_tensor(leaf) for _, leaf in leaves(pattern, open_modules=True)]
    wanted = [tensor for tensor in wanted if tensor.type.dtype.is_float]
    if [t.shape for t in given] != [t.shape for t in wanted]:
        shown = ", ".join(format_shape(t.shape) for t in wanted)
        got = ", ".join(format_shape(t.shape) for t in given)
        raise ShapeError(f"A {what} has the shape of its value, {shown}; got {got}", where=here())
    return [t.astype(w.type.dtype) for t, w in zip(given, wanted, strict=True)]


def _zeros(like: Tensor) -> Tensor:
    return Tensor(np.zeros(tuple(map(int, like.shape)), like.dtype))


def _check_argnums(wrt: Sequence[int], args: Sequence[Any]) -> None:
    for position in wrt:
        if not 0 <= position < len(args):
            raise DTypeError(
                f"argnums={position} names a positional argument; {len(args)} were given",
                where=here(),
            )


def _parameter_names(f: Callable[..., Any], count: int) -> list[str]:
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return (names + [f"arg{i}" for i in range(len(names), count)])[:count]


def _valid_name(path: str) -> str:
    return "".join("_" if c in ' ,()=:%"{}\n\t' else c for c in path) or "x"
