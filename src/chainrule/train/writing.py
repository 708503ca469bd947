"""The writer of a training step: what goes in, what is computed, and what each state becomes."""

from __future__ import annotations

import operator
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from chainrule.autodiff import append_gradients
from chainrule.backends import Wiring
from chainrule.base.errors import ConfigurationError, TrainingError
from chainrule.eager import Tensor, Trace, broadcast_to
from chainrule.eager.tensor import Array
from chainrule.graph import DType, Graph, Node, Output, TensorType
from chainrule.nn import Module, Parameter, textbook_aliases, training, weighted_mean
from chainrule.nn.evaluation import float_dtype
from chainrule.nn.losses import Loss
from chainrule.nn.measures import Measured, Measures
from chainrule.nn.metrics import Metric
from chainrule.nn.penalties import Penalty
from chainrule.ops import verify
from chainrule.optim import Optimizer
from chainrule.rewrite import eliminate_dead_nodes
from chainrule.rewrite.rewriting import move

NEXT = "next."
COST_WEIGHT = "cost_weight"
BATCH_WEIGHT = "batch_weight"
MEAN_COST = "mean_cost"
PENALTY = "penalty"
SUM = "sum."
RANDOM = ("seed", "rows")
"""Inputs that only random layers read."""
ACCUMULATED = "accumulated."
TOTAL_WEIGHT = "accumulated_weight"
TOTAL_COST = "accumulated_cost"
RESERVED = re.compile(
    r"x\d*|target|sample_weight|rows|seed|step|lr|loss|penalty|objective|out|d_(x\d*|out|loss)"
)
"""What the step, or a trace of it, calls its own values: no parameter can have such a name."""


@dataclass(frozen=True)
class Recipe:
    """What a training step is made of.

    Parameters
    ----------
    net : Module
    loss : Loss
    optimizer : Optimizer
    metrics : mapping of str to Metric
        Shown beside the loss, read off the outputs that the step computes anyway.
    weighted : bool
        Whether the examples have weights.
    fed : bool
        Whether batches are given anew for each step, since no array holds them all.
    penalties : tuple of Penalty
        What parameters cost beside the examples.
    """

    net: Module
    loss: Loss
    optimizer: Optimizer
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    weighted: bool = False
    fed: bool = False
    penalties: tuple[Penalty, ...] = ()

    @property
    def measures(self) -> Measures:
        """The loss and the metrics."""
        return Measures(self.loss, self.metrics)


@dataclass(frozen=True)
class Step:
    """A step's graph, and where its inputs come from.

    Parameters
    ----------
    graph : Graph
    wiring : Wiring
    captured : mapping of str to array
        Inputs that the network took from outside, such as a table in an attribute.
    output : object
        What the network returned: a Tensor of the trace, or a structure of them.
    """

    graph: Graph
    wiring: Wiring
    captured: Mapping[str, Array]
    output: Any = None


