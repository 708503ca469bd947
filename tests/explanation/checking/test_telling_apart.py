"""Mistakes that give the same numbers are told apart by another value or another input."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.explanation.checking.anatomy import take_apart
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import faults_of
from chainrule.explanation.checking.telling_apart import on_other_data

X = np.array([[1.0, 2.0], [0.5, -1.0], [-0.7, 0.3], [0.2, 0.9]])
Y = np.array([[1.0], [0.0], [1.0], [0.0]])


def network(activation=nn.Sigmoid):
    net = nn.Sequential(nn.Linear(2, 3), activation(), nn.Linear(3, 1), nn.Sigmoid())
    net.initialize(seed=0)
    return net


def predicted(net, x, y, cause, value):
    """What a cause gives on an input, by the search's own means."""
    anatomy = take_apart(cr.explain(net, x, y, loss=nn.QuadraticLoss(), backend="numpy"))
    known = {(fault.mistake.name, fault.where): fault for fault in faults_of(anatomy)}
    draft = Draft(anatomy)
    for fault in cause.faults:
        known[fault.mistake.name, fault.where].change(draft)
    position = anatomy.names[value]
    return draft.values([position])[position]


def test_a_value_that_was_not_handed_in_tells_apart():
    net = network()
    trace = cr.explain(net, X, Y, loss=nn.QuadraticLoss(), backend="numpy")
    gradient = trace.values[trace.graph.find("d_2.weight")]
    found = cr.check(net, X, Y, loss=nn.QuadraticLoss(), mine={"W2": -gradient})
    assert len(found.causes) > 1
    apart = found.telling_apart
    assert apart.is_possible
    assert apart.is_same_input
    assert apart.value != "d_2.weight"
    for causes, number in apart.groups:
        for cause in causes:
            values = predicted(net, X, Y, cause, apart.value)
            assert values[apart.index] == pytest.approx(number, rel=1e-2)


def test_an_error_tells_apart_what_is_equal_in_every_gradient():
    # Twice the derivative of the loss, or the gradients added to themselves.
    net = network()
    trace = cr.explain(net, X, Y, loss=nn.MSELoss(), backend="numpy")
    names = [f"d_{name}" for name in net.state_dict()]
    mine = {name: 2 * trace.values[trace.graph.find(name)] for name in names}
    found = cr.check(net, X, Y, loss=nn.MSELoss(), mine=mine)
    assert found.mistakes == ("factor-half", "accumulated")
    apart = found.telling_apart
    assert apart.is_same_input
    assert apart.value.endswith(".out")
    (twice, of_factor), (once, of_sum) = sorted(
        ((causes[0].mistakes, number / apart.true) for causes, number in apart.groups),
        key=lambda each: -each[1],
    )
    assert (twice, once) == (("factor-half",), ("accumulated",))
    assert (of_factor, of_sum) == pytest.approx((2, 1))


def test_another_input_tells_apart_what_is_equal_here():
    # At these inputs every unit is on, so that a mask taken elsewhere is the same mask.
    net = network(nn.ReLU)
    state = net.state_dict()
    state["0.weight"] = np.abs(state["0.weight"])
    state["0.bias"] = np.abs(state["0.bias"])
    net.load_state_dict(state)
    x = np.abs(X)
    trace = cr.explain(net, x, Y, loss=nn.QuadraticLoss(), backend="numpy")
    values = {name: trace.values[node] for name, node in trace.graph.positions.items()}
    # σ′ of the output and 1/m are missing.
    delta = values["3.out"] - Y
    mine = {"W2": delta.T @ values["1.out"] / 4, "b2": delta.mean(0)}
    mine["W1"] = (delta @ values["2.weight"]).T @ x / 4
    mine["b1"] = (delta @ values["2.weight"]).mean(0)
    found = cr.check(net, x, Y, loss=nn.QuadraticLoss(), mine=mine)
    assert len(found.causes) > 1
    apart = found.telling_apart
    assert apart.is_possible
    assert not apart.is_same_input
    assert (apart.x == np.round(apart.x, 1)).all()
    assert apart.x.shape == x.shape
    numbers = [number for _, number in apart.groups]
    assert len(set(numbers)) == len(numbers)
    for causes, number in apart.groups:
        for cause in causes:
            again = predicted(net, apart.x, apart.y, cause, apart.value)
            assert again[apart.index] == pytest.approx(number, rel=1e-2)


def test_there_is_nothing_to_tell_apart_where_one_mistake_or_none_explains_it():
    net = network()
    trace = cr.explain(net, X, Y, loss=nn.QuadraticLoss(), backend="numpy")
    gradient = trace.values[trace.graph.find("d_2.weight")]
    assert cr.check(net, X, Y, loss=nn.QuadraticLoss(), mine={"W2": gradient}).telling_apart is None
    odd = cr.check(
        net, X, Y, loss=nn.QuadraticLoss(), mine={"W2": np.add(gradient, [1.0, 2.0, 0.7])}
    )
    assert not odd.causes
    assert odd.telling_apart is None


def test_a_step_on_other_data_is_the_step_taken_apart_there():
    net = network()
    anatomy = take_apart(cr.explain(net, X, Y, loss=nn.QuadraticLoss(), backend="numpy"))
    other = take_apart(
        cr.explain(net, X[::-1] / 2, 1 - Y, loss=nn.QuadraticLoss(), backend="numpy")
    )
    given = {anatomy.names["x"]: X[::-1] / 2, anatomy.names["target"]: 1 - Y}
    moved = on_other_data(anatomy, given)
    for name, position in anatomy.names.items():
        np.testing.assert_allclose(
            moved.values[position], other.values[position], rtol=1e-6, err_msg=name
        )


def test_with_several_inputs_mistakes_are_told_apart_on_the_same_ones_or_not_at_all():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(2, 1), nn.Linear(2, 1)

        def forward(self, p, q):
            return self.a(p) + self.b(q)

    net = Sum()
    net.initialize(seed=0)
    x, y = (X, X[::-1] / 2), Y
    trace = cr.explain(net, x, y, backend="numpy")
    twice = 2 * trace.values[trace.graph.find("d_a.weight")]
    found = cr.check(net, x, y, mine={"a.weight": twice})
    assert len(found.causes) > 1
    assert "Several mistakes give these numbers" in found.text()
    assert "of these shapes told them apart" not in found.text()
    assert found.telling_apart is None or found.telling_apart.is_same_input
    found.to_json()
