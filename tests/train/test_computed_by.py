"""A run's record says what computed it, and it is resumed and replayed by that."""

import json
import warnings

import pytest

import chainrule as cr
from chainrule.backends import get_backend
from chainrule.train import ReplayWarning
from tests.train.nets import examples, regular, same_run

X, Y = examples()


def train(folder=None, **options):
    told = {"loss": "CrossEntropyLoss", "epochs": 2, "batch_size": 8, **options}
    return cr.fit(regular(), X, Y, folder=folder, **told)


def edit(folder, change):
    path = folder / "experiment.json"
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(facts))


@pytest.mark.parametrize("backend", ["auto", "native", "numpy"])
def test_a_run_says_what_computes_it(tmp_path, backend):
    run = train(tmp_path / "run", backend=backend)
    expected = get_backend(backend)
    told = json.loads((tmp_path / "run" / "experiment.json").read_text())
    assert run.backend == cr.load_run(tmp_path / "run").backend == expected.name
    assert told["computed_by"] == expected.arithmetic
    assert told["settings"]["backend"] == backend


@pytest.mark.parametrize("is_old", [False, True], ids=["recorded", "of an older version"])
def test_a_run_that_numpy_computed_goes_on_with_numpy(tmp_path, is_old):
    """It was left open, and LLVM did not start."""
    train(tmp_path / "run", backend="numpy")

    def change(facts):
        facts["settings"]["backend"] = "auto"
        if is_old:
            del facts["computed_by"]

    edit(tmp_path / "run", change)
    resumed = cr.resume(tmp_path / "run", X, Y, epochs=4)
    assert resumed.backend == "numpy"
    assert same_run(resumed, train(backend="numpy", epochs=4))


@pytest.mark.parametrize("computed_by", ["native otherwise", "jax"])
def test_a_run_that_was_computed_otherwise_is_resumed_with_a_warning(tmp_path, computed_by):
    train(tmp_path / "run")
    edit(tmp_path / "run", lambda facts: facts.update(computed_by=computed_by))
    with pytest.warns(ReplayWarning) as told:
        cr.resume(tmp_path / "run", X, Y, epochs=3)
    assert str(told[0].message) == (
        f"Run {tmp_path / 'run'} was computed by {computed_by}; by "
        f"{get_backend('auto').arithmetic} the last bits of a replay differ"
    )


def test_evaluation_is_by_the_backend_that_trains(monkeypatch):
    """Who asks for NumPy waits for no compiler."""
    from chainrule.backends.native import NativeBackend

    def refuse(*arguments):
        raise AssertionError("nothing is compiled")

    monkeypatch.setattr(NativeBackend, "run", refuse)
    monkeypatch.setattr(NativeBackend, "compile", refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = train(backend="numpy", validation=(X, Y), metrics=["accuracy"])
    assert len(run.history["val_accuracy"]) == 2
