"""Metrics of scores, probabilities and numbers, beside scikit-learn's."""

import numpy as np
import pytest
import sklearn.metrics as sk
from sklearn.exceptions import UndefinedMetricWarning

from chainrule import nn
from tests.nn.measured import (
    AS_TWO,
    LABELS,
    MANY,
    TWO,
    WEIGHTS,
    WITHIN,
    all_measured,
    classes,
    each_weighting,
    measured,
    numbers,
    sigmoid,
    softmax,
)

# --- order -----------------------------------------------------------------------------------


@each_weighting
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("case", [c for c in MANY if not c.startswith("one example")])
def test_top_k(case, k, weighting):
    logits, target = MANY[case]
    weights = WEIGHTS[weighting](len(target))
    expected = sk.top_k_accuracy_score(
        target, logits, k=k, sample_weight=weights, labels=range(logits.shape[1])
    )
    found = measured(f"top_{k}_accuracy", "CrossEntropyLoss", logits, target, weights)
    assert found == pytest.approx(expected, **WITHIN)


def test_top_k_of_equal_outputs_is_the_later_class_as_sorting_has_it():
    logits, target = np.zeros((4, 4)), np.arange(4)
    for k in (1, 2, 3):
        expected = sk.top_k_accuracy_score(target, logits, k=k)
        assert measured(f"top_{k}_accuracy", "CrossEntropyLoss", logits, target) == expected
    assert measured("top_1_accuracy", "CrossEntropyLoss", logits[:1], [3]) == 1
    assert measured("accuracy", "CrossEntropyLoss", logits[:1], [3]) == 0  # argmax: the first


RANKED = {
    "auc": lambda t, s, w: sk.roc_auc_score(t, s, sample_weight=w),
    "average_precision": lambda t, s, w: sk.average_precision_score(t, s, sample_weight=w),
}
each_ranking = pytest.mark.parametrize("name", RANKED)

SCORED = {
    "two": (numbers(41, 60), classes(42, 60, 2)),
    "ties": (np.round(numbers(43, 60)), classes(44, 60, 2)),
    "all scores are equal": (np.zeros(20), classes(45, 20, 2)),
    "perfect": (np.array([0.1, 0.2, 3.0, 4.0]), np.array([0, 0, 1, 1])),
    "worst": (np.array([3.0, 4.0, 0.1, 0.2]), np.array([0, 0, 1, 1])),
    "one of each": (np.array([1.0, 2.0]), np.array([0, 1])),
    "one is rare": (numbers(46, 100), (np.arange(100) == 17).astype(int)),
    "large": (1e3 * numbers(47, 60), classes(48, 60, 2)),
}


@each_weighting
@each_ranking
@pytest.mark.parametrize("form", ["log-odds", "a column of log-odds", "two logits"])
@pytest.mark.parametrize("case", SCORED)
def test_ranking_of_two_classes(case, form, name, weighting):
    z, target = SCORED[case]
    loss, output_of, target_of = AS_TWO[form]
    weights = WEIGHTS[weighting](len(target))
    if weights is not None and len(set(target[weights > 0])) < 2:
        pytest.skip("all examples of a class have no weight: refused, see below")
    expected = RANKED[name](target, z, weights)
    found = measured(name, loss, output_of(z), target_of(target), weights)
    assert found == pytest.approx(expected, **WITHIN)


@each_weighting
def test_ranking_by_probabilities_and_by_values(weighting):
    z, target = np.round(numbers(49, 60), 1), classes(50, 60, 2)
    weights = WEIGHTS[weighting](60)
    for name, of_sklearn in RANKED.items():
        expected = of_sklearn(target, sigmoid(z), weights)
        for loss in ("BCELoss", "MSELoss"):
            found = measured(name, loss, sigmoid(z), target, weights)
            assert found == pytest.approx(expected, **WITHIN)


