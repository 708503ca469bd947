"""What chance gives, the same each time: orders of examples, and numbers of a bell curve."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from chainrule.base.random import normal, normal_words, permutation, random_bits, seed_words

Array = np.ndarray[Any, Any]

SEED = 0


def order(count: int, purpose: str, number: int = 0) -> Array:
    """An order of so many examples; each purpose and number has its own."""
    return permutation(count, SEED, number, f"doctor {purpose}")


def normals(shape: tuple[int, ...], purpose: str) -> Array:
    """Numbers of mean 0 and deviation 1, float64."""
    rows = np.arange(prod(shape))
    bits = random_bits(seed_words(SEED), 0, f"doctor {purpose}", rows, normal_words(np.float64))
    return normal(bits).reshape(shape)
