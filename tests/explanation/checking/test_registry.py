"""What every mistake says: its declaration is complete, and the documentation lists it."""

import re
import string

import pytest

from chainrule.explanation.checking.mistake import Fault
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
    for hint in mistake.hints:
        assert hint[-1] in ".?σ)" or hint.endswith(".")
        fields = {field for _, field, _, _ in string.Formatter().parse(hint) if field is not None}
        assert fields <= {"where"}


def test_no_two_mistakes_have_one_title():
    titles = [mistake.title for mistake in MISTAKES.values()]
    assert len(set(titles)) == len(titles)


def test_hints_name_the_place():
    mistake = MISTAKES.get("missing-derivative")
    fault = Fault(mistake, "in layer 3", lambda draft: None)
    assert fault.title == "σ′ is missing in layer 3"
    assert fault.hints[0].startswith("Look at the error δ in layer 3")
    assert "in every layer" in Fault(mistake, "", lambda draft: None).hints[0]


def test_the_documentation_lists_every_mistake_in_order():
    text = (ROOT / "docs" / "checking.md").read_text("utf-8")
    listed = re.findall(r"^\| [^|]*\| `([a-z-]+)` \| (.+) \|$", text, re.MULTILINE)
    assert listed == [(mistake.name, mistake.title) for mistake in MISTAKES.values()]


def test_faults_of_one_step_have_different_titles():
    for _, anatomy in anatomies(5):
        for mistake in MISTAKES.values():
            places = [where for where, _ in mistake.faults(anatomy)]
            assert len(set(places)) == len(places), mistake.name
