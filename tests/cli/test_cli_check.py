"""`chainrule check`: a learner's file beside an experiment's step."""

import json
import re

import numpy as np
import pytest

import chainrule as cr

RIGHT = "w5;0,082167041\nw1;0,000438568\nE_total;0,298371109\nδ_o1;0,1385\n"
MISSING = "w5,0.4398\nw6,0.4425\nδ_o1,0.7414\n"


@pytest.fixture
def mine(folder):
    def write(text, name="mine.csv"):
        (folder / name).write_text(text, encoding="utf-8")
        return name

    return write


def test_right_numbers_of_the_textbook(chainrule, mine):
    done = chainrule("check", "2-2-2", mine(RIGHT))
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[0] == "Right: all 4 numbers in 4 values."
    assert "decimal commas were read as points" in done.out


def test_updated_weights_of_the_textbook_have_plain_names(chainrule, mine):
    done = chainrule("check", "2-2-2", mine("w1,0.149780716\nw5,0.358916480\nw8,0.561370121\n"))
    assert done.status == 0
    assert "w1, w5, w8: read as the updated weights" in done.out


def test_the_figures_of_the_popular_write_up_are_named_as_its_mistake(chainrule, mine):
    # What its own order gives: the output weights are updated before the hidden errors.
    done = chainrule("check", "2-2-2", mine("w1,0.149817719\nw2,0.199635438\nw5,0.358916480\n"))
    assert done.status == 1
    assert "updated before the errors are computed" in done.out


def test_a_mistake_is_named_with_its_rule_and_how_to_mend_it(chainrule, mine):
    done = chainrule("check", "2-2-2", mine(MISSING))
    assert done.status == 1
    lines = done.out.splitlines()
    assert lines[0] == "Not right: 3 of 3 values are wrong."
    assert "σ′ is missing in every layer" in lines
    assert any(line.startswith("Rule: δˡ") for line in lines)
    assert any(line.startswith("Mend: Multiply by σ′(z)") for line in lines)
    assert max(map(len, lines)) <= 80
    typed = re.search(
        r"^chainrule explain 2-2-2 '?\"?(\S+?)\"?'? opens it further\.$", done.out, re.M
    )
    assert chainrule("explain", "2-2-2", typed[1]).status == 0


def test_hints_tell_no_true_number_and_no_more_than_asked(chainrule, mine):
    first = chainrule("check", "2-2-2", mine(MISSING), "--hints", 1)
    assert first.status == 1
    assert "0.138" not in first.out
    assert "missing" not in first.out
    assert "one factor of the" in first.out
    third = chainrule("check", "2-2-2", mine(MISSING), "--hints", 3)
    assert "Multiply by σ′(z)" in third.out


def test_json_is_one_document(chainrule, mine):
    done = chainrule("check", "2-2-2", mine(MISSING), "--json")
    assert done.status == 1
    assert done.document["verdict"] == "wrong"
    assert "missing-derivative" in done.document["mistakes"]
    hidden = chainrule("check", "2-2-2", mine(MISSING), "--json", "--hints", 2).document
    assert len(hidden["hints"]) == 2
    assert "causes" not in hidden
    assert all("true" not in value["worst"] for value in hidden["values"])


def test_what_cannot_be_read_is_said_and_the_rest_is_graded(chainrule, mine):
    done = chainrule("check", "2-2-2", mine("w5,0.082167\nfoo,3\nw6,abc\n"))
    assert done.status == 1
    assert done.out.startswith("What could be read is right; 2 were not read.\n")
    assert "foo was not read: the step has no value of this name." in done.out
    assert 'w6 was not read: "abc" is no number' in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("2-2-2", "none.csv"), "There is no file none.csv."),
        (("2-2-2", "empty.csv"), "empty.csv is empty."),
        (("2-2-2", "mine.pkl"), "What is checked is read from .csv, .tsv, .txt, .json, .npz or"),
        (("2-2", "mine.csv"), 'No data set, worked example or file is named "2-2".'),
        (("2-2-2", "mine.csv", "--hints", "4"), "Hints have the levels 1, 2 and 3; got 4."),
        (("2-2-2", "foo.csv"), "Nothing of what was handed in can be read. foo: "),
    ],
)
def test_errors_are_one_line_and_exit_2(chainrule, mine, words, message):
    mine(RIGHT)
    mine("", "empty.csv")
    mine("w5,1", "mine.pkl")
    mine("foo,1", "foo.csv")
    done = chainrule("check", *words)
    assert done.status == 2
    assert done.out == ""
    assert done.err.startswith(f"chainrule: {message}")
    assert done.err.count("\n") == 1


def written(chainrule, *words):
    """The gradients of a step, as a learner with a right backpropagation has them."""
    done = chainrule("explain", *words, "--save", "step.json")
    assert done.status == 0, done.err
    trace = cr.load_trace("step.json")
    gradients = {
        name: trace.values[trace.graph.find(f"d_{name}")] for name in ("0.weight", "2.bias")
    }
    np.savez("mine.npz", **gradients)
    return gradients, len(trace.about.rows)


@pytest.mark.parametrize("options", [(), ("--example", 7), ("--batch-size", 5), ("--step", 2)])
def test_the_same_step_is_checked_as_explain_opens(chainrule, folder, options):
    written(chainrule, "iris", *options)
    done = chainrule("check", "iris", "mine.npz", *options)
    assert (done.status, done.err) == (0, "")
    assert chainrule("check", "step.json", "mine.npz").status == 0


def test_another_seed_is_another_step(chainrule, folder):
    written(chainrule, "iris", "--set", "training.seeds=[3]")
    assert chainrule("check", "iris", "mine.npz", "--seed", 3).status == 0
    assert chainrule("check", "iris", "mine.npz").status == 1


def test_a_step_of_a_run_is_checked(chainrule, iris_run):
    gradients, count = written(chainrule, "run", "--step", 3)
    assert chainrule("check", "run", "mine.npz", "--step", 3).status == 0
    (iris_run.parent / "mine.json").write_text(
        json.dumps({name: (count * array).tolist() for name, array in gradients.items()})
    )
    done = chainrule("check", "run", "mine.json", "--step", 3)
    assert done.status == 1
    assert "1/m is missing" in done.out


def test_names_in_a_file_steer_no_terminal(chainrule, mine):
    done = chainrule("check", "2-2-2", mine("w5,0.082167\n\x1b[31mfoo,1\n"))
    assert "\x1b" not in done.out
    assert "\\x1b[31mfoo was not read" in done.out
