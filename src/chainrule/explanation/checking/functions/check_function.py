"""check_function: where a learner's own backpropagation goes wrong, and which mistake it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.base.errors import ConfigurationError
from chainrule.explanation.checking.check import check
from chainrule.explanation.checking.functions.apart import Outcome, calls_apart, is_apart
from chainrule.explanation.checking.functions.cases import (
    Case,
    MakeActivation,
    make_case,
    sizes_to_try,
)
from chainrule.explanation.checking.functions.conventions import Form, Layout, form_of, layouts
from chainrule.explanation.checking.functions.report import FunctionCheck, Tried
from chainrule.explanation.checking.functions.returned import Places, gradients_of, places_of
from chainrule.nn import Module, Sigmoid
from chainrule.nn.losses import LOSSES
from chainrule.nn.losses.loss import Loss

_RATE = 0.5
_ENOUGH = 3  # networks that no mistake explains: larger ones would say no more
_PROBE = 4  # examples, and sizes that all differ: each shape says what it is of


def check_function(
    function: Callable[..., Any],
    *,
    loss: Any = "QuadraticLoss",
    activation: MakeActivation = Sigmoid,
    output: MakeActivation | None = None,
    seed: int = 0,
    seconds: float = 5.0,
) -> FunctionCheck:
    """Call a learner's backpropagation on random networks, and name the mistake in it.

    Parameters
    ----------
    function : callable
        Takes a network and a batch, and returns gradients. Its arguments are known by their
        names: ``x`` and ``y``; ``weights`` and ``biases`` as lists, or ``W1, b1, W2, b2``, or
        ``params`` as a dict; ``learning_rate``. Weights may be (out, in) or (in, out), examples
        rows, columns or one vector at a time; it returns lists, a dict or a tuple. Or it takes one
        argument, ``case``, with ``case.x``, ``case.y``, ``case.weights``, ``case.biases``.
    loss : Loss or str
        What the function differentiates: the mean of it over the batch.
    activation, output : callable
        Make the activation of hidden layers, and of the last: ``nn.Tanh``, ``nn.Identity``.
    seed : int
        Of the networks' numbers, which are tenths.
    seconds : float
        For one call.

    Returns
    -------
    FunctionCheck
        True where the function is right on every network.

    Raises
    ------
    ConfigurationError
        If it is not known what to pass for an argument.

    Notes
    -----
    The function runs in a process of its own, with copies of its arguments: what it raises, prints
    or writes into them is reported, and it is stopped where it does not come to an end.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> def backprop(x, y, W1, b1, W2, b2):
    ...     a1 = 1 / (1 + np.exp(-(x @ W1 + b1)))
    ...     a2 = 1 / (1 + np.exp(-(a1 @ W2 + b2)))
    ...     d2 = (a2 - y) * a2 * (1 - a2) / len(x)
    ...     d1 = d2 @ W2.T  # and where is the slope of the sigmoid?
    ...     return x.T @ d1, d1.sum(0), a1.T @ d2, d2.sum(0)
    >>> found = cr.check_function(backprop)
    >>> found.mistakes, str(found.smallest.case)
    (('missing-derivative',), '1-1-1 with 1 example')
    """
    made = _Maker(activation, output or activation, loss, seed)
    name = getattr(function, "__name__", "the function")
    calling, trouble = _calling(function, form_of(function), made, seconds)
    if calling is None:
        return FunctionCheck(name, None, (), trouble)
    cases = _cases(calling, made)
    tried = tuple(_tried(function, calling, made, cases, seconds))
    notes = () if is_apart() else ("It ran in this process: one that hangs is not stopped here.",)
    return FunctionCheck(name, calling.layout, tried, "", notes, len(tried) == len(cases))


@dataclass(frozen=True)
class _Calling:
    """How a function is called, and where its gradients are.

    Parameters
    ----------
    form : Form
    layout : Layout
    places : Places
    depth : int or None
        How many layers it is for; None for any number.
    """

    form: Form
    layout: Layout
    places: Places
    depth: int | None


@dataclass(frozen=True)
class _Refusal:
    """Why a function could not be called; final where other ways need not be tried."""

    reason: str
    is_final: bool = False


@dataclass(frozen=True)
class _Maker:
    """What the networks are made of, apart from their sizes."""

    hidden: MakeActivation
    output: MakeActivation
    loss: Any
    seed: int

    def __post_init__(self) -> None:
        for make in (self.hidden, self.output):
            if not callable(make) or not isinstance(make(), Module):
                raise ConfigurationError(
                    f"An activation is given as what makes it; got {make!r:.60}",
                    advice="Pass the class: check_function(f, activation=nn.Tanh)",
                )

    @property
    def is_choice(self) -> bool:
        """Whether a target is one of the outputs."""
        loss = LOSSES.get(self.loss)() if isinstance(self.loss, str) else self.loss
        return isinstance(loss, Loss) and loss.outputs in ("logits", "log-probabilities", "scores")

    def case(self, sizes: Sequence[int], examples: int) -> Case:
        """A network of these sizes."""
        return make_case(
            sizes,
            examples,
            self.seed,
            hidden=self.hidden,
            output=self.output,
            is_choice=self.is_choice,
        )


def _calling(
    function: Callable[..., Any], form: Form, made: _Maker, seconds: float
) -> tuple[_Calling | None, str]:
    """How a function is called, found by trying; or why it cannot be.

    Layers whose sizes all differ make wrong layouts fail, or come out in shapes that do not fit.
    """
    reasons: list[str] = []
    for each in form.forms:
        for depth in (each.depth,) if each.depth else (2, 1, 3):
            found = _at_depth(function, each, depth, made, seconds)
            if isinstance(found, _Calling):
                is_any = each.depth is None and _takes_other_depths(function, found, made, seconds)
                return replace(found, depth=None if is_any else depth), ""
            reasons.append(found.reason)
            if found.is_final:  # what hangs once is not called for every other form
                return None, found.reason
    return None, reasons[0]


def _at_depth(
    function: Callable[..., Any], form: Form, depth: int, made: _Maker, seconds: float
) -> _Calling | _Refusal:
    case = made.case(range(2, depth + 3), depth + _PROBE)
    tried: list[tuple[tuple[int, int], _Calling]] = []
    outcomes: list[Outcome] = []
    choices = list(layouts(form, is_choice=made.is_choice))
    calls = [form.arguments(_for(case, layout), layout, _RATE) for layout in choices]
    for layout, outcome in zip(choices, calls_apart(function, calls, seconds), strict=False):
        outcomes.append(outcome)
        places = places_of(_for(case, layout), layout, outcome.arrays)
        calling = _Calling(form, layout, places, depth)
        found = _compared(_for(case, layout), calling, made, outcome)
        if found.fitting > depth:  # more than half of all gradients
            right = sum(row.is_right for row in found.check.rows) if found.check else 0
            tried.append(((right, found.fitting), calling))
            if right == 2 * depth:
                break
    if tried:
        return max(tried, key=lambda each: each[0])[1]
    stopped = next((outcome for outcome in outcomes if outcome.is_last), None)
    returned = next((outcome for outcome in outcomes if not outcome.trouble), None)
    if stopped is not None or returned is None:
        return _Refusal(f"It {(stopped or outcomes[0]).trouble}", stopped is not None)
    shapes = ", ".join(str(array.shape) for array in returned.arrays.values())
    what = f"arrays of the shapes {shapes}" if shapes else "no arrays"
    pairs = zip(case.weights, case.biases, strict=True)
    wanted = ", ".join(f"{w.shape} or {w.shape[::-1]} and {b.shape}" for w, b in pairs)
    told = f"for the network {'-'.join(map(str, case.sizes))} with {len(case.x)} examples"
    return _Refusal(f"It returned {what} {told}; gradients have the shapes {wanted}")


def _takes_other_depths(
    function: Callable[..., Any], calling: _Calling, made: _Maker, seconds: float
) -> bool:
    """Whether networks with fewer and more layers come out in shapes that fit, too."""
    for depth in (1, 2, 3):
        case = _for(made.case(range(2, depth + 3), depth + _PROBE), calling.layout)
        call = calling.form.arguments(case, calling.layout, _RATE)
        for outcome in calls_apart(function, [call], seconds):
            if _compared(case, calling, made, outcome).fitting < 2 * depth:
                return False
    return True


def _for(case: Case, layout: Layout) -> Case:
    """The case, with one example where a layout takes one."""
    return replace(case, x=case.x[:1], y=case.y[:1]) if layout.is_single else case


def _cases(calling: _Calling, made: _Maker) -> list[Case]:
    sizes = sizes_to_try(calling.depth, is_choice=made.is_choice)
    return [
        made.case(widths, count)
        for widths, count in sizes
        if count == 1 or not calling.layout.is_single
    ]


def _tried(
    function: Callable[..., Any],
    calling: _Calling,
    made: _Maker,
    cases: Sequence[Case],
    seconds: float,
) -> Iterator[Tried]:
    calls = [calling.form.arguments(case, calling.layout, _RATE) for case in cases]
    unexplained = 0
    for case, outcome in zip(cases, calls_apart(function, calls, seconds), strict=False):
        tried = _compared(case, calling, made, outcome)
        yield tried
        unexplained += not tried.is_explained
        if unexplained == _ENOUGH:  # the search takes longest where it finds nothing
            return


def _compared(case: Case, calling: _Calling, made: _Maker, outcome: Outcome) -> Tried:
    mine, notes = gradients_of(
        case,
        calling.layout,
        outcome.arrays,
        calling.places,
        is_wrapped=calling.form.is_wrapped,
    )
    broken = [name for name, array in mine.items() if not np.isfinite(array).all()]
    if broken:
        notes.append(f"the gradient of {', '.join(broken)} has NaN or infinite numbers")
    found = None
    if mine and not broken:
        rate = _RATE if calling.form.has_rate else None
        found = check(case.net, case.x, case.y, loss=made.loss, mine=mine, learning_rate=rate)
    return Tried(case, outcome, tuple(notes), found, len(mine))
