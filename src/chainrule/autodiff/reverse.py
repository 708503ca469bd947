"""Reverse mode: walk the graph backwards once, handing each op's cotangent to its operands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainrule.base.errors import NotDifferentiableError
from chainrule.graph import Graph, TensorType
from chainrule.ops import Builder, Call, CompositeOp, Op, Value, bind
from chainrule.ops.builder import free_name
from chainrule.rewrite import eliminate_dead_nodes


@dataclass(frozen=True, slots=True)
class Pull:
    """One op's part in the backward pass: what arrived at it, and what it handed on.

    Parameters
    ----------
    node : int
        Where the op is in the graph.
    d_y : int
        The cotangent of its result.
    d_inputs : tuple of (int or None)
        For each operand its contribution to that operand's cotangent.
    """

    node: int
    d_y: int
    d_inputs: tuple[int | None, ...]


def gradients(graph: Graph, of: str, wrt: Sequence[str]) -> Graph:
    """Extend `graph` by the gradients of one scalar result.

    Parameters
    ----------
    graph : Graph
    of : str
        Label or name of the result, a float of shape []. A label comes first: an input may
        have the same name.
    wrt : sequence of str
        Names of float inputs.

    Returns
    -------
    Graph
        The same inputs and outputs, then an output ``d_<name>`` for each of `wrt`; it is
        labelled ``d_<name>#2`` if `graph` has such an output already, being itself a gradient.

    Raises
    ------
    NotDifferentiableError
        If `of` is no float scalar, `wrt` no float, or an op on the way has no derivative.

    Examples
    --------
    >>> from chainrule.graph import parse_graph
    >>> print(
    ...     gradients(
    ...         parse_graph(
    ...             '''
    ... graph f(x: f64[3]) -> f64[]
    ...   y: f64[3] = sigmoid(x)
    ...   loss: f64[] = sum(y)  axes=[0]
    ...   return loss'''.strip()
    ...         ),
    ...         of="loss",
    ...         wrt=["x"],
    ...     )
    ... )
    graph f(x: f64[3]) -> (f64[], f64[3])
      y: f64[3] = sigmoid(x)
      loss: f64[] = sum(y)  axes=[0]
      d_loss: f64[] = constant()  dtype=f64 value=1.0
      %4: f64[1] = reshape(d_loss)  shape=[1]
      d_y: f64[3] = broadcast(%4)  shape=[3]
      %6: f64[] = constant()  dtype=f64 value=1.0
      %7: f64[3] = sub(%6, y)
      d_y/d_x: f64[3] = mul(y, %7)
      d_x: f64[3] = mul(d_y, d_y/d_x)
      return loss, d_x
    """
    b = Builder()
    values = _copy(b, graph)
    result = values[graph.labels[of] if of in graph.labels else graph.find(of)]
    if result.shape != () or not result.dtype.is_float:
        raise NotDifferentiableError(
            f"the gradient of a float scalar is asked for; {of} is {result.type}",
            where=f"graph {graph.name}",
            advice="Reduce it with sum or mean, or ask for the jacobian",
        )
    targets = [values[graph.find(name)] for name in wrt]
    for name, target in zip(wrt, targets, strict=True):
        if not target.dtype.is_float:
            raise NotDifferentiableError(f"{name} is {target.type}: only floats have gradients")
    seed = b.apply("constant", value=1.0, dtype=result.dtype)
    d_targets = append_gradients(b, {result: seed}, targets)
    outputs = {output.label: values[output.node] for output in graph.outputs}
    for name, d in zip(wrt, d_targets, strict=True):
        outputs[free_name(f"d_{name}", outputs)] = d
    return eliminate_dead_nodes(b.build(graph.name, outputs)).graph


def pullback(graph: Graph) -> Graph:
    """The map from cotangents of the outputs to cotangents of the inputs.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Graph
        Takes the inputs, then ``d_<label>`` for each float output; gives ``d_<name>`` for each
        float input. It is linear in the cotangents.
    """
    b = Builder()
    values = _copy(b, graph)
    cotangents: dict[Value, Value] = {}
    for output in graph.outputs:
        if values[output.node].dtype.is_float:
            d = b.input(values[output.node].type, f"d_{output.label}")
            value = values[output.node]
            cotangents[value] = cotangents[value] + d if value in cotangents else d
    wrt = {graph.name_of(i): values[i] for i in graph.inputs if graph.nodes[i].dtype.is_float}
    d_inputs = append_gradients(b, cotangents, list(wrt.values()))
    outputs = {f"d_{name}": d for name, d in zip(wrt, d_inputs, strict=True)}
    return eliminate_dead_nodes(b.build(f"d_{graph.name}", outputs)).graph


def _copy(b: Builder, graph: Graph) -> list[Value]:
    inputs = [b.input(graph.nodes[i].type, graph.nodes[i].name) for i in graph.inputs]
    values = b.inline(graph, inputs, names=True)
    b.aliases.update(graph.aliases)
    return values


def append_gradients(
    b: Builder,
    cotangents: Mapping[Value, Value],
    wrt: Sequence[Value],
    pulls: list[Pull] | None = None,
) -> list[Value]:
    """Append to the graph in `b` the gradients with respect to the values `wrt`.

    Parameters
    ----------
    b : Builder
        Holds the primal computation.
    cotangents : mapping of Value to Value
        For each result that is differentiated, its cotangent, of the same type.
    wrt : sequence of Value
    pulls : list of Pull, optional
        Takes each op's part, in the order of the walk.

    Returns
    -------
    list of Value
        One for each of `wrt`, of its type; zeros where no derivative flows. The cotangent of a
        value named ``x`` is named ``d_x``, the factor ∂y/∂x of an elementwise op ``d_y/d_x``.

    Notes
    -----
    A value that is used several times has the sum of the contributions, added in the order of
    the backward walk. Nodes of the backward pass carry the scope and source of the node they
    differentiate.
    """
    active = _depending_on(b, {value.position for value in wrt})
    arrived: dict[int, Value] = {}
    for value, cotangent in cotangents.items():
        _accumulate(b, arrived, value.position, cotangent)
    last = max((value.position for value in cotangents), default=-1)
    for position in range(last, -1, -1):
        node = b.nodes[position]
        d_y = arrived.get(position)
        if d_y is None or position not in active or node.op == "input":
            continue
        with b.in_scope(node.scope, node.source):
            if node.name is not None:
                b.name(d_y, f"d_{node.name}")
            wanted = tuple(i in active and b.nodes[i].dtype.is_float for i in node.inputs)
            call = Call(tuple(Value(b, i) for i in node.inputs), Value(b, position), wanted)
            d_inputs = pull_back(b, bind(node.op, node.attributes), call, d_y)
            if pulls is not None:
                handed = tuple(None if d is None else d.position for d in d_inputs)
                pulls.append(Pull(position, d_y.position, handed))
            for operand, want, d_x in zip(node.inputs, wanted, d_inputs, strict=True):
                if want and d_x is not None:
                    _accumulate(b, arrived, operand, d_x)
    return [_named_gradient(b, value, arrived.get(value.position)) for value in wrt]


def pull_back(b: Builder, op: Op, call: Call, d_y: Value) -> Sequence[Value | None]:
    """Append one op's part in the backward pass.

    Parameters
    ----------
    b : Builder
    op : Op
    call : Call
        The values that it is applied to, and its result.
    d_y : Value
        The cotangent of the result.

    Returns
    -------
    sequence of (Value or None)
        For each operand its contribution to that operand's cotangent.
    """
    if not isinstance(op, CompositeOp) or op.has_pullback:
        return op.pullback(b, call, d_y)
    # Without a rule of its own a composite is differentiated through its body.
    rule = pullback(op.body(tuple(value.type for value in call.inputs)))
    values = b.inline(rule, [*call.inputs, d_y])
    d_inputs = {output.label: values[output.node] for output in rule.outputs}
    return [d_inputs.get(f"d_x{i}") for i in range(len(call.inputs))]


def _depending_on(b: Builder, sources: set[int]) -> set[int]:
    active = set(sources)
    for position, node in enumerate(b.nodes):
        if active.intersection(node.inputs):
            active.add(position)
    return active


def _accumulate(b: Builder, arrived: dict[int, Value], position: int, d: Value) -> None:
    arrived[position] = arrived[position] + d if position in arrived else d


def _named_gradient(b: Builder, value: Value, gradient: Value | None) -> Value:
    if gradient is None:
        gradient = zeros(b, value.type)
    name = b.nodes[value.position].name
    if name is not None:
        b.name(gradient, f"d_{name}")
    return gradient


def zeros(b: Builder, kind: TensorType) -> Value:
    """Append zeros of this type."""
    # Not b.constant, whose node is shared: this one may be given a name.
    zero = b.apply("constant", value=0.0 if kind.dtype.is_float else 0, dtype=kind.dtype)
    return b.broadcast(zero, shape=kind.shape) if kind.shape else zero
