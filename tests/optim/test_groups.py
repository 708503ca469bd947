"""Groups: which parameter gets which options."""

import re

import numpy as np
import pytest

from chainrule import optim
from chainrule.base.errors import ConfigurationError, NameNotFoundError
from tests.optim.nets import Net


def layers():
    ones = np.ones(2)
    return Net(**{"0__weight": ones, "0__bias": ones, "1__weight": ones, "1__bias": ones})


def moved(groups, lr=1.0, rate=None):
    """How far each parameter goes against a gradient of 1."""
    net = layers()
    optim.SGD(lr=lr, groups=groups).update(
        net, {path: np.ones(2) for path in net.parameters}, lr=rate
    )
    return {path: float(1 - value[0]) for path, value in net.numpy().items()}


def test_later_patterns_win():
    groups = {"1.*": {"lr": 2.0, "weight_decay": 1.0}, "*.bias": {"lr": 0.5}}
    assert moved(groups) == {"0.weight": 1.0, "0.bias": 0.5, "1.weight": 4.0, "1.bias": 1.0}


def test_a_path_is_a_pattern_too():
    assert moved({"0.bias": {"lr": 0.0}})["0.bias"] == 0.0


def test_a_groups_rate_keeps_its_ratio():
    assert moved({"*.bias": {"lr": 0.5}}, lr=2.0, rate=1.0) == {
        "0.weight": 1.0,
        "0.bias": 0.25,
        "1.weight": 1.0,
        "1.bias": 0.25,
    }


def test_a_group_may_have_an_optimizer_of_its_own():
    nets, adam = [layers(), layers()], {"betas": (0.5, 0.9), "weight_decay": 0.1}
    mixed = optim.SGD(lr=2.0, momentum=0.9, groups={"*.bias": optim.Adam(lr=0.5, **adam)})
    alone = [optim.SGD(lr=2.0, momentum=0.9), optim.Adam(lr=0.5, **adam)]
    for i in range(3):
        gradients = {path: np.array([1.0, -0.5 - i]) for path in nets[0].parameters}
        mixed.update(nets[0], gradients, lr=1.0)
        for optimizer, ending, lr in zip(alone, ("weight", "bias"), (1.0, 0.25), strict=True):
            part = {path: w for path, w in nets[1].parameters.items() if path.endswith(ending)}
            own = Net()
            own.parameters = part
            optimizer.update(own, {path: gradients[path] for path in part}, lr=lr)
    assert {path: w.tolist() for path, w in nets[0].numpy().items()} == {
        path: w.tolist() for path, w in nets[1].numpy().items()
    }
    assert mixed.slots("0.bias") == ("exp_avg", "exp_avg_sq")
    assert mixed.slots("0.weight") == ("momentum_buffer",)


def test_options_after_an_optimizer_are_that_optimizers():
    groups = {"*.bias": optim.SGD(lr=0.5), "1.*": {"weight_decay": 1.0}}
    assert moved(groups) == {"0.weight": 1.0, "0.bias": 0.5, "1.weight": 2.0, "1.bias": 1.0}
    message = (
        'No option of Rprop is named "weight_decay". Group "1.*". '
        "There are: lr, etas, step_sizes, groups, clip_norm, clip_value, max_norm, maximize."
    )
    with pytest.raises(NameNotFoundError, match=f"^{re.escape(message)}$"):
        moved(groups | {"*.bias": optim.Rprop()})


