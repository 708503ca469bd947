"""`chainrule diff`: two traces or two runs, from their files."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn


def save(path, seed=0, eps=1e-5):
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, eps=eps), nn.Linear(4, 2))
    x, y = np.arange(18.0).reshape(6, 3) % 5, np.zeros((6, 2))
    net.initialize(seed)
    cr.explain(net, x, y, loss=nn.MSELoss(), backend="numpy", seed=seed).save(path)
    return path


def test_two_traces_are_compared(chainrule, folder):
    done = chainrule("diff", save(folder / "a.json"), save(folder / "b.json", eps=1e-3))
    assert done.status == 0, done.err
    assert "eps of BatchNorm1d 1: 1e-05 in a, 0.001 in b." in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_json_is_one_document(chainrule, folder):
    a = save(folder / "a.json")
    assert chainrule("diff", a, a, "--json").document["same"] is True
    document = chainrule("diff", a, save(folder / "b.json", seed=1), "--json").document
    assert document["same"] is False
    assert document["first"]["name"] == "0.weight"


def test_two_runs_are_followed_to_the_first_step_that_differs(chainrule, iris_run):
    for name, changed in (("again", ()), ("other", ("--lr", "0.01"))):
        done = chainrule("train", "iris", "--epochs", 5, "--folder", name, *changed)
        assert done.status == 0, done.err
    assert "Every number is equal" in chainrule("diff", "run", "again").out
    text = chainrule("diff", "run", "other").out
    assert "They differ in step 0. The first to differ is lr: it is given." in text


def test_a_run_is_not_compared_with_a_trace(chainrule, iris_run, folder):
    done = chainrule("diff", "run", save(folder / "a.json"))
    assert done.status == 2
    assert "diff compares a run with a run; got Trace beside it." in done.err


@pytest.mark.parametrize("name", ["nowhere.json", "nowhere"])
def test_what_is_not_there_is_said(chainrule, name):
    done = chainrule("diff", name, name)
    assert done.status == 2
    assert name in done.err
