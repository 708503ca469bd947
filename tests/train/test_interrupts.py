"""Ctrl-C: the run so far comes back, whole, and can go on."""

import pkgutil
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import chainrule as cr
from chainrule.backends.numpy.backend import NumpyProgram
from chainrule.train import loop
from chainrule.train.run import INTERRUPTED
from tests.train.nets import examples, plain, regular, same, same_run

X, Y = examples()


def train(**options):
    told = {"loss": "CrossEntropyLoss", "epochs": 3, "batch_size": 8, **options}
    return cr.fit(regular(), X, Y, **told)


class Once:
    """Calls a function as it is, but raises KeyboardInterrupt in one of the calls."""

    def __init__(self, function, call, *, after=False):
        self.function = function
        self.left = call
        self.after = after

    def __call__(self, *args, **kwargs):
        self.left -= 1
        if self.left == -1 and not self.after:
            raise KeyboardInterrupt
        result = self.function(*args, **kwargs)
        if self.left == -1:
            raise KeyboardInterrupt
        return result


@pytest.mark.parametrize("call", [0, 1, 2, 5])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_ctrl_c_within_a_step_leaves_the_last_whole_one(monkeypatch, call, accumulate, tmp_path):
    told = {"accumulate": accumulate, "backend": "numpy"}  # whose steps are Python's
    expected = train(**told)
    with monkeypatch.context() as patched:
        once = Once(NumpyProgram.inputs, call)
        patched.setattr(NumpyProgram, "inputs", lambda *args: once(*args))
        cut = train(**told, folder=tmp_path / "run")
    assert cut.stopped == INTERRUPTED
    assert cut.interrupted
    assert cut.steps < expected.steps
    assert same(cut.standing.state, expected.at(cut.steps).state)
    assert same(cut.net.state_dict(), {n: cut.standing.state[n] for n in cut.net.state_dict()})
    assert same_run(cr.resume(tmp_path / "run", X, Y), expected)


@pytest.mark.parametrize(
    "place",
    [
        "chainrule.train.engine._chunk",
        "chainrule.train.engine._After",
        "chainrule.backends.native.held.HeldState.settle",
        "chainrule.train.loop.Loop._take",
        "chainrule.train.loop.Loop._end_epoch",
        "chainrule.train.loop.Loop._keep",
        "chainrule.train.loop.Loop._set_rate",
        "chainrule.train.loop.write_state",
        "chainrule.train.history.History.append",
        "chainrule.nn.evaluation.Evaluator.__call__",
        "chainrule.train.folder.append_line",
        "chainrule.train.folder.write_tensors",
        "chainrule.train.folder.RunFolder.save",
    ],
)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_ctrl_c_between_steps(monkeypatch, place, after, tmp_path):
    """Wherever it comes, what it leaves is whole, and goes on to the same bits."""
    monkeypatch.setattr(loop, "COST_OF_SNAPSHOTS", 1e9)  # a snapshot at the end of each epoch
    options = {"validation": (X[:10], Y[:10])}
    expected = train(**options)
    with monkeypatch.context() as patched:
        module, _, name = place.rpartition(".")
        owner = pkgutil.resolve_name(module)
        once = Once(getattr(owner, name), 1, after=after)
        patched.setattr(owner, name, lambda *args, **kwargs: once(*args, **kwargs))
        cut = train(folder=tmp_path / "run", **options)
    assert cut.stopped == INTERRUPTED
    assert cut.history.epochs == cut.standing.position.epoch
    assert same(cut.standing.state, expected.at(cut.steps).state)
    assert same_run(cr.resume(tmp_path / "run", X, Y, **options), expected)
    assert same_run(cr.load_run(tmp_path / "run", X, Y), expected)


def test_a_run_that_was_cut_off_in_memory_can_be_replayed():
    class Stop(cr.Callback):
        def on_train_batch_end(self, step, logs):
            if step == 11:
                raise KeyboardInterrupt

    cut, expected = train(callbacks=[Stop()]), train()
    assert cut.steps == 12
    for step in (0, 7, 12):
        assert same(cut.at(step).state, expected.at(step).state)
    assert cut.history == {name: values[:1] for name, values in expected.history.items()}


SCRIPT = """
    import sys
    import numpy as np
    import chainrule as cr
    from tests.train.nets import examples, plain

    class Started(cr.Callback):
        def on_epoch_end(self, epoch, logs):
            if epoch == 2:
                print("under way", flush=True)

    x, y = examples()
    run = cr.fit(plain(), x, y, loss="CrossEntropyLoss", epochs=10**9, folder=sys.argv[1],
                 callbacks=[Started()])
    print(run.stopped, run.steps, run.history.epochs, flush=True)
    np.save(sys.argv[1] + "/weights.npy", run.net.state_dict()["0.weight"])
"""


def test_a_real_ctrl_c(tmp_path):
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "under way\n"
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert told.startswith(f"{INTERRUPTED} ")
    steps, epochs = map(int, told.removeprefix(INTERRUPTED).split())
    assert epochs >= 2  # the third is over when all callbacks are
    found = cr.load_run(folder, X, Y)
    assert (found.steps, found.history.epochs, found.stopped) == (steps, epochs, INTERRUPTED)
    weights = np.load(folder / "weights.npy")
    assert np.array_equal(found.at(steps).state["0.weight"], weights)
    resumed = cr.resume(folder, X, Y, epochs=epochs + 1, callbacks=[])
    expected = cr.fit(plain(), X, Y, loss="CrossEntropyLoss", epochs=epochs + 1)
    assert same_run(resumed, expected)


TIMED = """
    import sys, time
    import numpy as np
    import chainrule as cr
    from chainrule import nn, optim

    width, batch = int(sys.argv[1]), int(sys.argv[2])
    x = np.linspace(-1, 1, batch * width, dtype=np.float32).reshape(batch, width)
    net = nn.Sequential(*(nn.Linear(width, width), nn.Tanh()) * 4)
    told = {"batch_size": batch, "optimizer": optim.SGD(lr=1e-3, momentum=0.5)}
    began = time.monotonic()
    cr.fit(net, x, x, **told)  # compiled
    cr.fit(net, x, x, **told)
    began = time.monotonic()
    cr.fit(net, x, x, **told)
    print("under way", time.monotonic() - began, flush=True)
    run = cr.fit(net, x, x, epochs=10**9, **told)
    print(time.monotonic(), run.stopped, flush=True)
    run.at(run.steps)
    kept = run.at(max(run.steps - 3, 0)).state
    print(np.isfinite(kept["0.weight"]).all(), flush=True)
"""


@pytest.mark.parametrize(
    ("width", "batch", "after"), [(2, 4, 0.4), (512, 128, 0.95), (1024, 1024, 0.5)]
)
def test_native_code_hears_ctrl_c_soon(width, batch, after):
    """Within 0.2 s; a kernel of a large step is waited for, of which there are about 20."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(TIMED), str(width), str(batch)],
        stdout=subprocess.PIPE,
        text=True,
    )
    step = float(process.stdout.readline().removeprefix("under way"))
    time.sleep(after * max(1.0, step))
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    told, _ = process.communicate(timeout=120)
    heard, stopped = told.splitlines()[0].split(maxsplit=1)
    assert stopped == INTERRUPTED
    assert told.splitlines()[1] == "True"
    assert float(heard) - sent < 0.2 + step / 3
