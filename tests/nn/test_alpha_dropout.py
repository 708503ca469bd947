"""Dropout of channels, and dropout that keeps mean and variance under SELU."""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import ConfigurationError, ShapeError
from tests.nn.lines import place
from tests.nn.parity import numbers

# Klambauer et al. 2017: -λ·α
LOW = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717
LAYERS = [nn.Dropout1d, nn.AlphaDropout, nn.FeatureAlphaDropout]


def affine(p):
    """The paper's a and b."""
    q = 1 - p
    a = (q + LOW**2 * q * (1 - q)) ** -0.5
    return a, -a * (1 - q) * LOW


def dropped(layer, x, **mode):
    with nn.training(**mode):
        return layer(x).numpy()


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.9])
def test_alpha_dropout_keeps_mean_0_and_variance_1(p):
    with nn.training(seed=3):
        x = nn.init.normal()((500, 200), 0, "x")
        y = nn.AlphaDropout(p)(x).numpy()
    # Five deviations: of a mean of n numbers of variance 1, and of their variance, whose own
    # deviation is √((k - 1)/n), the fourth moment k being below that of two points at the ends.
    n = x.size
    a, b = affine(p)
    ends = (np.abs(a * np.array([-5.0, 5.0, LOW]) + b) ** 4).max()
    assert abs(y.mean()) < 5 / math.sqrt(n)
    assert abs(y.var() - 1) < 5 * math.sqrt(ends / n)


@pytest.mark.parametrize("p", [0.2, 0.5, 0.8])
def test_alpha_dropout_computes_the_papers_formula(p):
    x = numbers(0, 50, 8)
    y = dropped(nn.AlphaDropout(p), x)
    a, b = affine(p)
    kept = a * x + b
    low = a * LOW + b
    is_low = np.isclose(y, low, rtol=1e-12)
    np.testing.assert_allclose(y[~is_low], kept[~is_low], rtol=1e-12, atol=1e-12)
    assert abs(is_low.mean() - p) < 5 * math.sqrt(p * (1 - p) / x.size)


def test_alpha_dropout_has_torchs_two_values(torch):
    # Of ones there are two results, the one for what is kept and the one for what is dropped.
    torch.manual_seed(0)
    for p in (0.25, 0.5, 0.75):
        theirs = torch.nn.AlphaDropout(p)(torch.ones(1000, dtype=torch.float64)).numpy()
        ours = dropped(nn.AlphaDropout(p), np.ones((1, 1000)))
        np.testing.assert_allclose(np.unique(ours), np.unique(theirs), rtol=1e-14)


def test_gradients_pass_where_elements_do():
    layer, x = nn.AlphaDropout(0.4), numbers(0, 6, 5)
    with nn.training(seed=3):
        y = layer(x).numpy()
        gradient = cr.grad(lambda x: layer(x).sum())(x).numpy()
    a, b = affine(0.4)
    expected = np.where(np.isclose(y, a * LOW + b), 0, a)
    np.testing.assert_allclose(gradient, expected, rtol=1e-12)


@pytest.mark.parametrize("layer", [nn.Dropout1d(0.5), nn.FeatureAlphaDropout(0.5)], ids=repr)
def test_channels_are_kept_or_dropped_whole(layer):
    y = dropped(layer, np.ones((40, 30, 5)))
    assert (y == y[:, :, :1]).all()
    share = (y[:, :, 0] == y.min()).mean()
    assert abs(share - 0.5) < 5 * 0.5 / math.sqrt(40 * 30)


def test_feature_alpha_dropout_takes_any_number_of_axes():
    layer = nn.FeatureAlphaDropout(0.5)
    flat = dropped(layer, np.ones((4, 6)))
    for shape in ((4, 6, 2), (4, 6, 2, 3)):
        y = dropped(layer, np.ones(shape))
        np.testing.assert_array_equal(
            y, np.broadcast_to(flat.reshape(4, 6, *[1] * (len(shape) - 2)), shape)
        )


@pytest.mark.parametrize("layer", LAYERS)
def test_probability_0_and_1_and_evaluation(layer):
    x = numbers(0, 4, 3, 2)
    np.testing.assert_array_equal(dropped(layer(0), x), x)
    assert (dropped(layer(1), x) == 0).all()
    np.testing.assert_array_equal(layer(0.5)(x).numpy(), x)


@pytest.mark.parametrize("layer", LAYERS)
def test_what_is_dropped_belongs_to_an_example(layer):
    x = np.ones((6, 5, 2), np.float32)
    rows = np.array([3, 1, 4, 1, 5, 9])
    first = dropped(layer(0.5), x, rows=rows)
    np.testing.assert_array_equal(dropped(layer(0.5), x[:2], rows=rows[[4, 0]]), first[[4, 0]])
    np.testing.assert_array_equal(first[1], first[3])  # one row twice
    wide = dropped(layer(0.5), x.astype(np.float64), rows=rows)
    np.testing.assert_allclose(wide, first, rtol=1e-6)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan"), "0.5", None, True])
def test_p_is_a_probability(layer, p):
    with pytest.raises(ConfigurationError) as caught:
        layer(p)
    assert str(caught.value) == f"{layer.__name__} takes 0 ≤ p ≤ 1; got {p!r}."


def test_shapes_that_do_not_fit_are_refused_at_the_users_line():
    def channels(x):
        return nn.Dropout1d()(x)

    def features(x):
        return nn.FeatureAlphaDropout()(x)

    channel = "Dropout1d takes (examples, channels, length); got [4,3]"
    feature = "FeatureAlphaDropout takes (examples, channels, ...); got [4]"
    for f, text, shape, message in (
        (channels, "nn.Dropout1d", (4, 3), channel),
        (features, "nn.Feature", (4,), feature),
    ):
        with pytest.raises(ShapeError) as caught:
            f(np.zeros(shape))
        assert (caught.value.message, caught.value.where) == (message, place(f, text))


def test_deep_selu_networks_keep_their_variance():
    # The point of it all: 16 layers of 64 units, drawn by LeCun's rule, with dropout.
    layers = [
        layer
        for _ in range(16)
        for layer in (nn.Linear(64, 64, weight_init=nn.init.normal(0, 1 / 8), bias_init="zeros"),
                      nn.SELU(), nn.AlphaDropout(0.1))
    ]  # fmt: skip
    net = nn.Sequential(*layers).initialize(seed=0)
    with nn.training():
        y = net(nn.init.normal()((200, 64), 1, "x").astype(np.float32)).numpy()
    # The paper's theorem 1: the variance stays in [0.8, 1.5]; the mean is that of 64 units each
    # with a bias of its own, drawn once.
    assert 0.8 < y.var() < 1.5
    assert abs(y.mean()) < 0.2
