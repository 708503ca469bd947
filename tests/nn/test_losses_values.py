"""Losses at points where the cost is known in closed form, at kinks, and beside differences."""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.testing import check_gradients
from tests.nn.loss_grid import make_grid

LOG2, E = math.log(2.0), math.e
IGNORED = -100

# loss, outputs (a tuple: several), targets, costs of the examples
CLOSED_FORMS = {
    "square": (nn.MSELoss(), [[1.0, 2.0]], [[0.0, 4.0]], [2.5]),
    "half a square": (nn.QuadraticLoss(), [[1.0, 2.0]], [[0.0, 4.0]], [2.5]),
    "square before the root": (nn.RMSELoss(), [[3.0, 1.0]], [[0.0, 0.0]], [5.0]),
    "size": (nn.L1Loss(), [[1.0, 2.0]], [[0.0, 4.0]], [1.5]),
    "huber": (nn.HuberLoss(delta=2.0), [[1.0], [3.0]], [[0.0], [0.0]], [0.5, 4.0]),
    "smooth": (nn.SmoothL1Loss(beta=2.0), [[1.0], [3.0]], [[0.0], [0.0]], [0.25, 2.0]),
    "smooth without a square": (nn.SmoothL1Loss(beta=0), [[1.5]], [[0.0]], [1.5]),
    "two equal logits": (nn.CrossEntropyLoss(), [[3.0, 3.0]], [0], [LOG2]),
    "four equal logits": (nn.CrossEntropyLoss(), [[0.0] * 4], [3], [2 * LOG2]),
    "a distribution": (nn.CrossEntropyLoss(), [[0.0, 0.0]], [[0.25, 0.75]], [LOG2]),
    "places": (nn.CrossEntropyLoss(), [[[0.0, 1.0], [0.0, 1.0]]], [[0, 1]], [LOG2]),
    "smoothed": (
        nn.CrossEntropyLoss(label_smoothing=0.5), [[0.0, LOG2]], [1],
        [math.log(3) - 0.75 * LOG2],
    ),
    "smoothed with weights": (
        nn.CrossEntropyLoss(weight=[1.0, 4.0], label_smoothing=0.5), [[0.0, 0.0]], [1],
        [0.5 * LOG2 + 0.25 * (LOG2 / 4 + LOG2)],
    ),
    "ignored": (nn.CrossEntropyLoss(ignore_index=7), [[1.0, 2.0], [0.0, 0.0]], [7, 1], [0, LOG2]),
    "log-probability": (nn.NLLLoss(), [[-1.5, -2.5]], [1], [2.5]),
    "even odds": (nn.BCELoss(), [[0.5, 0.5]], [[0.0, 1.0]], [LOG2]),
    "sure and right": (nn.BCELoss(), [[0.0, 1.0]], [[0.0, 1.0]], [0.0]),
    "sure and wrong": (nn.BCELoss(), [[0.0, 1.0]], [[1.0, 0.0]], [100.0]),
    "weighed outputs": (nn.BCELoss(weight=[1.0, 3.0]), [[0.5, 0.5]], [[0.0, 1.0]], [2 * LOG2]),
    "even log-odds": (nn.BCEWithLogitsLoss(), [[0.0]], [[0.25]], [LOG2]),
    "more for a missed 1": (nn.BCEWithLogitsLoss(pos_weight=3), [[0.0, 0.0]], [[1, 0]], [2 * LOG2]),
    "labels": (nn.MultiLabelSoftMarginLoss(), [[0.0, 0.0]], [[1, 0]], [LOG2]),
    "focal": (nn.FocalLoss(), [[0.0], [0.0]], [[1.0], [0.0]], [LOG2 / 16, 3 * LOG2 / 16]),
    "focal of one class": (nn.MulticlassFocalLoss(), [[0.0, 0.0]], [1], [LOG2 / 4]),
    "focal with factors": (nn.MulticlassFocalLoss(alpha=[1, 8]), [[0.0, 0.0]], [1], [2 * LOG2]),
    "no divergence": (nn.KLDivLoss(), [[-LOG2, -LOG2]], [[0.5, 0.5]], [0.0]),
    "divergence": (nn.KLDivLoss(), [[-LOG2, -LOG2]], [[1.0, 0.0]], [LOG2]),
    "divergence from logs": (nn.KLDivLoss(log_target=True), [[-2 * LOG2]], [[0.0]], [2 * LOG2]),
    "counts": (nn.PoissonNLLLoss(), [[1.0]], [[3.0]], [E - 3]),
    "counts, themselves": (
        nn.PoissonNLLLoss(log_input=False, eps=1.0), [[3.0]], [[2]], [3 - 4 * LOG2],
    ),
    "counts, with Stirling": (
        nn.PoissonNLLLoss(full=True), [[0.0], [0.0]], [[1.0], [2.0]],
        [1.0, 1 + 2 * LOG2 - 2 + 0.5 * math.log(4 * math.pi)],
    ),
    "a Gaussian": (nn.GaussianNLLLoss(), ([[1.0]], [[4.0]]), [[3.0]], [LOG2 + 0.5]),
    "a whole Gaussian": (
        nn.GaussianNLLLoss(full=True), ([[1.0]], [[1.0]]), [[1.0]], [0.5 * math.log(2 * math.pi)],
    ),
    "one variance for an example": (
        nn.GaussianNLLLoss(), ([[1.0, 5.0]], [1.0]), [[3.0, 5.0]], [1.0],
    ),
    "hinge": (nn.HingeLoss(), [[0.25, -3.0]], [[1, -1]], [0.375]),
    "hinge, squared": (nn.SquaredHingeLoss(margin=2.0), [[0.5, -3.0]], [[1, -1]], [1.125]),
    "soft margin": (nn.SoftMarginLoss(), [[0.0, 0.0]], [[1, -1]], [LOG2]),
    "hinge of distances": (nn.HingeEmbeddingLoss(), [[0.25, 0.25, 3.0]], [[1, -1, -1]], [1 / 3]),
    "margin of classes": (nn.MultiMarginLoss(), [[0.5, 1.0, -2.0]], [1], [0.5 / 3]),
    "margin of classes, squared": (
        nn.MultiMarginLoss(p=2, weight=[1, 6, 1]), [[0.5, 1.0, -2.0]], [1], [0.5],
    ),
    "cosines": (
        nn.CosineEmbeddingLoss(margin=0.25),
        ([[3e3, 0.0], [1e3, 1e3], [1e3, 0.0]], [[0.0, 2e3], [2e3, 2e3], [0.0, 1e3]]),
        [1, -1, -1], [1.0, 0.75, 0.0],
    ),
    "zeros have no direction": (
        nn.CosineEmbeddingLoss(), ([[0.0, 0.0]], [[1.0, 2.0]]), [1], [1.0],
    ),
    "ranks": (nn.MarginRankingLoss(margin=0.5), ([2.0, 2.0], [1.0, 1.0]), [1, -1], [0.0, 1.5]),
    "triplet": (
        nn.TripletMarginLoss(eps=0.0), ([[0.0, 0.0]], [[3.0, 4.0]], [[0.0, 5.5]]), None, [0.5],
    ),
    "triplet, swapped": (
        nn.TripletMarginLoss(eps=0.0, swap=True),
        ([[0.0, 0.0]], [[3.0, 4.0]], [[3.0, 5.0]]), None, [5.0],
    ),
    "triplet of another norm": (
        nn.TripletMarginLoss(eps=0.0, p=1), ([[0.0, 0.0]], [[3.0, 4.0]], [[0.0, 5.5]]), None, [2.5],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CLOSED_FORMS)
def test_costs_have_their_closed_form(case):
    loss, outputs, target, costs = CLOSED_FORMS[case]
    several = isinstance(outputs, tuple)
    given = tuple(np.array(o, float) for o in outputs) if several else np.array(outputs, float)
    found = loss(given, None if target is None else np.array(target)).numpy()
    # A handful of operations on numbers below 5.
    np.testing.assert_allclose(found, costs, rtol=0, atol=2e-15 * max(map(abs, [1, *costs])))


def slopes(loss, outputs, target=None):
    """The gradients of the batch's loss in the outputs."""
    xs = [np.array(o, float) for o in (outputs if isinstance(outputs, tuple) else (outputs,))]

    def f(*xs):
        return loss.of_batch(xs if len(xs) > 1 else xs[0], target)

    return [d.numpy().tolist() for d in cr.grad(f, tuple(range(len(xs))))(*xs)]


# loss, outputs, targets, the slope declared there
KINKS = {
    "nothing is wrong": (nn.RMSELoss(), [[1.0, 2.0]], [[1.0, 2.0]], [[[0.0, 0.0]]]),
    "no error": (nn.L1Loss(), [[1.0, 1.0]], [[1.0, 0.0]], [[[0.0, 0.5]]]),
    "no error, nearly": (nn.SmoothL1Loss(beta=0), [[1.0, 1.0]], [[1.0, 0.0]], [[[0.0, 0.5]]]),
    "hinge": (nn.HingeLoss(), [[1.0, -1.0]], [[1, -1]], [[[0.0, 0.0]]]),
    "hinge, squared": (nn.SquaredHingeLoss(), [[1.0, 1.0]], [[1, 1]], [[[0.0, 0.0]]]),
    "margin of classes": (nn.MultiMarginLoss(), [[1.0, 2.0]], [1], [[[0.0, 0.0]]]),
    "hinge of distances": (nn.HingeEmbeddingLoss(), [[1.0, 1.0]], [[1, -1]], [[[0.5, -0.5]]]),
    "ranks": (nn.MarginRankingLoss(), ([1.0], [1.0]), [1], [[-1.0], [1.0]]),
    "triplet": (
        nn.TripletMarginLoss(eps=0.0), ([[0.0]], [[1.0]], [[2.0]]), None,
        [[[0.0]], [[1.0]], [[-1.0]]],
    ),
    "no distance at all": (
        nn.TripletMarginLoss(eps=0.0, p=3), ([[0.0]], [[0.0]], [[0.0]]), None,
        [[[0.0]], [[0.0]], [[0.0]]],
    ),
    "cosine at the margin": (
        nn.CosineEmbeddingLoss(), ([[1.0, 0.0]], [[0.0, 1.0]]), [-1],
        [[[0.0, 1.0]], [[1.0, 0.0]]],
    ),
    "sure probabilities": (nn.BCELoss(), [[0.0, 1.0]], [[1, 0]], [[[-5e11, 5e11]]]),
}  # fmt: skip


@pytest.mark.parametrize("case", KINKS)
def test_slopes_at_kinks_are_those_declared(case):
    loss, outputs, target, expected = KINKS[case]
    found = slopes(loss, outputs, None if target is None else np.array(target))
    for mine, other in zip(found, expected, strict=True):
        # The cosine's lengths have 10⁻¹² added.
        np.testing.assert_allclose(mine, other, rtol=2e-12, atol=0)


# Where torch has the kink's slope from one side too, it is the same one.
@pytest.mark.parametrize(
    ("name", "outputs", "target"),
    [
        ("L1Loss", [[[1.0, 1.0]]], [[1.0, 0.0]]),
        ("MultiMarginLoss", [[[1.0, 2.0]]], [1]),
        ("HingeEmbeddingLoss", [[[1.0, 1.0]]], [[1.0, -1.0]]),
        ("MarginRankingLoss", [[1.0], [1.0]], [1.0]),
        ("TripletMarginLoss", [[[0.0]], [[1.0]], [[2.0]]], None),
        ("BCELoss", [[[0.0, 1.0, 0.0]]], [[1.0, 0.0, 0.0]]),
    ],
)
def test_slopes_at_kinks_are_torchs(torch, name, outputs, target):
    xs = [torch.tensor(o, dtype=torch.double, requires_grad=True) for o in outputs]
    loss = getattr(torch.nn, name)(**({"eps": 0.0} if name == "TripletMarginLoss" else {}))
    value = loss(*xs, *([] if target is None else [torch.tensor(np.array(target))]))
    expected = [d.numpy() for d in torch.autograd.grad(value, xs)]
    ours = nn.LOSSES.get(name)(**({"eps": 0.0} if name == "TripletMarginLoss" else {}))
    given = tuple(outputs) if len(outputs) > 1 else outputs[0]
    found = slopes(ours, given, None if target is None else np.array(target))
    # torch keeps the quotient off 0 by the float32 that is nearest to 10⁻¹².
    rtol = 1e-12 / float(np.float32(1e-12)) - 1 if name == "BCELoss" else 0.0
    for mine, torchs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, torchs, rtol=1.01 * rtol, atol=0)


