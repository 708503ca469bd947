"""The later exams: what is written down is true, and how the doctor does in them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import chainrule as cr
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
from tests.explanation.diagnosing.held_out import (
    FIFTH_BROKEN,
    FIFTH_HEALTHY,
    FOURTH_BROKEN,
    FOURTH_HEALTHY,
    HELD_OUT_BROKEN,
    HELD_OUT_HEALTHY,
    LATER_BROKEN,
    LATER_HEALTHY,
    SEVENTH_BROKEN,
    SEVENTH_HEALTHY,
    SIXTH_BROKEN,
    SIXTH_HEALTHY,
)
from tests.explanation.diagnosing.held_out.exam import (
    all_false_alarms,
    false_alarms,
    findings,
    missed,
    share_named,
)
from tests.explanation.diagnosing.setups import AFTER, BEFORE, BROKEN, HEALTHY

EACH_BROKEN = {
    **HELD_OUT_BROKEN,
    **LATER_BROKEN,
    **FOURTH_BROKEN,
    **FIFTH_BROKEN,
    **SIXTH_BROKEN,
    **SEVENTH_BROKEN,
}
EACH_HEALTHY = {
    **HELD_OUT_HEALTHY,
    **LATER_HEALTHY,
    **FOURTH_HEALTHY,
    **FIFTH_HEALTHY,
    **SIXTH_HEALTHY,
    **SEVENTH_HEALTHY,
}
ALL = {**EACH_BROKEN, **EACH_HEALTHY}
QUICK = [
    "adadelta_at_one",
    "hours_of_study",
    "margins_that_are_all_kept",
    "more_batches_to_an_update_than_there_are",
    "the_first_rows_of_shifted_columns",
]


def test_there_are_a_dozen_of_each_that_the_first_exam_has_not():
    assert len(HELD_OUT_BROKEN) >= 12
    assert len(HELD_OUT_HEALTHY) >= 12
    assert not ALL.keys() & {*BROKEN, *HEALTHY}


def test_the_third_exam_has_ten_of_each_and_no_name_twice():
    assert len(LATER_HEALTHY) == 10
    assert len({case.finding for case in LATER_BROKEN.values()}) == len(LATER_BROKEN) == 10


def test_the_fourth_exam_has_ten_of_each_and_no_name_twice():
    assert len(FOURTH_HEALTHY) == 10
    assert len({case.finding for case in FOURTH_BROKEN.values()}) == len(FOURTH_BROKEN) == 10


def test_the_fifth_exam_has_ten_of_each_and_no_name_twice():
    assert len(FIFTH_HEALTHY) == 10
    assert len({case.finding for case in FIFTH_BROKEN.values()}) == len(FIFTH_BROKEN) == 10


def test_the_sixth_exam_has_ten_of_each_and_no_name_twice():
    assert len(SIXTH_HEALTHY) == 10
    assert len({case.finding for case in SIXTH_BROKEN.values()}) == len(SIXTH_BROKEN) == 10


def test_the_seventh_exam_has_ten_of_each_and_no_name_twice():
    assert len(SEVENTH_HEALTHY) == 10
    assert len({case.finding for case in SEVENTH_BROKEN.values()}) == len(SEVENTH_BROKEN) == 10


def test_a_dozen_names_occur():
    assert len({case.finding for case in HELD_OUT_BROKEN.values()}) >= 12


@pytest.mark.parametrize("case", ALL.values(), ids=list(ALL))
def test_it_is_explained_in_a_sentence(case):
    check_it_is_explained_in_a_sentence(case)


@pytest.mark.parametrize("name", QUICK)
def test_a_few_do_what_is_written(name):
    check_it_does_what_is_written(ALL[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ALL if name not in QUICK])
def test_it_does_what_is_written(name):
    check_it_does_what_is_written(ALL[name])


@pytest.mark.slow
@pytest.mark.parametrize("case", EACH_BROKEN.values(), ids=list(EACH_BROKEN))
def test_without_the_fault_it_learns(case):
    check_it_learns_without_the_fault(case)


@pytest.mark.parametrize("case", ALL.values(), ids=list(ALL))
def test_it_is_built_the_same_each_time(case):
    check_it_is_built_the_same_each_time(case)


@pytest.mark.parametrize("case", ALL.values(), ids=list(ALL))
def test_plain_facts_of_the_data_are_named(case):
    check_plain_facts_are_named(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", ALL.values(), ids=list(ALL))
def test_training_repeats_itself(case):
    check_training_repeats_itself(case)


def test_overfitting_shows_in_the_validation_loss():
    check_overfitting_shows(HELD_OUT_BROKEN["forty_patients_and_their_genes"])


def test_seventy_pictures_are_learnt_by_heart():
    check_overfitting_shows(FOURTH_BROKEN["seventy_pictures_taken_in_the_dark"])


def test_forty_hearts_are_learnt_by_heart():
    check_overfitting_shows(SIXTH_BROKEN["the_hearts_of_forty_volunteers"])


def test_an_output_that_is_off_on_every_row_gets_nothing_to_learn():
    setup = FOURTH_BROKEN["an_output_that_never_switches_on"].make()
    before = {path: values.copy() for path, values in setup.net.state_dict().items()}
    setup.fit()
    assert (setup.net.predict(setup.x) == 0).all()
    for path, values in setup.net.state_dict().items():
        np.testing.assert_array_equal(values, before[path])


def test_rows_in_order_of_their_classes_become_one_class():
    setup = HELD_OUT_BROKEN["rows_in_the_order_of_their_classes"].make()
    setup.fit()
    said = setup.net.predict(setup.x)
    assert (np.asarray(said).argmax(axis=1) == 9).mean() > 0.95


def test_a_divergence_below_zero_is_none():
    assert HELD_OUT_BROKEN["probabilities_into_a_divergence"].make().fit().history["loss"][-1] < 0


def test_hidden_units_that_began_alike_stay_alike():
    setup = HELD_OUT_BROKEN["every_weight_one_over_the_inputs"].make()
    setup.fit()
    for layer in (setup.net[0], setup.net[2]):
        weight = layer.weight.numpy()
        # 600 updates of sums that may be rounded in another order in another column, at 1e-16.
        np.testing.assert_allclose(weight, np.broadcast_to(weight[:1], weight.shape), rtol=1e-9)


def test_no_event_switches_a_unit_with_the_prior_on():
    setup = HELD_OUT_BROKEN["a_prior_for_rare_events_in_every_layer"].make()
    setup.net.initialize(seed=0)
    assert (nn.Sequential(*list(setup.net)[:2])(setup.x).numpy() == 0).all()


def test_the_margins_end_at_a_loss_of_exactly_zero():
    assert HELD_OUT_HEALTHY["margins_that_are_all_kept"].make().fit().history["loss"][-1] == 0


def test_early_stopping_took_back_weights_that_were_better():
    run = HELD_OUT_HEALTHY["the_best_weights_were_taken_back"].make().fit()
    losses = run.history["val_loss"]
    assert losses[-1] > min(losses)
    assert len(losses) < 80


def test_most_of_a_clinic_s_columns_are_far_from_one():
    x = HELD_OUT_HEALTHY["columns_that_the_first_layer_scales"].make().x
    assert x[:, 3].mean() > 200_000


def test_a_logarithm_of_a_softmax_is_its_own():
    setup = HELD_OUT_HEALTHY["logarithms_before_cross_entropy"].make()
    setup.net.initialize(seed=0)
    said = setup.net(setup.x)
    # Logarithms of about 1 to 10 in f32, of which the second softmax rounds each once more.
    np.testing.assert_allclose(cr.log_softmax(said, axis=1).numpy(), said.numpy(), atol=4e-6)


# The examiner is examined: by a doctor who knows all, one who knows nothing, and one who is afraid.


def said(*names, severity="error"):
    return SimpleNamespace(findings=[SimpleNamespace(name=n, severity=severity) for n in names])


def test_the_doctor_is_asked_with_what_fit_takes_and_with_its_run():
    case = HELD_OUT_HEALTHY["hours_of_study"]
    asked = []

    def doctor(*args, **options):
        asked.append((args, options))
        return said()

    before, after = case.make(), case.make()
    findings(doctor, before, BEFORE)
    findings(doctor, after, AFTER)
    (about, options), ((run,), none) = asked
    assert about == (before.net, before.x, before.y)
    assert options == before.options
    assert isinstance(run, cr.Run)
    assert run.net is after.net
    assert none == {}


def test_what_fit_refuses_is_asked_about_with_its_network():
    case = HELD_OUT_BROKEN["a_sum_at_the_rate_of_a_mean"]
    setup = case.make()
    asked = []

    def doctor(net, *rest, **options):
        asked.append(net)
        return said(case.finding)

    assert [f.name for f in findings(doctor, setup, AFTER)] == [case.finding]
    assert asked == [setup.net]


def test_a_doctor_who_says_nothing_misses_it_at_each_moment():
    case = HELD_OUT_BROKEN["two_splits_of_two_seeds"]
    assert missed(lambda *a, **k: said(), case) == [
        "two_splits_of_two_seeds before: leaking-split is not among []",
        "two_splits_of_two_seeds after: leaking-split is not among []",
    ]
    share, lines = share_named(lambda *a, **k: said("overfitting"), [case])
    assert share == 0
    assert len(lines) == 2
    assert share_named(lambda *a, **k: said(case.finding), [case]) == (1, [])


def test_a_warning_that_is_not_true_is_a_false_alarm_and_a_note_is_none():
    case = HELD_OUT_HEALTHY["rare_faults_that_weigh_more"]
    for severity, alarms in (("error", 2), ("warning", 2), ("note", 0)):
        afraid = false_alarms(lambda *a, s=severity, **k: said("dead-units", severity=s), case)
        assert len(afraid) == alarms
    assert false_alarms(lambda *a, **k: said("class-imbalance"), case) == []


def test_what_was_mended_is_no_longer_to_be_named():
    case = HELD_OUT_BROKEN["more_batches_to_an_update_than_there_are"]
    assert list(all_false_alarms(lambda *a, **k: said(case.finding), [], [case])) == [
        "more_batches_to_an_update_than_there_are before: no-update (error)"
    ]


# The exams themselves. What was missed when they were asked first is told in docs/doctor.md.

EXAMS = {
    "second": (HELD_OUT_BROKEN, HELD_OUT_HEALTHY),
    "third": (LATER_BROKEN, LATER_HEALTHY),
    "fourth": (FOURTH_BROKEN, FOURTH_HEALTHY),
    "fifth": (FIFTH_BROKEN, FIFTH_HEALTHY),
    "sixth": (SIXTH_BROKEN, SIXTH_HEALTHY),
    "seventh": (SEVENTH_BROKEN, SEVENTH_HEALTHY),
}


@pytest.mark.slow
@pytest.mark.parametrize("exam", EXAMS)
def test_the_doctor_names_nine_of_ten(exam):
    broken, _ = EXAMS[exam]
    share, lines = share_named(cr.doctor, broken.values())
    assert share >= 0.9, "\n".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("exam", EXAMS)
def test_the_doctor_raises_no_false_alarm(exam):
    broken, healthy = EXAMS[exam]
    alarms = all_false_alarms(cr.doctor, healthy.values(), broken.values())
    assert not (lines := list(alarms)), "\n".join(lines)
