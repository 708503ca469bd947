"""Least squares of nonlinear curves: what NIST certifies, to the digits that it certifies."""

import importlib.util

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from tests.eager.nist import MISRA1A, PROBLEMS
from tests.tree import ROOT

# From the far start of two sets, a fit ends on a plateau where no parameter matters any more.
HARD = {("BoxBOD", 0), ("MGH17", 0)}
STARTS = [(name, i) for name in PROBLEMS for i in (0, 1) if (name, i) not in HARD]


@pytest.fixture(scope="module")
def example():
    """examples/curve_fitting.py"""
    path = ROOT / "examples" / "curve_fitting.py"
    specification = importlib.util.spec_from_file_location("curve_fitting", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def certified(value):
    """How far a result may be from a certified value: one unit in the eleventh digit."""
    return 10.0 ** (np.floor(np.log10(abs(value))) - 10)


def assert_certified(found, values):
    for number, value in zip(found, values, strict=True):
        assert abs(number - value) <= certified(value), (number, value)


@pytest.mark.parametrize(("name", "start"), STARTS, ids=lambda value: f"{value}")
def test_a_fit_has_the_certified_digits(example, name, start):
    problem = PROBLEMS[name]
    b = example.fit(problem.residuals, problem.starts[start])
    assert_certified(b, problem.parameters)
    assert_certified([problem.residuals(b).square().sum().item()], [problem.sum_of_squares])
    by_jacobian, by_hessian = example.standard_errors(problem.residuals, b)
    assert_certified(by_jacobian, problem.deviations)
    # The residuals' curvature makes a difference of some per cent, and no more, at such small ones.
    np.testing.assert_allclose(by_hessian, by_jacobian, rtol=0.3)


@pytest.mark.parametrize("name", PROBLEMS)
def test_derivatives_of_a_curve_are_what_differences_say(name):
    from chainrule.testing import check_gradients

    problem = PROBLEMS[name]
    near = np.array(problem.starts[1], float)
    check_gradients(problem.residuals, [near])
    check_gradients(lambda b: problem.residuals(b).square().mean(), [near], order=2)


@pytest.mark.parametrize("name", PROBLEMS)
def test_products_at_the_minimum_are_those_of_the_matrices(name):
    problem = PROBLEMS[name]
    b = np.array(problem.parameters)
    J = cr.jacobian(problem.residuals)(b).numpy()
    H = cr.hessian(lambda b: 0.5 * problem.residuals(b).square().sum())(b).numpy()
    v = b * np.linspace(-1, 1, b.size)
    half = lambda r: 0.5 * r.square().sum()  # noqa: E731
    newton = cr.gnvp(problem.residuals, half)(b, v).numpy()
    product = cr.hvp(lambda b: half(problem.residuals(b)))(b, v).numpy()
    # Sums of up to 37 products of J, and of p of H, whose terms cancel: against their sizes.
    sizes = abs(J).T @ (abs(J) @ abs(v))
    np.testing.assert_array_less(abs(newton - J.T @ (J @ v)), 2**8 * 2.0**-53 * sizes)
    np.testing.assert_array_less(abs(product - H @ v), 2**10 * 2.0**-53 * (sizes + abs(H) @ abs(v)))


def test_the_example_prints_what_it_found(example, capsys):
    example.main()
    lines = capsys.readouterr().out.splitlines()
    for line, value, deviation in zip(
        lines[1:3], MISRA1A.parameters, MISRA1A.deviations, strict=True
    ):
        _, found, stated, error, certified_error, by_hessian = line.split()
        assert (float(stated), float(certified_error)) == (value, deviation)
        assert abs(float(found) - value) <= certified(value)
        assert abs(float(error) - deviation) <= certified(deviation)
        assert float(by_hessian) != float(error)
    assert "certified 1.2455138894e-01" in lines[3]


def test_lbfgs_finds_the_curve_from_values_and_gradients_alone():
    # In parameters of size 1: L-BFGS measures all of them by one yardstick.
    scale = np.array([100.0, 1e-3])
    f = lambda p: MISRA1A.residuals(p * scale).square().sum()  # noqa: E731
    lbfgs = optim.LBFGS(
        max_iter=500, tolerance_grad=1e-9, tolerance_change=0.0, line_search_fn="strong_wolfe"
    )
    found = lbfgs.minimize(f, np.array([2.5, 0.5]))
    # A value does not tell parameters apart that agree in half their digits.
    np.testing.assert_allclose(found.x * scale, MISRA1A.parameters, rtol=1e-7)
    assert found.value == pytest.approx(MISRA1A.sum_of_squares, rel=1e-10)


def test_a_curve_may_have_named_parameters():
    """A damped oscillation, whose parameters stand in a dict."""
    t = np.linspace(0, 10, 200)
    true = {"size": np.array(2.0), "decay": np.array(0.3), "speed": np.array(2.5)}

    def oscillation(p):
        return p["size"] * cr.exp(-p["decay"] * t) * cr.cos(p["speed"] * t)

    y = oscillation(true).numpy()
    cost = lambda p: (oscillation(p) - y).square().mean()  # noqa: E731
    value, gradient = cr.value_and_grad(cost)(true)
    assert value.item() == 0.0
    assert {name: g.item() for name, g in gradient.items()} == dict.fromkeys(true, 0.0)
    start = {"size": np.array(1.0), "decay": np.array(0.1), "speed": np.array(2.2)}
    lbfgs = optim.LBFGS(max_iter=200, tolerance_change=0.0, line_search_fn="strong_wolfe")
    found = lbfgs.minimize(cost, start).x
    for name, number in true.items():
        assert found[name] == pytest.approx(number, abs=1e-6)