# A variance that is clamped has, as in torch, the slope of what it is clamped to. Where a target's
# probability is 0, the divergence has no slope in it.
NOT_SMOOTH = {"small_variances", "log_p_and_sure"}
SMALLEST = {}
for case in make_grid():
    # Every loss with every choice of arguments, on the first of its shapes.
    if case.draw.__name__ not in NOT_SMOOTH:
        SMALLEST.setdefault((case.name, str(case.arguments), case.draw.__name__), case)


@pytest.mark.parametrize("case", SMALLEST.values(), ids=str)
def test_gradients_are_what_differences_say(case):
    outputs, target = case.draw(case.shape)
    loss = case.loss

    def batch_loss(*xs):
        return loss.of_batch(xs if len(xs) > 1 else xs[0], target)

    check_gradients(batch_loss, outputs, order=2)


def test_a_variance_below_the_least_has_its_slope():
    loss = nn.GaussianNLLLoss(eps=0.25)
    mean, small, least = np.zeros((1, 1)), np.full((1, 1), 0.0625), np.full((1, 1), 0.25)
    target = np.ones((1, 1))
    assert loss((mean, small), target).item() == loss((mean, least), target).item()
    assert slopes(loss, (mean, small), target) == slopes(loss, (mean, least), target)


# --- weights, and what is left out ----------------------------------------------------------------

