"""The gradient of each example's cost, in one pass over the batch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from chainrule.autodiff import per_example_gradients
from chainrule.base.errors import ChainruleError, NotDifferentiableError, ShapeError, listed
from chainrule.eager.derived import derived
from chainrule.eager.traced import Traced, argument_names, check_positions, trace_function
from chainrule.eager.tracing import here, located
from chainrule.eager.trees import is_array, is_number, leaves
from chainrule.graph import Axis, format_shape


def per_example_grads(
    f: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that gives the gradient of each example's cost: gᵢ = ∂cᵢ/∂w.

    Parameters
    ----------
    f : callable
        From parameters and a batch to the costs, a float array of shape (B,), as the losses of
        `nn` give them; with `has_aux`, to a tuple of them and anything else.
    argnums : int or tuple of int
        Which positional arguments the gradients are taken of: arrays, tuples, lists, dicts of
        them, or a Module, which stands for its trainable parameters. The arrays in all other
        positional arguments hold the examples along their first axis. What all examples share
        besides is a scalar, a Module, is passed by keyword, or captured.
    has_aux : bool
        Return ``(gradients, aux)``.

    Returns
    -------
    callable
        To the gradients, in the structure of the argument, each of shape ``(B, *shape)``; of a
        Module it is a dict by parameter path.

    Raises
    ------
    ShapeError
        If the examples' arrays have different lengths, or `f` gives no cost for each.
    NotDifferentiableError
        If an op on the way mixes examples (batch norm in training takes a mean over them): it
        is named, with the layer and your line.

    Notes
    -----
    There is no loop over examples. The function is traced once for the whole batch, and in its
    backward pass the axis of examples is kept where it would be summed over [Goodfellow 2015].
    The sum of the gradients over that axis is the gradient of the summed costs.

    References
    ----------
    Goodfellow 2015, "Efficient per-example gradient computations", arXiv:1510.01799.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, -1.0])
    >>> costs = lambda w, x, y: (x @ w - y).square()
    >>> per_example_grads(costs)(np.zeros(2), x, y).numpy().tolist()
    [[-2.0, -4.0], [6.0, 8.0]]
    """
    wrt = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        check_positions(wrt, args)
        names = argument_names(f, len(args))
        axis = Axis("B", _number_of_examples(args, names, wrt))
        data = {position: axis for position in range(len(args)) if position not in wrt}
        traced = trace_function(f, args, kwargs, wrt, data)
        _check_costs(traced, axis, has_aux)
        targets = dict.fromkeys(name for i in wrt for name in traced.targets[i])
        try:
            graph = derived(per_example_gradients, traced.graph, "y", tuple(targets), axis)
        except ChainruleError as error:
            raise located(error) from None
        outputs = traced.run(graph)
        found = [traced.like_argument(args[i], i, outputs) for i in wrt]
        gradients = found[0] if isinstance(argnums, int) else tuple(found)
        return (gradients, traced.restore(outputs)[1]) if has_aux else gradients

    return wrapped


def _number_of_examples(args: Sequence[Any], names: Sequence[str], wrt: Sequence[int]) -> int:
    sizes = {
        path: int(leaf.shape[0])
        for position, (argument, name) in enumerate(zip(args, names, strict=True))
        if position not in wrt
        for path, leaf in leaves(argument, name, open_modules=False)
        if is_array(leaf) and leaf.ndim
    }
    if not sizes:
        raise ShapeError(
            "Per-example gradients are taken over a batch; no argument besides the parameters "
            "is an array with examples along its first axis",
            where=here(),
            advice="Pass the data as arguments: cr.per_example_grads(f)(params, x, y)",
        )
    if len(set(sizes.values())) > 1:
        shown = listed([f"{size} in {path}" for path, size in sizes.items()])
        raise ShapeError(
            f"All positional arguments but the parameters hold the same examples; got {shown}",
            where=here(),
            advice="Pass what the examples share by keyword",
        )
    return next(iter(sizes.values()))


def _check_costs(traced: Traced, axis: Axis, has_aux: bool) -> None:
    value = traced.result
    if has_aux:
        if not isinstance(value, tuple) or len(value) != 2:
            raise NotDifferentiableError(
                "With has_aux=True the function gives (costs, aux); it gave "
                f"{type(value).__name__}",
                where=here(),
            )
        value = value[0]
    is_leaf = is_array(value) or is_number(value)
    kind = traced.graph.nodes[traced.graph.labels["y"]].type if is_leaf else None
    if kind is None or kind.shape != (axis,) or not kind.dtype.is_float:
        raise ShapeError(
            f"Per-example gradients take a function to one float for each example, of shape "
            f"{format_shape((axis,))}; it gave {kind or type(value).__name__}",
            where=here(),
            advice="Give the costs themselves, not their mean or sum",
        )
