"""Initialisers: the distribution they promise, the same numbers everywhere and for ever."""

import math

import numpy as np
import pytest

from chainrule import nn
from chainrule.base.errors import ConfigurationError, NameNotFoundError, ShapeError

SHAPE = (200, 300)  # out, in
COUNT = 200 * 300
SIX = math.sqrt(6)
A = SIX / math.sqrt(200 + 300)

# name, arguments, mean, variance, least and largest possible, and the fourth central moment over
# the squared variance (1.8 for a uniform, 3 for a normal distribution).
MOMENTS = [
    ("uniform", {"low": -2.0, "high": 1.0}, -0.5, 9 / 12, (-2, 1), 1.8),
    ("normal", {"mean": 3.0, "std": 0.5}, 3.0, 0.25, (-math.inf, math.inf), 3.0),
    ("xavier_uniform", {"gain": 2.0}, 0, 4 * 2 / 500, (-2 * A, 2 * A), 1.8),
    ("xavier_normal", {}, 0, 2 / 500, (-math.inf, math.inf), 3.0),
    ("kaiming_uniform", {}, 0, 2 / 300, (-SIX / 300**0.5, SIX / 300**0.5), 1.8),
    ("kaiming_normal", {"a": 1.0}, 0, 1 / 300, (-math.inf, math.inf), 3.0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "arguments", "mean", "variance", "interval", "kurtosis"), MOMENTS, ids=lambda v: str(v)
)
def test_moments_are_those_of_the_distribution(name, arguments, mean, variance, interval, kurtosis):
    drawn = nn.INITIALIZERS.get(name)(**arguments)(SHAPE, 7, "0.weight")
    assert drawn.shape == SHAPE
    # Five standard deviations of the sample's mean, √(v/n), and variance, v·√((k-1)/n): a correct
    # draw misses them once in two million seeds, and the seed is fixed.
    assert abs(drawn.mean() - mean) < 5 * math.sqrt(variance / COUNT)
    assert abs(drawn.var() - variance) < 5 * variance * math.sqrt((kurtosis - 1) / COUNT)
    low, high = interval
    assert low <= drawn.min()
    assert drawn.max() <= high


def test_every_initializer_has_its_moments_tested():
    constant = {"constant", "zeros", "ones"}
    assert set(nn.INITIALIZERS) == {case[0] for case in MOMENTS} | constant


def test_constants():
    assert (nn.init.zeros()((2, 3), 0, "x") == 0).all()
    assert (nn.init.ones()((2, 3), 0, "x") == 1).all()
    assert (nn.init.constant(0.5)((2, 3), 0, "x") == 0.5).all()


@pytest.mark.parametrize("name", sorted(set(nn.INITIALIZERS) - {"constant"}))
def test_numbers_are_frozen(name, golden):
    drawn = nn.INITIALIZERS.get(name)()((2, 3), 2024, "encoder.0.weight")
    golden(f"nn/initializers/{name}", "".join(f"{_frozen(name, x)}\n" for x in drawn.ravel()))


def _frozen(name, x):
    # Uniforms have the same bits on every machine. A logarithm and a cosine make a normal number:
    # they round differently here and there, so 13 of its 16 digits are kept.
    return f"{x:.13g}" if "normal" in name else float(x).hex()


def test_the_same_seed_and_path_give_the_same_numbers():
    rule = nn.init.normal()
    np.testing.assert_array_equal(rule((4, 4), 5, "a"), rule((4, 4), 5, "a"))


@pytest.mark.parametrize("name", [case[0] for case in MOMENTS])
def test_another_path_or_seed_gives_other_numbers(name):
    rule = nn.INITIALIZERS.get(name)()
    first = rule((10, 10), 5, "0.weight")
    for other in (rule((10, 10), 5, "1.weight"), rule((10, 10), 6, "0.weight")):
        # Independent, so uncorrelated: r of 100 pairs has a standard deviation of 0.1.
        assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.5


