"""Which of the arrays that a function gave is the gradient of what.

Keys such as ``dW1`` say so. Otherwise a network with layers that all differ in size is tried first:
there shapes say it, and where an array was found there, it is looked for in others. Gradients may
also be one long vector; and a function may write new weights into those that it was given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from chainrule.explanation.checking.functions.arguments import BIAS, WEIGHT, Form, Which
from chainrule.explanation.checking.functions.cases import Case
from chainrule.explanation.checking.functions.conventions import Layout
from chainrule.explanation.checking.functions.reading import Path
from chainrule.explanation.checking.functions.watching import Outcome
from chainrule.explanation.trace import Array

RETURNED, WRITTEN, FLAT = "returned", "written", "flat"

_NUMBER = re.compile(r"(\D*)(\d+)(\D*)")
_ORDERS = ("W1, b1, W2, b2, ...", "W1, W2, ..., b1, b2, ...", "b1, W1, b2, W2, ...",
           "b1, b2, ..., W1, W2, ...")  # fmt: skip


@dataclass(frozen=True)
class Places:
    """Where gradients are in what a function gives.

    Parameters
    ----------
    found : mapping of (int, str) to path
        In the network that was tried first.
    depth : int
        How many layers it had.
    source : {"returned", "written", "flat"}
        Whether the function returned them, wrote updated weights into its arguments, or returned
        one vector.
    order : str
        Of what is in that vector.
    """

    found: Mapping[Which, Path]
    depth: int
    source: str = RETURNED
    order: str = ""

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
        key = self._continued(first[at], second[at], layer, depth)
        return None if key is None else (*first[:at], key, *first[at + 1 :])

    def _continued(
        self, first: str | int, second: str | int, layer: int, depth: int
    ) -> str | int | None:
        """The key of a layer, from those of the first two: 0 and 1, or ``layer1``, ``layer2``."""
        if isinstance(first, int) and isinstance(second, int):
            step = second - first
            # Lists go from the first layer to the last, or, where the loop went backwards, the
            # other way; in a flat list, weights and biases take turns.
            return first + step * layer if step > 0 else first - step * (depth - self.depth - layer)
        if not isinstance(first, str) or not isinstance(second, str):
            return None
        one, two = _NUMBER.fullmatch(first), _NUMBER.fullmatch(second)
        if one is None or two is None or (one[1], one[3]) != (two[1], two[3]):
            return None
        return f"{one[1]}{int(one[2]) + layer}{one[3]}" if int(two[2]) - int(one[2]) == 1 else None


def possible_places(case: Case, layout: Layout, form: Form, outcome: Outcome) -> Iterator[Places]:
    """Where gradients may be, in a network with layers that all differ in size.

    Parameters
    ----------
    case : Case
    layout : Layout
    form : Form
    outcome : Outcome
        What came of the call.
    """
    depth = len(case.weights)
    found = _by_shape(case, layout, outcome.arrays, form.kinds)
    if found:
        yield Places(found, depth)
    if _vector(case, outcome, form.kinds) is not None:
        for order in _ORDERS if form.has_biases else _ORDERS[:1]:
            yield Places({}, depth, FLAT, order)
    given = form.places(depth)
    if any(path[0] in outcome.mutated for path in given.values()):
        yield Places(given, depth, WRITTEN)


def _by_shape(
    case: Case, layout: Layout, arrays: Mapping[Path, Array], kinds: tuple[str, ...]
) -> dict[Which, Path]:
    found: dict[Which, Path] = {}
    wanted = [(layer, kind) for layer in range(len(case.weights)) for kind in kinds]
    for fits in (_fits, _fits_in_rows):  # an error δ has rows, too: what fits comes first
        for layer, kind in wanted:
            true = true_of(case, layer, kind)
            for path, array in arrays.items():
                if (layer, kind) in found:
                    break
                if path not in found.values() and fits(array, true, layout, kind):
                    found[layer, kind] = path
    return found


@dataclass(eq=False)
class Answer:
    """What a function gave for one network, in the shapes of the parameters.

    Parameters
    ----------
    mine : dict of str to array
        By parameter: its gradient, or the parameter after the update.
    notes : list of str
        What is not as it should be: a bias gradient with a row for each example.
    remarks : list of str
        What may be the reason of it: whole numbers.
    """

    mine: dict[str, Array] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def answer_of(case: Case, layout: Layout, form: Form, outcome: Outcome, places: Places) -> Answer:
    """What came of a call, by parameter.

    Parameters
    ----------
    case : Case
    layout : Layout
    form : Form
    outcome : Outcome
    places : Places
    """
    answer = Answer()
    if outcome.trouble:
        return answer
    found = _arrays(case, layout, form, outcome, places)
    whole: list[str] = []
    for layer, pair in enumerate(case.parameters):
        for name, kind in zip(pair, ("weight", "bias"), strict=True):
            if kind not in form.kinds:
                continue
            path, array = found.get((layer, kind), ((), None))
            textbook = textbook_name(layer, kind)
            if array is None:
                if outcome.arrays or outcome.written:
                    answer.notes.append(f"nothing was returned for {textbook}{_strays(outcome)}")
                continue
            _take(case, layout, form, answer, (name, textbook, layer, kind), array)
            if path in outcome.flaws:
                answer.notes.append(f"the gradient of {textbook} {outcome.flaws[path]}")
            if path in outcome.whole and places.source == RETURNED:
                whole.append(textbook)
    if whole:
        answer.remarks.append(
            f"The gradient of {', '.join(whole)} came as whole numbers: an array of integers, such "
            "as np.zeros(n, int), or zeros_like of one, keeps no fractions."
        )
    if not answer.mine:
        answer.notes.append(f"it returned {described(outcome)}")
    return answer


def _arrays(
    case: Case, layout: Layout, form: Form, outcome: Outcome, places: Places
) -> dict[Which, tuple[Path, Array]]:
    depth = len(case.weights)
    if places.source == FLAT:
        vector = _vector(case, outcome, form.kinds)
        return {} if vector is None else _split(case, layout, vector, places.order)
    if places.source == WRITTEN:
        given = form.places(depth)
        written = {}
        for which, path in given.items():
            true = true_of(case, *which)
            # What was not written into is as it was.
            as_given = layout.weight(true) if which[1] == "weight" else layout.bias(true)
            written[which] = (path, outcome.written.get(path, as_given))
        return written
    paths = {(k, kind): places.path(k, kind, depth) for k in range(depth) for kind in form.kinds}
    found = {}
    for which, at in paths.items():
        array = _at(outcome.arrays, at)
        if array is not None and at is not None:
            found[which] = (at, array)
    named = _by_name(outcome.arrays)
    return found if len(named) < len(found) else named


def _take(
    case: Case,
    layout: Layout,
    form: Form,
    answer: Answer,
    what: tuple[str, str, int, str],
    array: Array,
) -> None:
    name, textbook, layer, kind = what
    true = true_of(case, layer, kind)
    if _fits(array, true, layout, kind):
        answer.mine[name] = _shaped(array, true, layout, kind)
        shape = layout.weight(true).shape if kind == "weight" else array.shape
        if array.ndim == 2 and array.shape != shape and not form.is_wrapped:
            answer.notes.append(
                f"the gradient of {textbook} has the shape {array.shape}, the weight {shape}: "
                "it is transposed, and cannot be subtracted from it"
            )
    elif _fits_in_rows(array, true, layout, kind):
        answer.mine[name] = _rows(array, layout)[0]
        answer.notes.append(
            f"the gradient of {textbook} has a row for each example: it is not summed over "
            "the batch. Its first row is compared"
        )
    else:
        wanted = layout.weight(true) if kind == "weight" else layout.bias(true)
        answer.notes.append(
            f"the gradient of {textbook} has the shape {array.shape}, and {textbook} {wanted.shape}"
        )


def textbook_name(layer: int, kind: str) -> str:
    """``W1`` for the first layer's weight."""
    return f"{'W' if kind == 'weight' else 'b'}{layer + 1}"


