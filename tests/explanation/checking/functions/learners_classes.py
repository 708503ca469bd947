"""Networks that learners write as classes; each has a backward pass that is right."""

import itertools

import numpy as np

from tests.explanation.checking.functions.learners_common import sigmoid


class OfColumns:
    """Lists of weights (out, in) and biases in columns; gradients of one example, biases first."""

    def __init__(self, sizes):
        self.num_layers = len(sizes)
        self.sizes = sizes
        self.biases = [np.random.randn(n, 1) for n in sizes[1:]]  # noqa: NPY002
        self.weights = [np.random.randn(n, m) for m, n in itertools.pairwise(sizes)]  # noqa: NPY002

    def feedforward(self, a):
        for b, w in zip(self.biases, self.weights, strict=True):
            a = sigmoid(w @ a + b)
        return a

    def backprop(self, x, y):
        outputs = [x]
        for b, w in zip(self.biases, self.weights, strict=True):
            outputs.append(sigmoid(w @ outputs[-1] + b))
        grad_b, grad_w = [], []
        delta = (outputs[-1] - y) * outputs[-1] * (1 - outputs[-1])
        for i in range(1, self.num_layers):
            grad_b.insert(0, delta)
            grad_w.insert(0, delta @ outputs[-i - 1].T)
            delta = (self.weights[-i].T @ delta) * outputs[-i - 1] * (1 - outputs[-i - 1])
        return grad_b, grad_w


class OfThreeSizes:
    """Forward and backward, which store the gradients and return nothing."""

    def __init__(self, input_size, hidden_size, output_size):
        self.W1 = np.zeros((input_size, hidden_size))
        self.b1 = np.zeros((1, hidden_size))
        self.W2 = np.zeros((hidden_size, output_size))
        self.b2 = np.zeros((1, output_size))

    def forward(self, X):
        self.a1 = sigmoid(X @ self.W1 + self.b1)
        self.a2 = sigmoid(self.a1 @ self.W2 + self.b2)
        return self.a2

    def slope(self, a):
        return a * (1 - a)

    def backward(self, X, y, output):
        d2 = (output - y) * self.slope(output) / X.shape[0]
        self.dW2 = self.a1.T @ d2
        self.db2 = d2.sum(axis=0, keepdims=True)
        d1 = d2 @ self.W2.T * self.slope(self.a1)
        self.dW1 = X.T @ d1
        self.db1 = d1.sum(axis=0, keepdims=True)


class ThatUpdates(OfThreeSizes):
    """Backward makes the update itself, with a rate that it keeps."""

    def __init__(self, n_in, n_hidden, n_out, learning_rate=0.1):
        super().__init__(n_in, n_hidden, n_out)
        self.learning_rate = learning_rate

    def backward(self, X, y, output):
        super().backward(X, y, output)
        for name in ("W1", "b1", "W2", "b2"):
            step = self.learning_rate * getattr(self, f"d{name}")
            setattr(self, name, getattr(self, name) - step)


class Dense:
    def __init__(self, n_in, n_out):
        self.weights = np.zeros((n_in, n_out))
        self.biases = np.zeros((1, n_out))

    def forward(self, inputs):
        self.inputs = inputs
        self.output = sigmoid(inputs @ self.weights + self.biases)
        return self.output

    def backward(self, dvalues):
        d = dvalues * self.output * (1 - self.output)
        self.dweights = self.inputs.T @ d
        self.dbiases = d.sum(axis=0, keepdims=True)
        self.dinputs = d @ self.weights.T
        return self.dinputs


class OfLayers:
    """A list of layers, each of which stores its gradients."""

    def __init__(self, layer_sizes):
        pairs = itertools.pairwise(layer_sizes)
        self.layers = [Dense(m, n) for m, n in pairs]

    def forward(self, X):
        for layer in self.layers:
            X = layer.forward(X)
        return X

    def backward(self, output, y):
        d = (output - y) / len(y)
        for layer in reversed(self.layers):
            d = layer.backward(d)


RIGHT = [OfColumns, OfThreeSizes, ThatUpdates, OfLayers]