# Of which equal ones stay equal, however they are computed.
_EXACT = np.array([0.5, 0.25, 0.125, 0.125])[
    np.array([np.random.default_rng(i).permutation(4) for i in range(60)])
]
PROBABLE = {
    "many": (softmax(MANY["many"][0]), MANY["many"][1]),
    "ties": (_EXACT, classes(55, 60, 4)),
    "one class is never predicted": (
        softmax(MANY["one class is never predicted"][0]),
        MANY["one class is never predicted"][1],
    ),
    "all right": (softmax(MANY["all right"][0]), MANY["all right"][1]),
}


@each_weighting
@pytest.mark.parametrize("case", PROBABLE)
def test_ranking_of_many_classes_is_each_against_the_rest(case, weighting):
    p, target = PROBABLE[case]
    weights = WEIGHTS[weighting](len(target))
    expected = {
        "auc": sk.roc_auc_score(target, p, multi_class="ovr", sample_weight=weights),
        "average_precision": sk.average_precision_score(target, p, sample_weight=weights),
    }
    found = all_measured(list(RANKED), "NLLLoss", np.log(p), target, weights)
    assert {name: found[name] for name in RANKED} == pytest.approx(expected, **WITHIN)
    if case != "ties":  # equal probabilities are not always of equal logits
        logits = np.log(p) + np.arange(len(p))[:, None]
        found = all_measured(list(RANKED), "CrossEntropyLoss", logits, target, weights)
        assert {name: found[name] for name in RANKED} == pytest.approx(expected, **WITHIN)


@each_weighting
@each_ranking
def test_ranking_of_labels_is_the_mean_of_theirs(name, weighting):
    z, target = LABELS["labels"]
    weights = WEIGHTS[weighting](len(target))
    expected = RANKED[name](target, z, weights)
    found = measured(name, "BCEWithLogitsLoss", z, target, weights)
    assert found == pytest.approx(expected, **WITHIN)


@each_weighting
@each_ranking
def test_ranking_of_one_hot_rows(name, weighting):
    target = classes(51, 40, 3)
    outputs, rows = sigmoid(numbers(52, 40, 3)), np.eye(3)[target]
    weights = WEIGHTS[weighting](40)
    expected = RANKED[name](rows, outputs, weights)
    found = measured(name, "MSELoss", outputs, rows, weights)
    assert found == pytest.approx(expected, **WITHIN)


# --- probabilities ---------------------------------------------------------------------------


def log_loss(target, p, weights, count):
    return sk.log_loss(target, p, sample_weight=weights, labels=range(count))


@each_weighting
@pytest.mark.parametrize("case", ["many", "ties", "one class is never there", "one example, wrong"])
def test_log_loss_of_many_classes(case, weighting):
    logits, target = MANY[case]
    weights, p = WEIGHTS[weighting](len(target)), softmax(logits)
    expected = log_loss(target, p, weights, logits.shape[1])
    found = measured("log_loss", "CrossEntropyLoss", logits, target, weights)
    assert found == pytest.approx(expected, **WITHIN)
    found = measured("log_loss", "NLLLoss", np.log(p), target, weights)
    assert found == pytest.approx(expected, **WITHIN)
    found = measured(
        "log_loss", "CrossEntropyLoss", logits, np.eye(logits.shape[1])[target], weights
    )
    assert found == pytest.approx(expected, **WITHIN)


@each_weighting
@pytest.mark.parametrize("case", ["two", "ties at the border", "only ones", "one example"])
def test_log_loss_of_two_classes(case, weighting):
    z, target = TWO[case]
    weights = WEIGHTS[weighting](len(target))
    expected = log_loss(target, sigmoid(z), weights, 2)
    for loss, outputs in (("BCEWithLogitsLoss", z), ("BCELoss", sigmoid(z))):
        found = measured("log_loss", loss, outputs, target, weights)
        assert found == pytest.approx(expected, **WITHIN)
    found = measured("log_loss", "BCEWithLogitsLoss", z[:, None], target[:, None], weights)
    assert found == pytest.approx(expected, **WITHIN)


