"""Too much, too little: overfitting, penalties, dropout, batch norm, frozen layers."""

from __future__ import annotations

import numpy as np

from chainrule import nn, optim
from chainrule.base.errors import ShapeError
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import AFTER, BEFORE, Setup, broken, healthy
from tests.explanation.diagnosing.setups.judges import classes, odds, r2


@broken("overfitting", odds, 0.82, looked_at=(AFTER,))
def two_dozen_examples_and_seventeen_thousand_weights(mended: bool = False) -> Setup:
    """A wide network learns 24 overlapping points by heart, and validation gets worse."""
    x, y = m.moons(120, noise=0.4, seed=12)
    fresh = m.moons(600, noise=0.4, seed=13)
    width, epochs = (12, 20) if mended else (128, 300)
    net = m.mlp(2, width, width, 1)
    decay = optim.AdamW(lr=0.01, weight_decay=0.1) if mended else optim.Adam(lr=0.01)
    rows = 80 if mended else 24
    return Setup(
        net,
        x[:rows],
        y[:rows],
        "BCEWithLogitsLoss",
        decay,
        epochs,
        16,
        validation=(x[80:], y[80:]),
        metrics=["accuracy"],
        fresh=fresh,
    )


@broken("overfitting", r2, 0.5, looked_at=(AFTER,))
def more_features_than_houses(mended: bool = False) -> Setup:
    """A hundred features, of which two matter, sixty rows: each is remembered by its noise."""
    draw = m.rng(61)
    x = draw.normal(size=(660, 100)).astype(np.float32)
    y = (x[:, :1] - 0.7 * x[:, 1:2] + 0.3 * draw.normal(size=(660, 1))).astype(np.float32)
    penalty = {"penalty": nn.L1Penalty(0.03)} if mended else {}
    net = nn.Sequential(nn.Linear(100, 1)) if mended else m.mlp(100, 64, 1)
    return Setup(
        net,
        x[:60],
        y[:60],
        "MSELoss",
        optim.Adam(lr=0.01),
        150,
        16,
        validation=(x[60:260], y[60:260]),
        fresh=(x[260:], y[260:]),
        more=penalty,
    )


@broken("overfitting", odds, 0.94, looked_at=(AFTER,), also=["constant-features"])
def a_word_for_each_review(mended: bool = False) -> Setup:
    """Eighty reviews of 300 words, trained until nothing is left to learn."""
    x, y = m.reviews(900, seed=62)
    held_out, fresh = (x[700:], y[700:]), (x[500:700], y[500:700])
    rows, epochs = (500, 5) if mended else (60, 200)
    return Setup(
        m.mlp(x.shape[1], 64, 1),
        x[:rows],
        y[:rows],
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.005),
        epochs,
        20,
        validation=held_out,
        metrics=["accuracy"],
        fresh=fresh,
    )


@broken("too-few-units", classes, 0.9, looked_at=(AFTER,))
def two_units_for_two_spirals(mended: bool = False) -> Setup:
    """Spirals of a turn and three quarters cannot be cut apart by two lines."""
    x, y = m.spirals()
    net = m.mlp(2, 48, 48, 2, hidden=nn.Tanh) if mended else m.mlp(2, 2, 2, hidden=nn.Tanh)
    return Setup(
        net, 2 * x, y, "CrossEntropyLoss", optim.Adam(lr=0.02), 120, 32, metrics=["accuracy"]
    )


@broken("too-few-units", odds, 0.95, looked_at=(AFTER,))
def three_linear_layers_without_activations(mended: bool = False) -> Setup:
    """Linear after linear is one linear map (Humbatova et al. 2020: missing activation)."""
    made = m.cr.data.load("circles", n=400, seed=1)
    x, y = made.x.astype(np.float32), made.y[:, None].astype(np.float32)
    net = m.mlp(2, 16, 16, 1, hidden=nn.ReLU if mended else nn.Identity)
    return Setup(net, x, y, "BCEWithLogitsLoss", optim.Adam(lr=0.01), 40, 16, metrics=["accuracy"])


@broken("too-few-units", r2, 0.85, looked_at=(AFTER,), also=["constant-features"])
def a_bottleneck_of_one_unit(mended: bool = False) -> Setup:
    """Images of 61 pixels through a layer of one number."""
    x, _ = m.ink(400)
    width = 24 if mended else 1
    net = m.mlp(61, 48, width, 48, 61)
    return Setup(net, x, x, "MSELoss", optim.Adam(lr=0.005), 60)


