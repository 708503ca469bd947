"""Losses that read something else than the network gives; metrics and losses that misreport."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ConfigurationError, NonFiniteError
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import AFTER, BEFORE, Setup, broken, healthy
from tests.explanation.diagnosing.setups.judges import classes, halves, nearest, odds, r2


@broken("loss-output-mismatch", classes, 0.88, also=["constant-features"])
def softmax_before_cross_entropy(mended: bool = False) -> Setup:
    """Probabilities where logits are read: softmax twice (Karpathy 2018, mistake 4)."""
    x, y = m.digits()
    net = m.mlp(64, 32, 10)
    if not mended:
        net.append(nn.Softmax(dim=1))
    return Setup(net, x, y, "CrossEntropyLoss", optim.SGD(lr=0.1), 15, metrics=["accuracy"])


@broken("loss-output-mismatch", classes, 0.88)
def softmax_before_cross_entropy_in_a_forward(mended: bool = False) -> Setup:
    """The same, in the `forward` of a module of one's own."""

    class Classifier(nn.Module):
        def __init__(self):
            self.first = nn.Linear(61, 40)
            self.second = nn.Linear(40, 10)

        def forward(self, x):
            z = self.second(cr.relu(self.first(x)))
            return z if mended else z.softmax(axis=-1)

    x, y = m.ink()
    loss = nn.CrossEntropyLoss()
    return Setup(Classifier(), x, y, loss, optim.SGD(lr=0.1), 15, metrics=["accuracy"])


@broken("loss-output-mismatch", classes, 0.94, also=["constant-features"])
def sigmoids_before_cross_entropy(mended: bool = False) -> Setup:
    """Ten sigmoids as logits: no class can have more than e/(e + 9) = 23 %."""
    x, y = m.digits()
    net = m.mlp(64, 48, 10)
    if not mended:
        net.append(nn.Sigmoid())
    return Setup(net, x, y, "CrossEntropyLoss", optim.SGD(lr=0.1), 20, metrics=["accuracy"])


@broken("loss-output-mismatch", odds, 0.95)
def sigmoid_before_bce_with_logits(mended: bool = False) -> Setup:
    """Probabilities where log-odds are read: none is below 0, so none says no."""
    x, y = m.moons()
    net = m.mlp(2, 24, 1)
    if not mended:
        net.append(nn.Sigmoid())
    return Setup(net, x, y, "BCEWithLogitsLoss", optim.Adam(lr=0.02), 40, 16)


@broken(
    "loss-output-mismatch",
    halves,
    0.95,
    looked_at=(BEFORE,),
    refused=NonFiniteError,
    also=["loss-not-finite", "gradient-not-finite"],
)
def no_sigmoid_before_bce(mended: bool = False) -> Setup:
    """Numbers below 0 where probabilities are read: their logarithms are not there."""
    x, y = m.moons()
    net = m.mlp(2, 24, 1)
    if mended:
        net.append(nn.Sigmoid())
    return Setup(net, x, y, "BCELoss", optim.Adam(lr=0.02), 40, 16)


@broken(
    "loss-output-mismatch",
    classes,
    0.88,
    looked_at=(BEFORE,),
    refused=ConfigurationError,
    also=["constant-features"],
)
def softmax_before_nll(mended: bool = False) -> Setup:
    """NLLLoss reads the logarithms of probabilities and is given the probabilities."""
    x, y = m.digits()
    net = m.mlp(64, 32, 10)
    net.append(nn.LogSoftmax(dim=1) if mended else nn.Softmax(dim=1))
    return Setup(net, x, y, "NLLLoss", optim.Adam(lr=0.003), 15)


@broken("loss-output-mismatch", nearest, 0.85, also=["unscaled-targets", "constant-features"])
def digits_as_numbers() -> Setup:
    """Squared error on class indices: as if a 7 were nearer to a 9 than to a 1."""
    x, y = m.digits()
    net = m.mlp(64, 32, 1)
    return Setup(net, x, y[:, None].astype("f4"), "MSELoss", optim.Adam(lr=0.003), 15)


