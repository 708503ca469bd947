"""Wrong targets, beside targets that only look so: classes that overlap, values with an edge."""

import numpy as np
import pytest

from chainrule import optim
from tests.explanation.diagnosing.asking import ask, network

rng = np.random.default_rng


def of_values(y, x):
    return ask("noisy-targets", network(x.shape[1]), x, y[:, None])


def measured(n=500, seed=0):
    draw = rng(seed)
    x = draw.normal(size=(n, 2))
    return draw, x, np.tanh(x[:, 0]) + 0.5 * x[:, 1] + 0.02 * draw.normal(size=n)


VALUES = {
    "clipped": lambda x, y, draw: np.clip(1.5 * y, -1, 1),
    "a step": lambda x, y, draw: np.where(x[:, 0] > 0, 5.0, 0.0) + 0.01 * draw.normal(size=len(x)),
    "none below zero": lambda x, y, draw: np.maximum(y - 0.3, 0),
    "skewed": lambda x, y, draw: np.exp(3 * y),
    "counts": lambda x, y, draw: draw.poisson(np.exp(x[:, 0])).astype(float),
    "noise that grows": lambda x, y, draw: y + 0.1 * np.exp(x[:, 0]) * draw.normal(size=len(x)),
    "noise with long tails": lambda x, y, draw: y + 0.05 * draw.standard_t(2, size=len(x)),
}


@pytest.mark.parametrize("kind", VALUES)
def test_targets_of_an_odd_shape_are_not_noisy(kind):
    draw, x, y = measured()
    assert not of_values(VALUES[kind](x, y, draw), x)


@pytest.mark.parametrize("kind", ["swapped", "of the other sign", "in other units"])
def test_a_tenth_of_the_targets_wrong_is_noise(kind):
    draw, x, y = measured()
    y = y + 3 if kind == "in other units" else y
    wrong = draw.uniform(size=len(y)) < 0.1
    other = {"swapped": draw.permutation(y), "of the other sign": -y, "in other units": 10 * y}
    (finding,) = of_values(np.where(wrong, other[kind], y), x)
    rows = [int(row) for row in finding.where.removeprefix("rows ").split(", ")]
    assert wrong[rows].all()


def of_classes(x, y):
    net = network(x.shape[1], int(y.max()) + 1)
    options = {"loss": "CrossEntropyLoss", "optimizer": optim.Adam(lr=0.02), "batch_size": 25}
    return ask("noisy-targets", net, x, y, **options)


def clouds(kinds, spread, n=600, seed=0):
    draw = rng(seed)
    centres = 2 * draw.normal(size=(kinds, 4))
    y = draw.integers(0, kinds, n)
    return draw, centres[y] + spread * draw.normal(size=(n, 4)), y


@pytest.mark.parametrize("kinds", [3, 5])
def test_labels_of_which_a_third_are_drawn_anew_are_noisy(kinds):
    draw, x, y = clouds(kinds, 0.8)
    wrong = draw.uniform(size=len(y)) < 1 / 3
    y[wrong] = draw.integers(0, kinds, wrong.sum())
    assert [finding.name for finding in of_classes(x, y)] == ["noisy-targets"]


@pytest.mark.parametrize("kinds", [2, 3, 5])
@pytest.mark.parametrize("spread", [0.8, 1.6, 2.5])
def test_classes_that_overlap_are_not(kinds, spread):
    _, x, y = clouds(kinds, spread)
    assert not of_classes(x, y)


@pytest.mark.parametrize("kinds", [2, 3, 5])
@pytest.mark.parametrize("steep", [0.8, 2.0, 4.0])
def test_choices_that_are_made_by_chance_are_not(kinds, steep):
    draw = rng(kinds)
    x = draw.normal(size=(600, 4))
    scores = steep * (x @ draw.normal(size=(4, kinds))) / 2
    y = (scores + draw.gumbel(size=scores.shape)).argmax(axis=1)  # y ~ softmax(scores)
    assert not of_classes(x, y)


def test_a_class_that_most_are_of_has_like_neighbours_by_chance():
    draw = rng(0)
    x, y = draw.normal(size=(1000, 3)), (draw.uniform(size=1000) < 0.12).astype(np.int64)
    assert not of_classes(x, y)


def test_equal_rows_of_two_classes_are_not_wrong():
    draw = rng(0)
    x = (draw.uniform(size=(1000, 4)) < 0.5).astype(float)
    likely = 1 / (1 + np.exp(-(6 * x[:, 0] - 3)))  # 95 % or 5 %
    assert not of_classes(x, (draw.uniform(size=1000) < likely).astype(np.int64))
