"""What a set-up is, and how it is written down."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import chainrule as cr
from chainrule import nn, optim

BEFORE, AFTER = "before", "after"
BOTH = (BEFORE, AFTER)

_NAMES = """
    gradient-zero gradient-missing gradient-not-finite loss-not-finite exploding-gradient
    vanishing-gradient dead-units saturated-units symmetric-initialization unreachable-targets
    loss-output-mismatch learning-rate-too-large learning-rate-too-small misreported-metric
    unscaled-inputs unscaled-targets not-finite-data shuffled-targets noisy-targets leaking-split
    no-update class-collapse class-imbalance frozen-layer constant-features duplicate-features
    overfitting too-few-units dropout-too-strong batch-norm-on-tiny-batch penalty-too-strong
    duplicate-rows
"""
VOCABULARY = frozenset(_NAMES.split())


@dataclass(frozen=True)
class Setup:
    """What a user hands to `fit`.

    Parameters
    ----------
    net, x, y, loss, optimizer, epochs, batch_size, validation, metrics
        As `fit` takes them.
    more : mapping
        Its other arguments: schedule, drop_last, dtype, ...
    fresh : tuple (x, y), optional
        Examples that neither training nor validation has seen: what the network is judged on;
        by default the training examples.
    """

    net: nn.Module
    x: Any
    y: Any
    loss: Any
    optimizer: optim.Optimizer
    epochs: int = 10
    batch_size: int = 32
    validation: tuple[Any, Any] | None = None
    metrics: Sequence[str] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    fresh: tuple[Any, Any] | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of `fit`."""
        return {
            "loss": self.loss,
            "optimizer": self.optimizer,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "validation": self.validation,
            "metrics": self.metrics,
            **self.more,
        }

    def fit(self, **others: Any) -> cr.Run:
        """Train. NumPy computes it unless told otherwise: most are trained before they compile."""
        others = {"backend": "numpy", "progress": False, **others}
        return cr.fit(self.net, self.x, self.y, **self.options, **others)


@dataclass(frozen=True)
class Case:
    """A set-up with what is known of it.

    Parameters
    ----------
    make : function
        Builds it anew. Where it takes `mended`, ``make(mended=True)`` has the fault taken out and
        all else as it was.
    finding : str or None
        The name of what is wrong; None: it is healthy.
    judge : function of (outputs, targets) to float
        More is better, 1 is best.
    goal : float
        What a healthy or mended set-up reaches by its training and a broken one does not.
    looked_at : tuple of str
        When the doctor is asked: "before" training, "after" it.
    also : tuple of str
        Findings that are true of it as well: what the fault leads to, or a remark of fact.
    refused : type of error or None
        What `fit` raises.
    learns : bool
        A fault that costs something else than the goal: it reaches that all the same.
    """

    make: Callable[..., Setup]
    finding: str | None
    judge: Callable[[Any, Any], float]
    goal: float
    looked_at: tuple[str, ...]
    also: tuple[str, ...]
    refused: type[Exception] | None
    learns: bool

    @property
    def name(self) -> str:
        return self.make.__name__

    @property
    def can_be_mended(self) -> bool:
        return "mended" in inspect.signature(self.make).parameters

    def score(self, setup: Setup) -> float:
        """How well a trained network does what it is for."""
        x, y = (setup.x, setup.y) if setup.fresh is None else setup.fresh
        return self.judge(setup.net.predict(x), y)


_BOOKS: dict[tuple[str, str], dict[str, Case]] = {}


def _book(kind: str, exam: str) -> dict[str, Case]:
    return _BOOKS.setdefault((kind, exam), {})


def broken_of(exam: str) -> Mapping[str, Case]:
    """The broken set-ups of an exam."""
    return MappingProxyType(_book("broken", exam))


def healthy_of(exam: str) -> Mapping[str, Case]:
    """Its healthy ones."""
    return MappingProxyType(_book("healthy", exam))


def broken(
    finding: str,
    judge: Callable[[Any, Any], float],
    goal: float,
    *,
    looked_at: tuple[str, ...] = BOTH,
    also: Sequence[str] = (),
    refused: type[Exception] | None = None,
    learns: bool = False,
    exam: str = "first",
) -> Callable[[Callable[..., Setup]], Callable[..., Setup]]:
    """Write down a set-up with the name of what is wrong with it.

    Each exam has books of its own; so have those of MNIST, because its files may not be there.
    """
    book = _book("broken", exam)
    return _written(book, finding, judge, goal, looked_at, also, refused, learns)


def healthy(
    judge: Callable[[Any, Any], float],
    goal: float,
    *,
    looked_at: tuple[str, ...] = BOTH,
    also: Sequence[str] = (),
    exam: str = "first",
) -> Callable[[Callable[..., Setup]], Callable[..., Setup]]:
    """Write down a set-up with nothing wrong."""
    return _written(_book("healthy", exam), None, judge, goal, looked_at, also, None, True)


def _written(
    book: dict[str, Case],
    finding: str | None,
    judge: Callable[[Any, Any], float],
    goal: float,
    looked_at: tuple[str, ...],
    also: Sequence[str],
    refused: type[Exception] | None,
    learns: bool,
) -> Callable[[Callable[..., Setup]], Callable[..., Setup]]:
    def write(make: Callable[..., Setup]) -> Callable[..., Setup]:
        if any(make.__name__ in other for other in _BOOKS.values()):
            raise ValueError(f"There is a set-up named {make.__name__} already")
        unknown = {finding, *also} - VOCABULARY - {None}
        if unknown:
            raise ValueError(f"{make.__name__}: no such finding as {', '.join(map(str, unknown))}")
        case = Case(make, finding, judge, goal, looked_at, tuple(also), refused, learns)
        book[make.__name__] = case
        return make

    return write
