"""check: a learner's numbers against the true ones, and which mistake makes the difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.base.errors import ConfigurationError
from chainrule.explanation.capturing.capture import explain
from chainrule.explanation.checking import mistakes as mistakes  # enters them into the registry
from chainrule.explanation.checking.anatomy import Anatomy, take_apart
from chainrule.explanation.checking.entry import Entry
from chainrule.explanation.checking.search import Search, Suspicion
from chainrule.explanation.checking.submission import Submission, read_submission
from chainrule.explanation.checking.verdict import Cause, Check, Row
from chainrule.explanation.trace import Array, Trace
from chainrule.nn import Module
from chainrule.optim import SGD, Optimizer
from chainrule.train.run import Moment


def check(
    what: Module | Moment | Trace,
    x: Any = None,
    y: Any = None,
    *,
    mine: Mapping[str, Any],
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
    mine : mapping of str to array
        What the learner has. A parameter's name stands for its gradient; ``δ1`` or ``d_0.out`` is
        an error, ``a1`` or ``1.out`` an activation, ``next.0.weight`` an updated weight. Numbers
        may be rounded, and NaN where there is none.
    loss, optimizer, sample_weight, class_weight, penalty, seed, names
        As `explain` takes them.
    learning_rate : float, optional
        Of plain gradient descent, for updated weights; it stands for ``optimizer=SGD(lr=...)``.

    Returns
    -------
    Check

    Raises
    ------
    ConfigurationError
        If nothing of `mine` can be read, or the step follows no gradient.
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
    if learning_rate is not None:
        if optimizer is not None:
            raise ConfigurationError(
                "check got a learning rate and an optimizer, which has one of its own",
                advice="Pass one of them",
            )
        optimizer = SGD(lr=learning_rate)
    ask_previous = None
    if isinstance(what, Trace):
        trace = what
    elif isinstance(what, Moment):
        trace, ask_previous = explain(what, names=names), _gradients_before(what)
    else:
        trace = explain(
            what,
            x,
            y,
            loss=loss,
            optimizer=optimizer,
            sample_weight=sample_weight,
            class_weight=class_weight,
            penalty=penalty,
            backend="numpy",
            seed=seed,
            names=names,
        )
    anatomy = take_apart(trace, ask_previous)
    return judge(anatomy, read_submission(anatomy, mine))


def _gradients_before(moment: Moment) -> Callable[[], Mapping[str, Array]] | None:
    """What asks for the gradients of the step before, if there was one of one batch."""
    ask = moment.ask_previous
    if ask is None or len(moment.rows) > 1:
        return None
    names = {f"d_{name}": name for name in moment.parameters}
    names = {value: name for value, name in names.items() if value in moment.graph.positions}
    return lambda: {names[value]: array for value, array in ask().record(list(names)).items()}


def judge(anatomy: Anatomy, submission: Submission) -> Check:
    """Compare what was read with the truth, and search for what explains the difference."""
    entries = submission.entries
    rows = tuple(_row(entry, anatomy) for entry in entries)
    search = Search(anatomy, entries)
    causes: list[Cause] = []
    is_whole = True
    if search.wrong:
        found: list[tuple[Suspicion, ...]] = [(one,) for one in search.single()]
        found = found or list(search.pairs())
        if not found:
            is_whole = False
            found = [(one,) for one in search.nearest()]
        causes = [_cause(suspicions, entries, search) for suspicions in found]
    return Check(anatomy.trace, rows, tuple(causes), is_whole, submission.problems)


def _cause(suspicions: tuple[Suspicion, ...], entries: Sequence[Entry], search: Search) -> Cause:
    faults = tuple(suspicion.fault for suspicion in suspicions)
    every = len(suspicions) > 1  # a pair was looked at only where it explains all
    explained = search.wrong if every else search.wrong & suspicions[0].explained
    return Cause(faults, tuple(entries[k].name for k in sorted(explained)))


def _row(entry: Entry, anatomy: Anatomy) -> Row:
    value = anatomy.values[entry.position]
    wrong = entry.wrong(value)
    true = entry.expected(value)
    off = np.where(wrong, np.abs(entry.numbers - true), -1.0)
    worst = None
    if wrong.any():
        worst = tuple(map(int, np.unravel_index(int(np.nanargmax(off)), off.shape)))
    return Row(entry, true, int(np.count_nonzero(wrong)), worst)
