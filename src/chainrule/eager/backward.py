"""``L.backward()``: collect how L was computed into a graph, differentiate it, run it."""

from __future__ import annotations

from dataclasses import dataclass, field

from chainrule.autodiff import append_gradients
from chainrule.backends import get_backend
from chainrule.base.errors import NotDifferentiableError, TracingError
from chainrule.eager.tensor import Array, Made, Tensor
from chainrule.eager.tracing import here
from chainrule.ops import Builder, Value


def backward(result: Tensor) -> None:
    """Set `grad` on every float Tensor in the history of `result`, but on no frozen parameter."""
    if result.trace is not None:
        result.check_alive()
        raise TracingError(
            "backward() belongs to values, not to the symbols of a traced function",
            where=here(),
            advice="Inside a traced function use cr.grad",
        )
    if result.shape or not result.type.dtype.is_float:
        raise NotDifferentiableError(
            f"backward() starts from a float scalar; got {result.type}",
            where=here(),
            advice="Reduce it with .sum() or .mean(), or use cr.jacobian",
        )
    b = Builder()
    history = collect_history(b, result)
    wanted = {tensor: value for tensor, value in history.values.items() if _has_gradient(tensor)}
    seed = b.apply("constant", value=1.0, dtype=result.type.dtype)
    gradients = append_gradients(b, {history.values[result]: seed}, list(wanted.values()))
    graph = b.build("backward", {f"d{i}": d for i, d in enumerate(gradients)})
    arrays = get_backend("numpy").run(graph, list(history.leaves.values()))
    for tensor, array in zip(wanted, arrays, strict=True):
        tensor.grad = Tensor.computed(array)


def _has_gradient(tensor: Tensor) -> bool:
    # A number written in the code has no gradient that anybody could ask for.
    written = tensor.made is not None and not tensor.made.inputs
    frozen = not getattr(tensor, "requires_grad", True)
    return tensor.type.dtype.is_float and not written and not frozen


@dataclass(frozen=True)
class History:
    """How a Tensor was computed, written into a graph.

    Parameters
    ----------
    values : dict of Tensor to Value
        Every Tensor on the way, each after those it was computed from.
    leaves : dict of Tensor to array
        The graph's inputs, with their values at the time.
    """

    values: dict[Tensor, Value] = field(default_factory=dict)
    leaves: dict[Tensor, Array] = field(default_factory=dict)


def collect_history(b: Builder, result: Tensor) -> History:
    """Append the history of `result` to the graph in `b`.

    Raises
    ------
    TracingError
        If a variable had one value at one use and another at the next.
    """
    history = History()
    computed: dict[Tensor, Made] = {}
    stack = [(result, result.numpy())]
    while stack:
        tensor, array = stack.pop()
        made = tensor.made
        if made is None:
            _append_leaf(b, history, tensor, array)
        elif tensor not in computed:
            computed[tensor] = made
            stack.extend(zip(made.inputs, made.arrays, strict=True))
    # In the order in which they were made, so that contributions to a gradient are added in the
    # same order, and round to the same bits, as in a traced function.
    for tensor, made in sorted(computed.items(), key=lambda item: item[1].number):
        operands = [history.values[operand] for operand in made.inputs]
        with b.in_scope(made.scope, made.source):
            history.values[tensor] = b.apply(made.op, *operands, **made.attributes)
    return history


def _append_leaf(b: Builder, history: History, leaf: Tensor, array: Array) -> None:
    if leaf not in history.values:
        history.values[leaf] = b.input(leaf.type, leaf.name)
        history.leaves[leaf] = array
    elif history.leaves[leaf] is not array:
        raise TracingError(
            f"{leaf.name or 'A variable'} was given a new value between two uses of it: "
            "no gradient belongs to both",
            where=here(),
            advice="Compute the result again from its present value",
        )
