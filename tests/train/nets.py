"""Small networks and data that the tests of training share."""

import numpy as np

from chainrule import nn


def examples(count=50, features=4, classes=3):
    """Numbers that look random and are the same for ever, and classes that depend on them."""
    x = np.sin(np.arange(count * features) * 1.7 + 0.3).reshape(count, features)
    y = np.argsort(x[:, :classes], axis=1)[:, -1]
    return x, y


def regular(hidden=6):
    """A network with everything that has state: dropout and batch norm."""
    return nn.Sequential(
        nn.Linear(4, hidden),
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
        nn.Dropout(0.25),
        nn.Linear(hidden, 3),
    )


def plain(inputs=4, outputs=3):
    """A network without state besides its parameters."""
    return nn.Sequential(nn.Linear(inputs, 5), nn.Tanh(), nn.Linear(5, outputs))


def linear(inputs=1, outputs=1, weight=0.0):
    """One linear layer with given numbers."""
    net = nn.Sequential(nn.Linear(inputs, outputs))
    net[0].weight.replace(np.full((outputs, inputs), weight, np.float32))
    net[0].bias.replace(np.zeros(outputs, np.float32))
    return net


def same(a, b):
    """Whether two states, by name, have the same bits."""
    return a.keys() == b.keys() and all(
        x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()
        for x, y in ((np.asarray(a[name]), np.asarray(b[name])) for name in a)
    )


def same_run(a, b):
    """Whether two runs came to the same: history, weights, and the whole state."""
    return (
        a.history == b.history
        and same(a.net.state_dict(), b.net.state_dict())
        and same(a.standing.state, b.standing.state)
    )
