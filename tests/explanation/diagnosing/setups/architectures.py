"""Networks of more than layers in a row: recurrent, convolutional, attention, ones of one's own."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import NonFiniteError
from chainrule.nn import init
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import BEFORE, Setup, broken, healthy
from tests.explanation.diagnosing.setups.judges import classes, odds, r2


@broken("gradient-missing", r2, 0.9, learns=True)
def a_layer_that_forward_forgets(mended: bool = False) -> Setup:
    """Made in `__init__`, never called: the network is smaller than its author thinks."""

    class Net(nn.Module):
        def __init__(self):
            self.first = nn.Linear(24, 2)
            self.second = nn.Linear(2, 32)
            self.last = nn.Linear(32 if mended else 2, 1)

        def forward(self, x):
            h = cr.tanh(self.first(x))
            if mended:
                h = cr.tanh(self.second(h))
            return self.last(h)

    x, y = m.load_of_a_grid()
    return Setup(Net(), x, y, "MSELoss", optim.Adam(lr=0.01), 40)


@broken("gradient-missing", classes, 0.88, also=["frozen-layer", "constant-features"])
def features_that_are_detached(mended: bool = False) -> Setup:
    """A stop_gradient left over from logging cuts the first layers off the loss."""

    class Net(nn.Module):
        def __init__(self):
            self.features = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU())
            self.head = nn.Linear(8, 10)

        def forward(self, x):
            h = self.features(x)
            return self.head(h if mended else cr.stop_gradient(h))

    x, y = m.digits()
    return Setup(Net(), x, y, "CrossEntropyLoss", optim.Adam(lr=0.005), 25, metrics=["accuracy"])


@broken("gradient-missing", r2, 0.9)
def the_second_input_is_not_used(mended: bool = False) -> Setup:
    """Two towers of which one is joined with itself: concatenate([a, a])."""

    class Towers(nn.Module):
        def __init__(self):
            self.left = nn.Linear(3, 16)
            self.right = nn.Linear(3, 16)
            self.last = nn.Linear(32, 1)

        def forward(self, x):
            a, b = cr.relu(self.left(x[:, :3])), cr.relu(self.right(x[:, 3:]))
            return self.last(cr.concatenate([a, b if mended else a], axis=1))

    x, y = m.plane(400, 6, seed=71)
    return Setup(Towers(), x, y, "MSELoss", optim.Adam(lr=0.01), 40)


@broken("gradient-zero", odds, 0.95)
def a_threshold_as_activation(mended: bool = False) -> Setup:
    """The perceptron's step function in a hidden layer: its slope is 0 wherever it has one."""

    class Net(nn.Module):
        def __init__(self):
            self.first = nn.Linear(2, 6)
            self.last = nn.Linear(6, 1)

        def forward(self, x):
            z = self.first(x)
            return self.last(cr.sigmoid(4 * z) if mended else cr.where(z > 0, 1.0, 0.0))

    x, y = m.moons(noise=0.08)
    return Setup(Net(), x, y, "BCEWithLogitsLoss", optim.Adam(lr=0.03), 60, 16)


@broken("gradient-zero", r2, 0.9)
def outputs_that_are_rounded(mended: bool = False) -> Setup:
    """round() in the forward pass, because the targets are whole numbers."""

    class Net(nn.Module):
        def __init__(self):
            self.body = m.mlp(4, 24, 1)

        def forward(self, x):
            return self.body(x) if mended else cr.round(self.body(x))

    draw = m.rng(72)
    x = draw.normal(size=(400, 4)).astype(np.float32)
    y = np.rint(5 * x[:, :1] - 3 * x[:, 1:2]).astype(np.float32)
    return Setup(Net(), x, y, "MSELoss", optim.Adam(lr=0.02), 40)


@broken("gradient-zero", odds, 0.95, also=["dead-units", "unreachable-targets"])
def outputs_clipped_where_none_are(mended: bool = False) -> Setup:
    """clip(output, 3, 4) of outputs around 0: the gradient ends at the clip."""

    class Net(nn.Module):
        def __init__(self):
            self.body = m.mlp(2, 24, 1, hidden=nn.Tanh)

        def forward(self, x):
            return cr.clip(self.body(x), -4.0 if mended else 3.0, 4.0)

    x, y = m.moons(noise=0.08)
    return Setup(Net(), x, y, "BCEWithLogitsLoss", optim.Adam(lr=0.02), 40, 16)


