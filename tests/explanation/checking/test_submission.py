"""What a learner hands in is read as it was meant, and said where that is no matter of course."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ConfigurationError

X = np.array([[1.0, 2.0], [0.5, -1.0], [-0.7, 0.3], [0.2, 0.9]])
Y = np.array([[1.0], [0.0], [1.0], [0.0]])
LOSS = nn.QuadraticLoss()
RATE = 0.5


def network(*sizes):
    layers = []
    for before, after in itertools.pairwise(sizes):
        layers += [nn.Linear(before, after), nn.Sigmoid()]
    net = nn.Sequential(*layers)
    net.initialize(seed=0)
    return net


NET = network(2, 3, 1)


def true_values(net=NET, x=X, y=Y, **options):
    options = {"loss": LOSS, "optimizer": optim.SGD(lr=RATE), **options}
    trace = cr.explain(net, x, y, backend="numpy", **options)
    return {
        name: np.asarray(trace.values[node], float) for name, node in trace.graph.positions.items()
    }


TRUE = true_values()
GRADIENTS = {name: TRUE[f"d_{name}"] for name in ("0.weight", "0.bias", "2.weight", "2.bias")}


def check(mine, net=NET, x=X, y=Y, **options):
    return cr.check(net, x, y, loss=options.pop("loss", LOSS), mine=mine, **options)


def notes(found):
    return [row.entry.note for row in found.rows]


@settings(max_examples=30)
@given(st.integers(2, 9), st.booleans(), st.integers(0, 5))
def test_right_numbers_are_right_however_they_are_rounded(digits, to_decimals, seed):
    net = network(2, 3, 2)
    net.initialize(seed=seed)
    y = np.hstack([Y, 1 - Y])
    values = true_values(net, y=y)
    spec = f".{digits}f" if to_decimals else f".{digits}g"
    names = [f"d_{n}" for n in ("0.weight", "0.bias", "2.weight", "2.bias", "0.out", "2.out")]
    written = {
        name: np.vectorize(lambda number: format(number, spec))(values[name])
        for name in [*names, "1.out", "next.0.weight"]
    }
    assert check(written, net, y=y, learning_rate=RATE).is_right
    as_floats = {name: texts.astype(float) for name, texts in written.items()}
    if digits > 2:
        assert check(as_floats, net, y=y, learning_rate=RATE).is_right


def test_weights_may_be_in_by_out():
    found = check({"W1": GRADIENTS["0.weight"].T, "W2": GRADIENTS["2.weight"].T})
    assert found.is_right
    assert notes(found) == ["read as (in, out), as its transpose", ""]  # (3, 1) is a column


def test_a_square_weight_is_turned_as_the_others_are():
    net = network(2, 3, 3, 1)
    values = true_values(net)
    inner, first = values["d_2.weight"], values["d_0.weight"]
    assert check({"W2": inner}, net).is_right
    turned = check({"W2": inner.T}, net)
    assert turned.is_right
    assert notes(turned) == ["read as (in, out), as its transpose"]
    assert check({"W2": inner.T, "W1": first.T}, net).is_right
    last = values["d_4.weight"]
    assert check({"W2": inner.T, "W1": first.T, "W3": last.T}, net).is_right
    assert check({"W2": inner.T, "W3": last.T}, net).is_right
    assert check({"W2": inner.T, "W3": last}, net).verdict == "wrong"
    # Where the others are (out, in), a transpose is no convention but a mistake.
    assert check({"W2": inner.T, "W1": first}, net).verdict == "wrong"


def test_a_wrong_square_weight_is_turned_where_the_others_are():
    net = network(2, 3, 3, 1)
    values = true_values(net)
    found = check({"W2": 2 * values["d_2.weight"].T, "W1": 2 * values["d_0.weight"].T}, net)
    assert "factor-half" in found.mistakes


def test_biases_may_be_columns():
    assert check({"b1": GRADIENTS["0.bias"][:, None], "b2": [GRADIENTS["2.bias"]]}).is_right


def test_errors_may_have_a_column_for_each_example():
    found = check({"δ1": TRUE["d_0.out"].T})
    assert found.is_right
    assert notes(found) == ["read as one column for each example"]


def test_one_example_needs_no_axis():
    values = true_values(x=X[:1], y=Y[:1])
    assert check({"δ1": values["d_0.out"][0], "a1": values["1.out"].T}, x=X[:1], y=Y[:1]).is_right


def test_one_example_of_several_is_the_nearest():
    found = check({"a1": TRUE["1.out"][2]})
    assert found.is_right
    assert notes(found) == ["read as that of example 2, to which it is nearest"]


def test_a_list_of_numbers_is_read_row_by_row():
    found = check({"W1": GRADIENTS["0.weight"].ravel()})
    assert found.is_right
    assert notes(found) == ["read row by row"]


@pytest.mark.parametrize(
    ("name", "shape", "problem"),
    [
        ("W1", (3, 3), "it has the shape [3,3], and should have [3,2]: (out, in)"),
        ("δ1", (4, 2), "it has the shape [4,2], and should have [4,3]: one row for each example"),
        ("b1", (2,), "it has the shape [2], and should have [3]"),
        ("loss", (2,), "it has the shape [2], and should be one number"),
        ("next.0.weight", (4, 3), "it has the shape [4,3], and should have [3,2]: (out, in)"),
    ],
)
def test_a_wrong_shape_is_told_and_the_rest_is_graded(name, shape, problem):
    found = check({name: np.ones(shape), "b2": GRADIENTS["2.bias"]})
    assert found.problems == {name: problem}
    assert [row.verdict for row in found.rows] == ["right"]
    assert not found


def test_errors_where_a_bias_gradient_was_asked_are_graded_as_errors():
    found = check({"b1": TRUE["d_0.out"]})
    assert found.rows[0].entry.value == "d_0.out"
    assert notes(found) == [
        (
            "read as the error δ, since there is one for each example; the gradient of the bias is "
            "their sum"
        )
    ]
    assert found.verdict == "right"


def test_errors_may_be_those_of_each_examples_own_loss():
    own = check({"δ1": 4 * TRUE["d_0.out"], "δ2": 4 * TRUE["d_2.out"]})
    assert own.is_right
    assert notes(own) == ["of each example's own loss, not of the mean"] * 2
    assert check({"δ1": TRUE["d_0.out"], "δ2": TRUE["d_2.out"]}).is_right


def test_errors_and_gradients_without_the_mean_are_one_mistake():
    mine = {"δ1": 4 * TRUE["d_0.out"], "W1": 4 * GRADIENTS["0.weight"]}
    assert "1/m is missing" in [cause.title for cause in check(mine).causes]


def test_errors_of_weighted_examples_may_be_their_own():
    weights = np.array([1.0, 2.0, 0.5, 5.0])
    values = true_values(sample_weight=weights)
    shares = weights.sum() / weights
    own = {"δ1": shares[:, None] * values["d_0.out"]}
    assert check(own, sample_weight=weights).is_right
    assert check({"δ1": values["d_0.out"]}, sample_weight=weights).is_right
    assert check({"δ1[3,1]": 8.5 / 5 * values["d_0.out"][3, 1]}, sample_weight=weights).is_right


def test_updated_weights_may_have_plain_names():
    found = check({"W1": TRUE["next.0.weight"], "b1": TRUE["next.0.bias"]}, learning_rate=RATE)
    assert found.is_right
    assert [row.entry.value for row in found.rows] == ["next.0.weight", "next.0.bias"]
    assert notes(found) == ["read as the updated weights, to which the numbers are nearest"] * 2


def test_gradients_stay_gradients_where_there_is_a_learning_rate():
    assert check({"W1": GRADIENTS["0.weight"]}, learning_rate=RATE).is_right
    wrong = check({n: 4 * g for n, g in GRADIENTS.items()}, learning_rate=RATE)
    assert "missing-mean" in wrong.mistakes


def test_wrong_gradients_that_no_mistake_explains_stay_gradients():
    strange = GRADIENTS["0.weight"] * [[1.0, 1.3], [0.9, 1.0], [1.7, 1.0]]
    found = check({"W1": strange}, learning_rate=RATE)
    assert not found.is_right
    assert found.rows[0].entry.value == "d_0.weight"


def test_mistaken_updated_weights_are_read_as_such():
    ascended = {n: 2 * TRUE[n] - TRUE[f"next.{n}"] for n in ("0.weight", "2.weight")}
    assert "sign" in check(ascended, learning_rate=RATE).mistakes


def test_an_update_that_goes_astray_is_wrong_however_small_it_is():
    rate = 1e-4
    weight, gradient = TRUE["0.weight"], GRADIENTS["0.weight"]
    astray = weight - rate * (gradient + np.random.default_rng(0).normal(size=gradient.shape) / 9)
    assert check({"new_W1": astray}, learning_rate=rate).verdict == "wrong"
    assert check({"new_W1": weight - rate * gradient}, learning_rate=rate).is_right


def test_without_a_learning_rate_nothing_is_an_update():
    found = check({"W1": TRUE["next.0.weight"]})
    assert found.rows[0].entry.value == "d_0.weight"
    assert found.verdict == "wrong"


def test_weights_from_before_the_step_are_known_as_such():
    found = check({"W1": TRUE["0.weight"]}, learning_rate=RATE)
    assert notes(found)[0].endswith("these are the weights as they were before the step")


def test_some_numbers_may_be_missing():
    some = GRADIENTS["0.weight"].copy()
    some[1, 0] = np.nan
    found = check({"W1": some, "b1": [None, "?", GRADIENTS["0.bias"][2]]})
    assert found.is_right
    assert [row.missing for row in found.rows] == [1, 2]


def test_what_holds_no_number_is_told():
    found = check({"W1": [[None, None]] * 3, "b1": [], "b2": GRADIENTS["2.bias"]})
    assert found.problems == dict.fromkeys(("W1", "b1"), "there is no number in it")


def test_what_is_no_number_is_told_and_the_rest_is_graded():
    _first, *others = GRADIENTS["0.bias"]
    found = check({"b1": ["abc", *others]})
    assert found.problems == {"b1": '"abc" is no number, and was left out'}
    assert found.rows[0].is_right
    assert not found.is_right


def test_nested_dicts_and_lists_by_layer_are_read():
    errors = [TRUE["d_0.out"], TRUE["d_2.out"]]
    found = check(
        {
            "grads": {"W1": GRADIENTS["0.weight"]},
            "layer2": {"W": GRADIENTS["2.weight"], "b": GRADIENTS["2.bias"]},
            "nabla_b": [GRADIENTS["0.bias"], GRADIENTS["2.bias"]],
            "deltas": errors,
            "activations": [X, TRUE["1.out"], TRUE["3.out"]],
            "new": {"W2": TRUE["next.2.weight"]},
        },
        learning_rate=RATE,
    )
    assert found.is_right
    assert [row.entry.value for row in found.rows] == [
        *("d_0.weight", "d_2.weight", "d_2.bias", "d_0.bias", "d_2.bias", "d_0.out", "d_2.out"),
        *("x", "1.out", "3.out", "next.2.weight"),
    ]


def test_a_dict_that_holds_itself_is_refused():
    mine = {"b2": GRADIENTS["2.bias"]}
    mine["grads"] = mine
    with pytest.raises(ConfigurationError, match=r"^mine has dicts in dicts, more than 16 deep\. "):
        check(mine)


def test_elements_may_be_given_by_index():
    gradient = GRADIENTS["0.weight"]
    found = check({"W1": {(0, 1): gradient[0, 1], (2, 0): gradient[2, 0]}, "b1": {(5,): 1.0}})
    assert found.rows[0].is_right
    assert found.rows[0].missing == 4
    assert found.problems == {"b1": "there is no [5] in the shape [3]: indices count from 0"}


def test_an_element_or_a_row_may_be_named():
    gradient = GRADIENTS["0.weight"]
    assert check({"W1[2,1]": gradient[2, 1], "dW1[0]": gradient[0]}).is_right
    found = check({"W1[3,0]": 1.0, "b2": GRADIENTS["2.bias"]})
    assert found.problems == {
        "W1[3,0]": "there is no [3,0] in the shape [3, 2]: indices count from 0"
    }


def test_a_shuffled_shape_never_raises_anything_else():
    rng = np.random.default_rng(0)
    for _ in range(200):
        shape = tuple(rng.integers(0, 5, rng.integers(0, 4)))
        name = rng.choice(["W1", "b1", "δ1", "a2", "next.2.bias", "loss", "W1[0]", "x", "d_loss"])
        found = check({str(name): rng.normal(size=shape), "b2": GRADIENTS["2.bias"]})
        assert len(found.rows) + len(found.problems) >= 2


def test_nothing_that_can_be_read_is_an_error():
    with pytest.raises(ConfigurationError) as caught:
        check({"foo": 1.0})
    assert str(caught.value) == (
        "Nothing of what was handed in can be read. foo: the step has no value of this name. "
        "There are: W1, b1, W2, b2, z1, a1, z2, a2, δ1, δ2. Hand in numbers by name, such as "
        'mine={"0.weight": my_gradient}.'
    )
    with pytest.raises(ConfigurationError, match=r"^Nothing was handed in\. "):
        check({})
    with pytest.raises(ConfigurationError, match=r"^mine is a dict .* got list\. "):
        check([1.0])