@broken("dropout-too-strong", classes, 0.88, also=["class-collapse", "constant-features"])
def the_share_to_keep_taken_for_the_share_to_drop(mended: bool = False) -> Setup:
    """keep_prob=0.95 of another library became Dropout(p=0.95)."""
    (x, y), held_out = m.mixed_digits(6)
    p = 0.05 if mended else 0.95
    net = nn.Sequential(
        nn.Linear(64, 32),
        nn.ReLU(),
        nn.Dropout(p),
        nn.Linear(32, 32),
        nn.ReLU(),
        nn.Dropout(p),
        nn.Linear(32, 10),
    )
    return Setup(
        net,
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.003),
        15,
        validation=held_out,
        metrics=["accuracy"],
    )


@broken("dropout-too-strong", r2, 0.9)
def dropout_of_the_inputs_of_a_regression(mended: bool = False) -> Setup:
    """Dropout(0.7) before the first layer, on four columns: most rows keep one or none."""
    x, y = m.houses()
    net = m.mlp(4, 32, 1)
    if not mended:
        net = nn.Sequential(nn.Dropout(0.7), *net)
    return Setup(
        net,
        m.standardised(x),
        m.standardised(y),
        "MSELoss",
        optim.Adam(lr=0.01),
        40,
        more={"validation_split": 0.2},
    )


@broken(
    "penalty-too-strong",
    classes,
    0.88,
    also=["class-collapse", "vanishing-gradient", "constant-features"],
)
def weight_decay_of_one(mended: bool = False) -> Setup:
    """weight_decay=1 in SGD: the weights fall to zero faster than they learn."""
    x, y = m.digits()
    optimizer = optim.SGD(lr=0.1, weight_decay=1e-4 if mended else 1.0)
    return Setup(m.mlp(64, 32, 10), x, y, "CrossEntropyLoss", optimizer, 20, metrics=["accuracy"])


@broken("penalty-too-strong", r2, 0.9, also=["gradient-zero", "dead-units"])
def an_l1_penalty_on_everything(mended: bool = False) -> Setup:
    """L1 with λ = 1: the best that training can find is a network of zeros."""
    x, y = m.houses()
    penalty = nn.L1Penalty(1e-4 if mended else 1.0)
    return Setup(
        m.mlp(4, 32, 1),
        m.standardised(x),
        m.standardised(y),
        "MSELoss",
        optim.Adam(lr=0.01),
        50,
        more={"penalty": penalty},
    )


@broken("penalty-too-strong", odds, 0.95, also=["class-collapse"])
def an_l2_penalty_of_a_tenth(mended: bool = False) -> Setup:
    """A penalty that is a hundred times what the loss has to gain."""
    x, y = m.moons(noise=0.08)
    penalty = nn.L2Penalty(1e-4 if mended else 0.5)
    return Setup(
        m.mlp(2, 24, 1),
        x,
        y,
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.02),
        40,
        16,
        metrics=["accuracy"],
        more={"penalty": penalty},
    )


@broken("batch-norm-on-tiny-batch", r2, 0.85)
def batch_norm_over_two_examples(mended: bool = False) -> Setup:
    """Statistics of two examples: each is +1 or -1 after it, whatever it was."""
    x, y = m.plane(200)
    net = nn.Sequential(nn.Linear(5, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1))
    return Setup(
        net, x, y, "MSELoss", optim.Adam(lr=0.01), 12 if not mended else 60, 32 if mended else 2
    )


@broken("batch-norm-on-tiny-batch", odds, 0.9, looked_at=(BEFORE,), refused=ShapeError)
def one_example_is_left_for_the_last_batch(mended: bool = False) -> Setup:
    """257 rows in batches of 32 leave a batch of one, whose spread is zero."""
    x, y = m.moons(257)
    net = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1))
    return Setup(
        net,
        x,
        y,
        "BCEWithLogitsLoss",
        optim.Adam(lr=0.02),
        30,
        32,
        more={"drop_last": True} if mended else {},
    )


@broken("frozen-layer", classes, 0.88, also=["constant-features"])
def the_head_is_frozen_and_the_rest_trains(mended: bool = False) -> Setup:
    """requires_grad=False was meant for the backbone and hit a head that nobody trained."""
    x, y = m.digits()
    net = m.mlp(64, 12, 10)
    net.initialize(seed=0)
    for parameter in (net[0] if mended else net[2]).parameters():
        parameter.requires_grad = mended
    if not mended:
        net[2].weight.replace(0.02 * net[2].weight.numpy())
    return Setup(net, x, y, "CrossEntropyLoss", optim.SGD(lr=0.2), 15, metrics=["accuracy"])


@broken("frozen-layer", classes, 0.9, also=["too-few-units", "constant-features"])
def layers_frozen_before_they_ever_trained(mended: bool = False) -> Setup:
    """Transfer learning without the transfer: frozen layers hold the numbers they were drawn."""
    x, y = m.digits()
    net = m.mlp(64, 24, 8, 10)
    if not mended:
        for layer in (net[0], net[2]):
            for parameter in layer.parameters():
                parameter.requires_grad = False
    return Setup(net, x, y, "CrossEntropyLoss", optim.Adam(lr=0.003), 25, metrics=["accuracy"])