@broken(
    "loss-output-mismatch",
    halves,
    0.8,
    looked_at=(BEFORE, AFTER),
    also=["gradient-zero", "class-collapse"],
)
def softmax_of_one_output(mended: bool = False) -> Setup:
    """Softmax over a single unit is 1, whatever its weights (a frequent question; Zhang 2018)."""
    x, y = m.applicants()
    net = m.mlp(4, 16, 1)
    net.append(nn.Sigmoid() if mended else nn.Softmax(dim=1))
    x = m.standardised(np.log1p(x))
    return Setup(net, x, y, "BCELoss", optim.Adam(lr=0.01), 20)


@broken("loss-output-mismatch", r2, 0.9)
def a_column_against_a_row(mended: bool = False) -> Setup:
    """Outputs (B, 1) less targets (B,) are a square: each output is drawn to all targets."""

    def squared_error(output, target):
        target = target if not mended else target[:, None]
        return (output - target).square().mean(axis=1)

    x, y = m.plane()
    return Setup(m.mlp(5, 16, 1), x, y[:, 0], squared_error, optim.Adam(lr=0.02), 40, 20)


@broken("loss-output-mismatch", classes, 0.85, learns=True)
def softmax_over_the_batch(mended: bool = False) -> Setup:
    """softmax(axis=0): probabilities that sum to 1 over the examples, not over the classes."""

    def cross_entropy(output, target):
        p = output.softmax(axis=1 if mended else 0)
        return -(cr.one_hot(target.astype("int64"), 3) * cr.log(p + 1e-7)).sum(axis=1)

    x, y = m.iris()
    net = m.mlp(4, 12, 3, hidden=nn.Tanh)
    return Setup(net, x, y.astype("f4"), cross_entropy, optim.Adam(lr=0.01), 25, 16)


@broken(
    "loss-not-finite",
    halves,
    0.9,
    refused=NonFiniteError,
    also=["gradient-not-finite", "learning-rate-too-large", "saturated-units", "unscaled-inputs"],
)
def cross_entropy_written_by_hand(mended: bool = False) -> Setup:
    """-log(p) of a sigmoid that rounds to 0 or 1 is infinite (Humbatova et al. 2020)."""

    def cross_entropy(output, target):
        p = cr.sigmoid(output)
        p = cr.clip(p, 1e-6, 1 - 1e-6) if mended else p
        return -(target * cr.log(p) + (1 - target) * cr.log(1 - p)).sum(axis=1)

    x, y = m.moons(noise=0.2)
    net = m.mlp(2, 32, 1)
    return Setup(net, 20 * x, y, cross_entropy, optim.Adam(lr=0.03), 40, 16)


@broken(
    "loss-not-finite",
    classes,
    0.85,
    looked_at=(BEFORE,),
    refused=NonFiniteError,
    also=["gradient-not-finite", "unscaled-inputs", "constant-features"],
)
def softmax_written_by_hand(mended: bool = False) -> Setup:
    """exp(z)/Σexp(z) without taking the largest off: exp of more than 88 is infinite in f32."""

    def cross_entropy(output, target):
        p = output.exp() / output.exp().sum(axis=1, keepdims=True)
        log_p = output.log_softmax(axis=1) if mended else cr.log(p + 1e-9)
        return -(cr.one_hot(target.astype("int64"), 10) * log_p).sum(axis=1)

    x, y = m.digits()
    net = nn.Sequential(nn.Linear(64, 10))
    return Setup(net, np.round(255 * x), y.astype("f4"), cross_entropy, optim.Adam(lr=3e-3), 20)


