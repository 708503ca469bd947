"""What is printed of a number: golden texts, sums that add up, nothing that steers a terminal."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ConfigurationError, ShapeError
from chainrule.base.harmless import plain
from chainrule.data.worked import worked_example
from chainrule.explanation import Trace
from chainrule.explanation.printing.digits import column, literal, number
from chainrule.explanation.printing.text import wrap
from tests.explanation.traces import explain_classifier, explain_digits, explain_worked

CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def steady(text):
    """Without what differs from machine to machine: the last bits of a difference."""
    text = re.sub(r"\((fma|muladd)\)", "(fma or muladd)", text)
    text = re.sub(r"line \d+ of", "line N of", text)
    text = re.sub(r"± *\n? *\S+e-\d+", "± noise", text)
    return re.sub(r"is (\S+) away", "is that near", text)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("w5", "w5"),
        ("w1", "w1"),
        ("2.bias[0]", "bias"),
        ("out_h1", "activation"),
        ("i1", "input"),
        ("E", "loss"),
        ("d_1.out[0]", "gradient"),
    ],
)
def test_the_worked_example_reads_like_its_textbook(worked, golden, name, file):
    golden(f"explanation/2-2-2-{file}", steady(worked[name].text()))


@pytest.mark.parametrize(
    ("name", "file"), [("0.weight[3,400]", "weight"), ("d_1.out[2,3]", "gradient")]
)
def test_a_step_of_the_published_network(golden, name, file):
    golden(f"explanation/784-30-10-{file}", steady(explain_digits("float64")[name].text()))


@pytest.mark.parametrize(
    ("name", "file"), [("4.weight[0,1]", "weight"), ("0.weight[3,4]", "normed"), ("loss", "loss")]
)
def test_a_classifier_with_adam_batch_norm_and_dropout(golden, name, file):
    golden(f"explanation/classifier-{file}", steady(explain_classifier("float64")[name].text()))


def test_every_figure_of_the_derivation_is_printed(worked):
    """Of w1: each one that the textbook's first backward pass prints, to nine digits."""
    text = worked["w1"].text()
    figures = [f for f in worked_example("2-2-2").figures if f.steps == 0 and f.symbol != "E"]
    for figure in figures:
        if figure.symbol == "∂E/∂w5":
            continue  # no part of ∂E/∂w1
        shown = f"{float(worked[figure.element].value):.9g}"
        assert shown in text, figure.symbol
    for path in ("0.0553994247", "-0.0190491183", "0.0363503064", "0.000438567734", "0.149780716"):
        assert path in text


def test_the_two_paths_stand_on_the_first_screen(worked):
    first = worked["w1"].text().splitlines()[:24]
    assert any("∂E/∂w1 = δ_h1·i1" in line for line in first)
    assert any("= 0.0553994247 + (-0.0190491183)" in line for line in first)


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_line_is_longer_than_asked_for(worked, digits, classifier, width):
    for trace, name in [
        (worked, "w1"),
        (digits, "0.weight[3,400]"),
        (digits, "loss"),
        (classifier, "0.weight[3,4]"),
        (classifier, "4.out[1,2]"),
    ]:
        text = trace[name].text(width)
        assert max(map(len, text.splitlines())) <= width
        assert not any(line.endswith(" ") for line in text.splitlines())


def test_every_table_adds_up_digit_by_digit(digits):
    lines = digits["0.weight", 3, 400].text().splitlines()
    total, tables = None, 0
    for line in lines:
        cells = re.split(r"\s{2,}", re.sub(r"^[│├└ ]*", "", line).strip())
        if cells[0] in ("example", "term"):
            total = Decimal(0)
        elif total is not None:
            value = Decimal(next(c for c in reversed(cells) if re.fullmatch(r"-?\d+(\.\d+)?", c)))
            if cells[0].startswith(("sum of", "∂C/∂W1")):
                assert total == value
                tables, total = tables + 1, None
            else:
                total += value
    assert tables >= 3


def test_a_column_of_numbers_that_cancel_adds_up():
    values = [1e6, -1e6, 1e-9, 3.25]
    found = column(values, sum(values))
    assert sum(map(Decimal, found.cells)) + Decimal(found.rounding) == Decimal(found.total)


@pytest.mark.parametrize("value", [1e-30, 4.4254797e-05, 1e20, 5e-324])
def test_a_column_far_from_one_has_a_common_power_of_ten(value):
    found = column([value, -value / 4], 0.75 * value)
    assert found.power == int(f"{value:e}".partition("e")[2])
    assert sum(map(Decimal, found.cells)) + Decimal(found.rounding) == Decimal(found.total)


def test_a_column_that_is_not_finite_says_so():
    assert column([float("nan"), 1.0], float("nan")).cells == ["nan", "1"]
    assert column([float("inf"), 1.0], float("inf")).total == "inf"


def test_numbers_have_nine_digits():
    assert number(np.float64(1 / 3)) == "0.333333333"
    assert number(np.float32(0.1)) == "0.100000001"
    assert literal(float(np.float32(0.1))) == "0.1"
    assert [number(x) for x in (np.int64(3), np.True_, -0.0)] == ["3", "true", "-0"]


def test_text_is_not_broken_within_a_number():
    assert wrap("aaaa·bbbb·cccc", 10, 10) == ["aaaa·bbbb·", "cccc"]