@healthy(classes, 0.85, also=["constant-features"])
def a_pretrained_backbone_that_is_frozen() -> Setup:
    """Layers trained on other writers' digits, frozen, under a new head, and that is fine."""
    x, y = m.ink(900)
    first = Setup(m.mlp(61, 48, 24, 10), x, y, "CrossEntropyLoss", optim.Adam(lr=0.003), 10)
    first.fit()
    x, y = m.ink(800, 900)
    net = m.mlp(61, 48, 24, 10)
    for old, new in ((first.net[0], net[0]), (first.net[2], net[2])):
        new.load_state_dict(old.state_dict())
        for parameter in new.parameters():
            parameter.requires_grad = False
    return Setup(net, x, y, "CrossEntropyLoss", optim.Adam(lr=0.01), 15, metrics=["accuracy"])


@healthy(classes, 0.88, also=["constant-features"])
def validation_better_than_training() -> Setup:
    """Dropout weighs on training alone, so that validation looks better, and that is fine."""
    (x, y), held_out = m.mixed_digits(7)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 10))
    return Setup(
        net,
        x,
        y,
        "CrossEntropyLoss",
        optim.Adam(lr=0.003),
        20,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(classes, 0.9)
def biases_before_batch_norm() -> Setup:
    """A bias that batch norm takes off again: its gradient is zero, and that is fine.

    Spurious, no fault: Karpathy 2018, mistake 5.
    """
    x, y = m.ink()
    net = nn.Sequential(nn.Linear(61, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10))
    return Setup(net, x, y, "CrossEntropyLoss", optim.Adam(lr=0.005), 12, 40, metrics=["accuracy"])


@healthy(classes, 0.9, also=["constant-features"])
def a_small_gap_between_the_halves() -> Setup:
    """99 % in training and 95 % in validation, which no longer moves: that is fine."""
    (x, y), held_out = m.mixed_digits(8)
    return Setup(
        m.mlp(64, 32, 10),
        x,
        y,
        "CrossEntropyLoss",
        optim.AdamW(lr=0.003),
        25,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@healthy(classes, 0.9)
def twelve_flowers_for_validation() -> Setup:
    """A validation set so small that its curve jumps by twelfths, and that is fine."""
    x, y = m.iris(seed=4)
    return Setup(
        m.mlp(4, 10, 3, hidden=nn.Tanh),
        x[:138],
        y[:138],
        "CrossEntropyLoss",
        optim.Adam(lr=0.02),
        25,
        16,
        validation=(x[138:], y[138:]),
        metrics=["accuracy"],
    )


@healthy(r2, 0.85)
def a_ridge_that_is_chosen_well() -> Setup:
    """More features than matter, with weight decay that keeps them small, and that is fine."""
    draw = m.rng(64)
    x = draw.normal(size=(500, 30)).astype(np.float32)
    y = (x[:, :3].sum(axis=1, keepdims=True) + 0.3 * draw.normal(size=(500, 1))).astype("f4")
    net = nn.Sequential(nn.Linear(30, 1))
    return Setup(
        net,
        x,
        y,
        "MSELoss",
        optim.SGD(lr=0.05, weight_decay=0.01),
        30,
        more={"validation_split": 0.2},
    )


@healthy(odds, 0.9)
def only_the_weights_are_decayed() -> Setup:
    """AdamW with groups: biases without decay, as is usual."""
    x, y = m.moons(seed=14)
    optimizer = optim.AdamW(lr=0.02, weight_decay=0.02, groups={"*.bias": {"weight_decay": 0}})
    return Setup(m.mlp(2, 24, 1, hidden=nn.GELU), x, y, "BCEWithLogitsLoss", optimizer, 40, 16)


@healthy(odds, 0.95)
def small_data_that_is_simple() -> Setup:
    """Forty points far apart, learnt to the last by a network with more weights than points."""
    x, y = m.moons(40, noise=0.02, seed=15)
    fresh = m.moons(200, noise=0.02, seed=16)
    return Setup(
        m.mlp(2, 24, 1), x, y, "BCEWithLogitsLoss", optim.Adam(lr=0.02), 150, 10, fresh=fresh
    )


@healthy(odds, 0.95)
def batch_norm_over_sixteen() -> Setup:
    """Batches of 16, the last one of 8, under batch norm, and that is fine."""
    x, y = m.moons(248, seed=17)
    net = nn.Sequential(nn.Linear(2, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Linear(24, 1))
    return Setup(net, x, y, "BCEWithLogitsLoss", optim.Adam(lr=0.02), 40, 16)
