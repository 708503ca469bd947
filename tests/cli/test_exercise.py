"""`chainrule exercise` and `chainrule grade`: sheets, keys, files of answers, a class's points."""

import csv
import io

import pytest

from chainrule.explanation.exercises import printing


def test_a_sheet_is_shown(chainrule):
    done = chainrule("exercise", "--network", "2-3-1", "--seed", 7, "--ask", "d_2.weight")
    assert done.status == 0, done.err
    assert "∂C/∂W2 (dW2)\n  dW2[0,0] = ________" in done.out
    assert "\nz1" not in done.out
    assert done.out.splitlines()[-1].startswith("2-3-1 activations=Sigmoid+Sigmoid loss=Quad")


def test_files_are_written_and_answers_graded(chainrule, folder):
    done = chainrule(
        "exercise", "--seed", 7, "--save", "sheet.html", "--key", "key.html", "--answers", "ada.csv"
    )
    assert (done.status, done.out) == (0, "")
    assert done.err.splitlines() == [
        "sheet.html holds 1 sheet.",
        "key.html holds 1 key.",
        "ada.csv holds what is to be filled in.",
    ]
    rows = (folder / "ada.csv").read_text(encoding="utf-8").replace("z2[0],", "z2[0],-0.354")
    (folder / "ada.csv").write_text(rows, encoding="utf-8")
    done = chainrule("grade", "ada.csv")
    assert done.status == 0, done.err
    assert "ada: 1 of 26 points" in done.out
    assert chainrule("grade", "ada.csv", "--json").document["grades"][0]["points"] == 1


def test_a_class_gets_sheets_of_its_own(chainrule, folder):
    done = chainrule("exercise", "--count", 3, "--seed", 5, "--ask", "z1", "--answers", "class.csv")
    assert done.status == 0, done.err
    assert [f"exercise {n}" in done.out for n in (4, 5, 6, 7, 8)] == [
        False,
        True,
        True,
        True,
        False,
    ]
    with (folder / "class.csv").open(encoding="utf-8", newline="") as file:
        heads, *rows = csv.reader(file)
    assert heads == ["learner", "exercise", "z1[0]", "z1[1]", "z1[2]"]
    assert [("seed=5" in r[1], "seed=6" in r[1], "seed=7" in r[1]) for r in rows] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]
    found = list(csv.DictReader(io.StringIO(chainrule("grade", "class.csv", "--csv").out)))
    assert [(row["learner"], row["points"], row["of"]) for row in found] == [
        ("learner 1", "0", "3"),
        ("learner 2", "0", "3"),
        ("learner 3", "0", "3"),
    ]


def test_a_folder_gets_a_file_for_each(chainrule, folder):
    (folder / "out").mkdir()
    done = chainrule("exercise", "--count", 2, "--seed", 5, "--ask", "z1", "--answers", "out")
    assert done.status == 0, done.err
    assert sorted(p.name for p in (folder / "out").iterdir()) == ["answers-5.csv", "answers-6.csv"]
    assert chainrule("grade", "out").out.splitlines()[0] == "learner    z1  total"


def test_options_are_spelled_as_elsewhere(chainrule):
    found = chainrule(
        "exercise", "--network", "2-3-3", "--activation", "relu", "--loss", "cross-entropy",
        "--lr", 0.1, "--examples", 2, "--digits", 3, "--json",
    ).document["exercises"][0]  # fmt: skip
    for part in ("activations=ReLU+none", "loss=CrossEntropyLoss", "learning_rate=0.1", "digits=3"):
        assert part in found["code"]
    assert len(found["given"]["W1"]) == 3
    assert "W1_new[0,0]" in found["asked"]


def test_an_experiment_gives_network_loss_and_rate(chainrule, folder):
    (folder / "mine.toml").write_text(
        'loss = "MSELoss"\noptimizer = { name = "SGD", lr = 0.25 }\n[data]\nname = "moons"\n'
        '[network]\nhidden = [3]\nactivation = "Tanh"\n'
    )
    code = chainrule("exercise", "mine.toml", "--json").document["exercises"][0]["code"]
    assert code.startswith(
        "2-3-2 activations=Tanh+Sigmoid loss=MSELoss examples=1 learning_rate=0.25"
    )
    code = chainrule("exercise", "2-2-2", "--json").document["exercises"][0]["code"]
    assert code.startswith("2-2-2 activations=Sigmoid+Sigmoid loss=QuadraticLoss")
    assert "learning_rate=0.5" in code


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--network", "2"], "A network is written as the sizes of its layers, such as 2-3-1"),
        (["--ask", "dW9"], 'No value to ask for is named "dW9"'),
        (["--count", "0"], "--count is a number of sheets from 1 to 200; got 0"),
        (["--save", "sheet.doc"], "A sheet is written as .html or .pdf; got sheet.doc"),
        (["--answers", "a.xlsx"], "A file of answers is written as .csv; got a.xlsx"),
        (["--activation", "sigmod"], 'Did you mean "Sigmoid"?'),
        (["2-2-2", "--network", "2-3-1"], "--network cannot be given beside it"),
        (["--set", "network.hidden=[3]"], "--set changes an experiment, and none is given"),
        (["iris"], "An exercise is done by hand: it has 1 to 16 units in a layer; got 64"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(chainrule, words, message):
    done = chainrule("exercise", *words)
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_without_a_browser_html_is_named(chainrule, monkeypatch, folder):
    monkeypatch.setattr(printing, "browser", lambda: None)
    done = chainrule("exercise", "--to", "sheet.pdf")
    assert done.status == 2
    assert "Write sheet.html and print it with your browser." in done.err
    assert not (folder / "sheet.pdf").exists()


def test_nothing_that_is_graded_is_status_2(chainrule, folder):
    (folder / "empty.csv").write_bytes(b"")
    done = chainrule("grade", "empty.csv")
    assert done.status == 2
    assert "empty: not graded" in done.out
    assert "! empty.csv is empty." in done.out
    assert chainrule("grade", "nowhere.csv").status == 2
    assert "choose one" in chainrule("grade", "empty.csv", "--csv", "--json").err
