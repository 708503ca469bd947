"""Dropout: what is dropped depends on seed, path, step and row, and on nothing else."""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import ConfigurationError, ShapeError
from chainrule.base.random import random_bits, seed_words, uniform

ONES = np.ones((64, 50), np.float32)


def mask(net, x=ONES, seed=0, step=0, rows=None):
    with nn.training(seed, step, rows):
        return net(x).numpy() != 0


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_elements_are_dropped_with_probability_p(p):
    x = np.ones((500, 200))
    with nn.training():
        y = nn.Dropout(p)(x).numpy()
    n = x.size
    # Five standard deviations of a share of n independent draws.
    assert abs((y == 0).mean() - p) < 5 * math.sqrt(p * (1 - p) / n)
    # What is kept is scaled, so that the mean stays: its deviation is √(p/(1-p)/n).
    assert set(np.unique(y)) == {0, 1 / (1 - p)}
    assert abs(y.mean() - 1) < 5 * math.sqrt(p / (1 - p) / n)
    # Rows and columns are as independent as the rest.
    for axis in (0, 1):
        share = (y == 0).mean(axis=axis)
        deviation = math.sqrt(p * (1 - p) / x.shape[axis])
        assert np.abs(share - p).max() < 6 * deviation


def test_the_mask_is_the_documented_one():
    rows = [5, 0, 2**33]
    x = np.ones((3, 4), np.float32)
    with nn.training(seed=9, step=3, rows=rows):
        y = nn.Sequential(nn.Tanh(), nn.Dropout(0.25))(np.arctanh(x / 2)).numpy()
    bits = random_bits(seed_words(9), 3, "1", np.array(rows), 4)
    keep = uniform(bits, np.float32) >= 0.25
    np.testing.assert_allclose(y, np.where(keep, 0.5 / 0.75, 0), rtol=1e-6)


def test_probability_0_and_1():
    x = np.random.default_rng(0).normal(size=(4, 3))
    with nn.training():
        np.testing.assert_array_equal(nn.Dropout(0)(x).numpy(), x)
        assert (nn.Dropout(1)(x).numpy() == 0).all()
        assert (cr.grad(lambda x: nn.Dropout(1)(x).sum())(x).numpy() == 0).all()


def test_outside_of_training_it_is_the_identity():
    np.testing.assert_array_equal(nn.Dropout(0.5)(ONES).numpy(), ONES)
    graph = cr.trace(nn.Sequential(nn.Tanh(), nn.Dropout(0.5)), ONES)
    assert [node.op for node in graph.nodes] == ["input", "tanh"]


def test_permuting_the_batch_permutes_the_mask():
    net = nn.Dropout(0.5)
    rows = np.arange(64) * 7
    order = np.random.default_rng(0).permutation(64)
    np.testing.assert_array_equal(mask(net, rows=rows[order]), mask(net, rows=rows)[order])


def test_rows_have_the_same_mask_in_any_batch():
    net = nn.Sequential(nn.Linear(50, 50), nn.Dropout(0.5))
    whole = mask(net, rows=np.arange(64))
    parts = [mask(net, ONES[:size], rows=rows) for size, rows in (
        (16, np.arange(16)), (47, np.arange(16, 63)), (1, [63]),
    )]  # fmt: skip
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_without_rows_places_in_the_batch_count():
    net = nn.Dropout(0.5)
    np.testing.assert_array_equal(mask(net), mask(net, rows=np.arange(64)))


def test_float32_and_float64_networks_have_the_same_mask():
    net = nn.Sequential(nn.Linear(50, 50), nn.Dropout(0.3))
    narrow = mask(net)
    np.testing.assert_array_equal(mask(net.astype("float64")), narrow)


@pytest.mark.parametrize(
    "other",
    [
        {"net": nn.Sequential(nn.Tanh(), nn.Dropout(0.5))},  # another path
        {"seed": 1},
        {"step": 1},
        {"rows": np.arange(64) + 64},
    ],
    ids=["path", "seed", "step", "rows"],
)
def test_anything_else_draws_another_mask(other):
    first = mask(nn.Sequential(nn.Dropout(0.5)))
    second = mask(**({"net": nn.Sequential(nn.Dropout(0.5))} | other))
    # Independent masks agree in half of 3200 places; five deviations of 0.5/√3200.
    assert abs((first == second).mean() - 0.5) < 5 * 0.5 / math.sqrt(first.size)


def test_a_layer_called_twice_draws_twice():
    class Twice(nn.Module):
        def __init__(self):
            self.dropout = nn.Dropout(0.5)

        def forward(self, x):
            return self.dropout(x), self.dropout(x)

    with nn.training():
        first, second = (y.numpy() != 0 for y in Twice()(ONES))
        again, _ = (y.numpy() != 0 for y in Twice()(ONES))
    assert abs((first == second).mean() - 0.5) < 5 * 0.5 / math.sqrt(first.size)
    np.testing.assert_array_equal(again, first)


def test_two_layers_made_in_forward_draw_twice():
    class Careless(nn.Module):
        def forward(self, x):
            return nn.Dropout(0.5)(x), nn.Dropout(0.5)(x)

    with nn.training():
        first, second = (y.numpy() != 0 for y in Careless()(ONES))
    assert abs((first == second).mean() - 0.5) < 5 * 0.5 / math.sqrt(first.size)


def test_gradients_pass_where_elements_do():
    net = nn.Dropout(0.4)
    x = np.random.default_rng(0).normal(size=(8, 5))
    with nn.training(seed=3):
        y = net(x).numpy()
        gradient = cr.grad(lambda x: net(x).sum())(x).numpy()
    np.testing.assert_array_equal(gradient, np.where(y == 0, 0, 1 / (1 - 0.4)))


def test_traced_and_eager_masks_are_the_same():
    net = nn.Sequential(nn.Dropout(0.5))
    with nn.training(seed=3, step=2, rows=np.arange(64)):
        eager = net(ONES).numpy()
        traced, _ = cr.value_and_grad(lambda x: (net(x).sum(), net(x)), has_aux=True)(ONES)
    np.testing.assert_array_equal(traced[1].numpy(), eager)


def test_evaluation_inside_of_training():
    with nn.training():
        np.testing.assert_array_equal(nn.Dropout(0.5).predict(ONES), ONES)
        with nn.training(seed=1):
            inner = nn.Dropout(0.5)(ONES).numpy()
    np.testing.assert_array_equal(inner != 0, mask(nn.Dropout(0.5), seed=1))


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan"), "0.5", None, True])
def test_p_is_a_probability(p):
    with pytest.raises(ConfigurationError) as caught:
        nn.Dropout(p)
    assert str(caught.value) == f"Dropout takes 0 ≤ p ≤ 1; got {p!r}."


def test_the_first_axis_must_be_the_batch():
    with nn.training(rows=[0, 1, 2]), pytest.raises(ShapeError) as caught:
        nn.Dropout(0.5)(np.ones((2, 5)))
    assert caught.value.message == (
        "Dropout got x of shape [2,5] in training on 3 rows: its first axis is not the batch"
    )
    with nn.training(), pytest.raises(ShapeError, match=r"first axis; got a scalar\.$"):
        nn.Dropout(0.5)(1.0)