LOGITS = np.array([[0.5, -1.0, 2.0], [0.0, 1.0, -2.0], [3.0, 0.0, 1.0]])


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss, nn.NLLLoss, nn.MulticlassFocalLoss])
def test_an_ignored_row_is_as_if_it_were_not_there(loss):
    logits = LOGITS if loss is not nn.NLLLoss else -np.abs(LOGITS)
    labels = np.array([2, IGNORED, 0])
    made = loss(ignore_index=IGNORED)
    costs = made(logits, labels).numpy()
    assert costs[1] == 0
    assert made.of_batch(logits, labels).item() == loss().of_batch(logits[::2], labels[::2]).item()
    assert slopes(made, logits, labels)[0][1] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_in_an_ignored_row_goes_nowhere(bad):
    logits = LOGITS.copy()
    logits[1] = bad
    made = nn.CrossEntropyLoss(weight=[1.0, 2.0, 3.0], ignore_index=1, label_smoothing=0.1)
    labels = np.array([2, 1, 0])
    assert np.isfinite(made.of_batch(logits, labels).item())
    (found,) = slopes(made, logits, labels)
    assert np.isfinite(found).all()
    assert found[1] == [0.0, 0.0, 0.0]


def test_an_example_with_all_its_places_ignored_does_not_count():
    logits = np.stack([LOGITS, 2 * LOGITS], axis=-1)
    labels = np.array([[2, 1], [IGNORED, IGNORED], [0, IGNORED]])
    made = nn.CrossEntropyLoss(ignore_index=IGNORED)
    assert made.counted(cr.tensor(labels)).numpy().tolist() == [True, False, True]
    assert made.example_weights(cr.tensor(labels)).numpy().tolist() == [2, 0, 1]
    assert made(logits, labels).numpy()[1] == 0
    alone = nn.CrossEntropyLoss()(LOGITS[2:], np.array([0])).item()
    assert made(logits, labels).numpy()[2] == pytest.approx(alone, rel=1e-15)