def test_log_loss_of_sure_probabilities_is_cut_off_where_scikit_learn_does():
    p, target = np.array([0.0, 1.0, 1.0, 0.0]), np.array([0, 1, 0, 1])
    found = measured("log_loss", "BCELoss", p, target)
    assert found == pytest.approx(sk.log_loss(target, p), **WITHIN)
    expected = pytest.approx(-np.log(2.0**-52), rel=1e-12)
    assert measured("log_loss", "BCELoss", [1.0], [0]) == expected


def test_log_loss_of_logits_is_not_cut_off():
    assert measured("log_loss", "CrossEntropyLoss", [[0.0, 1e4]], [0]) == 1e4
    assert measured("log_loss", "BCEWithLogitsLoss", [-1e4], [1]) == 1e4


def test_log_loss_of_a_distribution_weighs_each_class():
    logits, shares = numbers(53, 6, 3), softmax(numbers(54, 6, 3))
    expected = -(shares * np.log(softmax(logits))).sum(axis=1).mean()
    found = measured("log_loss", "CrossEntropyLoss", logits, shares)
    assert found == pytest.approx(expected, **WITHIN)


# --- numbers ---------------------------------------------------------------------------------

SHARES = ("r2", "explained_variance")
OF_NUMBERS = {
    "mse": lambda t, o, w: sk.mean_squared_error(t, o, sample_weight=w),
    "rmse": lambda t, o, w: sk.root_mean_squared_error(t, o, sample_weight=w),
    "mae": lambda t, o, w: sk.mean_absolute_error(t, o, sample_weight=w),
    "r2": lambda t, o, w: sk.r2_score(t, o, sample_weight=w),
    "explained_variance": lambda t, o, w: sk.explained_variance_score(t, o, sample_weight=w),
}

_T = numbers(61, 50, 3)
NUMBERS = {
    "a vector": (_T[:, 0] + 0.3 * numbers(62, 50), _T[:, 0]),
    "a column": (_T[:, :1] + 0.3 * numbers(62, 50, 1), _T[:, :1]),
    "several outputs": (_T + [0.3, 0.1, 1.0] * numbers(63, 50, 3), _T),
    "biased": (_T[:, 0] + 5, _T[:, 0] + 0.1 * numbers(64, 50)),
    "perfect": (_T, _T),
    "worse than the mean": (-3 * _T, _T),
    "the mean": (np.full(4, 2.5), np.array([1.0, 2.0, 3.0, 4.0])),
    "one output's targets are equal": (_T, _T * [1, 0, 1] + [0, 2.0, 0]),
    "and it is right": (_T * [1, 0, 1] + [0.5, 2.0, 0], _T * [1, 0, 1] + [0, 2.0, 0]),
    "two examples": (np.array([1.0, 2.0]), np.array([1.5, 1.0])),
}


@each_weighting
@pytest.mark.parametrize("case", NUMBERS)
def test_numbers(case, weighting):
    outputs, target = NUMBERS[case]
    weights = WEIGHTS[weighting](len(target))
    found = all_measured(list(OF_NUMBERS), "MSELoss", outputs, target, weights)
    for name, of_sklearn in OF_NUMBERS.items():
        if weighting == "weighted" and "targets are equal" in case and name in SHARES:
            continue  # see below
        assert found[name] == pytest.approx(of_sklearn(target, outputs, weights), **WITHIN), name


def test_targets_that_are_all_equal_have_no_spread_however_they_are_weighted():
    """Rounding leaves scikit-learn 1e-31 of it, of which it makes some -1e31."""
    outputs, target = NUMBERS["one output's targets are equal"]
    weights = WEIGHTS["weighted"](len(target))
    for name in SHARES:
        expected = OF_NUMBERS[name](target[:, [0, 2]], outputs[:, [0, 2]], weights) * 2 / 3
        found = measured(name, "MSELoss", outputs, target, weights)
        assert found == pytest.approx(expected, **WITHIN)
        assert measured(name, "MSELoss", [0.1, 0.2, 0.3], [0.1, 0.1, 0.1]) == 0
        assert measured(name, "MSELoss", [0.1, 0.1, 0.1], [0.1, 0.1, 0.1]) == 1


