"""Gradients of whole functions against formulas from textbooks."""

import numpy as np
import pytest

from chainrule.autodiff import gradients
from chainrule.backends import get_backend
from chainrule.base.random import normal, normal_words, random_bits, seed_words
from chainrule.graph import TensorType
from chainrule.ops import Builder


def draw(*shape, stream="x"):
    size = int(np.prod(shape, dtype=int)) * normal_words(np.float64)
    return normal(random_bits(seed_words(0), 0, stream, 0, size), np.float64).reshape(shape)


def grad(f, *arrays):
    """The gradients of f's scalar in its float inputs."""
    b = Builder()
    kinds = [TensorType(a.shape, TensorType.parse(f"{_name(a)}[]").dtype) for a in arrays]
    inputs = [b.input(kind, f"x{i}") for i, kind in enumerate(kinds)]
    graph = b.build("f", {"y": f(b, *inputs)})
    wrt = [f"x{i}" for i, a in enumerate(arrays) if a.dtype.kind == "f"]
    return get_backend("numpy").run(gradients(graph, "y", wrt), list(arrays))[1:]


def _name(array):
    return "f64" if array.dtype.kind == "f" else "i64"


def total(b, x):
    return b.sum(x, axes=tuple(range(len(x.shape))))


def spread(b, x):
    zero = b.constant(0.0, x.dtype)
    return b.pad(x, zero, low=(1, 0), high=(0, 2), interior=(0, 1))


X, W = draw(4, 3), draw(3, 5, stream="w")
LABELS = np.array([2, 0, 1, 2])
ONE_HOT = np.eye(3)[LABELS]
P = np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)
HALF = np.array([1.0, 0.0, 1.0, 0.5])

FORMS = {
    "matrix product": (
        lambda b, x, w: total(b, b.contract(x, w, over=(1, 0))),
        (X, W),
        (np.ones((4, 5)) @ W.T, X.T @ np.ones((4, 5))),
    ),
    "quadratic form": (
        lambda b, x, a: b.contract(x, b.contract(a, x, over=(1, 0)), over=(0, 0)),
        (X[:, 0], draw(4, 4, stream="a")),
        (
            (draw(4, 4, stream="a") + draw(4, 4, stream="a").T) @ X[:, 0],
            np.outer(X[:, 0], X[:, 0]),
        ),
    ),
    "mean": (lambda b, x: b.mean(x, axes=(0, 1)), (X,), (np.full((4, 3), 1 / 12),)),
    "length": (
        lambda b, x: b.sqrt(total(b, b.square(x))),
        (X,),
        (X / np.sqrt((X * X).sum()),),
    ),
    "cross entropy": (
        lambda b, x, t: b.mean(b.cross_entropy(x, t), axes=(0,)),
        (X, LABELS),
        ((P - ONE_HOT) / 4,),
    ),
    "cross entropy of distributions": (
        lambda b, x, t: total(b, b.cross_entropy_soft(x, t)),
        (X, ONE_HOT),
        (P - ONE_HOT, -np.log(P)),
    ),
    "one logit": (
        lambda b, x, t: total(b, b.bce_with_logits(x, t)),
        (X[:, 0], HALF),
        (1 / (1 + np.exp(-X[:, 0])) - HALF, -X[:, 0]),
    ),
    "log of a sum of exponentials": (
        lambda b, x: total(b, b.log(b.sum(b.exp(x), axes=(1,)))),
        (X,),
        (P,),
    ),
    "bias": (
        lambda b, x, c: total(b, b.square(x + c)),
        (X, X[0]),
        (2 * (X + X[0]), 2 * (X + X[0]).sum(0)),
    ),
    "embedding": (
        lambda b, w, i: total(b, b.square(b.gather(w, i, axis=0))),
        (X, np.array([1, 1, 3])),
        (X * np.array([0, 4, 0, 2])[:, None],),
    ),
    "largest": (
        lambda b, x: total(b, b.amax(x, axis=1)),
        (X,),
        (X.max(axis=1, keepdims=True) == X,),
    ),
    "padding": (lambda b, x: total(b, b.square(spread(b, x))), (X,), (2 * X,)),
}  # fmt: skip


@pytest.mark.parametrize(("f", "arrays", "expected"), FORMS.values(), ids=FORMS)
def test_closed_form(f, arrays, expected):
    found = grad(f, *arrays)
    assert len(found) == len(expected)
    for got, right in zip(found, expected, strict=True):
        # Numbers below 10, some twenty roundings of each: 20·10·2**-53 is 2e-14.
        np.testing.assert_allclose(got, right, rtol=0, atol=2e-14)
