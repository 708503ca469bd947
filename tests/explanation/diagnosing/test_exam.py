"""The doctor's exam: each broken set-up is named, each healthy one and each mended one is let be.

The set-ups were written before the rules, by somebody else.
"""

import pytest

import chainrule as cr
from tests.explanation.diagnosing.setups import BEFORE, BROKEN, HEALTHY

# A few that are quickly done are asked in every run of the tests; all of them in the slow ones.
QUICK = {
    "all_weights_zero",
    "a_rate_of_zero",
    "biases_of_minus_ten",
    "income_beside_age",
    "labels_shuffled_by_themselves",
    "no_sigmoid_before_bce",
    "one_flower_was_not_measured",
    "sgd_at_thirty",
    "a_last_layer_of_zeros",
    "earnings_with_a_long_tail",
    "one_flower_at_a_time",
    "the_four_corners_of_exclusive_or",
}


def ask(case, when, **how):
    """The doctor's answer, before training or after it."""
    setup = case.make(**how)
    if when == BEFORE:
        return cr.doctor(setup.net, setup.x, setup.y, **setup.options)
    try:
        run = setup.fit()
    except Exception as error:
        # Stopped on its way: what is left is the network with the weights from before that step.
        if type(error) is not case.refused:
            raise
        return cr.doctor(setup.net, setup.x, setup.y, **setup.options)
    return cr.doctor(run)


def parameters(cases):
    return [
        pytest.param(case, when, id=f"{name}-{when}", marks=() if name in QUICK else SLOW)
        for name, case in cases.items()
        for when in case.looked_at
    ]


SLOW = (pytest.mark.slow,)


def alarms(found, case):
    """What is said to be wrong, and is not written down as true of it."""
    said = [finding.name for finding in found.all if finding.severity != "note"]
    return sorted(set(said) - set(case.also))


@pytest.mark.parametrize(("case", "when"), parameters(BROKEN))
def test_what_is_wrong_is_named(case, when):
    assert case.finding in ask(case, when)


@pytest.mark.parametrize(("case", "when"), parameters(HEALTHY))
def test_nothing_is_wrong_with_what_is_healthy(case, when):
    assert not alarms(ask(case, when), case)


MENDED = {name: case for name, case in BROKEN.items() if case.can_be_mended}


@pytest.mark.parametrize(("case", "when"), parameters(MENDED))
def test_nothing_is_wrong_once_it_is_mended(case, when):
    assert not alarms(ask(case, when, mended=True), case)


def test_the_exam_is_as_large_as_it_was():
    assert len(BROKEN) >= 44
    assert len(HEALTHY) >= 44
