"""check_function: where a learner's own backpropagation goes wrong, and which mistake it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from chainrule.explanation.checking.functions.apart import Apart, is_apart
from chainrule.explanation.checking.functions.arguments import form_of, name_of
from chainrule.explanation.checking.functions.cases import MakeActivation
from chainrule.explanation.checking.functions.classes import as_function, is_class_or_method
from chainrule.explanation.checking.functions.finding import Calling, Finder, Refusal
from chainrule.explanation.checking.functions.meaning import meant_for
from chainrule.explanation.checking.functions.objective import MEAN, Objective
from chainrule.explanation.checking.functions.report import FunctionCheck
from chainrule.explanation.checking.functions.trying import Trial, Tried
from chainrule.nn import Sigmoid


def check_function(
    function: Callable[..., Any],
    *,
    loss: Any = "QuadraticLoss",
    activation: MakeActivation = Sigmoid,
    output: MakeActivation | None = None,
    over_examples: str = MEAN,
    over_outputs: str | None = None,
    seed: int = 0,
    seconds: float = 5.0,
) -> FunctionCheck:
    """Call a learner's backpropagation on random networks, and name the mistake in it.

    Parameters
    ----------
    function : callable
        Takes a network and a batch, and returns gradients, or writes updated weights into those
        that it was given. Its arguments are known by their names: ``x`` and ``y``; ``weights`` and
        ``biases`` as lists, or ``W1, b1, W2, b2``, or ``params``; ``learning_rate``; what the
        forward pass computes, ``Z1``, ``A1``, ``cache``. Weights may be (out, in) or (in, out),
        examples rows, columns or one vector at a time; it returns lists, a dict, a tuple or one
        vector. Or it takes one argument, ``case``, with ``case.x``, ``case.y``, ``case.weights``,
        ``case.biases``. A class is made with the layers' sizes, its weights and biases are set, and
        its ``backprop`` or ``backward`` is called; so is a bound method of such a network.
    loss : Loss or str
        What the function differentiates.
    activation, output : callable
        Make the activation of hidden layers, and of the last: ``nn.Tanh``, ``nn.Identity``.
    over_examples : {"mean", "sum"}
        What the loss of a batch is.
    over_outputs : {"mean", "sum"}, optional
        What the cost of an example is. By default either is right, in all networks alike; the
        report says which it is.
    seed : int
        Of the networks' numbers, which are tenths.
    seconds : float
        For one call; for all calls together there are twelve times as many.

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
    or writes into them is reported, and it is stopped where it does not come to an end. Each
    network is given to it twice, so that it is seen where an answer depends on the calls before.

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
    if is_class_or_method(function):
        function = as_function(function, seconds)
    objective = Objective(activation, output or activation, loss, over_examples, over_outputs, seed)
    name, form = name_of(function), form_of(function)
    apart = Apart(form.calling(function), seconds)
    calling = Finder(function, apart, objective).find(form)
    if isinstance(calling, Refusal):
        return FunctionCheck(name, None, (), calling.reason)
    notes = () if is_apart() else ("It ran in this process: one that hangs is not stopped here.",)
    return _found(name, calling, objective, apart, notes)


def _found(
    name: str, calling: Calling, objective: Objective, apart: Apart, notes: tuple[str, ...]
) -> FunctionCheck:
    trial = Trial(calling, objective, apart)
    cases = trial.cases
    tried = tuple(trial.tried(cases))
    found = _check(name, calling, objective, tried, notes, len(cases))
    others = [each for each in objective.choices if each != calling.over_outputs]
    if not _is_off(tried):
        return found
    if not others or _names_one(found):
        return _with_meaning(found, calling, objective, apart)
    # No gradient of the first network said whether outputs are added up or averaged.
    calling = replace(calling, over_outputs=others[0])
    trial = Trial(calling, objective, apart)
    again = tuple(
        replace(trial.compared(each.case, each.outcome), changes=each.changes) for each in tried
    )
    other = _check(name, calling, objective, again, notes, len(cases))
    if other or (_names_one(other) and not _names_one(found)):
        return other
    return _with_meaning(found, calling, objective, apart)


def _with_meaning(
    found: FunctionCheck, calling: Calling, objective: Objective, apart: Apart
) -> FunctionCheck:
    """With what the function may have been meant for, where its mistake may be that of who asked.

    So it may be where no mistake is known, or where it is that of another cost.
    """
    if found.causes and not any(name.startswith("error-of-") for name in found.mistakes):
        return found
    meaning = meant_for(calling, objective, apart)
    if not meaning:
        return found
    told = f"Its gradients are those for another one: check_function({found.name}, {meaning})."
    return replace(found, notes=(*found.notes, told))


def _is_off(tried: tuple[Tried, ...]) -> bool:
    """Whether numbers are wrong, and are the same in each call."""
    checks = [each.check for each in tried if each.check is not None and not each.check]
    return bool(checks) and not any(each.changes for each in tried)


def _names_one(found: FunctionCheck) -> bool:
    """Whether one mistake alone explains what is wrong."""
    return any(len(cause.faults) == 1 for cause in found.causes)


def _check(
    name: str,
    calling: Calling,
    objective: Objective,
    tried: tuple[Tried, ...],
    notes: tuple[str, ...],
    count: int,
) -> FunctionCheck:
    told: tuple[str, ...] = (
        f"Compared with the gradient of {objective.told(calling.over_outputs)}.",
    )
    told += objective.told_of_others(calling.over_outputs)
    if calling.is_update:
        told += ("It updates the weights that it is given: the new weights are compared.",)
    return FunctionCheck(
        name,
        calling.layout,
        tried,
        notes=notes,
        is_whole=len(tried) == count,
        conventions=(*told, *calling.remarks),
    )
