"""Gradients of each example's cost: the backward pass, with the axis of examples kept.

With costs c of a batch, one each, the gradient of Σ c in a parameter w is a sum over the examples,
Σᵢ ∂cᵢ/∂w. The backward pass adds it up where it contracts or sums the axis of examples away. Here
that axis is kept instead, and the ops behind it are applied to each example: the result has one
gradient for each, and nothing was computed twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainrule.autodiff.reverse import append_gradients
from chainrule.base.errors import NotDifferentiableError, ShapeError
from chainrule.graph import Axis, Graph, Node, format_shape
from chainrule.ops import Batch, Builder, CompositeOp, Custom, Value, bind
from chainrule.ops.batching import mixing_nodes, move_to_front, named_like
from chainrule.ops.builder import free_name
from chainrule.rewrite import eliminate_dead_nodes, expand_composites


def per_example_gradients(graph: Graph, of: str, wrt: Sequence[str], axis: Axis) -> Graph:
    """Extend `graph` by the gradients of each example's cost.

    Parameters
    ----------
    graph : Graph
        Its inputs that hold examples have the named axis.
    of : str
        Label or name of the costs, floats of shape [axis].
    wrt : sequence of str
        Names of float inputs that all examples share.
    axis : Axis
        The axis of examples.

    Returns
    -------
    Graph
        The same inputs and outputs, then an output ``d_<name>`` of shape ``[axis, *shape]`` for
        each of `wrt`.

    Raises
    ------
    ShapeError
        If `of` is no float for each example.
    NotDifferentiableError
        If an op mixes examples on the way, or has no derivative.

    Notes
    -----
    Where the result of an op that adds (`Op.adds`) lacks the axis, its operands are given to the
    op one example at a time, by its batching rule (`Op.batched`): with only the i-th cost's
    cotangent set, the others' rows are zero, and the sum over examples is the i-th summand.

    Examples
    --------
    >>> from chainrule.graph import parse_graph
    >>> graph = parse_graph(
    ...     '''
    ... graph f(x: f64[B=2,3], w: f64[3]) -> f64[B=2]
    ...   c: f64[B=2] = contract(x, w)  over=[1,0]
    ...   return c'''.strip()
    ... )
    >>> print(per_example_gradients(graph, "c", ["w"], Axis("B", 2)))
    graph f(x: f64[B=2,3], w: f64[3]) -> (f64[B=2], f64[B=2,3])
      %2: f64[] = constant()  dtype=f64 value=1.0
      d_c: f64[B=2] = broadcast(%2)  shape=[B=2]
      c: f64[B=2] = contract(x, w)  over=[1,0]
      %5: f64[B=2,1] = reshape(d_c)  shape=[B=2,1]
      %6: f64[B=2,1,3] = reshape(x)  shape=[B=2,1,3]
      d_w: f64[B=2,3] = contract(%5, %6)  batch=[0,0] over=[1,1]
      return c, d_w
    """
    backward = _backward(graph, of, wrt, axis)
    while opened := _ops_to_open(backward, axis):
        backward = expand_composites(backward, keep=_all_but(opened)).graph
    separation = _Separation(backward, axis)
    outputs = {output.label: separation.values[output.node] for output in backward.outputs}
    for name, output in zip(wrt, backward.outputs[len(graph.outputs) :], strict=True):
        outputs[output.label] = separation.gradient(name, output.node)
    return eliminate_dead_nodes(separation.b.build(graph.name, outputs)).graph


def _backward(graph: Graph, of: str, wrt: Sequence[str], axis: Axis) -> Graph:
    """`graph` with its gradients, for a cotangent of the costs that is one more input."""
    position = graph.labels[of] if of in graph.labels else graph.find(of)
    mixed = mixing_nodes(graph.nodes, axis)
    if position in mixed:
        raise _mixing(graph.nodes, mixed[position])
    costs = graph.nodes[position].type
    if costs.shape != (axis,) or not named_like(axis, costs.shape) or not costs.dtype.is_float:
        raise ShapeError(
            f"Per-example gradients are those of one float for each example, of shape "
            f"{format_shape((axis,))}; got {costs}",
            advice="Pass the data as arguments: what is captured is shared by all examples",
        )
    b = Builder()
    inputs = [b.input(graph.nodes[i].type, graph.nodes[i].name) for i in graph.inputs]
    seed = b.input(costs, f"d_{graph.nodes[position].name or of}")
    values = b.inline(graph, inputs, names=True)
    b.aliases.update(graph.aliases)
    d_wrt = append_gradients(
        b, {values[position]: seed}, [values[graph.find(name)] for name in wrt]
    )
    outputs = {output.label: values[output.node] for output in graph.outputs}
    for name, d in zip(wrt, d_wrt, strict=True):
        outputs[free_name(f"d_{name}", outputs)] = d
    return eliminate_dead_nodes(b.build(graph.name, outputs)).graph


def _all_but(opened: set[str]) -> Callable[[str], bool]:
    return lambda op: op not in opened


def _depending_on_seed(graph: Graph) -> set[int]:
    """The backward pass: what depends on the last input, the costs' cotangent."""
    found = {graph.inputs[-1]}
    for position, node in enumerate(graph.nodes):
        if found.intersection(node.inputs):
            found.add(position)
    return found


