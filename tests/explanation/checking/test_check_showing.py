"""What a check says, to people and to programs."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import ConfigurationError
from chainrule.explanation.checking.search import Untried

X = np.array([[1.0, 2.0], [0.5, -1.0], [-0.7, 0.3], [0.2, 0.9]])
Y = np.array([[1.0], [0.0], [1.0], [0.0]])
LOSS = nn.QuadraticLoss()
NET = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 1), nn.Sigmoid())
NET.initialize(seed=0)
TRACE = cr.explain(NET, X, Y, loss=LOSS, backend="numpy")
TRUE = {name: TRACE.values[node] for name, node in TRACE.graph.positions.items()}
W1, W2 = (TRUE[f"d_{name}.weight"] for name in (0, 2))


def check(**mine):
    return cr.check(NET, X, Y, loss=LOSS, mine=mine)


def first_line(found, **options):
    return found.text(**options).splitlines()[0]


def test_right_is_said_in_a_line():
    assert check(W1=W1, W2=W2).text() == "Right: all 9 numbers in 2 values."
    some = np.where(np.arange(3) == 1, np.nan, W2)
    assert check(W2=some).text() == "Right: all 2 numbers in 1 value; 1 is missing."


def test_rounded_on_the_way_is_neither_right_nor_wrong():
    found = check(W1=np.round(W1, 4), W2=np.round(W2 * 1.003, 4))
    assert found.verdict == "rounded"
    assert [row.verdict for row in found.rows] == ["right", "rounded"]
    assert found
    assert not found.is_right
    assert first_line(found) == "Right, but rounded on the way: 1 of 2 values is off by a little."


def test_full_digits_from_rounded_steps_are_rounded_on_the_way():
    a1, a2 = np.round(TRUE["1.out"], 4), np.round(TRUE["3.out"], 4)
    delta = (a2 - Y) * a2 * (1 - a2) / 4
    assert check(W2=delta.T @ a1).verdict == "rounded"


def test_a_mistake_that_was_rounded_on_the_way_is_named_as_such():
    a1, a2 = np.round(TRUE["1.out"], 3), np.round(TRUE["3.out"], 3)
    found = check(W2=(a2 - Y).T @ a1 / 4, b2=(a2 - Y).mean(0))
    assert found.verdict == "wrong"
    assert found.is_loose
    assert "missing-derivative" in found.mistakes
    assert "One mistake explains it, but for what was rounded on the way" in found.text()


def test_what_was_only_rounded_beside_a_mistake_is_not_called_wrong():
    a1, a2 = np.round(TRUE["1.out"], 3), np.round(TRUE["3.out"], 3)
    delta = (a2 - Y) * a2 * (1 - a2) / 4
    d1 = np.round(delta, 5) @ NET.state_dict()["2.weight"]
    found = check(W1=np.round(d1.T @ X, 4), W2=np.round(delta.T @ a1, 5))
    assert found.mistakes == ("missing-derivative",)
    assert [row.verdict for row in found.rows] == ["wrong", "rounded"]
    assert first_line(found) == "Not right: 1 of 2 values is wrong; 1 is off by rounding."
    assert found.wrong[0].entry.name == "W1"


def test_the_worst_number_stands_beside_the_true_one_and_is_opened():
    found = check(W1=W1, W2=np.add(W2, [0.001, 0.02, 0.2]))
    text = found.text()
    assert first_line(found) == "Not right: 1 of 2 values is wrong."
    assert f"{W2[0, 2] + 0.2:.6g}  {W2[0, 2]:.6g}" in text
    assert "No mistake I know explains this" in text
    assert "∂C/∂W2[0,2] = Σ over b of δ2[b,0]·a1[b,2]" in text
    assert '.trace["d_2.weight[0,2]"].show() opens it further.' in text
    assert str(found.trace["d_2.weight[0,2]"].value)


def test_a_part_that_a_mistake_explains_is_said():
    text = check(W1=-W1, W2=np.add(W2, [0.001, 0.02, 0.2])).text()
    assert "A part of it, W1, would come of: the sign is wrong" in text


def test_hints_lead_to_an_unknown_mistake_too():
    found = check(W1=3.3 * W1, W2=W2)
    assert (
        found.hint(1)
        == "From the loss backwards, W1 is the first value that is wrong. W2 is right."
    )
    assert found.hint(2) == (
        "In W1, 6 of 6 numbers are wrong. They are up to 3.3 times as large as they should be."
    )
    assert found.hint(3).startswith("Open the true number and compare term by term: ")
    assert check(W1=W1).hint(1) == "Nothing is wrong with the numbers that could be read."


def test_one_number_is_spoken_of_as_one():
    said = {
        1.2: "It is of the right size.",
        3.3: "It is 3.3 times as large as it should be.",
        0.3: "It is 0.3 of what it should be.",
        np.inf: "It is infinite.",
    }
    for factor, size in said.items():
        hint = check(**{"W1[0,0]": factor * float(W1[0, 0])}).hint(2)
        assert hint == f"The number W1[0,0] is wrong. {size}"


def test_there_are_three_levels_of_hints():
    for ask in (check(W1=-W1).hint, lambda level: check(W1=W1).text(hints=level)):
        with pytest.raises(ConfigurationError) as caught:
            ask(4)
        assert str(caught.value) == "Hints have the levels 1, 2 and 3; got 4."


def test_show_writes_plain_text_where_there_is_no_terminal():
    found, out = check(W2=-W2), io.StringIO()
    found.show(file=out)
    assert out.getvalue() == f"{found.text()}\n"
    assert "\x1b" not in out.getvalue()


@settings(max_examples=25)
@given(st.integers(40, 120), st.sampled_from(["right", "sign", "odd", "rounded"]))
def test_no_line_is_wider_than_asked(width, kind):
    found = FOUND[kind]
    for line in found.text(width).splitlines():
        # What is typed is never broken.
        assert len(line) <= width or ".show()" in line or " = [[" in line


def test_a_narrow_terminal_still_has_both_numbers():
    lines = FOUND["odd"].text(40).splitlines()
    assert lines[1].split() == ["value", "right", "worst", "yours", "true"]
    assert all(len(line) <= 40 for line in lines[1:4])


FOUND = {
    "right": check(W1=W1),
    "sign": check(W2=-W2, foo=3, b2="?"),
    "odd": check(W1=W1.T, W2=np.add(W2, [0.001, 0.02, 0.2])),
    "rounded": check(W2=np.round(W2 * 1.003, 4)),
}


@pytest.mark.parametrize("kind", FOUND)
def test_json_has_no_nan_and_says_the_verdict(kind):
    found = FOUND[kind]
    for hints in (None, 1, 3):
        data = json.loads(json.dumps(found.to_json(hints=hints), allow_nan=False))
        assert data["verdict"] == found.verdict
        assert len(data["values"]) == len(found.rows)


@pytest.mark.parametrize("kind", FOUND)
def test_a_notebook_shows_the_same(kind):
    html = FOUND[kind]._repr_html_()
    assert html.count("<table>") == html.count("</table>")
    assert FOUND[kind].text().splitlines()[0] in html
    assert FOUND[kind]._repr_mimebundle_()["text/html"] == html


def test_names_are_escaped():
    found = check(**{"W2": -W2, "<script>alert(1)</script>": 1.0, "\x1b[31mred": 2.0})
    assert "<script>" not in found._repr_html_()
    assert "&lt;script&gt;" in found._repr_html_()
    assert "\x1b" not in found.text() + found._repr_html_()


def test_infinities_and_nan_are_shown():
    found = check(W2=[[np.inf, np.nan, W2[0, 2]]])
    assert found.rows[0].wrong == 1
    assert found.to_json()["values"][0]["worst"]["yours"] == "Infinity"
    assert "inf" in found.text()
    assert "1 of them is infinite" in found.text()


def test_many_values_are_counted_where_they_are_not_listed():
    mine = {f"W1[{i},{j}]": W1[i, j] + (i == 2) for i in range(3) for j in range(2)}
    mine |= {f"δ1[{b},{i}]": TRUE["d_0.out"][b, i] for b in range(4) for i in range(3)}
    text = cr.check(NET, X, Y, loss=LOSS, mine=mine).text()
    assert "... and 2 more values" in text
    assert "W1[2,1]  0 of 1" in text


def test_repr_says_verdict_and_mistakes():
    assert repr(check(W1=W1, foo=1)) == "Check(right, 1 not read)"
    assert repr(check(W1=-W1)).startswith("Check(wrong, sign")


def test_options_of_another_step_are_refused():
    with pytest.raises(ConfigurationError) as caught:
        cr.check(TRACE, mine={"W1": W1}, loss=LOSS)
    assert str(caught.value) == (
        "check got a step that was captured, and loss with it. A step knows its data and all "
        "else: cr.check(trace, mine=...)."
    )
    assert cr.check(TRACE, mine={"W1": W1}).is_right
    with pytest.raises(ConfigurationError, match=r"^check takes a network or a step of a run; got"):
        cr.check(3, mine={"W1": W1})


def test_only_an_error_that_was_read_as_an_examples_own_is_said_to_be_scaled():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Sigmoid(), nn.Linear(3, 1))
    net.initialize(seed=0)
    # In front of batch normalisation a bias has the gradient 0, be it for rounding.
    found = cr.check(net, X, Y, mine={"0.bias": [0.5, 0.25, 0.125]})
    assert not found
    assert "own loss" not in found.text()


def test_a_search_that_was_cut_is_said_to_have_been():
    found = replace(check(W1=W1 + 0.1, W2=W2 + 0.2), untried=Untried(0, 80, 1234, 3160))
    text = " ".join(found.text().split())
    assert "None of the mistakes that I tried explains this" in text
    assert "No mistake I know" not in text
    assert "The step is large, and the search was cut: 1,234 of 3,160 pairs of mistakes" in text
    both = str(Untried(3, 80, 3160, 3160))
    assert "3 of 80 mistakes and 3,160 of 3,160 pairs of mistakes were not tried." in both
    assert found.to_json()["untried"]["pairs"] == 1234
    assert check(W1=W1 + 0.1, W2=W2 + 0.2).to_json()["untried"] is None
