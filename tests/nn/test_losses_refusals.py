"""What losses refuse: outputs and targets, each with its whole message."""

import numpy as np
import pytest

from chainrule import nn
from chainrule.base.errors import ConfigurationError, OutputError, ShapeError, TargetError
from chainrule.nn.losses.loss import LOSSES

NAN, INF = float("nan"), float("inf")
ROWS = np.array([[0.5, -1.0, 2.0], [0.0, 1.0, -2.0]])
SQUARE = ROWS[:, :2]

# loss, targets, the parts of the message
TARGETS = {
    "what was not said to be ignored": (
        nn.CrossEntropyLoss(), [0, -100],
        "CrossEntropyLoss with 3 outputs takes classes from 0 to 2; got -100.",
        "Row 1 of the targets.",
        "Number the classes from 0, or leave these out with ignore_index=-100.",
    ),
    "something else than what is ignored": (
        nn.NLLLoss(ignore_index=-100), [-100, -1],
        "NLLLoss with 3 outputs takes classes from 0 to 2; got -1.",
        "Row 1 of the targets.",
        "Number the classes from 0, or leave these out with ignore_index=-1.",
    ),
    "classes from 1": (
        nn.MultiMarginLoss(), [1, 3],
        "MultiMarginLoss with 3 outputs takes classes from 0 to 2; got 3.",
        "Row 1 of the targets.",
        "These count from 1: pass y - 1.",
    ),
    "a class too many": (
        nn.MulticlassFocalLoss(), [0, 7],
        "MulticlassFocalLoss with 3 outputs takes classes from 0 to 2; got 7.",
        "Row 1 of the targets.",
        "Number the classes from 0, or give the last layer more outputs.",
    ),
    "one-hot integers": (
        nn.NLLLoss(), [[0, 0, 1], [1, 0, 0]],
        "NLLLoss takes one integer class per example; got int64 of shape [2,3], which looks",
        "one-hot.",
        "Pass y.argmax(axis=1).",
    ),
    "distributions where there are none": (
        nn.NLLLoss(), [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]],
        "NLLLoss takes integer classes [N]; got float64 of shape [2,3].",
        "Number the classes from 0.",
    ),
    "a column of classes in floats": (
        nn.CrossEntropyLoss(), [[0.0], [2.0]],
        "CrossEntropyLoss takes classes of shape [N]; got float64 of shape [2,1].",
        "Pass y.reshape(-1).",
    ),
    "too few probabilities": (
        nn.CrossEntropyLoss(), [[0.5, 0.25, 0.0], [1.0, 0.0, 0.0]],
        "CrossEntropyLoss takes distributions as targets, which sum to 1; got 0.75.",
        "Row 0 of the targets.",
        "Divide each by its sum: y / y.sum(axis=1, keepdims=True).",
    ),
    "negative probabilities": (
        nn.CrossEntropyLoss(), [[0.5, 0.5, 0.0], [1.5, -0.5, 0.0]],
        "CrossEntropyLoss takes probabilities as targets, which are at least 0; got -0.5.",
        "Row 1 of the targets.",
    ),
    "a label ignored among distributions": (
        nn.CrossEntropyLoss(ignore_index=-100), [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]],
        "CrossEntropyLoss(ignore_index=-100) leaves out a label, and these targets are",
        "distributions.",
        "Give rows to leave out the sample_weight 0.",
    ),
    "no divergence from what is none": (
        nn.KLDivLoss(), [[0.5, 0.5, 0.5], [1.0, 0.0, 0.0]],
        "KLDivLoss takes distributions as targets, which sum to 1; got 1.5.",
        "Row 0 of the targets.",
        "Divide each by its sum: y / y.sum(axis=1, keepdims=True).",
    ),
    "no divergence from what is negative": (
        nn.KLDivLoss(), [[0.5, 0.5, 0.0], [1.0, 0.25, -0.25]],
        "KLDivLoss takes probabilities as targets, which are at least 0; got -0.25.",
        "Row 1 of the targets.",
    ),
    "logarithms that are none": (
        nn.KLDivLoss(log_target=True), [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]],
        "KLDivLoss takes distributions as targets, which sum to 1; got 4.29744.",
        "Row 0 of the targets.",
        "Divide each by its sum: y / y.sum(axis=1, keepdims=True).",
    ),
    "signs under probabilities": (
        nn.BCELoss(), [[-1, 1, 1], [1, 1, -1]],
        "BCELoss takes targets from 0 to 1; got -1 to 1.",
        "Map the labels with (y + 1) / 2.",
    ),
    "classes under several labels": (
        nn.MultiLabelSoftMarginLoss(), [[0, 1, 2], [0, 0, 0]],
        "MultiLabelSoftMarginLoss takes targets from 0 to 1; got 0 to 2.",
    ),
    "nan under probabilities": (
        nn.BCEWithLogitsLoss(), [[0, 1, NAN], [0, 0, 0]],
        "BCEWithLogitsLoss takes targets from 0 to 1; got nan to nan.",
    ),
    "signs under focal": (
        nn.FocalLoss(), [[1, -1, 1], [1, 1, 1]],
        "FocalLoss takes targets 0 and 1; got -1.",
        "Row 0 of the targets.",
        "Map the labels with (y + 1) / 2.",
    ),
    "fractions under focal": (
        nn.FocalLoss(), [[1, 0, 1], [1, 0.25, 1]],
        "FocalLoss takes targets 0 and 1; got 0.25.",
        "Row 1 of the targets.",
    ),
    "zeros and ones under hinge": (
        nn.HingeLoss(), [[1, 1, 1], [1, 0, 1]],
        "HingeLoss takes targets -1 and 1; got 0.",
        "Row 1 of the targets.",
        "Map the labels with 2 * y - 1.",
    ),
    "zeros and ones under squared hinge": (
        nn.SquaredHingeLoss(), [[1, 1, 1], [1, 0, 1]],
        "SquaredHingeLoss takes targets -1 and 1; got 0.",
        "Row 1 of the targets.",
        "Map the labels with 2 * y - 1.",
    ),
    "twos under a soft margin": (
        nn.SoftMarginLoss(), [[1, 2, 1], [1, 0, 1]],
        "SoftMarginLoss takes targets -1 and 1; got 2.",
        "Row 0 of the targets.",
    ),
    "fractions of likeness": (
        nn.HingeEmbeddingLoss(), [[1, -1, 1], [1, 0.5, 1]],
        "HingeEmbeddingLoss takes targets -1 and 1; got 0.5.",
        "Row 1 of the targets.",
    ),
    "negative counts": (
        nn.PoissonNLLLoss(), [[1, 0, 3], [2, -1, 1]],
        "PoissonNLLLoss takes counts, which are at least 0; got -1.",
        "Row 1 of the targets.",
    ),
    "no targets": (
        nn.MSELoss(), None, "MSELoss compares outputs with targets; got none.",
    ),
}  # fmt: skip


