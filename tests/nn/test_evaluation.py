"""predict and evaluate: any batch size, several inputs and outputs, weights, refusals."""

from typing import NamedTuple

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import ConfigurationError, DataError, ShapeError, TargetError
from chainrule.nn.batches import map_batches
from chainrule.nn.evaluation import Evaluator
from chainrule.nn.measures import Measures
from tests.nn.lines import place
from tests.nn.parity import numbers


def classifier():
    return nn.Sequential(
        nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Tanh(), nn.Linear(5, 3)
    )


class Pair(NamedTuple):
    total: cr.Tensor
    gap: cr.Tensor


class Joint(nn.Module):
    def __init__(self, kind):
        self.kind = kind
        self.a = nn.Linear(4, 2)
        self.b = nn.Linear(3, 2)

    def forward(self, x, z):
        s, t = self.a(x), self.b(z)
        made = {"tuple": tuple, "list": list, "named": Pair._make}
        return {"s": s, "t": t} if self.kind == "dict" else made[self.kind]([s, t])


@pytest.mark.parametrize("count", [0, 1, 2, 9, 10, 11])
@pytest.mark.parametrize("batch_size", [1, 3, 10, 256])
def test_any_number_of_examples_in_any_batches(count, batch_size):
    net, x = classifier(), numbers(0, count, 4)
    y = net.predict(x, batch_size=batch_size)
    assert y.shape == (count, 3)
    assert y.dtype == np.float32
    # Products of 4 and of 5 terms, whose order a BLAS may choose by the batch's size; the terms are
    # at most 4·|x|max/2 and 5/√5 large, and tanh does not enlarge an error.
    largest = 4 * np.abs(x).max(initial=1) + 3
    np.testing.assert_allclose(y, net.predict(x), rtol=0, atol=12 * 2**-24 * largest)


@pytest.mark.parametrize("kind", ["tuple", "list", "named", "dict"])
def test_several_inputs_and_outputs(kind):
    net, x, z = Joint(kind), numbers(0, 7, 4), numbers(1, 7, 3)
    found = net.predict((x, z), batch_size=3)
    whole = net(x, z)
    assert type(found) is type(whole)
    if kind == "dict":
        assert list(found) == ["s", "t"]
        found, whole = found.values(), whole.values()
    for ours, expected in zip(found, whole, strict=True):
        assert isinstance(ours, np.ndarray)
        np.testing.assert_allclose(ours, expected.numpy(), atol=1e-6)


def test_no_examples_of_several_outputs():
    found = Joint("dict").predict((np.zeros((0, 4)), np.zeros((0, 3))))
    assert {key: array.shape for key, array in found.items()} == {"s": (0, 2), "t": (0, 2)}


def test_a_function_is_traced_once_for_each_batch_size():
    sizes = []

    def double(x):
        sizes.append(int(x.shape[0]))
        return x * 2

    found = list(map_batches(double, {"x": np.arange(10.0)}, 3))
    assert sizes == [3, 1]
    np.testing.assert_array_equal(np.concatenate([y for _, y in found]), 2 * np.arange(10))


def test_predicting_does_not_train():
    net, x = classifier(), numbers(0, 6, 4)
    before = net.state_dict()
    with nn.training():
        y = net.predict(x)
    np.testing.assert_array_equal(y, net.predict(x))
    for path, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[path])


def test_inputs_may_be_lists_integers_tensors_and_float64():
    net = nn.Linear(2, 1)
    expected = net.predict(np.array([[1.0, 2.0]]))
    for x in ([[1, 2]], np.array([[1, 2]]), cr.tensor([[1.0, 2.0]]), np.array([[1, 2]], np.uint8)):
        np.testing.assert_array_equal(net.predict(x), expected)


LABELS = np.array([0, 2, 1, 1, 0, 2, 2])
COST = {"loss": "CrossEntropyLoss", "metrics": ["accuracy"]}


