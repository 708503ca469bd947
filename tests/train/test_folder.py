"""A run folder: what is in it, and what becomes of it when things go wrong."""

import json
import warnings

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.base import files
from chainrule.base.errors import ChainruleError, ConfigurationError, FileFormatError, ReplayError
from chainrule.train import ReplayWarning, loop
from chainrule.train.snapshots import KEPT, superfluous
from tests.train.nets import examples, plain, regular, same, same_run

X, Y = examples()


def train(folder=None, net=None, **options):
    told = {"loss": "CrossEntropyLoss", "epochs": 3, "batch_size": 8, **options}
    return cr.fit(net or plain(), X, Y, folder=folder, **told)


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def content(folder):
    return {name: (folder / name).read_bytes() for name in names(folder)}


def test_folder_holds_what_replay_needs(tmp_path):
    folder = tmp_path / "runs" / "a"
    run = train(folder)
    assert run.folder == folder
    found = names(folder)
    assert [name for name in found if not name.startswith("snapshots")] == [
        "experiment.json",
        "history.jsonl",
        "initial.safetensors",
        "model.safetensors",
        "step.graph",
    ]
    assert "snapshots/step-00000021.safetensors" in found


def test_nothing_in_it_is_pickled(tmp_path):
    train(tmp_path / "run")
    for name, data in content(tmp_path / "run").items():
        if name.endswith(".safetensors"):
            tensors, _ = files.read_tensors(tmp_path / "run" / name)
            assert tensors
        else:
            data.decode()


def test_experiment_says_what_the_run_was_made_of(tmp_path):
    train(
        tmp_path / "run",
        optimizer=optim.SGD(lr=0.5, momentum=0.9),
        schedule=optim.StepLR(step_size=2),
        callbacks=[cr.StopOnPlateau(window=2)],
        origin={"command": "train", "data": ["iris", 3]},
    )
    told = json.loads((tmp_path / "run" / "experiment.json").read_text())
    assert told["format"] == "chainrule-run-2"
    assert set(told["versions"]) == {"chainrule", "numpy", "python"}
    assert told["settings"] == {
        "batch_size": 8,
        "epochs": 3,
        "accumulate": 1,
        "drop_last": False,
        "shuffle": True,
        "seed": 0,
        "dtype": "float32",
        "validation_split": None,
        "metrics": [],
        "backend": "auto",
        "threads": None,
    }
    assert told["loss"] == {"name": "CrossEntropyLoss", "options": {}}
    assert told["optimizer"]["options"]["momentum"] == 0.9
    assert told["schedule"] == {
        "name": "StepLR",
        "options": {"unit": "epoch", "step_size": 2, "gamma": 0.1},
    }
    assert told["callbacks"][0]["options"]["window"] == 2
    assert told["data"]["examples"] == 50
    assert told["data"]["types"] == {"x": "f32[4]", "target": "i64[]"}
    assert told["origin"] == {"command": "train", "data": ["iris", 3]}


def test_origin_is_there_before_the_data_is(tmp_path):
    train(tmp_path / "run", origin={"data": "iris"})
    assert cr.load_run(tmp_path / "run").origin == {"data": "iris"}


