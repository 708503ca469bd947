"""How values flow between the modules of a network: read off what it computes, not off its class.

The network is traced once; each module that contains no other becomes a box, whatever it computes,
and what containers do themselves, such as the sum of a residual connection, a small one.
"""

from __future__ import annotations

import copy
import functools
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.base.errors import ChainruleError, ConfigurationError, NameNotFoundError
from chainrule.drawing import Box, Chart, Cluster, Diagram, Edge, Line, draw_chart
from chainrule.eager import Tensor, apply
from chainrule.eager.traced import keep_outputs, trace_function
from chainrule.eager.trees import is_array, is_number, leaves
from chainrule.graph import Axis, Graph, Node, TensorType
from chainrule.graph.diagram import is_literal, is_moved, scope_around
from chainrule.nn.calling import as_tensors, float_type
from chainrule.nn.folding import folded
from chainrule.nn.initializers import zeros
from chainrule.nn.mode import evaluation
from chainrule.nn.module import Module
from chainrule.nn.naming import join
from chainrule.nn.parameter import Variable

BATCH = "B"
GUESSES = 6


def draw_modules(net: Module, x: Any, *, direction: str, values: Mapping[str, str]) -> Diagram:
    """Draw the modules of a network and what flows between them; see `Module.diagram`."""
    graph, outputs = _traced(net, _marked(_twin(net)), x)
    flow = _Flow(net, graph, outputs)
    flow.follow()
    for name in values:
        if name not in flow.names:
            raise NameNotFoundError.among("value of this diagram", name, flow.names)
    count = sum(math.prod(p.shape) for p in net.parameters())
    modules = sum(1 for part in flow.parts.values() if part.module is not None)
    chart = Chart(tuple(flow.boxes(values)), tuple(flow.edges), tuple(flow.clusters.values()))
    return draw_chart(
        folded(chart, flow.lines_between),
        title=type(net).__name__,
        description=f"{modules} modules, {count:,} parameters. An arrow is what one gives another.",
        prefix="net",
        direction=direction,
        rows=tuple(part.row(name) for name, part in flow.parts.items()),
    )


# --- tracing ----------------------------------------------------------------------------------


def forward_graph(net: Module, x: Any = None) -> Graph:
    """Trace what a network computes, without drawing or changing anything of it.

    Parameters
    ----------
    net : Module
    x : array_like, or tuple of several inputs, optional
        An example of the input; by default one like what the layers seem to read.

    Raises
    ------
    ConfigurationError
        If there is none and it cannot be guessed.
    """
    return _traced(net, _twin(net), x)[0]


def _traced(net: Module, twin: Module, x: Any) -> tuple[Graph, list[str]]:
    """The graph that a copy of the network computes on an example, or on one like it.

    And the paths of its outputs in what it returns: ``mean`` of a dict, ``0.1`` of nested tuples.
    """
    if x is not None:
        inputs = x if isinstance(x, tuple) else (x,)
        # In the network's dtype, as a call converts them: the picture begins behind that.
        return _trace(twin, tuple(as_tensors(part, float_type(net)) for part in inputs))
    cause: Exception | None = None
    for guess in _guesses(net):
        try:
            return _trace(twin, (guess,))
        except ConfigurationError:
            raise  # another input would not help
        except (ChainruleError, TypeError, ValueError, LookupError) as error:
            cause = cause or error
    reason = f": {str(cause).partition('. ')[0]}" if cause else ""
    raise ConfigurationError(
        f"What {type(net).__name__} reads cannot be seen from its layers{reason}",
        advice="Pass an example of its input: net.diagram(x[:1]), or a tuple of several inputs",
    ) from cause


def _twin(net: Module) -> Module:
    """A copy that shares the numbers there are, and has zeros where none are drawn yet."""
    numbers = (v.numpy() for _, v in net.named_variables() if v.is_drawn)
    twin = copy.deepcopy(net, {id(array): array for array in numbers})
    for _, variable in twin.named_variables():
        if not variable.is_drawn:
            variable.initializer = zeros()
    return twin


def _marked(twin: Module) -> Module:
    """The same module, each of whose parts leaves a trace.

    A module that returns what it was given, such as dropout outside of training, computes nothing;
    here it passes its input on as a value of its own.
    """
    for _, module in list(twin.named_modules()):
        if not any(module.named_children()):
            vars(module)["forward"] = _leaving_a_trace(module.forward)
    return twin


