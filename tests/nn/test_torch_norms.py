"""Normalisation within an example gives torch's values, gradients and second gradients."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import ConfigurationError, ShapeError
from tests.nn.lines import place
from tests.nn.parity import DTYPES, assert_close, copy_to_torch, numbers, ours, theirs


def compare(torch, net, module, x, dtype, groups):
    """Compare values, gradients and second gradients; `groups` is x with the normalised axis last.

    With n elements normalised together, deviation s and κ = 1 + max|x|/s: the rounding errors of
    x - mean are relative to |x| and the mean, so κ times as large beside the result as they would
    be without a mean. Every sum is one of n.
    """
    d_y, v = numbers(1, *x.shape), numbers(2, *x.shape)
    net.initialize()
    for name, parameter in net.named_parameters():
        parameter.replace(numbers(3 if name == "weight" else 4, *parameter.shape))
    copy_to_torch(torch, net.state_dict(), module)
    state = net.state_dict()
    gamma = np.abs(state.get("weight", np.ones(1))).max()
    beta = np.abs(state.get("bias", np.zeros(1))).max()
    n = groups.shape[-1]
    s = np.sqrt(groups.var(axis=-1) + net.eps).min()
    kappa = 1 + np.abs(x).max() / s
    y, gradient = ours(net, x, d_y, dtype)
    y_torch, expected = theirs(torch, module, x, d_y)
    # mean, difference, square, mean, eps, root, quotient, γ, β: two sums of n, and 8 operations.
    scale = kappa * (gamma * kappa + beta)
    assert_close(y, y_torch, scale=scale, roundings=2 * n + 8)
    # d_x = γ/s·(d_y - mean(d_y) - y·mean(d_y·y)): two more sums, and the errors of y above.
    large, slope = np.abs(d_y).max(), gamma / s
    scale = slope * large * (2 + kappa**2) * kappa
    assert_close(gradient["x"], expected["x"], scale=scale, roundings=4 * n + 16)
    for name in ("weight", "bias"):
        if name in state:
            count = x.size // state[name].size
            scale, sums = large * count * kappa**2, 2 * n + count + 8
            assert_close(gradient[name], expected[name], scale=scale, roundings=sums)
    _, second = ours(net, x, d_y, dtype, v)
    _, expected = theirs(torch, module, x, d_y, v)
    # Once more through the same formulas: another factor 1/s, another power of κ.
    scale = slope / s * large * np.abs(v).max() * (2 + kappa**2) ** 2 * kappa
    assert_close(second["x"], expected["x"], scale=scale, roundings=8 * n + 32)


NORMALIZED = [((5, 3), 3), ((2, 4, 3), (3,)), ((2, 4, 3), (4, 3)), ((2, 3, 2, 4), (2, 4))]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("eps", [1e-5, 0.5])
@pytest.mark.parametrize("affine", [{}, {"bias": False}, {"elementwise_affine": False}], ids=str)
@pytest.mark.parametrize("offset", [0, 1, -30])
@pytest.mark.parametrize(("shape", "normalized"), NORMALIZED, ids=str)
def test_layer_norm(torch, shape, normalized, offset, affine, eps, dtype):
    x = 2 * numbers(0, *shape) + offset
    axes = 1 if isinstance(normalized, int) else len(normalized)
    groups = x.reshape(*shape[: len(shape) - axes], -1)
    net = nn.LayerNorm(normalized, eps, **affine)
    compare(torch, net, torch.nn.LayerNorm(normalized, eps, **affine), x, dtype, groups)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("eps", [1e-5, 0.5])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("offset", [0, 1, -30])
@pytest.mark.parametrize(("shape", "normalized"), NORMALIZED, ids=str)
def test_rms_norm(torch, shape, normalized, offset, affine, eps, dtype):
    x = 2 * numbers(0, *shape) + offset
    axes = 1 if isinstance(normalized, int) else len(normalized)
    groups = x.reshape(*shape[: len(shape) - axes], -1)
    net = nn.RMSNorm(normalized, eps, elementwise_affine=affine)
    module = torch.nn.RMSNorm(normalized, eps, elementwise_affine=affine)
    compare(torch, net, module, x, dtype, groups)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("affine", [{}, {"bias": False}, {"affine": False}], ids=str)
@pytest.mark.parametrize("offset", [0, 1, -30])
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize("shape", [(2, 6), (2, 6, 3), (2, 6, 2, 2)], ids=str)
def test_group_norm(torch, shape, groups, offset, affine, dtype):
    if shape == (2, 6) and groups == 6:
        return  # groups of one number: torch refuses them, and they come to 0 or beta
    x = 2 * numbers(0, *shape) + offset
    net = nn.GroupNorm(groups, 6, 1e-3, **affine)
    module = torch.nn.GroupNorm(groups, 6, 1e-3, **affine)
    compare(torch, net, module, x, dtype, x.reshape(2, groups, -1))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_default_eps_of_rms_norm_is_the_dtypes(torch, dtype):
    x = np.full((2, 3), 1e-9, dtype)
    y = nn.RMSNorm(3).astype(dtype)(x).numpy()
    expected = torch.nn.RMSNorm(3).to(getattr(torch, dtype))(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(y, expected, rtol=4 * np.finfo(dtype).eps)
    assert 0 < y.max() < 1  # eps counts here, and is another one for each dtype


@pytest.mark.parametrize(("net", "n"), [(nn.LayerNorm(4, 0.0), 4), (nn.GroupNorm(2, 4, 0.0), 2)])
def test_outputs_have_mean_0_and_variance_1(net, n):
    x = numbers(0, 5, 4) * 10 + 3
    y = net.astype("float64")(x).numpy().reshape(-1, n)
    # Some ten roundings of numbers that are up to max|x|/s times the result.
    s = x.reshape(-1, n).std(axis=1).min()
    bound = 16 * np.abs(x).max() / s * 2.0**-53
    np.testing.assert_allclose(y.mean(axis=1), 0, atol=bound)
    np.testing.assert_allclose(y.var(axis=1), 1, atol=2 * bound)


@pytest.mark.parametrize("net", [nn.LayerNorm(3), nn.RMSNorm(3), nn.GroupNorm(1, 3)], ids=repr)
def test_an_example_depends_on_no_other_and_training_changes_nothing(net):
    x = numbers(0, 4, 3)
    alone = np.concatenate([net(row[None]).numpy() for row in x])
    np.testing.assert_array_equal(net(x).numpy(), alone)
    with nn.training():
        np.testing.assert_array_equal(net(x).numpy(), alone)


def test_the_batch_is_no_axis_to_normalise():
    net = nn.LayerNorm((2, 3))
    assert net(numbers(0, 2, 3)).shape == (2, 3)  # one example, without an axis of examples
    with pytest.raises(ShapeError, match=r"must be 2, 3, behind the examples\."):
        net.predict(numbers(0, 2, 3))


def test_equal_numbers_become_beta():
    net = nn.LayerNorm(3)
    assert net(np.full((2, 3), 7.0)).numpy().tolist() == [[0, 0, 0], [0, 0, 0]]
    gradient = cr.grad(lambda x: net.astype("float64")(x).sum())(np.full((1, 3), 7.0)).numpy()
    assert np.isfinite(gradient).all()


def test_a_layer_norm_is_one_node_that_opens():
    graph = cr.trace(nn.LayerNorm(3), numbers(0, 4, 3).astype(np.float32))
    assert [node.op for node in graph.nodes if node.op != "input"] == ["layer_norm", "mul", "add"]


def test_integers_are_normalised_in_the_networks_dtype():
    pixels = np.array([[0, 128, 255]])
    for net in (nn.LayerNorm(3), nn.RMSNorm(3, elementwise_affine=False), nn.GroupNorm(1, 3)):
        assert net(pixels).dtype == np.float32


def test_shapes_that_do_not_fit_are_refused_at_the_users_line():
    def layer(x):
        return nn.LayerNorm((2, 3))(x)

    def root(x):
        return nn.RMSNorm(3)(x)

    def group(x):
        return nn.GroupNorm(2, 4)(x)

    shaped = "LayerNorm(normalized_shape=(2, 3)) got x of shape"
    root_mean = "RMSNorm(normalized_shape=(3,)) got x of shape [2,4]: its last axis must be 3"
    groups = "GroupNorm(num_channels=4) got x of shape [2,3]: its axis 1 must be 4"
    for f, text, shape, message in (
        (layer, "nn.LayerNorm", (4, 3), f"{shaped} [4,3]: its last axes must be 2, 3"),
        (layer, "nn.LayerNorm", (3,), f"{shaped} [3]: its last axes must be 2, 3"),
        (root, "nn.RMSNorm", (2, 4), root_mean),
        (group, "nn.GroupNorm", (2, 3), groups),
    ):
        with pytest.raises(ShapeError) as caught:
            f(np.zeros(shape))
        assert (caught.value.message, caught.value.where) == (message, place(f, text))


REFUSED = {
    "groups": (
        lambda: nn.GroupNorm(4, 6),
        "GroupNorm takes num_channels that num_groups divides; got 6 and 4.",
    ),
    "eps": (lambda: nn.LayerNorm(3, -1e-5), "LayerNorm takes eps ≥ 0; got -1e-05."),
    "shape": (
        lambda: nn.LayerNorm((3, 0)),
        "LayerNorm takes normalized_shape as whole numbers ≥ 1, one or several; got (3, 0).",
    ),
    "no shape": (
        lambda: nn.RMSNorm([]),
        "RMSNorm takes normalized_shape as whole numbers ≥ 1, one or several; got [].",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_arguments(case):
    make, message = REFUSED[case]
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert str(caught.value) == message
