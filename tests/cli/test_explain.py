"""`chainrule explain`: any number of a step, of an experiment, of a run, of a saved trace."""

import json
import re

import pytest

import chainrule as cr
from chainrule.explanation.page import held
from tests.cli.test_terminal import COLOUR, on_terminal, on_unix


def test_a_weight_of_the_textbook_by_its_name(chainrule):
    done = chainrule("explain", "2-2-2", "w5")
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "w5 = 0.4"
    assert "∂E/∂w5 = δ_o1·out_h1" in lines
    assert "       = 0.0821670406" in lines
    assert "    = 0.35891648" in lines
    assert max(map(len, lines)) <= 80


def test_without_a_number_there_is_an_overview(chainrule):
    done = chainrule("explain", "2-2-2")
    assert done.status == 0
    assert "2.weight  [2,2]" in done.out
    suggested = re.findall(r"chainrule explain 2-2-2 (\S+)$", done.out, re.MULTILINE)
    assert suggested == ["w6", "out_o1", "E"]
    for name in suggested:
        assert chainrule("explain", "2-2-2", name).status == 0


def test_a_whole_step_is_written_as_one_page(chainrule, folder):
    done = chainrule("explain", "2-2-2", "--save", "step.html")
    assert done.status == 0
    assert "step.html opens in a browser, without a network." in done.err
    page = (folder / "step.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")


def test_a_page_of_a_step_holds_what_is_asked_for(chainrule, folder, monkeypatch):
    # As if this were a large step, of which a page holds a part.
    for name, size in (("EVERYTHING", 5_000), ("WHOLE", 2_000), ("OPENED", 3_000)):
        monkeypatch.setattr(held, name, size)
    sizes = []
    for more in ([], ["--include", "0.weight[3,2]", "--include", "d_*"]):
        done = chainrule("explain", "iris", "--save", "step.html", *more)
        assert done.status == 0, done.err
        sizes.append((folder / "step.html").stat().st_size)
    assert sizes[1] > sizes[0]


def test_what_a_page_has_to_hold_has_to_be_there(chainrule, folder):
    done = chainrule("explain", "iris", "--save", "step.html", "--include", "0.wieght")
    assert done.status != 0
    assert "0.weight" in done.err
    assert not (folder / "step.html").exists()


@pytest.mark.parametrize(
    "typed", [[], ["--save", "step.json"], ["w5", "--save", "w5.html"]], ids=["", "json", "number"]
)
def test_include_is_of_a_page_of_a_whole_step(chainrule, folder, typed):
    done = chainrule("explain", "2-2-2", *typed, "--include", "0.weight")
    assert done.status != 0
    assert (
        "--include 0.weight: it says what a page of a whole step has to hold. Write it beside "
        "--save page.html, without a NUMBER."
    ) in " ".join(done.err.split())
    assert not list(folder.glob("*.json")) + list(folder.glob("*.html"))


def test_what_is_said_to_open_the_rest_opens_it(chainrule):
    done = chainrule("explain", "iris", "0.weight[0,0]", "--depth", 1)
    typed = re.search(r"▸ is not opened here: chainrule explain iris \"(.*)\"", done.out)
    assert chainrule("explain", "iris", typed[1]).out.startswith("δ1[")


def test_a_later_step_has_the_weights_of_then(chainrule):
    first = chainrule("explain", "2-2-2", "w5", "--json").document
    second = chainrule("explain", "2-2-2", "w5", "--step", 1, "--json").document
    (updated,) = (s["value"] for s in first["sections"] if s["heading"] == "Update")
    assert second["value"] == updated
    assert second["step"]["number"] == 1


def test_one_example_can_be_the_whole_batch(chainrule):
    whole = chainrule("explain", "iris", "2.bias[0]", "--json").document
    alone = chainrule("explain", "iris", "2.bias[0]", "--example", 7, "--json").document
    assert len(whole["step"]["rows"]) == 32
    assert alone["step"]["rows"] == [7]
    assert whole["value"] == alone["value"]
    assert len(alone["sections"][0]["terms"]) == 1


def test_the_batch_is_as_large_as_asked_for(chainrule):
    words = ("explain", "iris", "2.bias[0]", "--batch-size", 5, "--json")
    assert len(chainrule(*words).document["step"]["rows"]) == 5
    words = ("explain", "iris", "2.bias[0]", "--set", "training.batch_size=6", "--json")
    assert len(chainrule(*words).document["step"]["rows"]) == 6


def test_a_step_that_the_run_did_not_make_is_refused(chainrule, iris_run):
    done = chainrule("explain", "run", "2.bias[0]", "--step", 20)
    assert done.status == 2
    assert "The run made the steps 0 to 19; got 20" in done.err


def test_any_step_of_a_run_that_is_kept(chainrule, iris_run):
    last = chainrule("explain", "run", "2.bias[0]", "--json").document
    first = chainrule("explain", "run", "2.bias[0]", "--step", 0, "--json").document
    fresh = chainrule("explain", "iris", "2.bias[0]", "--json").document
    assert last["step"]["number"] == 5 * 4 - 1
    assert first["value"] == fresh["value"]
    assert [s["value"] for s in first["sections"]] == [s["value"] for s in fresh["sections"]]
    alone = chainrule("explain", "run", "2.bias[0]", "--example", 3, "--json").document
    assert alone["value"] == last["value"]
    assert alone["step"]["rows"] == [3]


