"""`chainrule predict`: answers by name, from rows, tables and data sets."""

import csv

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn


@pytest.fixture
def flowers_run(chainrule, flowers):
    done = chainrule("train", flowers, "--target", "species", "--epochs", 60, "--folder", "model")
    assert done.status == 0, done.err
    return "model"


def test_row_is_answered_by_name_with_probabilities(chainrule, flowers_run):
    done = chainrule("predict", flowers_run, "--row", "5.0,1.4", "--row", "6.5,4.7", "--json")
    rows = done.document["rows"]
    assert [row["species"] for row in rows] == ["setosa", "versicolor"]
    for row in rows:
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-9)
        assert max(row["probabilities"], key=row["probabilities"].get) == row["species"]


def test_table_is_read_by_the_names_of_its_columns(chainrule, flowers_run, folder):
    (folder / "new.csv").write_text("petal,note,sepal\n1.4,x,5.0\n4.7,y,6.5\n", "utf-8")
    done = chainrule("predict", flowers_run, "new.csv", "--json")
    assert [row["species"] for row in done.document["rows"]] == ["setosa", "versicolor"]


def test_answers_go_to_a_file(chainrule, flowers_run, flowers, folder):
    done = chainrule("predict", flowers_run, flowers, "--save", "answers.csv")
    assert "All 36 rows are in answers.csv" in done.out
    with (folder / "answers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 36
    assert rows[0]["species"] == "setosa"
    assert float(rows[0]["p(setosa)"]) + float(rows[0]["p(versicolor)"]) == pytest.approx(
        1, abs=1e-5
    )


def test_long_answers_are_cut_and_say_so(chainrule, flowers_run, flowers):
    done = chainrule("predict", flowers_run, flowers)
    assert "... and 16 more rows" in done.out


def test_data_set_shows_what_is_known(chainrule, iris_run):
    done = chainrule("predict", "run", "iris", "--json")
    rows = done.document["rows"]
    assert len(rows) == 150
    assert rows[0]["known"] == "setosa"


def test_prediction_is_the_networks_own(chainrule, iris_run):
    from chainrule.cli.model_file import load_model
    from chainrule.data import load

    done = chainrule("predict", "run", "iris", "--json").document
    model = load_model("run")
    outputs = model.net.predict(model.preparation.x(load("iris").x))
    names = [load("iris").class_names[i] for i in outputs.argmax(axis=1)]
    assert [row["class"] for row in done["rows"]] == names


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("5.1", 'A row has 2 values (sepal, petal); "5.1" has 1.'),
        ("5.1,1.4,3", 'A row has 2 values (sepal, petal); "5.1,1.4,3" has 3.'),
        ("5.1,x", '"petal" is a number; got "x".'),
        ("5.1,nan", '"petal" is a finite number; got "nan".'),
    ],
)
def test_row_that_does_not_fit(chainrule, flowers_run, row, message):
    done = chainrule("predict", flowers_run, "--row", row)
    assert (done.status, done.err) == (2, f"chainrule: {message}\n")


def test_row_may_begin_with_a_minus(chainrule):
    chainrule("train", "sine", "--epochs", 1)
    done = chainrule("predict", "runs/sine", "--row", "-2.2", "--json")
    assert done.status == 0
    assert isinstance(done.document["rows"][0]["output"], float)


def test_text_that_was_not_there_in_training(chainrule, folder):
    (folder / "t.csv").write_text("town,y\n" + "Ulm,1.5\nKiel,2.5\n" * 12, "utf-8")
    chainrule("train", "t.csv", "--target", "y", "--epochs", 1)
    done = chainrule("predict", "runs/t", "--row", "Kil")
    assert done.err == (
        'chainrule: No value of "town" is named "Kil". Did you mean "Kiel"? There are: Kiel, Ulm.\n'
    )


def test_table_without_a_column(chainrule, flowers_run, folder):
    (folder / "new.csv").write_text("petal\n1.4\n", "utf-8")
    done = chainrule("predict", flowers_run, "new.csv")
    assert done.status == 2
    assert done.err.startswith('chainrule: No column is named "sepal". File new.csv.')


def test_what_is_asked_has_to_be_said_once(chainrule, iris_run):
    assert "What is to be predicted?" in chainrule("predict", "run").err
    assert "not both" in chainrule("predict", "run", "iris", "--row", "1,2,3,4").err


def test_model_that_python_saved(chainrule, folder):
    net = nn.Sequential(nn.Linear(2, 1)).initialize()
    cr.save(net, folder / "mine.safetensors")
    done = chainrule("predict", "mine.safetensors", "--row", "1,2", "--json")
    expected = net.predict(np.array([[1.0, 2.0]]))[0, 0]
    assert done.document["rows"][0]["output"] == pytest.approx(float(expected), rel=1e-6)
    refused = chainrule("evaluate", "mine.safetensors")
    assert refused.status == 2
    assert "does not say what it was trained for" in refused.err


def test_folder_of_several_runs(chainrule):
    chainrule("train", "xor", "--epochs", 1, "--seeds", "0,1")
    done = chainrule("predict", "runs/xor", "--row", "0,1")
    assert done.err == (
        "chainrule: runs/xor holds several runs: seed-0, seed-1. Choose one: runs/xor/seed-0.\n"
    )


def test_binary_logits_and_sigmoids_answer_by_name_too(chainrule):
    for loss in ("bce-with-logits", "quadratic"):
        words = ["--loss", loss, "--lr", "0.05", "--epochs", 60, "--folder", loss]
        assert chainrule("train", "moons", *words).status == 0
        done = chainrule("predict", loss, "moons", "--json").document
        right = [row["class"] == row["known"] for row in done["rows"]]
        assert np.mean(right) > 0.9
        assert chainrule("evaluate", loss).status == 0


def test_examples_it_was_trained_on_are_called_so(chainrule, iris_run):
    assert "It was trained on most of these." in chainrule("predict", "run", "iris").out
    assert "trained on" not in chainrule("predict", "run", "--row", "5,3,1,0").out