def test_linear_starts_with_torchs_distribution(torch):
    ours = nn.Linear(50, 400).initialize(seed=3).state_dict()
    torch.manual_seed(0)
    theirs = torch.nn.Linear(50, 400).state_dict()
    for name, array in ours.items():
        bound = 1 / math.sqrt(50)
        for sample in (array.ravel(), theirs[name].numpy().ravel()):
            # Kolmogorov: n samples of a continuous distribution stay within 2.3/√n of it, but for
            # once in 20,000 draws (2·exp(-2·2.3²)).
            ordered = np.sort(sample.astype(np.float64))
            share = (ordered + bound) / (2 * bound)
            steps = np.arange(len(ordered) + 1) / len(ordered)
            distance = max(np.abs(steps[1:] - share).max(), np.abs(share - steps[:-1]).max())
            assert distance < 2.3 / math.sqrt(len(ordered))
            assert np.abs(sample).max() <= np.float32(bound)


def test_layers_take_initializers_by_name_called_uncalled_or_as_functions():
    def by_name(shape, seed, path):
        return np.full(shape, float(seed + len(path)))

    for rule in ("xavier_normal", nn.init.xavier_normal, nn.init.xavier_normal()):
        layer = nn.Linear(3, 2, weight_init=rule)
        drawn = layer.initialize(seed=4).state_dict()["weight"]
        expected = nn.init.xavier_normal()((2, 3), 4, "weight").astype(np.float32)
        np.testing.assert_array_equal(drawn, expected)
    state = nn.Linear(3, 2, weight_init=by_name).initialize(seed=4).state_dict()
    assert (state["weight"] == 10).all()


def test_given_numbers():
    w = [[0.15, 0.20], [0.25, 0.30]]
    net = nn.Linear(2, 2, weight_init=nn.init.from_array(w), bias_init=nn.init.constant(0.35))
    state = net.astype("float64").state_dict()
    assert state["weight"].tolist() == w
    assert state["bias"].tolist() == [0.35, 0.35]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: nn.Linear(2, 2, weight_init="xavier"),
            NameNotFoundError,
            (
                'No initializer is named "xavier". Did you mean "xavier_normal"? '
                f"There are: {', '.join(nn.INITIALIZERS)}."
            ),
        ),
        (
            lambda: nn.Linear(2, 2, weight_init=np.zeros((2, 2))),
            ConfigurationError,
            (
                "An initializer is a function of (shape, seed, path); got ndarray. "
                "For given numbers use nn.init.from_array(numbers)."
            ),
        ),
        (
            lambda: nn.Linear(2, 3, weight_init=nn.init.from_array(np.zeros((2, 3)))).initialize(),
            ShapeError,
            "weight has shape [3,2]; its initializer gave [2,3].",
        ),
        (
            lambda: nn.Linear(2, 3, bias_init="xavier_normal").initialize(),
            ShapeError,
            "A fan-in belongs to a weight of two or more axes; got shape [3].",
        ),
        (
            lambda: nn.Linear(2, 3).initialize(seed=-1),
            ConfigurationError,
            "A seed is an integer with 0 <= seed < 2**64, not -1. Pass for example seed=0.",
        ),
        (
            lambda: nn.init.uniform(1, 0),
            ConfigurationError,
            "uniform takes low ≤ high; got 1 and 0.",
        ),
        (lambda: nn.init.normal(0, -1), ConfigurationError, "normal takes std ≥ 0; got -1."),
    ],
    ids=["name", "array", "given shape", "fans of a vector", "seed", "uniform", "normal"],
)
def test_bad_initializers(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message


def test_initializers_print_and_compare():
    assert repr(nn.init.uniform(-1, 1)) == "uniform(low=-1, high=1)"
    assert nn.init.kaiming_normal(0.2) == nn.init.kaiming_normal(a=0.2)
    assert nn.init.zeros() == nn.init.constant(0.0)
