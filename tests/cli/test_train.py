"""`chainrule train`: what it decides, shows, keeps, and gives to programs."""

import shlex

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.model_file import load_model


def test_names_train_and_say_what_they_did(chainrule, folder):
    done = chainrule("train", "iris", "--epochs", 3)
    assert done.status == 0
    assert done.err == ""
    for told in (
        "iris: 150 examples, 4 inputs, 3 classes",
        "120 to train on, 30 held out, inputs standardised",
        "4 -> 64 ReLU -> 3",
        "CrossEntropyLoss, Adam(lr=0.003), batches of 32, 3 epochs",
        "held-out accuracy",
        "held out   loss",
        "The run is kept in runs/iris, the model is runs/iris/model.safetensors",
        'chainrule predict runs/iris --row "5.1,3.5,1.4,0.2"',
    ):
        assert told in done.out
    assert (folder / "runs/iris/model.safetensors").is_file()


def test_each_run_has_a_new_folder(chainrule, folder):
    for _ in range(3):
        chainrule("train", "xor", "--epochs", 1)
    assert sorted(path.name for path in (folder / "runs").iterdir()) == ["xor", "xor-2", "xor-3"]


def test_nothing_is_kept_if_so_asked(chainrule, folder):
    done = chainrule("train", "xor", "--epochs", 1, "--no-keep")
    assert done.status == 0
    assert list(folder.iterdir()) == []


def test_document_is_all_of_standard_output(chainrule):
    done = chainrule("train", "iris", "--epochs", 2, "--seeds", "0,1", "--json")
    assert done.err == ""
    document = done.document
    assert document["examples"] == {"training": 120, "validation": 0, "held_out": 30}
    assert document["figures_of"] == "held_out"
    assert [run["seed"] for run in document["runs"]] == [0, 1]
    first = document["runs"][0]
    assert set(first["history"]) == {"loss", "accuracy", "val_loss", "val_accuracy", "lr"}
    assert len(first["history"]["loss"]) == first["epochs"] == 2
    mean = np.mean([run["figures"]["accuracy"] for run in document["runs"]])
    assert document["mean"]["accuracy"] == pytest.approx(mean, abs=1e-12)
    assert document["experiment"]["training"]["seeds"] == [0, 1]


def test_options_reach_the_training(chainrule):
    words = shlex.split(
        "--hidden 10,7 --activation tanh --dropout 0.25 --optimizer sgd --lr 0.5 --momentum 0.9 "
        "--weight-decay 0.01 --epochs 2 --batch-size 8 --seed 5 --dtype float64 --test 0.3 "
        "--validation 0.1 --metrics accuracy,mse --schedule steplr --no-standardize "
        "--set schedule.step_size=1 --set optimizer.nesterov=true"
    )
    told = chainrule("train", "iris", *words, "--loss", "mse", "--json").document["experiment"]
    assert told["network"]["hidden"] == [10, 7]
    assert told["network"]["activation"] == "Tanh"
    assert told["network"]["dropout"] == 0.25
    assert told["network"]["output"] == "Sigmoid"
    assert told["loss"] == "MSELoss"
    assert told["metrics"] == ["accuracy", "mse"]
    assert told["optimizer"] == {
        "name": "SGD",
        "lr": 0.5,
        "momentum": 0.9,
        "weight_decay": 0.01,
        "nesterov": True,
    }
    assert told["schedule"] == {"name": "StepLR", "step_size": 1}
    assert told["data"]["test"] == 0.3
    assert told["data"]["validation"] == 0.1
    assert told["data"]["standardize"] is False
    training = told["training"]
    assert (training["epochs"], training["batch_size"], training["seeds"]) == (2, 8, [5])
    assert training["dtype"] == "float64"


def test_table_is_learned_by_its_columns(chainrule, flowers):
    done = chainrule("train", flowers, "--target", "species", "--epochs", 60)
    assert done.status == 0
    assert "36 examples, 2 inputs, 2 classes (setosa, versicolor)" in done.out
    assert "accuracy 100.00 %" in done.out
    assert 'chainrule predict runs/flowers --row "5.1,1.4"' in done.out


def test_columns_of_text_become_inputs_and_numbers_keep_their_units(chainrule, folder):
    rows = [
        f"{50 + i * 7 % 90},{town},{(50 + i * 7 % 90) * 3000 + extra}"
        for i in range(60)
        for town, extra in (("Ulm", 0), ("Kiel", 90000))
    ]
    (folder / "houses.csv").write_text("\n".join(["area,town,price", *rows]), encoding="utf-8")
    done = chainrule("train", "houses.csv", "--target", "price", "--epochs", 100)
    assert "3 inputs, 1 number to predict" in done.out
    assert "inputs and numbers standardised" in done.out
    assert "in the units of the data" in done.out
    answer = chainrule("predict", "runs/houses", "--row", "100,Kiel", "--json").document
    assert answer["rows"][0]["price"] == pytest.approx(390_000, rel=0.05)