def test_groups_are_copied():
    groups = {"*.bias": {"weight_decay": 1}}
    optimizer = optim.SGD(groups=groups)
    groups["*.bias"]["weight_decay"] = 2
    assert optimizer.groups == {"*.bias": {"weight_decay": 1.0}}


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (
            NameNotFoundError,
            {"groups": {"*.bias": {"wieght_decay": 0}}},
            (
                'No option of a group of SGD is named "wieght_decay". Group "*.bias". '
                'Did you mean "weight_decay"? '
                "There are: lr, momentum, dampening, weight_decay, nesterov, max_norm, maximize."
            ),
        ),
        (
            NameNotFoundError,
            {"groups": {"*.bias": {"clip_norm": 1.0}}},
            (
                'No option of a group of SGD is named "clip_norm". Group "*.bias". '
                "There are: lr, momentum, dampening, weight_decay, nesterov, max_norm, maximize."
            ),
        ),
        (
            ConfigurationError,
            {"groups": {"*.bias": {"lr": -1}}},
            'SGD takes lr as a number ≥ 0; got -1. Group "*.bias".',
        ),
        (
            ConfigurationError,
            {"groups": {"*.bias": {"nesterov": True}}},
            (
                "SGD takes nesterov=True with momentum > 0 and dampening = 0; got momentum=0.0, "
                'dampening=0.0. Group "*.bias".'
            ),
        ),
        (
            ConfigurationError,
            {"lr": 0, "groups": {"*.bias": {"lr": 1}}},
            (
                "SGD takes a group's lr as a multiple of its own, which is 0; got 1.0. "
                'Group "*.bias". Give it an lr > 0, and lr=0 to the groups that stand still.'
            ),
        ),
        (
            ConfigurationError,
            {"lr": 0, "groups": {"*.bias": optim.Adam(lr=1)}},
            (
                "SGD takes a group's lr as a multiple of its own, which is 0; got 1.0. "
                'Group "*.bias". Give it an lr > 0, and lr=0 to the groups that stand still.'
            ),
        ),
        (
            ConfigurationError,
            {"groups": {"*.bias": optim.Adam(clip_norm=1)}},
            (
                "SGD takes a group's optimizer without clip_norm, which is for all parameters "
                'together; got Adam(lr=0.001, clip_norm=1.0). Group "*.bias".'
            ),
        ),
        (
            ConfigurationError,
            {"groups": {"*.bias": optim.StepLR(3)}},
            (
                "SGD takes a group as options or as an optimizer; got StepLR(step_size=3). "
                'Group "*.bias".'
            ),
        ),
        (
            NameNotFoundError,
            {"groups": {"*.bias": {"name": "Adm"}}},
            (
                'No optimizer is named "Adm". Group "*.bias". Did you mean "Adam"? '
                f"There are: {', '.join(optim.OPTIMIZERS)}."
            ),
        ),
        (
            ConfigurationError,
            {"groups": ["*.bias"]},
            (
                "SGD takes groups as options by pattern; got ['*.bias']. "
                'Write groups={"*.bias": {"weight_decay": 0}}.'
            ),
        ),
        (
            ConfigurationError,
            {"groups": {"*.bias": 0}},
            (
                "SGD takes groups as options by pattern; got {'*.bias': 0}. "
                'Write groups={"*.bias": {"weight_decay": 0}}.'
            ),
        ),
    ],
)
def test_group_that_cannot_be(kind, options, message):
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        optim.SGD(**options)


@pytest.mark.parametrize(
    ("pattern", "question"),
    [
        ("*.bais", 'Did you mean "*.bias"? '),
        ("0.wieght", 'Did you mean "0.weight"? '),
        ("embedding*", ""),
    ],
)
def test_pattern_that_matches_nothing(pattern, question):
    net = layers()
    optimizer = optim.SGD(groups={pattern: {"lr": 1.0}})
    message = (
        f'The pattern "{pattern}" of groups matches no parameter that is trained. {question}'
        "There are: 0.weight, 0.bias, 1.weight, 1.bias."
    )
    gradients = {path: np.ones(2) for path in net.parameters}
    for act in (
        lambda: optimizer.initial_state(net.parameters),
        lambda: optimizer.graph(net.parameters),
        lambda: optimizer.update(net, gradients),
    ):
        with pytest.raises(NameNotFoundError, match=f"^{re.escape(message)}$"):
            act()
    assert all((value == 1).all() for value in net.numpy().values())