def test_largest_error():
    outputs, target = NUMBERS["a vector"]
    found = measured("max_error", "MSELoss", outputs, target)
    assert found == sk.max_error(target, outputs)
    outputs, target = NUMBERS["several outputs"]
    assert measured("max_error", "L1Loss", outputs, target) == abs(outputs - target).max()
    assert measured("max_error", "MSELoss", [1.0, 9.0], [1.0, 1.0], [1.0, 0.0]) == 0


@pytest.mark.parametrize("name", SHARES)
@pytest.mark.parametrize("offset", [0.0, 1e6, 1e9, -1e12])
def test_shares_explained_keep_their_digits_far_from_zero(name, offset):
    """Squares of 1e12 hold nothing of a spread of 1; the exact value is that without the offset."""
    target = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    outputs = np.array([1.5, 2.0, 3.0, 9.0, 16.0])
    expected = OF_NUMBERS[name](target, outputs, None)
    found = measured(name, "MSELoss", outputs + offset, target + offset)
    assert found == pytest.approx(expected, **WITHIN)


def test_explained_variance_keeps_its_digits_beside_a_large_bias():
    target = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    errors = np.array([0.5, 0.0, -1.0, 1.0, 0.0])
    expected = 1 - errors.var() / target.var()
    for bias in (1e3, 1e6, 1e9):
        found = measured("explained_variance", "MSELoss", target + errors + bias, target)
        assert found == pytest.approx(expected, rel=1e-9 if bias == 1e9 else 1e-12)


def test_one_example_of_numbers():
    for name in ("mse", "rmse", "mae", "max_error"):
        assert measured(name, "MSELoss", [3.0], [1.0]) == (4.0 if name == "mse" else 2.0)
    assert measured("explained_variance", "MSELoss", [3.0], [1.0]) == sk.explained_variance_score(
        [1.0], [3.0]
    )


# --- float32 ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["r2", "log_loss", "f1_macro", "auc", "mse"])
def test_a_network_in_float32_is_measured_in_float64(name):
    """The numbers are those of its outputs, as scikit-learn computes them in float64."""
    net = nn.Sequential()
    if name in ("r2", "mse"):
        outputs, target = (np.float32(a) for a in NUMBERS["several outputs"])
        loss = "MSELoss"
        expected = OF_NUMBERS[name](target.astype(float), outputs.astype(float), None)
    else:
        logits, target = MANY["many"]
        outputs, loss = np.float32(logits), "CrossEntropyLoss"
        p = softmax(outputs.astype(float))
        expected = {
            "log_loss": lambda: log_loss(target, p, None, 4),
            "f1_macro": lambda: sk.f1_score(target, p.argmax(axis=1), average="macro"),
            "auc": lambda: sk.roc_auc_score(target, p, multi_class="ovr"),
        }[name]()
    found = net.evaluate(outputs, target, loss=loss, metrics=[name], batch_size=7)
    assert found[name] == pytest.approx(expected, **WITHIN)


def test_scikit_learn_warns_where_a_metric_is_refused_here():
    """So that this file says so, should it begin to give a number."""
    with pytest.warns(UndefinedMetricWarning):
        assert np.isnan(sk.roc_auc_score([1, 1], [0.2, 0.3]))
    with pytest.warns(UndefinedMetricWarning):
        assert np.isnan(sk.r2_score([1.0], [2.0]))
    with pytest.warns(UndefinedMetricWarning):
        assert sk.top_k_accuracy_score([0, 1, 2], np.eye(3), k=3) == 1
