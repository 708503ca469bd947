"""What a learner wrote, read as values of the step: which value, which numbers, how exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.base.errors import ConfigurationError
from chainrule.base.harmless import plain
from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.entry import Entry, largest
from chainrule.explanation.checking.fitting import Fit, fit, refusal
from chainrule.explanation.checking.naming import Meaning, Names, element
from chainrule.explanation.checking.numerals import Numerals, read_numerals
from chainrule.explanation.checking.roles import shifts
from chainrule.explanation.checking.spreading import Elements, spread
from chainrule.explanation.symbols import NEXT
from chainrule.explanation.trace import Array


@dataclass(frozen=True, eq=False)
class Submission:
    """What could be read of what a learner wrote.

    Parameters
    ----------
    entries : tuple of Entry
    problems : mapping of str to str
        Why something could not be read, by the name that the learner gave it.
    """

    entries: tuple[Entry, ...]
    problems: Mapping[str, str]


def read_submission(
    anatomy: Anatomy, mine: Mapping[str, Any], *, as_updates: bool = False
) -> Submission:
    """Read what a learner wrote.

    Parameters
    ----------
    anatomy : Anatomy
    mine : mapping of str to array
        By name: a parameter's name stands for its gradient.
    as_updates : bool
        Whether it stands for what the parameter becomes by the update.

    Raises
    ------
    ConfigurationError
        If nothing of it can be read.
    """
    return _Reading(anatomy, mine, as_updates).result()


def readings(anatomy: Anatomy, mine: Mapping[str, Any], *, has_update: bool) -> list[Submission]:
    """The ways in which what was written can be meant, the likelier one first.

    Parameters
    ----------
    anatomy : Anatomy
    mine : mapping of str to array
    has_update : bool
        Whether plain names may stand for updated weights.

    Raises
    ------
    ConfigurationError
        If nothing of it can be read.
    """
    found = [read_submission(anatomy, mine)]
    if has_update:
        updated = read_submission(anatomy, mine, as_updates=True)
        if any(entry.value.startswith(NEXT) and entry.note for entry in updated.entries):
            found.append(updated)
    # Gradients are what is asked for: numbers that are far from both are no updated weights.
    far = [_distance(anatomy, submission) for submission in found]
    return found if far[0] <= _NEARER * far[-1] else found[::-1]


_NEARER = 3.0

_ORDERS = 4.0
"""Another order of adding rounds to something else: so many times what this one was off."""

_ROUNDING = 1e-6
"""Of what is added up, where nothing is left of it: what a learner's float32 makes of a sum."""


def _distance(anatomy: Anatomy, submission: Submission) -> float:
    total = 0.0
    for entry in submission.entries:
        with np.errstate(all="ignore"):
            away = np.abs(entry.numbers - entry.expected(anatomy.values[entry.position]))
        total += float(np.nansum(np.where(np.isfinite(away), away, 0.0)))
    return total


@dataclass(frozen=True, eq=False)
class _Draft:
    """An entry that is being read: its units are not known before all others are."""

    name: str
    meaning: Meaning
    numerals: Numerals
    fit: Fit
    notes: tuple[str, ...]


