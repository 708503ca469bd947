"""What is declared of every rule, and how findings fold."""

import re

import pytest

from chainrule.explanation.diagnosing import RULES, Diagnosis, Finding
from chainrule.explanation.diagnosing.folding import fold
from tests.tree import ROOT


def finding(name, severity="warning", confidence=1.0):
    explains = RULES[name].explains
    return Finding(name, f"{name}.", severity, confidence, fix="mend it", explains=explains)


def test_every_rule_says_what_it_looks_for_and_what_to_do():
    for name, rule in RULES.items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
        assert rule.name == name
        assert rule.looks_for.endswith(".")
        assert rule.fix


def test_what_a_rule_explains_are_rules():
    for rule in RULES.values():
        assert set(rule.explains) <= set(RULES) - {rule.name}


def test_no_finding_explains_itself_in_the_end():
    reached = {name: set(rule.explains) for name, rule in RULES.items()}
    for _ in RULES:
        for name in reached:
            reached[name] |= {far for near in reached[name] for far in reached[near]}
    assert not [name for name, far in reached.items() if name in far]


def test_what_follows_from_a_root_is_no_finding_of_its_own():
    found = fold([finding("gradient-zero", "error"), finding("dead-units")])
    assert [root.name for root in found] == ["dead-units"]
    assert [each.name for each in found[0].follows] == ["gradient-zero"]


def test_a_root_is_as_grave_as_what_follows_from_it():
    found = fold([finding("unscaled-inputs", "note"), finding("saturated-units", "warning")])
    assert [(root.name, root.severity) for root in found] == [("unscaled-inputs", "warning")]


def test_a_chain_of_three_is_folded_under_its_first():
    found = fold([finding(n) for n in ("vanishing-gradient", "saturated-units", "unscaled-inputs")])
    assert [root.name for root in found] == ["unscaled-inputs"]
    assert {each.name for each in found[0].follows} == {"saturated-units", "vanishing-gradient"}


def test_findings_that_have_nothing_to_do_with_each_other_stay_apart_the_gravest_first():
    found = fold([finding("constant-features", "note"), finding("leaking-split", "error")])
    assert [root.name for root in found] == ["leaking-split", "constant-features"]


def test_notes_alone_do_not_make_a_diagnosis_true():
    assert not Diagnosis((finding("class-imbalance", "note"),))
    assert Diagnosis((finding("class-imbalance", "warning"),))


@pytest.mark.parametrize("name", sorted(RULES))
def test_the_page_has_the_rules_row(name):
    rule = RULES[name]
    text = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
    cells = [cell.strip() for cell in row.strip("|").split(" | ")]
    assert cells[1] == rule.severity
    assert cells[2] == rule.looks_for
    assert cells[3] == rule.fix
    assert cells[4] == rule.source


def test_the_page_has_a_row_for_no_other_rule():
    text = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \|", text, re.M)
    assert sorted(rows) == sorted(RULES)
