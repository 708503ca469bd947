"""A learner's backpropagation is called as it is written, and its mistake is named."""

import time

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import ConfigurationError


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def layer_by_layer(x, weights, biases):
    """Activations, for weights (out, in) and examples in rows."""
    found = [x]
    for w, b in zip(weights, biases, strict=True):
        found.append(sigmoid(found[-1] @ w.T + b))
    return found


def lists(x, y, weights, biases, slope=lambda a: a * (1 - a), total=lambda d: d.sum(0)):
    a = layer_by_layer(x, weights, biases)
    d = (a[-1] - y) * a[-1] * (1 - a[-1]) / len(x)
    d_weights, d_biases = [], []
    for k in reversed(range(len(weights))):
        d_weights.insert(0, d.T @ a[k])
        d_biases.insert(0, total(d))
        d = (d @ weights[k]) * slope(a[k])
    return d_weights, d_biases


def single_arguments(X, Y, W1, b1, W2, b2):
    a1 = sigmoid(X @ W1 + b1)
    a2 = sigmoid(a1 @ W2 + b2)
    d2 = (a2 - Y) * a2 * (1 - a2) / len(X)
    d1 = d2 @ W2.T * a1 * (1 - a1)
    return X.T @ d1, d1.sum(0), a1.T @ d2, d2.sum(0)


def in_columns(params, X, Y):
    W1, b1, W2, b2 = (params[k] for k in ("W1", "b1", "W2", "b2"))
    m = X.shape[1]
    A1 = sigmoid(W1 @ X + b1)
    A2 = sigmoid(W2 @ A1 + b2)
    dZ2 = (A2 - Y) * A2 * (1 - A2)
    dZ1 = (W2.T @ dZ2) * A1 * (1 - A1)
    sums = {"keepdims": True, "axis": 1}
    return {
        "dW1": dZ1 @ X.T / m, "db1": np.sum(dZ1, **sums) / m,
        "dW2": dZ2 @ A1.T / m, "db2": np.sum(dZ2, **sums) / m,
    }  # fmt: skip


def one_column_at_a_time(x, y, weights, biases):
    """As in Nielsen's network.py: biases first, gradients from the back."""
    activation, activations, zs = x, [x], []
    for b, w in zip(biases, weights, strict=True):
        z = np.dot(w, activation) + b
        zs.append(z)
        activation = sigmoid(z)
        activations.append(activation)
    nabla_b, nabla_w = [None] * len(biases), [None] * len(weights)
    delta = (activations[-1] - y) * sigmoid(zs[-1]) * (1 - sigmoid(zs[-1]))
    nabla_b[-1], nabla_w[-1] = delta, np.dot(delta, activations[-2].T)
    for i in range(2, len(weights) + 1):
        delta = np.dot(weights[-i + 1].T, delta) * sigmoid(zs[-i]) * (1 - sigmoid(zs[-i]))
        nabla_b[-i], nabla_w[-i] = delta, np.dot(delta, activations[-i - 1].T)
    return nabla_b, nabla_w


def from_the_back(x, y, weights, biases):
    return tuple(each[::-1] for each in lists(x, y, weights, biases))


def pairs_by_layer(x, y, params):
    weights = [params[k] for k in sorted(params) if k[0] == "W"]
    biases = [params[k] for k in sorted(params) if k[0] == "b"]
    return list(zip(*lists(x, y, weights, biases), strict=True))


def by_number(x, y, weights, biases):
    d_weights, d_biases = lists(x, y, weights, biases)
    return 0.5, {"dW": dict(enumerate(d_weights, 1)), "db": dict(enumerate(d_biases, 1))}


def of_a_case(case):
    return lists(case.x, case.y, case.weights, case.biases)


def logistic(x, t, w, b):
    a = sigmoid(x @ w + b)
    d = (a - t) * a * (1 - a) / len(x)
    return x.T @ d, d.sum(0)


def in_plain_python(x, y, weights, biases):
    """Lists of lists of numbers, filled in loops, where layers may have one size."""
    d_weights = [[[0.0] * len(row) for row in w] for w in weights]
    d_biases = [[0.0] * len(b) for b in biases]
    for inputs, targets in zip(x, y, strict=True):
        a = [each[0] for each in layer_by_layer(inputs[None], weights, biases)]
        d = [(o - t) * o * (1 - o) / len(x) for o, t in zip(a[-1], targets, strict=True)]
        for k in reversed(range(len(weights))):
            for j in range(len(d)):
                d_biases[k][j] += d[j]
                for i in range(len(a[k])):
                    d_weights[k][j][i] += d[j] * a[k][i]
            d = [
                sum(weights[k][j][i] * d[j] for j in range(len(d))) * a[k][i] * (1 - a[k][i])
                for i in range(len(a[k]))
            ]
    return d_weights, d_biases


