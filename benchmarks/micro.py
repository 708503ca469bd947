"""Single operations: matrix products, and functions of a million numbers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import erf
from typing import Any

import numpy as np

from benchmarks.task import Array, Task


@dataclass(frozen=True)
class Micro(Task):
    """An operation on float32. What is compared is its largest error beside float64's result."""

    @property
    def tolerances(self) -> dict[int, float]:
        # A product sums up to 1024 rounded terms, in any order: √1024·2⁻²⁴, and a few times that
        # at the worst of a million elements. The functions are good to some 2⁻²².
        return {1: 1e-5}

    def deviation(self, value: float, expected: float) -> float:
        return value

    @abstractmethod
    def exact(self, arrays: Mapping[str, Array]) -> Array:
        """The result in float64."""

    def error(self, result: Array, arrays: Mapping[str, Array]) -> float:
        """The largest error of a result, as a part of the largest element."""
        exact = self.exact(arrays)
        return float(np.abs(result - exact).max() / np.abs(exact).max())


@dataclass(frozen=True)
class Product(Micro):
    """C = A·B, with A or B given transposed.

    Parameters
    ----------
    m, n, k : int
        C is [m, n], and sums over k.
    transposed : str
        ``"nn"``; ``"tn"``, A as [k, m]; ``"nt"``, B as [n, k].
    """

    m: int
    n: int
    k: int
    transposed: str

    @property
    def operations(self) -> int:
        """Multiplications and additions."""
        return 2 * self.m * self.n * self.k

    @property
    def is_small(self) -> bool:
        """Whether one side has few rows."""
        return min(self.m, self.n, self.k) < 64

    def arrays(self) -> dict[str, Array]:
        rng = np.random.default_rng(1)
        a = (self.k, self.m) if self.transposed[0] == "t" else (self.m, self.k)
        b = (self.n, self.k) if self.transposed[1] == "t" else (self.k, self.n)
        return {n: rng.standard_normal(s, np.float32) for n, s in (("a", a), ("b", b))}

    def exact(self, arrays: Mapping[str, Array]) -> Array:
        a, b = (array.astype(np.float64) for array in (arrays["a"], arrays["b"]))
        a, b = self.oriented(a, b)
        exact: Array = a @ b
        return exact

    def oriented(self, a: Any, b: Any) -> tuple[Any, Any]:
        """Views of the operands, such that the product is a·b."""
        return (a.T if self.transposed[0] == "t" else a), (b.T if self.transposed[1] == "t" else b)


@dataclass(frozen=True)
class Function(Micro):
    """A function of a matrix of a million numbers, its rows being what rows are normalised as."""

    shape: tuple[int, int] = (1000, 1000)

    def arrays(self) -> dict[str, Array]:
        return {"x": 3 * np.random.default_rng(2).standard_normal(self.shape, np.float32)}

    def exact(self, arrays: Mapping[str, Array]) -> Array:
        exact: Array = EXACT[self.name](arrays["x"].astype(np.float64))
        return exact


def _softmax(x: Array) -> Any:
    powers: Array = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _layer_norm(x: Array) -> Any:
    centred: Array = x - x.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)


def _gelu(x: Array) -> Any:
    return 0.5 * x * (1 + np.vectorize(erf)(x / np.sqrt(2)))


EXACT: dict[str, Callable[[Array], Any]] = {
    "exp": np.exp,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "gelu": _gelu,
    "softmax": _softmax,
    "layer_norm": _layer_norm,
}

SIZES = [
    (10, 30, 784),
    (784, 30, 10),
    (128, 512, 784),
    (784, 512, 128),
    (512, 512, 512),
    (1024, 1024, 1024),
]
PRODUCTS = {
    p.name: p
    for m, n, k in SIZES
    for kind in ("nn", "tn", "nt")
    for p in [Product(f"sgemm {m}x{n}x{k} {kind}", 1, m, n, k, kind)]
}
FUNCTIONS = {name: Function(name, 1) for name in EXACT}
