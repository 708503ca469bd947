"""The data and the layers that set-ups are made of. Each call gives arrays of one's own."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np

import chainrule as cr
from chainrule import nn

Floats = np.ndarray


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    digits = cr.data.load("digits")
    return digits.x, digits.y


def digits(n: int = 1000, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Handwritten digits: x float32 (n, 64) from 0 to 1, y int64 (n,)."""
    x, y = _digits()
    return x[start : start + n].copy(), y[start : start + n].copy()


def ink(n: int = 1000, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The same without the pixels at the edge that no digit of the set touches: (n, 61)."""
    x, y = digits(n, start)
    used = _digits()[0].max(axis=0) > _digits()[0].min(axis=0)
    return x[:, used], y


def mixed_digits(seed: int = 0) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """1000 digits, and the 797 others, of the same writers."""
    x, y = _digits()
    order = rng(seed).permutation(len(x))
    x, y = x[order], y[order]
    return (x[:1000], y[:1000]), (x[1000:], y[1000:])


def iris(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Fisher's flowers in random order, standardised: x float32 (150, 4), y int64 (150,)."""
    x, y = iris_in_centimetres(seed)
    return standardised(x), y


def iris_in_centimetres(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    flowers = cr.data.load("iris")
    order = rng(seed).permutation(150)
    return flowers.x[order].astype(np.float32), flowers.y[order].copy()


def standardised(x: Floats) -> np.ndarray:
    return ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)


def moons(n: int = 400, noise: float = 0.1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """x float32 (n, 2), y float32 (n, 1) of 0 and 1, in random order."""
    made = cr.data.load("moons", n=n, noise=noise, seed=seed)
    order = rng(seed).permutation(n)
    return made.x[order].astype(np.float32), made.y[order, None].astype(np.float32)


def spirals(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    made = cr.data.load("spirals", n=n, seed=seed)
    order = rng(seed).permutation(n)
    return made.x[order].astype(np.float32), made.y[order].copy()


def xor() -> tuple[np.ndarray, np.ndarray]:
    made = cr.data.load("xor")
    return made.x.astype(np.float32), made.y[:, None].astype(np.float32)


def houses(n: int = 500, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Houses: area in m², rooms, age in years, km to the centre; the price in euros, (n, 1)."""
    draw = rng(seed)
    area = draw.gamma(9.0, 12.0, n) + 25
    rooms = np.clip(np.rint(area / 27 + draw.normal(0, 0.8, n)), 1, 9)
    age = draw.uniform(0, 90, n)
    distance = draw.gamma(2.0, 4.0, n)
    x = np.stack([area, rooms, age, distance], axis=1)
    price = 2900 * area * np.exp(-0.03 * distance) - 900 * age + draw.normal(0, 9000, n) + 60_000
    return x.astype(np.float32), price[:, None].astype(np.float32)


def applicants(n: int = 600, seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Applicants for credit: age, income a year, open debts, years in the job; y whether repaid."""
    draw = rng(seed)
    age = draw.uniform(20, 70, n)
    income = np.exp(draw.normal(10.5, 0.5, n))
    debts = draw.gamma(1.5, 6000.0, n)
    years = draw.uniform(0, 1, n) * (age - 18) / 2
    z = 3.2 * np.log(income / 36_000) - debts / 5000 + 0.12 * years + 0.9
    y = z + draw.logistic(0, 0.35, n) > 0
    return np.stack([age, income, debts, years], 1).astype(np.float32), y[:, None].astype("f4")


def payments(n: int = 2000, share: float = 0.03, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Payments, of which a small share is fraud: x float32 (n, 8), y float32 (n, 1)."""
    draw = rng(seed)
    y = draw.uniform(size=n) < share
    x = draw.normal(size=(n, 8))
    x[y, :3] += (1.6, -1.4, 1.2)
    return x.astype(np.float32), y[:, None].astype(np.float32)


def reviews(n: int = 600, words: int = 300, seed: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Bags of words, in which most counts are zero: x float32 (n, words), y float32 (n, 1)."""
    draw = rng(seed)
    y = draw.integers(0, 2, n)
    usual = 1 / np.arange(1, words + 1)
    moods = np.ones((2, words))
    moods[0, 10:150:5] = 5.0
    moods[1, 12:150:5] = 5.0
    chances = usual * moods
    chances /= chances.sum(axis=1, keepdims=True)
    x = np.stack([draw.multinomial(25, chances[c]) for c in y])
    x = x[:, x.min(axis=0) < x.max(axis=0)]
    return x.astype(np.float32), y[:, None].astype(np.float32)


def sentences(n: int = 500, length: int = 10, seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Words as integers below 60, (n, length); y whether there are more good than bad ones."""
    draw = rng(seed)
    x = draw.integers(1, 60, (n, length))
    good = (x < 15).sum(axis=1) - ((x >= 15) & (x < 29)).sum(axis=1)
    keep = good != 0
    return x[keep], (good[keep, None] > 0).astype(np.float32)


def load_of_a_grid(n: int = 500, seed: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """A series with a period of 24 steps: windows of 24 values, (n, 24), and the next, (n, 1)."""
    draw = rng(seed)
    t = np.arange(n + 24)
    series = np.sin(2 * np.pi * t / 24) + 0.4 * np.sin(2 * np.pi * t / 12 + 1)
    series = series + 0.1 * draw.normal(size=len(t))
    windows = np.lib.stride_tricks.sliding_window_view(series, 24)[:n]
    return windows.astype(np.float32), series[24 : n + 24, None].astype(np.float32)


def plane(n: int = 300, inputs: int = 5, seed: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """A linear function of normal inputs with a little noise: x (n, inputs), y (n, 1)."""
    draw = rng(seed)
    x = draw.normal(size=(n, inputs))
    y = x @ draw.normal(size=(inputs, 1)) + 0.1 * draw.normal(size=(n, 1))
    return x.astype(np.float32), y.astype(np.float32)


def mlp(*sizes: int, hidden: type[nn.Module] = nn.ReLU, **options: object) -> nn.Sequential:
    """Linear layers with an activation between them, and none at the end."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs, **options), hidden()]  # type: ignore[arg-type]
    return nn.Sequential(*layers[:-1])


class Recurrent(nn.Module):
    """hₜ = tanh(W·xₜ + b + U·hₜ₋₁), and a linear reading of the last h   [Elman 1990]."""

    def __init__(self, inputs: int, hidden: int, outputs: int, activation=cr.tanh, start=None):
        self.inward = nn.Linear(inputs, hidden)
        self.onward = nn.Linear(hidden, hidden, bias=False, weight_init=start)
        self.reading = nn.Linear(hidden, outputs)
        self.activation = activation

    def forward(self, x):
        h = self.activation(self.inward(x[:, 0]))
        for t in range(1, x.shape[1]):
            h = self.activation(self.inward(x[:, t]) + self.onward(h))
        return self.reading(h)


class LSTM(nn.Module):
    """Long short-term memory   [Hochreiter and Schmidhuber 1997; Gers et al. 2000]."""

    def __init__(self, inputs: int, hidden: int, outputs: int):
        self.hidden = hidden
        self.inward = nn.Linear(inputs, 4 * hidden)
        self.onward = nn.Linear(hidden, 4 * hidden, bias=False)
        self.reading = nn.Linear(hidden, outputs)

    def forward(self, x):
        h = c = None
        for t in range(x.shape[1]):
            z = self.inward(x[:, t])
            z = z if h is None else z + self.onward(h)
            i, f, g, o = (z[:, k * self.hidden : (k + 1) * self.hidden] for k in range(4))
            new = cr.sigmoid(i) * cr.tanh(g)
            c = new if c is None else cr.sigmoid(f + 1) * c + new
            h = cr.sigmoid(o) * cr.tanh(c)
        return self.reading(h)


class Convolution(nn.Module):
    """Filters of 3 by 3 pixels over images (B, H, W) or (B, H, W, C): patches times weights."""

    def __init__(self, channels: int, filters: int):
        self.filters = nn.Linear(9 * channels, filters)

    def forward(self, x):
        height, width = x.shape[1] - 2, x.shape[2] - 2
        shifted = [x[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
        if len(x.shape) == 3:
            return self.filters(cr.stack(shifted, axis=-1))
        return self.filters(cr.concatenate(shifted, axis=-1))


class Halved(nn.Module):
    """The largest of each 2 by 2 pixels."""

    def forward(self, x):
        rows = cr.maximum(x[:, 0::2], x[:, 1::2])
        return cr.maximum(rows[:, :, 0::2], rows[:, :, 1::2])


class Attention(nn.Module):
    """One head of self-attention: softmax(Q·Kᵀ/√d)·V   [Vaswani et al. 2017, eq. 1]."""

    def __init__(self, width: int):
        self.width = width
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)

    def forward(self, x):
        scores = self.query(x) @ self.key(x).swapaxes(1, 2) / self.width**0.5
        return scores.softmax(axis=-1) @ self.value(x)


class Averaged(nn.Module):
    """The mean over the places of a sequence."""

    def forward(self, x):
        return x.mean(axis=1)
