"""What the learners of these tests have in common: sigmoid networks with two layers of weights."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def gradients(X, Y, W1, b1, W2, b2):
    """Of the quadratic cost, summed over the outputs; weights are (in, out)."""
    a1 = sigmoid(X @ W1 + b1)
    a2 = sigmoid(a1 @ W2 + b2)
    d2 = (a2 - Y) * a2 * (1 - a2) / len(X)
    d1 = d2 @ W2.T * a1 * (1 - a1)
    return X.T @ d1, d1.sum(0), a1.T @ d2, d2.sum(0)


def of_cross_entropy(X, Y, W1, b1, W2, b2):
    """Of binary cross-entropy, summed over the outputs."""
    a1 = sigmoid(X @ W1 + b1)
    a2 = sigmoid(a1 @ W2 + b2)
    d2 = (a2 - Y) / len(X)
    d1 = d2 @ W2.T * a1 * (1 - a1)
    return X.T @ d1, d1.sum(0), a1.T @ d2, d2.sum(0)


def said(found):
    """The report in one line."""
    return " ".join(found.text().split())
