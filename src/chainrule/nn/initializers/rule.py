"""What an initialiser is: a function of (shape, seed, path), the same numbers on every machine."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.base.errors import ConfigurationError
from chainrule.base.random import random_bits, seed_words
from chainrule.base.registry import Registry
from chainrule.graph import Shape

Initializer = Callable[[Shape, int, str], NDArray[np.float64]]
"""``(shape, seed, path)`` to float64 numbers: one of these, or any such function."""

INITIALIZERS: Registry[Callable[..., Initializer]] = Registry("initializer")


def as_initializer(rule: Any) -> Initializer:
    """Return an initializer: itself, or a registered one by its name or uncalled.

    Examples
    --------
    >>> as_initializer("xavier_uniform")
    xavier_uniform(gain=1.0)
    """
    if isinstance(rule, str):
        return INITIALIZERS.get(rule)()
    if not callable(rule):
        raise ConfigurationError(
            f"An initializer is a function of (shape, seed, path); got {type(rule).__name__}",
            advice="For given numbers use nn.init.from_array(numbers)",
        )
    made: Initializer = rule() if rule in INITIALIZERS.values() else rule
    return made


def bits(shape: Shape, seed: int, path: str, words: Callable[[Any], int]) -> NDArray[np.uint32]:
    """Random words for float64 numbers of a shape, `words` of them for each."""
    count = math.prod(shape) * words(np.float64)
    return random_bits(seed_words(seed), 0, f"init/{path}", 0, count)
