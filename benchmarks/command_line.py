"""The whole program: MNIST from its files to the last line on the screen."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.process import ROOT, environment
from benchmarks.rows import Row, Spread
from benchmarks.targets import COMMAND_LINE
from chainrule.data.mnist import find_mnist

EXPERIMENT = ROOT / "examples" / "mnist-784-30-10.toml"


def mnist_row(repeats: int) -> Row:
    """Seconds for 30 epochs of 60,000 images, after each the accuracy on the 10,000 others.

    A first run, which is not counted, leaves compiled code and bytecode for the others.
    """
    row = Row("MNIST 784-30-10", "chainrule train, 30 epochs", unit="s", limit=COMMAND_LINE)
    if find_mnist() is None:
        return replace(row, note="MNIST is not here: `chainrule data` says how to get it")
    command = [sys.executable, "-m", "chainrule", "train", str(EXPERIMENT)]
    options = ["--epochs", "30", "--backend", "native", "--json"]
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(repeats + 1):
            began = time.monotonic()
            kept = ["--folder", str(Path(folder, str(number)))]
            done = subprocess.run(
                command + options + kept,
                cwd=folder,
                env=environment(),
                capture_output=True,
                text=True,
            )
            seconds.append(time.monotonic() - began)
            if done.returncode:
                note = (done.stderr or done.stdout).strip().splitlines()[-1]
                return replace(row, note=note)
    return replace(row, figure=Spread.of(seconds[1:]))