def in_float32(X, y, W1, b1, W2, b2):
    every = (np.asarray(each, np.float32) for each in (X, y, W1, b1, W2, b2))
    return single_arguments(*every)


class Network:
    def backprop(self, x, y, weights, biases):
        self.weights = weights
        return lists(x, y, weights, biases)


RIGHT = [
    lists, in_plain_python, in_float32, Network().backprop, single_arguments, in_columns,
    one_column_at_a_time, from_the_back, pairs_by_layer, by_number, of_a_case, logistic,
]  # fmt: skip


@pytest.mark.parametrize("function", RIGHT, ids=lambda function: function.__name__)
def test_a_right_function_is_right_in_whatever_form_it_is_written(function):
    found = cr.check_function(function)
    assert found, found.text()
    assert "is right on all" in found.text()


def test_a_missing_slope_is_named_on_the_smallest_network_that_shows_it():
    def no_slope(x, y, weights, biases):
        return lists(x, y, weights, biases, slope=np.ones_like)

    found = cr.check_function(no_slope)
    assert found.mistakes == ("missing-derivative",)
    assert str(found.smallest.case) == "1-1-1 with 1 example"
    assert {cause.title for cause in found.causes} == {"σ′ is missing in layer 1 (sigmoid)"}


def test_other_activations_and_losses_are_what_is_compared_with():
    def backprop(x, y, W1, b1, W2, b2):
        a1 = np.tanh(x @ W1 + b1)
        z2 = a1 @ W2 + b2
        p = np.exp(z2) / np.exp(z2).sum(1, keepdims=True)
        d2 = (p - y) / len(x)
        d1 = d2 @ W2.T * (1 - a1**2)
        return x.T @ d1, d1.sum(0), a1.T @ d2, d2.sum(0)

    options = {"activation": nn.Tanh, "output": nn.Identity, "loss": "CrossEntropyLoss"}
    assert cr.check_function(backprop, **options)
    assert not cr.check_function(backprop)


def test_a_bias_gradient_that_is_not_summed_is_right_for_one_example_alone():
    def not_summed(x, y, weights, biases):
        return lists(x, y, weights, biases, total=lambda d: d)

    found = cr.check_function(not_summed)
    assert {len(each.case.x) for each in found.wrong} == {2, 5}
    assert "it is not summed over the batch" in " ".join(found.text().split())


def test_a_function_that_returns_updated_weights_is_compared_with_updated_weights():
    def train_step(x, y, W1, b1, W2, b2, lr):
        dW1, db1, dW2, db2 = single_arguments(x, y, W1, b1, W2, b2)
        return W1 - lr * dW1, b1 - lr * db1, W2 - lr * dW2, b2 - lr * db2

    assert cr.check_function(train_step)


def test_a_mistake_that_explains_some_networks_alone_is_not_named():
    def without_sign(x, y, W1, b1, W2, b2):
        a1 = sigmoid(x @ W1 + b1)
        a2 = sigmoid(a1 @ W2 + b2)
        error = np.where(a2 > y, a2 - y, 2 * (y - a2))  # some of them are negative, but not all
        d2 = error * a2 * (1 - a2) / len(x)
        d1 = d2 @ W2.T * a1 * (1 - a1)
        return x.T @ d1, d1.sum(0), a1.T @ d2, d2.sum(0)

    found = cr.check_function(without_sign)
    assert not found
    assert found.mistakes == ()
    assert "No mistake I know explains this on every network" in found.text()
    assert len(found.tried) < 15  # three that nothing explains are enough
    assert f"of the first {len(found.tried)} networks" in found.text()


def test_what_a_function_raises_is_told_with_its_line():
    def broken(x, y, weights, biases):
        return x @ weights[7]

    found = cr.check_function(broken)
    assert not found
    assert "IndexError: list index out of range" in found.text()
    assert "x @ weights[7]" in found.text()


def test_a_function_that_hangs_is_stopped():
    def endless(x, y, weights, biases):
        while True:
            pass

    begin = time.monotonic()
    found = cr.check_function(endless, seconds=0.5)
    assert time.monotonic() - begin < 30
    assert "did not come to an end within 0.5 s" in found.text()


def test_a_function_that_ends_its_process_ends_only_that():
    def leaves(x, y, weights, biases):
        import os

        os._exit(3)

    assert "ended the whole process, with 3" in cr.check_function(leaves).text()


