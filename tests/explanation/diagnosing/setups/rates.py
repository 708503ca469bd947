"""Learning rates: too large, too small, none at all. And such as only look so."""

from __future__ import annotations

import numpy as np

from chainrule import nn, optim
from chainrule.base.errors import NonFiniteError, TrainingError
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import AFTER, BEFORE, Setup, broken, healthy
from tests.explanation.diagnosing.setups.judges import classes, halves, odds, r2


@broken("learning-rate-too-large", classes, 0.9, also=["exploding-gradient", "saturated-units"])
def sgd_at_thirty(mended: bool = False) -> Setup:
    """SGD with lr=30 on flowers: the loss jumps about and never comes down."""
    x, y = m.iris()
    net = m.mlp(4, 10, 3, hidden=nn.Tanh)
    optimizer = optim.SGD(lr=0.1 if mended else 30.0)
    return Setup(net, x, y, "CrossEntropyLoss", optimizer, 40, 8, metrics=["accuracy"])


@broken(
    "learning-rate-too-large",
    classes,
    0.85,
    also=[
        "dead-units",
        "exploding-gradient",
        "class-collapse",
        "saturated-units",
        "constant-features",
    ],
)
def adam_at_one_half(mended: bool = False) -> Setup:
    """Adam with a rate that suits SGD: every weight moves by one half in every step."""
    (x, y), held_out = m.mixed_digits(4)
    net = m.mlp(64, 48, 48, 10)
    optimizer = optim.Adam(lr=0.002 if mended else 0.5)
    return Setup(
        net, x, y, "CrossEntropyLoss", optimizer, 15, validation=held_out, metrics=["accuracy"]
    )


@broken(
    "learning-rate-too-large",
    r2,
    0.9,
    refused=NonFiniteError,
    also=["loss-not-finite", "exploding-gradient"],
)
def least_squares_that_diverge(mended: bool = False) -> Setup:
    """A linear model and a rate above 2/λ: each step is further off, until f32 ends."""
    x, y = m.plane(400, 20)
    optimizer = optim.SGD(lr=0.05 if mended else 2.0)
    return Setup(nn.Sequential(nn.Linear(20, 1)), x, y, "MSELoss", optimizer, 60, 50)


@broken(
    "learning-rate-too-large",
    r2,
    0.9,
    refused=NonFiniteError,
    also=["loss-not-finite", "exploding-gradient", "dead-units"],
)
def much_momentum_and_a_large_rate(mended: bool = False) -> Setup:
    """momentum=0.99 makes steps a hundred times as long, and the rate was not made smaller."""
    x, y = m.houses()
    rate, momentum = (0.02, 0.9) if mended else (0.3, 0.99)
    net = m.mlp(4, 32, 1)
    return Setup(
        net,
        m.standardised(x),
        m.standardised(y),
        "MSELoss",
        optim.SGD(lr=rate, momentum=momentum),
        40,
    )


@broken(
    "learning-rate-too-large",
    halves,
    0.9,
    also=["saturated-units", "gradient-zero", "class-collapse", "dead-units"],
)
def sigmoids_thrown_to_their_ends(mended: bool = False) -> Setup:
    """Squared error under sigmoids at lr=500: the first steps saturate them for good."""
    x, y = m.moons()
    net = nn.Sequential(nn.Linear(2, 16), nn.Sigmoid(), nn.Linear(16, 1), nn.Sigmoid())
    optimizer = optim.SGD(lr=4.0 if mended else 500.0)
    return Setup(net, x, y, "MSELoss", optimizer, 120, 16, metrics=["accuracy"])


@broken("learning-rate-too-small", classes, 0.85, also=["class-collapse", "constant-features"])
def sgd_at_a_hundred_thousandth(mended: bool = False) -> Setup:
    """lr=1e-5 for plain SGD: after all epochs the loss is what it was (AutoTrainer 2021)."""
    x, y = m.digits()
    optimizer = optim.SGD(lr=0.2 if mended else 1e-5)
    return Setup(m.mlp(64, 32, 10), x, y, "CrossEntropyLoss", optimizer, 15, metrics=["accuracy"])


