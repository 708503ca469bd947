"""A network as a picture: neurons and weights of a plain chain, modules of anything else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.base.errors import NameNotFoundError
from chainrule.drawing import Column, Diagram, Neuron, Weight, draw_neurons
from chainrule.eager.tensor import Array
from chainrule.nn.activations import Activation, ElementwiseActivation
from chainrule.nn.containers import Sequential
from chainrule.nn.layers import Linear
from chainrule.nn.module import Module
from chainrule.nn.naming import join
from chainrule.nn.parameter import Parameter

ALL_DRAWN, FIRST_DRAWN, LAYERS_AT_MOST = 12, 5, 12
CURVE_FROM, CURVE_TO, CURVE_POINTS = -4.0, 4.0, 33


def draw_network(
    net: Module, x: Any = None, *, direction: str | None = None, values: Mapping[str, str] | None
) -> Diagram:
    """Draw a network; see `Module.diagram`."""
    layers = chain_of(net)
    if x is None and layers:
        return _draw_chain(layers, direction or "right", values or {})
    from chainrule.nn.flow import draw_modules

    return draw_modules(net, x, direction=direction or "down", values=values or {})


@dataclass(frozen=True)
class Layer:
    """A linear layer of a chain, with the activation behind it.

    Parameters
    ----------
    path : str
    linear : Linear
    activation_path : str
        Where there is no activation, the path of the linear layer.
    activation : Activation or None
    """

    path: str
    linear: Linear
    activation_path: str
    activation: Activation | None

    @property
    def output(self) -> str:
        """The name of the layer's values."""
        return join(self.activation_path, "out")


def chain_of(net: Module) -> list[Layer]:
    """The layers of a `Linear`, or of a short `Sequential` of them and activations; else none."""
    modules = list(_members(net))
    layers: list[Layer] = []
    for path, module in modules:
        if isinstance(module, Linear) and _is_just(module, Linear):
            layers.append(Layer(path, module, path, None))
        elif isinstance(module, Activation) and layers and layers[-1].activation is None:
            layers[-1] = Layer(layers[-1].path, layers[-1].linear, path, module)
        else:
            return []
    parts = [module for _, module in modules]
    is_shared = len(set(map(id, parts))) < len(parts)
    return [] if is_shared or len(layers) > LAYERS_AT_MOST else layers


def _members(net: Module) -> Iterator[tuple[str, Module]]:
    return net.named_children() if _is_just(net, Sequential) else iter([("", net)])


def _is_just(module: Module, kind: type[Module]) -> bool:
    """Whether it is a module of this class: one that derives from it may compute anything."""
    return type(module) is kind


def _draw_chain(layers: Sequence[Layer], direction: str, values: Mapping[str, str]) -> Diagram:
    sizes = [layers[0].linear.in_features, *(layer.linear.out_features for layer in layers)]
    names = ["x", *(layer.output for layer in layers)]
    drawn = [_drawn(size) for size in sizes]
    _check_values(values, layers, names, sizes)
    columns = [
        Column(
            _heading(None if i == 0 else layers[i - 1], sizes[i]),
            tuple(
                Neuron(
                    names[i], k, f"x{_subscript(k)}" if i == 0 else "", _text(names[i], k, values)
                )
                for k in drawn[i]
            ),
            left_out=sizes[i] - len(drawn[i]),
            is_entry=i == 0,
            curve=() if i == 0 else _curve(layers[i - 1].activation),
        )
        for i in range(len(sizes))
    ]
    weights = [list(_weights(layer, drawn[i], drawn[i + 1])) for i, layer in enumerate(layers)]
    count = sum(math.prod(p.shape) for layer in layers for p in layer.linear.parameters())
    shape = " → ".join(map(str, sizes))
    described = ", ".join(
        type(m).__name__ for layer in layers for m in (layer.linear, layer.activation) if m
    )
    return draw_neurons(
        columns,
        weights,
        title=f"Network {shape}",
        description=f"{described}. {count} parameters. A line is a weight: solid blue is positive, "
        "dashed orange negative, and the wider the larger.",
        prefix="net",
        direction=direction,
        values=values,
        rows=tuple(_rows(layers, names, drawn, sizes, values)),
    )


