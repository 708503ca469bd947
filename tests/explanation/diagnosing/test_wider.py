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
    "a_rate_where_its_logarithm_is_read": "nothing is said of a Softplus before PoissonNLLLoss",
    "a_third_of_the_grades_from_memory": "nothing is said of labels of which a fifth are wrong",
    "visits_between_zero_and_ten": "nothing is said of a bound in a forward of one's own",
    "a_body_at_a_rate_of_zero": "a group's rate of 0 is not looked at",
    "a_cycle_up_to_one": "the doctor tries a rate of 0, which OneCycleLR refuses",
    "mirrored_without_their_labels": "neighbours do not tell what is in a picture",
    "neighbours_that_are_summed": "what explodes forwards is taken for a loss of NaN alone",
    "one_number_for_a_taste": "inputs that are numbers of a table's rows are not looked at",
    "sigmoids_as_steep_as_steps": "a sigmoid in a module of one's own is not looked at",
}
ALARMED: dict[str, str] = {
    "a_rate_that_goes_up_and_down": "the doctor tries a rate of 0, which CyclicLR refuses",
    "most_of_them_take_the_train": "chances of which one leads are called noise and a collapse",
    "too_little_bread_costs_nine_times_more": "an expectile is measured as if it were the mean",
    "defaults_that_are_never_likely": "chances that are all below one half are called a collapse",
    "nine_of_ten_deliveries_are_earlier": "a quantile is measured as if it were the mean",
    "one_cycle_up_to_a_high_rate": "the doctor tries a rate of 0, which OneCycleLR refuses",
    "a_pendulum_known_by_its_equation": "targets that are all alike seem shuffled",
    "four_signals_of_forty_steps_to_a_batch": "batch norm's steps in time are not counted",
    "one_cycle_that_begins_and_ends_at_little": "a rate of 0 is tried here, too",
    "triplets_of_flowers": "targets that are all alike seem shuffled",
    "all_eight_labels_must_be_right": "a sign of a logit is tried with logits that are next to 0",
}
ALARMED_WHEN_MENDED: dict[str, str] = {
    "a_cycle_up_to_one": "the doctor tries a rate of 0, which OneCycleLR refuses",
}

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