def described(outcome: Outcome) -> str:
    """What a function returned, in words."""
    shapes = [str(array.shape) for array in outcome.arrays.values()]
    arrays = ", ".join(shapes[:12]) + (f" and {len(shapes) - 12} more" if len(shapes) > 12 else "")
    told = [f"arrays of the shapes {arrays}"] if shapes else []
    return " and ".join([*told, *outcome.others[:3]]) or "no arrays"


def _strays(outcome: Outcome) -> str:
    return f": what came was {described(outcome)}" if outcome.arrays else ""


def _at(arrays: Mapping[Path, Array], path: Path | None) -> Array | None:
    """The array at a path; where layers are of one size, a list of them is one array as well."""
    if path is None:
        return None
    for count in range(len(path), -1, -1):
        array, inside = arrays.get(path[:count]), path[count:]
        if array is None or len(inside) >= array.ndim + (not inside):
            continue
        at = tuple(each for each in inside if isinstance(each, int))
        if at == inside and all(i < size for i, size in zip(at, array.shape, strict=False)):
            return np.asarray(array[at])
    return None


def true_of(case: Case, layer: int, kind: str) -> Array:
    """A layer's weight, of shape (out, in), or its bias."""
    return (case.weights if kind == "weight" else case.biases)[layer]


def _vector(case: Case, outcome: Outcome, kinds: tuple[str, ...]) -> Array | None:
    """The one vector of all gradients, if that is what was returned."""
    size = sum(true_of(case, k, kind).size for k in range(len(case.weights)) for kind in kinds)
    vectors = [a for a in outcome.arrays.values() if a.size > 1 or size == 1]
    if len(vectors) != 1 or vectors[0].size != size or max(vectors[0].shape, default=1) != size:
        return None
    return vectors[0].ravel() if size > 1 else None


