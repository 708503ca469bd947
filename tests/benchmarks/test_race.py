"""Races between processes."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import race as racing
from benchmarks.contenders import CONTENDERS
from benchmarks.race import Entry, Settings, race, saved, take_turns
from benchmarks.workloads import WORKLOADS

BRIEF = Settings(rounds=3, turn=0.01, cold=1)


def test_each_has_a_turn_in_each_round():
    found = race(WORKLOADS["w1"], ["chainrule-numpy", "numpy"], BRIEF)
    assert list(found) == ["chainrule-numpy", "numpy"]
    for result in found.values():
        assert not result.problem
        assert len(result.seconds) == BRIEF.rounds
        assert min(result.seconds) > 0
        assert min(result.cold) > 0
        assert result.memory > 1e6


def test_a_wrong_loss_is_marked():
    task = WORKLOADS["w1"]
    with saved(task) as (files, right):
        wrong = {steps: 1.001 * value for steps, value in right.items()}
        found = take_turns({"numpy": Entry("numpy", task, files, wrong)}, BRIEF)
    assert found["numpy"].problem.startswith("WRONG: after 1 steps 0.298371109")
    assert not found["numpy"].seconds


def test_who_trains_on_other_rows_is_marked(tmp_path):
    task = WORKLOADS["w3"]
    with saved(task) as (files, right):
        rows = np.load(files["rows"])
        rows[1:] = rows[:-1].copy()  # the first step's once more, and so on
        files["rows"] = str(tmp_path / "late.npy")
        np.save(files["rows"], rows)
        found = take_turns({"chainrule": Entry("chainrule", task, files, right)}, BRIEF)
    assert found["chainrule"].problem.startswith("WRONG: after 2 steps ")
    assert set(found["chainrule"].deviations) == {1, 2}
    assert not found["chainrule"].seconds


def test_what_a_process_dies_of_is_said():
    task = WORKLOADS["w1"]
    with saved(task) as (files, right):
        files["x"] += ".missing"
        found = take_turns({"numpy": Entry("numpy", task, files, right)}, BRIEF)
    assert found["numpy"].problem.startswith("FileNotFoundError")


def test_a_package_that_is_missing_is_named(monkeypatch):
    absent = replace(CONTENDERS["numpy"], needs="no_such_package")
    monkeypatch.setitem(racing.CONTENDERS, "numpy", absent)
    found = race(WORKLOADS["w1"], ["numpy"], BRIEF)
    assert found["numpy"].problem == "no_such_package is not installed"


@pytest.mark.parametrize("contender", ["gcc", "numpy"])
def test_who_does_not_take_part_is_left_out(contender):
    skipping = WORKLOADS["w2"].variants()[-1]
    if CONTENDERS[contender].missing():
        pytest.skip(f"there is no {contender}")
    assert race(skipping, [contender], BRIEF, first=False) == {}
