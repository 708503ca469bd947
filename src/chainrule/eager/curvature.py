"""Curvature without matrices: products of second derivatives with a direction."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from chainrule.base.errors import DTypeError
from chainrule.eager.derived import pull_rule, push
from chainrule.eager.tensor import Tensor
from chainrule.eager.traced import Traced, execute, trace_function
from chainrule.eager.tracing import here
from chainrule.eager.transforms import grad
from chainrule.eager.trees import matching_leaves, zeros_like


def hvp(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """Return a function that gives the Hessian of `f` times a direction: H·v.

    Parameters
    ----------
    f : callable
        Gives a float scalar.
    argnums : int or tuple of int
        Which positional arguments the second derivatives are taken of: arrays, tuples, lists,
        dicts of them, or a Module, which stands for its trainable parameters.

    Returns
    -------
    callable
        Takes the arguments of `f`, then the direction v: an array, tuple, dict ... of the
        argument's structure (for several `argnums` a tuple of those; for a Module a dict by
        parameter path, as its gradients are). Gives H·v in that structure.

    Raises
    ------
    ShapeError
        If v has another structure, or an array in it another shape.
    NotDifferentiableError
        If the value is no float scalar, or an op on the way has no derivative.

    Notes
    -----
    H·v is the derivative of the gradient in the direction v [Pearlmutter 1994]: forward mode over
    reverse mode, at the price of a few gradients, where H itself costs one for each parameter.

    References
    ----------
    Pearlmutter 1994, "Fast exact multiplication by the Hessian", Neural Computation 6.

    Examples
    --------
    >>> import numpy as np
    >>> f = lambda w: w[0] ** 2 * w[1]
    >>> hvp(f)(np.array([3.0, 5.0]), np.array([1.0, 0.0])).numpy().tolist()
    [10.0, 6.0]
    """
    wrt = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        arguments, v = _without_direction("hvp", args)
        traced = trace_function(grad(f, argnums), arguments, kwargs, wrt)
        product = push(traced, wrt, _directions(v, arguments, argnums))
        _assign_state(traced)
        return traced.restore(product)

    return wrapped


def gnvp(
    model: Callable[..., Any],
    loss: Callable[[Any], Any],
    argnums: int | tuple[int, ...] = 0,
) -> Callable[..., Any]:
    """Return a function that gives the Gauss–Newton matrix times a direction: Jᵀ·H·J·v.

    J is the Jacobian of `model` in its parameters, H the Hessian of `loss` in the model's outputs.
    It is the Hessian of ``loss(model(w))`` without the second derivatives of the model, and, where
    the loss is convex in the outputs, positive semi-definite.

    Parameters
    ----------
    model : callable
        From parameters (and data) to outputs: a float array, or a tree of them.
    loss : callable
        From the outputs to a float scalar.
    argnums : int or tuple of int
        Which positional arguments of `model` are the parameters; see `hvp`.

    Returns
    -------
    callable
        Takes the arguments of `model`, then the direction v, in the structure of the parameters.
        Gives Jᵀ·H·J·v in that structure.

    Raises
    ------
    ShapeError
        If v has another structure, or an array in it another shape.
    NotDifferentiableError
        If the loss is no float scalar, or an op on the way has no derivative.

    Notes
    -----
    J·v by forward mode, H·(J·v) by `hvp`, Jᵀ·(H·J·v) by reverse mode [Schraudolph 2002]: no
    matrix is formed. Of least squares, ½·Σ r², it is JᵀJ·v.

    References
    ----------
    Schraudolph 2002, "Fast curvature matrix-vector products for second-order gradient descent",
    Neural Computation 14.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([0.0, 1.0, 2.0])
    >>> model = lambda w: w[0] * x + w[1]
    >>> half_squares = lambda y: 0.5 * ((y - 1.0) ** 2).sum()
    >>> gnvp(model, half_squares)(np.zeros(2), np.array([1.0, 0.0])).numpy().tolist()
    [5.0, 3.0]
    """
    wrt = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @functools.wraps(model)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        arguments, v = _without_direction("gnvp", args)

        def product(arguments: Sequence[Any], v: Any) -> Any:
            traced = trace_function(model, arguments, kwargs, wrt)
            outputs = execute(traced.graph_of(traced.results), traced.inputs)
            moved = {label: zeros_like(output) for label, output in outputs.items()}
            moved |= push(traced, wrt, _directions(v, arguments, argnums))
            curved = hvp(loss)(traced.restore(outputs), traced.restore(moved))
            cotangents = matching_leaves(curved, traced.result, "cotangent")
            rule = pull_rule(traced, traced.results, wrt)
            pulled = execute(rule, [*traced.inputs, *cotangents])
            _assign_state(traced)
            found = [traced.like_argument(arguments[i], i, pulled) for i in wrt]
            return found[0] if isinstance(argnums, int) else tuple(found)

        # In one graph: what the three have in common is computed once.
        whole = trace_function(product, (arguments, v), {})
        return whole.restore(whole.run(whole.graph))

    return wrapped


def _assign_state(traced: Traced) -> None:
    if traced.variables:
        traced.run(traced.graph)


def _without_direction(name: str, args: Sequence[Any]) -> tuple[tuple[Any, ...], Any]:
    if len(args) < 2:
        raise DTypeError(
            f"{name}(f) takes the arguments of f, and the direction v behind them; got {len(args)}",
            where=here(),
            advice=f"Call cr.{name}(f)(w, v)",
        )
    *arguments, v = args
    return tuple(arguments), v


def _directions(v: Any, arguments: Sequence[Any], argnums: int | tuple[int, ...]) -> list[Tensor]:
    """The arrays of the direction, one for each leaf that moves."""
    if isinstance(argnums, int):
        return matching_leaves(v, arguments[argnums], "direction")
    return matching_leaves(v, tuple(arguments[i] for i in argnums), "direction")