def _first_of_many(n: int, length: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = m.rng(seed)
    y = draw.integers(0, 2, (n, 1))
    x = 0.3 * draw.normal(size=(n, length, 1))
    x[:, 0, 0] += 2 * y[:, 0] - 1
    return x.astype(np.float32), y.astype(np.float32)


@broken("vanishing-gradient", odds, 0.95)
def a_memory_of_sixteen_steps(mended: bool = False) -> Setup:
    """An RNN has to say what came sixteen steps ago, and half is lost in each [Bengio 1994]."""
    x, y = _first_of_many(200, 3 if mended else 16, 73)
    net = m.Recurrent(1, 8, 1, start=init.uniform(-0.3, 0.3))
    return Setup(net, x, y, "BCEWithLogitsLoss", optim.SGD(lr=0.5), 60 if mended else 15, 25)


@broken(
    "exploding-gradient",
    r2,
    0.8,
    looked_at=(BEFORE,),
    refused=NonFiniteError,
    also=["loss-not-finite", "learning-rate-too-large"],
)
def a_rectified_rnn_that_doubles(mended: bool = False) -> Setup:
    """A recurrence of twice the identity under ReLU: 2²⁴ after 24 steps."""
    x, y = m.load_of_a_grid()
    size = 0.5 if mended else 2.0
    net = m.Recurrent(1, 12, 1, activation=cr.relu)
    net.onward.weight.replace((size * np.eye(12)).astype(np.float32))
    return Setup(
        net,
        x[:, :, None],
        y,
        "MSELoss",
        optim.Adam(lr=0.01) if mended else optim.SGD(lr=0.01),
        20,
        50,
    )


@broken("learning-rate-too-large", r2, 0.9, also=["saturated-units", "exploding-gradient"])
def an_lstm_at_a_rate_of_one(mended: bool = False) -> Setup:
    """Adam(lr=1) drives all gates of an LSTM to their ends."""
    x, y = m.load_of_a_grid(240)
    optimizer = optim.Adam(lr=0.02 if mended else 1.0)
    return Setup(m.LSTM(1, 8, 1), x[:, ::2, None], y, "MSELoss", optimizer, 15, 40)


@broken(
    "unscaled-inputs",
    classes,
    0.85,
    also=[
        "exploding-gradient",
        "learning-rate-too-large",
        "class-collapse",
        "dead-units",
        "constant-features",
    ],
)
def bytes_into_a_convolution(mended: bool = False) -> Setup:
    """Images of 0 to 255 into a convolutional network with plain SGD."""
    x, y = m.digits(500)
    x = x.reshape(-1, 8, 8) if mended else np.round(255 * x).reshape(-1, 8, 8)
    net = nn.Sequential(m.Convolution(1, 8), nn.ReLU(), m.Halved(), nn.Flatten(), nn.Linear(72, 10))
    return Setup(net, x, y, "CrossEntropyLoss", optim.SGD(lr=0.2), 15, 25, metrics=["accuracy"])


@broken(
    "vanishing-gradient", classes, 0.85, also=["class-collapse", "dead-units", "constant-features"]
)
def a_convolution_begun_too_small(mended: bool = False) -> Setup:
    """Filters drawn N(0, 0.0001²): what they pass on is a ten-thousandth of the image."""
    x, y = m.digits(500)
    net = nn.Sequential(
        m.Convolution(1, 8),
        nn.ReLU(),
        m.Convolution(8, 8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(128, 10),
    )
    net.initialize(seed=1)
    if not mended:
        for layer in (net[0], net[2]):
            weight = layer.filters.weight
            weight.replace(1e-4 * m.rng(74).normal(size=weight.shape).astype(np.float32))
            layer.filters.bias.replace(np.zeros(8, np.float32))
        net[5].weight.replace(np.float32(0.01) * net[5].weight.numpy())
    return Setup(
        net,
        x.reshape(-1, 8, 8),
        y,
        "CrossEntropyLoss",
        optim.SGD(lr=0.1),
        12,
        25,
        metrics=["accuracy"],
    )


@healthy(classes, 0.88, also=["constant-features", "duplicate-features"])
def a_convolutional_network() -> Setup:
    """Filters of 3 by 3, rectified and pooled, and a linear head."""
    x, y = m.digits(600)
    net = nn.Sequential(m.Convolution(1, 8), nn.ReLU(), m.Halved(), nn.Flatten(), nn.Linear(72, 10))
    return Setup(
        net,
        x.reshape(-1, 8, 8),
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.01),
        8,
        25,
        metrics=["accuracy"],
    )


@healthy(r2, 0.85)
def a_recurrent_network() -> Setup:
    """An Elman network that reads 12 values of a series and says the next."""
    x, y = m.load_of_a_grid(200)
    net = m.Recurrent(1, 12, 1)
    return Setup(net, x[:, 12:, None], y, "MSELoss", optim.Adam(lr=0.02), 12, 25)


@healthy(r2, 0.85)
def an_lstm() -> Setup:
    """An LSTM with a forget gate that starts open; gates near their ends, and that is fine."""
    x, y = m.load_of_a_grid(240)
    return Setup(m.LSTM(1, 8, 1), x[:, ::2, None], y, "MSELoss", optim.Adam(lr=0.02), 25, 40)


@healthy(odds, 0.9)
def a_small_transformer() -> Setup:
    """Embedding, self-attention and a mean, with residuals and layer norm, over ten words."""
    x, y = m.sentences()
    net = nn.Sequential(
        nn.Embedding(60, 16),
        nn.Residual(nn.Sequential(nn.LayerNorm(16), m.Attention(16))),
        nn.LayerNorm(16),
        m.Averaged(),
        nn.Linear(16, 1),
    )
    return Setup(net, x, y, "BCEWithLogitsLoss", optim.Adam(lr=0.01), 15, 32, metrics=["accuracy"])


@healthy(odds, 0.9)
def words_that_never_occur() -> Setup:
    """A table of 500 words of which 59 occur: the other rows get no gradient, and that is fine."""
    x, y = m.sentences(seed=75)
    net = nn.Sequential(nn.Embedding(500, 12, padding_idx=0), m.Averaged(), nn.Linear(12, 1))
    return Setup(net, x, y, "BCEWithLogitsLoss", optim.Adam(lr=0.02), 30, 32)


@healthy(classes, 0.9, also=["constant-features", "duplicate-features"])
def residual_blocks() -> Setup:
    """Three blocks past which the input goes, so that depth costs no gradient."""
    x, y = m.ink(600)
    blocks = [
        nn.Residual(
            nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32))
        )
        for _ in range(3)
    ]
    net = nn.Sequential(nn.Linear(61, 32), *blocks, nn.Linear(32, 10))
    return Setup(net, x, y, "CrossEntropyLoss", optim.Adam(lr=0.003), 12, metrics=["accuracy"])


