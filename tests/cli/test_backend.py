"""What computes is said before training, with the memory it takes, and why, if it is NumPy."""

import os
import re

import pytest


def backend_lines(result):
    return re.findall(r"^backend   (\w+), \S+ kB of memory$", result.out, re.MULTILINE)


@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_it_is_said_before_training(chainrule, folder, backend):
    done = chainrule("train", "iris", "--epochs", 2, "--backend", backend)
    assert done.status == 0
    assert backend_lines(done) == [backend]
    lines = done.out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("backend"))
    assert lines[at - 1].split()[0] == "training" or lines[at - 1].startswith(" ")
    assert lines[at + 1] == ""
    assert lines[at + 2].split()[0] == "epoch"


def test_it_is_in_the_document(chainrule, folder):
    told = chainrule("train", "iris", "--epochs", 2, "--json").document["runs"][0]
    assert told["backend"] == "native"
    assert 4 * 120 * 4 < told["memory"] < 1_000_000


def test_of_several_trainings_it_is_said_once(chainrule, folder):
    done = chainrule("train", "iris", "--epochs", 2, "--seeds", "0,1", "--no-keep")
    assert backend_lines(done) == ["native"]


def test_a_run_that_goes_on_says_it_again(chainrule, iris_run):
    done = chainrule("train", "--resume", "run", "--epochs", 6)
    assert backend_lines(done) == ["native"]


@pytest.mark.parametrize("command", [("train", "iris", "--epochs", 2), ("evaluate", "run")])
def test_without_llvm_one_line_says_why_numpy_trains(shell, iris_run, folder, command):
    """And those who only ask a network are not told: they wait for nothing."""
    broken = folder / "elsewhere" / "llvmlite"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text('raise OSError("libllvmlite.so: wrong ELF class")')
    path = os.pathsep.join([str(broken.parent), os.environ.get("PYTHONPATH", "")])
    done = shell(*command, env={"PYTHONPATH": path})
    assert done.status == 0
    if command[0] == "train":
        assert done.err == (
            "chainrule: The native backend needs llvmlite, which does not start here: "
            "libllvmlite.so: wrong ELF class. So NumPy computes, more slowly. Install it: pip "
            'install llvmlite. Or use backend="numpy".\n'
        )
        assert backend_lines(done) == ["numpy"]
    else:
        assert done.err == ""


def test_what_cannot_fit_is_refused_in_a_line(chainrule, folder):
    done = chainrule("train", "iris", "--hidden", "3000000,3000000")
    assert done.status == 2
    assert re.fullmatch(
        r"chainrule: Training this network takes at least 72,000 GB of memory, with 36,000 GB for "
        r"its parameters; .* can be had here\. Make layers narrower, or batch_size smaller, or "
        r"find more memory\.\n",
        done.err,
    )
    assert not (folder / "runs").exists()
