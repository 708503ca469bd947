"""Names as people write them are read as the values they mean."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.explanation.checking.anatomy import take_apart
from chainrule.explanation.checking.naming import Meaning, Names


def anatomy_of(frozen=()):
    net = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 1), nn.Sigmoid())
    net.initialize(seed=0)
    for name, parameter in net.named_parameters():
        parameter.requires_grad = name not in frozen
    trace = cr.explain(
        net,
        np.array([[1.0, 2.0], [0.5, -1.0]]),
        np.array([[1.0], [0.0]]),
        loss=nn.QuadraticLoss(),
        backend="numpy",
        names={"w5": ["2.weight[0, 0]"], "E": ["loss"]},
    )
    return take_apart(trace)


@pytest.fixture(scope="module")
def names():
    return Names(anatomy_of())


@pytest.mark.parametrize(
    "written",
    [
        "dW1",
        "d_W1",
        "grad_W1",
        "gradW1",
        "grad(W1)",
        "W1.grad",
        "W1_grad",
        "0.weight.grad",
        "d_0.weight",
        "∂C/∂W1",
        "∂L/∂W1",
        "dC/dW1",
        "dL_dW1",
        "dLdW1",
        "∂W1",
        "∇W1",
        "nabla_w1",
        "dw1",
        "d_W_1",
        "dW[1]",
        "dW^[1]",
        "dW₁",
        "gradient_of_W1",
        "grad.layer1.weight",
        "W1.gradient",
        "𝜕C/𝜕W1",
    ],
)
def test_gradient_of_a_weight(names, written):
    assert names.read(written) == Meaning("d_0.weight")


@pytest.mark.parametrize(
    "written",
    [
        "0.weight",
        "W1",
        "w1",
        "W_1",
        "W₁",
        "W^[1]",
        "W^(1)",
        "weight1",
        "weights_1",
        "kernel_1",
        "layer1.weight",
        "fc1.weight",
        "layer_1_W",
        "θ1",
    ],
)
def test_plain_name_of_a_weight_is_its_gradient(names, written):
    assert names.read(written) == Meaning("d_0.weight", None, "0.weight")


@pytest.mark.parametrize(
    "written",
    [
        "δ1",
        "δ_1",
        "δ₁",
        "δ^1",
        "δ^(1)",
        "delta1",
        "delta_1",
        "Delta1",
        "dz1",
        "d_z1",
        "∂C/∂z1",
        "d_0.out",
        "error_1",
        "d1",
        "d_1",
    ],
)
def test_error_of_a_layer(names, written):
    assert names.read(written) == Meaning("d_0.out")


@pytest.mark.parametrize(("written", "value"), [("δL", "d_2.out"), ("delta_out", "d_2.out")])
def test_error_of_the_last_layer(names, written, value):
    assert names.read(written) == Meaning(value)


@pytest.mark.parametrize(
    "written",
    [
        "next.0.weight",
        "new_W1",
        "newW1",
        "W1_new",
        "W1.new",
        "updated_W1",
        "W1_updated",
        "W1'",
        "W1′",
        "W1⁺",
        "W1+",
        "W1*",
        "next_W1",
        "W1(t+1)",
    ],
)
def test_updated_weight(names, written):
    assert names.read(written) == Meaning("next.0.weight")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("a1", "1.out"),
        ("h1", "1.out"),
        ("A1", "1.out"),
        ("z1", "0.out"),
        ("net1", "0.out"),
        ("a2", "3.out"),
        ("y_hat", "3.out"),
        ("ŷ", "3.out"),
        ("out", "3.out"),
        ("loss", "loss"),
        ("C", "loss"),
        ("L", "loss"),
        ("cost", "loss"),
        ("db2", "d_2.bias"),
        ("∂b₂", "d_2.bias"),
        ("da1", "d_1.out"),
        ("d_1.out/d_0.out", "d_1.out/d_0.out"),
    ],
)
def test_other_values(names, written, value):
    assert names.read(written) == Meaning(value)


@pytest.mark.parametrize(
    ("written", "value", "index"),
    [
        ("dW1[2,1]", "d_0.weight", (2, 1)),
        ("dW1[2][1]", "d_0.weight", (2, 1)),
        ("dW1(2,1)", "d_0.weight", (2, 1)),
        ("W1.grad[2, 1]", "d_0.weight", (2, 1)),
        ("∂C/∂w5", "d_2.weight", (0, 0)),
        ("dw5", "d_2.weight", (0, 0)),
        ("w5_new", "next.2.weight", (0, 0)),
        ("w5'", "next.2.weight", (0, 0)),
        ("dW1[2]", "d_0.weight", (2,)),
        ("E", "loss", ()),
    ],
)
def test_elements_and_numbers_with_names_of_their_own(names, written, value, index):
    assert names.read(written) == Meaning(value, index)


def test_a_number_with_a_name_of_its_own_is_its_gradient(names):
    assert names.read("w5") == Meaning("d_2.weight", (0, 0), "2.weight")


THERE = "There are: w5, E, W1, b1, W2, b2, z1, a1, z2, a2, δ1, δ2."


@pytest.mark.parametrize(
    ("written", "suggestion"), [("0.wieght", 'Did you mean "0.weight"? '), ("foo", "")]
)
def test_unknown_name_is_told_with_the_nearest(names, written, suggestion):
    with pytest.raises(LookupError) as caught:
        names.read(written)
    assert caught.value.args[0] == f"the step has no value of this name. {suggestion}{THERE}"


@pytest.mark.parametrize("written", ["b1", "db1", "0.bias"])
def test_frozen_parameter_has_no_gradient(written):
    with pytest.raises(LookupError) as caught:
        Names(anatomy_of(frozen=("0.bias",))).read(written)
    assert caught.value.args[0] == "0.bias is not trained in this step: it has no gradient"


def test_weights_are_counted_where_the_textbook_has_no_names():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Sigmoid(), nn.Linear(3, 1))
    x, y = np.arange(6.0).reshape(3, 2), np.ones((3, 1))
    trace = cr.explain(net, x, y, backend="numpy")
    assert "W1" not in trace.graph.positions
    names = Names(take_apart(trace))
    assert names.read("dW2") == Meaning("d_3.weight")
    assert names.read("b1") == Meaning("d_0.bias", None, "0.bias")
    assert names.read("δ2") == Meaning("d_3.out")


@pytest.mark.parametrize("written", ["δ_o1", "δo1", "delta_o1", "d_o1", "error_o1", "d_net_o1"])
def test_an_error_of_a_unit_that_has_a_name_is_read_with_any_sign_of_it(written):
    net = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 1), nn.Sigmoid())
    unit = {"net_o1": ["2.out[0]"], "out_o1": ["3.out[0]"], "δ_o1": ["d_2.out[0]"]}
    trace = cr.explain(net, np.ones((1, 2)), np.ones((1, 1)), backend="numpy", names=unit)
    assert Names(take_apart(trace)).read(written) == Meaning("d_2.out", (0, 0))
