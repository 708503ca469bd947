"""Schedules beside torch's, value by value."""

import inspect
import json
import re

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from chainrule import optim
from chainrule.base.errors import ConfigurationError, TrainingError
from tests.optim.grids import SCHEDULE_CASES, SCHEDULES, identify

LR = 0.3
COUNTS = 60
# torch multiplies from count to count, we use the closed form: a rounding or two for each count.
ROUNDED = COUNTS * 2 * 2.0**-52


def torch_optimizer(torch):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)


def test_every_schedule_has_cases():
    assert {*SCHEDULES, "ReduceLROnPlateau"} == set(optim.SCHEDULES)


def torch_schedule(torch, optimizer, name, options):
    cls = getattr(torch.optim.lr_scheduler, name)
    if "schedulers" not in options:
        return cls(optimizer, **{key: each for key, each in options.items() if key != "unit"})
    schedulers = []
    for each in options["schedulers"]:
        rest = {key: value for key, value in each.items() if key != "name"}
        schedulers.append(torch_schedule(torch, optimizer, each["name"], rest))
    arguments = [schedulers, *(options[key] for key in ("milestones",) if key in options)]
    return cls(optimizer, *arguments) if len(arguments) > 1 else cls(*arguments)


@pytest.mark.parametrize(("name", "options"), SCHEDULE_CASES, ids=identify)
def test_values_are_torchs(torch, name, options):
    optimizer = torch_optimizer(torch)
    reference = torch_schedule(torch, optimizer, name, options)
    assert_rates_agree(optim.SCHEDULES[name](**options), reference, optimizer)


def assert_rates_agree(schedule, reference, optimizer):
    for count in range(COUNTS):
        ours, theirs = LR * schedule.multiplier(count, LR), optimizer.param_groups[0]["lr"]
        # Near the foot of the cosine torch's products keep what rounding left of the top.
        assert ours == pytest.approx(theirs, rel=ROUNDED, abs=LR * ROUNDED), count
        optimizer.step()  # else torch warns that schedule and optimiser have changed places
        reference.step()


PLATEAUS = [
    {},
    {"patience": 2},
    {"patience": 0, "factor": 0.5, "cooldown": 3},
    {"mode": "max", "patience": 1},
    {"mode": "max", "patience": 1, "threshold": 0.2, "threshold_mode": "abs"},
    {"patience": 1, "threshold": 0.05, "threshold_mode": "abs"},
    {"patience": 1, "threshold": 0.3},
    {"patience": 0, "min_lr": 0.02, "factor": 0.3},
    {"patience": 0, "eps": 1e-3},
    {"patience": 0, "factor": 0.0},
]


def plateau_pair(torch, options):
    optimizer = torch_optimizer(torch)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    return optim.ReduceLROnPlateau(**options), reference, optimizer


def assert_plateaus_agree(torch, options, metrics):
    plateau, reference, optimizer = plateau_pair(torch, options)
    for count, metric in enumerate(metrics):
        reference.step(metric)
        ours = LR * plateau.observe(metric, LR)
        theirs = optimizer.param_groups[0]["lr"]
        assert ours == pytest.approx(theirs, rel=2 * len(metrics) * 2.0**-52, abs=0), count
        assert plateau.num_bad_epochs == reference.num_bad_epochs
        assert plateau.cooldown_counter == reference.cooldown_counter


@pytest.mark.parametrize("options", PLATEAUS, ids=str)
def test_plateau_is_torchs(torch, options):
    rng = np.random.default_rng(0)
    falling = np.exp(-np.arange(40) / 5) + 0.05 * rng.normal(size=40)
    assert_plateaus_agree(torch, options, [*falling, float("nan"), *(1 - falling), float("inf")])


@hypothesis.given(
    options=st.sampled_from(PLATEAUS),
    metrics=st.lists(st.sampled_from([-2.0, -0.5, 0.0, 0.1, 0.5, 1.0, 3.0]), max_size=30),
)
def test_plateau_is_torchs_for_any_metrics(torch, options, metrics):
    assert_plateaus_agree(torch, options, metrics)


