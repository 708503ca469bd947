"""An exercise: a step of a small network with round numbers, and what is asked of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any

from chainrule.explanation.capturing.capture import explain
from chainrule.explanation.checking.anatomy import Anatomy, take_apart
from chainrule.explanation.exercises.drawing import Given, draw
from chainrule.explanation.exercises.setting import Setting, setting_of
from chainrule.explanation.exercises.tasks import Task, tasks_of
from chainrule.explanation.trace import Trace
from chainrule.nn import Loss, Module
from chainrule.optim import SGD

if TYPE_CHECKING:
    from chainrule.explanation.exercises.grades import Grade

_UNUSED_RATE = 0.5  # nothing that depends on it is asked for


@dataclass(frozen=True, eq=False)
class Exercise:
    """A step to be done by hand.

    Parameters
    ----------
    setting : Setting
    given : Given
        The numbers that stand on the sheet.
    trace : Trace
        The step, computed in float64.
    tasks : tuple of Task
        What is asked for, in the order in which one comes to it.

    Notes
    -----
    It is the same for ever: the numbers come from the seed, by a generator that is frozen.
    """

    setting: Setting
    given: Given
    trace: Trace
    tasks: tuple[Task, ...]

    @property
    def points(self) -> int:
        """One for each number that is asked for."""
        return sum(len(task.indices) for task in self.tasks)

    @cached_property
    def anatomy(self) -> Anatomy:
        """The step taken apart, for mistakes."""
        return take_apart(self.trace)

    @cached_property
    def code(self) -> str:
        """The line from which the exercise is made again; a file of answers has it on top."""
        return f"{self.setting.code} id={self.identity}"

    @property
    def identity(self) -> str:
        """A checksum of what is given and asked: eight letters and digits."""
        digest = hashlib.blake2b(self.setting.code.encode(), digest_size=4)
        for array in (self.given.x, self.given.y, *self.given.state.values()):
            digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()

    @property
    def title(self) -> str:
        """``Backpropagation by hand, exercise 7``."""
        return f"Backpropagation by hand, exercise {self.setting.seed}"

    def to_html(self, path: str | PathLike[str]) -> None:
        """Write the sheet as one HTML file; printed, it is a page of A4.

        Raises
        ------
        ConfigurationError
            If it is no ``.html`` file.
        OSError
            As the system says; FolderNotFoundError is one.
        """
        from chainrule.explanation.exercises.printing import write_sheets

        write_sheets([self], path)

    def to_pdf(self, path: str | PathLike[str]) -> None:
        """Write the sheet as PDF, by a browser that is installed.

        Raises
        ------
        ConfigurationError
            If it is no ``.pdf`` file, or no browser is found that can print.
        OSError
            As the system says; FolderNotFoundError is one.
        """
        from chainrule.explanation.exercises.printing import write_sheets

        write_sheets([self], path)

    def save_key(self, path: str | PathLike[str]) -> None:
        """Write the key, with the worked solution, as ``.html`` or ``.pdf``.

        Raises
        ------
        ConfigurationError, OSError
            As `to_html` and `to_pdf` do.
        """
        from chainrule.explanation.exercises.printing import write_keys

        write_keys([self], path)

    def save_answers(self, path: str | PathLike[str]) -> None:
        """Write the file that a learner fills in, a ``.csv``.

        Raises
        ------
        ConfigurationError
            If it is no ``.csv`` file.
        OSError
            As the system says; FolderNotFoundError is one.
        """
        from chainrule.explanation.exercises.template import write_template

        write_template([self], path)

    def grade(self, mine: Mapping[str, Any], learner: str = "") -> Grade:
        """Count points for answers.

        Parameters
        ----------
        mine : mapping of str to number, text or array
            By name: ``{"delta2": [-0.0604], "dW1[0,1]": "0,0123"}``.
        learner : str

        Returns
        -------
        Grade
        """
        from chainrule.explanation.exercises.grading import grade_numbers

        return grade_numbers(self, mine, learner)

    def text(self, width: int = 80) -> str:
        """The sheet as plain text."""
        from chainrule.explanation.exercises.sheet import sheet_as_text

        return sheet_as_text(self, width)

    def _repr_html_(self) -> str:
        from chainrule.explanation.exercises.sheet import sheet_fragment

        return sheet_fragment(self)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"Exercise({self.code!r})"


def exercise(
    network: str | Module = "2-3-1",
    *,
    seed: int = 0,
    ask: Sequence[str] | str = (),
    activation: str = "Sigmoid",
    output: str | None = None,
    loss: str | Loss = "QuadraticLoss",
    examples: int = 1,
    learning_rate: float | None = None,
    digits: int = 4,
) -> Exercise:
    """Make an exercise in backpropagation: round numbers, blanks, a key.

    Parameters
    ----------
    network : str or Module
        The sizes of its layers, ``"2-3-1"``; or a chain of `Linear` layers and activations.
    seed : int
        Another seed, other numbers: tenths in which no gradient vanishes, and such that the
        mistakes which `check` knows give different answers.
    ask : sequence of str
        What to ask for: ``"d_2.weight"`` or ``"dW2"``, ``"δ1"`` or ``"delta1"``, ``"a1"``,
        ``"W1_new"``, ``"dW1[0,1]"``. By default all steps of a textbook.
    activation, output : str
        What hidden layers end with, and the last one; by default the last has what the loss takes.
    loss : str or Loss
    examples : int
        In the batch; the cost is their mean.
    learning_rate : float, optional
        Of one step of gradient descent; with it updated weights are asked for, too.
    digits : int
        How many significant digits are asked for.

    Returns
    -------
    Exercise

    Raises
    ------
    ConfigurationError, NameNotFoundError
        If it is nothing that is done by hand, or there is no such value to ask for.

    Examples
    --------
    >>> import chainrule as cr
    >>> made = cr.exercise("2-3-1", seed=7, ask=["δ2", "d_2.weight"])
    >>> [task.name for task in made.tasks], made.points
    (['delta2', 'dW2'], 4)
    """
    from chainrule.explanation.exercises.choosing import choose

    setting = setting_of(
        network,
        activation=activation,
        output=output,
        loss=loss,
        examples=examples,
        learning_rate=learning_rate,
        digits=digits,
        seed=seed,
    )
    asked = (ask,) if isinstance(ask, str) else tuple(ask)
    return choose(lambda number: make(setting.redrawn(number), asked))


def make(setting: Setting, ask: Sequence[str] | None = None) -> Exercise:
    """The exercise of a setting, with just these numbers.

    Parameters
    ----------
    setting : Setting
    ask : sequence of str, optional
        By default what the setting says.

    Raises
    ------
    NameNotFoundError, ConfigurationError
        If there is nothing of a name that is asked for.
    """
    given = draw(setting)
    net = setting.build()
    net.load_state_dict({**net.initialize(seed=0).state_dict(), **given.state})
    rate = _UNUSED_RATE if setting.learning_rate is None else setting.learning_rate
    trace = explain(
        net,
        given.x,
        given.y,
        loss=setting.cost,
        optimizer=SGD(lr=rate),
        backend="numpy",
        names=_names(setting),
    )
    asked = setting.ask if ask is None else ask
    tasks = tasks_of(trace, asked, with_update=setting.learning_rate is not None)
    named = replace(setting, ask=tuple(dict.fromkeys(task.asked for task in tasks)))
    return Exercise(named, given, trace, tuple(tasks))


def _names(setting: Setting) -> dict[str, tuple[str, ...]]:
    """What targets are called: y, as on the sheet; of classes each example's is one number."""
    if setting.examples > 1:
        return {}
    if setting.cost.targets == "classes":
        return {"y": ("target",)}
    if setting.sizes[-1] == 1:
        return {"y": ("target[0]",)}
    return {f"y[{k}]": (f"target[{k}]",) for k in range(setting.sizes[-1])}
