"""The command line, in this process and in one of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from chainrule.cli import main

FLOWERS = """sepal,petal,species
5.1,1.4,setosa
4.9,1.3,setosa
4.7,1.5,setosa
5.0,1.4,setosa
5.4,1.7,setosa
4.6,1.4,setosa
7.0,4.7,versicolor
6.4,4.5,versicolor
6.9,4.9,versicolor
5.5,4.0,versicolor
6.5,4.6,versicolor
5.7,4.5,versicolor
"""


@dataclass
class Result:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder, where no data sets are found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path / "no-data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no-cache"))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.fixture
def chainrule(folder, capsys):
    """Run a command in this process."""

    def run(*words):
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Result(status, captured.out, captured.err)

    return run


@pytest.fixture
def shell(folder):
    """Run a command in a process of its own, as the installed script would."""

    def run(*words, **options):
        words = [sys.executable, "-m", "chainrule", *map(str, words)]
        environment = {**os.environ, "COLUMNS": "80", **options.pop("env", {})}
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=environment,
            timeout=120,
            check=False,
            **options,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def flowers(folder):
    """A small CSV file of two classes."""
    path = folder / "flowers.csv"
    path.write_text(FLOWERS + FLOWERS.partition("\n")[2] * 2, encoding="utf-8")
    return path


@pytest.fixture
def iris_run(chainrule, folder):
    """The folder of a short run on iris."""
    done = chainrule("train", "iris", "--epochs", 5, "--folder", "run")
    assert done.status == 0, done.err
    return folder / "run"