def test_nothing_left_to_count_is_0_over_0_as_in_torch():
    made = nn.CrossEntropyLoss(ignore_index=0)
    costs = made(LOGITS, np.zeros(3, int))
    assert costs.numpy().tolist() == [0, 0, 0]
    weights = made.all_weights(costs, np.zeros(3, int), None)
    assert weights.numpy().sum() == 0


def test_sample_weights_multiply_class_weights():
    labels, weight, sample = (
        np.array([2, 1, 0]),
        np.array([1.0, 2.0, 4.0]),
        np.array([3.0, 1.0, 2.0]),
    )
    costs = nn.CrossEntropyLoss()(LOGITS, labels).numpy()
    found = nn.CrossEntropyLoss(weight=weight).of_batch(LOGITS, labels, sample).item()
    assert found == pytest.approx(np.average(costs, weights=weight[labels] * sample), rel=1e-15)


@pytest.mark.parametrize("p", ["float32", "float64"])
def test_a_traced_label_that_no_class_has_makes_the_loss_nan(p):
    logits = LOGITS.astype(p)

    def loss(logits, labels):
        return nn.CrossEntropyLoss().of_batch(logits, labels)

    value, slope = cr.value_and_grad(loss)(logits, np.array([0, 1, 3]))
    assert np.isnan(value.item())
    assert np.isnan(slope.numpy()[2]).all()
    assert np.isfinite(cr.value_and_grad(loss)(logits, np.array([0, 1, 2]))[0].item())


