"""A graph as a picture: a box for each value, the modules around them, forward down, backward up.

What a box means is read off the graph alone. The *backward* pass is what gradients, the values
called ``d_<name>`` of another one, are made of and what is made of them on the way to others; what
only comes after gradients is an *update*. Edges of the backward pass run upwards, so that a
gradient stands beside the value that it is of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from chainrule.base.errors import NameNotFoundError, listed
from chainrule.drawing import Box, Chart, Cluster, Diagram, Edge, Line, draw_chart
from chainrule.graph.node import Graph, Node
from chainrule.graph.printer import format_attribute, format_node

FORWARD, BACKWARD, UPDATE = "forward", "backward", "update"
BANDS = {FORWARD: 0, BACKWARD: 1, UPDATE: 2}
NEXT = "next."


def draw_graph(
    graph: Graph,
    *,
    direction: str = "down",
    collapse: Collection[str] | None = None,
    values: Mapping[str, str] | None = None,
) -> Diagram:
    """Draw a graph; see `Graph.diagram`."""
    shown = {graph.find(name): text for name, text in (values or {}).items()}
    parts = parts_of(graph)
    modules = _modules(graph)
    homes = [_home(graph, i, modules) for i in range(len(graph.nodes))]
    updates = _updates(graph, parts)
    homes = [updates.get(i, home) for i, home in enumerate(homes)]
    clusters = [*modules.values(), *map(_update_cluster, dict.fromkeys(updates.values()))]
    closed = set(updates.values()) if collapse is None else set(collapse)
    if unknown := sorted(closed - {c.key for c in clusters}):
        raise NameNotFoundError.among(
            "module", unknown[0], [c.key for c in clusters], where=f"graph {graph.name}"
        )
    alone = _around_one(graph, homes, clusters) - closed
    parents = {c.key: c.parent for c in clusters}

    def frame(path: str | None) -> str | None:
        while path in alone:
            path = parents[path]
        return path

    chart = _Charting(graph, parts, [frame(home) for home in homes], shown)
    chart.write()
    framed = tuple(
        replace(c, parent=frame(c.parent), collapsed=c.key in closed)
        for c in clusters
        if c.key not in alone
    )
    return draw_chart(
        Chart(tuple(chart.boxes), tuple(dict.fromkeys(chart.edges)), framed),
        title=f"Graph {graph.name}",
        description=_description(graph, parts),
        # A page may show a graph both ways, and its ids once.
        prefix="modules" if collapse else "graph",
        direction=direction,
        rows=tuple(_rows(graph, parts, shown)),
    )


# --- what belongs to which part ---------------------------------------------------------------


def parts_of(graph: Graph) -> list[str]:
    """Say of each node whether it is ``forward``, ``backward`` or ``update``."""
    gradients = {i for i, node in enumerate(graph.nodes) if _is_gradient(graph, node)}
    primals = {
        graph.positions[name]
        for i in gradients
        if (name := (graph.nodes[i].name or "")[2:]) in graph.positions
    }
    before, leading_there = graph.ancestors(primals), graph.ancestors(gradients)
    shown = graph.ancestors({o.node for o in graph.outputs if not _is_next(graph, o.label)})
    after: set[int] = set(gradients)
    parts = []
    for i, node in enumerate(graph.nodes):
        if not after.isdisjoint(node.inputs):
            after.add(i)
        if i in before:
            parts.append(FORWARD)
        elif i in leading_there and node.op != "input":
            parts.append(BACKWARD)
        else:
            parts.append(UPDATE if i in after or i not in shown else FORWARD)
    return parts


def _is_next(graph: Graph, label: str) -> bool:
    """Whether a result is the new value of an input, such as ``next.0.weight``."""
    return label.startswith(NEXT) and label[len(NEXT) :] in graph.positions


def _is_gradient(graph: Graph, node: Node) -> bool:
    """Whether it is called after another value: ``d_loss``, ``d_1.out/d_0.out``."""
    if node.op == "input" or not (node.name or "").startswith("d_"):
        return False
    return all(part[2:] in graph.positions for part in (node.name or "").split("/"))


# --- modules ----------------------------------------------------------------------------------


def _modules(graph: Graph) -> dict[str, Cluster]:
    """A cluster for each module that computed something, and for those around it, by path."""
    found: dict[str, Cluster] = {}
    for node in graph.nodes:
        paths: list[str] = []
        scope = node.scope
        while scope and scope not in found:
            paths.append(scope)
            scope = scope_around(graph, scope)
        for path in reversed(paths):
            found[path] = Cluster(path, path, scope_around(graph, path) or None)
    return found


def scope_around(graph: Graph, scope: str) -> str:
    """The scope of the module around: of the k-th call, if that one was called k times, too."""
    path, _, call = scope.partition("#")
    outer = path.rpartition(".")[0]
    return f"{outer}#{call}" if call and f"{outer}.out#{call}" in graph.positions else outer


def _home(graph: Graph, position: int, modules: Collection[str]) -> str | None:
    """The module that a node is drawn in: the one that made it, or whose parameter it is."""
    node = graph.nodes[position]
    if node.op != "input":
        return node.scope or None
    path = (node.name or "").rpartition(".")[0]
    while path and path not in modules:
        path = path.rpartition(".")[0]
    return path or None


def _updates(graph: Graph, parts: list[str]) -> dict[int, str]:
    """The nodes that lead to the next value of one input alone, where they are several."""
    leads_to: list[set[str]] = [set() for _ in graph.nodes]
    for output in graph.outputs:
        # The optimiser's own state, 0.weight:exp_avg, belongs to what it is kept for.
        leads_to[output.node].add(output.label.removeprefix(NEXT).partition(":")[0])
    for i in range(len(graph.nodes) - 1, -1, -1):
        if parts[i] == UPDATE:
            for operand in graph.nodes[i].inputs:
                leads_to[operand] |= leads_to[i]
    groups: dict[str, list[int]] = {}
    for i, names in enumerate(leads_to):
        if parts[i] == UPDATE and len(names) == 1 and not is_literal(graph.nodes[i]):
            groups.setdefault(f"update {next(iter(names))}", []).append(i)
    large = {key: nodes for key, nodes in groups.items() if len(nodes) > _FEW}
    return {i: key for key, nodes in large.items() for i in nodes}


_FEW = 3


def _update_cluster(key: str) -> Cluster:
    return Cluster(key, key, look="collapsed-update")


def _around_one(graph: Graph, homes: list[str | None], clusters: list[Cluster]) -> set[str]:
    """Modules of one value: a frame around it would say nothing that its name does not."""
    inside: dict[str, int] = dict.fromkeys((cluster.key for cluster in clusters), 0)
    for home, node in zip(homes, graph.nodes, strict=True):
        if home is not None and not is_literal(node):
            inside[home] += 1
    for cluster in reversed(clusters):
        if cluster.parent is not None:
            inside[cluster.parent] += inside[cluster.key]
    return {key for key, count in inside.items() if count < 2}


# --- boxes and edges --------------------------------------------------------------------------


def is_literal(node: Node) -> bool:
    """Whether it is a number, or numbers, made of nothing: written beside whatever reads it."""
    return not node.inputs and node.op != "input" and node.name is None


def is_moved(graph: Graph, node: Node) -> bool:
    """Whether it is one operand's elements in another type: reshaped, repeated, converted."""
    if len(node.inputs) != 1 or node.name is not None:
        return False
    operand = graph.nodes[node.inputs[0]].type
    # As they print: from f32[1] to f32[B=1] is another type, too.
    return str(operand) != str(node.type) and node.type.size >= operand.size


