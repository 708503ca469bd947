"""Muon: what it does to singular values, how it rounds, and what it refuses."""

import re

import numpy as np
import pytest

from chainrule import optim
from chainrule.base.errors import ConfigurationError, ShapeError
from tests.optim.nets import Net

A, B, C = optim.Muon().ns_coefficients
SHAPES = [(4, 4), (3, 7), (7, 3), (1, 5), (5, 1)]
MATRICES = [np.random.default_rng(size).normal(size=shape) for size, shape in enumerate(SHAPES)]


def polynomial(s):
    return A * s + B * s**3 + C * s**5


def step_of(g, dtype=np.float64, **options):
    """The step against a first gradient; the learning rate's factor for the shape is undone."""
    net = Net(w=np.zeros(g.shape, dtype))
    optim.Muon(lr=1.0, momentum=0.0, weight_decay=0.0, **options).update(net, {"w": g})
    return -net.numpy()["w"] / np.sqrt(max(1, g.shape[0] / g.shape[1]))


@pytest.mark.parametrize("g", MATRICES, ids=lambda g: str(g.shape))
@pytest.mark.parametrize("ns_steps", [0, 1, 5])
def test_step_has_the_polynomial_of_the_singular_values(g, ns_steps):
    u, s, vt = np.linalg.svd(g, full_matrices=False)
    s = s / np.linalg.norm(s)
    for _ in range(ns_steps):
        s = polynomial(s)
    np.testing.assert_allclose(step_of(g, ns_steps=ns_steps), (u * s) @ vt, atol=1e-12)


@pytest.mark.parametrize("g", MATRICES, ids=lambda g: str(g.shape))
def test_singular_values_come_near_one(g):
    # To [0.68, 1.21] five iterations bring all that was between 0.005 and 1 after the division.
    reached = np.linalg.svd(step_of(g), compute_uv=False)
    assert reached.min() > 0.68
    assert reached.max() < 1.21


def test_converging_coefficients_give_the_nearest_orthogonal_matrix():
    u, _, vt = np.linalg.svd(MATRICES[1], full_matrices=False)
    step = step_of(MATRICES[1], ns_coefficients=(1.5, -0.5, 0.0), ns_steps=40)
    np.testing.assert_allclose(step, u @ vt, atol=1e-12)


@pytest.mark.parametrize("g", MATRICES, ids=lambda g: str(g.shape))
def test_float32_stays_within_what_rounding_explains(g):
    """A bound in the Frobenius norm, for matrices of k = 7 or fewer rows and columns.

    The polynomial maps [0, 1.21] into itself, and its slope there is at most 4.3. So an error E in
    X leaves an iteration as at most 4.3·‖E‖. What the iteration itself rounds: the summands have
    singular values up to A·1.21 + |B|·1.21³ + C·1.21⁵ < 18, at most √k·18 in the norm; each is
    made by at most two products of k terms and three further operations.
    """
    k, u = 7, 2.0**-24
    own = 18 * np.sqrt(k) * (2 * k + 3) * u
    bound = 0.0
    for _ in range(5):
        bound = 4.3 * bound + own
    error = np.linalg.norm(step_of(g.astype(np.float32), np.float32) - step_of(g))
    assert error < bound < 0.05


def test_polynomial_is_as_the_bound_says():
    s = np.linspace(0, 1.21, 10_001)
    assert polynomial(s).max() < 1.21
    assert np.abs(np.diff(polynomial(s)) / np.diff(s)).max() < 4.3


def test_huge_and_tiny_matrices_step_alike():
    steps = [step_of(scale * MATRICES[0], eps=0.0) for scale in (1e-150, 1.0, 1e150)]
    np.testing.assert_allclose(steps[0], steps[1], rtol=1e-10)
    np.testing.assert_allclose(steps[2], steps[1], rtol=1e-10)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4)])
def test_other_than_matrices_are_refused(shape):
    shown = f"[{','.join(map(str, shape))}]"
    message = (
        f"Muon updates matrices; 0.bias has shape {shown}. "
        'Give it another optimizer: groups={"0.bias": optim.AdamW(lr=0.001)}.'
    )
    net = Net(**{"0__weight": np.ones((2, 3)), "0__bias": np.ones(shape)})
    gradients = net.numpy()
    for act in (
        lambda: optim.Muon().initial_state(net.parameters),
        lambda: optim.Muon().update(net, gradients),
        lambda: optim.Muon().graph(net.parameters),
    ):
        with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
            act()
    assert (net.numpy()["0.weight"] == 1).all()


def test_the_others_have_an_optimizer_of_their_own():
    net = Net(**{"0__weight": np.ones((2, 3)), "0__bias": np.ones(2)})
    optimizer = optim.Muon(lr=0.02, groups={"*.bias": optim.AdamW(lr=3e-4)})
    optimizer.update(net, net.numpy())
    assert set(optimizer.state) == {
        "0.weight:momentum_buffer",
        "0.bias:exp_avg",
        "0.bias:exp_avg_sq",
    }


def test_too_many_iterations():
    message = "Muon takes ns_steps as a whole number from 0 to 99; got 100."
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}$"):
        optim.Muon(ns_steps=100)