def test_the_root_is_of_the_batch_and_not_of_each_example():
    output, target = np.array([[3.0], [4.0]]), np.zeros((2, 1))
    assert nn.RMSELoss()(output, target).numpy().tolist() == [9.0, 16.0]
    assert nn.RMSELoss().of_batch(output, target).item() == pytest.approx(
        math.sqrt(12.5), rel=1e-15
    )
    assert nn.RMSELoss().of_batch(output / 32, target).item() == pytest.approx(
        math.sqrt(12.5) / 32, rel=1e-15
    )
    assert np.isnan(nn.RMSELoss().of_batch(output * math.nan, target).item())


def test_equal_vectors_have_finite_slopes_under_every_norm():
    vector = np.array([[1.0, 2.0]])
    for p in (1, 1.5, 2, 3):
        loss = nn.TripletMarginLoss(p=p, eps=0.0)
        outputs = [vector, vector, vector + 0.5]
        for i in range(3):
            others = list(outputs)

            def cost(x, i=i, others=others, loss=loss):
                return loss.of_batch((*others[:i], x, *others[i + 1 :]))

            assert np.isfinite(cr.grad(cost)(outputs[i]).numpy()).all(), (p, i)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3])
def test_equal_vectors_have_no_distance(p):
    anchor = np.array([[1.0, 2.0]])
    far = (2 * 0.5**p) ** (1 / p)
    costs = nn.TripletMarginLoss(p=p, eps=0.0)((anchor, anchor, anchor + 0.5))
    assert costs.numpy().tolist() == [pytest.approx(1 - far if far < 1 else 0.0, rel=1e-15)]


def test_the_cost_of_an_example_is_the_same_whatever_its_class_counts():
    logits, labels = np.array([[2.0, 0.5, -1.0], [0.1, 0.2, 0.7]]), np.array([0, 1])
    plain = nn.CrossEntropyLoss()(logits, labels).numpy()
    for weight in ([0.0, 1.0, 1.0], [0.3, 0.7, 1.9]):
        assert np.array_equal(nn.CrossEntropyLoss(weight=weight)(logits, labels).numpy(), plain)


