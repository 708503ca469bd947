"""Five diseases planted in a training on MNIST, one at a time. Its files may not be there."""

from __future__ import annotations

from functools import cache

import numpy as np

import chainrule as cr
from chainrule import optim
from chainrule.base.errors import NonFiniteError
from tests.explanation.diagnosing.setups import material as m
from tests.explanation.diagnosing.setups.case import BEFORE, Setup, broken
from tests.explanation.diagnosing.setups.judges import classes


@cache
def _images() -> tuple[np.ndarray, np.ndarray]:
    mnist = cr.data.load("mnist")
    return mnist.x[:5000].copy(), mnist.y[:5000].copy()


def _training(rate: float = 0.1, dead: bool = False) -> Setup:
    """4000 images, two hidden layers, SGD; judged on another 1000. Pixels at the edge are white."""
    x, y = (part.copy() for part in _images())
    net = m.mlp(784, 64, 32, 10)
    if dead:
        net[2].bias.replace(np.full(32, -30, np.float32))
    held_out = (x[4000:], y[4000:])
    return Setup(
        net,
        x[:4000],
        y[:4000],
        "CrossEntropyLoss",
        optim.SGD(lr=rate),
        3,
        32,
        validation=held_out,
        metrics=["accuracy"],
        fresh=held_out,
    )


@broken(
    "learning-rate-too-large",
    classes,
    0.8,
    exam="mnist",
    also=["constant-features", "dead-units", "exploding-gradient", "class-collapse"],
)
def a_hundred_times_the_rate(mended: bool = False) -> Setup:
    """A rate of 10 where 0.1 is right."""
    return _training(rate=0.1 if mended else 10.0)


@broken(
    "dead-units",
    classes,
    0.8,
    exam="mnist",
    also=["constant-features", "gradient-zero", "class-collapse"],
)
def one_dead_layer(mended: bool = False) -> Setup:
    """The second hidden layer is off on every image: nothing reaches the first."""
    return _training(dead=not mended)


@broken("noisy-targets", classes, 0.8, exam="mnist", learns=True, also=["constant-features"])
def a_tenth_of_the_labels_permuted(mended: bool = False) -> Setup:
    """The labels of 400 images, taken at random, have changed places."""
    setup = _training()
    if not mended:
        rows = m.rng(81).permutation(4000)[:400]
        setup.y[rows] = setup.y[np.roll(rows, 1)]
    return setup


@broken(
    "unscaled-inputs",
    classes,
    0.8,
    exam="mnist",
    also=[
        "constant-features",
        "learning-rate-too-large",
        "exploding-gradient",
        "dead-units",
        "class-collapse",
    ],
)
def pixels_of_255(mended: bool = False) -> Setup:
    """Grey values from 0 to 255, as the files have them."""
    setup = _training()
    if not mended:
        for x in (setup.x, setup.fresh[0]):
            x *= 255
    return setup


@broken(
    "not-finite-data",
    classes,
    0.8,
    exam="mnist",
    looked_at=(BEFORE,),
    also=["constant-features"],
    refused=NonFiniteError,
)
def one_image_of_nan(mended: bool = False) -> Setup:
    """A row of NaN among 4000."""
    setup = _training()
    if not mended:
        setup.x[1234] = np.nan
    return setup