def test_a_trace_is_saved_and_opened_again(chainrule, folder):
    assert chainrule("explain", "2-2-2", "--save", "step.json").status == 0
    assert cr.load_trace(folder / "step.json")["w5"].value == 0.4
    again = chainrule("explain", "step.json", "w5").out
    assert again == chainrule("explain", "2-2-2", "w5").out.replace("2-2-2", "step.json")


@pytest.mark.parametrize("ending", ["tex", "html", "json", "txt"])
def test_an_explanation_is_saved(chainrule, folder, ending):
    assert chainrule("explain", "2-2-2", "w5", "--save", f"w5.{ending}").status == 0
    assert "0.0821670406" in (folder / f"w5.{ending}").read_text("utf-8")


def test_it_is_written_beside_what_is_shown(chainrule, folder):
    done = chainrule("explain", "2-2-2", "w5", "--save", "w5.tex")
    assert done.err == "w5.tex holds the explanation.\n"
    assert done.out.startswith("w5 = 0.4")
    assert "\\begin{align*}" in (folder / "w5.tex").read_text("utf-8")


def test_levels_and_terms_are_as_many_as_asked_for(chainrule):
    words = ("explain", "iris", "2.weight[0,4]", "--depth", 0, "--most", 3)
    out = chainrule(*words).out
    assert len(re.findall(r"^b = \d+", out, re.MULTILINE)) == 3
    assert "the 29 others" in out
    assert "├ ▸" in out or "└ ▸" in out


def test_the_overview_is_a_document_too(chainrule):
    document = chainrule("explain", "2-2-2", "--json").document
    assert document["suggestions"] == ["w6", "out_o1", "E"]
    assert {"name", "alias", "shape", "largest", "largest_gradient"} <= set(document["values"][0])


def test_the_document_is_what_python_says(chainrule):
    document = chainrule("explain", "2-2-2", "w1", "--depth", 2, "--json").document
    assert document["format"] == "chainrule explanation"
    assert json.dumps(document)


REFUSED = [
    (["2-2-2", "w55"], 'No value is named "w55".', 'Did you mean "w5"?'),
    (["2-2-3"], 'is named "2-2-3"', 'Did you mean "2-2-2"?'),
    (["2-2-2", "0.weight[9,9]"], "there is no element [9, 9] in it", "is the last"),
    (["2-2-2", "w5", "--step", "20000"], "steps 0 to 9999; got 20000", ""),
    (["2-2-2", "w5", "--step", "-1"], "steps 0 to 9999; got -1", ""),
    (["iris", "loss", "--example", "500"], "rows 0 to 119; got 500", ""),
    (["2-2-2", "w5", "--depth", "-1"], "--depth counts levels from 0; got -1", ""),
    (["2-2-2", "w5", "--most", "0"], "at least 1; got 0", ""),
    (["2-2-2", "w5", "--save", "w5.pdf"], "as .tex, .html, .json or .txt; got w5.pdf", "w5.tex"),
    (["2-2-2", "--save", "w5.tex"], "Which number", "`chainrule explain 2-2-2` lists"),
    (["2-2-2", "--save", "w5.png"], "as .json or .html; got w5.png", "Name it w5.json"),
    (["nothing.json", "w5"], "nothing.json", ""),
]


@pytest.mark.parametrize(("words", "message", "advice"), REFUSED)
def test_what_cannot_be_opened_is_said_with_what_to_do(chainrule, words, message, advice):
    done = chainrule("explain", *words)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("chainrule: ")
    assert message in done.err
    assert advice in done.err


def test_what_a_run_was_made_with_cannot_be_changed(chainrule, iris_run):
    done = chainrule("explain", "run", "loss", "--batch-size", 3)
    assert done.status == 2
    assert "A run is replayed as it was made: --batch-size cannot be given beside run" in done.err


def test_a_trace_is_one_step(chainrule):
    chainrule("explain", "2-2-2", "--save", "step.json")
    done = chainrule("explain", "step.json", "w5", "--step", 3)
    assert done.status == 2
    assert "A trace is one step: --step cannot be given beside step.json" in done.err


@on_unix
def test_colours_are_for_terminals_that_want_them(folder):
    words = ["explain", "2-2-2", "w5"]
    status, seen = on_terminal(*words, folder=folder)
    assert status == 0
    assert COLOUR.search(seen)
    assert not COLOUR.search(on_terminal(*words, folder=folder, NO_COLOR="1")[1])
    assert "\x1b" not in on_terminal(*words, folder=folder, TERM="dumb")[1]


def test_a_terminal_without_greek_shows_question_marks(shell):
    done = shell("explain", "2-2-2", "w5", env={"PYTHONIOENCODING": "ascii"})
    assert done.status == 0
    assert "?E/?w5 = ?_o1?out_h1" in done.out
