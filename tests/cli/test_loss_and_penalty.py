"""A loss with options, and penalties, in an experiment file."""

import pytest

PLAIN = """
loss = { name = "huber", delta = 0.5 }
penalty = [{ name = "l2", strength = 1e-4 }, { name = "L1Penalty", strength = 0.01, on = ["0.*"] }]
[data]
name = "sine"
[training]
epochs = 2
"""


@pytest.fixture
def experiment(folder):
    def write(old="", new=""):
        (folder / "e.toml").write_text(PLAIN.replace(old, new))
        return "e.toml"

    return write


def test_they_reach_the_training_and_are_shown(chainrule, experiment):
    document = chainrule("train", experiment(), "--json").document
    told, run = document["experiment"], document["runs"][0]
    assert told["loss"] == {"name": "HuberLoss", "delta": 0.5}
    assert [each["name"] for each in told["penalty"]] == ["L2Penalty", "L1Penalty"]
    assert run["history"]["penalty"][0] > 0
    out = " ".join(chainrule("train", "e.toml").out.split())
    assert "HuberLoss(delta=0.5), L2Penalty(strength=0.0001), L1Penalty(strength=0.01" in out


def test_a_printed_experiment_keeps_them(chainrule, experiment, folder):
    printed = chainrule("train", experiment(), "--print-experiment").out
    (folder / "again.toml").write_text(printed)
    first = chainrule("train", "e.toml", "--json", "--no-keep").document["runs"][0]
    again = chainrule("train", "again.toml", "--json", "--no-keep").document["runs"][0]
    assert first["history"] == again["history"]


def test_the_run_goes_on(chainrule, experiment):
    chainrule("train", experiment(), "--folder", "run")
    result = chainrule("train", "--resume", "run", "--epochs", "3")
    assert (result.status, result.err) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "delta", "detla",
            'No option of HuberLoss is named "detla". [loss]. Did you mean "delta"?',
        ),
        ('"l2"', '"l3"', 'No penalty is named "l3". There are: L1Penalty'),
        ("1e-4", "-1", "L2Penalty takes strength ≥ 0; got -1."),
        ('name = "l2", ', "", "[penalty] needs a name. One of: L1Penalty, L2Penalty."),
        (
            '"0.*"', '"9.*"',
            'The pattern "9.*" of L1Penalty matches no parameter that is trained.',
        ),
    ],
)  # fmt: skip
def test_refused(chainrule, experiment, old, new, message):
    result = chainrule("train", experiment(old, new))
    assert result.status == 2
    assert message in " ".join(result.err.split())