@pytest.mark.parametrize("batch_size", [1, 3, 7, 256])
@pytest.mark.parametrize("weighted", [False, True])
def test_evaluation_is_the_weighted_mean_over_examples(batch_size, weighted):
    net, x = classifier().astype("float64"), numbers(0, 7, 4)
    weights = np.array([1.0, 0.0, 2.0, 0.5, 1.0, 1.0, 3.0]) if weighted else None
    found = net.evaluate(x, LABELS, weights=weights, batch_size=batch_size, **COST)
    logits = net.predict(x)
    shifted = logits - logits.max(axis=1, keepdims=True)
    costs = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(7), LABELS]
    right = logits.argmax(axis=1) == LABELS
    w = np.ones(7) if weights is None else weights
    assert list(found) == ["loss", "accuracy"]
    # Costs of order 1 in float64, from products of at most 5 terms, summed over 7 examples.
    assert found["loss"] == pytest.approx((w * costs).sum() / w.sum(), rel=1e-14)
    assert found["accuracy"] == pytest.approx((w * right).sum() / w.sum(), rel=1e-15)
    assert all(type(value) is float for value in found.values())


def test_sums_over_many_batches_lose_nothing():
    # A million float32 costs of 0.1 added up in float32 would be wrong in the third digit.
    net = nn.Sequential()
    x = np.full((100_000, 1), 0.1, np.float32)
    found = nn.evaluate(net, x, np.zeros((100_000, 1)), loss="MSELoss", batch_size=7)
    exact = float(np.float32(0.1) * np.float32(0.1))
    assert found["loss"] == pytest.approx(exact, rel=1e-12)


def test_a_function_as_loss_sees_several_outputs():
    net, x, z = Joint("dict"), numbers(0, 5, 4), numbers(1, 5, 3)

    def gap(output, target):
        return (output["s"] - output["t"]).square().sum(axis=1) * target

    found = net.evaluate((x, z), np.arange(5), loss=gap, batch_size=2)
    y = net.predict((x, z))
    expected = (((y["s"] - y["t"]) ** 2).sum(axis=1) * np.arange(5)).mean()
    assert found == {"loss": pytest.approx(expected, rel=1e-6)}


def test_evaluating_again_traces_nothing_and_sees_new_parameters():
    net, x = classifier(), numbers(0, 7, 4)
    net.initialize()
    seen, forward = [], net.forward
    net.forward = lambda x: (seen.append(len(x)), forward(x))[1]
    evaluate = Evaluator(net, Measures.of(nn.as_loss("CrossEntropyLoss"), [], LABELS), (x,), LABELS)
    before = evaluate(3)
    assert evaluate(3) == before
    net.load_state_dict({path: 2 * array for path, array in net.state_dict().items()})
    after = evaluate(3)
    assert seen == [3, 1]
    assert after != before
    assert after == net.evaluate(x, LABELS, loss="CrossEntropyLoss", batch_size=3)


def test_one_metric_needs_no_list():
    net = nn.Linear(2, 1)
    found = net.evaluate(np.ones((3, 2)), np.ones((3, 1)), loss="MSELoss", metrics="mae")
    assert list(found) == ["loss", "mae"]


def test_what_it_was_trained_with_is_the_default():
    net = nn.Linear(2, 1)
    net.trained_with = (nn.MSELoss(), ("mae",))
    x, y = np.ones((3, 2)), np.ones((3, 1))
    assert list(net.evaluate(x, y)) == ["loss", "mae"]
    assert list(net.evaluate(x, y, metrics=[])) == ["loss"]
    explicit = net.evaluate(x, y, loss=nn.QuadraticLoss(), metrics=["mse"])
    assert list(explicit) == ["loss", "mse"]


class Bare(nn.Module):
    """Gives what `f` makes of x."""

    def __init__(self, f):
        self.f = f

    def forward(self, x):
        return self.f(x)


