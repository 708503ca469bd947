"""What every mistake says: its declaration is complete, and the documentation lists it."""

import re
import string

import pytest

import chainrule as cr
from chainrule import nn
from chainrule.explanation.checking.anatomy import take_apart
from chainrule.explanation.checking.mistake import Fault, faults_of
from chainrule.explanation.checking.mistakes import MISTAKES
from tests.explanation.checking.learners import anatomies
from tests.tree import ROOT


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=lambda mistake: mistake.name)
def test_a_mistake_has_a_sentence_a_rule_and_three_hints_that_tell_more_and_more(mistake):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", mistake.name)
    assert mistake.title
    assert not mistake.title.endswith(".")
    assert mistake.sentence.endswith(".")
    assert mistake.rule
    assert len(set(mistake.hints)) == 3
    for text in (mistake.sentence, mistake.rule, *mistake.hints):
        fields = {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}
        assert fields <= {"where", "loss"}
    for hint in mistake.hints:
        assert hint[-1] in ".?σ)" or hint.endswith(".")


def test_no_two_mistakes_have_one_title():
    titles = [mistake.title for mistake in MISTAKES.values()]
    assert len(set(titles)) == len(titles)


def test_hints_name_the_place():
    mistake = MISTAKES.get("missing-derivative")
    fault = Fault(mistake, "in layer 3", lambda draft: None)
    assert fault.title == "σ′ is missing in layer 3"
    assert fault.hints[0].startswith("Look at the error δ in layer 3")
    assert "in every layer" in Fault(mistake, "", lambda draft: None).hints[0]


def test_words_name_the_loss_that_is_minimised():
    net = nn.Sequential(nn.Linear(2, 1)).initialize(seed=0)
    x, y = [[0.5, 1.0]], [[0.25]]
    for loss, said in ((nn.HuberLoss(delta=2.0), "HuberLoss(delta=2.0)"), (distance, "the loss")):
        anatomy = take_apart(cr.explain(net, x, y, loss=loss, backend="numpy"))
        fault = next(each for each in faults_of(anatomy) if each.mistake.name == "factor-half")
        assert f"twice what {said} gives" in fault.sentence
        assert f"C = {said};" in fault.rule
        assert f"Differentiate {said} as it is written" in fault.hints[2]


def distance(a, y):
    return (a - y).abs().sum(axis=1)


def test_the_documentation_lists_every_mistake_in_order():
    text = (ROOT / "docs" / "checking.md").read_text("utf-8")
    listed = re.findall(r"^\| [^|]*\| `([a-z-]+)` \| (.+) \|$", text, re.MULTILINE)
    assert listed == [(mistake.name, mistake.title) for mistake in MISTAKES.values()]


def test_faults_of_one_step_have_different_titles():
    for _, anatomy in anatomies(5):
        for mistake in MISTAKES.values():
            places = [where for where, _ in mistake.faults(anatomy)]
            assert len(set(places)) == len(places), mistake.name
