"""``L.backward()``: collect how L was computed into a graph, differentiate it, run it."""

from __future__ import annotations

from chainrule.autodiff import append_gradients
from chainrule.backends import get_backend
from chainrule.base.errors import NotDifferentiableError, TracingError
from chainrule.eager.tensor import Tensor
from chainrule.eager.tracing import here
from chainrule.graph import Graph
from chainrule.ops import Builder, Value


def backward(result: Tensor) -> None:
    """Set `grad` on every float Tensor in the history of `result`."""
    if result.trace is not None:
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
    values = build_history(b, result)
    wrt = [tensor for tensor, _ in values.values() if tensor.type.dtype.is_float]
    seed = b.apply("constant", value=1.0, dtype=result.type.dtype)
    gradients = append_gradients(
        b, {values[id(result)][1]: seed}, [values[id(tensor)][1] for tensor in wrt]
    )
    graph = b.build("backward", {f"d{i}": d for i, d in enumerate(gradients)})
    leaves = [tensor for tensor, _ in values.values() if tensor.made is None]
    arrays = get_backend("numpy").run(graph, [leaf.numpy() for leaf in leaves])
    for tensor, array in zip(wrt, arrays, strict=True):
        tensor.grad = Tensor(array)


def history(result: Tensor) -> Graph:
    """The graph by which an eager Tensor was computed, its leaves being the inputs."""
    b = Builder()
    values = build_history(b, result)
    return b.build("history", {"y": values[id(result)][1]})


def build_history(b: Builder, result: Tensor) -> dict[int, tuple[Tensor, Value]]:
    """Append the history of `result`; return its Tensors and their values by ``id``, in order."""
    values: dict[int, tuple[Tensor, Value]] = {}
    stack = [(result, False)]
    while stack:
        tensor, expanded = stack.pop()
        if id(tensor) in values:
            continue
        made = tensor.made
        if made is None:
            values[id(tensor)] = (tensor, b.input(tensor.type, tensor.name))
        elif not expanded:
            stack.append((tensor, True))
            stack.extend((operand, False) for operand in reversed(made.inputs))
        else:
            operands = [values[id(operand)][1] for operand in made.inputs]
            with b.in_scope(made.scope, made.source):
                values[id(tensor)] = (tensor, b.apply(made.op, *operands, **made.attributes))
    return values
