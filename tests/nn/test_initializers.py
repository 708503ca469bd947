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
    ("xavier_uniform", {"gain": "tanh"}, 0, 25 / 9 * 2 / 500, (-5 / 3 * A, 5 / 3 * A), 1.8),
    ("kaiming_normal", {"mode": "fan_out"}, 0, 2 / 200, (-math.inf, math.inf), 3.0),
    ("kaiming_uniform", {"nonlinearity": "selu"}, 0, 9 / 16 / 300, (-1, 1), 1.8),
    ("lecun_uniform", {}, 0, 1 / 300, (-math.sqrt(3 / 300), math.sqrt(3 / 300)), 1.8),
    ("lecun_normal", {}, 0, 1 / 300, (-math.inf, math.inf), 3.0),
    # Of N(0, 1) between -2 and 2: 1 - 4·φ(2)/(Φ(2) - Φ(-2)), and no kurtosis above the normal's.
    ("trunc_normal", {}, 0, 0.7737413035, (-2, 2), 3.0),
    # Right of 0 alone it is |N(0, 1)|: mean √(2/π), variance 1 - 2/π, kurtosis 3.869.
    ("trunc_normal", {"a": 0.0, "b": 40.0}, math.sqrt(2 / math.pi), 1 - 2 / math.pi, (0, 40), 3.87),
    # An orthogonal matrix of 200 rows in 300 dimensions: each row has length 1.
    ("orthogonal", {"gain": 2.0}, 0, 4 / 300, (-2, 2), 3.0),
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
    constant = {"constant", "zeros", "ones", "eye", "sparse"}
    assert set(nn.INITIALIZERS) == {case[0] for case in MOMENTS} | constant


def test_constants():
    assert (nn.init.zeros()((2, 3), 0, "x") == 0).all()
    assert (nn.init.ones()((2, 3), 0, "x") == 1).all()
    assert (nn.init.constant(0.5)((2, 3), 0, "x") == 0.5).all()


REQUIRED = {"sparse": {"sparsity": 0.5}}


@pytest.mark.parametrize("name", sorted(set(nn.INITIALIZERS) - {"constant"}))
def test_numbers_are_frozen(name, golden):
    rule = nn.INITIALIZERS.get(name)(**REQUIRED.get(name, {}))
    drawn = rule((2, 3), 2024, "encoder.0.weight")
    golden(f"nn/initializers/{name}", "".join(f"{_frozen(name, x)}\n" for x in drawn.ravel()))


def _frozen(name, x):
    # Uniforms have the same bits on every machine. A logarithm and a cosine make a normal number:
    # they round differently here and there, so 13 of its 16 digits are kept.
    exact = {
        "uniform",
        "xavier_uniform",
        "kaiming_uniform",
        "lecun_uniform",
        "zeros",
        "ones",
        "eye",
    }
    return float(x).hex() if name in exact else f"{x:.13g}"


def test_the_same_seed_and_path_give_the_same_numbers():
    rule = nn.init.normal()
    np.testing.assert_array_equal(rule((4, 4), 5, "a"), rule((4, 4), 5, "a"))