def _drawn(size: int) -> list[int]:
    """Which neurons of a layer are drawn: all, or the first ones and the last."""
    return list(range(size)) if size <= ALL_DRAWN else [*range(FIRST_DRAWN), size - 1]


def _heading(layer: Layer | None, size: int) -> tuple[str, ...]:
    if layer is None:
        return (str(size), "inputs" if size > 1 else "input")
    shown = [_called(layer.path, layer.linear)]
    if layer.activation is not None:
        shown.append(_called(layer.activation_path, layer.activation))
    return (str(size), *shown)


def _called(path: str, module: Module) -> str:
    return f"{path} {type(module).__name__}".strip()


def _subscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _text(name: str, index: int, values: Mapping[str, str]) -> str:
    return values.get(f"{name}[{index}]", "")


def _curve(activation: Activation | None) -> tuple[tuple[float, float], ...]:
    """What an activation does, drawn from what it computes; a straight line without one."""
    x = np.linspace(CURVE_FROM, CURVE_TO, CURVE_POINTS, dtype=np.float64)
    if activation is None:
        y = x
    elif isinstance(activation, ElementwiseActivation):
        y = activation.forward(_tensor(x)).numpy()
    else:
        return ()  # what becomes of one element depends on the others
    largest = float(np.abs(y).max(initial=0.0)) or 1.0
    if not math.isfinite(largest):
        return ()
    return tuple(zip((x / CURVE_TO).tolist(), (y / largest).tolist(), strict=True))


def _tensor(x: Array) -> Any:
    from chainrule.eager import Tensor

    return Tensor(x)


def _weights(layer: Layer, sources: Sequence[int], targets: Sequence[int]) -> Iterator[Weight]:
    weight, bias = _numbers(layer.linear.weight), _numbers(layer.linear.bias)
    name = join(layer.path, "weight")
    for t, j in enumerate(targets):
        for s, i in enumerate(sources):
            value = None if weight is None else float(weight[j, i])
            yield Weight(name, (j, i), s, t, value)
        if layer.linear.bias is not None:
            value = None if bias is None else float(bias[j])
            yield Weight(join(layer.path, "bias"), (j,), None, t, value)


def _numbers(parameter: Parameter | None) -> Array | None:
    """A parameter's numbers. A picture draws none: later training would begin elsewhere."""
    return parameter.numpy() if parameter is not None and parameter.is_drawn else None


def _check_values(
    values: Mapping[str, str], layers: Sequence[Layer], names: Sequence[str], sizes: Sequence[int]
) -> None:
    shapes: dict[str, tuple[int, ...]] = {n: (s,) for n, s in zip(names, sizes, strict=True)}
    for layer in layers:
        shapes |= {join(layer.path, n): p.shape for n, p in layer.linear.named_parameters()}
    for element in values:
        name, _, index = element.removesuffix("]").partition("[")
        places = [int(k) for k in index.split(", ") if k.isdecimal()]
        fits = len(places) == len(shapes.get(name, ())) and name in shapes
        if not fits or any(k >= n for k, n in zip(places, shapes[name], strict=True)):
            known = [f"{n}[{', '.join('0' * len(shape))}]" for n, shape in shapes.items()]
            raise NameNotFoundError.among("element of this network", element, known)


def _rows(
    layers: Sequence[Layer],
    names: Sequence[str],
    drawn: Sequence[Sequence[int]],
    sizes: Sequence[int],
    values: Mapping[str, str],
) -> Iterator[dict[str, str]]:
    is_whole = all(len(d) == size for d, size in zip(drawn, sizes, strict=True))
    for i, layer in enumerate(layers):
        if not is_whole:
            for name, p in layer.linear.named_parameters():
                shown = " × ".join(map(str, p.shape))
                yield _row(join(layer.path, name), names[i], join(layer.path, "out"), shown)
            continue
        for w in _weights(layer, drawn[i], drawn[i + 1]):
            number = "not drawn yet" if w.value is None else f"{w.value:.6g}"
            source = "1" if w.source is None else f"{names[i]}[{drawn[i][w.source]}]"
            target = f"{join(layer.path, 'out')}[{drawn[i + 1][w.target]}]"
            yield _row(w.element, source, target, values.get(w.element, number))


def _row(name: str, source: str, target: str, value: str) -> dict[str, str]:
    return {"name": name, "from": source, "to": target, "value": value}