REFUSED = [
    (
        lambda: nn.Sequential(nn.Linear(2, 1)).predict(np.ones((5, 3))),
        ShapeError,
        (
            "Linear(in_features=2) got x of shape [B=5,3]: its last axis is 3. {where}, layer "
            '"0". Did you mean in_features=3?'
        ),
    ),
    (
        lambda: nn.Linear(2, 1).predict(np.ones(2)),
        ShapeError,
        (
            "Linear(in_features=2) got x of shape [B=2]: one number for each example, its only "
            "axis is the batch. {where}. Give examples of one feature a second axis with "
            "x.reshape(-1, 1), and a single example a first one with x[None]."
        ),
    ),
    (
        lambda: nn.Linear(2, 1).predict(3.0),
        ShapeError,
        "Inputs have the examples along their first axis; got shapes [].",
    ),
    (
        lambda: Joint("dict").predict((np.ones((5, 4)), np.ones((4, 3)))),
        ShapeError,
        "Inputs have the examples along their first axis; got shapes [5,4], [4,3].",
    ),
    (
        lambda: nn.Linear(2, 1).predict([["a", "b"]]),
        DataError,
        "Inputs are arrays of numbers; got <U1. Encode text and categories as numbers first.",
    ),
    (
        lambda: nn.Linear(2, 1).predict([[1, 2], [3]]),
        DataError,
        (
            "Inputs are arrays of numbers; got rows of different lengths. Bring the examples to "
            "one shape."
        ),
    ),
    (
        lambda: nn.Linear(2, 1).predict(np.ones((5, 2)), batch_size=0),
        ConfigurationError,
        "batch_size is a whole number ≥ 1; got 0.",
    ),
    (
        lambda: Bare(lambda x: x.sum()).predict(np.ones((5, 2))),
        ShapeError,
        (
            "predict joins outputs along their first axis, the examples; for 5 examples the "
            "network gave shape []. {where}."
        ),
    ),
    (
        lambda: Bare(lambda x: (x, 3)).predict(np.ones((5, 2))),
        ShapeError,
        "predict joins outputs that are Tensors; the network gave int. {where}.",
    ),
    (
        lambda: nn.Linear(2, 1).evaluate(np.ones((5, 2)), np.ones((5, 1))),
        ConfigurationError,
        (
            "evaluate needs a loss: this network was not trained by fit. Pass a loss, for example "
            'loss="CrossEntropyLoss".'
        ),
    ),
    (
        lambda: nn.Linear(2, 1).evaluate(np.ones((2, 2)), ["cat", "dog"], loss="MSELoss"),
        TargetError,
        "Targets are numbers; got <U3. Number the classes: np.unique(y, return_inverse=True)[1].",
    ),
    (
        lambda: nn.Linear(2, 1).evaluate(np.ones((5, 2)), np.ones((4, 1)), loss="MSELoss"),
        ShapeError,
        "There is one target for each example; got 5 examples and 4.",
    ),
    (
        lambda: nn.Linear(2, 1).evaluate(np.ones((0, 2)), np.ones((0, 1)), loss="MSELoss"),
        ShapeError,
        "There are no examples: x has shape [0,2].",
    ),
    (
        lambda: classifier().evaluate(np.ones((3, 4)), [0, 1, 3], loss="CrossEntropyLoss"),
        TargetError,
        (
            "CrossEntropyLoss with 3 outputs takes classes from 0 to 2; got 3. Row 2 of the "
            "targets. Number the classes from 0, or give the last layer more outputs."
        ),
    ),
    (
        lambda: nn.Linear(2, 1).evaluate(
            np.ones((2, 2)), np.ones((2, 1)), loss="MSELoss", weights=[1, 2, 3]
        ),
        ShapeError,
        "There is one weight for each of 2 examples; got shape [3].",
    ),
    (
        lambda: nn.Linear(2, 1).evaluate(
            np.ones((2, 2)), np.ones((2, 1)), loss="MSELoss", weights=[0, 0]
        ),
        DataError,
        "Weights are finite, not negative, and not all of them zero.",
    ),
    (
        lambda: Joint("tuple").evaluate(
            (np.ones((2, 4)), np.ones((2, 3))),
            np.ones(2),
            loss=lambda output, target: output[0].sum(axis=1),
            metrics=["mse"],
        ),
        ShapeError,
        (
            "The metric mse reads one output; the network returns tuple. {where}. Write one of "
            "your own, a function of (output, target), that reads several."
        ),
    ),
]


@pytest.mark.parametrize(
    ("call", "error", "message"), REFUSED, ids=[str(i) for i in range(len(REFUSED))]
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error) as caught:
        call()
    where = str(caught.value.where)
    assert str(caught.value) == message.replace("{where}", where.partition(",")[0])
    assert ("{where}" in message) == where.startswith("Line ")


def test_the_users_line_is_the_one_that_predicts():
    net = nn.Sequential(nn.Linear(2, 1))
    with pytest.raises(ShapeError) as caught:
        net.predict(np.ones((5, 3)))
    where = place(test_the_users_line_is_the_one_that_predicts, "net.predict(")
    assert caught.value.where == f'{where}, layer "0"'
