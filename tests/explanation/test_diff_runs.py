"""Two runs compared: in the first step that is not the same."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ConfigurationError, ReplayError

RNG = np.random.default_rng(3)
X = RNG.normal(size=(64, 3))
Y = RNG.integers(0, 3, 64)


def trained(seed=0, optimizer=None, x=X, y=Y, **options):
    net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 3))
    options = {"epochs": 4, "batch_size": 8, "backend": "numpy", "progress": False, **options}
    optimizer = optimizer or optim.SGD(lr=0.1)
    return cr.fit(net, x, y, loss=nn.CrossEntropyLoss(), optimizer=optimizer, seed=seed, **options)


def test_two_runs_of_one_seed_are_the_same_to_the_last_step():
    diff = cr.diff(trained(), trained())
    assert diff.identical
    assert diff.notes == ["All 32 steps are the same, from the first state to the last."]


def test_runs_of_different_seeds_differ_in_what_the_first_step_is_given():
    diff = cr.diff(trained(), trained(seed=1))
    assert diff.step == 0
    assert diff.first.phase == "given"
    assert diff.first.name == "0.weight"
    assert "The runs begin with different states." in diff.notes


def test_a_learning_rate_that_changes_at_step_17_is_found_there():
    def rate(step):
        return 1.0 if step < 17 else 0.5

    schedule = optim.LambdaLR(rate, unit="step")
    diff = cr.diff(trained(), trained(schedule=schedule))
    assert diff.step == 17
    assert diff.first.name == "lr"
    assert diff.first_forward is None
    assert "Before step 17 the states are equal, bit for bit." in diff.notes


def test_a_row_that_was_changed_is_found_in_the_first_step_that_reads_it():
    y = Y.copy()
    y[40] = (y[40] + 1) % 3
    diff = cr.diff(trained(shuffle=False), trained(y=y, shuffle=False))
    assert diff.step == 5
    assert (diff.first.name, diff.first.place) == ("target", (0,))
    assert diff["0.out"].kind == "same"


def test_another_option_of_the_optimizer_is_found_in_the_first_step():
    diff = cr.diff(*(trained(optimizer=optim.SGD(lr=0.1, weight_decay=d)) for d in (0.01, 0.02)))
    assert diff.step == 0
    assert diff.first.phase == "update"
    assert diff.causes == ["weight_decay of SGD: 0.01 in a, 0.02 in b"]


def test_another_order_of_the_rows_is_found():
    diff = cr.diff(trained(), trained(shuffle=False))
    assert diff.step == 0
    assert diff.first.name == "x"


def test_runs_of_two_backends_part_by_rounding_alone():
    diff = cr.diff(trained(backend="native"), trained())
    assert diff.same
    assert not diff.identical
    assert any("part by rounding alone" in note for note in diff.notes)


def test_of_two_backends_what_was_told_otherwise_is_shown_beyond_the_rounding():
    def rate(step):
        return 1.0 if step < 17 else 0.5

    schedule = optim.LambdaLR(rate, unit="step")
    diff = cr.diff(trained(backend="native"), trained(schedule=schedule))
    assert diff.step == 17
    assert "lr" in [each.name for each in diff.origins]


def test_a_longer_run_is_compared_as_far_as_the_shorter_goes():
    diff = cr.diff(trained(), trained(epochs=5))
    assert diff.same
    assert "a has 32 steps and b 40: compared are the first 32." in diff.notes


def test_an_update_of_several_batches_is_compared_as_one_step():
    y = Y.copy()
    y[40] = (y[40] + 1) % 3
    diff = cr.diff(*(trained(y=labels, accumulate=2, shuffle=False) for labels in (Y, y)))
    assert diff.step == 2
    assert (diff.first.name, diff.first.place) == ("batch2.target", (0,))
    assert diff["batch1.0.out"].kind == "same"
    assert diff["next.0.weight"].kind == "follows"
    phases = {each.name: each.phase for each in diff.values}
    for batch in ("batch1", "batch2"):
        assert phases[f"{batch}.0.out"] == phases[f"{batch}.cost"] == "forward"
        assert phases[f"d_{batch}.0.out"] == phases[f"d_{batch}.0.weight"] == "backward"
    assert (phases["loss"], phases["d_0.weight"]) == ("forward", "backward")
    assert diff.first_backward.name.startswith("d_batch2.")


def test_runs_in_folders_are_compared(tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        trained(seed=seed, folder=tmp_path / name)
    a, b = (cr.load_run(tmp_path / name, X, Y) for name in "ab")
    assert cr.diff(a, b).first.name == "0.weight"
    assert cr.diff(a, cr.load_run(tmp_path / "a", X, Y)).identical


def test_a_run_without_its_data_is_refused(tmp_path):
    run = trained(folder=tmp_path / "a")
    with pytest.raises(ReplayError, match="Pass what it was trained on"):
        cr.diff(run, cr.load_run(tmp_path / "a"))


def test_a_run_is_not_compared_with_a_trace():
    run = trained()
    with pytest.raises(ConfigurationError) as error:
        cr.diff(run, cr.explain(run.at(0)))
    assert str(error.value) == (
        "diff compares a run with a run; got Trace beside it. Compare a step of it: "
        "cr.diff(cr.explain(run.at(0)), trace)."
    )
