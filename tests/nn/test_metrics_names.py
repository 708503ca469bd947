"""Metrics: how they are asked for, and one's own."""

import inspect
import textwrap
import types
from dataclasses import dataclass

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import (
    ConfigurationError,
    NameNotFoundError,
    TargetError,
)
from chainrule.nn import metrics
from tests.nn.measured import AVERAGES, NAMES, OF_CLASSES, OF_NUMBERS, evaluate


def test_the_metrics_there_are():
    assert list(nn.METRICS) == NAMES


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (metrics.Accuracy(), "accuracy"),
        (metrics.TopKAccuracy(3), "top_3_accuracy"),
        (metrics.TopKAccuracy(k=12), "top_12_accuracy"),
        (metrics.Precision(), "precision"),
        (metrics.Recall("micro"), "recall_micro"),
        (metrics.F1(average="weighted"), "f1_weighted"),
        (metrics.R2(), "r2"),
        (metrics.AUC(), "auc"),
    ],
)
def test_a_metric_is_named_or_made(made, name):
    from chainrule.nn.metrics.registry import find_metric

    assert made.name == name
    assert find_metric(name) == made
    assert metrics.metric_names([made, name]) == (name, name)


def test_the_same_by_name_and_by_object():
    outputs, target = [[1.0, 2, 3, 0], [3.0, 2, 1, 0], [0, 1, 5, 4]], [1, 2, 2]
    by_name = evaluate(outputs, target, "CrossEntropyLoss", ["top_2_accuracy", "f1_macro"])
    made = [metrics.TopKAccuracy(2), metrics.F1("macro")]
    assert evaluate(outputs, target, "CrossEntropyLoss", made) == by_name
    assert by_name["top_2_accuracy"] == pytest.approx(2 / 3)
    one = evaluate(outputs, target, "CrossEntropyLoss", metrics.TopKAccuracy(2))
    assert one["top_2_accuracy"] == by_name["top_2_accuracy"]


def other(output, target):
    return output


class Unregistered(metrics.Accuracy):
    pass


ALL_OF_THEM = f"There are: {', '.join(NAMES)}."


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        (
            "acuracy",
            NameNotFoundError,
            f'No metric is named "acuracy". Did you mean "accuracy"? {ALL_OF_THEM}',
        ),
        (
            "top_3_acuracy",
            NameNotFoundError,
            f'No metric is named "top_3_acuracy". Did you mean "top_k_accuracy"? {ALL_OF_THEM}',
        ),
        (
            "f1_makro",
            ConfigurationError,
            (
                'F1 takes average="binary" or "macro" or "micro" or "weighted"; got '
                "'makro'. Did you mean \"macro\"?"
            ),
        ),
        (
            "r2_macro",
            NameNotFoundError,
            f'No metric is named "r2_macro". {ALL_OF_THEM}',
        ),
        (
            "top_k_accuracy",
            ConfigurationError,
            ('The metric top_k_accuracy takes a number in the place of k. Write "top_3_accuracy".'),
        ),
        (
            "top_0_accuracy",
            ConfigurationError,
            "TopKAccuracy takes a whole number k ≥ 1; got 0.",
        ),
        (
            other,
            ConfigurationError,
            (
                "A metric is given by its name, or as one of nn.metrics; got other. Register your "
                'own: nn.METRICS.register("name", ...); `nn.metrics` says how.'
            ),
        ),
        (
            3,
            ConfigurationError,
            (
                "A metric is given by its name, or as one of nn.metrics; got 3. Register your "
                'own: nn.METRICS.register("name", ...); `nn.metrics` says how.'
            ),
        ),
        (
            metrics.F1,
            ConfigurationError,
            (
                "A metric is given by its name, or as one of nn.metrics; got F1. Register your "
                'own: nn.METRICS.register("name", ...); `nn.metrics` says how.'
            ),
        ),
        (
            Unregistered(),
            ConfigurationError,
            (
                "Unregistered is not registered, so that no run folder could name it. Put "
                '@nn.METRICS.register("...") before class Unregistered.'
            ),
        ),
    ],
)
def test_names_that_are_none(asked, error, message):
    with pytest.raises(error) as caught:
        evaluate([[1.0, 2]], [1], "CrossEntropyLoss", [asked])
    assert str(caught.value) == message


