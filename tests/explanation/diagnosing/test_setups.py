"""What is written down of the doctor's exam is true: the broken fail, the healthy learn.

Nothing here asks the doctor.
"""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import nn
from tests.explanation.diagnosing.checks import (
    check_it_does_what_is_written,
    check_it_is_built_the_same_each_time,
    check_it_is_explained_in_a_sentence,
    check_it_learns_without_the_fault,
    check_overfitting_shows,
    check_plain_facts_are_named,
    check_training_repeats_itself,
)
from tests.explanation.diagnosing.setups import (
    BEFORE,
    BROKEN,
    HEALTHY,
    MNIST,
    VOCABULARY,
    material,
)
from tests.explanation.diagnosing.setups.case import broken

ALL = {**BROKEN, **HEALTHY}
MENDED = [name for name, case in BROKEN.items() if case.can_be_mended]
# What trains faster than it takes to read its name: these hold in every run of the tests.
QUICK = [
    "a_warm_up_divided_as_whole_numbers",
    "all_weights_zero",
    "every_payment_is_called_honest",
    "least_squares_that_diverge",
    "weight_decay_of_one",
    "a_last_layer_of_zeros",
    "softmax_regression_from_zeros",
    "stopped_while_it_still_improves",
    "words_that_most_reviews_lack",
]


def test_there_are_enough_of_both():
    assert len(BROKEN) >= 44
    assert len(HEALTHY) >= 44


def test_every_name_of_the_vocabulary_occurs():
    assert {case.finding for case in BROKEN.values()} == VOCABULARY


def test_a_name_that_is_none_is_refused():
    with pytest.raises(ValueError, match="no such finding as gradient-lost"):
        broken("gradient-lost", lambda outputs, y: 1.0, 1.0)(lambda: None)


def test_a_set_up_is_written_down_once():
    with pytest.raises(ValueError, match="There is a set-up named a_rate_of_zero already"):
        broken("no-update", lambda outputs, y: 1.0, 1.0)(BROKEN["a_rate_of_zero"].make)


@pytest.mark.parametrize("case", [*ALL.values(), *MNIST.values()], ids=[*ALL, *MNIST])
def test_it_is_explained_in_a_sentence(case):
    check_it_is_explained_in_a_sentence(case)


@pytest.mark.parametrize("name", QUICK)
def test_a_few_do_what_is_written(name):
    check_it_does_what_is_written(ALL[name])


EARLY = [n for n, c in BROKEN.items() if c.refused is not None and c.looked_at == (BEFORE,)]


@pytest.mark.parametrize("name", EARLY)
def test_fit_refuses_what_it_must(name):
    check_it_does_what_is_written(BROKEN[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in ALL if n not in {*QUICK, *EARLY}])
def test_it_does_what_is_written(name):
    check_it_does_what_is_written(ALL[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MNIST))
def test_a_disease_of_mnist_is_one(data_folder, name):
    check_it_does_what_is_written(MNIST[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MNIST))
def test_mnist_learns_without_it(data_folder, name):
    check_it_learns_without_the_fault(MNIST[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", MENDED)
def test_without_the_fault_it_learns(name):
    check_it_learns_without_the_fault(BROKEN[name])


@pytest.mark.slow
@pytest.mark.parametrize("case", ALL.values(), ids=list(ALL))
def test_it_is_built_the_same_each_time(case):
    check_it_is_built_the_same_each_time(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", ALL.values(), ids=list(ALL))
def test_plain_facts_of_the_data_are_named(case):
    check_plain_facts_are_named(case)


@pytest.mark.parametrize("name", ["all_weights_zero", "validation_better_than_training"])
def test_training_repeats_itself(name):
    check_training_repeats_itself(ALL[name])


def hidden_outputs(setup, layers):
    return nn.Sequential(*list(setup.net)[:layers])(setup.x).numpy()


def test_a_fifth_of_the_units_are_off_before_and_after():
    setup = HEALTHY["a_fifth_of_the_units_off"].make()
    for _ in range(2):
        off = (hidden_outputs(setup, 2) <= 0).all(axis=0)
        assert 0.18 <= off.mean() <= 0.24
        setup.fit()


def test_the_tanh_near_miss_is_mildly_saturated():
    setup = HEALTHY["tanh_somewhat_saturated"].make()
    setup.net.initialize(seed=0)
    assert 0.02 <= (abs(hidden_outputs(setup, 2)) > 0.95).mean() <= 0.35


def test_words_are_rare_and_no_column_is_constant():
    x = HEALTHY["words_that_most_reviews_lack"].make().x
    assert (x == 0).mean() > 0.8
    assert (x.min(axis=0) < x.max(axis=0)).all()


def test_half_of_a_yes_and_no_table_is_there_twice():
    x = HEALTHY["answers_of_yes_and_no"].make().x
    assert len(np.unique(x, axis=0)) < len(x) / 2


def test_validation_looks_better_under_dropout():
    run = HEALTHY["validation_better_than_training"].make().fit()
    assert run.history["val_accuracy"][3] > run.history["accuracy"][3]


def test_a_run_stopped_early_was_still_getting_better():
    losses = HEALTHY["stopped_while_it_still_improves"].make().fit().history["val_loss"]
    assert losses[-1] == min(losses)


@pytest.mark.parametrize("name", [n for n, c in BROKEN.items() if c.finding == "overfitting"])
def test_overfitting_shows_in_the_validation_loss(name):
    check_overfitting_shows(BROKEN[name])


def test_the_digits_at_hand_have_three_white_pixels():
    x, _ = material.digits(1797)
    assert (x.max(axis=0) == x.min(axis=0)).sum() == 3
    assert material.ink()[0].shape == (1000, 61)
