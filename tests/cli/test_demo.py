"""`chainrule demo`: it learns, and what it opens adds up."""

import math

import pytest


@pytest.fixture(scope="module")
def document():
    import json
    import subprocess
    import sys

    words = [sys.executable, "-m", "chainrule", "demo", "--json"]
    return json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def test_mean_of_three_seeds_is_97_percent_held_out(document):
    assert [each["seed"] for each in document["seeds"]] == [0, 1, 2]
    assert document["held_out"] == 359
    mean = sum(each["accuracy"] for each in document["seeds"]) / 3
    assert document["accuracy"] == pytest.approx(mean, abs=1e-12)
    assert document["accuracy"] >= 0.97


def gradient_of(document):
    return next(s for s in document["weight"]["sections"] if s["heading"] == "Gradient")


def test_terms_are_products_and_make_the_gradient(document):
    gradient = gradient_of(document)
    terms, others = gradient["terms"], gradient["others"]
    assert len(terms) + others["count"] == 32
    assert others["total"] == 0.0
    total = math.fsum(term["value"] for term in terms)
    assert gradient["value"] == pytest.approx(total + gradient["rounding"], rel=1e-15)
    assert all("·" in term["rule"] and term["example"] is not None for term in terms)


def test_both_proofs_hold(document):
    proofs = gradient_of(document)["proofs"]
    assert [proof["kind"] for proof in proofs] == ["re-evaluation", "finite difference"]
    assert all(proof["holds"] for proof in proofs)


def test_screen_says_what_it_is_and_that_it_works(chainrule):
    done = chainrule("demo")
    assert done.status == 0
    first = done.out.splitlines()[:12]
    assert "opens any number that training produced" in first[0]
    assert any("mean" in line and "%" in line for line in first)
    assert "Σ over b of δ2[b," in done.out
    assert "rounding" in done.out
    assert "re-evaluation holds" in done.out
    assert "finite difference holds" in done.out
    assert "Next:" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