def test_one_variance_for_each_example_counts_for_all_its_outputs():
    mean, target = np.array([[1.0, 2.0], [0.0, 3.0]]), np.zeros((2, 2))
    loss = nn.GaussianNLLLoss()
    wanted = loss((mean, np.array([[2.0, 2.0], [0.5, 0.5]])), target).numpy()
    for variance in (np.array([2.0, 0.5]), np.array([[2.0], [0.5]])):
        np.testing.assert_array_equal(loss((mean, variance), target).numpy(), wanted)
    # In front of the last axis there may be others: each of their places has one.
    wide = np.stack([mean, mean + 1, mean - 1], axis=1)
    places = np.array([[2.0, 0.5, 1.0], [0.25, 1.0, 4.0]])
    wanted = loss((wide, np.repeat(places[..., None], 2, axis=2)), wide * 0).numpy()
    np.testing.assert_array_equal(loss((wide, places), wide * 0).numpy(), wanted)


def test_huge_outputs_have_finite_costs_and_slopes():
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    cases = [
        (nn.CrossEntropyLoss(), np.array([1, 0]), 2e4),
        (nn.CrossEntropyLoss(label_smoothing=0.5), np.array([1, 0]), 1.5e4),
        (nn.MulticlassFocalLoss(), np.array([1, 0]), 2e4),
        (nn.BCEWithLogitsLoss(), np.eye(2)[[1, 0]], 1e4),
        (nn.BCEWithLogitsLoss(pos_weight=2.0), np.eye(2)[[1, 0]], 1.5e4),
        (nn.FocalLoss(alpha=None), np.eye(2)[[1, 0]], 1e4),
        (nn.SoftMarginLoss(), 2 * np.eye(2)[[1, 0]] - 1, 1e4),
    ]
    for loss, target, expected in cases:
        assert loss.of_batch(logits, target).item() == expected, loss
        assert np.isfinite(slopes(loss, logits, target)[0]).all(), loss


def test_classes_may_be_the_last_axis_of_a_divergence():
    target = np.array([[[0.5, 0.5], [1.0, 0.0], [0.25, 0.75]]])
    log_p = np.full((1, 3, 2), -LOG2)
    # Of (½, ½), (1, 0) and (¼, ¾) from (½, ½).
    expected = [0 + LOG2 + (LOG2 + 0.25 * math.log(0.25) + 0.75 * math.log(0.75))]
    np.testing.assert_allclose(nn.KLDivLoss()(log_p, target).numpy(), expected, rtol=1e-15)


def test_weights_of_outputs_broadcast_behind_the_batch(torch):
    x, t = np.linspace(-3, 3, 12).reshape(2, 3, 2), np.tile([[0.0, 1.0]], (2, 3, 1))
    weight, positive = [[1.0], [2.0], [0.5]], [[3.0], [1.0], [0.25]]
    found = nn.BCEWithLogitsLoss(weight, positive).of_batch(x, t).item()
    given = [torch.tensor(w, dtype=torch.double) for w in (weight, positive)]
    theirs = torch.nn.BCEWithLogitsLoss(given[0], pos_weight=given[1])
    expected = theirs(torch.tensor(x), torch.tensor(t)).item()
    assert found == pytest.approx(expected, rel=1e-15)


def test_a_class_of_weight_0_counts_nothing(torch):
    logits = np.array([[[1.0, 2.0], [0.0, 3.0]], [[0.5, 1.0], [1.0, -1.0]]])
    labels = np.array([[0, 0], [1, 0]])
    made = nn.CrossEntropyLoss(weight=[0.0, 3.0])
    assert made(logits, labels).numpy()[0] == 0
    theirs = torch.nn.CrossEntropyLoss(weight=torch.tensor([0.0, 3.0], dtype=torch.double))
    expected = theirs(torch.tensor(logits), torch.tensor(labels)).item()
    assert made.of_batch(logits, labels).item() == pytest.approx(expected, rel=1e-15)


def test_a_target_is_not_looked_at_where_none_is_needed():
    outputs = tuple(np.array([[float(i), 2.0]]) for i in range(3))
    loss = nn.TripletMarginLoss()
    assert loss(outputs).item() == loss(outputs, np.array([math.nan])).item()
    assert loss.of_batch(outputs).item() == loss(outputs).item()