def _split(
    case: Case, layout: Layout, vector: Array, order: str
) -> dict[Which, tuple[Path, Array]]:
    depth = len(case.weights)
    first, second = ("bias", "weight") if order.startswith("b") else ("weight", "bias")
    if "W1, W2" in order:
        wanted = [(k, kind) for kind in (first, second) for k in range(depth)]
    else:
        wanted = [(k, kind) for k in range(depth) for kind in (first, second)]
    found: dict[Which, tuple[Path, Array]] = {}
    begin = 0
    for layer, kind in wanted:
        true = true_of(case, layer, kind)
        part = vector[begin : begin + true.size]
        if part.size == true.size:
            begin += true.size
            shaped = part.reshape(layout.weight(true).shape) if kind == "weight" else part
            found[layer, kind] = ((), shaped)
    return found


def _by_name(arrays: Mapping[Path, Array]) -> dict[Which, tuple[Path, Array]]:
    """Arrays whose key says which they are: ``grads["dW1"]``."""
    found: dict[Which, tuple[Path, Array]] = {}
    for path, array in arrays.items():
        for key in path:
            for kind, pattern in (("weight", WEIGHT), ("bias", BIAS)):
                match = pattern.fullmatch(key.lower()) if isinstance(key, str) else None
                which = (int(match[1]), kind) if match else None
                # An object that holds its weights beside their gradients has both names.
                if which is not None and (which not in found or _is_gradient(key)):
                    found[which] = (path, array)
    order = sorted({layer for layer, _ in found})
    return {(order.index(layer), kind): each for (layer, kind), each in found.items()}


def _is_gradient(key: str | int) -> bool:
    return isinstance(key, str) and re.match(r"d|grad|nabla|delta", key.lower()) is not None


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
