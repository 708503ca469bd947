"""The files in examples/: they read, and they come to what they promise."""

import runpy
import subprocess
import sys

import numpy as np
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


def test_softmax_regression_comes_to_one_place_from_every_start(chainrule):
    path = ROOT / "examples" / "softmax-regression.toml"
    runs = chainrule("train", path, "--no-keep", "--json").document["runs"]
    ends = [run["history"]["val_loss"][-1] for run in runs]
    assert max(ends) - min(ends) < 0.01  # its cost is convex
    assert all(run["figures"]["accuracy"] >= 0.97 for run in runs)


def test_autoencoder_is_better_than_any_linear_map_through_as_many_numbers():
    found = runpy.run_path(str(ROOT / "examples" / "autoencoder.py"))["main"]()
    assert found["codes"].shape == (len(found["digits"]), 8)
    assert found["autoencoder"] < 0.75 * found["principal components"]
    # The error is that of the pictures it gives, and the linear map's is that of the best one.
    error = np.mean((found["restored"] - found["digits"]) ** 2)
    assert found["autoencoder"] == pytest.approx(error, rel=1e-6)
    assert found["principal components"] < 0.4 * found["variance"]


@pytest.mark.slow
def test_autoencoder_runs_as_its_docstring_says():
    path = ROOT / "examples" / "autoencoder.py"
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True)
    assert f"python {short(path)}" in path.read_text("utf-8")
    figures = [line.split("  ")[-2:] for line in done.stdout.splitlines() if "per pixel" in line]
    assert len(figures) == 3
    assert len(done.stdout.splitlines()) == 3 + 3 * 9


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
