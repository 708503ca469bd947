"""Starts: all alike, too large, too small, dead, saturated. And such as are meant to be so."""

from __future__ import annotations

import numpy as np

from chainrule import nn, optim
from chainrule.base.errors import NonFiniteError
from chainrule.nn import init
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import AFTER, BEFORE, Setup, broken, healthy
from tests.explanation.diagnosing.setups.judges import classes, halves, odds, r2


@broken(
    "symmetric-initialization",
    classes,
    0.85,
    also=["gradient-zero", "class-collapse", "too-few-units", "constant-features"],
)
def all_weights_zero(mended: bool = False) -> Setup:
    """Zeros in every layer: no hidden unit ever gets a gradient (Humbatova et al. 2020)."""
    x, y = m.digits()
    net = m.mlp(
        64, 32, 10, hidden=nn.Tanh, weight_init=None if mended else "zeros", bias_init="zeros"
    )
    return Setup(net, x, y, "CrossEntropyLoss", optim.SGD(lr=0.2), 15, metrics=["accuracy"])


@broken("symmetric-initialization", odds, 0.95, also=["too-few-units", "saturated-units"])
def all_weights_one_half(mended: bool = False) -> Setup:
    """One number for all weights: the hidden units are one unit, forever."""
    x, y = m.moons(noise=0.08)
    start = None if mended else init.constant(0.5)
    net = m.mlp(2, 24, 1, hidden=nn.Sigmoid, weight_init=start, bias_init="zeros")
    return Setup(net, x, y, "BCEWithLogitsLoss", optim.Adam(lr=0.05), 60, 16)


@broken("symmetric-initialization", halves, 1.0, also=["too-few-units", "gradient-zero"])
def exclusive_or_from_zeros(mended: bool = False) -> Setup:
    """The 2-3-1 network of a first exercise, begun with np.zeros."""
    x, y = m.xor()
    start = {} if mended else {"weight_init": "zeros", "bias_init": "zeros"}
    net = m.mlp(2, 3, 1, hidden=nn.Tanh, **start)
    net.append(nn.Sigmoid())
    net.initialize(seed=5)
    return Setup(net, x, y, "BCELoss", optim.SGD(lr=1.0), 500, 4, more={"dtype": "float64"})


@broken("dead-units", r2, 0.9, also=["gradient-zero", "frozen-layer"])
def biases_of_minus_ten(mended: bool = False) -> Setup:
    """Hidden biases so low that no example switches a unit on (DeepLocalize 2021)."""
    x, y = m.houses()
    net = m.mlp(4, 32, 1)
    net[0].bias.replace(np.full(32, 0.0 if mended else -10.0, np.float32))
    return Setup(net, m.standardised(x), m.standardised(y), "MSELoss", optim.Adam(lr=0.01), 40)


@broken(
    "dead-units",
    classes,
    0.85,
    looked_at=(AFTER,),
    also=[
        "learning-rate-too-large",
        "class-collapse",
        "gradient-zero",
        "exploding-gradient",
        "constant-features",
    ],
)
def rectifiers_killed_by_a_large_step(mended: bool = False) -> Setup:
    """A rate that is too large throws the biases so low that ReLU never comes back.

    AutoTrainer (Zhang et al. 2021): dying ReLU.
    """
    x, y = m.digits()
    net = m.mlp(64, 48, 48, 10)
    optimizer = optim.SGD(lr=0.05 if mended else 2.0, momentum=0.9)
    return Setup(net, x, y, "CrossEntropyLoss", optimizer, 15, metrics=["accuracy"])


@broken(
    "dead-units",
    classes,
    0.88,
    also=["gradient-zero", "class-collapse", "unscaled-inputs", "constant-features"],
)
def rectifiers_behind_inputs_below_zero(mended: bool = False) -> Setup:
    """Weights drawn from 0 to 1 and pixels from -1 to 0: every sum is below 0."""
    x, y = m.digits()
    start = None if mended else init.uniform(0.0, 1.0)
    net = nn.Sequential(
        nn.Linear(64, 40, weight_init=start, bias_init="zeros"), nn.ReLU(), nn.Linear(40, 10)
    )
    return Setup(net, x - 1, y, "CrossEntropyLoss", optim.Adam(lr=0.003), 15, metrics=["accuracy"])


