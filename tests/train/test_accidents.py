"""What becomes of a run when something goes wrong: a full disk, Ctrl-C, a kill, two at once."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import chainrule as cr
from chainrule.backends import BACKENDS
from chainrule.base import files
from chainrule.base.errors import ConfigurationError
from chainrule.train import folder as folder_module
from chainrule.train import loop
from tests.sampling import dealt
from tests.train.nets import examples, plain, regular, same, same_run

X, Y = examples()


def train(folder=None, net=None, **options):
    told = {"loss": "CrossEntropyLoss", "epochs": 3, "batch_size": 8, **options}
    return cr.fit(net or plain(), X, Y, folder=folder, **told)


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class Failing:
    """Lets the disk be full from one write on."""

    def __init__(self, monkeypatch, at, error):
        self.left = at
        self.error = error
        self.write = os.write
        monkeypatch.setattr(files.os, "write", self)

    def __call__(self, descriptor, data):
        self.left -= 1
        if self.left < 0:
            self.write(descriptor, bytes(data[: len(data) // 2]))
            raise self.error
        return self.write(descriptor, data)


@pytest.mark.parametrize(
    ("at", "error"),
    dealt(range(4, 12), [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()]),
)
def test_whatever_a_write_meets_the_run_can_be_resumed(tmp_path, monkeypatch, at, error):
    monkeypatch.setattr(loop, "COST_OF_SNAPSHOTS", 1e9)
    folder = tmp_path / "run"
    net = regular()
    with monkeypatch.context() as patched:
        patched.setenv("CHAINRULE_CACHE", "off")  # what is written is the run
        Failing(patched, at, error)
        with pytest.raises((OSError, KeyboardInterrupt)):
            train(folder, net=net)
    assert not [name for name in names(folder) if "tmp" in name or name == "lock"]
    cut = cr.load_run(folder, X, Y)
    # The network in memory has the last whole state, which may be later than the last on disk.
    assert np.isfinite(net.predict(X)).all()
    expected = train(net=regular())
    assert same(cut.standing.state, expected.at(cut.steps).state)
    assert same_run(cr.resume(folder, X, Y), expected)
    assert same_run(cr.load_run(folder, X, Y), expected)


SCRIPT = """
    import sys, time
    import numpy as np
    import chainrule as cr
    from tests.train.nets import examples, regular
    from chainrule.train import loop
    loop.SECONDS_BETWEEN_SNAPSHOTS = 0.01

    class Slow(cr.Callback):
        def on_train_batch_end(self, step, logs):
            time.sleep(0.01)
            if step == 2:
                print("under way", flush=True)

    x, y = examples()
    cr.fit(regular(), x, y, loss="CrossEntropyLoss", epochs=int(sys.argv[2]), batch_size=8,
           folder=sys.argv[1], callbacks=[Slow()])
    print("done", flush=True)
"""


def start(folder, epochs):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(folder), str(epochs)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "under way\n"
    return process


def test_a_killed_process_can_be_resumed(tmp_path):
    folder = tmp_path / "run"
    process = start(folder, 1000)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (folder / "lock").exists()  # it locks nothing any more
    found = cr.load_run(folder)
    assert found.steps > 0
    epochs = found.history.epochs + 2
    resumed = cr.resume(folder, X, Y, epochs=epochs, callbacks=[])
    expected = cr.fit(regular(), X, Y, loss="CrossEntropyLoss", epochs=epochs, batch_size=8)
    assert same_run(resumed, expected)
    assert same_run(cr.load_run(folder, X, Y), expected)
    assert not (folder / "lock").exists()


CHUNKS = """
    import sys
    import chainrule as cr
    from tests.train.nets import examples, regular
    from chainrule.train import loop
    loop.SECONDS_BETWEEN_SNAPSHOTS, loop.COST_OF_SNAPSHOTS = 0.0, 1e9

    class Started(cr.Callback):
        def on_epoch_end(self, epoch, logs):
            if epoch == 3:
                print("under way", flush=True)

    x, y = examples()
    cr.fit(regular(), x, y, loss="CrossEntropyLoss", epochs=10**9, batch_size=8, folder=sys.argv[1],
           callbacks=[Started()], backend=sys.argv[2])
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_process_that_is_killed_between_chunks_can_be_resumed(tmp_path, backend):
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHUNKS), str(folder), backend],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "under way\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    found = cr.load_run(folder, X, Y)
    assert found.steps > 20
    assert found.backend == backend
    epochs = found.history.epochs + 2
    resumed = cr.resume(folder, X, Y, epochs=epochs, callbacks=[])
    told = {"loss": "CrossEntropyLoss", "epochs": epochs, "batch_size": 8, "backend": backend}
    assert same_run(resumed, cr.fit(regular(), X, Y, **told))


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    folder = tmp_path / "run"
    process = start(folder, 1000)
    try:
        with pytest.raises(ConfigurationError, match="holds a run already"):
            train(folder)
        with pytest.raises(ConfigurationError) as caught:
            cr.resume(folder, X, Y)
        assert str(caught.value) == (
            f"{folder} is in use: process {process.pid} is training in it. "
            "Wait for it to end, or choose another folder."
        )
        assert cr.load_run(folder).steps >= 0  # but one may look
    finally:
        process.kill()
        process.communicate()


def test_two_trainings_of_one_process_do_not_either(tmp_path):
    folder = tmp_path / "run"
    refused = []

    class Again(cr.Callback):
        def on_epoch_end(self, epoch, logs):
            with pytest.raises(ConfigurationError) as caught:
                cr.resume(folder, X, Y)
            refused.append(str(caught.value))

    train(folder, epochs=1, callbacks=[Again()])
    assert refused == [
        (
            f"{folder} is in use: this process is training in it. "
            "Wait for it to end, or choose another folder."
        )
    ]


def test_a_lock_is_let_go_of_when_training_fails(tmp_path):
    class Fails(cr.Callback):
        def on_epoch_end(self, epoch, logs):
            raise ZeroDivisionError

    folder = tmp_path / "run"
    with pytest.raises(ZeroDivisionError):
        train(folder, callbacks=[Fails()])
    assert "lock" not in names(folder)
    assert same_run(cr.resume(folder, X, Y, callbacks=[]), train())


def test_snapshots_that_vanish_while_one_looks(tmp_path, monkeypatch):
    """Another process trains, and thins them out."""
    monkeypatch.setattr(loop, "COST_OF_SNAPSHOTS", 1e9)
    train(tmp_path / "run", epochs=5)
    loaded = cr.load_run(tmp_path / "run", X, Y)
    expected = loaded.at(20).state
    read = folder_module._read_standing

    def vanish(path):
        if "00000014" in str(path):
            path.unlink()
        return read(path)

    monkeypatch.setattr(folder_module, "_read_standing", vanish)
    assert same(loaded.at(20).state, expected)