@healthy(r2, 0.9)
def one_layer_used_twice() -> Setup:
    """A shared layer reads both halves of the input: siamese, and that is fine."""

    class Siamese(nn.Module):
        def __init__(self):
            self.embed = nn.Linear(4, 24)
            self.last = nn.Linear(24, 1)

        def forward(self, x):
            a, b = cr.tanh(self.embed(x[:, :4])), cr.tanh(self.embed(x[:, 4:]))
            return self.last((a - b).square())

    draw = m.rng(76)
    x = draw.normal(size=(500, 8)).astype(np.float32)
    y = (x[:, :1] - x[:, 4:5]) ** 2 / 2
    return Setup(Siamese(), x, y, "MSELoss", optim.Adam(lr=0.02), 60)


@healthy(odds, 0.95)
def a_clip_that_seldom_binds() -> Setup:
    """Outputs clipped to ±10, where few of them are, and that is fine."""

    class Clipped(nn.Module):
        def __init__(self):
            self.body = m.mlp(2, 24, 1)

        def forward(self, x):
            return cr.clip(self.body(x), -10.0, 10.0)

    x, y = m.moons(seed=18)
    return Setup(Clipped(), x, y, "BCEWithLogitsLoss", optim.Adam(lr=0.02), 40, 16)


@healthy(r2, 0.9)
def gates_of_maxout_and_glu() -> Setup:
    """Maxout and GLU, of whose pieces some are seldom the largest, and that is fine."""
    x, y = m.houses()
    net = nn.Sequential(nn.Maxout(4, 24, 3), nn.Linear(24, 32), nn.GLU(), nn.Linear(16, 1))
    return Setup(net, m.standardised(x), m.standardised(y), "MSELoss", optim.Adam(lr=0.01), 40)


@healthy(r2, 0.9)
def a_network_in_double_precision() -> Setup:
    """float64 from end to end, with Nesterov's momentum."""
    x, y = m.houses(400)
    optimizer = optim.SGD(lr=0.02, momentum=0.9, nesterov=True)
    return Setup(
        m.mlp(4, 24, 1, hidden=nn.SiLU),
        m.standardised(x),
        m.standardised(y),
        "MSELoss",
        optimizer,
        40,
        more={"dtype": "float64"},
    )
