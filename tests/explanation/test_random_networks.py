"""Any number of any network opens, adds up, and holds both proofs.

200 random training steps, in float32 and float64, by both backends; 50 random numbers of each are
opened. By native code a number is computed again bit for bit. A finite difference
lies within its own bound of the gradient, or the loss has no derivative there, and is said so.
"""

import math
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.explanation.expansion import leaves
from chainrule.explanation.proofs import DIFFERENCE, REEVALUATION
from chainrule.ops import OPS
from tests.explanation.drawn import CASES, COMBINATIONS, LAYERS, WITHOUT_CASES, draw, random_places

COUNT, OPENED, GROUPS = 200, 50, 20
AT_KINKS_AT_MOST = 0.1  # of the finite differences of ten networks


def test_every_layer_and_every_loss_is_drawn():
    assert set(LAYERS) == set(nn.LAYERS)
    assert {name for name, cases in CASES.items() if cases} | WITHOUT_CASES == set(nn.LOSSES)
    assert max(len(nn.LAYERS), len(nn.LOSSES), len(optim.OPTIMIZERS)) <= COUNT


def opened(trace, count, seed):
    """Open random numbers of a trace; what is wrong with them, and how many proofs hold."""
    wrong, proofs = [], Counter()
    for name, index in random_places(trace, count, seed):
        explanation = trace[(name, *index)]
        for proof in explanation.proofs:
            proofs[proof.kind, proof.holds] += 1
            if proof.holds is None:
                proofs[reason(proof)] += 1
            if proof.holds is False:
                wrong.append((name, index, proof.statement))
            if proof.kind == REEVALUATION and trace.about.computed_by.startswith("native"):
                assert proof.bound == 0
        if not adds_up(explanation):
            wrong.append((name, index, explanation.summary()))
        assert explanation.definition is None or leaves(explanation.definition)
        for part in explanation.parts():
            assert part.is_given or part.expression is not None
    return wrong, proofs


def reason(proof):
    """Why a finite difference says nothing."""
    reasons = ["stands at a kink", "has a gradient of its own", "is not finite around"]
    return next(words for words in reasons if words in proof.statement)


def adds_up(explanation):
    """Whether the terms that are shown, the remainder and the rounding are the stored number."""
    summary = explanation.summary(most=3)
    stored = float(explanation.value)
    shown = [term.value for term in summary.largest]
    if not math.isfinite(stored):
        return not all(map(math.isfinite, shown)) or not math.isfinite(summary.remainder)
    # Exactly: three roundings, of the remainder, of the total and of their difference.
    exact = sum(map(Fraction, [*shown, summary.remainder, summary.rounding]))
    size = max(map(abs, [*shown, summary.remainder, stored]))
    return abs(exact - Fraction(stored)) <= 3 * Fraction(float(np.spacing(size)))


@pytest.mark.parametrize("i", range(0, COUNT, 33))
def test_numbers_of_a_random_network_open_and_hold(i):
    dtype, backend = COMBINATIONS[i % len(COMBINATIONS)]
    wrong, proofs = opened(draw(i, dtype, backend), 12, i)
    assert not wrong
    assert proofs[REEVALUATION, True] == 12


@pytest.mark.slow
@pytest.mark.parametrize("group", range(GROUPS))
@pytest.mark.parametrize(("dtype", "backend"), COMBINATIONS)
def test_every_number_of_200_random_networks_opens_and_holds(dtype, backend, group):
    total = Counter()
    for i in range(group, COUNT, GROUPS):
        wrong, proofs = opened(draw(i, dtype, backend), OPENED, i)
        assert not wrong, i
        total += proofs
    assert total[REEVALUATION, True] == OPENED * COUNT / GROUPS
    differences = total[DIFFERENCE, True] + total[DIFFERENCE, None]
    assert total["stands at a kink"] <= AT_KINKS_AT_MOST * differences
    assert total["is not finite around"] == 0


# --- the tester, tested ---------------------------------------------------------------------------


def changed(trace, node, index):
    """The trace with one number moved to its neighbour."""
    array = np.array(trace.values[node])
    array[index] = np.nextafter(array[index], array.dtype.type(np.inf))
    return replace(trace, values=(*trace.values[:node], array, *trace.values[node + 1 :]))


@pytest.mark.parametrize("i", range(3))
def test_a_number_that_was_changed_by_one_place_is_found(i):
    trace = draw(i, "float32", "native")
    for name, index in random_places(trace, 12, i):
        place = trace.find(name, *index)
        if trace.node(place).dtype.is_float:
            (again, *_) = changed(trace, place.node, place.index)[(name, *index)].proofs
            assert again.holds is False, name
            assert "the trace was changed" in again.statement


def test_a_wrong_partial_is_found(monkeypatch):
    tanh = OPS["tanh"]
    wrong = replace(tanh, partials=(lambda s, x, y: 1.0625 - y * y,))
    monkeypatch.setitem(OPS._things, "tanh", wrong)
    trace = draw(list(nn.LAYERS).index("Sequential"), "float64", "numpy")  # which holds a Tanh
    proofs = opened(trace, OPENED, 1)[1]
    assert proofs[DIFFERENCE, False] > 0
    assert proofs[REEVALUATION, False] == 0


def test_a_difference_across_a_kink_is_flagged_and_not_failed():
    net = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1)).astype("float64").initialize(0)
    net.load_state_dict({**net.state_dict(), "0.weight": [[1.0]], "0.bias": [-1.0]})
    trace = cr.explain(net, [[1.0]], [[5.0]], loss="MSELoss")  # the unit's weighted sum is 0
    again, moved = trace["d_0.bias", 0].proofs
    assert again.holds is True
    assert moved.holds is None
    assert 'of layer "1" stands at a kink' in moved.statement
    assert trace["d_2.bias", 0].proofs[1].holds is True