@broken("learning-rate-too-small", r2, 0.8)
def adam_at_a_millionth(mended: bool = False) -> Setup:
    """Adam with lr=1e-6: a weight of 0.1 moves by a hundredth of itself in a thousand steps."""
    x, y = m.houses()
    optimizer = optim.Adam(lr=0.01 if mended else 1e-6)
    return Setup(m.mlp(4, 32, 1), m.standardised(x), m.standardised(y), "MSELoss", optimizer, 60)


@broken("learning-rate-too-small", odds, 0.95, looked_at=(AFTER,))
def a_schedule_that_is_over_at_once(mended: bool = False) -> Setup:
    """StepLR(step_size=1, gamma=0.1) counts epochs: from the fourth on there is no rate left."""
    x, y = m.moons(noise=0.08)
    schedule = optim.StepLR(step_size=20 if mended else 1, gamma=0.1 if not mended else 0.5)
    return Setup(
        m.mlp(2, 24, 1),
        x,
        y,
        "BCEWithLogitsLoss",
        optim.SGD(lr=0.3),
        60,
        16,
        metrics=["accuracy"],
        more={"schedule": schedule},
    )


@broken("no-update", classes, 0.9)
def a_rate_of_zero(mended: bool = False) -> Setup:
    """lr=0, left over from an experiment: nothing moves."""
    x, y = m.iris()
    optimizer = optim.Adam(lr=0.02 if mended else 0.0)
    return Setup(m.mlp(4, 12, 3), x, y, "CrossEntropyLoss", optimizer, 30, 16, metrics=["accuracy"])


@broken("no-update", classes, 0.88, also=["learning-rate-too-small", "constant-features"])
def a_warm_up_divided_as_whole_numbers(mended: bool = False) -> Setup:
    """epoch // 50 in a warm-up that was to be epoch / 50: a factor of 0 for all of training."""
    x, y = m.digits()
    warm_up = optim.LambdaLR((lambda e: min(1, (e + 1) / 5)) if mended else (lambda e: e // 50))
    return Setup(
        m.mlp(64, 32, 10),
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.003),
        15,
        metrics=["accuracy"],
        more={"schedule": warm_up},
    )


@broken("no-update", halves, 0.75, looked_at=(BEFORE,), refused=TrainingError)
def three_examples_for_batches_of_four(mended: bool = False) -> Setup:
    """80 % of four samples are three, whole batches of four: published teaching code does this."""
    x = np.float32([(0.7, -0.9), (0.1, -0.6), (-0.8, -0.6), (-0.6, 0.2)])
    y = np.float32([[0], [0], [1], [1]])
    net = m.mlp(2, 8, 1, hidden=nn.Tanh)
    net.append(nn.Sigmoid())
    return Setup(
        net,
        x[:3],
        y[:3],
        "BCELoss",
        optim.SGD(lr=0.5),
        100,
        1 if mended else 4,
        more={"drop_last": True},
    )


@broken("no-update", r2, 0.8, looked_at=(BEFORE,), refused=TrainingError)
def a_batch_larger_than_the_data(mended: bool = False) -> Setup:
    """batch_size=512 with drop_last on 400 rows."""
    x, y = m.plane(400)
    return Setup(
        m.mlp(5, 16, 1),
        x,
        y,
        "MSELoss",
        optim.Adam(lr=0.02),
        30,
        32 if mended else 512,
        more={"drop_last": True},
    )


@healthy(r2, 0.9)
def adam_at_a_ten_thousandth() -> Setup:
    """A rate of 3e-4 with many steps: slow and sure, and that is fine."""
    x, y = m.plane(600)
    return Setup(m.mlp(5, 64, 1), x, y, "MSELoss", optim.Adam(lr=3e-4), 60, 16)


@healthy(classes, 0.93)
def one_flower_at_a_time() -> Setup:
    """Batches of a single example, as online learning has them, and that is fine."""
    x, y = m.iris(seed=3)
    net = m.mlp(4, 8, 3, hidden=nn.Tanh)
    return Setup(net, x, y, "CrossEntropyLoss", optim.SGD(lr=0.02), 15, 1, metrics=["accuracy"])


@healthy(odds, 0.95)
def a_noisy_loss_curve() -> Setup:
    """SGD with momentum in batches of 4, whose loss goes up and down on its way: that is fine."""
    x, y = m.moons(300, noise=0.1, seed=11)
    return Setup(
        m.mlp(2, 24, 1),
        x,
        y,
        "BCEWithLogitsLoss",
        optim.SGD(lr=0.05, momentum=0.9),
        20,
        4,
        metrics=["accuracy"],
    )


@healthy(classes, 0.88, also=["constant-features"])
def stopped_while_it_still_improves() -> Setup:
    """Six epochs, after which validation would still get better, and that is fine."""
    (x, y), held_out = m.mixed_digits(5)
    return Setup(
        m.mlp(64, 64, 10),
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.002),
        6,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(r2, 0.99)
def all_examples_in_one_batch() -> Setup:
    """Full-batch descent of a linear model, at a rate of 0.3, and that is fine."""
    x, y = m.plane(300, 6)
    return Setup(
        nn.Sequential(nn.Linear(6, 1)),
        x,
        y,
        "MSELoss",
        optim.SGD(lr=0.3),
        60,
        300,
        more={"dtype": "float64"},
    )


@healthy(classes, 0.9)
def a_rate_that_falls_to_zero() -> Setup:
    """Cosine annealing to 0 over all epochs: the last steps move nothing, and that is fine."""
    x, y = m.ink()
    schedule = optim.CosineAnnealingLR(T_max=15)
    return Setup(
        m.mlp(61, 32, 10),
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.01),
        15,
        metrics=["accuracy"],
        more={"schedule": schedule},
    )


