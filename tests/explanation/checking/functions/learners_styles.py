"""Backward passes in the styles in which people write them, all of them right.

Each has the options with which it is checked: what it minimises, and its activations.
"""

import numpy as np

from chainrule import nn
from tests.explanation.checking.functions.learners_common import sigmoid

SOFTMAX = {"loss": "CrossEntropyLoss", "output": nn.Identity}


def softmax(z, axis):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def relu(z):
    return np.maximum(z, 0)


def sums_that_are_passed(m, w1, w2, z1, a1, z2, a2, y, x):
    """A course's: columns, no biases, and the forward pass is another function's."""
    dz2 = (a2 - y) * a2 * (1 - a2)
    dw2 = dz2 @ a1.T / m
    dz1 = w2.T @ dz2 * a1 * (1 - a1)
    return dz1 @ x.T / m, dw2


def digits_in_columns(Z1, A1, Z2, A2, W2, X, Y):
    m = Y.size
    one_hot = np.eye(A2.shape[0])[Y].T
    dZ2 = A2 - one_hot
    dZ1 = W2.T @ dZ2 * (Z1 > 0)
    column = {"axis": 1, "keepdims": True}
    return dZ1 @ X.T / m, dZ1.sum(**column) / m, dZ2 @ A1.T / m, dZ2.sum(**column) / m


def parameters_and_cache(parameters, cache, X, Y):
    m = X.shape[1]
    A1, A2 = cache["A1"], cache["A2"]
    dZ2 = A2 - Y
    dZ1 = parameters["W2"].T @ dZ2 * (1 - A1**2)
    return {
        "dW1": dZ1 @ X.T / m, "db1": dZ1.sum(axis=1, keepdims=True) / m,
        "dW2": dZ2 @ A1.T / m, "db2": dZ2.sum(axis=1, keepdims=True) / m,
    }  # fmt: skip


def eleven_lines(X, y, syn0, syn1):
    """Without biases; the update is written into the weights, and added."""
    l1 = sigmoid(X @ syn0)
    l2 = sigmoid(l1 @ syn1)
    l2_delta = (y - l2) * l2 * (1 - l2)
    l1_delta = l2_delta @ syn1.T * l1 * (1 - l1)
    syn1 += l1.T @ l2_delta
    syn0 += X.T @ l1_delta


def hidden_and_output(inputs, targets, weights_hidden, bias_hidden, weights_output, bias_output):
    hidden = sigmoid(inputs @ weights_hidden + bias_hidden)
    output = sigmoid(hidden @ weights_output + bias_output)
    d_output = (output - targets) * output * (1 - output) / len(inputs)
    d_hidden = d_output @ weights_output.T * hidden * (1 - hidden)
    return {
        "weights_hidden": inputs.T @ d_hidden, "bias_hidden": d_hidden.sum(0),
        "weights_output": hidden.T @ d_output, "bias_output": d_output.sum(0),
    }  # fmt: skip


def scores_of_a_course(X, y, W1, b1, W2, b2, reg=0.0):
    """Rows, ReLU, classes as numbers; the regularisation is added, and is 0."""
    n = X.shape[0]
    hidden = np.maximum(0, X @ W1 + b1)
    scores = hidden @ W2 + b2
    probs = softmax(scores, 1)
    dscores = probs.copy()
    dscores[range(n), y] -= 1
    dscores /= n
    dhidden = dscores @ W2.T
    dhidden[hidden <= 0] = 0
    grads = {"W2": hidden.T @ dscores + reg * W2, "b2": dscores.sum(axis=0)}
    grads.update({"W1": X.T @ dhidden + reg * W1, "b1": dhidden.sum(axis=0)})
    return -np.log(probs[range(n), y]).mean(), grads


def logistic_regression(w, b, X, Y):
    m = X.shape[1]
    A = sigmoid(w.T @ X + b)
    dz = A - Y
    return {"dw": X @ dz.T / m, "db": dz.sum(axis=1, keepdims=True) / m}, 0.3


def linear_regression(X, y, w, b, learning_rate, epochs):
    for _ in range(epochs):
        error = X @ w + b - y
        w = w - learning_rate * 2 * X.T @ error / len(X)
        b = b - learning_rate * 2 * error.mean(axis=0)
    return w, b


def example_by_example(x_train, y_train, weights, biases, eta):
    """A mini-batch: gradients of single examples are added up, then the update is made."""
    total_w, total_b = [0 * w for w in weights], [0 * b for b in biases]
    for x, y in zip(x_train, y_train, strict=True):
        a = [x]
        for w, b in zip(weights, biases, strict=True):
            a.append(sigmoid(w @ a[-1] + b))
        delta = (a[-1] - y) * a[-1] * (1 - a[-1])
        for i in reversed(range(len(weights))):
            total_w[i] = total_w[i] + np.outer(delta, a[i])
            total_b[i] = total_b[i] + delta
            delta = weights[i].T @ delta * a[i] * (1 - a[i])
    m = len(x_train)
    for i in range(len(weights)):
        weights[i] = weights[i] - eta / m * total_w[i]
        biases[i] = biases[i] - eta / m * total_b[i]