def _leaving_a_trace(forward: Any) -> Any:
    @functools.wraps(forward)  # its arguments name the inputs
    def marked(*inputs: Any, **options: Any) -> Any:
        result = forward(*inputs, **options)
        if any(result is given for given in inputs) and isinstance(result, Tensor):
            return apply("reshape", result, shape=result.shape)
        return result

    return marked


def _trace(twin: Module, inputs: tuple[Any, ...]) -> tuple[Graph, list[str]]:
    axes = {
        i: Axis(BATCH, int(array.shape[0]))
        for i, given in enumerate(inputs)
        for _, array in leaves(given, "", open_modules=False)
        if is_array(array) and array.shape
    }
    with evaluation():
        traced = trace_function(twin, inputs, {}, examples=axes)
    every = leaves(traced.result, open_modules=False)
    outputs = [path for path, leaf in every if is_array(leaf) or is_number(leaf)]
    return keep_outputs(traced.graph, traced.results), outputs


def _guesses(net: Module) -> Iterator[Any]:
    """Inputs that the network may read: one example, as wide as its first parameters are."""
    if any(module.reads_integers for _, module in net.named_modules()):
        yield Tensor(np.zeros((1, 1), np.int64))
    widths = dict.fromkeys(
        int(parameter.shape[-1]) for parameter in net.parameters() if parameter.shape
    )
    for width in list(widths)[:GUESSES] or [1]:
        yield as_tensors(np.zeros((1, width), np.float32), float_type(net))


# --- from values to modules -------------------------------------------------------------------


@dataclass
class _Part:
    """What becomes a box.

    Parameters
    ----------
    kind : str
        What it is called: the class of the module, the op, or the input.
    look : str
    path : str
        Where it is in the network.
    cluster : str or None
    module : Module or None
    parameters : str
    reads, gives : dict
        Types of the values that come in and go out.
    """

    kind: str
    look: str
    path: str = ""
    cluster: str | None = None
    module: Module | None = None
    parameters: str = ""
    reads: dict[int, TensorType] = field(default_factory=dict)
    gives: dict[int, TensorType] = field(default_factory=dict)

    def row(self, name: str) -> dict[str, str]:
        """The row of a table."""
        return {
            "name": name,
            "layer": self.kind,
            "path": self.path,
            "input": _types(self.reads),
            "output": _types(self.gives),
            "parameters": self.parameters,
        }

    def lines(self) -> tuple[Line, ...]:
        """What is written in the box."""
        if self.look == "moved":
            return (Line(self.kind, "small"),)
        reads, gives = _types(self.reads), _types(self.gives)
        shapes = f"{reads} → {gives}" if reads and gives and reads != gives else gives or reads
        small = [self.path, shapes, self.parameters]
        return (Line(self.kind), *(Line(text, "small") for text in small if text))


def _types(types: Mapping[int, TensorType]) -> str:
    return ", ".join(dict.fromkeys(map(_shape, types.values())))


def _shape(kind: TensorType) -> str:
    """A shape with ``B`` for the examples, however many there are."""
    sizes = (a.name if isinstance(a, Axis) and a.each == 1 else str(a) for a in kind.shape)
    return f"[{','.join(sizes)}]"


