"""Batch norm: torch's numbers in training and evaluation, statistics that follow the batches."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import ShapeError
from tests.nn.lines import place
from tests.nn.parity import DTYPES, assert_close, copy_to_torch, numbers, ours, theirs

SHAPES = pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5)], ids=["2-D", "3-D"])


def spread_like(statistics, x):
    return statistics.reshape(1, -1, *(1,) * (x.ndim - 2))


def magnitudes(x, gamma):
    """How many numbers are averaged, and how large x is beside its deviation: κ = 1 + max|x| / σ.

    The rounding errors of x - mean are relative to |x| and |mean|, so κ times as large beside the
    result as they would be without a mean.
    """
    axes = (0,) if x.ndim == 2 else (0, 2)
    n = x.size // x.shape[1]
    kappa = 1 + np.abs(x).max() / x.std(axis=axes).min()
    return n, kappa, np.abs(gamma).max() / x.std(axis=axes).min()


@SHAPES
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("affine", [{}, {"bias": False}, {"affine": False}], ids=str)
def test_training(torch, dtype, shape, affine):
    x, d_y, v = 2 * numbers(0, *shape) + 1, numbers(1, *shape), numbers(2, *shape)
    net, module = nn.BatchNorm1d(3, **affine), torch.nn.BatchNorm1d(3, **affine)
    for name, parameter in net.named_parameters():
        parameter.replace(numbers(3 if name == "weight" else 4, 3))
    copy_to_torch(torch, net.state_dict(), module)
    gamma = net.state_dict().get("weight", np.ones(1))
    beta = net.state_dict().get("bias", np.zeros(1))
    n, kappa, slope = magnitudes(x, gamma)
    with nn.training():
        y, gradient = ours(net, x, d_y, dtype)
    y_torch, expected = theirs(torch, module, x, d_y)
    # mean, deviation, square, mean, root, quotient: two sums of n, and 8 operations.
    scale = kappa * (np.abs(gamma).max() * kappa + np.abs(beta).max())
    assert_close(y, y_torch, scale=scale, roundings=2 * n + 8)
    # d_x = γ/σ·(d_y - mean(d_y) - x̂·mean(d_y·x̂)): two more sums, and the errors of x̂ above.
    large = np.abs(d_y).max()
    scale = slope * large * (2 + kappa**2) * kappa
    assert_close(gradient["x"], expected["x"], scale=scale, roundings=4 * n + 16)
    total = large * n * kappa
    if net.weight is not None:
        assert_close(gradient["weight"], expected["weight"], scale=total, roundings=3 * n + 8)
    if net.bias is not None:
        assert_close(gradient["bias"], expected["bias"], scale=total, roundings=n)
    with nn.training():
        _, second = ours(net, x, d_y, dtype, v)
    _, expected = theirs(torch, module, x, d_y, v)
    # Once more through the same formulas: another factor 1/σ, another power of κ.
    scale = slope * large * np.abs(v).max() * (2 + kappa**2) ** 2 * kappa * max(1, slope)
    assert_close(second["x"], expected["x"], scale=scale, roundings=8 * n + 32)


@SHAPES
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("momentum", [0.1, 0.5, 1.0, 0.0, None])
def test_running_statistics_after_five_batches(torch, dtype, shape, momentum):
    net = nn.BatchNorm1d(3, momentum=momentum).astype(dtype)
    module = torch.nn.BatchNorm1d(3, momentum=momentum).double()
    largest = 1.0
    for batch in range(5):
        x = numbers(batch, *shape) * (batch + 1) + batch
        largest = max(largest, np.abs(x).max())
        with nn.training():
            net(x)
        module(torch.tensor(x))
    state, expected = net.state_dict(), module.state_dict()
    n = x.size // 3
    # Each update is a sum of n and three operations, five times; squares for the variance.
    for name, scale in (("running_mean", 2 * largest), ("running_var", 4 * largest**2)):
        theirs_now = expected[name].numpy()
        assert_close(state[name], theirs_now, scale=scale, roundings=2 * (n + 4) + 15)
    assert state["num_batches_tracked"] == expected["num_batches_tracked"] == 5
    # Evaluation uses them.
    module.eval()
    y_torch, gradient_torch = theirs(torch, module, x, np.ones(shape))
    y, gradient = ours(net, x, np.ones(shape), dtype)
    deviation = np.sqrt(expected["running_var"].numpy() + net.eps)
    mean = np.abs(expected["running_mean"].numpy())
    scale = (2 * largest + mean) / deviation
    # The variance's error enters through its root; relative to the variance it is (4·largest²)/var.
    scale = scale * (1 + 4 * largest**2 / deviation**2)
    scale = spread_like(scale, x)
    assert_close(y, y_torch, scale=scale, roundings=2 * (n + 4) + 20)
    assert_close(gradient["x"], gradient_torch["x"], scale=scale, roundings=2 * (n + 4) + 20)


@pytest.mark.parametrize("training", [True, False])
def test_without_running_statistics_the_batch_decides(torch, training):
    x, d_y = numbers(0, 6, 3), numbers(1, 6, 3)
    net = nn.BatchNorm1d(3, track_running_stats=False)
    module = torch.nn.BatchNorm1d(3, track_running_stats=False)
    assert list(net.state_dict()) == list(module.state_dict()) == ["weight", "bias"]
    module.train(training)
    if training:
        with nn.training():
            y, _ = ours(net, x, d_y, "float64")
    else:
        y, _ = ours(net, x, d_y, "float64")
    y_torch, _ = theirs(torch, module, x, d_y)
    n, kappa, _ = magnitudes(x, np.ones(1))
    assert_close(y, y_torch, scale=kappa**2, roundings=2 * n + 8)


def test_outside_of_training_nothing_is_tracked():
    net = nn.BatchNorm1d(3)
    before = net.state_dict()
    net(numbers(0, 6, 3))
    net.predict(numbers(0, 6, 3))
    with nn.training():
        net.predict(numbers(0, 6, 3))  # predict evaluates, wherever it is called
    for path, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[path])


@pytest.mark.parametrize(
    "run",
    [
        lambda net, x: net(x),
        lambda net, x: net(x).sum().backward(),
        lambda net, x: cr.value_and_grad(lambda net: net(x).square().sum())(net),
        lambda net, x: cr.grad(lambda x: net(x).square().sum())(x),
        lambda net, x: cr.vjp(net, x)[1](np.ones((6, 3))),
        lambda net, x: cr.jvp(net, [x], [x]),
        lambda net, x: cr.grad(
            lambda net: cr.grad(lambda x: net(x).square().sum())(x).square().sum()
        )(net),
    ],
    ids=["eager", "backward", "value_and_grad", "grad of x", "vjp", "jvp", "second order"],
)
def test_statistics_are_updated_once_per_call(run):
    x = numbers(0, 6, 3)
    net = nn.BatchNorm1d(3).astype("float64")
    with nn.training():
        run(net, x)
    state = net.state_dict()
    assert state["num_batches_tracked"] == 1
    np.testing.assert_allclose(state["running_mean"], 0.1 * x.mean(axis=0), rtol=1e-14)


def test_tracing_alone_updates_nothing():
    net = nn.BatchNorm1d(3)
    with nn.training():
        graph = cr.trace(net, numbers(0, 6, 3))
    assert net.state_dict()["num_batches_tracked"] == 0
    assert len([o for o in graph.outputs if o.label.startswith("write")]) == 3


def test_called_twice_it_follows_both_batches():
    layer = nn.BatchNorm1d(3).astype("float64")
    a, b = numbers(0, 6, 3), numbers(1, 6, 3)
    with nn.training():
        cr.grad(lambda net: (net(a) * net(b)).sum())(layer)
    expected = 0.9 * 0.1 * a.mean(axis=0) + 0.1 * b.mean(axis=0)
    np.testing.assert_allclose(layer.state_dict()["running_mean"], expected, rtol=1e-13)
    assert layer.state_dict()["num_batches_tracked"] == 2


def test_a_batch_of_one_is_refused():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    with nn.training(), pytest.raises(ShapeError) as caught:
        net(np.ones((1, 2)))  # refused
    where = place(test_a_batch_of_one_is_refused, "net(np.ones((1, 2)))  # refused")
    assert str(caught.value) == (
        "BatchNorm1d got a batch of one example: its variance is zero and its output does not "
        f'depend on x. {where}, layer "1". Use larger batches, '
        "or drop_last=True if only the last one is this short."
    )
    assert net(np.ones((1, 2))).shape == (1, 3)  # evaluation takes any number
    with nn.training():
        assert nn.BatchNorm1d(3)(np.ones((1, 3, 2))).shape == (1, 3, 2)


@pytest.mark.parametrize("shape", [(4, 2), (3,), (2, 2, 3), (2, 3, 4, 5)])
def test_wrong_features_are_refused(shape):
    with pytest.raises(ShapeError) as caught:
        nn.BatchNorm1d(3)(np.ones(shape))
    shown = ",".join(map(str, shape))
    where = place(test_wrong_features_are_refused, "nn.BatchNorm1d(3)(")
    assert str(caught.value) == (
        f"BatchNorm1d(num_features=3) got x of shape [{shown}]: its axis 1 must be 3. {where}."
    )
