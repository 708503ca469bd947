"""The files in examples/: they read, and they come to what they promise."""

import pytest

from chainrule.cli.experiment_file import overlaid, read_table
from tests.tree import ROOT, short

EXAMPLES = sorted((ROOT / "examples").glob("*.toml"))
SMALL = [path for path in EXAMPLES if not path.name.startswith("mnist")]


@pytest.mark.parametrize("path", EXAMPLES, ids=short)
def test_file_reads_and_shows_its_command(path):
    experiment = overlaid(read_table(path), {})
    assert experiment.title
    assert path.read_text("utf-8").startswith(f"# chainrule train {short(path)}")


@pytest.mark.parametrize("path", SMALL, ids=short)
def test_file_trains(chainrule, path):
    done = chainrule("train", path, "--epochs", 2, "--no-keep")
    assert done.status == 0, done.err


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("iris", 0.9), ("digits", 0.97), ("xor", 1.0)])
def test_small_example_learns(chainrule, name, least):
    done = chainrule("train", ROOT / "examples" / f"{name}.toml", "--no-keep", "--json")
    assert done.document["mean"]["accuracy"] >= least


@pytest.mark.slow
def test_published_network_reads_94_5_percent_after_17_epochs(chainrule, data_folder, monkeypatch):
    monkeypatch.setenv("CHAINRULE_DATA", str(data_folder))
    path = ROOT / "examples" / "mnist-784-30-10.toml"
    done = chainrule("train", path, "--seeds", "0,1,2", "--no-keep", "--json").document
    for run in done["runs"]:
        assert len(run["history"]["val_accuracy"]) == 17
    assert done["mean"]["accuracy"] >= 0.945


@pytest.mark.slow
def test_larger_network_reads_98_percent_after_10_epochs(chainrule, data_folder, monkeypatch):
    monkeypatch.setenv("CHAINRULE_DATA", str(data_folder))
    path = ROOT / "examples" / "mnist-784-512-512-10.toml"
    done = chainrule("train", path, "--seeds", "0,1,2", "--no-keep", "--json").document
    assert done["mean"]["accuracy"] >= 0.98
