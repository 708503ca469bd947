"""Random networks: their training steps are what bits are compared on."""

from itertools import pairwise

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.graph import DType, TensorType
from chainrule.train.state import initial_state
from chainrule.train.step import build_step
from chainrule.train.writing import Recipe

ACTIVATIONS = [nn.Sigmoid, nn.Tanh, nn.ReLU, nn.Softplus, nn.SiLU]
LOSSES = ["MSELoss", "QuadraticLoss", "CrossEntropyLoss", "BCEWithLogitsLoss"]
OPTIMIZERS = [
    lambda: optim.SGD(lr=0.5, momentum=0.9), optim.Adam, lambda: optim.AdamW(clip_norm=1.0),
    lambda: optim.RMSprop(centered=True),
]  # fmt: skip


class Skipping(nn.Module):
    """x + f(x), to use a value twice."""

    def __init__(self, width, activation):
        self.linear = nn.Linear(width, width)
        self.activation = activation()

    def forward(self, x):
        return x + self.activation(self.linear(x))


class Repeating(nn.Module):
    """f(f(x)), with the same weights."""

    def __init__(self, width, activation):
        self.linear = nn.Linear(width, width)
        self.activation = activation()

    def forward(self, x):
        return self.activation(self.linear(self.activation(self.linear(x))))


class Branching(nn.Module):
    """Two outputs of one value, side by side."""

    def __init__(self, width, left):
        self.left, self.right = nn.Linear(width, left), nn.Linear(width, width - left)

    def forward(self, x):
        return cr.concatenate([self.left(x), self.right(x).tanh()], axis=1)


def drawn_network(seed, largest=23):
    """A step of a random network, its state and its rows."""
    rng = np.random.default_rng(seed)
    sizes = [int(s) for s in rng.integers(1, largest + 1, rng.integers(2, 5))]
    activation = ACTIVATIONS[rng.integers(len(ACTIVATIONS))]
    layers = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), activation()]
        if rng.random() < 0.3:
            layers.append(Skipping(b, activation))
        if rng.random() < 0.3:
            layers.append(nn.Dropout(0.3))
        if rng.random() < 0.2:
            layers.append(Repeating(b, activation))
        if b > 1 and rng.random() < 0.2:
            layers.append(Branching(b, int(rng.integers(1, b))))
    dtype = ["float32", "float64"][rng.integers(2)]
    net = nn.Sequential(*layers).initialize(seed).astype(dtype)
    loss = LOSSES[rng.integers(len(LOSSES))]
    batch = int(rng.integers(1, 9))
    x = rng.normal(size=(batch, sizes[0])).astype(dtype)
    if loss == "CrossEntropyLoss":
        y = rng.integers(0, sizes[-1], batch)
    else:
        y = rng.random((batch, sizes[-1])).astype(dtype)
    recipe = Recipe(net, nn.as_loss(loss), OPTIMIZERS[rng.integers(len(OPTIMIZERS))]())
    types = [TensorType(a.shape, DType.of(a.dtype)) for a in (x, y)]
    step = build_step(recipe, types[:1], types[1])
    state = {**step.captured, **initial_state(recipe, seed, accumulate=False)}
    return step, state, {"x": x, "target": y}, {"lr": np.array([0.1])}


def arrays_of(step, state, data, feeds):
    """The step graph's inputs, for its first batch."""
    rows = np.arange(len(data["x"]))
    given = {**state, **data, "rows": rows, "lr": feeds["lr"][0]}
    return [np.asarray(given[name]) for name in step.graph.input_names]
