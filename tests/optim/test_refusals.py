"""What optimisers and schedules refuse, and how they say it."""

import re

import numpy as np
import pytest

from chainrule import optim
from chainrule.base.errors import (
    ConfigurationError,
    DTypeError,
    NameNotFoundError,
    ShapeError,
    TracingError,
    TrainingError,
)
from chainrule.eager import Tensor, trace
from chainrule.optim.chained import Nested
from chainrule.optim.kinds import Choice, Listed, Maybe, Number, Row, Switch, Whole
from chainrule.optim.options import kinds
from tests.optim.grids import TYPICAL_SCHEDULES
from tests.optim.nets import Net


def net():
    return Net(**{"0__weight": np.ones((2, 3)), "0__bias": np.ones(2)})


def gradients(**others):
    return {"0.weight": np.ones((2, 3)), "0.bias": np.ones(2)} | others


def raises(kind, message):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("SGD", {"lr": -0.1}, "SGD takes lr as a number ≥ 0; got -0.1."),
        ("SGD", {"lr": float("nan")}, "SGD takes lr as a number ≥ 0; got nan."),
        ("SGD", {"lr": float("inf")}, "SGD takes lr as a number ≥ 0; got inf."),
        ("SGD", {"lr": "0.1"}, "SGD takes lr as a number ≥ 0; got '0.1'."),
        ("SGD", {"lr": True}, "SGD takes lr as a number ≥ 0; got True."),
        ("SGD", {"lr": 10**400}, f"SGD takes lr as a number ≥ 0; got {10**400}."),
        ("SGD", {"momentum": -1}, "SGD takes momentum as a number ≥ 0; got -1."),
        ("SGD", {"dampening": None}, "SGD takes dampening as a finite number; got None."),
        ("SGD", {"nesterov": 1}, "SGD takes nesterov as True or False; got 1."),
        (
            "SGD",
            {"nesterov": True, "momentum": 0.9, "dampening": 0.5},
            (
                "SGD takes nesterov=True with momentum > 0 and dampening = 0; "
                "got momentum=0.9, dampening=0.5."
            ),
        ),
        ("SGD", {"clip_norm": 0}, "SGD takes clip_norm as a number > 0, or None; got 0."),
        ("SGD", {"clip_value": -1}, "SGD takes clip_value as a number > 0, or None; got -1."),
        (
            "Adam",
            {"betas": (0.9, 1.0)},
            "Adam takes betas as a pair, each a number in [0, 1); got (0.9, 1.0).",
        ),
        ("Adam", {"betas": 0.9}, "Adam takes betas as a pair, each a number in [0, 1); got 0.9."),
        ("AdamW", {"eps": -1e-8}, "AdamW takes eps as a number ≥ 0; got -1e-08."),
    ],
)
def test_optimizer_option_that_cannot_be(name, options, message):
    with raises(ConfigurationError, message):
        optim.OPTIMIZERS[name](**options)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("StepLR", {"step_size": 0}, "StepLR takes step_size as a whole number ≥ 1; got 0."),
        ("StepLR", {"step_size": 1.5}, "StepLR takes step_size as a whole number ≥ 1; got 1.5."),
        ("StepLR", {"step_size": True}, "StepLR takes step_size as a whole number ≥ 1; got True."),
        ("ExponentialLR", {"gamma": -1}, "ExponentialLR takes gamma as a number ≥ 0; got -1."),
        (
            "LinearLR",
            {"start_factor": 0},
            "LinearLR takes start_factor as a number in (0, 1]; got 0.",
        ),
        (
            "LinearLR",
            {"unit": "steps"},
            'LinearLR takes unit as "step" or "epoch"; got \'steps\'. Did you mean "step"?',
        ),
        (
            "CosineAnnealingLR",
            {"T_max": 0},
            "CosineAnnealingLR takes T_max as a whole number ≥ 1; got 0.",
        ),
        (
            "ReduceLROnPlateau",
            {"factor": 1.0},
            "ReduceLROnPlateau takes factor as a number in [0, 1); got 1.0.",
        ),
        (
            "ReduceLROnPlateau",
            {"mode": 3},
            'ReduceLROnPlateau takes mode as "min" or "max"; got 3.',
        ),
    ],
)
def test_schedule_option_that_cannot_be(name, options, message):
    with raises(ConfigurationError, message):
        optim.SCHEDULES[name](**options)