@broken(
    "saturated-units",
    classes,
    0.85,
    also=["vanishing-gradient", "exploding-gradient", "constant-features"],
)
def weights_of_spread_five_under_a_sigmoid(mended: bool = False) -> Setup:
    """Weights N(0, 5²) with 64 inputs: sums of ±50, where the sigmoid is flat."""
    x, y = m.digits()
    start = None if mended else init.normal(0.0, 5.0)
    net = nn.Sequential(
        nn.Linear(64, 30, weight_init=start),
        nn.Sigmoid(),
        nn.Linear(30, 30, weight_init=start),
        nn.Sigmoid(),
        nn.Linear(30, 10),
    )
    return Setup(
        net,
        x,
        y,
        "CrossEntropyLoss",
        optim.SGD(lr=0.5),
        60,
        metrics=["accuracy"],
        fresh=m.digits(797, 1000),
    )


@broken("saturated-units", r2, 0.94, also=["exploding-gradient", "vanishing-gradient"])
def a_tanh_network_with_weights_of_spread_ten(mended: bool = False) -> Setup:
    """np.random.randn(...) * 10 in three layers of tanh: each unit is -1 or +1."""
    x, y = m.load_of_a_grid()
    start = "xavier_normal" if mended else init.normal(0.0, 10.0)
    net = nn.Sequential(
        nn.Linear(24, 24, weight_init=start),
        nn.Tanh(),
        nn.Linear(24, 24, weight_init=start),
        nn.Tanh(),
        nn.Linear(24, 24, weight_init=start),
        nn.Tanh(),
        nn.Linear(24, 1),
    )
    return Setup(net, x, y, "MSELoss", optim.SGD(lr=0.02), 60, 32)


@broken("vanishing-gradient", classes, 0.7, also=["class-collapse", "constant-features"])
def ten_layers_of_sigmoids(mended: bool = False) -> Setup:
    """Each sigmoid takes three quarters of the gradient at least [Hochreiter 1991]."""
    x, y = m.digits(500)
    hidden, start = (nn.ReLU, "kaiming_normal") if mended else (nn.Sigmoid, "xavier_normal")
    net = m.mlp(64, *[24] * 9, 10, hidden=hidden, weight_init=start)
    return Setup(net, x, y, "CrossEntropyLoss", optim.SGD(lr=0.02), 25, 20, metrics=["accuracy"])


@broken(
    "vanishing-gradient",
    classes,
    0.85,
    also=["class-collapse", "symmetric-initialization", "constant-features"],
)
def eight_layers_begun_too_small(mended: bool = False) -> Setup:
    """Weights N(0, 0.01²) in eight layers of tanh: a hundredth of a hundredth of ..."""
    x, y = m.ink(500)
    start = "xavier_normal" if mended else init.normal(0.0, 0.01)
    net = m.mlp(61, *[32] * 7, 10, hidden=nn.Tanh, weight_init=start, bias_init="zeros")
    return Setup(net, x, y, "CrossEntropyLoss", optim.SGD(lr=0.05), 20, 20, metrics=["accuracy"])


@broken(
    "exploding-gradient",
    r2,
    0.8,
    looked_at=(BEFORE,),
    refused=NonFiniteError,
    also=["loss-not-finite", "learning-rate-too-large"],
)
def ten_layers_of_spread_one(mended: bool = False) -> Setup:
    """np.random.randn(...) for ten layers of ReLU: each makes its inputs three times as large."""
    x, y = m.plane(300, 16)
    start = "kaiming_normal" if mended else init.normal(0.0, 1.0)
    net = m.mlp(16, *[24] * 9, 1, weight_init=start, bias_init="zeros")
    return Setup(net, x, m.standardised(y), "MSELoss", optim.SGD(lr=0.01), 60, 20)


@broken(
    "exploding-gradient",
    classes,
    0.75,
    also=["learning-rate-too-large", "class-collapse", "constant-features", "duplicate-features"],
)
def five_layers_of_spread_one_and_adam(mended: bool = False) -> Setup:
    """The same in a classifier: a first loss of thousands, which Adam walks down slowly."""
    x, y = m.digits(600)
    start = "kaiming_normal" if mended else init.normal(0.0, 1.0)
    net = m.mlp(64, 64, 64, 64, 64, 10, weight_init=start, bias_init="zeros")
    return Setup(
        net,
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.0005),
        12,
        32,
        metrics=["accuracy"],
        fresh=m.digits(600, 600),
    )


