"""Metrics on the command line: chosen, shown, kept, measured again."""

import re

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

ALL = (
    "accuracy,balanced-accuracy,top-2-accuracy,Log_Loss,precision_macro,recall_weighted,f1_micro,"
    "auc,average_precision"
)
NAMES = [
    "accuracy", "balanced_accuracy", "top_2_accuracy", "log_loss", "precision_macro",
    "recall_weighted", "f1_micro", "auc", "average_precision",
]  # fmt: skip


def test_metrics_are_chosen_shown_and_measured_again(chainrule, folder):
    done = chainrule("train", "iris", "--epochs", 3, "--metrics", ALL, "--folder", "run", "--json")
    assert done.status == 0
    document = done.document
    assert document["experiment"]["metrics"] == NAMES
    run = document["runs"][0]
    assert list(run["figures"]) == ["loss", *NAMES]
    assert {f"val_{name}" for name in NAMES} < set(run["history"])
    assert set(NAMES) - {"auc", "average_precision"} < set(run["history"])
    assert "auc" not in run["history"]
    assert run["figures"]["auc"] == run["history"]["val_auc"][-1]
    again = chainrule("evaluate", "run", "--json").document
    assert again["figures"] == run["figures"]
    resumed = chainrule("train", "--resume", "run", "--epochs", 5, "--json").document
    assert len(resumed["runs"][0]["history"]["val_auc"]) == 5


def test_shares_are_in_percent_and_the_rest_is_not(chainrule):
    chainrule(
        "train", "iris", "--epochs", 2, "--metrics", "recall_macro,auc,f1_macro,log_loss",
        "--folder", "run",
    )  # fmt: skip
    out = chainrule("evaluate", "run").out
    parts = dict(re.findall(r"(\w+)\s([\d.]+(?: %)?)", out.partition("\n\n")[0]))
    assert parts["recall_macro"].endswith(" %")
    for name in ("auc", "f1_macro", "log_loss", "loss"):
        assert 0 < float(parts[name]) < 3


def test_other_metrics_are_measured_afterwards(chainrule):
    chainrule("train", "iris", "--epochs", 2, "--folder", "run")
    told = chainrule("evaluate", "run", "--metrics", "top-2-accuracy, f1_macro", "--json").document
    assert list(told["figures"]) == ["loss", "top_2_accuracy", "f1_macro"]
    done = chainrule("evaluate", "run", "--metrics", "acuracy")
    assert done.status == 2
    assert done.err.startswith('chainrule: No metric is named "acuracy". Did you mean "accuracy"?')


def test_an_experiment_file_says_metrics_with_numbers_in_them(chainrule, folder):
    made = chainrule("train", "iris", "--metrics", "top_2_accuracy,auc", "--print-experiment").out
    assert 'metrics = ["top_2_accuracy", "auc"]' in made
    (folder / "iris.toml").write_text(made.replace("epochs = 200", "epochs = 2"))
    document = chainrule("train", "iris.toml", "--no-keep", "--json").document
    assert document["experiment"]["metrics"] == ["top_2_accuracy", "auc"]
    assert list(document["runs"][0]["figures"]) == ["loss", "top_2_accuracy", "auc"]


def test_metrics_of_numbers_are_in_the_units_of_the_data(chainrule, folder):
    rows = ["size,age,price"]
    rng = np.random.default_rng(0)
    size, age = rng.uniform(50, 200, 60), rng.uniform(0, 90, 60)
    price = 1000 * size - 300 * age + 50_000
    rows += [f"{a:.6f},{b:.6f},{c:.6f}" for a, b, c in zip(size, age, price, strict=True)]
    (folder / "houses.csv").write_text("\n".join(rows) + "\n")
    names = ["rmse", "mae", "r2", "max_error", "explained_variance"]
    done = chainrule(
        "train", "houses.csv", "--target", "price", "--epochs", 30, "--folder", "run", "--json",
        "--metrics", ",".join(names), "--set", "training.dtype=float64",
    )  # fmt: skip
    figures = done.document["runs"][0]["figures"]
    assert list(figures) == ["loss", *names]
    assert 100 < figures["mae"] <= figures["rmse"] <= figures["max_error"]
    assert figures["r2"] <= figures["explained_variance"] <= 1
    assert chainrule("evaluate", "run", "--json").document["figures"] == figures


