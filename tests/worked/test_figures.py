"""Every figure of the worked examples comes out of `fit`, to the digits that are printed."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.data.worked import Figure, worked_example
from tests.worked.networks import build, element, fit

TWO_TWO_TWO = worked_example("2-2-2")
TWO_THREE_ONE = worked_example("2-3-1")


def _true(figures: list[Figure]) -> list[Figure]:
    return [figure for figure in figures if not figure.mistake]


@pytest.fixture(scope="module")
def trained():
    """The 2-2-2 network after its ten thousand updates."""
    net = build(TWO_TWO_TWO)
    return net, fit(net, TWO_TWO_TWO)


@pytest.mark.parametrize(
    "figure", _true(TWO_TWO_TWO.figures), ids=lambda f: f"{f.symbol}@{f.steps}"
)
def test_two_two_two_figure_comes_out_of_fit(trained, figure):
    _, run = trained
    values = run.at(figure.steps).record()
    assert element(values, figure.element) == pytest.approx(figure.value, abs=figure.tolerance)


def test_two_two_two_network_ends_with_the_state_after_its_last_update(trained):
    net, run = trained
    last = run.at(run.steps).parameters
    assert all(np.array_equal(last[path], value) for path, value in net.state_dict().items())


def test_frozen_biases_stay_as_the_textbook_gives_them(trained):
    net, _ = trained
    assert net.state_dict()["0.bias"].tolist() == [0.35, 0.35]
    assert net.state_dict()["2.bias"].tolist() == [0.60, 0.60]


def test_gradient_of_w1_is_the_sum_of_its_two_paths(trained):
    _, run = trained
    v = run.at(0).record()
    through_o1, through_o2 = v["d_2.out"][0] * v["2.weight"][:, 0]
    h1, i1 = v["1.out"][0, 0], v["x"][0, 0]
    assert element(v, "d_0.weight[0, 0]") == pytest.approx(
        (through_o1 + through_o2) * h1 * (1 - h1) * i1, rel=1e-14
    )


def _update_in_the_wrong_order(net, steps):
    """Update the output layer first, and compute the hidden deltas from the new weights.

    This is the mistake of the popular write-up: the chain rule takes ∂E/∂h at the weights by
    which h was used, and those are the old ones.
    """
    loss = cr.nn.QuadraticLoss()
    x, y = TWO_TWO_TWO.x, TWO_TWO_TWO.y
    rate = TWO_TWO_TWO.learning_rate
    hidden, output = net[0].weight, net[2].weight

    def cost(_):
        return loss(net(x), y).mean()

    for _ in range(steps):
        h = net[1](net[0](x)).numpy()
        a = net(x).numpy()
        delta = (a - y) * a * (1 - a)
        d_output = cr.grad(cost)(net)["2.weight"].numpy()
        output.replace(output.numpy() - rate * d_output)
        d_hidden = ((delta @ output.numpy()) * h * (1 - h)).T @ x  # the new weights: wrong
        hidden.replace(hidden.numpy() - rate * d_hidden)
    return net


def _published(figure):
    net = _update_in_the_wrong_order(build(TWO_TWO_TWO), figure.steps)
    a = net(TWO_TWO_TWO.x).numpy()
    values = {"3.out": a, "loss": np.array(0.5 * ((a - TWO_TWO_TWO.y) ** 2).sum())}
    return element(values, figure.element)


WRONG = [figure for figure in TWO_TWO_TWO.figures if figure.mistake]


def test_published_error_after_one_step_is_that_of_the_wrong_order():
    (figure,) = [figure for figure in WRONG if figure.steps == 1]
    assert _published(figure) == pytest.approx(figure.value, abs=figure.tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("figure", [f for f in WRONG if f.steps > 1], ids=lambda f: f.symbol)
def test_published_figures_after_ten_thousand_steps_are_those_of_the_wrong_order(figure):
    assert _published(figure) == pytest.approx(figure.value, abs=figure.tolerance)


def test_true_order_by_hand_gives_what_fit_gives():
    net = build(TWO_TWO_TWO)
    optimizer = optim.SGD(lr=TWO_TWO_TWO.learning_rate)
    loss = cr.nn.QuadraticLoss()
    for _ in range(20):
        with cr.nn.training():
            gradients = cr.grad(lambda n: loss(n(TWO_TWO_TWO.x), TWO_TWO_TWO.y).mean())(net)
        optimizer.update(net, gradients)
    fitted = build(TWO_TWO_TWO)
    fit(fitted, TWO_TWO_TWO, epochs=20, backend="numpy")  # as the loop: another exp, other bits
    for path, value in fitted.state_dict().items():
        assert np.array_equal(net.state_dict()[path], value), path


@pytest.mark.parametrize(
    "figure", _true(TWO_THREE_ONE.figures), ids=lambda f: f"{f.symbol}@{f.steps}"
)
def test_two_three_one_figure_comes_out_of_fit(figure):
    net = build(TWO_THREE_ONE)
    values = fit(net, TWO_THREE_ONE, epochs=2).at(figure.steps).record()
    assert element(values, figure.element) == pytest.approx(figure.value, abs=figure.tolerance)


def test_two_three_one_matrices_obey_bp1_to_bp4():
    net = build(TWO_THREE_ONE)
    v = fit(net, TWO_THREE_ONE, epochs=1).at(0).record()
    a, y = v["3.out"], TWO_THREE_ONE.y
    bp1 = 2 * (a - y) * a * (1 - a)
    bp2 = (v["d_2.out"] @ v["2.weight"]) * v["1.out"] * (1 - v["1.out"])
    # Two roundings for each factor, of numbers below one: a few units in the last place.
    close = {"rtol": 8 * np.finfo(float).eps, "atol": 0}
    np.testing.assert_allclose(v["d_2.out"], bp1, **close)
    np.testing.assert_allclose(v["d_0.out"], bp2, **close)
    np.testing.assert_allclose(v["d_2.bias"], v["d_2.out"][0], **close)
    np.testing.assert_allclose(v["d_0.bias"], v["d_0.out"][0], **close)
    np.testing.assert_allclose(v["d_2.weight"], v["d_2.out"].T @ v["1.out"], **close)
    np.testing.assert_allclose(v["d_0.weight"], v["d_0.out"].T @ v["x"], **close)