def test_no_colours_and_no_escapes_where_there_is_no_terminal(worked):
    out = io.StringIO()
    worked["w5"].show(file=out)
    assert "\x1b" not in out.getvalue()
    assert out.getvalue() == worked["w5"].text() + "\n"


def test_text_is_what_str_says(worked):
    assert str(worked["w5"]) == worked["w5"].text(80)


HOSTILE = "\x1b[31mred\x1b[0m\r\x07\u202e<script>alert(1)</script>"


def test_nothing_that_a_name_holds_steers_the_terminal():
    example = worked_example("2-2-2")
    trace = explain_worked(names={**example.names, HOSTILE: ["2.weight[0,0]"]})
    text = trace["2.weight[0,0]"].text()
    assert not CONTROLS.search(text)
    assert "\u202e" not in text
    assert r"\x1b[31mred" in text


def test_nothing_that_a_users_line_holds_steers_the_terminal(worked):
    about = replace(worked.about, lines=dict.fromkeys(worked.about.lines, HOSTILE))
    trace = Trace(worked.graph, worked.values, about, worked.names)
    text = trace["w5"].text()
    assert r"\x1b[31mred" in text
    assert not CONTROLS.search(text)


def test_escapes_are_shown_as_what_they_are():
    assert plain("a\x1b[0mσ′\n\x9b") == "a\\x1b[0mσ′\\n\\x9b"


def test_a_closed_number_is_opened_by_what_the_last_line_says(classifier, digits):
    for trace, name in [(digits, "0.weight[3,400]"), (classifier, "loss")]:
        last = " ".join(trace[name].text().splitlines()[-2:])
        (attribute, typed), *_ = re.findall(r"trace(\S*)\[\"(.*?)\"\]\.show\(\)", last)
        assert (trace.opened if attribute else trace)[typed].text()


def test_a_depth_that_is_asked_for_is_given(worked):
    flat, deep = worked["w1"].tree(depth=0), worked["w1"].gradient.tree(depth=1)
    assert flat.branches == ()
    assert [str(b.explanation.symbol) for b in deep.branches] == ["δ_h1"]
    assert [str(e.symbol) for e in deep.branches[0].closed] == ["∂E/∂out_h1", "∂out_h1/∂net_h1"]


def test_each_number_is_opened_once_and_before_it_is_referred_to(worked):
    seen = set()
    for _, branch in worked["d_0.weight[0,0]"].tree().walk():
        assert branch.is_repeated == (branch.explanation.place in seen)
        seen.add(branch.explanation.place)


def test_numbers_that_are_not_finite_are_shown(worked):
    values = list(worked.values)
    position = worked.graph.find("d_2.weight")
    values[position] = np.array([[np.nan, np.inf], [0, 0]])
    trace = Trace(worked.graph, tuple(values), worked.about, worked.names)
    text = trace["w5"].text()
    assert "= nan" in text
    assert "DOES NOT HOLD" in text


def test_nothing_is_explained_of_data_but_where_it_goes(worked):
    text = worked["i1"].text()
    assert "It goes into 0.out" in text


def test_a_bias_is_summed_over_the_batch():
    net = nn.Sequential(nn.Linear(2, 1))
    trace = cr.explain(net, np.ones((6, 2)), np.ones((6, 1)), optimizer=optim.SGD(lr=0.1))
    text = trace["0.bias[0]"].text()
    assert "BP3" in text
    assert "Σ over b of" in text


def test_a_loaded_trace_opens_inside_of_composites_too(classifier, tmp_path):
    classifier.save(tmp_path / "step.json")
    loaded = cr.load_trace(tmp_path / "step.json")
    assert loaded["loss"].text() == classifier["loss"].text()


def test_a_trace_that_was_altered_says_so_first(classifier, tmp_path):
    values = list(classifier.values)
    position = classifier.graph.find("d_4.bias")
    values[position] = values[position] + 1
    replace(classifier, values=tuple(values), stored=classifier.seal).save(tmp_path / "step.json")
    loaded = cr.load_trace(tmp_path / "step.json")
    for name in ("4.bias[0]", "loss"):
        lines = " ".join(loaded[name].text().splitlines()[:3])
        assert lines.startswith("This trace was altered after it was captured.")
    assert "This trace was altered" in loaded._repr_html_()
    assert loaded["loss"].as_data()["notice"]


def test_what_python_shows_of_a_trace_is_a_line(worked, digits):
    assert repr(worked).startswith("Trace(update 0 of one example, ")
    assert repr(digits["2.bias[0]"]) == f"Explanation(b2[0] = {digits['2.bias[0]'].value})"


def test_the_loss_opens_by_the_letter_that_it_is_shown_with():
    trace = explain_digits()
    assert trace["C"].symbol == trace["loss"].symbol
    assert trace["C"].value == trace["loss"].value
    assert explain_worked()["E"].value == explain_worked()["loss"].value


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (3, "opened by the name of its value; got int"),
        ((), "opened by the name of its value; got NoneType"),
        (("0.weight", 1.5, 2), r"whole numbers; got 1\.5"),
        (("0.weight", slice(None), 2), "whole numbers; got slice"),
        (("0.weight", "1", "2"), "whole numbers; got '1'"),
        (("0.weight", (1, 2)), r"whole numbers; got \(1, 2\)"),
    ],
)
def test_what_is_no_name_or_no_index_is_refused(key, message):
    with pytest.raises((ConfigurationError, ShapeError), match=message):
        explain_digits()[key]