class _Reading:
    """One pass over what was handed in."""

    def __init__(self, anatomy: Anatomy, mine: Mapping[str, Any], as_updates: bool) -> None:
        if not isinstance(mine, Mapping):
            raise ConfigurationError(
                f"mine is a dict of names and arrays; got {type(mine).__name__}",
                advice='Write mine={"0.weight": my_gradient}',
            )
        self.anatomy, self.as_updates = anatomy, as_updates
        self.names = Names(anatomy)
        self.problems: dict[str, str] = {}
        self.drafts: list[_Draft] = []
        for shown, name, given in spread(self.names, mine):
            try:
                self._read(plain(shown), name, given)
            except (LookupError, ValueError) as error:
                reason = str(error.args[0] if error.args else error)
                self._trouble(shown, reason)

    def result(self) -> Submission:
        """The entries, and what could not be read."""
        most = max((draft.numerals.most_decimals for draft in self.drafts), default=0)
        entries = [self._entry(draft, most) for draft in self._oriented()]
        if not entries:
            told = "; ".join(f"{name}: {reason}" for name, reason in self.problems.items())
            raise ConfigurationError(
                f"Nothing of what was handed in can be read. {told[:600]}"
                if told
                else "Nothing was handed in",
                advice='Hand in numbers by name, such as mine={"0.weight": my_gradient}',
            )
        return Submission(self._of_one_convention(entries), self.problems)

    def _trouble(self, shown: str, reason: str) -> None:
        name = plain(shown)
        told = self.problems.get(name)
        self.problems[name] = f"{told}; {reason}" if told else reason

    def _read(self, shown: str, name: str, given: Any) -> None:
        meaning = self.names.read(name)
        notes: list[str] = []
        updated = NEXT + meaning.parameter
        if self.as_updates and meaning.parameter and updated in self.anatomy.names:
            meaning = replace(meaning, value=updated)
            notes.append("read as the updated weights, to which the numbers are nearest")
        true = self.anatomy.values[self.anatomy.names[meaning.value]]
        if meaning.index is not None:
            meaning = replace(meaning, index=element(true.shape, meaning.index))
            true = np.asarray(true[meaning.index])
        if isinstance(given, Elements):
            given = given.placed(true.shape)
        numerals = read_numerals(given)
        for problem in numerals.problems:
            self._trouble(shown, f"{problem}, and was left out")
        if not numerals.digits.size or np.isnan(numerals.numbers).all():
            self._trouble(shown, "there is no number in it")
            return
        found = fit(numerals.numbers, true, of_batch=self._is_of_batch(meaning))
        if found is None:
            meaning, found = self._as_error(meaning, numerals, true)
        if found.index is not None:
            meaning = replace(meaning, index=found.index)
        notes += [note for note in (*numerals.notes, found.note) if note]
        self.drafts.append(_Draft(shown, meaning, numerals, found, tuple(notes)))

    def _as_error(self, meaning: Meaning, numerals: Numerals, true: Array) -> tuple[Meaning, Fit]:
        """A bias's gradient that has a row for each example: it is the error δ there.

        Raises
        ------
        ValueError
            With a sentence, where it is nothing of that kind.
        """
        parameter = meaning.value.removeprefix("d_")
        for shift in shifts(self.anatomy) if meaning.index is None else ():
            name = self.anatomy.nodes[shift.d_z].name
            if shift.bias != parameter or name is None or name not in self.anatomy.names:
                continue
            found = fit(numerals.numbers, self.anatomy.values[shift.d_z], of_batch=True)
            if found is not None and found.index is None:
                note = (
                    "read as the error δ, since there is one for each example; the gradient of "
                    "the bias is their sum"
                )
                return Meaning(name), replace(found, note=f"{note}; {found.note}".rstrip("; "))
        is_weight = meaning.value.removeprefix(NEXT).removeprefix("d_") in self.anatomy.parameters
        raise ValueError(
            refusal(
                numerals.numbers, true, of_batch=self._is_of_batch(meaning), is_weight=is_weight
            )
        )

    def _is_of_batch(self, meaning: Meaning) -> bool:
        shape = self.anatomy.nodes[self.anatomy.names[meaning.value]].shape
        return meaning.index is None and bool(shape) and getattr(shape[0], "name", None) is not None

    def _oriented(self) -> list[_Draft]:
        """Square matrices the way round that the others have, or else the one that is right.

        Whoever has one weight as (out, in) has no other as (in, out): that is a mistake.
        """
        squares = {
            id(draft): self._agreements(draft)
            for draft in self.drafts
            if _is_square(draft) and self._is_matrix(draft)
        }
        ways = {
            draft.fit.is_turned
            for draft in self.drafts
            if draft.numerals.numbers.ndim == 2
            and self._is_matrix(draft)
            and id(draft) not in squares
        }
        ways |= {there for here, there in squares.values() if here != there}
        found = []
        for draft in self.drafts:
            if id(draft) in squares and ways == {True} and not squares[id(draft)][0]:
                turn = Fit(np.transpose, note="read as (in, out), as its transpose")
                draft = replace(draft, fit=turn, notes=(*draft.notes, turn.note))
            found.append(draft)
        return found

    def _agreements(self, draft: _Draft) -> tuple[bool, bool]:
        """Whether a matrix is right as it stands, and whether its transpose is."""
        position = self.anatomy.names[draft.meaning.value]
        true, units = self.anatomy.values[position], draft.numerals.units()
        numbers = draft.numerals.numbers
        here = Entry("", "", position, numbers, units).agrees(true)
        there = Entry("", "", position, numbers.T, units.T).agrees(true)
        return here, there

    def _is_matrix(self, draft: _Draft) -> bool:
        parameter = draft.meaning.value.removeprefix(NEXT).removeprefix("d_")
        return parameter in self.anatomy.parameters and draft.meaning.index is None

    def _entry(self, draft: _Draft, most_decimals: int) -> Entry:
        turn, meaning = draft.fit.turn, draft.meaning
        entry = Entry(
            draft.name,
            meaning.value,
            self.anatomy.names[meaning.value],
            turn(draft.numerals.numbers),
            turn(draft.numerals.units(most_decimals)),
            meaning.index,
            self._scales(meaning),
            "; ".join(dict.fromkeys(draft.notes)),
            self._noise(meaning.value),
            self._change(meaning.value),
        )
        return self._with_note_on_old_weights(entry, meaning)

    def _change(self, value: str) -> float:
        old = value.removeprefix(NEXT)
        if old == value or old not in self.anatomy.names:
            return 0.0
        before, after = (self.anatomy.values[self.anatomy.names[name]] for name in (old, value))
        with np.errstate(all="ignore"):
            return largest(np.abs(after - before))

    def _noise(self, value: str) -> float:
        """How far the captured step is from the same in float64, by more than one rounding.

        Where a sum cancels, float32 keeps few of its digits, and a learner's may keep other ones.
        """
        trace, where = self.anatomy.trace, self.anatomy.names[value]
        noise = _ROUNDING * self.anatomy.size(where)
        position = trace.graph.positions.get(value)
        if position is None or not trace.graph.nodes[position].dtype.is_float:
            return noise
        with np.errstate(all="ignore"):
            off = np.abs(trace.values[position] - self.anatomy.values[where])
        return max(noise, _ORDERS * largest(off))

    def _with_note_on_old_weights(self, entry: Entry, meaning: Meaning) -> Entry:
        values = self.anatomy.values
        if not meaning.parameter or entry.agrees(values[entry.position]):
            return entry
        if not entry.agrees(values[self.anatomy.names[meaning.parameter]]):
            return entry
        note = "these are the weights as they were before the step"
        return replace(entry, note="; ".join(filter(None, (entry.note, note))))

    def _scales(self, meaning: Meaning) -> tuple[float | Array, ...]:
        """The conventions for an error: of the mean loss, or of each example's own."""
        anatomy = self.anatomy
        position = anatomy.names[meaning.value]
        shape = anatomy.nodes[position].shape
        is_of_batch = bool(shape) and getattr(shape[0], "name", None) is not None
        count = len(anatomy.values[position]) if is_of_batch else 0
        if count < 2 or not meaning.value.startswith("d_") or "loss" not in anatomy.names:
            return (1.0,)
        loss = anatomy.nodes[anatomy.names["loss"]]
        if loss.op == "mean":
            return (1.0, float(count))
        if "sample_weight" not in anatomy.names or loss.op != "div":
            return (1.0,)
        # δᵢ of one example's loss is d_zᵢ Σw/wᵢ; an example without weight has no share in it.
        weights = anatomy.values[anatomy.names["sample_weight"]].astype(np.float64)
        whole = np.where(weights > 0, weights.sum() / np.where(weights > 0, weights, 1.0), 1.0)
        if meaning.index is not None:
            return (1.0, float(whole[meaning.index[0]]))
        return (1.0, whole.reshape(-1, *(1,) * (len(shape) - 1)))

    def _of_one_convention(self, entries: list[Entry]) -> tuple[Entry, ...]:
        """Errors in one convention, where there is one in which all of them are right."""
        both = [entry for entry in entries if len(entry.scales) == 2]
        values = self.anatomy.values
        for which in (0, 1):
            alone = [replace(entry, scales=(entry.scales[which],)) for entry in both]
            if not both or not all(entry.agrees(values[entry.position]) for entry in alone):
                continue
            if which == 0:
                known = {id(old): new for old, new in zip(both, alone, strict=True)}
            else:
                # Both are kept: a learner who forgets 1/m everywhere has such errors, too.
                own = "of each example's own loss, not of the mean"
                known = {
                    id(entry): replace(entry, note="; ".join(filter(None, (entry.note, own))))
                    for entry in both
                }
            return tuple(known.get(id(entry), entry) for entry in entries)
        return tuple(entries)


def _is_square(draft: _Draft) -> bool:
    shape = draft.numerals.numbers.shape
    return len(shape) == 2 and shape[0] == shape[1] > 1
