"""Functions whose derivative the user writes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from chainrule.autodiff.reverse import zeros
from chainrule.base.errors import DTypeError, ShapeError, TracingError
from chainrule.eager.tensor import Tensor, apply, as_tensor
from chainrule.eager.tracing import Trace, here
from chainrule.graph import Graph, TensorType


def custom_gradient(
    pullback: Callable[..., Any],
) -> Callable[[Callable[..., Any]], Callable[..., Tensor]]:
    """Give a function of Tensors a derivative of your own.

    Parameters
    ----------
    pullback : callable
        ``(*inputs, output, d_output)`` to the inputs' cotangents, in order (one of them needs no
        tuple; None stands for zeros), written with Tensor operations. It is differentiated like
        any other code, so second derivatives are those of what it computes.

    Returns
    -------
    callable
        The decorator for the function, which takes arrays to one array.

    Raises
    ------
    ShapeError, DTypeError
        When the function is called, if the pullback's results do not match its inputs.
    TracingError
        When either uses an array that is no argument.

    Examples
    --------
    Round in the forward pass, and let the gradient through (Bengio et al. 2013):

    >>> @custom_gradient(lambda x, y, d_y: d_y)
    ... def round_through(x):
    ...     return (x + 0.5).astype("int64").astype("float64")
    >>> from chainrule.eager import grad
    >>> grad(round_through)(1.7).item()
    1.0
    """

    def decorate(f: Callable[..., Any]) -> Callable[..., Tensor]:
        name = getattr(f, "__name__", type(f).__name__).strip("<>")

        @functools.wraps(f)
        def wrapped(*inputs: Any) -> Tensor:
            tensors = [as_tensor(x) for x in inputs]
            types = [tensor.type for tensor in tensors]
            body = _trace_body(name, f, types)
            y = body.nodes[body.outputs[0].node].type
            rule = _trace_rule(name, pullback, types, y)
            return apply("custom", *tensors, body=body, rule=rule)

        return wrapped

    return decorate


@custom_gradient(lambda x, y, d_y: None)
def stop_gradient(x: Tensor) -> Tensor:
    """The same numbers, from which no gradient flows back.

    Examples
    --------
    >>> from chainrule.eager import grad
    >>> grad(lambda x: x * stop_gradient(x))(3.0).item()
    3.0
    """
    return x


def _trace_body(name: str, f: Callable[..., Any], types: Sequence[TensorType]) -> Graph:
    with Trace() as trace:
        y = f(*(trace.input(kind, f"x{i}") for i, kind in enumerate(types)))
        if not isinstance(y, Tensor):
            raise TracingError(
                f"{name} gives one Tensor; got {type(y).__name__}",
                where=here(),
                advice="A function with several results needs a custom gradient for each",
            )
        body = _anywhere(trace.build(name, {"y": y}))
    _check_closed(trace, name)
    return body


def _trace_rule(
    name: str, pullback: Callable[..., Any], types: Sequence[TensorType], y: TensorType
) -> Graph:
    with Trace() as trace:
        inputs = [trace.input(kind, f"x{i}") for i, kind in enumerate(types)]
        given = pullback(*inputs, trace.input(y, "y"), trace.input(y, "d_y"))
        cotangents = given if isinstance(given, tuple | list) else (given,)
        if len(cotangents) != len(types):
            raise ShapeError(
                f"The pullback of {name} gives one cotangent for each of {len(types)} inputs; "
                f"got {len(cotangents)}",
                where=here(),
            )
        outputs = {
            f"d_x{i}": as_tensor(d) if d is not None else trace.wrap(zeros(trace.builder, kind))
            for i, (d, kind) in enumerate(zip(cotangents, types, strict=True))
        }
        rule = _anywhere(trace.build(f"d_{name}", outputs))
    _check_closed(trace, f"The pullback of {name}")
    for i, (output, kind) in enumerate(zip(rule.outputs, types, strict=True)):
        got = rule.nodes[output.node].type
        if got != kind:
            error = ShapeError if got.shape != kind.shape else DTypeError
            raise error(
                f"The pullback of {name} gives input {i}, {kind}, a cotangent of its own type; "
                f"got {got}",
                where=here(),
            )
    return rule


def _anywhere(graph: Graph) -> Graph:
    """The graph without the module that happened to be called while it was traced."""
    return replace(graph, nodes=tuple(replace(node, scope="") for node in graph.nodes))


def _check_closed(trace: Trace, name: str) -> None:
    if trace.captures or trace.writes:
        raise TracingError(
            f"{name} uses an array that is none of its arguments",
            where=here(),
            advice="Pass it as an argument, so that it has a gradient too",
        )
