"""How a learner's function is called, and where its gradients are: found out by trying.

Layers whose sizes all differ make wrong layouts fail, or come out in shapes that do not fit.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from chainrule.explanation.checking.functions.apart import Apart
from chainrule.explanation.checking.functions.arguments import RATE, Form
from chainrule.explanation.checking.functions.cases import Case
from chainrule.explanation.checking.functions.conventions import Layout, layouts
from chainrule.explanation.checking.functions.objective import Objective
from chainrule.explanation.checking.functions.returned import (
    FLAT,
    RETURNED,
    WRITTEN,
    Answer,
    Places,
    answer_of,
    described,
    possible_places,
)
from chainrule.explanation.checking.functions.watching import Outcome
from chainrule.explanation.trace import Array

GIVEN_RATE = 0.5
"""The learning rate that a function is given, if it wants one."""

_PROBE = 4  # examples, and sizes that all differ: each shape says what it is of
_CLOSE = 1e-3  # enough to tell how a function is called; its numbers are compared later


@dataclass(frozen=True)
class Calling:
    """How a function is called, and where its gradients are.

    Parameters
    ----------
    form : Form
    layout : Layout
    places : Places
    depth : int or None
        How many layers it is for; None for any number.
    over_outputs : str or None
        What the function does over an example's outputs: their mean, or their sum.
    rate : float or None
        The learning rate of its update, where there is one.
    remarks : tuple of str
        What was assumed.
    is_guess : bool
        Whether the rate is so that the last layer's gradient fits, in part.
    """

    form: Form
    layout: Layout
    places: Places
    depth: int | None
    over_outputs: str | None
    rate: float | None
    remarks: tuple[str, ...] = ()
    is_guess: bool = False

    @property
    def is_update(self) -> bool:
        """Whether new weights are what it gives, in the arguments that it was given."""
        return self.places.source == WRITTEN

    def answer(self, case: Case, outcome: Outcome) -> Answer:
        """What came of a call, by parameter."""
        return answer_of(case, self.layout, self.form, outcome, self.places)


@dataclass(frozen=True)
class Refusal:
    """Why a function could not be called.

    Parameters
    ----------
    reason : str
    is_final : bool
        Whether other ways need not be tried.
    has_answers : bool
        Whether it gave any numbers.
    """

    reason: str
    is_final: bool = False
    has_answers: bool = False


@dataclass(frozen=True)
class Finder:
    """Finds out how a function is called.

    Parameters
    ----------
    function : callable
    apart : Apart
        The function in a process of its own.
    objective : Objective
    """

    function: Callable[..., Any]
    apart: Apart
    objective: Objective

    def find(self, form: Form) -> Calling | Refusal:
        """How a function of this form is called; or why it cannot be."""
        reasons: list[Refusal] = []
        for each in form.forms:
            for depth in (each.depth,) if each.depth else (2, 1, 3):
                found = self._at_depth(each, depth)
                if isinstance(found, Calling):
                    return self._with_depth(found, depth)
                reasons.append(found)
                if found.is_final:  # what hangs once is not called for every other form
                    return found
        if not self.objective.is_choice:
            for each in form.forms:
                depth = each.depth or 2
                found = self._at_depth(each, depth, has_one_output=True)
                if isinstance(found, Calling):
                    return self._with_depth(found, depth)
        if not any(each.has_answers for each in reasons):
            return reasons[0]
        # One that keeps something from call to call may fail in all but the first.
        depth = form.depth or 2
        found = self._at_depth(form, depth, is_anew=True)
        return self._with_depth(found, depth) if isinstance(found, Calling) else reasons[0]

    def _with_depth(self, found: Calling, depth: int) -> Calling:
        is_any = found.form.depth is None and self._takes_other_depths(found)
        return replace(found, depth=None if is_any else depth)

    def _at_depth(
        self, form: Form, depth: int, *, is_anew: bool = False, has_one_output: bool = False
    ) -> Calling | Refusal:
        objective = self.objective
        sizes = _probe(depth, has_one_output=has_one_output)
        case = objective.case(sizes, depth + _PROBE, has_biases=form.has_biases)
        single = first_example(case)
        choices = list(
            layouts(
                is_wrapped=form.is_wrapped,
                is_choice=objective.is_choice,
                has_one_output=has_one_output,
            )
        )
        cases = [single if layout.is_single else case for layout in choices]
        calls = [
            form.arguments(each, layout, GIVEN_RATE)
            for each, layout in zip(cases, choices, strict=True)
        ]
        best: tuple[tuple[bool, int, int], Calling] | None = None
        outcomes: list[Outcome] = []
        every = len(form.kinds) * depth
        for layout, each, outcome in zip(
            choices, cases, self._outcomes(calls, is_anew), strict=False
        ):
            if layout.is_single and best is not None and best[0][0]:
                break  # what takes a batch is not asked for one example: a missing 1/m is seen
            outcomes.append(outcome)
            for calling in self._callings(form, layout, each, outcome):
                answer = calling.answer(each, outcome)
                right = self._right(calling, each, answer)
                is_clean = len(answer.mine) == every and not answer.notes
                score = (is_clean and not layout.is_single, right, len(answer.mine))
                if _is_enough(form, each, outcome, answer) and (best is None or score > best[0]):
                    best = score, calling
            if best is not None and best[0][1] == every:
                break
        return best[1] if best is not None else _refusal(form, case, outcomes)

    def _outcomes(self, calls: Sequence[Mapping[str, Any]], is_anew: bool) -> Iterator[Outcome]:
        if not is_anew:
            yield from self.apart.calls(calls)
            return
        for call in calls:
            outcome = self.apart.call(call)
            if outcome is None or outcome.is_last:
                return
            yield outcome

    def _callings(
        self, form: Form, layout: Layout, case: Case, outcome: Outcome
    ) -> Iterator[Calling]:
        """The ways in which what a call gave can be read."""
        for places in possible_places(case, layout, form, outcome):
            rate: float | None = GIVEN_RATE if form.has_rate else None
            remarks: tuple[str, ...] = ()
            if places.source == WRITTEN and rate is None:
                rate, remarks = self._rate(form, layout, case, outcome, places)
            if places.source == FLAT:
                remarks = (f"Read as one vector of {places.order}, row by row.",)
            calling = Calling(form, layout, places, None, self.objective.own, rate, remarks)
            for over_outputs in self.objective.choices:
                yield replace(calling, over_outputs=over_outputs)
            if places.source == RETURNED and rate is None and not form.is_wrapped:
                rate, remarks = self._rate(form, layout, case, outcome, places)
                told = "It returns no gradients, but updated weights: those are compared."
                yield replace(calling, rate=rate, remarks=(told, *remarks), is_guess=True)

    def _rate(
        self, form: Form, layout: Layout, case: Case, outcome: Outcome, places: Places
    ) -> tuple[float, tuple[str, ...]]:
        """The rate of an update for which the function asks nobody."""
        for name, value in _surroundings(self.function).items():
            if RATE.fullmatch(name.lower().strip("_")) and isinstance(value, Real) and value:
                return float(value), (f"The learning rate is {name} = {float(value):g}.",)
        # The last layer is where a gradient is right most often.
        new = answer_of(case, layout, form, outcome, places).mine
        name = case.parameters[-1][-1 if form.has_biases else 0]
        true = self.objective.truth(case, self.objective.own, None).gradients[name]
        if name in new:
            old = case.biases[-1] if form.has_biases else case.weights[-1]
            rate = float(np.vdot(old - new[name], true) / np.vdot(true, true))
            if np.isfinite(rate) and rate > 0:
                rate = float(f"{rate:.6g}")
                told = f"The learning rate is taken to be {rate:g}: so far the last layer goes."
                return rate, (told,)
        return 1.0, ("The learning rate is taken to be 1.",)

    def _right(self, calling: Calling, case: Case, answer: Answer) -> int:
        """How many gradients are right, as far as that says how the function is called."""
        if not answer.mine:
            return 0
        truth = self.objective.truth(case, calling.over_outputs, None).gradients
        old = _old(case)
        right = 0
        for name, array in answer.mine.items():
            is_right = not calling.is_update and is_close(array, truth[name])
            if not is_right and calling.rate is not None:
                step = calling.rate * truth[name]
                is_right = is_close(old[name] - array, step)
            right += is_right
        return right if not calling.is_guess or right == len(answer.mine) else 0

    def _takes_other_depths(self, calling: Calling) -> bool:
        """Whether networks with fewer and more layers come out in shapes that fit, too."""
        kinds = calling.form.kinds
        for depth in (1, 2, 3):
            sizes = _probe(depth, has_one_output=calling.layout.has_one_output)
            case = self.objective.case(sizes, depth + _PROBE, has_biases=calling.form.has_biases)
            case = first_example(case) if calling.layout.is_single else case
            call = calling.form.arguments(case, calling.layout, GIVEN_RATE)
            outcome = self.apart.call(call) or next(self.apart.calls([call]))
            if len(calling.answer(case, outcome).mine) < len(kinds) * depth:
                return False
        return True


def _is_enough(form: Form, case: Case, outcome: Outcome, answer: Answer) -> bool:
    """Whether so much fits that the rest is a mistake, and not another way to call it."""
    every = len(form.kinds) * len(case.weights)
    if 2 * len(answer.mine) != every:
        return 2 * len(answer.mine) > every
    # Weights' gradients alone, and nothing else: the biases' were left out.
    is_all = all(weight in answer.mine for weight, _ in case.parameters)
    return is_all and sum(array.ndim > 0 for array in outcome.arrays.values()) <= every // 2


def _probe(depth: int, *, has_one_output: bool) -> tuple[int, ...]:
    """Sizes of layers that all differ."""
    sizes = range(2, depth + 3)
    return (*sizes[:-1], 1) if has_one_output else tuple(sizes)


def first_example(case: Case) -> Case:
    """The case, with one example."""
    return replace(case, x=case.x[:1], y=case.y[:1])


def is_close(mine: Array, true: Array) -> bool:
    """Whether a gradient is right, as far as that says what it is."""
    return mine.shape == true.shape and bool(
        np.allclose(mine, true, rtol=_CLOSE, atol=1e-6 * float(np.abs(true).max(initial=0.0)))
    )


def _old(case: Case) -> dict[str, Array]:
    pairs = zip(case.parameters, case.weights, case.biases, strict=True)
    return {name: a for names, *arrays in pairs for name, a in zip(names, arrays, strict=True)}


def _surroundings(function: Any) -> Mapping[str, Any]:
    """The names that a function uses without being given them: globals, and what is around it."""
    function = inspect.unwrap(getattr(function, "func", function))
    try:
        around = inspect.getclosurevars(function)
    except (TypeError, ValueError):
        return {}
    return {**around.globals, **around.nonlocals}


def _refusal(form: Form, case: Case, outcomes: list[Outcome]) -> Refusal:
    """Why nothing of what came can be read."""
    stopped = next((outcome for outcome in outcomes if outcome.is_last), None)
    returned = next((outcome for outcome in outcomes if not outcome.trouble), None)
    if not outcomes:
        return Refusal("It takes so long that not all ways to call it could be tried", True)
    if stopped is not None:
        return Refusal(f"It {stopped.trouble}", is_final=True)
    if returned is None:
        return Refusal(f"It {_telling(outcomes)}")
    what = described(returned)
    if not returned.arrays and not returned.mutated:
        what += ", and writes into none of its arguments"
    pairs = zip(case.weights, case.biases, strict=True)
    wanted = ", ".join(
        f"{w.shape} or {w.shape[::-1]}" + (f" and {b.shape}" if form.has_biases else "")
        for w, b in pairs
    )
    told = f"for the network {'-'.join(map(str, case.sizes))} with {len(case.x)} examples"
    nothing = returned.others == ("None",) and not returned.mutated
    advice = (
        ". Return the gradients; W = W - lr * dW makes a new array, which nobody outside sees"
        if nothing
        else ""
    )
    return Refusal(
        f"It returned {what} {told}; gradients have the shapes {wanted}{advice}",
        has_answers=any(outcome.arrays or outcome.mutated for outcome in outcomes),
    )


def _telling(outcomes: list[Outcome]) -> str:
    """Of what was raised in wrong layouts as well, what is not about shapes."""
    words = ("matmul", "aligned", "be broadcast", "dimension", "shape")
    for outcome in outcomes:
        if not any(word in outcome.trouble for word in words):
            return outcome.trouble
    tried = (
        ". So it does with weights (in, out) and (out, in), and with examples in rows, in columns "
        "and alone"
    )
    return outcomes[0].trouble + (tried if len(outcomes) > 1 else "")
