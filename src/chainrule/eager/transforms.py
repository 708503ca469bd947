"""grad and its relatives: trace a function to a graph, differentiate the graph, run it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.autodiff import gradients
from chainrule.base.errors import NotDifferentiableError
from chainrule.eager.derived import derived, pull_rule, push
from chainrule.eager.functions import concatenate
from chainrule.eager.tensor import Tensor
from chainrule.eager.traced import Traced, execute, trace_function
from chainrule.eager.tracing import here
from chainrule.eager.trees import is_array, is_number, matching_leaves, zeros_like
from chainrule.rewrite import vectorize

# Rows of a jacobian that are computed together: so many times the memory of one.
_ROWS_AT_ONCE = 256


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
        If the value is no float scalar, an argument no float, or an op on the way has no
        derivative.

    Examples
    --------
    >>> value, gradient = value_and_grad(lambda w: (w * w).sum())(np.array([1.0, 2.0]))
    >>> value.item(), gradient.numpy().tolist()
    (5.0, [2.0, 4.0])
    """
    wrt = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        traced = trace_function(f, args, kwargs, wrt)
        _check_scalar(traced, has_aux)
        names = dict.fromkeys(name for i in wrt for name in traced.targets[i])
        outputs = traced.run(derived(gradients, traced.graph, "y", tuple(names)))
        found = [traced.like_argument(args[i], i, outputs) for i in wrt]
        return traced.restore(outputs), found[0] if isinstance(argnums, int) else tuple(found)

    return wrapped


def _check_scalar(traced: Traced, has_aux: bool) -> None:
    value = traced.result
    if has_aux:
        if not isinstance(value, tuple) or len(value) != 2:
            raise NotDifferentiableError(
                f"With has_aux=True the function gives (value, aux); it gave {_described(value)}",
                where=here(),
            )
        value = value[0]
    is_leaf = is_array(value) or is_number(value)
    kind = traced.graph.nodes[traced.graph.labels["y"]].type if is_leaf else None
    if kind is None or kind.shape or not kind.dtype.is_float:
        advice = "Reduce it with .sum() or .mean(), or use cr.jacobian"
        if isinstance(value, tuple):
            advice = "For a value and something beside it pass has_aux=True"
        elif value is None:
            advice = "Let the function return its loss"
        raise NotDifferentiableError(
            f"The gradient of a float scalar is asked for; the function gave "
            f"{_described(value) if kind is None else kind}",
            where=here(),
            advice=advice,
        )


def _described(value: Any) -> str:
    if value is None:
        return "None"
    size = f" of {len(value)}" if isinstance(value, tuple | list | dict) else ""
    return f"a {type(value).__name__}{size}"


def grad(
    f: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that gives the gradient of `f`; see `value_and_grad`.

    Parameters
    ----------
    f : callable
    argnums : int or tuple of int
    has_aux : bool
        Return ``(gradient, aux)``.

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
    *primals : float arrays, or trees of them

    Examples
    --------
    >>> y, pull = vjp(lambda x: x * x, np.array([1.0, 2.0]))
    >>> pull(np.array([1.0, 10.0]))[0].numpy().tolist()
    [2.0, 40.0]
    """
    traced = trace_function(f, primals, {}, range(len(primals)))
    results = traced.restore(traced.run(traced.graph))
    rule = pull_rule(traced, traced.results, range(len(primals)))

    def pull(cotangent: Any) -> tuple[Any, ...]:
        given = matching_leaves(cotangent, traced.result, "cotangent")
        outputs = execute(rule, [*traced.inputs, *given])
        return tuple(traced.like_argument(primal, i, outputs) for i, primal in enumerate(primals))

    return results, pull


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Return ``f(*primals)`` and its derivative in the direction of `tangents`.

    Parameters
    ----------
    f : callable
    primals, tangents : sequences of float arrays, or trees of them, of equal structure

    Examples
    --------
    >>> y, t = jvp(lambda x: x * x, [np.array([1.0, 2.0])], [np.array([1.0, 0.5])])
    >>> t.numpy().tolist()
    [2.0, 2.0]
    """
    traced = trace_function(f, primals, {}, range(len(primals)))
    outputs = traced.run(traced.graph)
    flat = matching_leaves(tuple(tangents), tuple(primals), "tangent")
    # What is no float does not move.
    moved = {label: zeros_like(output) for label, output in outputs.items()}
    moved |= push(traced, range(len(primals)), flat)
    return traced.restore(outputs), traced.restore(moved)


def jacobian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """Return a function that gives all partial derivatives of an array-valued `f`.

    Parameters
    ----------
    f : callable
        Gives a float array, or a tree of them.
    argnums : int
        The argument: an array or a tree of arrays.

    Returns
    -------
    callable
        To a Tensor of shape ``(*output.shape, *input.shape)``; of trees, to the structure of the
        result, with that of the argument inside.

    Examples
    --------
    >>> jacobian(lambda x: x * x)(np.array([1.0, 3.0])).numpy().tolist()
    [[2.0, 0.0], [0.0, 6.0]]
    """

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        traced = trace_function(f, args, kwargs, (argnums,))
        if traced.results != traced.float_results:
            raise NotDifferentiableError(
                "jacobian takes a function to float arrays; one of its results is not",
                where=here(),
            )
        blocks = {
            label: traced.like_argument(args[argnums], argnums, _rows(traced, argnums, label))
            for label in traced.results
        }
        return traced.restore(blocks)

    return wrapped


def _rows(traced: Traced, argument: int, label: str) -> dict[str, Tensor]:
    """The derivatives of one result: a row of each for each of its elements."""
    y = traced.graph.nodes[traced.graph.labels[label]].type
    rule = pull_rule(traced, [label], [argument])
    # Unit cotangents through the same pullback, some at once: a row of the matrix for each.
    units = np.eye(y.size, dtype=y.dtype.numpy).reshape(y.size, *y.shape)
    found = []
    for start in range(0, y.size, _ROWS_AT_ONCE):
        some = units[start : start + _ROWS_AT_ONCE]
        rows = derived(vectorize, rule, (rule.input_names[-1],), len(some))
        found.append(execute(rows, [*traced.inputs, Tensor(some)]))
    blocks = {}
    for output in rule.outputs:
        x = rule.nodes[output.node].type
        shape = tuple(map(int, (*y.shape, *x.shape)))
        parts = [rows[output.label] for rows in found]
        whole = concatenate(parts) if parts else Tensor(np.zeros(shape, x.dtype.numpy))
        blocks[output.label] = whole.reshape(shape)
    return blocks


def hessian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """Return a function that gives all second derivatives of a scalar `f`.

    Parameters
    ----------
    f : callable
    argnums : int
        The argument: an array or a tree of arrays.

    Returns
    -------
    callable
        To a Tensor of shape ``(*input.shape, *input.shape)``; of a tree, to its structure, with
        the same structure inside.

    Examples
    --------
    >>> hessian(lambda x: (x * x * x).sum())(np.array([1.0, 2.0])).numpy().tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    """
    return jacobian(grad(f, argnums), argnums)