class StepWriter:
    """A step being traced: its inputs, and what each state becomes."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.trace = Trace()
        self.state: dict[str, Tensor] = {}
        self.next: dict[str, Tensor] = {}
        self.data: list[str] = []
        self.outputs: dict[str, Tensor] = {}
        self.rows: str | None = None
        self.finite: list[str] = []
        self.parameters: dict[str, Tensor] = {}
        self.paths: dict[int, str] = {}
        self.output: Any = None
        self.directions: Mapping[str, Tensor] | None = None

    def __enter__(self) -> StepWriter:
        net = self.recipe.net
        variables = [*net.named_parameters(), *net.named_buffers()]
        known = {path for path, _ in variables}
        for path, variable in variables:
            _check_name(path, known)
            symbol = self.state_input(path, variable.type)
            self.trace.bind(variable, symbol)
            self.paths[id(variable)] = path
        self.parameters = {path: self.state[path] for path in trainable(net)}
        self.step = self.state_input("step", TensorType((), DType.I64))
        # Last: what raises in here would leave the trace open, and nobody to close it.
        self.trace.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.trace.__exit__(*error)

    def state_input(self, name: str, kind: TensorType) -> Tensor:
        """An input that is state; unless `set_next` says otherwise it stays as it is."""
        self.state[name] = self.next[name] = self.trace.input(kind, name)
        return self.state[name]

    def set_next(self, name: str, value: Tensor) -> None:
        """Let the state `name` become `value`."""
        self.next[name] = value

    def data_input(self, name: str, kind: TensorType) -> Tensor:
        """An input that is rows of the data, or fed."""
        if not self.recipe.fed:
            self.data.append(name)
        return self.trace.input(kind, name)

    def forward(self, batch: Sequence[TensorType], target: TensorType) -> Tensor:
        """Compute the loss and metrics of a batch."""
        size = batch[0].shape[0]
        several = len(batch) > 1
        xs = [self.data_input(f"x{i}" if several else "x", kind) for i, kind in enumerate(batch)]
        targets = self.data_input("target", target)
        weights = None
        if self.recipe.weighted:
            dtype = DType.of(float_dtype(self.recipe.net))
            weights = self.data_input("sample_weight", TensorType((size,), dtype))
        seed = self.state_input("seed", TensorType((2,), DType.U32))
        rows = self.trace.input(TensorType((size,), DType.I64), "rows")
        self.rows = "rows"
        with training(seed, self.step, rows):
            output = self.recipe.net(*xs)
            measured = self.recipe.measures.of_batch(output, targets, weights)
            self.directions = self._directions(xs, targets, measured)
        self.output = output
        self.mean_cost = weighted_mean(measured.costs, measured.cost_weights)
        loss = self.recipe.loss.finish(self.mean_cost)
        self._show(loss, measured)
        for variable, value in self.trace.writes.values():
            # By identity: a loss that calls a part of the network gives its variables other names.
            if id(variable) not in self.paths:
                raise TrainingError(
                    f"Training assigns {variable.name or 'a buffer'}, which is not the network's",
                    advice="Assign its module to an attribute of the network",
                )
            self.set_next(self.paths[id(variable)], value)
        return loss

    def _show(self, loss: Tensor, measured: Measured) -> None:
        """Put out the loss, and sums for the metrics."""
        b = self.trace.builder
        b.name(loss.traced_value, "loss")
        size = int(measured.costs.shape[0])
        count = self.trace.wrap(b.constant(float(size), loss.type.dtype))
        self.total_weight = _total(measured.cost_weights, count)
        self.outputs["loss"] = loss
        self.finite.append("loss")
        if loss is not self.mean_cost:
            self.outputs[MEAN_COST] = self.mean_cost
        for name, statistics in measured.statistics.items():
            # The sum, not the mean: a count of right answers is exact.
            self.outputs[SUM + name] = _sum_of(statistics.astype(loss.dtype), measured.weights)
        weight = self.total_weight
        if measured.cost_weights is not measured.weights:
            self.outputs[COST_WEIGHT], weight = weight, _total(measured.weights, count)
        if measured.weights is not None:
            self.outputs[BATCH_WEIGHT] = weight

    def _directions(
        self, xs: Sequence[Tensor], target: Tensor, measured: Measured
    ) -> Mapping[str, Tensor] | None:
        """What a learning rule follows, where the loss is one."""
        if not self.recipe.loss.is_rule:
            return None
        size = int(measured.costs.shape[0])
        weights = measured.cost_weights
        if weights is None:
            share = self.trace.constant(1 / size, measured.costs.type.dtype)
            shares = broadcast_to(share, (size,))
        else:
            shares = weights / weights.sum()
        found = self.recipe.loss.directions(self.recipe.net, xs, target, shares)
        return {path: d for path, d in found.items() if path in self.parameters}

    def penalties(self) -> list[Tensor]:
        """Compute what the parameters cost beside the examples; their sum is shown."""
        found = [penalty(self.parameters) for penalty in self.recipe.penalties]
        if found:
            total = reduce(operator.add, found)
            self.trace.builder.name(total.traced_value, PENALTY)
            self.outputs[PENALTY] = total
            self.finite.append(PENALTY)
        return found

    def gradients_of(
        self, costs: Sequence[Tensor], directions: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Append the gradients of the parameters.

        Parameters
        ----------
        costs : sequence of Tensor of shape ()
            Their sum is differentiated.
        directions : mapping of str to Tensor, optional
            What is known already, to which the gradients are added: what was accumulated, or
            what a learning rule says.
        """
        b = self.trace.builder
        cotangents = {}
        for path, direction in (directions or {}).items():
            cotangents[self.parameters[path].traced_value] = direction.traced_value
        for cost in costs:
            seed = b.apply("constant", value=1.0, dtype=cost.type.dtype)
            cotangents[cost.traced_value] = seed
        wrt = [symbol.traced_value for symbol in self.parameters.values()]
        reached = _reached(b.nodes, [value.position for value in cotangents])
        if not any(value.position in reached for value in wrt):
            raise TrainingError(
                "The loss does not depend on any parameter that trains",
                advice="Check that forward uses the layers, and that they are not all frozen",
            )
        found = append_gradients(b, cotangents, wrt)
        return dict(zip(self.parameters, map(self.trace.wrap, found), strict=True))

    def slope_of_finish(self, scalar: TensorType, weight: Tensor) -> Tensor:
        """The derivative of the loss by the mean cost of what was accumulated."""
        total = self.state_input(TOTAL_COST, scalar)
        self.set_next(TOTAL_COST, total * 0.0)
        mean = total / weight
        loss = self.recipe.loss.finish(mean)
        seed = self.trace.builder.constant(1.0, scalar.dtype)
        found = append_gradients(self.trace.builder, {loss.traced_value: seed}, [mean.traced_value])
        return self.trace.wrap(found[0])

    def update(self, parameters: dict[str, Tensor], gradients: dict[str, Tensor]) -> None:
        """Append the optimiser's update."""
        optimizer = self.recipe.optimizer
        types = {path: parameter.type for path, parameter in parameters.items()}
        slots = {
            name: self.state_input(name, TensorType(zeros.shape, DType.of(zeros.dtype)))
            for name, zeros in optimizer.initial_state(types).items()
        }
        lr = self.trace.input(TensorType((), DType.F64), "lr")
        updated, state = optimizer.apply(parameters, gradients, slots, self.step, lr)
        for path, value in updated.items():
            self.set_next(path, value)
            self.finite.append(NEXT + path)
        for name, value in state.items():
            self.set_next(name, value)
            self.finite.append(NEXT + name)
        self.set_next("step", self.step + 1)

    def finish(self, name: str) -> Step:
        """Build the graph; what the network captured from outside stays as it is."""
        captured = {}
        for tensor in self.trace.captures:
            if isinstance(tensor, Parameter) and tensor.requires_grad:
                raise TrainingError(
                    f"The network or the loss uses a parameter of type {tensor.type} that is not "
                    "the network's: it would never train",
                    advice="Assign it to an attribute of the network in __init__, or freeze it",
                )
            symbol = self.trace.wrap(self.trace.lift(tensor))
            label = self.trace.builder.nodes[symbol.traced_value.position].name or ""
            self.state[label] = self.next[label] = symbol
            captured[label] = tensor.numpy()
        b = self.trace.builder
        for key, value in self.next.items():
            if b.nodes[value.traced_value.position].name is None:
                b.name(value.traced_value, NEXT + key)
        b.aliases |= self._aliases()
        outputs = self.outputs | {NEXT + key: value for key, value in self.next.items()}
        graph = eliminate_dead_nodes(self.trace.build(name, outputs)).graph
        graph = drop_unused_inputs(graph, RANDOM)
        state = {key: NEXT + key for key in self.state if key in graph.input_names}
        rows = self.rows if self.rows in graph.input_names else None
        wiring = Wiring(state, tuple(self.data), rows, tuple(self.finite))
        return Step(verify(graph), wiring, captured, self.output)

    def _aliases(self) -> dict[str, str]:
        names = {node.name for node in self.trace.builder.nodes}
        aliases = textbook_aliases(self.recipe.net).items()
        return {alias: path for alias, path in aliases if path in names and alias not in names}


