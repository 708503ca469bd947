"""Whether a network can give its targets at all."""

from __future__ import annotations

import math
from collections.abc import Iterator
from inspect import getattr_static

import numpy as np

from chainrule.base.errors import ConfigurationError, TargetError
from chainrule.eager.tensor import Array
from chainrule.nn.activations import Activation
from chainrule.nn.containers import Sequential
from chainrule.nn.dropout import Dropout
from chainrule.nn.layers import Flatten
from chainrule.nn.losses import Loss
from chainrule.nn.losses.loss import READABLE
from chainrule.nn.module import LAYERS, Module


def check_reachable(net: Module, loss: Loss, target: Array) -> None:
    """Raise if targets lie outside of what the last layer can give, or that is not what is read.

    Parameters
    ----------
    net : Module
        A `Sequential` or an activation; of other networks the last layer is not known.
    loss : Loss
        Only one that is least where output and target are equal asks for this.
    target : array of shape (N, ...)

    Raises
    ------
    TargetError
        If targets lie outside of what the last layer can give.
    ConfigurationError
        If the loss reads logarithms and the layer gives probabilities, and the like.

    Notes
    -----
    The labels -1 and +1 under a sigmoid are the usual case: the cost has a floor that no weights
    reach, so training seems to stall.
    """
    last = last_activation(net)
    if last is None:
        return
    _check_readable(last, loss)
    if not loss.measures_distance or not target.size:
        return
    # The ends as the targets are rounded: those of an f32 network are a little outside.
    low, high = (float(end) for end in np.asarray(last.range, target.dtype))
    least, largest = float(target.min()), float(target.max())
    if low <= least and largest <= high:
        return
    name = type(last).__name__
    raise TargetError(
        f"The targets go from {least:g} to {largest:g}, but the last layer is {name}, whose "
        f"outputs lie in {_interval(low, high)}",
        advice=_advice(last, least, largest),
    )


def _check_readable(last: Activation, loss: Loss) -> None:
    """Raise ConfigurationError unless what the layer gives can be what the loss reads."""
    if loss.outputs not in READABLE:
        return
    low, high = READABLE[loss.outputs]
    least, largest = last.range
    if low <= least and largest <= high:
        return
    fitting = [n for n, (a, b) in _ranges() if (a, b) == (low, high)]
    raise ConfigurationError(
        f"{type(loss).__name__} reads {loss.outputs}, but the last layer is {type(last).__name__}, "
        f"whose outputs lie in {_interval(least, largest)}",
        advice=f"Use {' or '.join(fitting)} as the last layer, or another loss",
    )


def last_activation(net: Module) -> Activation | None:
    """The activation that gives the network's outputs, if that can be said."""
    while isinstance(net, Sequential):
        modules = [m for m in net if not isinstance(m, Flatten | Dropout)]
        if not modules:
            return None
        net = modules[-1]
    return net if isinstance(net, Activation) else None


def _advice(last: Activation, least: float, largest: float) -> str:
    low, high = last.range
    if (low, high, least, largest) == (0, 1, -1, 1):
        return "Map the labels with (y + 1) / 2, or use Tanh"
    # Targets that fill less than half of an interval have no use for its bounds.
    wide = 2 * (largest - least)
    fitting = [n for n, (a, b) in _bounded() if a <= least and largest <= b and wide >= b - a]
    instead = f"{fitting[0]} as the last layer" if fitting else "no last activation"
    return f"Scale the targets into {_interval(low, high)}, or use {instead}"


def _bounded() -> Iterator[tuple[str, tuple[float, float]]]:
    """The activations that lie between two numbers, whatever their arguments."""
    return ((name, ends) for name, ends in _ranges() if math.isfinite(sum(ends)))


def _ranges() -> Iterator[tuple[str, tuple[float, float]]]:
    """The activations whose outputs lie in one interval, whatever their arguments."""
    for name, layer in LAYERS.items():
        ends = getattr_static(layer, "range", None)  # of the others it is a property
        if issubclass(layer, Activation) and isinstance(ends, tuple):
            yield name, ends


def _interval(low: float, high: float) -> str:
    left = "(-∞" if math.isinf(low) else f"[{low:g}"
    right = "∞)" if math.isinf(high) else f"{high:g}]"
    return f"{left}, {right}"
