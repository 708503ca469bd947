"""`chainrule evaluate`: never on what was trained on, unless it says so."""

import pytest


def test_default_is_what_was_held_out(chainrule, iris_run):
    trained = chainrule("train", "iris", "--epochs", 5, "--json").document["runs"][0]
    done = chainrule("evaluate", "run", "--json").document
    assert done["what"] == "held out of iris"
    assert done["examples"] == 30
    assert done["figures"] == trained["figures"]


def test_its_own_data_by_name_is_the_held_out_part_too(chainrule, iris_run):
    named = chainrule("evaluate", "run", "iris", "--json").document
    assert named == chainrule("evaluate", "run", "--json").document


def test_confusions_are_counted(chainrule, iris_run):
    done = chainrule("evaluate", "run", "--json").document
    counts = done["confusion"]
    assert sum(map(sum, counts)) == 30
    right = sum(counts[i][i] for i in range(3))
    assert right / 30 == pytest.approx(done["figures"]["accuracy"], abs=1e-12)
    shown = chainrule("evaluate", "run").out
    assert "Which class (rows) was taken for which (columns)" in shown


def test_other_table_with_known_answers(chainrule, flowers, folder):
    chainrule("train", flowers, "--target", "species", "--epochs", 60)
    (folder / "more.csv").write_text(
        "species,petal,sepal\nsetosa,1.4,5\nversicolor,4.7,6\n", "utf-8"
    )
    done = chainrule("evaluate", "runs/flowers", "more.csv", "--json").document
    assert (done["what"], done["examples"]) == ("more.csv", 2)
    assert done["figures"]["accuracy"] == 1.0


def test_table_that_has_changed_is_remarked_on(chainrule, flowers):
    chainrule("train", flowers, "--target", "species", "--epochs", 1)
    flowers.write_text(flowers.read_text("utf-8") + "5.0,1.5,setosa\n", "utf-8")
    done = chainrule("evaluate", "runs/flowers")
    assert done.status == 0
    assert "is not what it was when the model was trained" in done.err


def test_model_with_another_kind_of_fingerprint_is_remarked_on(chainrule, iris_run, folder):
    model = folder / "run" / "model.safetensors"
    content = model.read_bytes()
    assert content.count(b"tree:") == 1
    model.write_bytes(content.replace(b"tree:", b"flat:"))
    done = chainrule("evaluate", "run")
    assert done.status == 0
    assert "whether iris is what it was then cannot be told" in done.err


def test_training_examples_are_called_so(chainrule):
    chainrule("train", "xor", "--epochs", 1)
    assert "xor, which it was trained on: 4 examples" in chainrule("evaluate", "runs/xor").out


def test_numbers_are_measured_in_their_units(chainrule):
    trained = chainrule("train", "sine", "--epochs", 20, "--json").document["runs"][0]
    done = chainrule("evaluate", "runs/sine", "--json").document
    assert done["confusion"] is None
    assert done["figures"] == trained["figures"]
    assert set(done["figures"]) == {"loss", "mae"}


def test_table_beside_a_model_of_no_table(chainrule, iris_run, flowers):
    done = chainrule("evaluate", "run", flowers)
    assert done.status == 2
    assert "was not trained on a table" in done.err


def test_many_classes_show_their_worst_confusions(chainrule):
    chainrule("train", "digits", "--epochs", 1, "--set", "network.hidden=[4]")
    assert "Which class" in chainrule("evaluate", "runs/digits").out
