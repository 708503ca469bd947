"""All parameters as one vector, which is what a method for the full batch works on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.base.errors import TrainingError
from chainrule.eager import Tensor, value_and_grad
from chainrule.eager.tensor import Array
from chainrule.eager.trees import leaves, modules, rebuild


class Flat:
    """A function of a tree of arrays and modules, as a function of one vector.

    Parameters
    ----------
    f : callable
        From the tree to a float scalar.
    tree : array, number, module, or nested tuples, lists and dicts of them
        A module stands for its trainable parameters, which change in place.

    Attributes
    ----------
    start : array of shape (n,)
        The numbers of `tree`.
    evaluations : int
        How often `f` was called.
    """

    def __init__(self, f: Callable[[Any], Any], tree: Any) -> None:
        self._both = value_and_grad(f)
        self._tree = tree
        held = {id(p) for module in modules(tree) for p in module.trainable_parameters().values()}
        found = [leaf for _, leaf in leaves(tree, open_modules=True)]
        arrays = [_array(leaf) for leaf in found]
        if not arrays:
            raise TrainingError(
                "There is nothing to minimize over: the start holds no numbers",
                advice="Pass arrays, or a network that is not frozen",
            )
        self._parameters = [leaf if id(leaf) in held else None for leaf in found]
        self._shapes = [array.shape for array in arrays]
        self._dtypes = [array.dtype for array in arrays]
        self.start = np.concatenate([array.reshape(-1) for array in arrays])
        self.evaluations = 0

    def evaluate(self, vector: Array) -> tuple[float, Array]:
        """The function and its gradient at a point, as a number and a vector."""
        self.evaluations += 1
        value, gradient = self._both(self.tree(vector))
        parts = [_array(leaf).reshape(-1) for _, leaf in leaves(gradient, open_modules=True)]
        return float(value), np.concatenate(parts).astype(self.start.dtype, copy=False)

    def tree(self, vector: Array) -> Any:
        """The tree with the numbers of `vector`; its modules have them, too."""
        ends = np.cumsum([np.prod(shape, dtype=int) for shape in self._shapes])
        parts = np.split(vector, ends[:-1])
        others = []
        for part, shape, dtype, parameter in zip(
            parts, self._shapes, self._dtypes, self._parameters, strict=True
        ):
            array = part.reshape(shape).astype(dtype)  # a copy: a parameter keeps it
            if parameter is None:
                others.append(array)
            else:
                parameter._set(array)
        return rebuild(self._tree, iter(others), open_modules=False)


def _array(leaf: Any) -> Array:
    return leaf.numpy() if isinstance(leaf, Tensor) else np.asarray(leaf)
