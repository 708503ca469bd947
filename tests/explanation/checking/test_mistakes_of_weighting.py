"""Mistakes with weights, labels and logarithms, each made by hand in NumPy, are named."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

RNG = np.random.default_rng(4)
X = RNG.normal(size=(6, 4))
LABELS = np.array([0, 2, 1, 1, 0, 2])
ONE_HOT = np.eye(3)[LABELS]
OF_EXAMPLES = np.array([1.0, 0.5, 2.0, 3.0, 0.25, 1.5])
OF_CLASSES = np.array([1.0, 3.0, 0.5])


def softmax(z):
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.fixture
def classifier():
    """One layer, and its logits."""
    net = nn.Sequential(nn.Linear(4, 3)).astype("float64").initialize(seed=0)
    w, b = (np.asarray(value, float) for value in net.state_dict().values())
    return net, X @ w.T + b


def gradients(error):
    return {"0.weight": error.T @ X, "0.bias": error.sum(axis=0)}


def weighted(z, w, total=None):
    """The gradients of the weighted mean of cross-entropies."""
    return gradients((softmax(z) - ONE_HOT) * w[:, None] / (w.sum() if total is None else total))


def named(net, y, mine, **options):
    found = cr.check(net, X, y, mine=mine, **options)
    assert not found
    assert found.is_whole, found.text()
    return set(found.mistakes)


# --- weights --------------------------------------------------------------------------------------

GIVEN = {
    "with the examples": {"loss": nn.CrossEntropyLoss(), "sample_weight": OF_EXAMPLES},
    "with the classes": {
        "loss": nn.CrossEntropyLoss(),
        "class_weight": dict(enumerate(OF_CLASSES.tolist())),
    },
    "to the loss": {"loss": nn.CrossEntropyLoss(weight=OF_CLASSES)},
}


@pytest.mark.parametrize("how", GIVEN)
def test_the_plain_mean_where_there_are_weights(classifier, how):
    net, z = classifier
    w = OF_EXAMPLES if how == "with the examples" else OF_CLASSES[LABELS]
    assert cr.check(net, X, LABELS, mine=weighted(z, w), **GIVEN[how])
    kind = "sample" if how == "with the examples" else "class"
    found = named(net, LABELS, weighted(z, np.ones(6)), **GIVEN[how])
    assert found == {f"{kind}-weights-forgotten"}


@pytest.mark.parametrize("how", GIVEN)
def test_weighted_costs_divided_by_the_number_of_rows_or_by_nothing(classifier, how):
    net, z = classifier
    w = OF_EXAMPLES if how == "with the examples" else OF_CLASSES[LABELS]
    by_rows = named(net, LABELS, weighted(z, w, total=6), **GIVEN[how])
    assert by_rows == {"weights-divided-by-examples"}
    assert named(net, LABELS, weighted(z, w, total=1), **GIVEN[how]) == {"weights-not-divided"}


def test_weights_of_classes_and_examples_are_told_apart(classifier):
    net, z = classifier
    options = {**GIVEN["with the examples"], "class_weight": OF_CLASSES}
    both = OF_EXAMPLES * OF_CLASSES[LABELS]
    assert cr.check(net, X, LABELS, mine=weighted(z, both), **options)
    without_examples = weighted(z, OF_CLASSES[LABELS])
    assert named(net, LABELS, without_examples, **options) == {"sample-weights-forgotten"}
    without_classes = weighted(z, OF_EXAMPLES)
    assert named(net, LABELS, without_classes, **options) == {"class-weights-forgotten"}
    found = cr.check(net, X, LABELS, mine=weighted(z, np.ones(6)), **options)
    assert found.causes[0].title == (
        "the weights of the examples are left out and those of the classes with them"
    )


def test_in_a_captured_step_weights_of_one_number_for_each_class_are_those_of_classes(classifier):
    net, z = classifier
    trace = cr.explain(net, X, LABELS, **GIVEN["with the classes"])
    found = cr.check(trace, mine=weighted(z, np.ones(6)))
    assert found.mistakes == ("class-weights-forgotten",)


def test_the_weight_of_the_positive_examples(classifier):
    net, z = classifier
    p, w = sigmoid(z), np.array([2.0, 5.0, 0.5])
    right = (p * (1 - ONE_HOT) - w * ONE_HOT * (1 - p)) / 18
    loss = nn.BCEWithLogitsLoss(pos_weight=w)
    assert cr.check(net, X, ONE_HOT, loss=loss, mine=gradients(right))
    mine = gradients((p - ONE_HOT) / 18)
    assert named(net, ONE_HOT, mine, loss=loss) == {"positive-weight-forgotten"}


# --- labels and logarithms ------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "said"), [(-1, "low"), (1, "high")])
@pytest.mark.parametrize("y", [LABELS, ONE_HOT], ids=["labels", "one-hot"])
def test_labels_counted_from_one(classifier, y, step, said):
    net, z = classifier
    error = softmax(z)
    for i, label in enumerate(LABELS):
        error[i, (label + step) % 3] -= 1
    found = cr.check(net, X, y, loss=nn.CrossEntropyLoss(), mine=gradients(error / 6))
    assert [cause.title for cause in found.causes] == [
        f"the labels are off by one class (one too {said})"
    ]


def test_one_is_not_subtracted_at_the_label(classifier):
    net, z = classifier
    mine = gradients(softmax(z) / 6)
    assert named(net, LABELS, mine, loss=nn.CrossEntropyLoss()) == {"target-forgotten"}


def test_only_the_output_of_the_right_class_has_an_error(classifier):
    net, z = classifier
    mine = gradients((softmax(z) - 1) * ONE_HOT / 6)
    assert named(net, LABELS, mine, loss=nn.CrossEntropyLoss()) == {"error-of-right-class"}


def test_half_of_binary_cross_entropy():
    net = nn.Sequential(nn.Linear(4, 1), nn.Sigmoid()).astype("float64").initialize(seed=0)
    w, b = (np.asarray(value, float) for value in net.state_dict().values())
    y = np.array([[0.0], [1.0], [1.0], [0.0], [1.0], [0.0]])
    a = sigmoid(X @ w.T + b)
    mine = gradients(-y / a * a * (1 - a) / 6)
    assert named(net, y, mine, loss=nn.BCELoss()) == {"error-of-right-class"}


@pytest.mark.parametrize(("name", "log"), [("log₂", np.log2), ("log₁₀", np.log10)])
def test_a_logarithm_of_another_base(classifier, name, log):
    net, z = classifier
    p = softmax(z)
    error = (p - ONE_HOT) / 6
    cost = -log(p[np.arange(6), LABELS]).mean()
    for factor, said in ((1.0, ", in the loss alone"), (log(np.e), "")):
        mine = {**gradients(error * factor), "loss": cost}
        found = cr.check(net, X, LABELS, loss=nn.CrossEntropyLoss(), mine=mine)
        assert [cause.title for cause in found.causes] == [
            f"the logarithm has another base ({name}){said}"
        ]


@pytest.mark.parametrize(("step", "said"), [(1, "before"), (-1, "behind")])
def test_targets_in_another_order(classifier, step, said):
    net, z = classifier
    mine = gradients((softmax(z) - np.roll(ONE_HOT, step, axis=0)) / 6)
    found = cr.check(net, X, LABELS, loss=nn.CrossEntropyLoss(), mine=mine)
    assert [cause.title for cause in found.causes] == [
        f"the targets are those of other examples (of the one {said})"
    ]
