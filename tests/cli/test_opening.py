"""Opening a gradient: one level of terms of the node that holds it, whatever the op."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.cli.opening import largest_gradient, open_gradient
from chainrule.data import load


def trained(net, dtype="float32", **options):
    data = load("iris")
    return cr.fit(
        net,
        data.x,
        data.y,
        loss=nn.CrossEntropyLoss(),
        optimizer=optim.SGD(lr=0.1),
        epochs=2,
        dtype=dtype,
        progress=False,
        **options,
    )


def network(*more):
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), *more, nn.Linear(5, 3))


def test_largest_gradient_is_the_largest():
    moment = trained(network()).at(3)
    path, index = largest_gradient(moment)
    values = moment.record(["d_0.weight", "d_2.weight"])
    largest = max(float(abs(array).max()) for array in values.values())
    assert abs(float(values[f"d_{path}"][index])) == largest


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("path", ["0.weight", "2.weight"])
def test_terms_are_delta_times_activation(dtype, path):
    moment = trained(network(), dtype).at(4)
    opened = open_gradient(moment, path, (1, 2))
    layer, before = path.partition(".")[0], {"0": "x", "2": "1.out"}[path.partition(".")[0]]
    values = moment.record([f"d_{layer}.out", before])
    products = values[f"d_{layer}.out"][:, 1] * values[before][:, 2]
    assert [term.value for term in opened.terms] == products.tolist()
    assert opened.adds_up
    bound = opened.error + (1e-4 if dtype == "float32" else 1e-12)
    assert opened.difference == pytest.approx(opened.stored, abs=bound)


def test_dropout_has_the_same_mask_when_the_loss_is_differenced():
    moment = trained(network(nn.Dropout(0.5)), "float64").at(2)
    opened = open_gradient(moment, "0.weight", (0, 0))
    assert opened.difference == pytest.approx(opened.stored, abs=opened.error + 1e-12)


def test_factors_name_what_differs_from_term_to_term():
    moment = trained(network()).at(0)
    opened = open_gradient(moment, "2.weight", (1, 4))
    assert opened.factor_names({}) == ["d_2.out[b,1]", "1.out[b,4]"]
    assert opened.factor_names({"d_2.out": "δ2"})[0] == "δ2[b,1]"
    assert opened.captions({"1.out": "a1"})[1] == "a1 is the value of 1.out"


def test_batch_of_one_has_one_term():
    moment = trained(network(), batch_size=1).at(0)
    opened = open_gradient(moment, "0.weight", (0, 1))
    assert len(opened.terms) == 1
    assert opened.total == pytest.approx(opened.stored, abs=opened.rounding)


def test_sum_over_the_batch_is_opened_too():
    moment = trained(network()).at(1)
    opened = open_gradient(moment, "2.bias", (0,))
    delta = moment.record(["d_2.out"])["d_2.out"][:, 0]
    assert sorted(t.value for t in opened.terms) == sorted(np.asarray(delta, float).tolist())
    assert opened.adds_up
