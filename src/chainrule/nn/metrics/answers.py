"""Which classes outputs and targets stand for: said once, for every metric that counts classes.

- ``logits``, ``log-probabilities``, ``scores``: the largest of an example's outputs is its class;
  targets are classes, or distributions, of which the largest counts.
- ``binary logits`` and ``signs``: above 0 an output says yes; ``probabilities``: above one half.
- ``values``: the targets tell. Beside one-hot rows, and beside classes where there are several
  outputs, the largest counts; beside 0 and 1, above one half means 1; beside -1 and 1, the sign.
  ``log-values`` are read as the values that they are the logarithms of.

One output for each example, [B] or [B, 1], divides two classes. Of several outputs each of which
says yes or no, [B, L], an example can have any number of labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.base.errors import TargetError
from chainrule.eager import Tensor, here, moveaxis, one_hot, stack, where
from chainrule.eager.tensor import Array
from chainrule.nn.agreement import check_one_output, check_same_shape
from chainrule.nn.losses.loss import Loss

LARGEST = ("logits", "log-probabilities", "scores")
BORDERS = {"binary logits": 0.0, "signs": 0.0, "distances": 0.0, "probabilities": 0.5}

YES = 0.5
"""Above which a target says yes: of 0 and 1, of what lies between, and of -1 and 1."""

_OF_VALUES = 'Use metrics=["mse"] or ["mae"] for a regression'


@dataclass(frozen=True)
class Decided:
    """What outputs and targets of a batch say.

    Parameters
    ----------
    predicted, actual : Tensor
        Classes [B, ...] as integers, or [B] as bool; or, for labels, bool [B, L].
    classes : int or None
        How many classes there are; None for labels.
    kept : Tensor or None
        Which places of an example count, bool [B, ...]; None: it has one place, or all do.
    """

    predicted: Tensor
    actual: Tensor
    classes: int | None
    kept: Tensor | None = None

    @property
    def has_places(self) -> bool:
        """Whether an example has several places, each with its class."""
        return self.classes is not None and self.actual.ndim > 1

    @cached_property
    def indicators(self) -> tuple[Tensor, Tensor]:
        """Whether each class, or label, is predicted and whether it is there, as bool [..., C]."""
        return self._indicators(self.predicted), self._indicators(self.actual)

    def _indicators(self, chosen: Tensor) -> Tensor:
        if self.classes is None:
            return chosen
        if chosen.dtype == np.bool_:
            return stack([~chosen, chosen], axis=-1)
        return one_hot(chosen, self.classes, "bool")


@dataclass(frozen=True)
class Answers:
    """How classes are read off the outputs of a loss and its targets.

    Parameters
    ----------
    asking : str
        What asks; errors name it.
    kind : str
        What the outputs are.
    takes_largest : bool
        Whether the largest of an example's outputs is its class.
    border : float
        Above which an output says yes.
    ignored : int or None
        A class that does not count.
    """

    asking: str
    kind: str
    takes_largest: bool
    border: float = 0.0
    ignored: int | None = None

    @classmethod
    def of(cls, asking: str, loss: Loss, target: Array, *, ranked: bool = False) -> Answers:
        """Decide how they are read.

        Parameters
        ----------
        asking : str
            What errors call it: a metric's name, or words.
        loss : Loss
        target : array of shape (N, ...)
        ranked : bool
            Whether it is enough that outputs can be put in order.

        Raises
        ------
        TargetError
            If outputs or targets say no classes.
        """
        if asking.isidentifier():
            asking = f"The metric {asking}"
        kind = loss.outputs
        if kind in LARGEST:
            ignored: int | None = getattr(loss, "ignore_index", None)
            return cls(asking, kind, True, ignored=ignored)
        if kind in BORDERS and (ranked or kind != "distances"):
            return cls(asking, kind, False, BORDERS[kind])
        if kind not in ("values", "log-values"):
            raise TargetError(
                f"{asking} counts classes, and the outputs of {loss.made_by} are {kind}"
            )
        return cls._of_values(asking, kind, target)

    @classmethod
    def _of_values(cls, asking: str, kind: str, target: Array) -> Answers:
        values = np.unique(target)
        if target.ndim == 2 and target.shape[1] > 1 and _is_one_hot(target):
            return cls(asking, kind, True)
        if np.isin(values, (0, 1)).all():
            return cls(asking, kind, False, 0.5 if kind == "values" else math.log(0.5))
        if np.isin(values, (-1, 1)).all() and kind == "values":
            return cls(asking, kind, False)
        if target.ndim == 1 and np.array_equal(values, np.rint(values)):
            return cls(asking, kind, True)
        shown = ", ".join(f"{value:g}" for value in values[:4])
        raise TargetError(
            f"{asking} counts classes, and these targets are no classes: they take "
            f"{len(values)} values, {shown}{', ...' if len(values) > 4 else ''}",
            advice=_OF_VALUES,
        )

    def are_labels(self, target: Array) -> bool:
        """Whether an example can have several of what the targets name, or none of it."""
        return not self.takes_largest and bool(np.prod(target.shape[1:]) > 1)

    def check_no_labels(self, target: Array, advice: str | None = None) -> None:
        """Raise TargetError if an example can have several labels."""
        if self.are_labels(target):
            raise TargetError(
                f"{self.asking} is of one class per example, and these are "
                f"{int(np.prod(target.shape[1:]))} labels of each",
                advice=advice,
            )

    # --- of a batch, in Tensors --------------------------------------------------------------

    def decide(self, output: Any, target: Tensor) -> Decided:
        """What outputs and targets of a batch say.

        Raises
        ------
        ShapeError, TargetError
            If they cannot be compared.
        """
        check_one_output(self.asking, output)
        if self._has_classes(output, target):
            scores, actual = self.scores_of_classes(output), self._classes(output, target)
            # Examples are left out by their weight, places here.
            kept = None if self.ignored is None or actual.ndim < 2 else actual != self.ignored
            return Decided(scores.argmax(axis=-1), actual, int(scores.shape[-1]), kept)
        check_same_shape(self.asking, output, target)
        says_yes, is_yes = _flat(output > self.border), _flat(target > YES)
        return Decided(says_yes, is_yes, 2 if says_yes.ndim == 1 else None)

    def scores_of_classes(self, output: Tensor) -> Tensor:
        """The outputs with the classes as the last axis."""
        return output if output.ndim == 2 else moveaxis(output, 1, -1)

    def _has_classes(self, output: Tensor, target: Tensor) -> bool:
        """Whether there is an output for each class, and one class for each example or place."""
        beside_numbers = output.ndim == 2 and output.shape[1] > 1 and target.ndim == 1
        if self.takes_largest and output.ndim < 2 and output.shape == target.shape:
            raise TargetError(
                f"{self.asking} counts classes; beside one output a class is 0 or 1, or -1 or 1",
                where=here(),
                advice=_OF_VALUES,
            )
        return self.takes_largest or beside_numbers

    def _classes(self, output: Tensor, target: Tensor) -> Tensor:
        """The targets' classes, [B, ...]."""
        are_several = output.ndim > 1 and output.shape[1] > 1
        if are_several and target.shape == (*output.shape[:1], *output.shape[2:]):
            return target.astype("int64")
        check_same_shape(self.asking, output, target)
        return self.scores_of_classes(target).argmax(axis=-1)

    # --- of a whole set, in an array ---------------------------------------------------------

    def all_indicators(self, target: Array, width: int | None) -> Array:
        """Of which class, or of which labels, each example or place that counts is, bool [M, C].

        Parameters
        ----------
        target : array of shape (N, ...)
        width : int or None
            How many outputs there are, where they have an axis for it.
        """
        if not self.takes_largest and (target.ndim > 1 or (width or 1) == 1):
            yes = (target > YES).reshape(len(target), -1)
            return yes if yes.shape[1] > 1 else np.concatenate([~yes, yes], axis=1)
        if target.ndim > 1 and target.dtype.kind == "f":
            classes = target.argmax(axis=1).reshape(-1)
        else:
            classes = target.reshape(-1).astype(np.int64)
            classes = classes if self.ignored is None else classes[classes != self.ignored]
        count = width if width is not None else int(classes.max(initial=1)) + 1
        return np.asarray(classes[:, None] == np.arange(count))


def _is_one_hot(target: Array) -> bool:
    return bool(np.isin(target, (0, 1)).all() and (target.sum(axis=1) == 1).all())


def _flat(values: Tensor) -> Tensor:
    """One axis of values behind the examples; none where there is one value of each."""
    if values.ndim == 1:
        return values
    count = int(np.prod(values.shape[1:]))
    return values.reshape(values.shape[0], *([count] if count > 1 else []))


# --- means over places -----------------------------------------------------------------------


def of_places(values: Tensor, decided: Decided) -> Tensor:
    """What is known of each example: [B], or the sum over its places and how many count, [B, 2]."""
    if not decided.has_places:
        return values
    kept = decided.actual == decided.actual if decided.kept is None else decided.kept
    numbers = values.astype("int64") if values.dtype == np.bool_ else values
    axes = tuple(range(1, kept.ndim))
    total = where(kept, numbers, 0).sum(axis=axes)
    return stack([total, kept.astype(numbers.dtype).sum(axis=axes)], axis=1)


def share_of_places(mean: Array) -> float:
    """The mean over examples, or over the places of all of them."""
    return float(mean) if mean.ndim == 0 else float(mean[0] / mean[1])