def test_a_function_that_calls_exit_is_told_so():
    def leaves(x, y, weights, biases):
        raise SystemExit("bye")

    assert "It raised SystemExit: bye, in line" in cr.check_function(leaves).text()


def test_a_function_that_takes_memory_without_end_is_refused_it():
    def greedy(x, y, weights, biases):
        taken = []
        while True:
            taken.append(np.empty(1 << 26))

    assert "MemoryError" in cr.check_function(greedy).text()


def test_what_is_long_is_cut():
    def talks(x, y, weights, biases):
        print("x" * 100_000)
        raise ValueError("y" * 100_000)

    def prints(params, X, Y):
        print("x" * 100_000)
        return in_columns(params, X, Y)

    assert len(cr.check_function(talks).text()) < 1000
    assert len(cr.check_function(prints).text()) < 1000


def test_what_a_function_writes_into_and_prints_is_told():
    def careless(x, y, W1, b1, W2, b2):
        found = single_arguments(x, y, W1, b1, W2, b2)
        W1 -= found[0]
        print("epoch 1 \x1b[31m")
        return found

    text = cr.check_function(careless).text()
    assert "It writes into its argument W1" in text
    assert "It prints: epoch 1" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x, y, weights, biases, momentum: None, "what to pass for momentum"),
        (lambda x, y: None, "takes no weights"),
        (3, "takes a function; got int"),
        (print, "takes no weights"),
    ],
)
def test_a_function_that_cannot_be_called_is_refused_with_what_to_write(function, words):
    with pytest.raises(ConfigurationError, match=words):
        cr.check_function(function)


@pytest.mark.parametrize("returned", [None, "gradients", 3.0, [], [np.zeros(7)], {"dW1": "x"}])
def test_what_is_no_gradient_is_told(returned):
    found = cr.check_function(lambda x, y, weights, biases: returned)
    assert not found
    assert "It returned" in found.text()


def test_a_gradient_with_nan_is_told():
    def with_nan(x, y, W1, b1, W2, b2):
        dW1, *others = single_arguments(x, y, W1, b1, W2, b2)
        return dW1 * np.nan, *others

    assert "has NaN or infinite numbers" in " ".join(cr.check_function(with_nan).text().split())


def test_targets_may_be_the_numbers_of_classes():
    def softmax_layer(X, y, W, b):
        scores = X @ W + b
        d = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        d[np.arange(len(X)), y] -= 1
        return X.T @ d / len(X), d.mean(0)

    found = cr.check_function(softmax_layer, output=nn.Identity, loss="CrossEntropyLoss")
    assert found, found.text()
    assert "numbers of classes" in found.text()


def test_gradients_that_are_transposed_beside_their_weights_are_told():
    def transposed(X, Y, W1, b1, W2, b2):
        dW1, db1, dW2, db2 = single_arguments(X, Y, W1, b1, W2, b2)
        return dW1.T, db1, dW2.T, db2

    def wrapped(case):
        return single_arguments(
            case.x, case.y, case.weights[0].T, case.biases[0], case.weights[1].T, case.biases[1]
        )

    found = cr.check_function(transposed)
    assert not found
    assert "it is transposed" in " ".join(found.text().split())
    assert cr.check_function(wrapped)


def test_shapes_that_are_no_gradients_are_told_beside_those_that_are():
    def summed_over_the_wrong_axis(X, Y, W1, b1, W2, b2):
        dW1, _, dW2, _ = single_arguments(X, Y, W1, b1, W2, b2)
        return dW1, X.sum(1), dW2, X.sum(1)

    text = " ".join(cr.check_function(summed_over_the_wrong_axis).text().split())
    assert "(2, 3), (6,), (3, 4), (6,)" in text
    assert "for the network 2-3-4 with 6 examples" in text
    assert "(3, 2) or (2, 3) and (3,)" in text


def test_a_mistake_is_named_beside_biases_that_are_not_summed():
    def two_mistakes(x, y, weights, biases):
        return lists(x, y, weights, biases, slope=np.ones_like, total=lambda d: d)

    found = cr.check_function(two_mistakes)
    assert found.mistakes == ("missing-derivative",)
    assert "it is not summed over the batch" in {
        note.split(": ")[1].split(". ")[0] for each in found.wrong for note in each.notes
    }


def test_an_error_that_speaks_of_an_end_does_not_end_the_search_for_a_form():
    def one_layer(x, y, w, b):
        if isinstance(w, list):
            raise ValueError("a list cannot be appended at its end")
        return logistic(x, y, w, b)

    assert cr.check_function(one_layer)