def drop_unused_inputs(graph: Graph, names: Collection[str]) -> Graph:
    """Drop those inputs among `names` that are at most handed on: nothing is random here."""
    used = {i for node in graph.nodes for i in node.inputs}
    unused = {i for i in graph.inputs if graph.name_of(i) in names and i not in used}
    moved: dict[int, int] = {}
    nodes: list[Node] = []
    for position, node in enumerate(graph.nodes):
        if position not in unused:
            moved[position] = len(nodes)
            nodes.append(move(node, moved))
    outputs = tuple(Output(o.label, moved[o.node]) for o in graph.outputs if o.node in moved)
    return Graph(graph.name, tuple(nodes), outputs, graph.aliases)


def _check_name(path: str, known: Collection[str]) -> None:
    other = ""
    if RESERVED.fullmatch(path):
        other = "a value of the training step"
    elif path.startswith("d_") and path[2:] in known:
        other = f"the gradient of {path[2:]}"
    if other:
        raise ConfigurationError(
            f"A parameter or buffer of the network is called {path}, as is {other}",
            advice="Rename the attribute",
        )


def trainable(net: Module) -> dict[str, Parameter]:
    """The parameters that are not frozen, by path; they may have no numbers yet."""
    return {path: p for path, p in net.named_parameters() if p.requires_grad}


def _total(weights: Tensor | None, count: Tensor) -> Tensor:
    return count if weights is None else weights.sum()


def _sum_of(values: Tensor, weights: Tensor | None) -> Tensor:
    """Σ wᵢ·vᵢ over the examples, whatever shape each one's vᵢ has."""
    if weights is None:
        return values.sum(axis=0)
    if values.ndim > 1:
        weights = weights.reshape(-1, *(1,) * (values.ndim - 1))
    return (weights * values).sum(axis=0)


def _reached(nodes: Sequence[Any], positions: Sequence[int]) -> set[int]:
    """Positions of the nodes that `positions` depend on."""
    reached = set(positions)
    for i in range(max(positions, default=-1), -1, -1):
        if i in reached:
            reached.update(nodes[i].inputs)
    return reached
