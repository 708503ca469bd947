"""Every loss by its name: how answers are given to it, and how outputs are read."""

import numpy as np
import pytest

from chainrule.nn import LOSSES

SEVERAL = {"several", "mean and variance", "distances"}
HOME = "chainrule.nn.losses"
OURS = {name: loss for name, loss in LOSSES.items() if loss.__module__.startswith(HOME)}
ANSWERING = [name for name, loss in OURS.items() if loss().outputs not in SEVERAL]
OF_CLASSES = [name for name in ANSWERING if OURS[name]().targets != "values"]
OF_DISTANCE = [name for name in ANSWERING if OURS[name].measures_distance and name != "BCELoss"]


@pytest.mark.parametrize("data", ["moons", "iris"])
@pytest.mark.parametrize("loss", ANSWERING)
def test_classes_are_learnt_and_read(chainrule, loss, data):
    # By NumPy: to compile a step for each takes longer than all the training.
    words = ["--loss", loss, "--epochs", 20, "--lr", "0.02", "--folder", "run"]
    words += ["--backend", "numpy"]
    done = chainrule("train", data, *words)
    assert done.status == 0, done.err
    answers = chainrule("predict", "run", data, "--json").document["rows"]
    assert np.mean([row["class"] == row["known"] for row in answers]) > 0.8
    shares = [row["probabilities"] for row in answers if "probabilities" in row]
    for row, answer in zip(shares, answers, strict=False):
        assert sum(row.values()) == pytest.approx(1, abs=1e-6)
        assert max(row, key=row.get) == answer["class"]
    says_how_sure = OURS[loss]().outputs in ("logits", "log-probabilities")
    one_of_two = OURS[loss]().targets == "zeros and ones" and data == "moons"
    assert bool(shares) == (says_how_sure or one_of_two)
    assert chainrule("evaluate", "run").status == 0


@pytest.mark.parametrize("loss", OF_DISTANCE)
def test_numbers_are_learnt(chainrule, loss):
    done = chainrule("train", "sine", "--loss", loss, "--epochs", 30, "--json")
    assert done.status == 0, done.err
    (run,) = done.document["runs"]
    assert run["history"]["loss"][-1] < run["history"]["loss"][0] / 2


def test_counts_are_predicted_and_not_their_logarithms(chainrule, folder):
    rows = [f"{x / 10},{round(20 * np.exp(-x / 10))}" for x in range(40)]
    (folder / "counts.csv").write_text("x,seen\n" + "\n".join(rows) + "\n")
    words = [
        "--target",
        "seen",
        "--task",
        "regression",
        "--loss",
        "poisson-nll",
        "--epochs",
        60,
        "--folder",
        "run",
    ]
    done = chainrule("train", "counts.csv", *words)
    assert done.status == 0, done.err
    (row,) = chainrule("predict", "run", "--row", "0.5", "--json").document["rows"]
    assert row["seen"] == pytest.approx(20 * np.exp(-0.5), rel=0.3)


@pytest.mark.parametrize("loss", [name for name in OURS if name not in ANSWERING])
def test_losses_of_several_outputs_are_for_networks_of_ones_own(chainrule, loss):
    done = chainrule("train", "iris", "--loss", loss)
    assert done.status == 2
    assert done.err == (
        f"chainrule: {loss} is for networks of one's own, whose outputs are "
        f"{OURS[loss]().outputs}; the command line makes networks whose output says the answer. "
        "Use cr.fit in Python, or another loss.\n"
    )


@pytest.mark.parametrize(
    "loss", [name for name in OF_CLASSES if OURS[name]().targets != "zeros and ones"]
)
def test_numbers_are_no_classes(chainrule, loss):
    done = chainrule("train", "sine", "--loss", loss)
    assert done.status == 2
    assert done.err == (
        f"chainrule: {loss} compares classes, and sine holds numbers to predict. Use --loss "
        "MSELoss; or, if the numbers are classes, --task classification.\n"
    )
