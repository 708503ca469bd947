"""Activations as layers: formulas, kinks, ranges, what they refuse; beside torch elsewhere."""

import inspect
import math
import re

import mpmath as mp
import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import ConfigurationError, ShapeError
from chainrule.base.random import random_bits, seed_words, uniform
from chainrule.graph import TensorType
from chainrule.ops import OPS, bind
from chainrule.testing.exact import evaluate
from tests.nn.lines import place
from tests.nn.test_torch_activations import GRID, SHARES


def subclasses(kind):
    return {name: layer for name, layer in nn.LAYERS.items() if issubclass(layer, kind)}


ACTIVATIONS = subclasses(nn.Activation)
ELEMENTWISE = subclasses(nn.ElementwiseActivation)
REQUIRED = {"Threshold": {"threshold": 0.5, "value": -2.0}}


def made(name):
    return nn.LAYERS.get(name)(**REQUIRED.get(name, {}))


def test_every_activation_is_compared_with_torch():
    assert set(ACTIVATIONS) == {name for name, *_ in GRID} | {"PReLU"} | set(SHARES)


# --- formulas -------------------------------------------------------------------------------------


def documented(layer):
    """The formula that a docstring begins with: ``y = ...``, up to the full stop or some words."""
    summary = inspect.getdoc(layer).split("\n")[0]
    return re.fullmatch(r"y = (.+?)(, (where|Φ) .*)?\.", summary).group(1)


def computed(formula, names):
    """What a formula for people comes to, in 40 digits."""
    signs = {"·": "*", "²": "**2", "³": "**3", "≤": "<=", "√": "sqrt", "|x|": "abs(x)"}
    for sign, python in signs.items():
        formula = formula.replace(sign, python)
    functions = {f: getattr(mp, f) for f in ("exp", "log", "tanh", "sqrt", "sign")}
    functions |= {"min": min, "max": max, "abs": abs, "π": mp.pi, "Φ": mp.ncdf}
    functions["σ"] = lambda x: 1 / (1 + mp.exp(-x))
    return eval(formula, {"__builtins__": {}}, functions | names)  # noqa: S307 - our own docstring


SOME = [-30.0, -3.0, -1.5, -0.5, -0.3, 0.0, 0.25, 0.5, 1.0, 2.5, 3.0, 6.0, 30.0]
LAYERS = [ELEMENTWISE[name](**arguments) for name, arguments, *_ in GRID if name in ELEMENTWISE]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_the_documented_formula_is_what_the_op_computes(layer):
    arguments = {name: getattr(layer, name) for name in inspect.signature(type(layer)).parameters}
    for x in SOME:
        check_formula(documented(type(layer)), arguments, layer.op, layer.attributes(), x)


def check_formula(formula, arguments, op, attributes, x, *others):
    types = (TensorType.parse("f64[]"),) * (1 + len(others))
    terms = bind(op, attributes).terms(types, ())
    with mp.workdps(40):
        wanted = computed(formula, {name: mp.mpf(v) for name, v in arguments.items()} | {"x": x})
        got = evaluate(terms, [np.array(v) for v in (x, *others)])
        # Constants such as SELU's stand in both with 17 digits.
        assert abs(got - wanted) <= mp.mpf(4e-16) * max(1, abs(wanted))


@pytest.mark.parametrize("x", SOME)
def test_documented_formulas_of_the_others(x):
    check_formula(documented(nn.GELU), {}, "gelu", {}, x)
    tanh_form = re.search(r"``\"tanh\"`` for y = (.*)\.$", nn.GELU.__doc__, re.MULTILINE).group(1)
    check_formula(tanh_form, {}, "gelu_tanh", {}, x)
    for layer in (nn.PReLU, nn.RReLU):
        check_formula(documented(layer), {"a": 0.375}, "prelu", {}, x, 0.375)


@pytest.mark.parametrize(("layer", "op"), [(nn.Softmax, "softmax"), (nn.LogSoftmax, "log_softmax")])
def test_shares_have_the_formula_of_their_op(layer, op):
    assert inspect.getdoc(layer).split("\n")[0] == OPS.get(op).formula + "."


# --- kinks and ranges -----------------------------------------------------------------------------

KINKS = [
    (name, kink.at[0], kink.partials[0])
    for name, layer in ELEMENTWISE.items()
    for kink in OPS.get(layer.op).kinks
    if name not in REQUIRED
]


@pytest.mark.parametrize(("name", "x", "slope"), KINKS)
def test_the_slope_at_a_kink_is_the_declared_one(name, x, slope):
    layer = made(name)
    assert cr.grad(lambda x: layer(x).sum())(np.array([x])).item() == slope


