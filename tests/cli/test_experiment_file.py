"""Experiment files: every complaint at its line, and what is written reads back."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.base.errors import ChainruleError
from chainrule.cli.experiment import Data, Experiment, Network, Training
from chainrule.cli.experiment_file import as_toml, overlaid, read_table
from tests.tree import ROOT

WRONG = {
    "not toml": (
        "[training\n",
        "{} is not TOML: Expected ']' at the end of a table declaration (at line 1, column 10).",
    ),
    "text for a number": (
        "[training]\n\nepochs = 'ten'\n",
        "{}: training.epochs: expected a whole number, got text. Line 3.",
    ),
    "number for a list": (
        "[network]\nhidden = 30\n",
        "{}: network.hidden: expected a list, got a whole number. Line 2.",
    ),
    "inside a list": (
        "[network]\nhidden = [30, 'x']\n",
        "{}: network.hidden: expected a whole number, got text. Line 2.",
    ),
    "out of range": (
        "[data]\nname = 'iris'\ntest = 1.5\n",
        "{}: data.test: expected a number < 1.0. Line 3.",
    ),
    "no such word": (
        "[training]\ndtype = 'float46'\n",
        (
            "{}: training.dtype: expected float32 or float64, got 'float46'. Did you mean "
            '"float64"? Line 2.'
        ),
    ),
    "not a table": (
        "training = 3\n",
        "{}: training: expected a table, got a whole number. Line 1.",
    ),
    "unknown key": (
        "[training]\nepoch = 3\n",
        (
            '{}: no key is named "training.epoch". Line 2. Did you mean "epochs"? There are: '
            "epochs, batch_size, seeds, early_stopping, accumulate, drop_last, shuffle, dtype, "
            "backend, threads."
        ),
    ),
    "key in the wrong place": (
        "epochs = 3\n",
        '{}: no key is named "epochs". Line 1. It belongs in [training].',
    ),
    "unknown section": (
        "[dta]\nname = 'iris'\n",
        (
            '{}: no key is named "dta". Line 1. Did you mean "data"? There are: title, loss, '
            "metrics, data, network, optimizer, schedule, penalty, training."
        ),
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_complaint_names_file_key_and_line(tmp_path, text, message):
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ChainruleError) as caught:
        read_table(path)
    assert str(caught.value) == message.format(path)


def test_missing_file_suggests_its_neighbour(tmp_path):
    (tmp_path / "iris.toml").touch()
    with pytest.raises(ChainruleError) as caught:
        read_table(tmp_path / "irs.toml")
    path = tmp_path / "irs.toml"
    assert str(caught.value) == f'There is no file {path}. Did you mean "iris.toml"?'


def test_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "latin.toml"
    path.write_bytes(b"title = '\xe9'\n")
    with pytest.raises(ChainruleError, match="is not UTF-8 text"):
        read_table(path)


def test_option_is_named_where_it_is_wrong():
    with pytest.raises(ChainruleError) as caught:
        overlaid({}, {"training.epochs": (0, "--epochs")})
    assert str(caught.value) == "--epochs: expected a whole number >= 1."


def test_option_replaces_what_contradicts_it():
    table = {
        "network": {"layers": [{"kind": "Linear", "out_features": 3}]},
        "optimizer": {"name": "SGD", "momentum": 0.9},
    }
    changes = {
        "network.hidden": ([4], "--hidden"),
        "optimizer.name": ("Adam", "--optimizer"),
        "optimizer.lr": (0.1, "--lr"),
    }
    experiment = overlaid(table, changes)
    assert experiment.network == Network(hidden=[4])
    assert experiment.optimizer == {"name": "Adam", "lr": 0.1}
    assert table["optimizer"]["momentum"] == 0.9


def test_same_optimizer_keeps_its_options():
    table = {"optimizer": {"name": "SGD", "momentum": 0.9}}
    experiment = overlaid(table, {"optimizer.name": ("SGD", ""), "optimizer.lr": (1.0, "")})
    assert experiment.optimizer == {"name": "SGD", "momentum": 0.9, "lr": 1.0}


def test_every_key_is_documented():
    page = (ROOT / "docs" / "command-line.md").read_text("utf-8")
    keys = [
        f"{section.name}.{field.name}" if inner else section.name
        for section in msgspec.structs.fields(Experiment)
        for inner in [isinstance(section.type, type) and issubclass(section.type, msgspec.Struct)]
        for field in (msgspec.structs.fields(section.type) if inner else [section])
    ]
    assert [key for key in keys if f"`{key}`" not in page] == []


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SHARES = st.floats(0, 1, exclude_max=True)
VALUES = st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False), st.booleans(), TEXTS)
OPTIONS = st.dictionaries(TEXTS.filter(bool), VALUES, max_size=3)
EXPERIMENTS = st.builds(
    Experiment,
    title=st.none() | TEXTS,
    metrics=st.none() | st.lists(TEXTS, max_size=2),
    data=st.builds(
        Data, file=st.none() | TEXTS, test=st.none() | SHARES, standardize=st.none() | st.booleans()
    ),
    network=st.builds(
        Network,
        hidden=st.none() | st.lists(st.integers(1, 99), max_size=3),
        layers=st.none() | st.lists(OPTIONS, max_size=2),
        dropout=SHARES,
    ),
    optimizer=OPTIONS,
    training=st.builds(Training, seeds=st.lists(st.integers(0, 9), min_size=1, max_size=3)),
)


@given(EXPERIMENTS)
def test_what_is_written_reads_back(experiment):
    import tomllib

    table = tomllib.loads(as_toml(experiment))
    assert msgspec.convert(table, Experiment) == experiment
