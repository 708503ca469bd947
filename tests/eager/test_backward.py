"""``L.backward()``: what it sets, on what, and from which numbers."""

import gc
import weakref

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import NotDifferentiableError, TracingError
from chainrule.eager import assign


def test_backward_sets_the_gradient_of_every_leaf():
    x, w = cr.tensor([1.0, 2.0]), cr.tensor([3.0, 4.0])
    (x * w).sum().backward()
    assert x.grad.numpy().tolist() == [3.0, 4.0]
    assert w.grad.numpy().tolist() == [1.0, 2.0]


def test_backward_twice_gives_the_same_gradient():
    t = cr.tensor(2.0)
    y = t * t
    y.backward()
    y.backward()
    assert t.grad.item() == 4.0


def test_a_value_used_twice_has_the_sum_of_both_ways():
    t = cr.tensor(3.0)
    u = t * 2
    (u * u + u).backward()
    assert u.grad.item() == 2 * 6.0 + 1
    assert t.grad.item() == 2 * u.grad.item()


def test_intermediate_values_have_gradients_too():
    t = cr.tensor(2.0)
    u = t * 3
    y = u.exp()
    y.backward()
    assert y.grad.item() == 1.0
    assert u.grad.item() == y.item()
    assert t.grad.item() == 3 * y.item()


def test_a_leaf_of_two_losses_has_the_gradient_of_the_last_one():
    t = cr.tensor(2.0)
    first, second = t * 3, t * 5
    first.backward()
    assert t.grad.item() == 3.0
    second.backward()
    assert t.grad.item() == 5.0


def test_integers_have_no_gradient():
    x, i = cr.tensor([1.0, 2.0, 3.0]), cr.tensor([0, 2])
    x[i].sum().backward()
    assert x.grad.numpy().tolist() == [1.0, 0.0, 1.0]
    assert i.grad is None


def test_a_value_beside_the_way_has_a_zero_gradient_or_none():
    x, unused = cr.tensor(1.0), cr.tensor(1.0)
    y = (x * 0 + (x > 0).astype("float64") * 2).sum()
    y.backward()
    assert x.grad.item() == 0.0
    assert unused.grad is None


def test_the_gradient_has_the_type_of_its_value():
    a, b = cr.tensor([[1.0], [2.0]], "float32"), cr.tensor([1.0, 2.0, 3.0])
    (a * b).sum().backward()
    assert (a.grad.shape, a.grad.dtype) == ((2, 1), np.float32)
    assert (b.grad.shape, b.grad.dtype) == ((3,), np.float64)


def test_a_frozen_parameter_has_no_gradient_and_lets_others_have_theirs():
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).astype("float64").initialize(0)
    x = cr.tensor([[0.5, -1.0]])
    net(x).sum().backward()
    wanted = {name: parameter.grad.numpy() for name, parameter in net.named_parameters()}
    for parameter in net.parameters():
        parameter.grad = None
    frozen = net[2].weight
    frozen.requires_grad = False
    net(x).sum().backward()
    assert frozen.grad is None
    for name, parameter in net.named_parameters():
        if parameter is not frozen:
            np.testing.assert_array_equal(parameter.grad.numpy(), wanted[name])


def test_a_leaf_is_its_own_loss():
    t = cr.tensor(2.0)
    t.backward()
    assert t.grad.item() == 1.0


@pytest.mark.parametrize(
    ("make", "kind"),
    [(lambda: cr.tensor([1.0, 2.0]) * 2, "f64[2]"), (lambda: cr.tensor(1) * 2, "i64[]")],
    ids=["vector", "integer"],
)
def test_backward_starts_from_a_float_scalar(make, kind):
    with pytest.raises(NotDifferentiableError) as caught:
        make().backward()
    assert caught.value.message == f"backward() starts from a float scalar; got {kind}"
    assert caught.value.advice == "Reduce it with .sum() or .mean(), or use cr.jacobian"


def test_backward_belongs_to_values_not_to_symbols():
    with pytest.raises(TracingError, match=r"Inside a traced function use cr\.grad"):
        cr.grad(lambda t: (t * t).backward())(2.0)


def test_nan_and_infinity_reach_the_gradient():
    t = cr.tensor([0.0, -1.0, np.inf])
    t.log().sum().backward()
    np.testing.assert_array_equal(t.grad.numpy(), [np.inf, -1.0, 0.0])
    t = cr.tensor(np.nan)
    (t * t).backward()
    assert np.isnan(t.grad.item())


# --- variables ------------------------------------------------------------------------------------


def test_a_gradient_belongs_to_the_numbers_the_result_was_computed_from():
    w = cr.tensor(3.0)
    y = w * w
    assign(w, cr.tensor(100.0))
    y.backward()
    assert w.grad.item() == 6.0
    y.backward()
    assert w.grad.item() == 6.0


def test_a_variable_with_two_values_in_one_result_is_refused():
    w = cr.tensor(3.0)
    w.name = "w"
    first = w * w
    assign(w, cr.tensor(5.0))
    with pytest.raises(TracingError, match="w was given a new value between two uses of it"):
        (first + w).backward()


# --- long chains ----------------------------------------------------------------------------------


def chain(length):
    t = cr.tensor(1.0)
    y = t
    for _ in range(length):
        y = y * 1.0001
    return t, y


def test_a_chain_of_20000_ops_has_a_gradient_and_is_let_go():
    t, y = chain(20_000)
    y.backward()
    assert t.grad.item() == pytest.approx(1.0001**20_000, rel=1e-11)
    last = weakref.ref(y)
    # Letting go of the last value frees the 19,999 before it: without a recursion in C.
    del y
    gc.collect()
    assert last() is None


def test_a_wide_sum_of_many_uses_is_not_walked_twice():
    t = cr.tensor(1.0)
    y = t
    for _ in range(60):  # 2⁶⁰ ways from y to t
        y = y * 0.5 + y * 0.5
    y.backward()
    assert t.grad.item() == 1.0
