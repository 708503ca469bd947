"""Calling a module: what it takes and gives, in which dtype, under which names."""

import threading
import traceback
from typing import NamedTuple

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import ConfigurationError, ShapeError
from tests.nn.lines import place

X = np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 0.25]])


class Pair(NamedTuple):
    mean: cr.Tensor
    spread: cr.Tensor


class Joint(nn.Module):
    """Two inputs, and outputs as `shape` says."""

    def __init__(self, shape):
        self.shape = shape
        self.left = nn.Linear(2, 3)
        self.right = nn.Linear(1, 3)

    def forward(self, a, b):
        s, t = self.left(a), self.right(b)
        return {"tuple": (s, t), "dict": {"sum": s + t, "gap": s - t}, "named": Pair(s, t)}[
            self.shape
        ]


def small():
    return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))


@pytest.mark.parametrize("shape", ["tuple", "dict", "named"])
def test_two_inputs_and_two_outputs(shape):
    net = Joint(shape)
    result = net(X, X[:, :1])
    s, t = net.left(X).numpy(), net.right(X[:, :1]).numpy()
    if shape == "dict":
        assert list(result) == ["sum", "gap"]
        np.testing.assert_array_equal(result["gap"].numpy(), s - t)
    else:
        assert type(result) is (Pair if shape == "named" else tuple)
        np.testing.assert_array_equal(result[1].numpy(), t)


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ("tuple", ["out.0", "out.1"]),
        ("dict", ["out.sum", "out.gap"]),
        ("named", ["out.0", "out.1"]),
    ],
)
def test_several_outputs_have_a_name_each(shape, names):
    graph = cr.trace(Joint(shape), X, X[:, :1])
    assert set(names) <= set(graph.positions)


def test_gradients_reach_both_inputs_and_both_branches():
    net = Joint("tuple").astype("float64")

    def total(net, a, b):
        s, t = net(a, b)
        return (s * t).sum()

    d_net, d_a, d_b = cr.grad(total, (0, 1, 2))(net, X, X[:, :1])
    s, t = (y.numpy() for y in net(X, X[:, :1]))
    weights = net.state_dict()
    # Two products of at most 3 terms: a few roundings.
    close = {"rtol": 1e-14, "atol": 1e-14}
    np.testing.assert_allclose(d_a.numpy(), t @ weights["left.weight"], **close)
    np.testing.assert_allclose(d_b.numpy(), s @ weights["right.weight"], **close)
    np.testing.assert_allclose(d_net["left.bias"].numpy(), t.sum(axis=0), **close)


def test_arrays_lists_and_tensors_give_the_same():
    net = small()
    expected = net(X.astype(np.float32)).numpy()
    for x in (X, X.tolist(), cr.tensor(X), cr.tensor(X, dtype="float32")):
        y = net(x)
        assert y.dtype == np.float32
        np.testing.assert_array_equal(y.numpy(), expected)
    np.testing.assert_array_equal(net(x=X).numpy(), expected)


def test_integers_are_computed_in_the_networks_dtype():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    ones = np.ones((2, 2))
    y = net(ones.astype(np.int64))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y.numpy(), net(ones).numpy())
    assert net([[True, False]]).dtype == np.float32


def test_a_network_computes_in_its_dtype_whatever_it_is_given():
    net = small()
    assert net(X).dtype == np.float32
    assert net.astype("float64")(X.astype(np.float32)).dtype == np.float64


def test_without_parameters_the_inputs_dtype_stays():
    assert nn.Sigmoid()(X).dtype == np.float64
    assert nn.Sigmoid()(X.astype(np.float32)).dtype == np.float32


def test_calling_and_predicting_give_the_same_numbers():
    """To the rounding of a few sums: Tensors are computed by NumPy, and predict is compiled."""
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(), nn.Linear(3, 1))
    allowed = 16 * np.finfo(np.float32).eps * np.abs(X).max()
    np.testing.assert_allclose(net(X).numpy(), net.predict(X), rtol=0, atol=allowed)


def test_one_example_without_a_batch_axis():
    net = small()
    np.testing.assert_allclose(net(X[0]).numpy(), net(X).numpy()[0], rtol=1e-6)
    assert nn.Linear(1, 2)([0.5]).shape == (2,)


def test_numbers_where_arrays_are_meant():
    assert nn.Tanh()(0.5).item() == pytest.approx(np.tanh(0.5), rel=1e-15)
    with pytest.raises(
        ShapeError, match=r"^Linear\(in_features=2\) got x of shape \[\]: it has no"
    ):
        small()(1.0)