@pytest.mark.parametrize("options", PLATEAUS, ids=str)
def test_resumed_plateau_goes_on(options):
    metrics = np.random.default_rng(1).uniform(size=30)
    whole, first = optim.ReduceLROnPlateau(**options), optim.ReduceLROnPlateau(**options)
    for metric in metrics[:11]:
        whole.observe(metric, LR)
        first.observe(metric, LR)
    second = optim.ReduceLROnPlateau(**options)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert [second.observe(m, LR) for m in metrics[11:]] == [
        whole.observe(m, LR) for m in metrics[11:]
    ]


def test_plateau_before_its_first_metric_is_saved_as_json():
    state = json.loads(json.dumps(optim.ReduceLROnPlateau().state_dict(), allow_nan=False))
    plateau = optim.ReduceLROnPlateau(mode="max")
    plateau.load_state_dict(state)
    assert plateau.observe(-5.0, LR) == 1.0
    assert plateau.best == -5.0


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"best": None, "scale": 1.0}, TrainingError, "state has no num_bad_epochs."),
        (
            {"scale": 2.0, "best": None, "num_bad_epochs": 0, "cooldown_counter": 0},
            ConfigurationError,
            "state takes scale as a number in [0, 1]; got 2.0.",
        ),
        (
            {"scale": 1.0, "best": "low", "num_bad_epochs": 0, "cooldown_counter": 0},
            ConfigurationError,
            "state takes best as a number, or None; got 'low'.",
        ),
        (
            {"scale": 1.0, "best": 0.5, "num_bad_epochs": -1, "cooldown_counter": 0},
            ConfigurationError,
            "state takes num_bad_epochs as a whole number ≥ 0; got -1.",
        ),
    ],
)
def test_plateau_state_that_does_not_fit(change, kind, message):
    plateau = optim.ReduceLROnPlateau()
    message = f"ReduceLROnPlateau's {message}"
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        plateau.load_state_dict(change)
    assert plateau.state_dict() == optim.ReduceLROnPlateau().state_dict()


@pytest.mark.parametrize("lr", [None, 0.0])
def test_cosine_to_a_rate_needs_the_rate(lr):
    message = (
        "CosineAnnealingLR(T_max=5, eta_min=0.1) takes an optimizer's learning rate > 0; "
        f"got {lr!r}."
    )
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}$"):
        optim.CosineAnnealingLR(5, eta_min=0.1).multiplier(2, lr)


def test_one_cycle_ends_where_it_says():
    schedule = optim.OneCycleLR(0.5, epochs=2, steps_per_epoch=5)
    assert schedule.multiplier(10, 0.5) == schedule.multiplier(9, 0.5)
    message = (
        "OneCycleLR(max_lr=0.5, epochs=2, steps_per_epoch=5) is over after 10 steps; it was asked "
        "for another. Count them all: epochs · steps_per_epoch."
    )
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}$"):
        schedule.multiplier(11, 0.5)


@pytest.mark.parametrize("options", [{}, {"epochs": 3}, {"steps_per_epoch": 3}])
def test_one_cycle_needs_its_length(options):
    message = "OneCycleLR needs total_steps, or epochs and steps_per_epoch."
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}$"):
        optim.OneCycleLR(0.5, **options)


