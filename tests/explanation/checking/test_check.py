"""check compares a learner's numbers with the true ones and names the mistake."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.explanation.checking.anatomy import take_apart
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.entry import Entry
from chainrule.explanation.checking.mistake import faults_of
from chainrule.explanation.checking.search import Search


@pytest.fixture(scope="module")
def anatomy():
    rng = np.random.default_rng(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 1), nn.Sigmoid())
    x, y = rng.normal(size=(4, 2)), rng.random((4, 1))
    net.initialize(seed=0)
    return take_apart(cr.explain(net, x, y, loss=nn.QuadraticLoss(), backend="numpy"))


def gradients(draft, digits):
    """What a learner writes down who computes as the draft does."""
    for name in draft.anatomy.parameters:
        position = draft.anatomy.names[f"d_{name}"]
        value = draft.values([position])[position]
        power = np.log10(np.abs(value), where=value != 0, out=np.zeros(value.shape))
        unit = 10.0 ** (np.floor(power) - digits + 1)
        yield Entry(name, f"d_{name}", position, np.round(value / unit) * unit, unit)


def test_a_step_taken_apart_has_the_values_that_were_captured(anatomy):
    trace = anatomy.trace
    for name in anatomy.parameters:
        for value in (f"d_{name}", f"next.{name}"):
            found = anatomy.values[anatomy.names[value]]
            captured = trace.values[trace.graph.find(value)]
            np.testing.assert_allclose(found, captured, rtol=1e-6)


def test_every_fault_is_found_from_four_digits(anatomy):
    for fault in faults_of(anatomy):
        draft = Draft(anatomy)
        fault.change(draft)
        found = Search(anatomy, list(gradients(draft, 4))).single()
        assert fault.title in [suspicion.fault.title for suspicion in found]


def test_right_numbers_are_right_at_three_digits(anatomy):
    search = Search(anatomy, list(gradients(Draft(anatomy), 3)))
    assert not search.wrong


def test_two_mistakes_made_together_are_both_named(anatomy):
    faults = list(faults_of(anatomy))
    first = next(fault for fault in faults if fault.mistake.name == "missing-derivative")
    second = next(fault for fault in faults if fault.where.endswith("gradient of 2.bias"))
    draft = Draft(anatomy)
    first.change(draft)
    second.change(draft)
    search = Search(anatomy, list(gradients(draft, 4)))
    assert not search.single()
    found = [(a.fault.title, b.fault.title) for a, b in search.pairs()]
    assert (first.title, second.title) in found


def test_a_changed_draft_leaves_what_does_not_depend_on_the_change(anatomy):
    draft = Draft(anatomy)
    position = anatomy.names["d_2.bias"]
    draft.change(position, lambda was: was * 2.0)
    values = draft.values([position, anatomy.names["d_0.bias"]])
    assert values[anatomy.names["d_0.bias"]] is anatomy.values[anatomy.names["d_0.bias"]]
    np.testing.assert_array_equal(values[position], 2 * anatomy.values[position])


@pytest.mark.parametrize("rounding", [1e-17, 3e-8], ids=["of float64", "of float32"])
def test_a_gradient_that_is_nothing_but_rounding_is_right(rounding):
    """In front of a batch normalisation a bias has no effect: its gradient is 0."""
    rng = np.random.default_rng(0)
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Sigmoid()).astype("float64")
    x, y = rng.normal(size=(8, 4)), rng.random(size=(8, 3))
    mine = rounding * np.array([1.0, -1.0, 2.0])
    assert cr.check(net, x, y, loss=nn.QuadraticLoss(), mine={"0.bias": mine})
    assert not cr.check(net, x, y, loss=nn.QuadraticLoss(), mine={"0.bias": mine + 1e-3})