@pytest.mark.parametrize("name", sorted({case[0] for case in MOMENTS}))
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
        (
            lambda: nn.init.trunc_normal(a=1.0, b=1.0),
            ConfigurationError,
            "trunc_normal takes std > 0 and a < b; got std=1.0, a=1.0, b=1.0.",
        ),
        (
            lambda: nn.init.trunc_normal(std=0.01, a=1.0, b=2.0),
            ConfigurationError,
            "trunc_normal draws from 1.0 to 2.0, where N(0.0, 0.01²) has no numbers.",
        ),
        (
            lambda: nn.init.xavier_normal("rely"),
            NameNotFoundError,
            (
                'No nonlinearity with a gain is named "rely". Did you mean "relu"? '
                "There are: linear, sigmoid, tanh, relu, leaky_relu, selu."
            ),
        ),
        (
            lambda: nn.init.orthogonal(None),
            ConfigurationError,
            "A gain is a number, or the name of a nonlinearity; got None.",
        ),
        (
            lambda: nn.init.kaiming_normal(mode="fan"),
            ConfigurationError,
            'kaiming_normal takes mode="fan_in" or "fan_out"; got \'fan\'.',
        ),
        (
            lambda: nn.Linear(2, 3, bias_init="orthogonal").initialize(),
            ShapeError,
            "orthogonal draws a weight of two or more axes; got shape [3].",
        ),
        (
            lambda: nn.Bilinear(2, 2, 3, weight_init="eye").initialize(),
            ShapeError,
            "eye draws a matrix; got shape [3,2,2].",
        ),
        (
            lambda: nn.init.sparse(1.5),
            ConfigurationError,
            "sparse takes 0 ≤ sparsity ≤ 1 and std ≥ 0; got 1.5 and 0.01.",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_bad_initializers(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message


# --- truncated ------------------------------------------------------------------------------------

ENDS = [
    (-2.0, 2.0),
    (-0.1, 0.1),
    (-6.0, -5.0),  # far on the left, and far on the right
    (5.0, 6.0),
    (-9.0, 0.5),
    (-0.5, 9.0),
    (30.0, 31.0),
    (-50.0, 50.0),
]


@pytest.mark.parametrize("ends", ENDS, ids=str)
@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.25, 2.0)])
def test_a_truncated_normal_is_the_inverse_of_its_distribution_function(mean, std, ends):
    import mpmath as mp

    from chainrule.base.random import random_bits, seed_words, uniform

    a, b = (mean + std * end for end in ends)
    drawn = nn.init.trunc_normal(mean, std, a, b)((40,), 7, "w")
    u = uniform(random_bits(seed_words(7), 0, "init/w", 0, 80))
    # 1 - Φ(30) is 1e-197: it takes as many digits.
    with mp.workdps(250):
        low, high = (mp.ncdf(mp.mpf(end)) for end in ends)
        for x, share in zip(drawn, u, strict=True):
            z = (mp.mpf(x) - mean) / std
            reached = (mp.ncdf(z) - low) / (high - low)
            # How far u moves when x moves by a few units in the last place, of x or of the ends:
            # the density there, over the mass between the ends. And u's own rounding.
            slope = mp.npdf(z) / (high - low)
            size = max(abs(x), abs(mean), abs(a), abs(b)) / std
            assert abs(reached - share) < (16 * size * slope + 8) * mp.mpf(2) ** -52


def test_a_truncated_normal_rises_with_its_uniform_number():
    from chainrule.nn.initializers.plain import trunc_normal

    plain = nn.init.uniform()((1000,), 3, "w")
    for ends in ENDS:
        drawn = trunc_normal(a=ends[0], b=ends[1])((1000,), 3, "w")
        assert (np.diff(drawn[np.argsort(plain)]) >= 0).all()
        assert ends[0] <= drawn.min()
        assert drawn.max() <= ends[1]


def test_a_truncated_normal_has_torchs_distribution(torch):
    torch.manual_seed(0)
    theirs = torch.nn.init.trunc_normal_(torch.empty(20000).double(), 0.5, 2.0, -1.0, 3.0).numpy()
    ours = nn.init.trunc_normal(0.5, 2.0, -1.0, 3.0)((20000,), 1, "w")
    # Kolmogorov and Smirnov: two samples of n stay within 2.5·√(2/n), but for once in 100,000.
    points = np.sort(np.concatenate([ours, theirs]))
    shares = [np.searchsorted(np.sort(x), points, side="right") / len(x) for x in (ours, theirs)]
    assert np.abs(shares[0] - shares[1]).max() < 2.5 * math.sqrt(2 / 20000)


# --- gains, and whole matrices --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
@pytest.mark.parametrize("param", [None, 0.2])
def test_gains_are_torchs(torch, name, param):
    if param is not None and name != "leaky_relu":
        return
    expected = torch.nn.init.calculate_gain(name, param)
    assert nn.init.calculate_gain(name, param) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