@healthy(classes, 0.9)
def lion_and_a_warm_up() -> Setup:
    """Lion, whose rates are a tenth of Adam's, with a warm-up of five epochs."""
    x, y = m.ink()
    schedule = optim.LinearLR(start_factor=0.2, total_iters=5)
    return Setup(
        m.mlp(61, 32, 10),
        x,
        y,
        "CrossEntropyLoss",
        optim.Lion(lr=0.001),
        15,
        metrics=["accuracy"],
        more={"schedule": schedule},
    )


@healthy(halves, 0.95)
def sigmoids_at_a_rate_of_four() -> Setup:
    """lr=4 under squared error and sigmoids, whose gradients are small, and that is fine."""
    x, y = m.moons(noise=0.08)
    net = nn.Sequential(nn.Linear(2, 16), nn.Sigmoid(), nn.Linear(16, 1), nn.Sigmoid())
    return Setup(net, x, y, "QuadraticLoss", optim.SGD(lr=4.0), 120, 16, metrics=["accuracy"])


@healthy(r2, 0.9)
def gradients_that_are_clipped() -> Setup:
    """clip_norm=1 with targets that have outliers: clipped at first, and that is fine."""
    x, y = m.houses()
    return Setup(
        m.mlp(4, 32, 1),
        m.standardised(x),
        m.standardised(y),
        "HuberLoss",
        optim.SGD(lr=0.1, momentum=0.9, clip_norm=1.0),
        50,
    )


@healthy(odds, 0.85)
def eight_batches_make_an_update() -> Setup:
    """accumulate=8: an update every eight batches, and that is fine."""
    x, y = m.applicants()
    return Setup(
        m.mlp(4, 16, 1),
        m.standardised(np.log1p(x)),
        y,
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.02),
        40,
        8,
        metrics=["accuracy"],
        more={"accumulate": 8},
    )
