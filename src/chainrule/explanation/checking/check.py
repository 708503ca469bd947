"""check: a learner's numbers against the true ones, and which mistake makes the difference."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, TypeAlias

from chainrule.base.errors import ConfigurationError
from chainrule.explanation.capturing.capture import explain
from chainrule.explanation.capturing.words import spoken_by
from chainrule.explanation.checking import mistakes as mistakes  # enters them into the registry
from chainrule.explanation.checking.anatomy import take_apart
from chainrule.explanation.checking.files import read_answers
from chainrule.explanation.checking.judging import judge
from chainrule.explanation.checking.submission import readings
from chainrule.explanation.checking.suspicion import Suspects
from chainrule.explanation.checking.verdict import WRONG, Check
from chainrule.explanation.trace import Array, Trace
from chainrule.nn import Module
from chainrule.optim import SGD, Optimizer
from chainrule.train.arrays import weights_by_class
from chainrule.train.run import Moment

Answers: TypeAlias = Mapping[str, Any] | str | PathLike[str]
"""What a learner hands in: numbers by name, or a file of them."""


def check(
    what: Module | Moment | Trace,
    x: Any = None,
    y: Any = None,
    *,
    mine: Answers,
    loss: Any = "MSELoss",
    optimizer: Optimizer | None = None,
    learning_rate: float | None = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    penalty: Any = None,
    seed: int = 0,
    names: Mapping[str, Sequence[str]] | None = None,
) -> Check:
    """Compare a learner's numbers with the true ones, and name the mistake that was made.

    Parameters
    ----------
    what : Module, Moment or Trace
        A network, with `x` and `y`: the step on all of them as one batch. Or a step of a run,
        ``run.at(step)``, or one that was captured.
    x, y : arrays
        As `fit` takes them.
    mine : mapping of str to array, or path
        What the learner has. A parameter's name stands for its gradient; ``δ1`` or ``d_0.out`` is
        an error, ``a1`` or ``1.out`` an activation, ``next.0.weight`` an updated weight. Numbers
        may be rounded, texts such as ``"0,25"`` or ``"1/3"``, and NaN, None or ``"?"`` where
        there is none. Or a file of them: ``.csv``, ``.json``, ``.npz``, ``.safetensors``.
    loss, optimizer, sample_weight, class_weight, penalty, seed, names
        As `explain` takes them.
    learning_rate : float, optional
        Of plain gradient descent, for updated weights; it stands for ``optimizer=SGD(lr=...)``.
        With it, or an optimizer, a parameter's name may stand for the updated weight as well.

    Returns
    -------
    Check

    Raises
    ------
    ConfigurationError
        If nothing of `mine` can be read, or the step follows no gradient.
    FileFormatError, FileNotFoundError
        If `mine` is a file that cannot be read.
    ShapeError, TargetError
        As `fit` does.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> from chainrule import nn
    >>> net = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())
    >>> x, y = np.array([[0.3, 0.7]]), np.array([[1.0]])
    >>> trace = cr.explain(net, x, y, loss=nn.QuadraticLoss())
    >>> a, t = trace["a1", 0, 0].value, 1.0
    >>> mine = {"0.weight": (a - t) * x}  # and where is the slope of the sigmoid?
    >>> cr.check(net, x, y, loss=nn.QuadraticLoss(), mine=mine).mistakes
    ('missing-derivative', 'error-of-cross-entropy')
    """
    trace = _trace_of(
        what,
        x,
        y,
        loss=loss,
        optimizer=_descent(optimizer, learning_rate),
        sample_weight=sample_weight,
        class_weight=class_weight,
        penalty=penalty,
        seed=seed,
        names=names,
    )
    has_update = learning_rate is not None or optimizer is not None or not isinstance(what, Module)
    ask_previous = _gradients_before(what) if isinstance(what, Moment) else None
    return check_trace(
        trace, mine, has_update=has_update, ask_previous=ask_previous, class_weight=class_weight
    )


def check_trace(
    trace: Trace,
    mine: Answers,
    *,
    has_update: bool,
    ask_previous: Callable[[], Mapping[str, Array]] | None = None,
    class_weight: Any = None,
) -> Check:
    """Compare a learner's numbers with those of a step that was captured.

    Parameters
    ----------
    trace : Trace
    mine : mapping of str to array, or path
    has_update : bool
        Whether the learning rate was given, so that weights may be updated ones.
    ask_previous : callable, optional
        Gives the gradients of the step before, by parameter.
    class_weight : mapping or sequence, optional
        What the step was captured with: its weights are those of classes and examples in one.

    Raises
    ------
    ConfigurationError, FileFormatError
        As `check` does.
    """
    answers = read_answers(mine) if isinstance(mine, str | PathLike) else mine
    anatomy = take_apart(trace, ask_previous)
    if class_weight is not None:
        target = anatomy.values[anatomy.names["target"]]
        anatomy = replace(anatomy, class_weight=weights_by_class(target, class_weight))
    suspects = Suspects(anatomy)
    first: Check | None = None
    for submission in readings(anatomy, answers, has_update=has_update):
        found = judge(anatomy, submission, suspects)
        if found.verdict != WRONG or (found.causes and found.is_whole):
            return found
        first = found if first is None else first  # a check that found something wrong is false
    assert first is not None
    return first


def _gradients_before(moment: Moment) -> Callable[[], Mapping[str, Array]] | None:
    """What asks for the gradients of the step before, if there was one of one batch."""
    ask = moment.ask_previous
    if ask is None or len(moment.rows) > 1:
        return None
    names = {f"d_{name}": name for name in moment.parameters}
    names = {value: name for value, name in names.items() if value in moment.graph.positions}
    return lambda: {names[value]: array for value, array in ask().record(list(names)).items()}


def _descent(optimizer: Optimizer | None, learning_rate: float | None) -> Optimizer | None:
    if learning_rate is None:
        return optimizer
    if optimizer is not None:
        raise ConfigurationError(
            "check got a learning rate and an optimizer, which has one of its own",
            advice="Pass one of them",
        )
    return SGD(lr=learning_rate)


def _trace_of(what: Module | Moment | Trace, x: Any, y: Any, **options: Any) -> Trace:
    with spoken_by("check", instead_of="explain"):
        if isinstance(what, Trace):
            _refuse_others(x, y, options)
            return what
        if isinstance(what, Moment):
            return explain(what, x, y, **options)
        return explain(what, x, y, backend="numpy", **options)


def _refuse_others(x: Any, y: Any, options: Mapping[str, Any]) -> None:
    """Raise ConfigurationError where a trace is checked with options of another step."""
    parameters = inspect.signature(check).parameters
    for name, value in {"x": x, "y": y, **options}.items():
        default = parameters[name].default
        if value is not default and not (isinstance(value, str | int) and value == default):
            raise ConfigurationError(
                f"check got a step that was captured, and {name} with it",
                advice="A step knows its data and all else: cr.check(trace, mine=...)",
            )