def test_lists_of_tensors_and_options_reach_forward():
    class Join(nn.Module):
        def __init__(self):
            self.linear = nn.Linear(4, 1)

        def forward(self, parts, *, negate=False, bias=None):
            y = self.linear(cr.concatenate(parts, axis=1))
            y = -y if negate else y
            return y if bias is None else y + bias

    net = Join()
    parts = [cr.tensor(X), cr.tensor(X)]
    y = net(parts)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(net(parts, negate=True).numpy(), -y.numpy())
    shifted = net((X, X), bias=np.ones((3, 1)))
    assert shifted.dtype == np.float32
    np.testing.assert_array_equal(shifted.numpy(), y.numpy() + np.float32(1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: small()(), "Sequential.forward() missing 1 required positional argument: 'x'"),
        (
            lambda: small()(X, X),
            "Linear.forward() takes 2 positional arguments but 3 were given",
        ),
        (
            lambda: nn.Linear(3),
            "Linear.__init__() missing 1 required positional argument: 'out_features'",
        ),
        (
            lambda: nn.Linear(3, 4, flavour=1),
            "Linear.__init__() got an unexpected keyword argument 'flavour'",
        ),
    ],
    ids=["too few", "too many", "to make, too few", "to make, unknown"],
)
def test_wrong_arguments_are_pythons_error(call, message):
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value) == message


def test_wrong_arguments_of_a_layer_are_shown_at_the_line_that_makes_it():
    with pytest.raises(TypeError) as caught:
        nn.Linear(3)
    assert traceback.extract_tb(caught.value.__traceback__)[-1].filename == __file__


def test_a_module_without_forward_says_what_to_write():
    class Silent(nn.Module):
        pass

    with pytest.raises(ConfigurationError) as caught:
        Silent()(X)
    assert str(caught.value) == "Silent has no forward method. Write def forward(self, x): ..."


def test_an_error_inside_names_the_layer_and_the_users_line():
    net = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Linear(4, 1)))
    with pytest.raises(ShapeError) as caught:
        net(X)
    where = place(test_an_error_inside_names_the_layer_and_the_users_line, "net(X)")
    assert str(caught.value) == (
        "Linear(in_features=4) got x of shape [3,3]: its last axis is 3. "
        f'{where}, layer "1.0". Did you mean in_features=3?'
    )


def test_a_network_can_be_made_inside_a_traced_function():
    made = nn.Linear(2, 1)

    def f(x):
        return nn.Linear(2, 1)(x).sum()

    np.testing.assert_allclose(
        cr.grad(f)(X.astype(np.float32)).numpy()[0], made.initialize().state_dict()["weight"][0]
    )


def test_the_same_network_twice_in_one_function():
    net = small().astype("float64")
    value, gradient = cr.value_and_grad(lambda net: (net(X) * net(2 * X)).sum())(net)
    assert value.item() == pytest.approx((net(X).numpy() * net(2 * X).numpy()).sum(), rel=1e-14)
    step = 1e-6
    bumped = net.state_dict() | {"2.bias": net.state_dict()["2.bias"] + step}
    net.load_state_dict(bumped)
    above = (net(X).numpy() * net(2 * X).numpy()).sum()
    # The function is quadratic in this bias: the error of the difference is step·½·d²f = 3·step.
    assert (above - value.item()) / step == pytest.approx(
        gradient["2.bias"].item(), abs=3 * step + 1e-9
    )


def test_a_recursive_network_has_its_calls_counted():
    class Repeat(nn.Module):
        def __init__(self):
            self.linear = nn.Linear(2, 2)

        def forward(self, x, times=2):
            y = self.linear(x)
            return y if times == 1 else self(y, times - 1)

    graph = cr.trace(Repeat(), X)
    assert [node.scope for node in graph.nodes if node.op == "contract"] == ["linear", "linear#2"]


def test_two_threads_call_two_networks():
    nets = [nn.Sequential(*(nn.Linear(2, 2) for _ in range(depth))) for depth in (3, 7)]
    expected = [net(X).numpy() for net in nets]
    names = [[f"{i}.out" for i in range(depth)] for depth in (3, 7)]
    wrong = []

    def work(which):
        for _ in range(50):
            y = nets[which](X).numpy()
            graph = cr.trace(nets[which], X)
            found = [n.name for n in graph.nodes if n.name and n.name.endswith(".out")]
            if not np.array_equal(y, expected[which]) or found != names[which]:
                wrong.append(which)

    threads = [threading.Thread(target=work, args=(i,)) for i in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_training_belongs_to_the_thread_that_asked_for_it():
    dropout = nn.Dropout(0.5)
    seen = []
    with nn.training():
        thread = threading.Thread(target=lambda: seen.append(dropout(np.ones(100)).numpy()))
        thread.start()
        thread.join()
    assert (seen[0] == 1).all()