def with_a_list_of_layers(layers, X, y):
    inputs, a = [], X
    for layer in layers:
        inputs.append(a)
        a = np.tanh(a @ layer["W"] + layer["b"])
    grads = []
    d = 2 * (a - y) / y.size
    for layer, before in zip(reversed(layers), reversed(inputs), strict=True):
        d = d * (1 - np.tanh(before @ layer["W"] + layer["b"]) ** 2)
        grads.append({"dW": before.T @ d, "db": d.sum(axis=0)})
        d = d @ layer["W"].T
    return grads[::-1]


def three_layers(X, T, W1, b1, W2, b2, W3, b3):
    h1 = relu(X @ W1 + b1)
    h2 = relu(h1 @ W2 + b2)
    d3 = (h2 @ W3 + b3 - T) / len(X)
    d2 = d3 @ W3.T * (h2 > 0)
    d1 = d2 @ W2.T * (h1 > 0)
    return (X.T @ d1, d1.sum(0)), (h1.T @ d2, d2.sum(0)), (h2.T @ d3, d3.sum(0))


def by_finite_differences(x, y, weights, biases):
    """No backpropagation at all, but its gradients are right to six digits."""

    def cost():
        a = x
        for w, b in zip(weights, biases, strict=True):
            a = sigmoid(a @ w.T + b)
        return 0.5 * ((a - y) ** 2).sum() / len(x)

    found = []
    for array in (*weights, *biases):
        slope = np.zeros_like(array)
        for i in np.ndindex(array.shape):
            old = array[i]
            array[i] = old + 1e-5
            up = cost()
            array[i] = old - 1e-5
            slope[i] = (up - cost()) / 2e-5
            array[i] = old
        found.append(slope)
    return found[: len(weights)], found[len(weights) :]


def einsum(x, t, W1, b1, W2, b2):
    h = np.tanh(np.einsum("bi,io->bo", x, W1) + b1)
    p = sigmoid(np.einsum("bi,io->bo", h, W2) + b2)
    g = (p - t) / p.size
    gh = np.einsum("bo,io->bi", g, W2) * (1 - h * h)
    return (
        np.einsum("bi,bo->io", x, gh), gh.sum(0), np.einsum("bi,bo->io", h, g), g.sum(0)
    )  # fmt: skip


def one_output_and_flat_targets(X, y, W1, b1, W2, b2):
    a1 = sigmoid(X @ W1 + b1)
    p = sigmoid(a1 @ W2 + b2).ravel()
    d2 = ((p - y) / len(y))[:, None]
    d1 = d2 @ W2.T * a1 * (1 - a1)
    return X.T @ d1, d1.sum(0), a1.T @ d2, d2.sum(0)


def returns_new_weights(X, y, W1, b1, W2, b2):
    a1 = sigmoid(X @ W1 + b1)
    a2 = sigmoid(a1 @ W2 + b2)
    d2 = (a2 - y) * a2 * (1 - a2) / len(y)
    d1 = d2 @ W2.T * a1 * (1 - a1)
    W1, b1 = W1 - 0.1 * X.T @ d1, b1 - 0.1 * d1.sum(0)
    return W1, b1, W2 - 0.1 * a1.T @ d2, b2 - 0.1 * d2.sum(0)


def with_names_only(*, x, y, weights=None, biases=None, verbose=False):
    a = [x]
    for w, b in zip(weights, biases, strict=True):
        a.append(sigmoid(a[-1] @ w + b))
    d = (a[-1] - y) * a[-1] * (1 - a[-1]) / len(x)
    found = {}
    for i in reversed(range(len(weights))):
        found[f"layer{i}"] = {"w": a[i].T @ d, "b": d.sum(0)}
        d = d @ weights[i].T * a[i] * (1 - a[i])
    return found


RIGHT = [
    (sums_that_are_passed, {}),
    (digits_in_columns, {**SOFTMAX, "activation": nn.ReLU}),
    (parameters_and_cache, {"loss": "BCELoss", "activation": nn.Tanh, "output": nn.Sigmoid}),
    (eleven_lines, {"over_examples": "sum"}),
    (hidden_and_output, {}),
    (scores_of_a_course, {**SOFTMAX, "activation": nn.ReLU}),
    (logistic_regression, {"loss": "BCELoss"}),
    (linear_regression, {"loss": "MSELoss", "output": nn.Identity}),
    (example_by_example, {}),
    (with_a_list_of_layers, {"loss": "MSELoss", "activation": nn.Tanh}),
    (three_layers, {"activation": nn.ReLU, "output": nn.Identity}),
    (by_finite_differences, {}),
    (one_output_and_flat_targets, {"loss": "BCELoss"}),
    (returns_new_weights, {}),
    (with_names_only, {}),
    (einsum, {"loss": "BCELoss", "activation": nn.Tanh, "output": nn.Sigmoid}),
]