def log_probabilities(x):
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def outputs_for(loss):
    return {"log-probabilities": log_probabilities(ROWS), "probabilities": abs(ROWS) / 4}.get(
        loss.outputs, ROWS
    )


@pytest.mark.parametrize("case", TARGETS)
def test_targets_without_a_meaning_are_refused(case):
    loss, target, *sentences = TARGETS[case]
    with pytest.raises(TargetError) as caught:
        loss(outputs_for(loss), None if target is None else np.array(target))
    assert str(caught.value) == " ".join(sentences)


def test_pairs_take_signs():
    pair = (ROWS[:, 0], ROWS[:, 1])
    for loss, outputs in ((nn.MarginRankingLoss(), pair), (nn.CosineEmbeddingLoss(), (ROWS, ROWS))):
        with pytest.raises(TargetError) as caught:
            loss(outputs, np.array([1, 0]))
        assert str(caught.value) == (
            f"{type(loss).__name__} takes targets -1 and 1; got 0. Row 1 of the targets. "
            "Map the labels with 2 * y - 1."
        )


# loss, outputs, targets, the parts of the message
OUTPUTS = {
    "more than certain": (
        nn.BCELoss(), [[0.5, 1.5]], [[1, 0]],
        "BCELoss takes probabilities, from 0 to 1; got 1.5.",
        "Row 0 of the outputs.",
        "End the network with Sigmoid, or use BCEWithLogitsLoss, which takes logits.",
    ),
    "less than impossible": (
        nn.BCELoss(), [[0.5, 0.5], [-1e-3, 0.0]], [[1, 0], [1, 0]],
        "BCELoss takes probabilities, from 0 to 1; got -0.001.",
        "Row 1 of the outputs.",
        "End the network with Sigmoid, or use BCEWithLogitsLoss, which takes logits.",
    ),
    "probabilities for their logarithms": (
        nn.NLLLoss(), [[0.5, 0.5]], [1],
        "NLLLoss takes log-probabilities, which are at most 0; got 0.5.",
        "Row 0 of the outputs.",
        "End the network with LogSoftmax, or use CrossEntropyLoss, which takes logits.",
    ),
    "logits for log-probabilities": (
        nn.KLDivLoss(), [[-1.0, 2.0]], [[0.5, 0.5]],
        "KLDivLoss takes log-probabilities, which are at most 0; got 2.",
        "Row 0 of the outputs.",
        "End the network with LogSoftmax, or use CrossEntropyLoss, which takes logits.",
    ),
    "a negative rate": (
        nn.PoissonNLLLoss(log_input=False), [[1.0, -2.0]], [[1, 0]],
        "PoissonNLLLoss takes expected counts, which are at least 0; got -2.",
        "Row 0 of the outputs.",
        "Pass log_input=True if they are logarithms, or end the network with Softplus.",
    ),
    "a negative variance": (
        nn.GaussianNLLLoss(), ([[1.0], [1.0]], [[1.0], [-0.5]]), [[1.0], [1.0]],
        "GaussianNLLLoss takes variances, which are at least 0; got -0.5.",
        "Row 1 of the outputs.",
        "End that output with Softplus, or let it be the logarithm and take exp of it.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OUTPUTS)
def test_known_outputs_without_a_meaning_are_refused(case):
    loss, outputs, target, *sentences = OUTPUTS[case]
    several = isinstance(outputs, tuple)
    given = tuple(map(np.array, outputs)) if several else np.array(outputs)
    with pytest.raises(OutputError) as caught:
        loss(given, np.array(target))
    assert str(caught.value) == " ".join(sentences)


def test_a_logarithm_may_be_negative_and_a_variance_0():
    assert nn.PoissonNLLLoss()([[-2.0]], [[1]]).item() == pytest.approx(np.exp(-2) + 2)
    assert np.isfinite(nn.GaussianNLLLoss()(([[1.0]], [[0.0]]), [[1.0]]).item())


def test_nan_is_left_to_the_cost():
    for loss in (nn.BCELoss(), nn.HuberLoss(), nn.HingeLoss(), nn.GaussianNLLLoss()):
        output = np.array([[NAN]])
        given = (output, output) if isinstance(loss, nn.GaussianNLLLoss) else output
        assert np.isnan(loss(given, np.array([[1.0]])).item())


# loss, outputs, targets, the parts of the message; {where} is the user's line
SHAPES = {
    "weights of other classes": (
        nn.CrossEntropyLoss(weight=[1, 2]), ROWS, [0, 1],
        "CrossEntropyLoss has weight for 2 classes, and the outputs are of 3.",
        "{where}.",
        "Give weight one number for each class.",
    ),
    "weights of other classes, smoothed": (
        nn.CrossEntropyLoss(weight=[1, 2, 3, 4], label_smoothing=0.1), ROWS, [0, 1],
        "CrossEntropyLoss has weight for 4 classes, and the outputs are of 3.",
        "{where}.",
        "Give weight one number for each class.",
    ),
    "weights of other log-probabilities": (
        nn.NLLLoss(weight=[1, 2]), log_probabilities(ROWS), [0, 1],
        "NLLLoss has weight for 2 classes, and the outputs are of 3.",
        "{where}.",
        "Give weight one number for each class.",
    ),
    "factors of other classes": (
        nn.MulticlassFocalLoss(alpha=[1, 2]), ROWS, [0, 1],
        "MulticlassFocalLoss has alpha for 2 classes, and the outputs are of 3.",
        "{where}.",
        "Give alpha one number for each class.",
    ),
    "margins of other classes": (
        nn.MultiMarginLoss(weight=[1, 2]), ROWS, [0, 1],
        "MultiMarginLoss has weight for 2 classes, and the outputs are of 3.",
        "{where}.",
        "Give weight one number for each class.",
    ),
    "weights of other outputs": (
        nn.BCEWithLogitsLoss(pos_weight=[1, 2, 3, 4]), ROWS, abs(ROWS) > 1,
        "BCEWithLogitsLoss has pos_weight of shape [4], which does not broadcast to the outputs of",
        "an example, [3].",
        "{where}.",
        "Give pos_weight one number for each output.",
    ),
    "weights of examples": (
        nn.BCELoss(weight=[1, 2]), abs(ROWS) / 2, abs(ROWS) > 1,
        "BCELoss has weight of shape [2], which does not broadcast to the outputs of an example,",
        "[3].",
        "{where}.",
        "Examples are weighted by sample_weight.",
    ),
    "places that do not fit": (
        nn.CrossEntropyLoss(), np.zeros((2, 3, 4)), np.zeros((2, 3), int),
        "CrossEntropyLoss takes one class for each example, or for each place behind the classes;",
        "got outputs [2,3,4] and targets [2,3].",
        "{where}.",
    ),
    "log-probabilities of one axis": (
        nn.NLLLoss(), -abs(ROWS[0]), [0, 1, 2],
        "NLLLoss takes log-probabilities of shape [B, classes]; got [3].",
        "{where}.",
    ),
    "one output for two": (
        nn.GaussianNLLLoss(), ROWS, ROWS,
        "GaussianNLLLoss reads several outputs, (mean, variance); the network returns Tensor.",
        "{where}.",
        "Return them as a tuple from forward.",
    ),
    "two outputs for three": (
        nn.TripletMarginLoss(), (ROWS, ROWS), None,
        "TripletMarginLoss reads several outputs, (anchor, positive, negative); the network",
        "returns 2 of them.",
        "{where}.",
        "Return them as a tuple from forward.",
    ),
    "two outputs for one": (
        nn.HuberLoss(), (ROWS, ROWS), ROWS,
        "HuberLoss reads one output; the network returns tuple.",
        "{where}.",
        "Write one of your own, a function of (output, target), that reads several.",
    ),
    "variances of another shape": (
        nn.GaussianNLLLoss(), (ROWS, np.ones((2, 2))), ROWS,
        "GaussianNLLLoss takes a variance for each mean, or one for each example; got means [2,3]",
        "and variances [2,2].",
        "{where}.",
    ),
    "vectors of other lengths": (
        nn.TripletMarginLoss(), (ROWS, ROWS, SQUARE), None,
        "TripletMarginLoss takes outputs of one shape [B, D]; got [2,3], [2,3], [2,2].",
        "{where}.",
    ),
    "pairs of numbers": (
        nn.CosineEmbeddingLoss(), (ROWS[:, 0], ROWS[:, 0]), [1, -1],
        "CosineEmbeddingLoss takes outputs of one shape [B, D]; got [2], [2].",
        "{where}.",
    ),
    "a column of likeness": (
        nn.CosineEmbeddingLoss(), (ROWS, ROWS), [[1], [-1]],
        "CosineEmbeddingLoss takes one target for each pair; got outputs [2,3] and targets [2,1].",
        "{where}.",
        "Pass y.reshape(-1).",
    ),
    "ranks beside a column": (
        nn.MarginRankingLoss(), (ROWS[:, 0], ROWS[:, 1]), [[1], [-1]],
        "MarginRankingLoss compares element by element; got outputs [2] and targets [2,1].",
        "{where}.",
        "Reshape the target with y.reshape(-1).",
    ),
    "a second rank of another shape": (
        nn.MarginRankingLoss(), (ROWS[:, 0], ROWS[:, :1]), [1, -1],
        "MarginRankingLoss compares element by element; got outputs [2,1] and targets [2].",
        "{where}.",
        "Reshape the target with y.reshape(-1, 1).",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SHAPES)
def test_shapes_that_do_not_fit_are_refused(case):
    loss, outputs, target, *sentences = SHAPES[case]
    with pytest.raises(ShapeError) as caught:
        loss(outputs, None if target is None else np.array(target))
    where = str(caught.value.where)
    assert where.startswith("Line ")
    assert str(caught.value) == " ".join(sentences).replace("{where}", where)


MEASURE_DISTANCES = {
    "BCELoss", "MSELoss", "QuadraticLoss", "RMSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss",
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_targets_that_a_last_layer_cannot_give_are_a_mistake_where_distance_is_the_cost(name):
    assert LOSSES.get(name).measures_distance == (name in MEASURE_DISTANCES)


def test_the_row_that_is_named_is_the_examples_wherever_the_place():
    labels = np.array([[0, 1, 2, 0], [1, 2, 7, 0]])
    with pytest.raises(TargetError, match=r"takes classes from 0 to 2; got 7\. Row 1 of the"):
        nn.CrossEntropyLoss()(np.zeros((2, 3, 4)), labels)


def test_distributions_of_places_sum_to_one_as_well():
    with pytest.raises(TargetError, match=r"which sum to 1; got 2\. Row 0 of the targets\."):
        nn.CrossEntropyLoss()(np.zeros((2, 3, 4)), np.full((2, 3, 4), 0.5))


def test_of_several_wrong_weights_the_first_is_named():
    with pytest.raises(ConfigurationError, match=r"; got -1\.$"):
        nn.CrossEntropyLoss(weight=[1.0, -1.0, -2.0])


@pytest.mark.parametrize(
    ("labels", "advice"),
    [
        ([1, 3, 2], "These count from 1: pass y - 1"),
        ([1, 4, 2], "Number the classes from 0, or give the last layer more outputs"),
        ([0, 3, 2], "Number the classes from 0, or give the last layer more outputs"),
    ],
)
def test_labels_that_begin_with_one_are_known_by_both_ends(labels, advice):
    with pytest.raises(TargetError) as caught:
        nn.CrossEntropyLoss()(np.zeros((3, 3)), labels)
    assert caught.value.advice == advice
