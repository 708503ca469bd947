"""The arithmetic of the table, and what it says of what is missing or wrong."""

import io

import pytest
from rich.console import Console

from benchmarks.race import Result
from benchmarks.report import cells, duration, number, save, show, summary
from benchmarks.rows import Row, Spread, geometric_mean, ratios
from benchmarks.targets import race_rows
from benchmarks.targets import summary as mean_rows

MACHINE = {
    "processor": "P",
    "cores": 2,
    "vectors": "512 bits",
    "memory_gb": 8,
    "system": "S",
    "python": "3",
    "versions": {"torch": None},
    "commit": None,
    "load": 0,
    "load after": 0,
}


def row_of(rows, what):
    return next(row for row in rows if row.what == what)


def test_ratios_are_of_the_same_round():
    assert ratios([1.0, 4.0], [2.0, 8.0]) == [0.5, 0.5]


def test_geometric_mean_of_a_number_and_its_reciprocal_is_one():
    assert geometric_mean([4.0, 0.25]) == pytest.approx(1.0)


def test_spread_is_the_median_and_the_quartiles():
    assert Spread.of([5.0, 1.0, 2.0, 4.0, 3.0]) == Spread(3.0, 2.0, 4.0)


@pytest.mark.parametrize(
    ("median", "at_least", "met"),
    [(0.5, False, True), (0.8, False, True), (0.9, False, False), (0.9, True, True)],
)
def test_target_is_met_at_its_limit(median, at_least, met):
    figure = Spread(median, 0.0, 2.0)
    assert Row("w", "x", figure=figure, limit=0.8, at_least=at_least).met is met


def test_the_fastest_of_a_target_is_judged():
    results = {
        "chainrule": Result([1.0, 1.0, 1.0]),
        "jax": Result([2.0, 2.0, 2.0]),
        "torch": Result([4.0, 1.25, 1.25]),
        "numpy": Result([0.5, 0.5, 0.5]),
    }
    rows = race_rows("w4", results)
    assert row_of(rows, "torch").limit == 0.85
    assert row_of(rows, "torch").figure.median == 0.8
    assert row_of(rows, "torch").met is True
    assert row_of(rows, "jax").limit is None
    assert row_of(rows, "numpy").limit is None  # w4's target does not name it


def test_what_is_missing_is_said_to_be_missing():
    results = {"chainrule": Result([1.0]), "jax": Result(problem="jax is not installed")}
    rows = race_rows("w1", results)
    assert row_of(rows, "jax").note == "jax is not installed"
    unjudged = row_of(rows, "best of jax")
    assert (unjudged.limit, unjudged.met) == (0.8, None)
    assert summary(rows) == "0 of 1 targets met, 0 missed, 1 not measured"


def test_what_is_wrong_is_compared_with_nothing():
    wrong = Result(problem="WRONG: after 1 steps 2, off by 1 of what is right")
    rows = race_rows("w1", {"chainrule": wrong, "jax": Result([1.0])})
    assert row_of(rows, "jax").figure is None
    assert row_of(rows, "chainrule").step is None
    assert row_of(rows, "chainrule").note.startswith("WRONG")


def test_memory_is_compared_with_the_better_of_torch():
    results = {
        "chainrule": Result([1.0], memory=40),
        "torch": Result([1.0], memory=200),
        "torch-tuned": Result([1.0], memory=100),
    }
    row = row_of(race_rows("w9", results), "memory ÷ torch's")
    assert (row.figure.median, row.met) == (0.4, True)


def test_the_mean_is_of_what_has_a_target():
    rows = [
        Row("exp", "torch", figure=Spread.of([4.0]), limit=1.1),
        Row("tanh", "torch", figure=Spread.of([0.25]), limit=1.1),
        Row("tanh", "torch-tuned", figure=Spread.of([9.0])),
    ]
    assert mean_rows(rows)[0].figure.median == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("value", "text"), [(0.06999, "0.0700"), (123.4, "123"), (1.5, "1.50"), (0.0, "0")]
)
def test_three_digits_are_shown(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(8.4e-8, "84.0 ns"), (1.23e-3, "1.23 ms"), (2.5, "2.50 s")]
)
def test_durations_have_the_unit_that_fits(seconds, text):
    assert duration(seconds) == text


def test_a_row_says_how_its_target_is_met():
    row = Row("w1", "jax", figure=Spread.of([0.5]), limit=0.8)
    assert cells(row)[3:6] == ["0.500 ×", "0.500 … 0.500", "≤ 0.800 [green]met[/]"]


def test_the_table_and_the_file_have_every_row(tmp_path):
    rows = [Row("w1", "jax", note="first"), Row("w2", "torch", note="second")]
    screen = io.StringIO()
    console = Console(file=screen, width=150)
    show(rows, MACHINE, console)
    save(rows, MACHINE, {"rounds": 1}, tmp_path / "new" / "latest.json")
    written = (tmp_path / "new" / "latest.json").read_text("utf-8")
    for text in (screen.getvalue(), written):
        assert "first" in text
        assert "second" in text