@pytest.mark.parametrize("pct_start", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("total_steps", [1, 2, 10])
def test_one_cycle_has_a_rate_for_every_step(total_steps, three_phase, pct_start):
    schedule = optim.OneCycleLR(0.5, total_steps, pct_start=pct_start, three_phase=three_phase)
    rates = [schedule.multiplier(count, 1.0) for count in range(total_steps + 1)]
    assert all(0 < rate <= 0.5 for rate in rates)


def test_units():
    units = {name: cls.unit for name, cls in optim.SCHEDULES.items() if hasattr(cls, "unit")}
    assert units == {
        "StepLR": "epoch",
        "ConstantLR": "epoch",
        "ExponentialLR": "epoch",
        "LinearLR": "step",
        "CosineAnnealingLR": "epoch",
        "CosineAnnealingWarmRestarts": "epoch",
        "CyclicLR": "step",
        "ChainedScheduler": None,
        "MultiStepLR": "epoch",
        "OneCycleLR": "step",
        "PolynomialLR": "epoch",
        "SequentialLR": None,
    }
    assert optim.StepLR(100, unit="step").unit == "step"


def test_a_schedule_of_schedules_counts_what_they_count():
    parts = [optim.LinearLR(), optim.StepLR(3, unit="step")]
    assert optim.SequentialLR(parts, [5]).unit == "step"
    assert optim.ChainedScheduler(parts).unit == "step"
    assert optim.ChainedScheduler(parts, unit="step").configuration()["unit"] == "step"


def test_schedules_nest_as_deep_as_one_likes():
    inner = optim.SequentialLR([optim.ExponentialLR(0.5), optim.StepLR(2)], [3])
    product = optim.ChainedScheduler([inner, optim.MultiStepLR([4], gamma=0.5)])
    outer = optim.SequentialLR([product, optim.ExponentialLR(0.1)], milestones=[6])
    factors = [1, 0.5, 0.25, 1, 0.5, 0.05, 1, 0.1]
    np.testing.assert_allclose([outer.multiplier(count) for count in range(8)], factors, rtol=1e-15)
    stored = json.loads(json.dumps(outer.configuration()))
    again = optim.Schedule.from_configuration("SequentialLR", stored)
    assert again.configuration() == outer.configuration()
    assert repr(again) == repr(outer)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: optim.SequentialLR([optim.StepLR(3)], [4]),
            (
                "SequentialLR takes one milestone fewer than schedulers; got 1 schedulers and 1 "
                "milestones."
            ),
        ),
        (
            lambda: optim.SequentialLR([optim.StepLR(3)] * 3, [4, 4]),
            "SequentialLR takes milestones that rise; got [4, 4].",
        ),
        (
            lambda: optim.ChainedScheduler([optim.StepLR(3), optim.LinearLR()]),
            (
                "ChainedScheduler counts epochs, and so do all of its schedulers; scheduler 1, "
                'LinearLR, counts steps. Give each the same unit: LinearLR(..., unit="epoch").'
            ),
        ),
        (
            lambda: optim.ChainedScheduler([optim.ReduceLROnPlateau()]),
            (
                "ChainedScheduler takes schedulers as a list of at least 1, each a schedule that "
                "counts; got [ReduceLROnPlateau(mode='min')]."
            ),
        ),
        (
            lambda: optim.ChainedScheduler([{"name": "StepLR", "step_size": 0}]),
            "StepLR takes step_size as a whole number ≥ 1; got 0.",
        ),
        (
            lambda: optim.ChainedScheduler([optim.LambdaLR(len)]).configuration(),
            (
                "No file can hold a function; got <built-in function len>. "
                "Make it a class of its own, whose options are numbers and words."
            ),
        ),
        (
            lambda: optim.LambdaLR(0.5),
            "LambdaLR takes lr_lambda as a function of the count; got 0.5.",
        ),
    ],
)
def test_schedule_of_schedules_that_cannot_be(make, message):
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}$"):
        make()


@pytest.mark.parametrize("name", ["LambdaLR", "MultiplicativeLR"])
def test_schedules_of_functions_are_torchs(torch, name):
    def fade(count):
        return 1 - 1 / (2 + count)

    optimizer = torch_optimizer(torch)
    reference = getattr(torch.optim.lr_scheduler, name)(optimizer, fade)
    assert_rates_agree(getattr(optim, name)(fade), reference, optimizer)


def test_multiplicative_schedule_may_be_asked_in_any_order():
    schedule = optim.MultiplicativeLR(lambda count: 1 / count)
    assert [schedule.multiplier(count) for count in (3, 1, 0, 4)] == [1 / 6, 1.0, 1.0, 1 / 24]


# Ours have no optimiser and no state, momentum stays as it is, and no file can hold a function.
NOT_OURS = {
    *("optimizer", "last_epoch", "cycle_momentum", "base_momentum", "max_momentum"),
    *("scale_fn", "scale_mode"),
}


@pytest.mark.parametrize("name", list(optim.SCHEDULES))
def test_arguments_are_torchs(torch, name):
    ours = inspect.signature(optim.SCHEDULES[name]).parameters
    theirs = inspect.signature(getattr(torch.optim.lr_scheduler, name)).parameters
    wanted = [(n, p.default) for n, p in theirs.items() if n not in NOT_OURS]
    assert [(n, p.default) for n, p in ours.items() if n != "unit"] == wanted
