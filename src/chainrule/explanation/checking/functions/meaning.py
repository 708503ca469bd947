"""What a function that is wrong may have been meant for: other activations, or another loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from chainrule.base.errors import ChainruleError
from chainrule.explanation.checking.functions.apart import Apart
from chainrule.explanation.checking.functions.cases import MakeActivation
from chainrule.explanation.checking.functions.finding import GIVEN_RATE, Calling, is_close
from chainrule.explanation.checking.functions.objective import MEAN, Objective
from chainrule.explanation.checking.functions.watching import Outcome
from chainrule.nn import Identity, ReLU, Sigmoid, Tanh

_HIDDEN: tuple[MakeActivation, ...] = (Sigmoid, Tanh, ReLU)
_ENDS: tuple[tuple[MakeActivation, str], ...] = (
    (Sigmoid, "QuadraticLoss"), (Sigmoid, "BCELoss"), (Identity, "QuadraticLoss"),
    (Identity, "MSELoss"), (Sigmoid, "MSELoss"), (Identity, "CrossEntropyLoss"),
    (Tanh, "QuadraticLoss"), (Tanh, "MSELoss"),
)  # fmt: skip
"""Activations and losses that backpropagation is written for most often."""

_SIZES = ((2, 2), (3, 2, 3), (2, 3, 3, 2))  # by depth; several outputs, so that sums are seen


def meant_for(calling: Calling, objective: Objective, apart: Apart) -> str:
    """What to pass to check_function so that a function is right; empty if that is not known.

    Parameters
    ----------
    calling : Calling
        How the function is called. One that updates weights is not looked at.
    objective : Objective
        For which it is wrong.
    apart : Apart
    """
    depth = calling.depth or 2
    if (
        calling.rate is not None
        or depth > len(_SIZES)
        or calling.layout.has_classes
        or calling.layout.has_one_output
    ):
        return ""
    outcomes: dict[bool, Outcome | None] = {}
    for other in _others(objective, depth):
        case = other.case(
            _SIZES[depth - 1],
            1 if calling.layout.is_single else 5,
            has_biases=calling.form.has_biases,
        )
        if other.is_choice not in outcomes:
            call = calling.form.arguments(case, calling.layout, GIVEN_RATE)
            outcomes[other.is_choice] = apart.call(call)
        outcome = outcomes[other.is_choice]
        if outcome is None or outcome.trouble:
            continue
        mine = calling.answer(case, outcome).mine
        try:
            true = other.truth(case, other.own, None).gradients
        except ChainruleError:  # an output that the loss does not take
            continue
        factors = (1.0, case.sizes[-1] ** (1.0 if other.own == MEAN else -1.0))
        for factor in factors if other.own is not None else (1.0,):
            if mine and all(is_close(mine[name], factor * true[name]) for name in mine):
                return _arguments(other, depth)
    return ""


def _others(objective: Objective, depth: int) -> Iterator[Objective]:
    hidden: Sequence[MakeActivation] = _HIDDEN if depth > 1 else _HIDDEN[:1]
    for (output, loss), inner in product(_ENDS, hidden):
        yield replace(objective, hidden=inner, output=output, loss=loss, over_outputs=None)


def _arguments(objective: Objective, depth: int) -> str:
    names = [f'loss="{objective.loss}"', f"output=nn.{_name(objective.output)}"]
    if depth > 1:
        names.insert(1, f"activation=nn.{_name(objective.hidden)}")
    return ", ".join(names)


def _name(make: MakeActivation) -> str:
    return type(make()).__name__
