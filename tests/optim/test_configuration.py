"""Options as data: read back from what a run folder stores."""

import json
import re

import pytest

from chainrule import optim
from chainrule.base.errors import ConfigurationError, NameNotFoundError
from tests.optim.grids import SCHEDULE_CASES, TYPICAL

OPTIMIZERS = [
    optim.SGD(),
    optim.SGD(3, momentum=0.9, nesterov=True, groups={"*.bias": {"weight_decay": 0}}),
    optim.Adam(betas=(0.5, 0.9), amsgrad=True, clip_norm=1),
    optim.AdamW(groups={"a": {"betas": [0.1, 0.2]}}, clip_value=0.5, maximize=True),
    optim.SGD(groups={"a": optim.Adam(lr=0.1, amsgrad=True), "b": {"lr": 1}}),
    *(optim.OPTIMIZERS[name](**options) for name, options in TYPICAL.items()),
]
SCHEDULES = [
    optim.StepLR(3),
    optim.ExponentialLR(0.9, unit="step"),
    optim.LinearLR(total_iters=100),
    optim.CosineAnnealingLR(10, eta_min=1e-4),
    optim.ReduceLROnPlateau("max", patience=3),
    *(optim.SCHEDULES[name](**options) for name, options in SCHEDULE_CASES),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_optimizer_comes_back_from_json(optimizer):
    stored = json.loads(json.dumps(optimizer.configuration(), allow_nan=False))
    again = optim.Optimizer.from_configuration(type(optimizer).__name__, stored)
    assert type(again) is type(optimizer)
    assert again.configuration() == optimizer.configuration()
    assert repr(again) == repr(optimizer)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_schedule_comes_back_from_json(schedule):
    stored = json.loads(json.dumps(schedule.configuration(), allow_nan=False))
    again = optim.Schedule.from_configuration(type(schedule).__name__, stored)
    assert type(again) is type(schedule)
    assert again.configuration() == schedule.configuration()


@pytest.mark.parametrize("registry", [optim.OPTIMIZERS, optim.SCHEDULES], ids=["opt", "schedule"])
def test_names_are_the_classes(registry):
    assert all(cls.__name__ == name for name, cls in registry.items())


def test_every_registered_class_is_configured_here():
    made = {type(each).__name__ for each in OPTIMIZERS + SCHEDULES}
    assert made == {*optim.OPTIMIZERS, *optim.SCHEDULES}


def test_configuration_has_every_option():
    assert optim.Adam().configuration() == {
        "lr": 1e-3,
        "betas": [0.9, 0.999],
        "eps": 1e-8,
        "weight_decay": 0.0,
        "amsgrad": False,
        "groups": None,
        "clip_norm": None,
        "max_norm": None,
        "clip_value": None,
        "maximize": False,
    }


def test_repr_shows_what_was_chosen():
    assert repr(optim.Adam()) == "Adam(lr=0.001)"
    assert [repr(each) for each in (OPTIMIZERS[1], SCHEDULES[3], SCHEDULES[4])] == [
        "SGD(lr=3.0, momentum=0.9, nesterov=True, groups={'*.bias': {'weight_decay': 0.0}})",
        "CosineAnnealingLR(T_max=10, eta_min=0.0001)",
        "ReduceLROnPlateau(mode='max', patience=3)",
    ]


@pytest.mark.parametrize(
    ("make", "name", "options", "kind", "message"),
    [
        (
            optim.Optimizer.from_configuration,
            "adam",
            {},
            NameNotFoundError,
            (
                'No optimizer is named "adam". Did you mean "Adam"? There are: '
                f"{', '.join(optim.OPTIMIZERS)}."
            ),
        ),
        (
            optim.Optimizer.from_configuration,
            "Adam",
            {"beta": 0.9},
            NameNotFoundError,
            (
                'No option of Adam is named "beta". Did you mean "betas"? There are: lr, betas, '
                "eps, weight_decay, amsgrad, groups, clip_norm, clip_value, max_norm, maximize."
            ),
        ),
        (
            optim.Schedule.from_configuration,
            "StepLR",
            {"gamma": 0.5},
            ConfigurationError,
            "StepLR needs step_size.",
        ),
    ],
)
def test_configuration_that_cannot_be(make, name, options, kind, message):
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        make(name, options)
