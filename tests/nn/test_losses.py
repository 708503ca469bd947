"""What losses take, and what they say about anything else."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import (
    ConfigurationError,
    NameNotFoundError,
    ShapeError,
    TargetError,
    listed,
)

LOGITS = np.array([[0.5, -1.0, 2.0], [0.0, 1.0, -2.0], [3.0, 0.0, 1.0]], np.float32)


def scalar(output, target):
    return (output - target).square().mean()


def flat(output, target):
    return (output - target).square().reshape(-1)


class Scalar(nn.Loss):
    def forward(self, output, target):
        return (output - target).square().mean()


def compute(loss, output, target):
    return nn.as_loss(loss)(output, target)


# loss, output, target, error, and the sentences of its message.
REFUSED = {
    "a class too many": (
        "CrossEntropyLoss", LOGITS, [0, 1, 3], TargetError,
        "CrossEntropyLoss with 3 outputs takes classes from 0 to 2; got 3.",
        "Row 2 of the targets.",
        "Number the classes from 0, or give the last layer more outputs.",
    ),
    "classes from 1": (
        "CrossEntropyLoss", LOGITS, [1, 2, 3], TargetError,
        "CrossEntropyLoss with 3 outputs takes classes from 0 to 2; got 3.",
        "Row 2 of the targets.",
        "These count from 1: pass y - 1.",
    ),
    "a negative class": (
        "CrossEntropyLoss", LOGITS, [0, -1, 1], TargetError,
        "CrossEntropyLoss with 3 outputs takes classes from 0 to 2; got -1.",
        "Row 1 of the targets.",
        "Number the classes from 0, or leave these out with ignore_index=-1.",
    ),
    "one-hot integers": (
        "CrossEntropyLoss", LOGITS, np.eye(3, dtype=int), TargetError,
        "CrossEntropyLoss takes one integer class per example;",
        "got int64 of shape [3,3], which looks one-hot.",
        "Pass y.argmax(axis=1), or floats if the rows are distributions.",
    ),
    "a column of classes": (
        "CrossEntropyLoss", LOGITS, [[0], [1], [2]], TargetError,
        "CrossEntropyLoss takes classes of shape [N]; got int64 of shape [3,1].",
        "Pass y.reshape(-1).",
    ),
    "fractions as classes": (
        "CrossEntropyLoss", LOGITS, [0.5, 1.0, 2.0], TargetError,
        "CrossEntropyLoss takes integer classes [N], or distributions [N, classes];",
        "got float32 of shape [3].",
        "Number the classes from 0.",
    ),
    "logits of one axis": (
        "CrossEntropyLoss", LOGITS[0], [0, 1, 2], ShapeError,
        "CrossEntropyLoss takes logits of shape [B, classes]; got [3].",
        "{where}.",
    ),
    "probabilities above 1": (
        "BCEWithLogitsLoss", LOGITS, np.full((3, 3), 2.0), TargetError,
        "BCEWithLogitsLoss takes targets from 0 to 1; got 2 to 2.",
    ),
    "labels -1 and 1": (
        "BCEWithLogitsLoss", LOGITS, np.sign(LOGITS - 0.1), TargetError,
        "BCEWithLogitsLoss takes targets from 0 to 1; got -1 to 1.",
        "Map the labels with (y + 1) / 2.",
    ),
    "a vector beside a column": (
        "BCEWithLogitsLoss", LOGITS[:, :1], [0, 1, 1], ShapeError,
        "BCEWithLogitsLoss compares element by element; got outputs [3,1] and targets [3].",
        "{where}.",
        "Reshape the target with y.reshape(-1, 1).",
    ),
    "a column beside a vector": (
        "MSELoss", LOGITS[:, 0], [[0], [1], [1]], ShapeError,
        "MSELoss compares element by element; got outputs [3] and targets [3,1].",
        "{where}.",
        "Reshape the target with y.reshape(-1).",
    ),
    "classes beside values": (
        "QuadraticLoss", LOGITS, [0, 1, 2], ShapeError,
        "QuadraticLoss compares element by element; got outputs [3,3] and targets [3].",
        "{where}.",
        "If the targets are classes, use CrossEntropyLoss, or one-hot rows np.eye(classes)[y].",
    ),
    "a function that gives a scalar": (
        scalar, LOGITS, LOGITS, ShapeError,
        "A loss returns one cost per example, of shape [3]; scalar returned [].",
        "{where}.",
        "Leave the mean over the batch to chainrule.",
    ),
    "a function that gives too many": (
        flat, LOGITS, LOGITS, ShapeError,
        "A loss returns one cost per example, of shape [3]; flat returned [9].",
        "{where}.",
        "Leave the mean over the batch to chainrule.",
    ),
    "a function that gives a number": (
        lambda output, target: 3.0, LOGITS, LOGITS, ShapeError,
        "A loss returns one cost per example, of shape [3]; <lambda> returned float.",
        "{where}.",
        "Leave the mean over the batch to chainrule.",
    ),
    "two outputs": (
        "MSELoss", (cr.tensor(LOGITS), cr.tensor(LOGITS)), LOGITS, ShapeError,
        "MSELoss reads one output; the network returns tuple.",
        "{where}.",
        "Write one of your own, a function of (output, target), that reads several.",
    ),
    "two outputs beside classes": (
        "CrossEntropyLoss", {"a": cr.tensor(LOGITS)}, [0, 1, 2], ShapeError,
        "CrossEntropyLoss reads one output; the network returns dict.",
        "{where}.",
        "Write one of your own, a function of (output, target), that reads several.",
    ),
    "a class that gives a scalar": (
        Scalar, LOGITS, LOGITS, ShapeError,
        "A loss returns one cost per example, of shape [3]; Scalar returned [].",
        "{where}.",
        "Leave the mean over the batch to chainrule.",
    ),
    "an unknown name": (
        "CrossEntropy", LOGITS, LOGITS, NameNotFoundError,
        'No loss is named "CrossEntropy".',
        'Did you mean "CrossEntropyLoss"?',
        f"There are: {listed(list(nn.LOSSES))}.",
    ),
    "a number": (
        3, LOGITS, LOGITS, ConfigurationError,
        "A loss is a Loss, the name of one, or a function of (output, target); got int.",
    ),
    "a layer's class": (
        nn.Softmax, LOGITS, LOGITS, ConfigurationError,
        "A loss is a Loss, the name of one, or a function of (output, target); got Softmax.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_loss_cannot_use_is_refused(case):
    loss, output, target, error, *sentences = REFUSED[case]
    message = " ".join(sentences)
    with pytest.raises(error) as caught:
        compute(loss, output, target)
    where = str(caught.value.where)
    assert str(caught.value) == message.replace("{where}", where)
    assert ("{where}" in message) == where.startswith("Line ")


def test_targets_known_while_a_function_is_traced_are_checked():
    loss = nn.CrossEntropyLoss()
    with pytest.raises(TargetError, match=r"classes from 0 to 2; got 7\."):
        cr.grad(lambda logits: loss(logits, [0, 1, 7]).mean())(LOGITS)


def test_the_output_decides_the_dtype():
    output, target = LOGITS, np.zeros((3, 3))
    for loss in (nn.MSELoss(), nn.QuadraticLoss(), nn.BCEWithLogitsLoss()):
        for given in (target, target.astype(int), cr.tensor(target), target.tolist()):
            assert loss(output, given).dtype == np.float32
            assert loss(output.astype(np.float64), given).dtype == np.float64


@pytest.mark.parametrize(
    "labels", [[0, 2, 1], np.array([0.0, 2.0, 1.0]), np.array([0, 2, 1], np.uint8)]
)
def test_classes_may_be_stored_in_any_dtype(labels):
    expected = nn.CrossEntropyLoss()(LOGITS, np.array([0, 2, 1])).numpy()
    np.testing.assert_array_equal(nn.CrossEntropyLoss()(LOGITS, labels).numpy(), expected)


def test_a_loss_is_named_made_or_written():
    assert repr(nn.as_loss("MSELoss")) == "MSELoss()"
    assert repr(nn.as_loss(nn.MSELoss)) == "MSELoss()"
    made = nn.MSELoss()
    assert nn.as_loss(made) is made

    def absolute(output, target):
        return abs(output - target).sum(axis=1)

    costs = nn.as_loss(absolute)(LOGITS, np.zeros((3, 3)))
    np.testing.assert_array_equal(costs.numpy(), np.abs(LOGITS).sum(axis=1))


def test_a_function_may_read_several_outputs_and_targets():
    def both(output, target):
        return (output["a"] - target[0]).square().sum(axis=1) + abs(output["b"] - target[1])

    output = {"a": cr.tensor(LOGITS), "b": cr.tensor(LOGITS[:, 0])}
    costs = nn.as_loss(both)(output, (0 * LOGITS, np.ones(3)))
    expected = (LOGITS**2).sum(axis=1) + np.abs(LOGITS[:, 0] - 1)
    np.testing.assert_allclose(costs.numpy(), expected, rtol=1e-6)


def test_a_loss_of_ones_own_is_a_class_with_forward():
    class Huber(nn.Loss):
        def __init__(self, delta=1.0):
            self.delta = delta

        def forward(self, output, target):
            error = abs(output - target)
            small = error.square() * 0.5
            large = (error - 0.5 * self.delta) * self.delta
            return cr.where(error <= self.delta, small, large).mean(axis=1)

    error = np.abs(LOGITS)
    expected = np.where(error <= 0.5, error**2 / 2, 0.5 * (error - 0.25)).mean(axis=1)
    np.testing.assert_allclose(Huber(0.5)(LOGITS, 0 * LOGITS).numpy(), expected, rtol=1e-6)
    assert repr(Huber(0.5)) == "Huber(delta=0.5)"


def test_a_loss_without_forward_cannot_be_made():
    class Silent(nn.Loss):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Silent()


def test_weights_are_one_for_each_cost():
    costs = cr.tensor([1.0, 2.0, 6.0])
    assert nn.weighted_mean(costs).item() == 3
    assert nn.weighted_mean(costs, [1, 1, 2]).item() == 15 / 4
    with pytest.raises(ShapeError) as caught:
        nn.weighted_mean(costs, np.ones((3, 1)))
    assert caught.value.message == (
        "There is one weight for each cost; got weights [3,1] and costs [3]"
    )


def ending(last):
    return nn.Sequential(nn.Linear(2, 1), last)


UNREACHABLE = {
    "labels under a sigmoid": (
        ending(nn.Sigmoid()), "MSELoss", [[-1.0], [1.0]],
        "The targets go from -1 to 1,",
        "but the last layer is Sigmoid, whose outputs lie in [0, 1].",
        "Map the labels with (y + 1) / 2, or use Tanh.",
    ),
    "classes under a sigmoid": (
        ending(nn.Sigmoid()), "QuadraticLoss", [[0.0], [9.0]],
        "The targets go from 0 to 9,",
        "but the last layer is Sigmoid, whose outputs lie in [0, 1].",
        "Scale the targets into [0, 1], or use no last activation.",
    ),
    "negative numbers under a relu": (
        ending(nn.ReLU()), "MSELoss", [[-0.5], [0.5]],
        "The targets go from -0.5 to 0.5,",
        "but the last layer is ReLU, whose outputs lie in [0, ∞).",
        "Scale the targets into [0, ∞), or use Tanh as the last layer.",
    ),
    "behind dropout, in a nested network": (
        nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Softmax(), nn.Dropout(0.5)), nn.Flatten()),
        "MSELoss", [[0.0, 2.0]],
        "The targets go from 0 to 2,",
        "but the last layer is Softmax, whose outputs lie in [0, 1].",
        "Scale the targets into [0, 1], or use no last activation.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNREACHABLE)
def test_targets_that_no_weights_reach_are_refused(case):
    net, loss, target, *sentences = UNREACHABLE[case]
    with pytest.raises(TargetError) as caught:
        nn.check_reachable(net, nn.as_loss(loss), np.array(target))
    assert str(caught.value) == " ".join(sentences)


@pytest.mark.parametrize(
    ("last", "loss", "lie", "fitting"),
    [
        (nn.Tanh(), "BCELoss", "probabilities, but the last layer is Tanh", "Sigmoid"),
        (nn.ReLU6(), "BCELoss", "probabilities, but the last layer is ReLU6", "Sigmoid"),
        (nn.Hardtanh(0.0, 1.5), "BCELoss", "probabilities, but the last layer is", "Sigmoid"),
        (nn.Softmax(-1), "NLLLoss", "log-probabilities, but the last layer is", "LogSoftmax"),
    ],
    ids=str,
)
def test_a_last_layer_that_gives_something_else_than_the_loss_reads_is_refused(
    last, loss, lie, fitting
):
    with pytest.raises(ConfigurationError, match=rf"^{loss} reads {lie}.* Use .*{fitting}"):
        nn.check_reachable(ending(last), nn.as_loss(loss), np.array([[0.0], [1.0]]))


@pytest.mark.parametrize(
    ("last", "loss"),
    [
        (nn.Sigmoid(), "BCELoss"),
        (nn.Hardsigmoid(), "BCELoss"),
        (nn.Hardtanh(0.25, 0.75), "BCELoss"),
        (nn.LogSoftmax(-1), "NLLLoss"),
        (nn.LogSigmoid(), "NLLLoss"),
    ],
    ids=str,
)
def test_a_last_layer_that_gives_what_the_loss_reads_passes(last, loss):
    nn.check_reachable(ending(last), nn.as_loss(loss), np.array([[0.5], [0.5]]))


class OwnNetwork(nn.Module):
    def __init__(self):
        self.last = nn.Sigmoid()

    def forward(self, x):
        return 10 * self.last(x)


REACHABLE = {
    "0 and 1 under a sigmoid": (ending(nn.Sigmoid()), "MSELoss", [[0.0], [1.0]]),
    "-1 and 1 under tanh": (ending(nn.Tanh()), "MSELoss", [[-1.0], [1.0]]),
    "large under a relu": (ending(nn.ReLU()), "MSELoss", [[0.0], [100.0]]),
    "anything under a leaky relu": (ending(nn.LeakyReLU()), "MSELoss", [[-5.0]]),
    "anything under a linear layer": (nn.Linear(2, 1), "MSELoss", [[-5.0]]),
    "a loss that checks for itself": (ending(nn.Sigmoid()), "BCEWithLogitsLoss", [[-1.0]]),
    "classes, which are no outputs": (ending(nn.Softmax()), "CrossEntropyLoss", [3]),
    "a function, which may mean anything": (ending(nn.Sigmoid()), scalar, [[-1.0]]),
    "a network whose end is not known": (OwnNetwork(), "MSELoss", [[7.0]]),
    "no targets": (ending(nn.Sigmoid()), "MSELoss", np.zeros((0, 1))),
    "no layers": (nn.Sequential(), "MSELoss", [[7.0]]),
}


@pytest.mark.parametrize("case", REACHABLE)
def test_targets_that_may_be_reached_pass(case):
    net, loss, target = REACHABLE[case]
    nn.check_reachable(net, nn.as_loss(loss), np.array(target))
