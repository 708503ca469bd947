"""Round numbers for an exercise: tenths, the same for ever from the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.base.random import random_bits, seed_words
from chainrule.explanation.exercises.setting import NONE, Setting
from chainrule.explanation.trace import Array
from chainrule.nn import LAYERS
from chainrule.nn.activations import Activation

_WEIGHTS = tuple(t for t in range(-9, 10) if abs(t) > 1)  # tenths
_BIASES = (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5)
_INPUTS = tuple(range(1, 16))
_MARGIN = 1  # tenths that a target stays inside of what the last layer can give


@dataclass(frozen=True, eq=False)
class Given:
    """The numbers that stand on a sheet.

    Parameters
    ----------
    x, y : array
        Inputs and targets, a row for each example.
    state : dict of str to array
        Weights and biases, by name.
    """

    x: Array
    y: Array
    state: dict[str, Array]


def draw(setting: Setting) -> Given:
    """The numbers of a setting.

    No two weights of a layer are equal where there are enough tenths: a network with equal units
    hides a transposed matrix.
    """
    source = _Source(setting.seed, setting.draw)
    state = {}
    position = 0
    layers = zip(setting.sizes, setting.sizes[1:], setting.activations, strict=False)
    for inputs, outputs, activation in layers:
        state[f"{position}.weight"] = source.tenths(_WEIGHTS, (outputs, inputs))
        state[f"{position}.bias"] = source.tenths(_BIASES, (outputs,))
        position += 1 if activation == NONE else 2
    x = source.tenths(_INPUTS, (setting.examples, setting.sizes[0]))
    return Given(x, _targets(setting, source), state)


class _Source:
    """Numbers of a seed, one after the other."""

    def __init__(self, seed: int, draw: int) -> None:
        self.seed, self.draw, self.row = seed_words(seed), draw, 0

    def tenths(self, choices: Sequence[int], shape: tuple[int, ...]) -> Array:
        """Some of the choices, each once as long as there are enough; in tenths."""
        return np.array(self.chosen(choices, int(np.prod(shape))), np.float64).reshape(shape) / 10

    def chosen(self, choices: Sequence[int], count: int) -> list[int]:
        """So many of the choices."""
        words = random_bits(self.seed, self.draw, "exercise", self.row, max(count, 1))
        self.row += 1
        found: list[int] = []
        left: list[int] = []
        for word in words[:count]:
            left = left or list(choices)
            found.append(left.pop(int(word) % len(left)))
        return found


def _targets(setting: Setting, source: _Source) -> Array:
    shape = (setting.examples, setting.sizes[-1])
    match setting.cost.targets:
        case "classes":
            return np.array(source.chosen(range(shape[1]), shape[0]), np.int64)
        case "zeros and ones":
            return source.tenths((0, 10), shape)
        case "signs":
            return source.tenths((-10, 10), shape)
    low, high = _range(setting.activations[-1])
    least, most = (int(max(low, -1) * 10) + _MARGIN, int(min(high, 1) * 10) - _MARGIN)
    return source.tenths(range(least, most + 1), shape)


def _range(activation: str) -> tuple[float, float]:
    """What the last layer can give."""
    if activation == NONE:
        return -np.inf, np.inf
    layer = LAYERS.get(activation)()
    low, high = layer.range if isinstance(layer, Activation) else (-np.inf, np.inf)
    return low, high if high > low else np.inf
