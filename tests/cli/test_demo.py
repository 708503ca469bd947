"""`chainrule demo`: it learns, and what it opens adds up."""

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


def test_terms_are_products_and_make_the_gradient(document):
    gradient = document["gradient"]
    assert len(gradient["terms"]) == 32
    total = 0.0
    for term in gradient["terms"]:
        first, second = (factor["value"] for factor in term["factors"])
        assert term["value"] == pytest.approx(first * second, rel=1e-6, abs=1e-12)
        total += term["value"]
    assert gradient["sum"] == pytest.approx(total, abs=gradient["rounding"])
    assert abs(gradient["sum"] - gradient["stored"]) <= gradient["rounding"]


def test_finite_difference_agrees(document):
    gradient = document["gradient"]
    # float32 has 24 bits; what the whole pass loses of them is far below one in ten thousand.
    assert gradient["stored"] == pytest.approx(gradient["finite_difference"], rel=1e-4)
    assert gradient["finite_difference_error"] < 1e-9


def test_screen_says_what_it_is_and_that_it_works(chainrule):
    done = chainrule("demo")
    assert done.status == 0
    first = done.out.splitlines()[:12]
    assert "opens any number that training produced" in first[0]
    assert any("mean" in line and "%" in line for line in first)
    assert "Σ over b of δ2[b," in done.out
    assert "the gradient that training used" in done.out
    assert "finite difference of the loss" in done.out
    assert "Next:" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
