"""Networks with round numbers on which a function is tried, the smallest first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.base.random import random_bits, seed_words
from chainrule.explanation.trace import Array
from chainrule.nn import Linear, Module, Sequential

MakeActivation = Callable[[], Module]

_WIDTHS = (
    (1, 1), (2, 1), (1, 2), (1, 1, 1), (2, 2), (2, 3, 1), (2, 2, 2), (3, 2, 3), (1, 2, 2, 1),
    (2, 3, 3, 2), (3, 5, 4), (4, 6, 5, 3),
)  # fmt: skip
_EXAMPLES = (1, 2, 5)


@dataclass(frozen=True, eq=False)
class Case:
    """A network, and a batch for it.

    Parameters
    ----------
    sizes : tuple of int
        How many units each layer has, the inputs' first.
    net : Module
    weights, biases : tuple of array
        Of the layers, of shape (out, in) and (out,); tenths.
    x : array, (examples, inputs)
    y : array, (examples, outputs)
    """

    sizes: tuple[int, ...]
    net: Module
    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    x: Array
    y: Array

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """For each layer the names of its weight and its bias."""
        names = [name for name, _ in self.net.named_parameters()]
        return tuple(zip(names[0::2], names[1::2], strict=True))

    def __str__(self) -> str:
        """As ``2-3-1 with 5 examples``."""
        count = "1 example" if len(self.x) == 1 else f"{len(self.x)} examples"
        return f"{'-'.join(map(str, self.sizes))} with {count}"


def make_case(
    sizes: Sequence[int],
    examples: int,
    seed: int,
    *,
    hidden: MakeActivation,
    output: MakeActivation,
    is_choice: bool,
) -> Case:
    """A network with random tenths in it.

    Parameters
    ----------
    sizes : sequence of int
    examples, seed : int
    hidden, output : callable
        Make an activation.
    is_choice : bool
        Whether a target is one of the outputs, and not a number for each.
    """
    # Its own streams: the numbers of a case do not depend on how many came before it.
    name = f"{'-'.join(map(str, sizes))}/{examples}"
    layers: list[Module] = []
    for i, (before, after) in enumerate(pairwise(sizes)):
        layers += [Linear(before, after), (output if i == len(sizes) - 2 else hidden)()]
    net = Sequential(*layers).astype("float64")
    weights = tuple(
        _tenths(seed, f"{name}/W{i}", (b, a)) for i, (a, b) in enumerate(pairwise(sizes))
    )
    biases = tuple(_tenths(seed, f"{name}/b{i}", (b,)) for i, b in enumerate(sizes[1:]))
    pairs = zip(weights, biases, strict=True)
    state: dict[str, Any] = {}
    for i, (weight, bias) in enumerate(pairs):
        state |= {f"{2 * i}.weight": weight, f"{2 * i}.bias": bias}
    net.load_state_dict(state)
    if is_choice:
        y = np.eye(sizes[-1])[_bits(seed, f"{name}/y", (examples,)) % sizes[-1]]
    else:
        y = _bits(seed, f"{name}/y", (examples, sizes[-1])) % 11 / 10
    x = _tenths(seed, f"{name}/x", (examples, sizes[0]))
    return Case(tuple(sizes), net, weights, biases, x, y)


def _tenths(seed: int, stream: str, shape: tuple[int, ...]) -> Array:
    """From -1.5 to 1.5 without 0, at which much is equal that is otherwise not."""
    bits = _bits(seed, stream, shape)
    return np.asarray(np.where(bits % 2, 0.1, -0.1) * (bits // 2 % 15 + 1)).round(1)


def _bits(seed: int, stream: str, shape: tuple[int, ...]) -> NDArray[np.int64]:
    bits = random_bits(seed_words(seed), 0, stream, [0], math.prod(shape))
    return bits.reshape(shape).astype(np.int64)


def sizes_to_try(depth: int | None, *, is_choice: bool) -> Iterator[tuple[tuple[int, ...], int]]:
    """Sizes of layers, and of a batch, the smallest first.

    Parameters
    ----------
    depth : int or None
        How many layers of weights there have to be; None for any number.
    is_choice : bool
        Whether there have to be several outputs.
    """
    fitting: list[tuple[int, ...]] = [
        widths
        for widths in _WIDTHS
        if (depth is None or len(widths) == depth + 1) and (widths[-1] > 1 or not is_choice)
    ]
    if depth is not None and len(fitting) < 2:
        fitting += [(2,) * (depth + 1), tuple(range(2, depth + 3))]
    tried = ((widths, count) for widths in fitting for count in _EXAMPLES)
    return iter(sorted(tried, key=lambda each: (sum(each[0]) + each[1], each)))