@healthy(classes, 0.9)
def softmax_regression_from_zeros() -> Setup:
    """A single layer that starts with zeros, where nothing is symmetric, and that is fine."""
    x, y = m.ink()
    net = nn.Sequential(nn.Linear(61, 10, weight_init="zeros", bias_init="zeros"))
    return Setup(net, x, y, "CrossEntropyLoss", optim.SGD(lr=0.5), 20, metrics=["accuracy"])


@healthy(r2, 0.9)
def a_last_layer_of_zeros() -> Setup:
    """Zeros in the last layer alone: the others get no gradient in step 0, and that is fine."""
    x, y = m.houses()
    net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1, weight_init="zeros"))
    return Setup(net, m.standardised(x), m.standardised(y), "MSELoss", optim.Adam(lr=0.01), 50)


@healthy(classes, 0.9)
def biases_that_start_at_zero() -> Setup:
    """Zero biases under drawn weights, as Keras has it, and that is fine."""
    x, y = m.ink()
    net = m.mlp(61, 40, 10, weight_init="xavier_uniform", bias_init="zeros")
    return Setup(net, x, y, "CrossEntropyLoss", optim.Adam(lr=0.003), 15, metrics=["accuracy"])


@healthy(classes, 0.9)
def a_fifth_of_the_units_off() -> Setup:
    """Ten of fifty rectifiers are zero on all data and the others do the work: that is fine."""
    x, y = m.ink()
    net = m.mlp(61, 50, 10)
    net.initialize(seed=0)
    bias = net[0].bias.numpy().copy()
    bias[::5] = -6.0
    net[0].bias.replace(bias)
    return Setup(net, x, y, "CrossEntropyLoss", optim.SGD(lr=0.1), 25, metrics=["accuracy"])


@healthy(r2, 0.9)
def tanh_somewhat_saturated() -> Setup:
    """Weights twice as wide as usual: a tenth of the units near ±1, and that is fine."""
    x, y = m.load_of_a_grid()
    net = nn.Sequential(
        nn.Linear(24, 32, weight_init=init.xavier_normal(1.5)), nn.Tanh(), nn.Linear(32, 1)
    )
    return Setup(net, x, y, "MSELoss", optim.Adam(lr=0.005), 40)


@healthy(classes, 0.88)
def eight_layers_with_a_good_start() -> Setup:
    """Deep for its data, with Kaiming's start: gradients of one size, and that is fine."""
    x, y = m.ink()
    net = m.mlp(61, *[32] * 7, 10, weight_init="kaiming_normal", bias_init="zeros")
    return Setup(net, x, y, "CrossEntropyLoss", optim.Adam(lr=0.001), 20, metrics=["accuracy"])


@healthy(classes, 0.9)
def orthogonal_and_selu() -> Setup:
    """SELU with LeCun's start and an orthogonal second layer."""
    x, y = m.iris(seed=2)
    net = nn.Sequential(
        nn.Linear(4, 16, weight_init="lecun_normal"),
        nn.SELU(),
        nn.Linear(16, 16, weight_init="orthogonal"),
        nn.SELU(),
        nn.Linear(16, 3),
    )
    return Setup(net, x, y, "CrossEntropyLoss", optim.Adam(lr=0.005), 30, 16)


@healthy(r2, 0.9)
def a_first_loss_of_fifty() -> Setup:
    """Targets around 7 and an output around 0: a large first loss that falls, and that is fine."""
    draw = m.rng(51)
    x = draw.normal(size=(400, 4)).astype(np.float32)
    y = (7 + 2 * x[:, :1] - x[:, 1:2] * x[:, 2:3]).astype(np.float32)
    return Setup(m.mlp(4, 32, 1), x, y, "MSELoss", optim.Adam(lr=0.01), 60)


@healthy(odds, 0.95)
def a_few_weights_from_another_training() -> Setup:
    """Weights that were given and not drawn, already near a solution, trained on: that is fine."""
    x, y = m.moons(seed=9)
    first = Setup(m.mlp(2, 16, 1), x, y, "BCEWithLogitsLoss", optim.Adam(lr=0.02), 25, 16)
    first.fit()
    net = m.mlp(2, 16, 1)
    net.load_state_dict(first.net.state_dict())
    return Setup(net, x, y, "BCEWithLogitsLoss", optim.Adam(lr=0.002), 20, 16)
