"""Names as people write them, read as values of a step.

A parameter's name stands for its gradient. Beside chainrule's own names (``d_0.weight``) and the
textbook's (``δ1``), what is usual in code and on paper is understood: ``dW1``, ``grad_W1``,
``∂C/∂w5``, ``W1.grad``, ``delta_1``, ``dz1``, ``new_W1``, ``W1'``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from chainrule.base.errors import did_you_mean, listed
from chainrule.base.harmless import plain
from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.roles import weighted_sums
from chainrule.explanation.symbols import NEXT
from chainrule.explanation.trace import Index

_COST = r"(?:C|E|L|J|loss|cost|error)"
_GRADIENT = (
    re.compile(rf"[d∂]{_COST}\s*(?:/|_|_?by_?|_?wrt_?)?\s*[d∂]_?(?P<base>.+)"),
    re.compile(r"grad(?:ient)?s?(?:[_. ]of)?[_. ]*\(?(?P<base>.+?)\)?", re.IGNORECASE),
    re.compile(r"(?:∇|nabla)[_. ]*\(?(?P<base>.+?)\)?", re.IGNORECASE),
    re.compile(r"(?P<base>.+?)[_. ]grad(?:ient)?s?(?P<index>\[.*\])?", re.IGNORECASE),
    re.compile(r"(?:d_|∂_?|d)(?P<base>.+)"),
)
_UPDATE = (
    re.compile(r"(?:next|new|updated)[_. ]*(?P<base>.+)", re.IGNORECASE),
    re.compile(r"(?P<base>.+?)[_. ](?:next|new|updated)(?P<index>\[.*\])?", re.IGNORECASE),
    re.compile(r"(?P<base>.+?)\s*(?:['′⁺+*]|\(t\+1\))(?P<index>\[.*\])?"),
)
_ERROR = re.compile(r"(?:δ|[Dd]elta|[Ee]rr(?:or)?|d(?=_?\d))[_ ]*\^?[\[({]*(?P<layer>\w*)[\])}]*")
_OWN_ERROR = re.compile(r"(?:δ|[Dd]elta|[Ee]rr(?:or)?|d)_?(?P<unit>\w+(?:\[.*\])?)")
"""An error by its unit or layer; ``d_o1`` and ``d1`` are read so where there is a δ of it."""
_TEXTBOOK = re.compile(r"(?P<kind>[^\W\d_]+)[_ ]*\^?[\[({]*(?P<layer>\d+|L)[\])}]*")
_LAYER = re.compile(
    r"(?:layer|linear|dense|fc|l)[_. ]*(?P<layer>\d+)[_. ]*(?P<kind>[^\W\d_]+)", re.IGNORECASE
)
_INDEX = re.compile(r"(?P<base>.+?)(?P<index>(?:\[[-\d,\s]+\])+|\(\s*\d+\s*,\s*\d+\s*\))")
_LETTERS = {
    "W": ("w", "weight", "weights", "kernel", "theta", "θ"),
    "b": ("b", "bias", "biases"),
    "z": ("z", "net", "preactivation"),
    "a": ("a", "act", "activation", "activations", "h"),
}
_OUTPUT = ("output", "y_hat", "yhat", "ŷ", "y^", "pred", "prediction", "y_pred", "ypred")
_LOSS = ("C", "E", "L", "J", "cost", "Loss", "E_total", "Etotal", "total_loss", "total_error")


@dataclass(frozen=True)
class Meaning:
    """What a name stands for.

    Parameters
    ----------
    value : str
        A canonical name: ``d_0.weight``.
    index : tuple of int, optional
        Which element, or row.
    parameter : str
        The parameter whose plain name was written; empty for any other.
    """

    value: str
    index: Index | None = None
    parameter: str = ""


class Names:
    """The names that the values of a step have, or are given by people.

    Parameters
    ----------
    anatomy : Anatomy
    """

    def __init__(self, anatomy: Anatomy) -> None:
        self.anatomy = anatomy
        self.trace = anatomy.trace
        canonical = dict(self.trace.graph.aliases)
        self.table = {name: canonical.get(name, name) for name in anatomy.names}
        if "W1" not in self.table:
            self._count_layers()

    def _count_layers(self) -> None:
        """Number the weights from the front, where the textbook's names are not given."""
        weights = dict.fromkeys(at.weight for at in weighted_sums(self.anatomy))
        for k, weight in enumerate(weights, 1):
            layer = weight.removesuffix("weight")
            for letter, name in (("W", weight), ("b", f"{layer}bias"), ("z", f"{layer}out")):
                if name in self.anatomy.names:
                    self.table.setdefault(f"{letter}{k}", name)

    @cached_property
    def layers(self) -> int:
        """How many layers the textbook counts."""
        counted = 0
        while f"z{counted + 1}" in self.table:
            counted += 1
        return counted

    @cached_property
    def folded(self) -> dict[str, str]:
        """Names without regard to capitals, where that leaves no doubt."""
        found: dict[str, set[str]] = {}
        for name, value in self.table.items():
            found.setdefault(name.casefold(), set()).add(value)
        return {name: next(iter(values)) for name, values in found.items() if len(values) == 1}

    def read(self, text: str) -> Meaning:
        """Return what a name stands for.

        Raises
        ------
        LookupError
            With a sentence: nothing has this name, or it has no gradient.
        """
        name = _tidied(text)
        bases = [("", *found) for found in self._direct(name)]
        bases += [(NEXT, *found) for found in self._within(name, _UPDATE)]
        bases += [("d_", *found) for found in self._within(name, _GRADIENT)]
        bases += [("d_", *found) for found in self._errors(name)]
        for prefix, value, index in bases:
            is_parameter = value in self.anatomy.parameters
            if prefix + value in self.table and not (is_parameter and not prefix):
                if not prefix and self._is_frozen(value):
                    break
                return Meaning(prefix + value, index)
            if is_parameter and not prefix:
                return Meaning(f"d_{value}", index, value)
        if bases:
            value = bases[0][1]
            raise LookupError(f"{value} is not trained in this step: it has no gradient")
        there = self._there()
        meant = did_you_mean(name, [*there, *self.table])
        told = ("the step has no value of this name.", meant, f"There are: {plain(listed(there))}.")
        raise LookupError(" ".join(filter(None, told)))

    def has(self, text: str) -> bool:
        """Whether a name stands for anything."""
        try:
            self.read(text)
        except LookupError:
            return False
        return True

    def _there(self) -> list[str]:
        """What can be handed in, in the shortest names."""
        short = {value: alias for alias, value in self.trace.graph.aliases if alias != "out"}
        wanted = [*self.anatomy.parameters]
        wanted += [v for v in self.table.values() if v.endswith(".out") and not v.startswith("d_")]
        errors = [value for value in short if value.startswith("d_")]
        theirs = [short.get(name, name) for name in [*wanted, *errors]]
        return list(dict.fromkeys([*self.trace.names, *theirs]))

    def _is_frozen(self, value: str) -> bool:
        node = self.anatomy.nodes[self.anatomy.names[value]]
        is_given = value in ("x", "target", "lr", "sample_weight", "step", "seed")
        return node.op == "input" and not is_given and node.dtype.is_float

    def _direct(self, name: str) -> Iterator[tuple[str, Index | None]]:
        found = self._find(name)
        if found is not None:
            yield found
            return
        match = _OWN_ERROR.fullmatch(name)
        for spelling in (f"δ_{match['unit']}", f"δ{match['unit']}") if match else ():
            found = self._find(spelling)
            if found is not None:
                yield found
                return

    def _within(
        self, name: str, patterns: tuple[re.Pattern[str], ...]
    ) -> Iterator[tuple[str, Index | None]]:
        for pattern in patterns:
            match = pattern.fullmatch(name)
            if match is None:
                continue
            base = match["base"] + (match.groupdict().get("index") or "")
            found = self._find(base)
            if found is not None:
                yield found

    def _errors(self, name: str) -> Iterator[tuple[str, Index | None]]:
        """The weighted sum that an error δ is the gradient by."""
        index = None
        indexed = _INDEX.fullmatch(name)
        if indexed:
            name, index = indexed["base"], _numbers(indexed["index"])
        match = _ERROR.fullmatch(name)
        if match is None or not self.layers:
            return
        layer = match["layer"].casefold()
        number = int(layer) if layer.isdecimal() else 0
        if layer in ("", "l", "out", "output", "o"):
            number = self.layers if layer or self.layers == 1 else 0
        elif layer in ("h", "hidden") and self.layers == 2:
            number = 1
        if 0 < number <= self.layers:
            value = self.table[f"z{number}"]
            yield value, self._whole(value, index)

    def _find(self, base: str) -> tuple[str, Index | None] | None:
        """A value by one of its own names, with the index that is written behind it."""
        base = base.strip()
        if base in self.trace.names:
            place = self.trace.find(base)
            return self.trace.graph.name_of(place.node), place.index
        value = self._whole_value(base)
        if value is not None:
            return value, None
        indexed = _INDEX.fullmatch(base)
        if indexed is None:
            return None
        value = self._whole_value(indexed["base"].strip())
        if value is None:
            return None
        return value, self._whole(value, _numbers(indexed["index"]))

    def _whole(self, value: str, index: Index | None) -> Index | None:
        """An index; where the batch is one example, its axis may be left out."""
        if index is None:
            return None
        shape = self.anatomy.nodes[self.anatomy.names[value]].shape
        is_batch = bool(shape) and getattr(shape[0], "name", None) is not None
        return (0, *index) if is_batch and len(index) == len(shape) - 1 and shape[0] == 1 else index

    def _whole_value(self, base: str) -> str | None:
        if base in self.table:
            return self.table[base]
        textbook = _TEXTBOOK.fullmatch(base) or _LAYER.fullmatch(base)
        if textbook:
            layer = self.layers if textbook["layer"] == "L" else int(textbook["layer"])
            for letter, words in _LETTERS.items():
                name = f"{letter}{layer}"
                if textbook["kind"].casefold() in words and name in self.table:
                    return self.table[name]
        if base in _OUTPUT:
            return self.table.get("out")
        if base in _LOSS:
            return "loss" if "loss" in self.table else None
        return self.folded.get(base.casefold())


def _tidied(text: str) -> str:
    """A name in one spelling: subscripts as digits, one kind of δ, no quotes around."""
    raised = {"⁺": "+", "′": "'", "ˡ": "l"}
    kept = "".join(raised[c] if c in raised else unicodedata.normalize("NFKC", c) for c in text)
    for written, meant in (("∆", "Δ"), ("𝛿", "δ"), ("𝜕", "∂")):
        kept = kept.replace(written, meant)
    return kept.strip().strip("'\"`$").strip() if kept.count("'") != 1 else kept.strip()


def _numbers(index: str) -> Index:
    return tuple(int(number) for number in re.findall(r"-?\d+", index))


def element(shape: tuple[int, ...], index: Index) -> Index:
    """An index counted from the front, checked.

    Raises
    ------
    LookupError
        With a sentence.
    """
    fits = len(index) <= len(shape) and all(-n <= i < n for i, n in zip(index, shape, strict=False))
    if not fits:
        written = ",".join(map(str, index))
        raise LookupError(
            f"there is no [{written}] in the shape {list(map(int, shape))}: indices count from 0"
        )
    return tuple(i % int(n) for i, n in zip(index, shape, strict=False))