def test_every_layer_of_straight_lines_has_its_kinks_tested():
    straight = {"ReLU", "ReLU6", "LeakyReLU", "SELU", "Hardsigmoid", "Hardswish", "Hardtanh"}
    assert {name for name, *_ in KINKS} == straight | {"Hardshrink", "Softshrink"}


@pytest.mark.parametrize(("name", "arguments"), [case[:2] for case in GRID], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_outputs_lie_in_the_range_and_come_near_its_ends(name, arguments, dtype):
    layer = nn.LAYERS.get(name)(**arguments)
    far = [-1e4, -700.0, -50.0, 50.0, 700.0, 1e4]
    right_of = [t + 1e-4 for t in (-0.5, 0, 1, -3, -1.5, -0.375)]  # thresholds; over beta
    x = np.concatenate([np.linspace(-8, 8, 6401), far, right_of]).astype(dtype)
    y = layer(x).numpy()
    low, high = np.asarray(layer.range, dtype)
    assert low <= y.min()
    assert y.max() <= high
    if name == "LeakyReLU" or math.isinf(low):
        assert name in {"LeakyReLU", "LogSigmoid"} or y.min() < -100 or y.min() == low
    else:
        # Softsign comes within 1/(1 + 10⁴) of its ends, the constants are rounded in the 5th digit.
        assert y.min() - low < 2e-4
    assert y.max() > 100 if math.isinf(high) else high - y.max() < 2e-4


@pytest.mark.parametrize("name", SHARES)
def test_shares_lie_in_their_range(name):
    layer = made(name)
    y = layer(np.random.default_rng(0).normal(size=(50, 4)) * 20).numpy()
    assert layer.range[0] <= y.min()
    assert y.max() <= layer.range[1]


def test_a_range_follows_its_arguments():
    layer = nn.ELU(0.5)
    assert layer.range == (-0.5, math.inf)
    layer.alpha = 2.0
    assert layer.range == (-2.0, math.inf)
    assert nn.Hardtanh(-2, 3).range == (-2.0, 3.0)
    assert nn.Threshold(0.5, -2.0).range == (-2.0, math.inf)


def test_the_end_of_a_range_is_a_target_in_float32_too():
    # 0.3 in float32 is above 0.3: the least output of ELU(0.3) is below -0.3 there.
    target = np.array([[-0.3]], np.float32)
    assert float(target[0, 0]) < -0.3
    nn.check_reachable(nn.ELU(0.3), nn.as_loss("MSELoss"), target)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_softplus_is_as_much_too_small_beyond_its_threshold_as_it_says(beta):
    x = np.array([20.0, 20.5, 25.0, 60.0]) / beta
    curve = nn.Softplus(beta, math.inf)(x).numpy()
    line = nn.Softplus(beta)(x).numpy()
    np.testing.assert_array_equal(line[1:], x[1:])
    assert line[0] == curve[0]
    assert (curve - line >= 0).all()
    assert (curve - line <= math.exp(-20) / beta).all()
    assert curve[1] > line[1]
    assert math.exp(-20) < 2.1e-9


# --- slopes that are drawn ------------------------------------------------------------------------

MINUS_ONE = -np.ones((500, 40))


def test_rrelu_draws_the_documented_slopes():
    rows = [5, 0, 2**33]
    with nn.training(seed=9, step=3, rows=rows):
        y = nn.Sequential(nn.Tanh(), nn.RReLU(0.25, 0.75))(np.full((3, 4), -30.0)).numpy()
    u = uniform(random_bits(seed_words(9), 3, "1", np.array(rows), 4), np.float32)
    np.testing.assert_array_equal(y, -(u * np.float32(0.5) + np.float32(0.25)).astype(np.float64))


def test_rrelus_slopes_are_uniform_between_lower_and_upper():
    with nn.training():
        a = -nn.RReLU()(MINUS_ONE).numpy().ravel()
    assert a.min() >= 1 / 8
    assert a.max() <= 1 / 3
    n, width = a.size, 1 / 3 - 1 / 8
    # Five deviations of the mean, w/√(12n), and of the variance w²/12·√(0.8/n), of a uniform.
    assert abs(a.mean() - (1 / 3 + 1 / 8) / 2) < 5 * width / math.sqrt(12 * n)
    assert abs(a.var() - width**2 / 12) < 5 * width**2 / 12 * math.sqrt(0.8 / n)


def test_rrelu_keeps_what_is_positive_and_evaluates_with_the_mean_slope():
    layer = nn.RReLU(0.25, 0.75)
    x = np.array([[2.0, -2.0]])
    assert layer(x).numpy().tolist() == [[2.0, -1.0]]
    with nn.training(step=1):
        y = layer(x).numpy()
        gradient = cr.grad(lambda x: layer(x).sum())(x).numpy()
    assert y[0, 0] == 2
    assert gradient.tolist() == [[1.0, y[0, 1] / -2]]


def test_rrelus_slopes_belong_to_an_example_and_not_to_its_place():
    layer = nn.RReLU()
    with nn.training(rows=[7, 8, 9]):
        first = layer(MINUS_ONE[:3]).numpy()
    with nn.training(rows=[9, 7]):
        second = layer(MINUS_ONE[:2].astype(np.float32)).numpy()
    np.testing.assert_array_equal(second, first[[2, 0]].astype(np.float32))


# --- what they refuse -----------------------------------------------------------------------------

REFUSED = {
    "ELU": (lambda: nn.ELU(-1), "ELU takes alpha ≥ 0; got -1."),
    "CELU": (lambda: nn.CELU(0.0), "CELU takes alpha > 0; got 0.0."),
    "beta": (lambda: nn.Softplus(beta=0), "Softplus takes beta > 0; got 0."),
    "threshold": (
        lambda: nn.Softplus(threshold=math.nan),
        "Softplus takes threshold; got nan.",
    ),
    "Hardtanh": (lambda: nn.Hardtanh(1, 1), "Hardtanh takes min_val < max_val; got 1 and 1."),
    "Hardshrink": (lambda: nn.Hardshrink(-0.5), "Hardshrink takes lambd ≥ 0; got -0.5."),
    "Softshrink": (lambda: nn.Softshrink("1"), "Softshrink takes lambd ≥ 0; got '1'."),
    "RReLU": (lambda: nn.RReLU(0.5, 0.25), "RReLU takes lower ≤ upper; got 0.5 and 0.25."),
    "GELU": (
        lambda: nn.GELU("tan"),
        'GELU takes approximate="none" or "tanh"; got \'tan\'. Did you mean "tanh"?',
    ),
    "PReLU": (lambda: nn.PReLU(0), "PReLU takes a whole number num_parameters ≥ 1; got 0."),
    "Maxout": (lambda: nn.Maxout(3, 2, 0), "Maxout takes a whole number pieces ≥ 1; got 0."),
    "GLU": (lambda: nn.GLU(0.5), "GLU takes a whole number dim; got 0.5."),
    "Threshold": (lambda: nn.Threshold(0, None), "Threshold takes value; got None."),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_arguments(case):
    make, message = REFUSED[case]
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert str(caught.value) == message


def test_shapes_that_do_not_fit_are_refused_at_the_users_line():
    def prelu(x):
        return nn.PReLU(3)(x)

    def glu(x):
        return nn.GLU()(x)

    def maxout(x):
        return nn.Maxout(3, 2)(x)

    axis_1 = "its axis 1 must be 3. {}."
    halves = "GLU(dim=-1) halves an axis of even size; got x of shape [2,5], where it is 5. {}."
    pieces = "its last axis is 5. {}. Did you mean in_features=5?"
    cases = [
        (prelu, "nn.PReLU", (2, 4), f"PReLU(num_parameters=3) got x of shape [2,4]: {axis_1}"),
        (prelu, "nn.PReLU", (3,), f"PReLU(num_parameters=3) got x of shape [3]: {axis_1}"),
        (glu, "nn.GLU", (2, 5), halves),
        (maxout, "nn.Maxout", (2, 5), f"Maxout(in_features=3) got x of shape [2,5]: {pieces}"),
    ]
    for f, text, shape, message in cases:
        with pytest.raises(ShapeError) as caught:
            f(np.zeros(shape))
        assert str(caught.value) == message.format(place(f, text))


def test_an_axis_that_is_not_there():
    for layer in (nn.GLU(2), nn.Softmin(2), nn.LogSoftmax(2)):
        with pytest.raises(ShapeError, match="axis 2"):
            layer(np.zeros((2, 4)))


def test_they_print_as_they_were_made():
    assert repr(nn.Softplus(2, threshold=5)) == "Softplus(beta=2.0, threshold=5.0)"
    assert repr(nn.GELU()) == "GELU()"
    assert repr(nn.PReLU(3)) == "PReLU(num_parameters=3)"
    assert repr(nn.Maxout(3, 2, pieces=4)) == "Maxout(in_features=3, out_features=2, pieces=4)"


def test_integers_take_the_dtype_of_the_parameters():
    pixels = np.array([[0, 255, 3]], np.int64)
    for layer in (nn.PReLU(3), nn.Maxout(3, 2)):
        assert layer(pixels).dtype == np.float32


def test_nan_stays_nan():
    for name in ACTIVATIONS:
        assert np.isnan(made(name)(np.array([[np.nan, np.nan]])).numpy()).all(), name
