"""`chainrule diagram`: networks and graphs as SVG, of experiments, runs and model files."""

from xml.etree import ElementTree as ET

import pytest

import chainrule as cr
from chainrule import nn


def names(svg):
    return {e.get("data-name") for e in ET.fromstring(svg).iter() if e.get("data-name")}


def test_a_worked_example_is_drawn_with_the_textbooks_numbers(chainrule, folder):
    done = chainrule("diagram", "2-2-2", "--save", "net.svg", "--json").document
    rows = {row["name"]: row["value"] for row in done["table"]}
    assert rows["0.weight[0, 0]"] == "0.15"
    assert rows["2.weight[1, 1]"] == "0.55"
    assert done["file"] == "net.svg"
    assert "2.weight" in names((folder / "net.svg").read_text("utf-8"))


def test_without_a_file_it_is_printed(chainrule):
    assert {"0.weight", "x"} <= names(chainrule("diagram", "iris").out)


def test_the_file_is_told_with_its_size(chainrule, folder):
    done = chainrule("diagram", "2-2-2", "--save", "net.svg")
    assert done.status == 0
    assert done.out.startswith("net.svg: ")


def test_graphs_of_the_forward_pass_and_of_the_step(chainrule):
    forward = names(chainrule("diagram", "2-2-2", "--graph", "forward").out)
    step = names(chainrule("diagram", "2-2-2", "--graph", "step").out)
    assert {"x", "0.out", "3.out", "2.bias"} <= forward
    assert not any(name.startswith("d_") for name in forward)
    assert {"d_0.weight", "d_3.out/d_2.out", "next.0.weight", "loss"} <= step


def test_keys_can_be_set(chainrule):
    done = chainrule("diagram", "iris", "--set", "network.hidden=[5]", "--json").document
    assert {row["name"] for row in done["table"]} >= {"0.weight[4, 3]", "2.bias[2]"}


def test_the_starting_weights_are_those_of_the_training(chainrule):
    words = ("diagram", "iris", "--set", "network.hidden=[2]", "--json", "--set")
    first = chainrule(*words, "training.seeds=[1]").document["table"]
    assert first == chainrule(*words, "training.seeds=[1]").document["table"]
    assert first != chainrule(*words, "training.seeds=[2]").document["table"]


def test_a_run_is_drawn_with_its_trained_weights(chainrule, iris_run):
    svg = chainrule("diagram", iris_run).out
    assert "no numbers yet" not in svg
    assert "0.weight" in names(svg)
    step = names(chainrule("diagram", iris_run, "--graph", "step").out)
    assert "d_0.weight" in step


def test_a_model_file_of_python_is_drawn(chainrule, folder):
    cr.save(nn.Sequential(nn.Linear(2, 1)), "net.safetensors")
    assert "0.weight" in names(chainrule("diagram", "net.safetensors").out)
    assert "0.out" in names(chainrule("diagram", "net.safetensors", "--graph", "forward").out)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["iris", "--graph", "forwards"],
            'No graph is named "forwards". Did you mean "forward"? There are: forward, step.',
        ),
        (["iris", "--direction", "up"], "A diagram goes down or right; got direction='up'."),
        (
            ["net.safetensors", "--graph", "step"],
            (
                "The model does not say what it was trained for, so there is no step to draw. "
                "Models written by `chainrule train` do; --graph forward needs none."
            ),
        ),
        (
            ["net.safetensors", "--set", "training.epochs=3"],
            (
                "net.safetensors is trained already: --set changes an experiment. Name what it was "
                "trained on, or leave --set out."
            ),
        ),
    ],
)
def test_what_cannot_be_drawn_is_said(chainrule, folder, words, message):
    cr.save(nn.Sequential(nn.Linear(2, 1)), "net.safetensors")
    done = chainrule("diagram", *words)
    assert (done.status, done.err) == (2, f"chainrule: {message}\n")


def test_a_name_that_is_not_there_is_named_with_the_nearest(chainrule):
    done = chainrule("diagram", "iriss")
    assert done.status == 2
    assert 'Did you mean "iris"?' in done.err
