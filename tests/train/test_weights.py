"""Sample and class weights: Σ wᵢ·lᵢ / Σ wᵢ over the batch, as torch's weighted losses have it."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.base.errors import ConfigurationError, DataError, ShapeError, TargetError
from tests.train.nets import examples, linear, plain, same, same_run

X, Y = examples()
CLASSES = {0: 0.5, 1: 2.0, 2: 1.25}


def train(**options):
    told = {"loss": "CrossEntropyLoss", "batch_size": 16, "epochs": 2, **options}
    told.setdefault("optimizer", optim.SGD(lr=0.5, momentum=0.9))
    return cr.fit(plain(), X, Y, **told)


def test_class_weights_train_as_torchs_do(torch):
    run = train(class_weight=CLASSES, dtype="float64", shuffle=False)
    start = {path: torch.tensor(array) for path, array in run.at(0).parameters.items()}
    net = torch.nn.Sequential(
        torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)
    ).double()
    net.load_state_dict(start)
    weight = torch.tensor([CLASSES[c] for c in range(3)], dtype=torch.float64)
    loss = torch.nn.CrossEntropyLoss(weight=weight)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5, momentum=0.9)
    for _ in range(2):
        for begin in range(0, len(X), 16):
            optimizer.zero_grad()
            rows = slice(begin, begin + 16)
            loss(net(torch.tensor(X[rows])), torch.tensor(Y[rows])).backward()
            optimizer.step()
    for path, expected in net.state_dict().items():
        # 8 updates of numbers around 1 in float64, in another order of summation: 1e-12 is some
        # thousand roundings.
        np.testing.assert_allclose(run.net.state_dict()[path], expected.numpy(), rtol=0, atol=1e-12)


def test_class_weights_are_sample_weights():
    by_class = train(class_weight=CLASSES)
    by_sample = train(sample_weight=[CLASSES[int(c)] for c in Y])
    assert same_run(by_class, by_sample)


def test_class_weights_as_a_list_and_one_hot_targets():
    expected = train(class_weight=CLASSES)
    assert same_run(train(class_weight=[0.5, 2.0, 1.25]), expected)
    one_hot = cr.fit(
        plain(),
        X,
        np.eye(3)[Y],
        loss="QuadraticLoss",
        class_weight=CLASSES,
    )
    by_sample = cr.fit(
        plain(), X, np.eye(3)[Y], loss="QuadraticLoss", sample_weight=[CLASSES[int(c)] for c in Y]
    )
    assert same_run(one_hot, by_sample)


def test_sample_and_class_weights_multiply():
    w = 1.0 + np.arange(len(X)) % 2
    both = train(class_weight=CLASSES, sample_weight=w)
    product = train(sample_weight=w * [CLASSES[int(c)] for c in Y])
    assert same_run(both, product)


def test_equal_weights_change_nothing_but_rounding():
    weighted, unweighted = train(sample_weight=np.full(len(X), 2.0)), train()
    # 2·l is exact; Σ2l/Σ2 rounds once as Σl/n does.
    np.testing.assert_allclose(
        weighted.history["loss"], unweighted.history["loss"], rtol=20 * 2.0**-24
    )


def test_a_weight_of_two_is_an_example_twice():
    x, y = np.array([[1.0], [2.0]]), np.array([[1.0], [0.0]])
    weighted = cr.fit(linear(), x, y, sample_weight=[2.0, 1.0], dtype="float64")
    twice = cr.fit(linear(), x[[0, 0, 1]], y[[0, 0, 1]], dtype="float64")
    # Two sums of three numbers below 4, in different orders.
    for path, array in twice.net.state_dict().items():
        np.testing.assert_allclose(weighted.net.state_dict()[path], array, rtol=0, atol=16 * 2**-53)


def test_examples_of_weight_zero_are_as_if_they_were_not_there():
    """So no batch can weigh nothing, whose loss would be 0/0."""
    w = np.ones(len(X))
    w[:20] = 0
    zeroed = train(sample_weight=w, shuffle=False)
    absent = cr.fit(
        plain(),
        X[20:],
        Y[20:],
        loss="CrossEntropyLoss",
        batch_size=16,
        epochs=2,
        optimizer=optim.SGD(lr=0.5, momentum=0.9),
        sample_weight=w[20:],
        shuffle=False,
    )
    assert same(zeroed.net.state_dict(), absent.net.state_dict())
    assert zeroed.history == absent.history
    assert zeroed.steps == 4
    assert list(zeroed.at(0).rows[0]) == list(range(20, 36))


def test_a_class_of_weight_zero_is_left_out():
    run = train(class_weight={0: 1.0, 1: 0.0, 2: 1.0})
    met = {int(c) for step in range(run.steps) for c in Y[run.at(step).rows[0]]}
    assert met == {0, 2}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"sample_weight": [1.0]},
            ShapeError,
            "There is one weight for each of 50 examples; got shape [1].",
        ),
        (
            {"sample_weight": np.zeros(50)},
            DataError,
            "Weights are finite, not negative, and not all of them zero.",
        ),
        (
            {"sample_weight": -np.ones(50)},
            DataError,
            "Weights are finite, not negative, and not all of them zero.",
        ),
        (
            {"sample_weight": np.full(50, np.nan)},
            DataError,
            "Weights are finite, not negative, and not all of them zero.",
        ),
        (
            {"class_weight": {0: 1.0, 2: 1.0}},
            TargetError,
            (
                "class_weight gives no weight for class 1. "
                "Name every class, for example {0: 1.0, 1: 2.0}."
            ),
        ),
        (
            {"class_weight": "balanced"},
            ConfigurationError,
            (
                "class_weight maps classes to weights; got 'balanced'. "
                "Write class_weight={0: 1.0, 1: 2.0}."
            ),
        ),
    ],
    ids=["length", "zeros", "negative", "nan", "missing class", "text"],
)
def test_weights_that_mean_nothing_are_refused(options, error, message):
    with pytest.raises(error) as caught:
        train(**options)
    assert str(caught.value) == message


def test_class_weights_need_classes():
    with pytest.raises(TargetError) as caught:
        cr.fit(linear(), [[1.0], [2.0]], [[0.5], [1.5]], class_weight={0: 1.0, 1: 1.0})
    assert str(caught.value) == "class_weight takes targets that are classes."


def test_validation_is_weighted_by_its_own_weights():
    x, y = np.zeros((2, 1)), np.array([[1.0], [3.0]])
    run = cr.fit(
        linear(), x, y, optimizer=optim.SGD(lr=0.0), validation=(x, y, np.array([3.0, 1.0]))
    )
    assert run.history["val_loss"] == [(3 * 1 + 1 * 9) / 4]
    assert run.history["loss"] == [(1 + 9) / 2]