@dataclass
class _Charting:
    """A graph on its way into boxes and edges."""

    graph: Graph
    parts: list[str]
    homes: list[str | None]
    values: Mapping[int, str]

    def __post_init__(self) -> None:
        self.boxes: list[Box] = []
        self.edges: list[Edge] = []
        self.literals: set[str] = set()

    def write(self) -> None:
        """Make a box of each node, and one of each literal for each node that reads it."""
        read: set[int] = {output.node for output in self.graph.outputs}
        for node in self.graph.nodes:
            read.update(node.inputs)
        for i, node in enumerate(self.graph.nodes):
            if is_literal(node):
                if i not in read or i in self.graph.labels.values():
                    self._box(i, self.graph.name_of(i), self.homes[i])
                continue
            self._box(i, self.graph.name_of(i), self.homes[i])
            for operand in node.inputs:
                self._edge(operand, i)

    def _box(self, i: int, key: str, home: str | None) -> None:
        node = self.graph.nodes[i]
        band = BANDS[self.parts[i]]
        about = format_node(self.graph, i)
        name = self.graph.name_of(i)
        lines = self._lines(i)
        if i in self.values:
            lines = (*lines, Line(self.values[i], "value"))
        self.boxes.append(Box(key, lines, self._look(i, node), home, name, about, band))

    def _lines(self, i: int) -> tuple[Line, ...]:
        node = self.graph.nodes[i]
        if is_literal(node):
            value = node.attributes.get("value")
            text = f"{value:.6g}" if isinstance(value, float) else format_attribute(value)
            return (Line(node.op if value is None else text, "small"),)
        if is_moved(self.graph, node):
            return (Line(f"{node.op} {node.type}", "small"),)
        if node.op == "input":
            return (Line(node.name or ""), Line(str(node.type), "small"))
        if node.name is None:
            return (Line(node.op), Line(f"%{i} {node.type}", "small"))
        return (Line(node.name), Line(f"{node.op} {node.type}", "small"))

    def _look(self, i: int, node: Node) -> str:
        if node.op == "input":
            return "parameter" if self.homes[i] is not None else "input"
        if is_literal(node):
            return "literal"
        if is_moved(self.graph, node):
            return "moved-back" if self.parts[i] == BACKWARD else "moved"
        return self.parts[i]

    def _edge(self, operand: int, i: int) -> None:
        parts, reader = self.parts, self.graph.name_of(i)
        source = self.graph.name_of(operand)
        node = self.graph.nodes[operand]
        look = parts[i]
        if is_literal(node):
            source = f"{source}→{reader}"
            if source not in self.literals:
                self.literals.add(source)
                self._box(operand, source, self.homes[i])
            look = "faint"
        elif self._look(operand, node) == "parameter" and parts[i] == FORWARD:
            look = "parameter"
        back = parts[i] == parts[operand] == BACKWARD and not is_literal(node)
        self.edges.append(Edge(source, reader, look, back))


# --- words ------------------------------------------------------------------------------------


def _description(graph: Graph, parts: list[str]) -> str:
    counts = Counter(
        part for part, node in zip(parts, graph.nodes, strict=True) if node.op != "input"
    )
    counted = ", ".join(f"{count} {part}" for part, count in counts.items())
    reads = listed(list(graph.input_names)) or "none"
    gives = listed([output.label for output in graph.outputs]) or "none"
    return f"Values: {counted or 'none'}. Inputs: {reads}. Results: {gives}."


def _rows(graph: Graph, parts: list[str], values: Mapping[int, str]) -> Iterator[dict[str, str]]:
    for i, node in enumerate(graph.nodes):
        yield {
            "name": graph.name_of(i),
            "op": node.op,
            "type": str(node.type),
            "made of": ", ".join(map(graph.name_of, node.inputs)),
            "part": parts[i],
            "value": values.get(i, ""),
        }
