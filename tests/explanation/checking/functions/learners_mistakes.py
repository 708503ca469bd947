"""Backward passes with one mistake each, as it is made; with what has to be said of it."""

import numpy as np

from chainrule import nn
from tests.explanation.checking.functions.learners_common import sigmoid
from tests.explanation.checking.functions.learners_styles import SOFTMAX, softmax


def slope_of_the_wrong_thing(x, y, W1, b1, W2, b2):
    a1 = sigmoid(x @ W1 + b1)
    a2 = sigmoid(a1 @ W2 + b2)
    slope = lambda z: sigmoid(z) * (1 - sigmoid(z))  # noqa: E731
    d2 = (a2 - y) * slope(a2) / len(x)
    d1 = d2 @ W2.T * slope(a1)
    return x.T @ d1, d1.sum(0), a1.T @ d2, d2.sum(0)


def no_mean(X, Y, W1, b1, W2, b2):
    A1 = sigmoid(W1 @ X + b1)
    A2 = sigmoid(W2 @ A1 + b2)
    dZ2 = (A2 - Y) * A2 * (1 - A2)
    dZ1 = W2.T @ dZ2 * A1 * (1 - A1)
    column = {"axis": 1, "keepdims": True}
    return dZ1 @ X.T, dZ1.sum(**column), dZ2 @ A1.T, dZ2.sum(**column)


def mean_twice(params, cache, X, Y):
    m = X.shape[1]
    dZ2 = (cache["A2"] - Y) / m
    dZ1 = params["W2"].T @ dZ2 * cache["A1"] * (1 - cache["A1"])
    grads = {"dW2": dZ2 @ cache["A1"].T / m, "db2": dZ2.sum(axis=1, keepdims=True) / m}
    return grads | {"dW1": dZ1 @ X.T / m, "db1": dZ1.sum(axis=1, keepdims=True) / m}


def update_first(X, y, W1, b1, W2, b2, lr):
    a1 = sigmoid(X @ W1 + b1)
    a2 = sigmoid(a1 @ W2 + b2)
    d2 = (a2 - y) * a2 * (1 - a2) / len(X)
    W2 -= lr * a1.T @ d2
    b2 -= lr * d2.sum(0)
    d1 = d2 @ W2.T * a1 * (1 - a1)
    W1 -= lr * X.T @ d1
    b1 -= lr * d1.sum(0)


def upwards(x, y, weights, biases):
    a = [x]
    for w, b in zip(weights, biases, strict=True):
        a.append(sigmoid(w @ a[-1] + b))
    d = (y - a[-1]) * a[-1] * (1 - a[-1])
    grad_w, grad_b = [], []
    for i in reversed(range(len(weights))):
        grad_w.insert(0, d @ a[i].T)
        grad_b.insert(0, d)
        d = weights[i].T @ d * a[i] * (1 - a[i])
    return grad_b, grad_w


def relu_in_the_wrong_place(Z1, A1, Z2, A2, W2, X, Y):
    m = Y.size
    dZ2 = A2 - np.eye(A2.shape[0])[Y].T
    dZ1 = W2.T @ dZ2 * (W2.T @ dZ2 > 0)
    column = {"axis": 1, "keepdims": True}
    return dZ1 @ X.T / m, dZ1.sum(**column) / m, dZ2 @ A1.T / m, dZ2.sum(**column) / m


def biases_of_one_example(X, y, W1, b1, W2, b2):
    a1 = np.tanh(X @ W1 + b1)
    d2 = (a1 @ W2 + b2 - y) / len(X)
    d1 = d2 @ W2.T * (1 - a1**2)
    return {"W1": X.T @ d1, "b1": d1[0], "W2": a1.T @ d2, "b2": d2[0]}


def factor_two(X, y, W1, b1, W2, b2):
    a1 = np.tanh(X @ W1 + b1)
    d2 = (a1 @ W2 + b2 - y) / y.size
    d1 = d2 @ W2.T * (1 - a1**2)
    return {"W1": X.T @ d1, "b1": d1.sum(0), "W2": a1.T @ d2, "b2": d2.sum(0)}


def softmax_slope(X, y, W1, b1, W2, b2):
    hidden = np.maximum(0, X @ W1 + b1)
    p = softmax(hidden @ W2 + b2, 1)
    t = np.eye(p.shape[1])[y] if y.ndim == 1 else y
    d2 = (p - t) * p * (1 - p) / len(X)
    d1 = d2 @ W2.T * (hidden > 0)
    return X.T @ d1, d1.sum(0), hidden.T @ d2, d2.sum(0)


def tanh_slope_without_square(X, y, W1, b1, W2, b2):
    a1 = np.tanh(X @ W1 + b1)
    d2 = (a1 @ W2 + b2 - y) / len(X)
    d1 = d2 @ W2.T * (1 - a1)
    return X.T @ d1, d1.sum(0), a1.T @ d2, d2.sum(0)


def keeps_only_the_last_example(x_train, y_train, weights, biases):
    for x, y in zip(x_train, y_train, strict=True):
        a = [x]
        for w, b in zip(weights, biases, strict=True):
            a.append(sigmoid(w @ a[-1] + b))
        d = (a[-1] - y) * a[-1] * (1 - a[-1])
        grad_w, grad_b = [], []
        for i in reversed(range(len(weights))):
            grad_w.insert(0, np.outer(d, a[i]) / len(x_train))
            grad_b.insert(0, d / len(x_train))
            d = weights[i].T @ d * a[i] * (1 - a[i])
    return grad_w, grad_b


def input_of_the_wrong_layer(X, y, syn0, syn1):
    l1 = sigmoid(X @ syn0)
    l2 = sigmoid(l1 @ syn1)
    l2_delta = (l2 - y) * l2 * (1 - l2) / len(X)
    l1_delta = l2_delta @ syn1.T
    return X.T @ l1_delta, l1.T @ l2_delta


WRONG = [
    (slope_of_the_wrong_thing, {}, "derivative-at-activation"),
    (no_mean, {}, "missing-mean"),
    (mean_twice, {"loss": "BCELoss"}, "extra-mean"),
    (update_first, {}, "updated-weights"),
    (upwards, {}, "sign"),
    (relu_in_the_wrong_place, {**SOFTMAX, "activation": nn.ReLU}, "mask-of-error"),
    (biases_of_one_example, {"activation": nn.Tanh, "output": nn.Identity}, "bias-of-one-sample"),
    (
        factor_two,
        {"loss": "MSELoss", "activation": nn.Tanh, "output": nn.Identity},
        "factor-two",
    ),
    (softmax_slope, {**SOFTMAX, "activation": nn.ReLU}, "extra-derivative"),
    (tanh_slope_without_square, {"activation": nn.Tanh, "output": nn.Identity}, ""),
    (keeps_only_the_last_example, {}, "one-sample"),
    (input_of_the_wrong_layer, {}, "missing-derivative"),
]
"""What is wrong, and the name of the mistake; where it has none, the layer is told all the same."""
