"""Networks with round numbers on which a function is tried, the smallest first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.base.random import random_bits, seed_words
from chainrule.eager import as_tensor
from chainrule.explanation.trace import Array
from chainrule.nn import Linear, Module, Sequential

MakeActivation = Callable[[], Module]

_WIDTHS = (
    (1, 1), (2, 1), (1, 2), (1, 1, 1), (2, 2), (2, 3, 1), (2, 2, 2), (3, 2, 3), (1, 2, 2, 1),
    (2, 3, 3, 2), (3, 5, 4), (4, 6, 5, 3),
)  # fmt: skip
_EXAMPLES = (1, 2, 5)
_SMALL = 5  # units of a network


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
    reading : callable
        What the loss makes of the outputs: probabilities, of logits.
    """

    sizes: tuple[int, ...]
    net: Module
    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    x: Array
    y: Array
    reading: Callable[[Any], Any] = as_tensor

    @property
    def sums(self) -> tuple[Array, ...]:
        """The layers' weighted sums, of shape (examples, units)."""
        return self._forward[0]

    @property
    def activations(self) -> tuple[Array, ...]:
        """What the layers make of those; of the last, what the loss reads in it."""
        return self._forward[1]

    @cached_property
    def _forward(self) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        assert isinstance(self.net, Sequential)
        value, found = as_tensor(self.x), []
        for module in self.net:
            value = module(value)
            found.append(value.numpy())
        found[-1] = self.reading(value).numpy()
        return tuple(found[0::2]), tuple(found[1::2])

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """For each layer the names of its weight and its bias."""
        names = [name for name, _ in self.net.named_parameters()]
        return tuple(zip(names[0::2], names[1::2], strict=True))

    @property
    def textbook(self) -> dict[str, str]:
        """The parameters' names in textbooks: W1, b1."""
        pairs = enumerate(self.parameters, 1)
        return {
            name: f"{letter}{i}"
            for i, pair in pairs
            for name, letter in zip(pair, "Wb", strict=True)
        }

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
    targets: str,
    has_biases: bool = True,
    reading: Callable[[Any], Any] = as_tensor,
) -> Case:
    """A network with random tenths in it.

    Parameters
    ----------
    sizes : sequence of int
    examples, seed : int
    hidden, output : callable
        Make an activation.
    targets : {"choice", "signs", "values"}
        Whether a target is one of the outputs, or -1 or 1 for each, or a number from 0 to 1.
    has_biases : bool
        Otherwise they are 0.
    reading : callable
        As of `Case`.
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
    biases: tuple[Array, ...] = tuple(
        _tenths(seed, f"{name}/b{i}", (b,)) if has_biases else np.zeros(b)
        for i, b in enumerate(sizes[1:])
    )
    pairs = zip(weights, biases, strict=True)
    state: dict[str, Any] = {}
    for i, (weight, bias) in enumerate(pairs):
        state |= {f"{2 * i}.weight": weight, f"{2 * i}.bias": bias}
    net.load_state_dict(state)
    y: Array
    if targets == "choice":
        y = np.eye(sizes[-1])[_bits(seed, f"{name}/y", (examples,)) % sizes[-1]]
    elif targets == "signs":
        y = _bits(seed, f"{name}/y", (examples, sizes[-1])) % 2 * 2.0 - 1.0
    else:
        y = _bits(seed, f"{name}/y", (examples, sizes[-1])) % 11 / 10
    x = _tenths(seed, f"{name}/x", (examples, sizes[0]))
    return Case(tuple(sizes), net, weights, biases, x, y, reading)


def _tenths(seed: int, stream: str, shape: tuple[int, ...]) -> Array:
    """From -1.5 to 1.5 without 0, at which much is equal that is otherwise not."""
    bits = _bits(seed, stream, shape)
    return np.asarray(np.where(bits % 2, 0.1, -0.1) * (bits // 2 % 15 + 1)).round(1)


def _bits(seed: int, stream: str, shape: tuple[int, ...]) -> NDArray[np.int64]:
    bits = random_bits(seed_words(seed), 0, stream, [0], math.prod(shape))
    return bits.reshape(shape).astype(np.int64)


def sizes_to_try(
    depth: int | None, *, is_choice: bool, has_one_output: bool = False
) -> Iterator[tuple[tuple[int, ...], int]]:
    """Sizes of layers, and of a batch, the smallest first.

    Parameters
    ----------
    depth : int or None
        How many layers of weights there have to be; None for any number.
    is_choice : bool
        Whether there have to be several outputs.
    has_one_output : bool
        Whether there has to be one.
    """
    fitting: list[tuple[int, ...]] = [
        widths
        for widths in _WIDTHS
        if (depth is None or len(widths) == depth + 1) and (widths[-1] > 1 or not is_choice)
    ]
    if depth is not None and len(fitting) < 2:
        fitting += [(2,) * (depth + 1), tuple(range(2, depth + 3))]
    if has_one_output:
        fitting = list(dict.fromkeys((*widths[:-1], 1) for widths in fitting))
    # Two examples say no more than five on a network that is large; they are easier to follow.
    tried = (
        (widths, count)
        for widths in fitting
        for count in _EXAMPLES
        if count != 2 or sum(widths) <= _SMALL
    )
    return iter(sorted(tried, key=lambda each: (sum(each[0]) + each[1], each)))