class _Flow:
    """A traced network on its way into boxes, clusters and edges."""

    def __init__(self, net: Module, graph: Graph, outputs: Sequence[str]) -> None:
        self.net, self.graph, self.outputs = net, graph, outputs
        self.modules = dict(net.modules_by_every_path())
        self.variables = {path for path, _ in net.variables_by_every_path()}
        self.paths: dict[int, list[str]] = defaultdict(list)
        for path, module in self.modules.items():
            self.paths[id(module)].append(path)
        self.parts: dict[str, _Part] = {}
        self.clusters: dict[str, Cluster] = {}
        self.edges: dict[Edge, None] = {}
        self.part_of: list[str | None] = []
        self._counted: set[Variable] = set()

    @property
    def names(self) -> list[str]:
        """What values can be given for."""
        return list(self.parts)

    def follow(self) -> None:
        """Go through the graph once, in its order."""
        for i, node in enumerate(self.graph.nodes):
            key = self._part(i, node)
            self.part_of.append(key)
            if key is None:
                continue
            for operand in node.inputs:
                source = self.part_of[operand]
                if source is not None and source != key:
                    self._connect(source, key, operand)
        for path, output in zip(self.outputs, self.graph.outputs, strict=True):
            gives = self.part_of[output.node]
            if gives is not None:
                # A name that no module and no input has.
                key = f"→{output.label}"
                kind = f"output {path}".rstrip()
                self.parts[key] = _Part(kind, "input")
                self._connect(gives, key, output.node)

    def _connect(self, source: str, key: str, value: int) -> None:
        kind = self.graph.nodes[value].type
        self.parts[source].gives[value] = self.parts[key].reads[value] = kind
        self.edges[Edge(source, key, "forward")] = None

    def _part(self, i: int, node: Node) -> str | None:
        """The part that a node belongs to; what only passes numbers on belongs to its operand's."""
        if node.op == "input":
            return self._input(node)
        path = node.scope.partition("#")[0]
        module = self.modules.get(path)
        if module is None or not any(module.named_children()):
            return self._leaf(node.scope, path, module)
        if is_literal(node):
            return None
        if is_moved(self.graph, node):
            return self.part_of[node.inputs[0]]
        name = self.graph.name_of(i)
        self.parts[name] = _Part(node.op, "moved", cluster=self._cluster(node.scope))
        return name

    def _input(self, node: Node) -> str | None:
        if node.name in self.variables:
            return None  # drawn as a number of parameters
        name = node.name or ""
        self.parts[name] = _Part(name, "input")
        return name

    def _leaf(self, scope: str, path: str, module: Module | None) -> str:
        _, _, call = scope.partition("#")
        name = join(path, "out") + (f"#{call}" if call else "")
        if name not in self.parts:
            kind = type(module).__name__ if module is not None else path.rpartition(".")[2]
            counted = self._parameters(module, again=bool(call))
            shown, around = path, scope_around(self.graph, scope)
            paths = self.paths.get(id(module), [path])
            if call and int(call) <= len(paths):
                # A shared module is called at each of its places in turn.
                place = paths[int(call) - 1]
                shown, around = f"{place} = {path}", place.rpartition(".")[0]
            elif call:
                shown = f"{path}, call {call}"
            look = "forward" if counted else "plain"
            self.parts[name] = _Part(kind, look, shown, self._cluster(around), module, counted)
        return name

    def _parameters(self, module: Module | None, *, again: bool) -> str:
        variables = list(module.parameters()) if module is not None else []
        if not variables:
            return ""
        new = [p for p in variables if p not in self._counted]
        self._counted.update(variables)
        count = sum(math.prod(p.shape) for p in new)
        shared = sum(math.prod(p.shape) for p in variables) - count
        if again or not new:
            return f"the same {shared:,} parameters" if shared > 1 else "the same parameter"
        words = f"{count:,} parameter{'s' if count != 1 else ''}"
        return f"{words}, {shared:,} shared" if shared else words

    def _cluster(self, scope: str) -> str | None:
        """The cluster of a container's call, and those around it."""
        paths = []
        while scope and scope not in self.clusters:
            paths.append(scope)
            scope = scope_around(self.graph, scope)
        for path in reversed(paths):
            module = self.modules.get(path.partition("#")[0])
            kind = type(module).__name__ if module is not None else ""
            parent = scope_around(self.graph, path) or None
            self.clusters[path] = Cluster(path, f"{path} {kind}".strip(), parent)
        return (paths[0] if paths else scope) or None

    def lines_between(self, names: Sequence[str]) -> tuple[Line, ...]:
        """What is written where the parts of these names are left out."""
        modules = [m for name in names if (m := self.parts[name].module) is not None]
        parameters = {parameter for module in modules for parameter in module.parameters()}
        count = sum(math.prod(parameter.shape) for parameter in parameters)
        paths = [part.path for name in names if (part := self.parts[name]).module is not None]
        lines = [f"{len(names)} more", f"{paths[0]} … {paths[-1]}" if paths else ""]
        lines += [f"{count:,} parameters"] if count else []
        return (Line("⋮"), *(Line(text, "small") for text in lines if text))

    def boxes(self, values: Mapping[str, str]) -> Iterator[Box]:
        """The boxes, with texts below."""
        for name, part in self.parts.items():
            lines = part.lines()
            if name in values:
                lines = (*lines, Line(values[name], "value"))
            about = repr(part.module) if part.module is not None else part.kind
            yield Box(name, lines, part.look, part.cluster, name, about)