@broken("gradient-not-finite", r2, 0.8, looked_at=(BEFORE,), refused=NonFiniteError)
def the_length_of_a_vector_that_is_zero(mended: bool = False) -> Setup:
    """The distance √(Σd²) is 0 between equal points: its loss is finite, its gradient is NaN."""

    class Distance(nn.Module):
        def __init__(self):
            self.embed = nn.Linear(4, 6)
            self.scale = nn.Linear(1, 1)

        def forward(self, x):
            d = self.embed(x[:, :4]) - self.embed(x[:, 4:])
            squares = d.square().sum(axis=1, keepdims=True)
            return self.scale((squares + (1e-8 if mended else 0)).sqrt())

    draw = m.rng(41)
    a, b = draw.normal(size=(2, 300, 4))
    b[::6] = a[::6]
    x = np.concatenate([a, b], axis=1).astype(np.float32)
    y = np.linalg.norm((a - b)[:, :2], axis=1, keepdims=True).astype(np.float32)
    return Setup(Distance(), x, y, "MSELoss", optim.Adam(lr=0.02), 40)


@broken("gradient-not-finite", r2, 0.8, looked_at=(BEFORE,), refused=NonFiniteError)
def a_root_behind_a_where(mended: bool = False) -> Setup:
    """where(x > 0, √x, 0): 0 times the slope of the branch that was not taken is NaN."""

    class Rooted(nn.Module):
        def __init__(self):
            self.first = nn.Linear(3, 16)
            self.last = nn.Linear(16, 1)

        def forward(self, x):
            h = self.first(x)
            inside = cr.maximum(h, 1e-6) if mended else h
            return self.last(cr.where(h > 0, inside.sqrt(), 0.0))

    x, y = m.plane(300, 3)
    return Setup(Rooted(), x, y, "MSELoss", optim.Adam(lr=0.02), 50)


def _hundredth(loss, targets):
    return lambda output, target: (abs(output - target) < 0.01).all(axis=1)


def _register_hundredth() -> str:
    name = "within_a_hundredth"
    if name not in nn.METRICS:
        nn.METRICS.register(name, _hundredth)
    return name


@broken("misreported-metric", halves, 0.9, looked_at=(AFTER,), learns=True)
def right_only_to_a_hundredth(mended: bool = False) -> Setup:
    """Accuracy counted as |a - y| < 0.01: 0 % for a network that is right of every example.

    Published teaching code does this.
    """
    x, y = m.moons(noise=0.08)
    net = nn.Sequential(nn.Linear(2, 12), nn.Sigmoid(), nn.Linear(12, 1), nn.Sigmoid())
    metric = "accuracy" if mended else _register_hundredth()
    return Setup(net, x, y, "QuadraticLoss", optim.Adam(lr=0.05), 40, 16, metrics=[metric])


@broken("misreported-metric", r2, 0.9, looked_at=(AFTER,), learns=True)
def accuracy_of_a_regression(mended: bool = False) -> Setup:
    """metrics=["accuracy"] of prices, counted as equal to a hundredth (Humbatova et al. 2020)."""
    x, y = m.houses()
    name = "r2" if mended else _register_hundredth()
    x, y = m.standardised(x), m.standardised(y)
    return Setup(
        m.mlp(4, 32, 1),
        x[:400],
        y[:400],
        "MSELoss",
        optim.Adam(lr=0.01),
        40,
        validation=(x[400:], y[400:]) if mended else None,
        metrics=[name],
    )


@broken(
    "misreported-metric",
    odds,
    0.8,
    looked_at=(BEFORE, AFTER),
    also=["loss-output-mismatch", "gradient-zero", "class-collapse"],
)
def the_loss_of_the_last_example_alone(mended: bool = False) -> Setup:
    """A loss that keeps the last row's cost, for all rows: the others have no say in it."""

    def cost(output, target):
        each = cr.softplus(-(2 * target - 1) * output).sum(axis=1)
        return each if mended else each * 0 + each[-1]

    x, y = m.moons(noise=0.15)
    return Setup(m.mlp(2, 16, 1), x, y, cost, optim.SGD(lr=0.5), 100, 400, more={"shuffle": False})