def test_origin_that_json_cannot_hold(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        train(tmp_path / "run", origin={"x": {1j}})
    assert str(caught.value) == (
        "What the run is made of cannot be written as JSON: "
        "Encoding objects of type complex is unsupported. "
        "Keep text, numbers, lists and dicts in origin."
    )
    train(tmp_path / "run")


def test_history_has_a_line_for_each_epoch(tmp_path):
    run = train(tmp_path / "run", metrics=["accuracy"])
    lines = [json.loads(line) for line in files.read_lines(tmp_path / "run" / "history.jsonl")]
    assert lines == [{"epoch": epoch, **run.history.epoch(epoch)} for epoch in range(3)]


def test_history_holds_numbers_that_are_not_finite(tmp_path):
    """A validation loss may be, without any step being so."""
    big = np.full((2, 1), 1e30)
    run = cr.fit(
        cr.nn.Sequential(cr.nn.Linear(1, 1)),
        [[1.0]],
        [[1.0]],
        validation=(big, big),
        folder=tmp_path / "run",
    )
    assert run.history["val_loss"] == [float("inf")]
    assert cr.load_run(tmp_path / "run").history == run.history
    assert '"val_loss": "inf"' in (tmp_path / "run" / "history.jsonl").read_text()


def test_step_graph_is_the_text_of_the_step(tmp_path):
    run = train(tmp_path / "run")
    assert (tmp_path / "run" / "step.graph").read_text() == f"{run.at(0).graph}\n"


def test_keeping_a_run_changes_no_bit_of_it(tmp_path):
    assert same_run(train(tmp_path / "run", net=regular()), train(net=regular()))


def test_loaded_run_is_the_run(tmp_path):
    run = train(tmp_path / "run", net=regular())
    loaded = cr.load_run(tmp_path / "run", X, Y)
    assert same_run(loaded, run)
    assert loaded.steps == run.steps
    assert loaded.net.evaluate(X, Y) == run.net.evaluate(X, Y)
    assert same(loaded.at(11).record(), run.at(11).record())


def test_loaded_run_without_data_has_history_and_network(tmp_path):
    run = train(tmp_path / "run")
    loaded = cr.load_run(tmp_path / "run")
    assert loaded.history == run.history
    assert np.array_equal(loaded.net.predict(X), run.net.predict(X))
    with pytest.raises(ReplayError) as caught:
        loaded.at(3)
    assert str(caught.value) == (
        "The run's data is not there to be read again. Pass what it was trained on: "
        f'cr.load_run("{tmp_path / "run"}", x, y).'
    )


def test_model_is_the_network_that_fit_left(tmp_path):
    """With the best weights, where early stopping took them back."""
    stop = cr.EarlyStopping(monitor="loss", min_delta=0.02)
    run = train(tmp_path / "run", callbacks=[stop], epochs=20)
    assert run.stopped
    for net in (cr.load(tmp_path / "run" / "model.safetensors"), cr.load_run(tmp_path / "run").net):
        assert same(net.state_dict(), run.net.state_dict())
    before = {path: run.standing.state[path] for path in run.net.state_dict()}
    assert not same(before, run.net.state_dict())


# --- snapshots -------------------------------------------------------------------------------


def test_snapshots_are_thinned_out_and_every_step_can_still_be_replayed(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "COST_OF_SNAPSHOTS", 1e9)  # one at the end of each epoch
    run = train(tmp_path / "run", epochs=30, batch_size=25)
    kept = [int(name[15:23]) for name in names(tmp_path / "run") if name.startswith("snap")]
    assert len(kept) <= KEPT
    assert kept[-1] == run.steps == 60
    loaded = cr.load_run(tmp_path / "run", X, Y)
    replayed = train(epochs=30, batch_size=25)
    for step in (0, 1, 7, 30, 59, 60):
        assert same(loaded.at(step).state, replayed.at(step).state)


def test_memory_keeps_as_few():
    run = train(epochs=40)
    assert len(run.snapshots._states) <= KEPT


def test_thinning_keeps_the_ends():
    kept = []
    for step in range(1000):
        kept.append(step)
        for dropped in superfluous(kept):
            kept.remove(dropped)
        assert len(kept) <= KEPT
        assert kept[0] == 0
        assert kept[-1] == step


def test_long_epochs_have_snapshots_within(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_SNAPSHOTS", 0.0)
    monkeypatch.setattr(loop, "COST_OF_SNAPSHOTS", 1e9)
    seen = []

    class Look(cr.Callback):
        def on_train_batch_end(self, step, logs):
            seen.append(len(list((tmp_path / "run" / "snapshots").glob("*"))))

    train(tmp_path / "run", epochs=1, callbacks=[Look()])
    assert seen == [0, 1, 2, 3, 4, 5, 6]


# --- refusals --------------------------------------------------------------------------------


def test_a_run_is_not_trained_over(tmp_path):
    folder = tmp_path / "run"
    train(folder)
    before = content(folder)
    with pytest.raises(ConfigurationError) as caught:
        train(folder)
    assert str(caught.value) == (
        f'{folder} holds a run already. Go on with it by cr.resume("{folder}", x, y), or choose '
        "another folder."
    )
    assert content(folder) == before


def test_a_folder_with_other_things_is_not_used(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ConfigurationError) as caught:
        train(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} is not empty: it holds thesis.tex. Choose a folder that is new or empty."
    )
    assert names(tmp_path) == ["thesis.tex"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError) as caught:
        train(tmp_path / "file")
    assert str(caught.value) == f"{tmp_path / 'file'} is a file, not a folder to keep a run in."


def test_what_a_refused_training_leaves_can_be_used(tmp_path):
    with pytest.raises(ChainruleError, match="in_features"):
        cr.fit(plain(inputs=3), X, Y, loss="CrossEntropyLoss", folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    train(tmp_path / "run")


def test_what_was_cut_off_before_the_first_step_can_be_used(tmp_path):
    folder = tmp_path / "run"
    train(folder)
    for name in names(folder):
        if name not in ("step.graph", "initial.safetensors"):
            (folder / name).unlink()
    (folder / ".chainrule-0123.tmp").write_bytes(b"half")
    train(folder)
    assert ".chainrule-0123.tmp" not in names(folder)


@pytest.mark.parametrize("open_run", [cr.resume, cr.load_run])
def test_no_run_no_resume(tmp_path, open_run):
    with pytest.raises(ReplayError) as caught:
        open_run(tmp_path / "none", X, Y)
    assert str(caught.value) == (
        f"{tmp_path / 'none'} holds no run: there is no experiment.json in it. "
        'Runs are made by cr.fit(..., folder="...").'
    )


@pytest.mark.parametrize("number", [1, 9])
def test_another_format_is_refused(tmp_path, number):
    folder = tmp_path / "run"
    train(folder)
    path = folder / "experiment.json"
    path.write_text(path.read_text().replace("chainrule-run-2", f"chainrule-run-{number}"))
    with pytest.raises(ReplayError) as caught:
        cr.resume(folder, X, Y)
    assert str(caught.value) == (
        f"{path} has the format 'chainrule-run-{number}'; this version of chainrule reads "
        "'chainrule-run-2'. Use the version that made it."
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"batch_size": 8', '"batch_size": "8"', "Expected `int`, got `str`"),
        ('"batch_size": 8', '"batch_size": 0', "takes batch_size as a whole number ≥ 1; got 0"),
        ('"lr": 0.01', '"lr": -1', "SGD takes lr as a number ≥ 0; got -1"),
        ('"SGD"', '"os.system"', 'No optimizer is named "os.system"'),
        ('"CrossEntropyLoss"', '"eval"', 'No loss is named "eval"'),
        ("{", "", "cannot be read: Expected `object`, got `str`"),
    ],
    ids=["type", "range", "option", "optimizer", "loss", "truncated"],
)
def test_a_damaged_experiment_is_one_clear_error(tmp_path, old, new, message):
    folder = tmp_path / "run"
    train(folder, epochs=1)
    path = folder / "experiment.json"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ChainruleError) as caught:
        cr.resume(folder, X, Y)
    assert message in str(caught.value)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_snapshot_is_one_clear_error(tmp_path):
    folder = tmp_path / "run"
    train(folder)
    snapshot = max((folder / "snapshots").iterdir())
    snapshot.write_bytes(snapshot.read_bytes()[:-1])
    with pytest.raises(FileFormatError, match="truncated"):
        cr.resume(folder, X, Y)
    tensors, _ = files.read_tensors(folder / "initial.safetensors")
    files.write_tensors(snapshot, tensors, {"standing": "{}"})
    with pytest.raises(FileFormatError, match="is no snapshot of a run"):
        cr.load_run(folder)


def test_a_snapshot_of_another_network_is_refused(tmp_path):
    train(tmp_path / "a", epochs=1)
    train(tmp_path / "b", net=regular(), epochs=1)
    for name in ("a", "b"):
        last = max((tmp_path / name / "snapshots").iterdir())
        if name == "a":
            other = last.read_bytes()
        else:
            last.write_bytes(other)
    with pytest.raises(FileFormatError, match=r"the snapshots hold no .* of the run's type"):
        cr.resume(tmp_path / "b", X, Y)


def test_another_numpy_is_warned_of(tmp_path):
    folder = tmp_path / "run"
    train(folder)
    path = folder / "experiment.json"
    path.write_text(path.read_text().replace(f'"numpy": "{np.__version__}"', '"numpy": "1.0"'))
    with pytest.warns(ReplayWarning, match="was made with numpy 1.0; with"):
        cr.load_run(folder, X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cr.load_run(folder)
