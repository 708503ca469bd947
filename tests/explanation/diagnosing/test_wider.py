"""The wider practice: what is written down is true, and what the doctor says of each set-up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

import chainrule as cr
from tests.explanation.diagnosing.checks import (
    check_it_does_what_is_written,
    check_it_is_built_the_same_each_time,
    check_it_is_explained_in_a_sentence,
    check_it_learns_without_the_fault,
    check_overfitting_shows,
    check_plain_facts_are_named,
)
from tests.explanation.diagnosing.held_out.exam import false_alarms, missed
from tests.explanation.diagnosing.wider import WIDER_BROKEN, WIDER_HEALTHY

# What the doctor says wrongly as yet: the set-up, and why.
MISSED: dict[str, str] = {
    "a_minus_that_was_a_dash": "numbers that are wrong to one side only look like a wide spread",
    "fours_that_were_filed_under_nine": "one class under another's name looks like an overlap",
    "mirrored_without_their_labels": "neighbours do not tell what is in a picture",
    "one_number_for_a_taste": "inputs that are numbers of a table's rows are not looked at",
}
ALARMED: dict[str, str] = {}
ALARMED_WHEN_MENDED: dict[str, str] = {}

ALL = {**WIDER_BROKEN, **WIDER_HEALTHY}
MENDED = [name for name, case in WIDER_BROKEN.items() if case.can_be_mended]


def each(names: Iterable[str], known: Mapping[str, str]) -> list[Any]:
    """A test for each set-up; what is known to fail has to."""
    return [
        pytest.param(name, marks=pytest.mark.xfail(strict=True, reason=known[name]))
        if name in known
        else name
        for name in names
    ]


def test_what_is_known_to_fail_is_written_down():
    assert MISSED.keys() <= WIDER_BROKEN.keys()
    assert ALARMED.keys() <= WIDER_HEALTHY.keys()
    assert ALARMED_WHEN_MENDED.keys() <= {*MENDED}


@pytest.mark.parametrize("name", ALL)
def test_it_is_explained_in_a_sentence(name):
    check_it_is_explained_in_a_sentence(ALL[name])


@pytest.mark.parametrize("name", ALL)
def test_it_is_built_the_same_each_time(name):
    check_it_is_built_the_same_each_time(ALL[name])


@pytest.mark.parametrize("name", ALL)
def test_plain_facts_of_the_data_are_named(name):
    check_plain_facts_are_named(ALL[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_it_does_what_is_written(name):
    check_it_does_what_is_written(ALL[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", MENDED)
def test_without_the_fault_it_learns(name):
    check_it_learns_without_the_fault(WIDER_BROKEN[name])


@pytest.mark.parametrize("name", [n for n, c in WIDER_BROKEN.items() if c.finding == "overfitting"])
def test_overfitting_shows_in_the_validation_loss(name):
    check_overfitting_shows(WIDER_BROKEN[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", each(WIDER_BROKEN, MISSED))
def test_the_doctor_names_it(name):
    assert not (lines := missed(cr.doctor, WIDER_BROKEN[name])), "\n".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("name", each(WIDER_HEALTHY, ALARMED))
def test_the_doctor_raises_no_alarm(name):
    assert not (lines := false_alarms(cr.doctor, WIDER_HEALTHY[name])), "\n".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("name", each(MENDED, ALARMED_WHEN_MENDED))
def test_the_doctor_raises_no_alarm_where_it_is_mended(name):
    lines = false_alarms(cr.doctor, WIDER_BROKEN[name], mended=True)
    assert not lines, "\n".join(lines)