def test_worked_example_shows_the_textbooks_figures(chainrule):
    done = chainrule("train", "2-2-2", "--no-keep")
    assert done.status == 0
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "∂E/∂w5 0 0.082167041 0.082167041" in lines
    assert "E 10000 3.5101878e-05 3.5101878e-05" in lines
    assert "E 1 0.291027924 0.291027774 a known mistake" in lines
    assert "differs" not in done.out
    assert "output weights that were already updated" in " ".join(done.out.split())


def test_worked_example_takes_other_layers(chainrule):
    told = chainrule("train", "2-2-2", "--hidden", "5", "--epochs", 1, "--no-keep")
    assert told.status == 0
    assert "2 -> 5 ReLU -> 2" in told.out


def test_printed_experiment_is_the_training_it_was_printed_for(chainrule, folder):
    words = ["train", "moons", "--hidden", "none", "--epochs", "4", "--set", "data.options.n=40"]
    printed = chainrule(*words, "--print-experiment")
    assert list(folder.iterdir()) == []
    (folder / "moons.toml").write_text(printed.out, encoding="utf-8")
    direct = chainrule(*words, "--json").document
    by_file = chainrule("train", "moons.toml", "--json").document
    assert by_file["experiment"] == direct["experiment"]
    assert by_file["runs"][0]["history"] == direct["runs"][0]["history"]


def test_option_changes_what_a_file_says(chainrule, folder):
    (folder / "x.toml").write_text('[data]\nname = "xor"\n[training]\nepochs = 9\n', "utf-8")
    told = chainrule("train", "x.toml", "--epochs", 2, "--json").document
    assert told["experiment"]["training"]["epochs"] == 2


def test_file_names_its_table_from_its_own_folder(chainrule, folder, flowers):
    (folder / "inner").mkdir()
    flowers.rename(folder / "inner" / "flowers.csv")
    text = '[data]\nfile = "flowers.csv"\ntarget = "species"\n[training]\nepochs = 1\n'
    (folder / "inner" / "x.toml").write_text(text, "utf-8")
    assert chainrule("train", "inner/x.toml").status == 0
    assert chainrule("evaluate", "runs/x").status == 0


def test_layers_one_by_one_find_their_sizes(chainrule, folder):
    (folder / "x.toml").write_text(
        '[data]\nname = "iris"\n[network]\nlayers = [{ kind = "linear", out_features = 6 }, '
        '{ kind = "BatchNorm1d" }, { kind = "Tanh" }, { kind = "Linear", out_features = 3 }]\n',
        "utf-8",
    )
    done = chainrule("train", "x.toml", "--epochs", 1)
    assert done.status == 0, done.err
    assert "4 -> 6 BatchNorm1d Tanh -> 3" in done.out


def test_early_stopping_decides_by_a_part_of_its_own(chainrule):
    done = chainrule("train", "iris", "--early-stopping", 3, "--lr", 0.05, "--epochs", 300)
    assert "96 to train on, 24 for validation, 30 held out" in done.out
    assert "validation accuracy" in done.out
    assert "Stopped early: val_loss has not improved since epoch" in done.out


def test_examples_of_a_few_rows_are_not_split(chainrule):
    done = chainrule("train", "xor", "--epochs", 2)
    assert "4 to train on, none held out" in done.out
    assert "training examples   loss" in done.out


def test_several_seeds_end_with_their_mean(chainrule, folder):
    done = chainrule("train", "iris", "--epochs", 3, "--seeds", "0,1,2")
    assert "held-out accuracy after each epoch" in done.out
    assert "epoch   seed 0   seed 1   seed 2     mean" in done.out
    assert "mean of 3 seeds" in done.out
    assert sorted(p.name for p in (folder / "runs/iris").iterdir()) == [
        "seed-0",
        "seed-1",
        "seed-2",
    ]


def test_resumed_run_ends_where_an_uninterrupted_one_does(chainrule):
    chainrule("train", "iris", "--epochs", 3, "--dropout", 0.2, "--folder", "short")
    more = chainrule("train", "--resume", "short", "--epochs", 6)
    assert more.status == 0, more.err
    assert "short has 3 epochs, of 6." in more.out
    chainrule("train", "iris", "--epochs", 6, "--dropout", 0.2, "--folder", "long")
    short, long = (load_model(name).net.state_dict() for name in ("short", "long"))
    for name, array in long.items():
        assert np.array_equal(short[name], array), name


def test_resuming_what_is_over_changes_nothing(chainrule, iris_run):
    before = load_model("run")
    done = chainrule("train", "--resume", "run")
    assert done.status == 0
    assert "nothing left to do" in done.out
    after = load_model("run")
    assert (after.figures, after.origin) == (before.figures, before.origin)
    for name, array in before.net.state_dict().items():
        assert np.array_equal(after.net.state_dict()[name], array), name


def test_model_is_one_that_python_reads(iris_run):
    net = cr.load(iris_run / "model.safetensors")
    model = load_model(str(iris_run))
    raw = np.array([[5.1, 3.5, 1.4, 0.2]])
    x = model.preparation.x(raw)
    assert np.array_equal(net.predict(x), model.net.predict(x))
    assert model.origin.experiment.data.name == "iris"
    assert set(model.figures) == {"loss", "accuracy"}