def bad_values(kind):
    """Values that are not of a kind."""
    match kind:
        case Maybe():
            return [bad for bad in bad_values(kind.kind) if bad is not None]
        case Number():
            beyond = [kind.low if kind.open_low else kind.low - 1] if kind.low > -np.inf else []
            return [*beyond, float("nan"), float("inf"), "0.1", True, None]
        case Whole():
            return [kind.at_least - 1, 1.5, True, "3", None]
        case Switch():
            return [1, "yes", None]
        case Choice():
            return ["?", 3, None]
        case Row():
            good = tuple(each.low + 0.5 for each in kind.kinds)
            return [0.5, good[:-1], *((bad, *good[1:]) for bad in bad_values(kind.kinds[0]))]
        case Nested():
            return [3, "StepLR", None, optim.ReduceLROnPlateau(), {}]
        case Listed():
            return [3, "3", *([bad] for bad in bad_values(kind.each))]
    raise AssertionError(f"say what {type(kind).__name__} refuses")


OPTIONS = [
    (cls, option)
    for registry in (optim.OPTIMIZERS, optim.SCHEDULES, optim.MINIMIZERS)
    for cls in registry.values()
    for option in kinds(cls)
]


@pytest.mark.parametrize(
    ("cls", "option"), OPTIONS, ids=lambda each: getattr(each, "__name__", each)
)
def test_every_option_refuses_what_it_is_not(cls, option):
    kind = kinds(cls)[option]
    given = TYPICAL_SCHEDULES.get(cls.__name__, {})
    for bad in bad_values(kind):
        with raises(ConfigurationError, f"{cls.__name__} takes {option} as {kind}; got {bad!r}."):
            cls(**given | {option: bad})


def test_options_are_fixed():
    with raises(
        ConfigurationError,
        "SGD's lr is fixed when it is made. Vary the learning rate by a schedule or by "
        "update(lr=...); for the rest make a new one and load this one's state_dict().",
    ):
        optim.SGD().lr = 0.1
    with raises(ConfigurationError, "StepLR's gamma is fixed when it is made. Make a new one."):
        optim.StepLR(3).gamma = 0.5


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        (
            {"0.weight": np.ones((2, 3))},
            TrainingError,
            (
                "SGD got no gradient for 0.bias. "
                "Set requires_grad = False on parameters that are not to be trained."
            ),
        ),
        (
            gradients(**{"0.wieght": np.ones(2)}),
            NameNotFoundError,
            (
                'No trained parameter is named "0.wieght". Gradients given to SGD. '
                'Did you mean "0.weight"? There are: 0.weight, 0.bias.'
            ),
        ),
        (
            gradients(**{"0.weight": np.ones((3, 2))}),
            ShapeError,
            (
                "SGD got a gradient of shape [3,2] for 0.weight, whose shape is [2,3]. "
                "It is transposed."
            ),
        ),
        (
            gradients(**{"0.bias": np.ones((10, 2))}),
            ShapeError,
            (
                "SGD got a gradient of shape [10,2] for 0.bias, whose shape is [2]. "
                "It has one axis more: sum it over the batch."
            ),
        ),
        (
            gradients(**{"0.bias": np.ones(3)}),
            ShapeError,
            "SGD got a gradient of shape [3] for 0.bias, whose shape is [2].",
        ),
        (
            (1.0, gradients()),
            ConfigurationError,
            (
                "SGD takes gradients by parameter path; got tuple. "
                "loss, gradients = cr.value_and_grad(f)(net) gives them."
            ),
        ),
    ],
)
def test_gradients_that_do_not_fit(given, kind, message):
    network, optimizer = net(), optim.SGD()
    with raises(kind, message):
        optimizer.update(network, given)
    assert optimizer.t == 0
    assert (network.numpy()["0.weight"] == 1).all()


