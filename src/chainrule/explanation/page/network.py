"""The network of a step as columns of neurons, where it is a plain chain of weighted sums."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.drawing import Column, Diagram, Neuron, Weight, draw_neurons
from chainrule.explanation.captions import is_weighted_sum
from chainrule.explanation.symbols import symbol_of
from chainrule.explanation.trace import Place, Trace
from chainrule.ops import OPS, Elementwise

ALL_DRAWN, FIRST_DRAWN, LAYERS_AT_MOST, LABEL_AT_MOST = 12, 5, 12, 5


@dataclass(frozen=True)
class Layer:
    """A weighted sum of the chain.

    Parameters
    ----------
    source : int
        Where its operand is in the graph.
    weight, bias : int or None
    output : int
        What the next layer reads, behind the activation.
    """

    source: int
    weight: int
    bias: int | None
    output: int


def network_of(trace: Trace) -> Diagram | None:
    """Draw the network of a step; None if it is no plain chain.

    Parameters
    ----------
    trace : Trace
        With composites opened.
    """
    layers = chain_of(trace)
    if not layers:
        return None
    values = [layers[0].source, *(layer.output for layer in layers)]
    sizes = [int(trace.graph.nodes[i].shape[1]) for i in values]
    drawn = [_drawn(size) for size in sizes]
    columns = [
        Column(
            (str(size), _heading(trace, position)),
            tuple(
                Neuron(trace.graph.name_of(position), k, *_texts(trace, position, k)) for k in ks
            ),
            left_out=size - len(ks),
            is_entry=position == values[0],
        )
        for position, size, ks in zip(values, sizes, drawn, strict=True)
    ]
    fans = [_weights(trace, layer, *drawn[i : i + 2]) for i, layer in enumerate(layers)]
    shape = " → ".join(map(str, sizes))
    return draw_neurons(
        columns,
        fans,
        title=f"Network {shape}",
        description="A circle is a neuron, a line a weight: solid blue is positive, dashed orange "
        "negative, and the wider the larger. The table below holds the same.",
        prefix="net",
        values=_labels(trace, [weight for fan in fans for weight in fan]),
    )


def chain_of(trace: Trace) -> list[Layer]:
    """The layers of a network in which each weighted sum reads what the last one gave."""
    graph = trace.graph
    loss = graph.labels.get("loss", len(graph.nodes))
    sums = [
        i
        for i, node in enumerate(graph.nodes[:loss])
        if node.name is not None and is_weighted_sum(trace, node)
    ]
    found = []
    for position in sums:
        node = graph.nodes[position]
        products = [i for i in (position, *node.inputs) if graph.nodes[i].op == "contract"]
        if len(products) != 1 or len(node.shape) != 2:
            return []
        product = graph.nodes[products[0]]
        if product.attributes.get("over") != (1, 1):
            return []
        source, weight = product.inputs
        biases = [i for i in node.inputs if i != products[0] and node.op == "add"]
        found.append((source, weight, biases[0] if biases else None, position))
    output = graph.positions.get("out", found[-1][3] if found else 0)
    outputs = [*(source for source, *_ in found[1:]), output]
    layers = [
        Layer(source, weight, bias, output)
        for (source, weight, bias, _), output in zip(found, outputs, strict=True)
    ]
    return layers if len(layers) <= LAYERS_AT_MOST and _is_plain(trace, layers) else []


def drawn_in(trace: Trace) -> Iterator[tuple[tuple[int, int], bool]]:
    """The weights and neurons in the picture, as node and offset, and whether it begins with them.

    It begins with the neurons of the first example; a reader may choose any other.
    """
    layers = chain_of(trace)
    for layer in layers:
        (rows, columns) = map(int, trace.graph.nodes[layer.weight].shape)
        targets, sources = _drawn(rows), _drawn(columns)
        yield from (((layer.weight, j * columns + i), True) for j in targets for i in sources)
        if layer.bias is not None and np.ndim(trace.values[layer.bias]) == 1:
            yield from (((layer.bias, j), True) for j in targets)
    for position in [layers[0].source, *(layer.output for layer in layers)] if layers else []:
        examples, size = map(int, trace.graph.nodes[position].shape)
        for b in range(examples):
            yield from (((position, b * size + k), b == 0) for k in _drawn(size))


def _is_plain(trace: Trace, layers: Sequence[Layer]) -> bool:
    nodes = trace.graph.nodes
    if len({layer.source for layer in layers}) < len(layers):
        return False  # two layers read one value: the network branches
    for layer in layers:
        rows, columns = nodes[layer.weight].shape
        source, output = nodes[layer.source], nodes[layer.output]
        if len(source.shape) != 2 or len(output.shape) != 2 or nodes[layer.weight].op != "input":
            return False
        if (source.shape[1], output.shape[1]) != (columns, rows) or output.name is None:
            return False
    return True


def _drawn(size: int) -> list[int]:
    """Which neurons of a layer are drawn: all, or the first ones and the last."""
    return list(range(size)) if size <= ALL_DRAWN else [*range(FIRST_DRAWN), size - 1]


def _heading(trace: Trace, position: int) -> str:
    node = trace.graph.nodes[position]
    if node.op == "input":
        return "in"
    declaration = OPS.get(node.op)
    is_function = isinstance(declaration, Elementwise) and not declaration.is_primitive
    return f"{node.scope} {node.op if is_function else ''}".strip()


def _texts(trace: Trace, position: int, k: int) -> tuple[str, str]:
    """What is written in a neuron, and its value below it, of the first example."""
    place = Place(position, (0, k))
    names = [name for name, parts in trace.names.items() if trace.find(parts[0]) == place]
    label = min((str(symbol_of(trace, place)), *names), key=len)
    return label if len(
        label
    ) <= LABEL_AT_MOST else "", f"{float(trace.values[position][0, k]):.4g}".replace("-", "−")


def _weights(
    trace: Trace, layer: Layer, sources: Sequence[int], targets: Sequence[int]
) -> list[Weight]:
    name = trace.graph.name_of
    found = []
    for t, j in enumerate(targets):
        for s, i in enumerate(sources):
            value = float(trace.values[layer.weight][j, i])
            found.append(Weight(name(layer.weight), (j, i), s, t, value))
        if layer.bias is not None and np.ndim(trace.values[layer.bias]) == 1:
            value = float(trace.values[layer.bias][j])
            found.append(Weight(name(layer.bias), (j,), None, t, value))
    return found


def _labels(trace: Trace, weights: Sequence[Weight]) -> dict[str, str]:
    """The names that single weights have, with their values."""
    found = {}
    for weight in weights:
        place = Place(trace.graph.find(weight.name), weight.index)
        own = trace.names_of_places.get(place)
        if own is not None and weight.value is not None and math.isfinite(weight.value):
            found[weight.element] = f"{own} {weight.value:.3g}".replace("-", "−")
    return found