def test_arguments_that_are_none():
    with pytest.raises(ConfigurationError) as caught:
        metrics.Precision("mean")
    assert caught.value.message == (
        'Precision takes average="binary" or "macro" or "micro" or "weighted"; got \'mean\''
    )
    with pytest.raises(ConfigurationError, match=r"^TopKAccuracy takes a whole number k ≥ 1"):
        metrics.TopKAccuracy(2.5)


def test_what_is_a_share_and_what_should_be_large():
    names = [*OF_CLASSES, *OF_NUMBERS]
    assert {name for name in names if metrics.is_share(name)} == {
        "accuracy", "top_1_accuracy", "balanced_accuracy", "specificity", "precision", "recall",
        *(f"{score}_{average}" for score in ("precision", "recall") for average in AVERAGES),
    }  # fmt: skip
    small = {name for name in names if not metrics.larger_is_better(name)}
    assert small == {"log_loss", "mse", "rmse", "mae", "max_error"}
    assert metrics.is_share("val_top_3_accuracy")
    assert metrics.larger_is_better("val_f1_macro")
    for name in ("loss", "val_loss", "lr", "penalty", "nothing_known", "top_k_accuracy", "f1_x"):
        assert not metrics.is_share(name)
        assert not metrics.larger_is_better(name)


# --- one's own -------------------------------------------------------------------------------


@pytest.fixture
def own_metrics(monkeypatch):
    """A registry that is as it was afterwards."""
    monkeypatch.setattr(nn.METRICS, "_things", dict(nn.METRICS.items()))


def test_the_examples_of_the_documentation_work(own_metrics):
    documented = inspect.cleandoc(metrics.__doc__)
    code = textwrap.dedent(documented.partition("::\n")[2].partition("\nA subclass of")[0])
    exec(compile(code, "nn.metrics", "exec"), types.ModuleType("example").__dict__)  # noqa: S102
    x = np.array([[1.0], [2.0], [4.0]])
    found = evaluate(x, x + 1, "MSELoss", ["within_a_tenth", "slope", "median_error"])
    assert found == {
        "loss": 1.0,
        "within_a_tenth": 0.0,
        "slope": pytest.approx(28 / 38),
        "median_error": 1.0,
    }
    with pytest.raises(ConfigurationError, match="The metric median_error is of all examples"):
        cr.fit(nn.Sequential(nn.Linear(1, 1)), x, x + 1, metrics=["median_error"])
    run = cr.fit(
        nn.Sequential(nn.Linear(1, 1)),
        x,
        x + 1,
        metrics=["slope", "median_error"],
        validation=(x, x),
    )
    assert {"slope", "val_slope", "val_median_error"} < set(run.history)


def test_ones_own_with_an_argument(own_metrics):
    @nn.METRICS.register("within_k_percent")
    @dataclass(frozen=True)
    class Within(metrics.Definition):
        k: int
        is_share = True

        @property
        def name(self):
            return super().name.replace("_k_", f"_{self.k}_")

        def __call__(self, loss, target):
            def right(output, target):
                return (abs(output - target) <= self.k / 100 * abs(target)).all(axis=1)

            return metrics.Mean(right)

    outputs = np.array([[1.0], [2.0], [4.0]])
    for asked in ("within_20_percent", Within(20)):
        found = evaluate(outputs, outputs + 0.5, "MSELoss", [asked])
        assert found["within_20_percent"] == pytest.approx(2 / 3)
    assert metrics.is_share("within_20_percent")


def test_ones_own_may_read_several_outputs(own_metrics):
    nn.METRICS.register("gap", lambda loss, target: lambda output, target: output[0] - output[1])
    found = evaluate((np.ones(3), np.zeros(3)), np.ones(3), lambda o, t: o[0] * t, ["gap"])
    assert found["gap"] == 1


def test_ones_own_keeps_what_it_reads_and_checks_what_it_is_evaluated_on(own_metrics):
    def check(target, width):
        if width != 2:
            raise TargetError(f"two outputs, not {width}")

    def largest_gap(loss, target):
        return metrics.OfAll(
            lambda gaps, target, weights: float((gaps * weights).max()),
            lambda output, target: output[:, 0] - output[:, 1],
            check,
        )

    nn.METRICS.register("largest_gap", largest_gap)
    outputs = np.array([[1.0, 2], [5, 1], [3, 3]])
    found = evaluate(outputs, outputs, "MSELoss", ["largest_gap"], weights=[1, 2, 1])
    assert found["largest_gap"] == 8
    with pytest.raises(TargetError, match="two outputs, not 1"):
        evaluate(outputs[:, :1], outputs[:, :1], "MSELoss", ["largest_gap"])