def test_all_frozen():
    message = "SGD got no parameter to update. Set requires_grad = True on some."
    with raises(TrainingError, message):
        optim.SGD().update(Net(), {})


@pytest.mark.parametrize("lr", [-1.0, float("nan"), "fast"])
def test_rate_that_cannot_be(lr):
    with raises(ConfigurationError, f"SGD takes lr as a number ≥ 0; got {lr!r}."):
        optim.SGD().update(net(), gradients(), lr=lr)


def test_update_while_tracing():
    def step(x):
        optim.SGD().update(net(), gradients())
        return x

    with pytest.raises(TracingError) as caught:
        trace(step, np.ones(2))
    assert caught.value.message == (
        "SGD.update changes parameters, and while a function is traced there are only symbols"
    )
    assert caught.value.advice == "Call it outside the traced function"
    assert re.fullmatch(r"Line \d+ of \S*test_refusals\.py", caught.value.where)


def test_state_of_other_parameters():
    optimizer = optim.SGD(momentum=0.9)
    optimizer.update(Net(a=np.ones(2)), {"a": np.ones(2)})
    with raises(
        TrainingError,
        "SGD has no state b:momentum_buffer. "
        "For other parameters than those it began with, make a new optimizer.",
    ):
        optimizer.update(Net(b=np.ones(2)), {"b": np.ones(2)})
    with raises(ShapeError, "SGD's state a:momentum_buffer has shape [2]; here it takes [3]."):
        optimizer.update(Net(a=np.ones(3)), {"a": np.ones(3)})


def test_apply_with_a_state_too_many():
    w = {"a": Tensor(np.ones(2))}
    message = (
        'No state is named "a:momentum_bufer". State given to SGD. '
        'Did you mean "a:momentum_buffer"? There are: a:momentum_buffer.'
    )
    with raises(NameNotFoundError, message):
        optim.SGD(momentum=0.9).apply(w, w, {"a:momentum_bufer": w["a"]}, 0, 0.1)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (
            lambda state: state.pop("t"),
            TrainingError,
            "Adam's state has no t, the number of updates done.",
        ),
        (
            lambda state: state.update(t=-1),
            ConfigurationError,
            "Adam's state takes t as a whole number ≥ 0; got -1.",
        ),
        (
            lambda state: state.pop("0.bias:exp_avg"),
            TrainingError,
            "Adam's state has no 0.bias:exp_avg.",
        ),
        (
            lambda state: state.update({"0.bias:momentum_buffer": np.ones(2)}),
            NameNotFoundError,
            (
                'No state of Adam is named "0.bias:momentum_buffer". '
                "There are: 0.bias:exp_avg, 0.bias:exp_avg_sq."
            ),
        ),
        (
            lambda state: state.update({"0.bias:exp_avg": np.ones(2, np.int64)}),
            DTypeError,
            "Adam's state takes 0.bias:exp_avg as floats; got int64.",
        ),
    ],
)
def test_state_dict_that_does_not_fit(change, kind, message):
    optimizer = optim.Adam()
    optimizer.update(net(), gradients())
    state = optimizer.state_dict()
    change(state)
    with raises(kind, message):
        optimizer.load_state_dict(state)
    assert optimizer.t == 1


def test_rule_that_forgets_a_cast():
    class Careless(optim.Optimizer):
        def initial_slots(self):
            return {}

        def rule(self, t, lr):
            return lambda w, d_w, slots: (w - lr * d_w, {})

    message = (
        "Careless.rule gives values of the types it takes; w is f32[2], it gave f64[2]. "
        "Cast what is computed from t and lr: .astype(w.dtype)."
    )
    with raises(DTypeError, message):
        Careless().update(Net(w=np.ones(2, np.float32)), {"w": np.ones(2)})