@healthy(classes, 0.9)
def softmax_and_its_logarithm() -> Setup:
    """LogSoftmax and NLLLoss: the long way to cross-entropy, and that is fine."""
    x, y = m.ink()
    net = nn.Sequential(nn.Linear(61, 32), nn.ReLU(), nn.Linear(32, 10), nn.LogSoftmax(dim=1))
    return Setup(net, x, y, "NLLLoss", optim.Adam(lr=0.003), 20, metrics=["accuracy"])


@healthy(classes, 0.9)
def one_hot_targets_and_quadratic_cost() -> Setup:
    """Sigmoids and ½‖a - y‖², as the classic book on digits has it, and that is fine."""
    x, y = m.ink()
    net = nn.Sequential(nn.Linear(61, 30), nn.Sigmoid(), nn.Linear(30, 10), nn.Sigmoid())
    return Setup(
        net,
        x,
        np.eye(10, dtype="f4")[y],
        "QuadraticLoss",
        optim.SGD(lr=3.0),
        30,
        10,
        metrics=["accuracy"],
    )


@healthy(classes, 0.9)
def logarithms_that_happen_to_be_positive() -> Setup:
    """A last Softplus before cross-entropy: logits that are never below 0, and that is fine."""
    x, y = m.iris()
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3), nn.Softplus())
    return Setup(net, x, y, "CrossEntropyLoss", optim.Adam(lr=0.03), 40, 16)


@healthy(halves, 0.85)
def cross_entropy_from_probabilities() -> Setup:
    """Sigmoid and BCELoss on a table with labels as floats, as they belong."""
    x, y = m.applicants()
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1), nn.Sigmoid())
    return Setup(
        net,
        m.standardised(np.log1p(x)),
        y,
        "BCELoss",
        optim.RMSprop(lr=0.01),
        30,
        metrics=["accuracy"],
    )


@healthy(r2, 0.8)
def counts_and_their_logarithms() -> Setup:
    """PoissonNLLLoss, whose value may be below 0, and that is fine."""
    draw = m.rng(42)
    x = draw.uniform(-1, 1, (500, 3)).astype(np.float32)
    y = draw.poisson(np.exp(1.6 + 1.2 * x[:, :1] - x[:, 1:2]))
    exponentials = _Exponentials(m.mlp(3, 16, 1))
    return Setup(
        exponentials, x, y.astype("f4"), nn.PoissonNLLLoss(log_input=False), optim.Adam(lr=0.01), 40
    )


class _Exponentials(nn.Module):
    def __init__(self, body):
        self.body = body

    def forward(self, x):
        return self.body(x).exp()


@healthy(r2, 0.9)
def a_pinball_loss_of_ones_own() -> Setup:
    """A function as the loss, whose gradient jumps: the median by |y - ŷ|, and that is fine."""

    def pinball(output, target):
        error = target - output
        return cr.maximum(0.5 * error, -0.5 * error).sum(axis=1)

    x, y = m.houses()
    return Setup(
        m.mlp(4, 32, 1), m.standardised(x), m.standardised(y), pinball, optim.Adam(lr=0.01), 50
    )


@healthy(r2, 0.9)
def grades_from_one_to_five_as_numbers() -> Setup:
    """Whole-numbered targets that have an order, under squared error: no classes, that is fine."""
    draw = m.rng(43)
    x = draw.normal(size=(500, 5)).astype(np.float32)
    y = np.clip(np.rint(3 + 1.3 * x[:, :1] + 0.9 * x[:, 1:2]), 1, 5).astype(np.float32)
    return Setup(m.mlp(5, 32, 1), x, y, "MSELoss", optim.Adam(lr=0.01), 50)


@healthy(classes, 0.9)
def a_focal_loss() -> Setup:
    """Focal loss, whose value is far below cross-entropy's, and that is fine."""
    x, y = m.ink()
    return Setup(
        m.mlp(61, 32, 10),
        x,
        y,
        "MulticlassFocalLoss",
        optim.Adam(lr=0.003),
        25,
        metrics=["accuracy"],
    )
