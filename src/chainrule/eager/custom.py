"""Functions whose derivative the user writes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from chainrule.base.errors import DTypeError, ShapeError
from chainrule.eager.tensor import Tensor, apply, as_tensor
from chainrule.eager.tracing import Trace, here
from chainrule.graph import Graph, format_shape


def custom_gradient(
    pullback: Callable[..., Any],
) -> Callable[[Callable[..., Any]], Callable[..., Tensor]]:
    """Give a function of Tensors a derivative of your own.

    Parameters
    ----------
    pullback : callable
        ``(*inputs, output, d_output)`` to the inputs' cotangents, in order (one of them needs no
        tuple), written with Tensor operations.

    Returns
    -------
    callable
        The decorator for the function, which takes arrays to one array.

    Raises
    ------
    ShapeError, DTypeError
        When the function is called, if the pullback's results do not match its inputs.

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
        @functools.wraps(f)
        def wrapped(*inputs: Any) -> Tensor:
            tensors = [as_tensor(x) for x in inputs]
            name = getattr(f, "__name__", "f").strip("<>")
            body = _trace_closed(name, f, tensors)
            y = body.nodes[body.outputs[0].node].type
            extra = [_symbol_like(y), _symbol_like(y)]
            rule = _trace_closed(f"d_{name}", pullback, [*tensors, *extra])
            _check_rule(rule, tensors, name)
            return apply("custom", *tensors, body=body, rule=rule)

        return wrapped

    return decorate


def _symbol_like(kind: Any) -> Tensor:
    import numpy as np

    return Tensor(np.zeros(tuple(map(int, kind.shape)), kind.dtype.numpy))


def _trace_closed(name: str, f: Callable[..., Any], tensors: Sequence[Tensor]) -> Graph:
    with Trace() as trace:
        symbols = [trace.input(t.type, f"x{i}") for i, t in enumerate(tensors)]
        result = f(*symbols)
        results = result if isinstance(result, tuple | list) else (result,)
        outputs = {f"y{i}" if i else "y": as_tensor(r) for i, r in enumerate(results)}
        graph = trace.build(name, outputs)
    if trace.captures:
        raise DTypeError(
            f"{name} uses an array that is none of its arguments",
            where=here(),
            advice="Pass it as an argument, so that it has a gradient too",
        )
    return graph


def _check_rule(rule: Graph, inputs: Sequence[Tensor], name: str) -> None:
    got = [rule.nodes[output.node].type for output in rule.outputs]
    if len(got) != len(inputs):
        raise ShapeError(
            f"The pullback of {name} gives one cotangent for each of {len(inputs)} inputs; "
            f"got {len(got)}",
            where=here(),
        )
    for i, (kind, tensor) in enumerate(zip(got, inputs, strict=True)):
        if kind != tensor.type:
            raise ShapeError(
                f"The pullback of {name} gives input {i}, {tensor.type}, a cotangent of its own "
                f"type; got {kind} ({format_shape(kind.shape)})",
                where=here(),
            )