def test_without_examples_that_are_held_out_a_whole_set_is_the_training_set(chainrule, folder):
    """There is nothing to watch while it trains; at the end it is measured on what there is."""
    document = chainrule(
        "train", "iris", "--test", 0, "--epochs", 2, "--metrics", "accuracy,auc", "--no-keep",
        "--json",
    ).document  # fmt: skip
    run = document["runs"][0]
    assert document["figures_of"] == "training"
    assert set(run["history"]) == {"loss", "accuracy", "lr"}
    assert 0 < run["figures"]["auc"] <= 1


def test_two_classes_by_one_output(chainrule):
    document = chainrule(
        "train", "moons", "--loss", "bce-with-logits", "--epochs", 2, "--no-keep", "--json",
        "--metrics", "precision,recall,f1,specificity,auc",
    ).document  # fmt: skip
    figures = document["runs"][0]["figures"]
    assert list(figures) == ["loss", "precision", "recall", "f1", "specificity", "auc"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "iris --metrics top-9-acuracy",
            'No metric is named "top-9-acuracy". Did you mean "top_k_accuracy"?',
        ),
        (
            "iris --metrics top_k_accuracy",
            ('The metric top_k_accuracy takes a number in the place of k. Write "top_3_accuracy".'),
        ),
        (
            "iris --metrics top_5_accuracy",
            (
                "The metric top_5_accuracy needs outputs for more than 5 classes, or the right "
                "one is always among them; there are 3."
            ),
        ),
        (
            "iris --metrics precision",
            (
                "The metric precision is of two classes, and there are 3 classes. Use "
                'metrics=["precision_macro"], ["precision_micro"] or ["precision_weighted"].'
            ),
        ),
        (
            "iris --metrics r2",
            (
                "The metric r2 compares numbers, and the outputs of CrossEntropyLoss are logits. "
                'Use metrics=["accuracy"] for classes.'
            ),
        ),
        (
            "sine --metrics auc",
            "The metric auc counts classes, and these targets are no classes: they take",
        ),
    ],
)
def test_metrics_that_cannot_be(chainrule, words, message):
    done = chainrule("train", *words.split(), "--no-keep")
    assert done.status == 2
    assert done.err.startswith(f"chainrule: {message}")


def test_a_part_without_a_class_is_refused_before_training(chainrule, folder):
    rows = ["a,b,c", *(f"{i},{i % 7},{'yes' if i == 3 else 'no'}" for i in range(40))]
    (folder / "rare.csv").write_text("\n".join(rows) + "\n")
    done = chainrule("train", "rare.csv", "--target", "c", "--metrics", "auc", "--no-keep")
    assert done.status == 2
    assert "compares examples of a class with the others" in done.err
    assert "held-out examples" in done.err


def test_a_model_made_in_python_is_measured_alike(folder):
    """The names in files are those of the registry, with their numbers."""
    net = nn.Sequential(nn.Linear(4, 3))
    x, y = np.eye(4)[[0, 1, 2, 3] * 5], np.array([0, 1, 2, 1] * 5)
    run = cr.fit(
        net, x, y, loss="CrossEntropyLoss", metrics=["top_2_accuracy"], folder=folder / "run",
        progress=False,
    )  # fmt: skip
    line = (folder / "run" / "history.jsonl").read_text().splitlines()[0]
    assert f'"top_2_accuracy": {run.history["top_2_accuracy"][0]!r}'.replace(" ", "") in (
        line.replace(" ", "")
    )