@pytest.mark.parametrize("nonlinearity", ["relu", "leaky_relu", "tanh", "selu", "linear"])
@pytest.mark.parametrize("name", ["kaiming_uniform", "kaiming_normal"])
def test_kaimings_scale_is_torchs(torch, name, nonlinearity, mode):
    # torch's is seen in the largest uniform number, or the deviation, of many.
    torch.manual_seed(0)
    draw = getattr(torch.nn.init, f"{name}_")
    theirs = draw(torch.empty(200, 300).double(), a=0.3, mode=mode, nonlinearity=nonlinearity)
    ours = getattr(nn.init, name)(0.3, mode, nonlinearity)((200, 300), 1, "w")
    # Two deviations of 60,000 numbers: each is off by √((k - 1)/4n), k being 1.8 or 3.
    assert ours.std() == pytest.approx(theirs.std().item(), rel=5 * math.sqrt(2 * 0.5 / 60000))
    if name == "kaiming_uniform":
        assert abs(ours).max() == pytest.approx(theirs.abs().max().item(), rel=1e-3)


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (5, 2, 3), (2, 5, 3), (1, 4)], ids=str)
@pytest.mark.parametrize("gain", [1.0, 0.5, "relu"])
def test_orthogonal_rows_or_columns(shape, gain):
    w = nn.init.orthogonal(gain)(shape, 5, "w").reshape(shape[0], -1)
    factor = math.sqrt(2) if gain == "relu" else gain
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    # Householder's Q is orthogonal to a few units for each of its columns.
    wanted = factor**2 * np.eye(len(product))
    np.testing.assert_allclose(product, wanted, rtol=0, atol=32 * factor**2 * 2.0**-52)


def test_every_rotation_is_as_likely():
    # Without the signs of R's diagonal a 1 x 1 factor would always be the same.
    drawn = np.array([nn.init.orthogonal()((1, 1), seed, "w").item() for seed in range(400)])
    assert set(np.abs(drawn)) == {1.0}
    assert abs(drawn.mean()) < 5 / math.sqrt(400)


@pytest.mark.parametrize(
    ("sparsity", "zeros"), [(0.0, 0), (0.1, 1), (0.45, 5), (0.9, 9), (1.0, 10)]
)
def test_sparse_columns_have_as_many_zeros_as_torchs(torch, sparsity, zeros):
    drawn = nn.init.sparse(sparsity, std=2.0)((10, 500), 1, "w")
    assert ((drawn == 0).sum(axis=0) == zeros).all()
    theirs = torch.nn.init.sparse_(torch.empty(10, 50), sparsity)
    assert ((theirs == 0).sum(dim=0) == zeros).all()
    others = drawn[drawn != 0]
    if others.size:
        # Five deviations, of the mean and of the variance.
        assert abs(others.mean()) < 5 * 2 / math.sqrt(others.size)
        assert abs(others.var() - 4) < 5 * 4 * math.sqrt(2 / others.size)
    if 0 < zeros < 10:
        # Every row is as likely.
        share = (drawn == 0).mean(axis=1)
        p = zeros / 10
        assert np.abs(share - p).max() < 5 * math.sqrt(p * (1 - p) / 500)


def test_the_identity():
    for shape in ((3, 3), (2, 4), (4, 2)):
        np.testing.assert_array_equal(nn.init.eye()(shape, 0, "w"), np.eye(*shape))
    x = np.arange(6.0).reshape(2, 3)
    net = nn.Linear(3, 3, weight_init="eye", bias_init="zeros").astype("float64")
    np.testing.assert_array_equal(net(x).numpy(), x)


def test_initializers_print_and_compare():
    assert repr(nn.init.uniform(-1, 1)) == "uniform(low=-1, high=1)"
    assert nn.init.kaiming_normal(0.2) == nn.init.kaiming_normal(a=0.2)
    assert repr(nn.init.xavier_normal("relu")) == "xavier_normal(gain='relu')"
    assert repr(nn.init.orthogonal()) == "orthogonal(gain=1.0)"
    assert nn.init.zeros() == nn.init.constant(0.0)
