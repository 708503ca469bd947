"""Which of the arrays that a function returned is the gradient of what.

Keys such as ``dW1`` say so. Otherwise a network with layers that all differ in size is tried first:
there shapes say it, and where an array was found there, it is looked for in others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from chainrule.explanation.checking.functions.apart import Path
from chainrule.explanation.checking.functions.cases import Case
from chainrule.explanation.checking.functions.conventions import BIAS, WEIGHT, Layout
from chainrule.explanation.trace import Array

Which = tuple[int, str]
"""A layer, and whether its weight or its bias is meant."""


@dataclass(frozen=True)
class Places:
    """Where gradients are in what a function returns.

    Parameters
    ----------
    found : mapping of (int, str) to path
        In the network that was tried first.
    depth : int
        How many layers it had.
    """

    found: Mapping[Which, Path]
    depth: int

    def path(self, layer: int, kind: str, depth: int) -> Path | None:
        """Where the gradient of a layer's weight or bias is, in a network with so many layers."""
        if depth == self.depth:
            return self.found.get((layer, kind))
        first, second = self.found.get((0, kind)), self.found.get((1, kind))
        if first is None or second is None or len(first) != len(second):
            return None
        places = [i for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b]
        if len(places) != 1:
            return None
        (at,) = places
        a, b = first[at], second[at]
        if not isinstance(a, int) or not isinstance(b, int) or abs(a - b) != 1:
            return None
        # Lists from the first layer to the last, or, where the loop went backwards, the other way.
        number = a + layer if b > a else a - (self.depth - 1) + depth - 1 - layer
        return (*first[:at], number, *first[at + 1 :])


def places_of(case: Case, layout: Layout, arrays: Mapping[Path, Array]) -> Places:
    """Find gradients by their shapes, in a network with layers that all differ in size."""
    found: dict[Which, Path] = {}
    wanted = [(layer, kind) for layer in range(len(case.weights)) for kind in ("weight", "bias")]
    for fits in (_fits, _fits_in_rows):  # an error δ has rows, too: what fits comes first
        for layer, kind in wanted:
            true = _true(case, layer, kind)
            for path, array in arrays.items():
                if (layer, kind) in found:
                    break
                if path not in found.values() and fits(array, true, layout, kind):
                    found[layer, kind] = path
    return Places(found, len(case.weights))


def gradients_of(
    case: Case,
    layout: Layout,
    arrays: Mapping[Path, Array],
    places: Places,
    *,
    is_wrapped: bool = False,
) -> tuple[dict[str, Array], list[str]]:
    """What was returned, as gradients by parameter.

    Parameters
    ----------
    case : Case
    layout : Layout
    arrays : mapping of path to array
    places : Places
    is_wrapped : bool
        Whether the function was given the whole case, and may have transposed its weights.

    Returns
    -------
    mine : dict of str to array
        In the shapes of the parameters.
    notes : list of str
        What is not as it should be: a bias gradient with a row for each example.
    """
    notes: list[str] = []
    mine: dict[str, Array] = {}
    named = _by_name(case, arrays)
    depth = len(case.weights)
    for layer, pair in enumerate(case.parameters):
        for name, kind in zip(pair, ("weight", "bias"), strict=True):
            path = places.path(layer, kind, depth)
            array = named.get((layer, kind)) if named else _at(arrays, path)
            if array is None:
                if arrays:
                    notes.append(f"nothing was returned for {name}")
                continue
            true = _true(case, layer, kind)
            if _fits(array, true, layout, kind):
                mine[name] = _shaped(array, true, layout, kind)
                shape = layout.weight(true).shape if kind == "weight" else array.shape
                if array.ndim == 2 and array.shape != shape and not is_wrapped:
                    notes.append(
                        f"the gradient of {name} has the shape {array.shape}, the weight {shape}: "
                        "it is transposed, and cannot be subtracted from it"
                    )
            elif _fits_in_rows(array, true, layout, kind):
                mine[name] = _rows(array, layout)[0]
                notes.append(
                    f"the gradient of {name} has a row for each example: it is not summed over "
                    "the batch. Its first row is compared"
                )
            else:
                notes.append(f"the gradient of {name} has the shape {array.shape}")
    return mine, notes


def _at(arrays: Mapping[Path, Array], path: Path | None) -> Array | None:
    """The array at a path; where layers are of one size, a list of them is one array as well."""
    for count in range(len(path or ()), 0, -1):
        assert path is not None
        array, inside = arrays.get(path[:count]), path[count:]
        if array is None or len(inside) >= array.ndim + (not inside):
            continue
        at = tuple(each for each in inside if isinstance(each, int))
        if at == inside and all(i < size for i, size in zip(at, array.shape, strict=False)):
            return np.asarray(array[at])
    return None


def _true(case: Case, layer: int, kind: str) -> Array:
    return (case.weights if kind == "weight" else case.biases)[layer]


def _by_name(case: Case, arrays: Mapping[Path, Array]) -> dict[Which, Array]:
    """Arrays whose key says which they are: ``grads["dW1"]``."""
    found: dict[Which, Array] = {}
    for path, array in arrays.items():
        for key in path:
            for kind, pattern in (("weight", WEIGHT), ("bias", BIAS)):
                match = pattern.fullmatch(key.lower()) if isinstance(key, str) else None
                if match:
                    found[int(match[1]), kind] = array
    order = sorted({layer for layer, _ in found})
    return {(order.index(layer), kind): array for (layer, kind), array in found.items()}


def _fits(array: Array, true: Array, layout: Layout, kind: str) -> bool:
    """Whether an array can be the gradient: in the shape that was given, or the other way round."""
    if kind == "bias":
        return array.size == true.size and sum(size != 1 for size in array.shape) <= 1
    shape = layout.weight(true).shape
    is_vector = array.ndim < 2 and 1 in shape and array.size == true.size
    return array.shape in (shape, shape[::-1]) or is_vector


def _fits_in_rows(array: Array, true: Array, layout: Layout, kind: str) -> bool:
    """Whether an array is a bias's gradient for each example, not added up."""
    if kind != "bias" or array.ndim != 2 or layout.is_single:
        return False
    rows = _rows(array, layout)
    return rows.shape[1] == true.size and len(rows) > 1


def _rows(array: Array, layout: Layout) -> Array:
    return array.T if layout.examples == "columns" else array


def _shaped(array: Array, true: Array, layout: Layout, kind: str) -> Array:
    """The gradient in the parameter's own shape, (out, in) or (out,)."""
    shape = layout.weight(true).shape
    if kind == "bias" or array.ndim < 2:
        return np.asarray(array.reshape(true.shape))
    return layout.weight(array if array.shape == shape else array.T)