def _ops_to_open(graph: Graph, axis: Axis) -> set[str]:
    """Composites of the backward pass in which the axis of examples is lost.

    Opened, the number of examples that a mean divides by is a number of the graph; the mean of
    one example by itself would divide by one.
    """
    nodes = (graph.nodes[position] for position in _depending_on_seed(graph))
    lost = [node for node in nodes if not named_like(axis, node.shape)]
    return {
        node.op for node in lost if isinstance(bind(node.op, node.attributes), CompositeOp | Custom)
    }


class _Separation:
    """The graph written anew, node by node, with the examples kept apart.

    A value of the backward pass has the axis of examples where it always was; or it would have
    been summed over it, and has the axis in front instead (`apart`).
    """

    def __init__(self, graph: Graph, axis: Axis) -> None:
        self.graph = graph
        self.axis = axis
        self.b = Builder()
        self.values: list[Value] = []
        self.apart: set[int] = set()
        self.backward = _depending_on_seed(graph)
        self.mixed = mixing_nodes(graph.nodes, axis)
        self._write()

    def _write(self) -> None:
        b, graph = self.b, self.graph
        inputs = graph.inputs[:-1]
        self.values = [b.input(graph.nodes[i].type, graph.nodes[i].name) for i in inputs]
        seed = graph.nodes[graph.inputs[-1]]
        ones = b.broadcast(b.apply("constant", value=1.0, dtype=seed.dtype), shape=seed.shape)
        self.values.append(ones)
        self._name(ones, seed)
        for position in range(len(graph.inputs), len(graph.nodes)):
            node = graph.nodes[position]
            with b.in_scope(node.scope, node.source):
                value = self._separated(position, node)
            self.values.append(value)
            self._name(value, node)
        b.aliases |= dict(graph.aliases)

    def _name(self, value: Value, node: Node) -> None:
        if node.name is not None:
            self.b.name(value, node.name)

    def _separated(self, position: int, node: Node) -> Value:
        operands = tuple(self.values[i] for i in node.inputs)
        if position not in self.backward:
            return self.b.apply(node.op, *operands, **node.attributes)
        for i in node.inputs:
            if i not in self.backward and i in self.mixed:
                raise _mixing(self.graph.nodes, self.mixed[i])
        apart = tuple(i in self.apart for i in node.inputs)
        if not any(apart):
            value = self.b.apply(node.op, *operands, **node.attributes)
            if self._examples(value):
                return value
            batch = self._one_by_one(position, operands)
        else:
            batch = Batch(operands, apart)
        value = self._batched(position, node, batch)
        self.apart.add(position)
        return value

    def _one_by_one(self, position: int, operands: tuple[Value, ...]) -> Batch:
        """The operands of an op that adds the examples up, as batches of one example each."""
        node = self.graph.nodes[position]
        if not bind(node.op, node.attributes).adds:
            raise _mixing(self.graph.nodes, position)
        return Batch(
            tuple(self._split(x) if self._examples(x) else x for x in operands),
            tuple(map(self._examples, operands)),
        )

    def _split(self, value: Value) -> Value:
        (place,) = named_like(self.axis, value.shape)
        before, whole, after = value.shape[:place], value.shape[place], value.shape[place + 1 :]
        assert isinstance(whole, Axis)
        shape = (*before, self.axis, whole.each, *after)
        return move_to_front(self.b, self.b.reshape(value, shape=shape), place)

    def _batched(self, position: int, node: Node, batch: Batch) -> Value:
        try:
            value = bind(node.op, node.attributes).batched(self.b, batch)
        except ShapeError:
            # An array without the axis of examples has as many rows, and is paired with them.
            raise _mixing(self.graph.nodes, position) from None
        # Not so where what would be the sum over all examples meets one of them: it has two axes.
        if value.shape[1:] != node.shape or not self._examples(value):
            raise _mixing(self.graph.nodes, position)
        return value

    def _examples(self, value: Value) -> bool:
        return len(named_like(self.axis, value.shape)) == 1

    def gradient(self, name: str, position: int) -> Value:
        """The gradients in the input `name`, one for each example."""
        value = self.values[position]
        if position in self.apart:
            return value
        if self.axis == 1:
            return self.b.reshape(value, shape=(self.axis, *value.shape))
        if self._examples(value):
            raise ShapeError(
                f"Per-example gradients are in what all examples share; {name} has a row for each",
                advice="Its row i is used by example i alone: take cr.grad of the summed costs",
            )
        return self.b.broadcast(value, shape=(self.axis, *value.shape))


def _mixing(nodes: Sequence[Node], position: int) -> NotDifferentiableError:
    node = nodes[position]
    given = ", ".join(str(nodes[i].type) for i in node.inputs)
    return NotDifferentiableError(
        f"Per-example gradients need examples that stay apart; {node.op} mixes them: "
        f"of {given} it makes {node.type}",
        where=node.place or None,
        advice="Keep examples along the first axis; compute what belongs to all of them before, "
        "and pass it as an argument",
    )
