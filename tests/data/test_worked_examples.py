"""Worked examples: their figures are right, and the wrong ones come from the mistake they name."""

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from chainrule.base.errors import DataNotFoundError, FileFormatError, NameNotFoundError
from chainrule.data.worked import (
    Element,
    Figure,
    WorkedExample,
    read_worked_example,
    worked_example,
    worked_examples,
)
from chainrule.nn import LAYERS, LOSSES

Array = NDArray[np.float64]


def sigmoid(z: Array) -> Array:
    result: Array = 1 / (1 + np.exp(-z))
    return result


class ByHand:
    """Linear, sigmoid, linear, sigmoid on one example, in the plainest NumPy: the oracle."""

    def __init__(self, example: WorkedExample, *, outputs_first: bool = False) -> None:
        self.example = example
        self.outputs_first = outputs_first
        self.values: dict[str, Array] = example.state()
        self.x, self.t = example.x[0], example.y[0]
        self.run()

    def run(self) -> None:
        """Compute every value and gradient at the present parameters."""
        v = self.values
        v["0.out"] = v["0.weight"] @ self.x + v["0.bias"]
        v["1.out"] = sigmoid(v["0.out"])
        v["2.out"] = v["2.weight"] @ v["1.out"] + v["2.bias"]
        v["3.out"] = out = sigmoid(v["2.out"])
        difference = out - self.t
        scale = {"QuadraticLoss": 0.5, "MSELoss": 1 / len(out)}[self.example.loss]
        v["loss"] = np.array(scale * (difference @ difference))
        v["d_2.out"] = 2 * scale * difference * out * (1 - out)
        v["d_2.weight"] = np.outer(v["d_2.out"], v["1.out"])
        v["d_2.bias"] = v["d_2.out"]
        weight = v["2.weight"]
        if self.outputs_first:  # the mistake: the chain rule wants the weights of the forward pass
            weight = weight - self.example.learning_rate * v["d_2.weight"]
        hidden = v["1.out"]
        v["d_0.out"] = (weight.T @ v["d_2.out"]) * hidden * (1 - hidden)
        v["d_0.weight"] = np.outer(v["d_0.out"], self.x)
        v["d_0.bias"] = v["d_0.out"]

    def step(self) -> None:
        """Update the parameters that are not frozen, and compute again."""
        for name in self.example.parameters:
            if name not in self.example.frozen:
                gradient = self.values[f"d_{name}"]
                self.values[name] = self.values[name] - self.example.learning_rate * gradient
        self.run()


def figures(example: WorkedExample, *, mistaken: bool) -> list[Figure]:
    chosen = [figure for figure in example.figures if bool(figure.mistake) is mistaken]
    return sorted(chosen, key=lambda figure: figure.steps)


def assert_figures(example: WorkedExample, *, mistaken: bool) -> None:
    network, steps = ByHand(example, outputs_first=mistaken), 0
    for figure in figures(example, mistaken=mistaken):
        while steps < figure.steps:
            network.step()
            steps += 1
        element = Element.parse(figure.element)
        value = float(network.values[element.tensor][element.index])
        # One part in a billion of the unit, for a figure that ends in an exact 5.
        assert abs(value - figure.value) <= figure.tolerance * (1 + 1e-9), figure


@pytest.mark.parametrize("name", ["2-2-2", "2-3-1"])
def test_every_figure_is_right_to_its_last_digit(name: str) -> None:
    assert_figures(worked_example(name), mistaken=False)


def test_the_published_wrong_figures_come_from_updating_the_output_layer_first() -> None:
    example = worked_example("2-2-2")
    wrong = figures(example, mistaken=True)
    assert len(wrong) == 4
    assert {figure.mistake for figure in wrong} == {
        "the hidden deltas are computed from output weights that were already updated"
    }
    assert_figures(example, mistaken=True)


def test_the_true_and_the_published_figures_differ_in_print() -> None:
    example = worked_example("2-2-2")
    for wrong in figures(example, mistaken=True):
        (true,) = (
            figure
            for figure in figures(example, mistaken=False)
            if (figure.element, figure.steps) == (wrong.element, wrong.steps)
        )
        assert abs(true.value - wrong.value) > true.tolerance + wrong.tolerance


def test_a_tolerance_is_half_of_the_last_digit() -> None:
    for printed, tolerance in [("0.3775", 5e-5), ("3.51e-05", 5e-8), ("12", 0.5), ("1.50", 5e-3)]:
        figure = Figure(symbol="E", element="loss", printed=printed)
        assert figure.tolerance == pytest.approx(tolerance, rel=1e-12)
        assert figure.value == float(printed)


@pytest.mark.parametrize("name", worked_examples())
def test_an_example_fits_together(name: str) -> None:
    example = worked_example(name)
    assert example.name == name
    widths = [
        (layer.in_features, layer.out_features)
        for layer in example.layers
        if layer.kind == "Linear"
    ]
    assert widths[0][0] == example.x.shape[1]
    assert widths[-1][1] == example.y.shape[1]
    assert [out for _, out in widths[:-1]] == [into for into, _ in widths[1:]]
    shape = f"-{example.x.shape[1]}-{'-'.join(str(out) for _, out in widths)}"
    assert f"-{name}".endswith(shape) or name == "noisy-xor"
    assert example.loss in LOSSES
    for index, layer in enumerate(example.layers):
        assert layer.kind in LAYERS
        if example.parameters and layer.kind == "Linear":
            assert example.state()[f"{index}.weight"].shape == (
                layer.out_features,
                layer.in_features,
            )
            assert example.state()[f"{index}.bias"].shape == (layer.out_features,)


def test_the_packages_examples_are_listed() -> None:
    assert worked_examples() == ("2-2-2", "2-3-1", "noisy-xor", "xor-2-3-1", "xor-2-5-1")


def test_textbook_names_stand_for_elements() -> None:
    example = worked_example("2-2-2")
    assert example.elements("w3") == (Element("0.weight", (1, 0)),)
    assert example.elements("b1") == (Element("0.bias", (0,)), Element("0.bias", (1,)))
    assert example.elements("E") == (Element("loss"),)
    values = [0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55]
    for number, value in enumerate(values, start=1):
        (element,) = example.elements(f"w{number}")
        assert example.state()[element.tensor][element.index] == value
    with pytest.raises(NameNotFoundError) as caught:
        example.elements("w9")
    assert str(caught.value) == (
        'No number is named "w9". Worked example 2-2-2. There are: i1, i2, w1, w2, w3, w4, b1, '
        "net_h1, net_h2, h1, h2, out_h1, out_h2, w5, w6, w7, w8, b2, net_o1, net_o2 and 11 more."
    )


def test_an_element_reads_as_it_is_written() -> None:
    for text in ("0.weight[0, 1]", "loss", "d_encoder.1.out[3]"):
        assert str(Element.parse(text)) == text
    assert Element.parse("x[2,0]") == Element("x", (2, 0))
    for text in ("", "w[", "w[a]", "w[-1]", "w [0]", "w[0]]"):
        with pytest.raises(FileFormatError) as caught:
            Element.parse(text)
        assert str(caught.value) == (f'An element is written like "0.weight[0, 1]", not "{text}".')


def test_noisy_xor_has_the_labels_a_tanh_can_reach() -> None:
    example = worked_example("noisy-xor")
    assert example.layers[-1].kind == "Tanh"
    assert set(example.y.ravel().tolist()) == {-1.0, 1.0}
    assert math.floor(len(example.x) * (1 - example.validation_split)) == 3


def test_an_unknown_example_suggests_the_nearest() -> None:
    with pytest.raises(NameNotFoundError) as caught:
        worked_example("xor-2-4-1")
    assert str(caught.value) == (
        'No worked example is named "xor-2-4-1". Did you mean "xor-2-5-1"? '
        "There are: 2-2-2, 2-3-1, noisy-xor, xor-2-3-1, xor-2-5-1."
    )


MINIMAL = """
name = "m"
title = "t"
description = "d"
inputs = [[1.0, 2.0]]
targets = [[1]]
layers = [{kind = "Linear", in_features = 2, out_features = 1}]
loss = "MSELoss"
learning_rate = 0.1
frozen = ["0.bias"]
[parameters]
"0.weight" = [[1, 2]]
"0.bias" = [0]
[names]
w = ["0.weight[0, 1]"]
"""


def test_an_example_of_ones_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL, encoding="utf-8")
    example = read_worked_example(path)
    assert example.y.tolist() == [[1.0]]
    assert example.state()["0.weight"].tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("name =", "name", "Expected '=' after a key in a key/value pair (at line 2, column 6)."),
        ('title = "t"', "", "Object missing required field `title`."),
        ("title =", "titel =", "Object contains unknown field `titel`."),
        ("learning_rate = 0.1", 'learning_rate = "fast"', None),
        ("[[1.0, 2.0]]", "[[1.0, 2.0], [1.0]]", "inputs is no table of numbers."),
        ("[[1, 2]]", '[["a", 2]]', "0.weight is no table of numbers."),
        ("targets = [[1]]", "targets = [[1], [2]]", "there are 1 inputs and 2 targets."),
        ("[0, 1]", "[1, 1]", "0.weight[1, 1] is outside the shape (1, 2)."),
        ("[0, 1]", "[0]", "0.weight[0] is outside the shape (1, 2)."),
        (
            '"0.weight[0, 1]"]',
            '"0.weight[0, 1]", "0.weight[0, 0]"]',
            '"w" stands for elements with different values, or none.',
        ),
        (
            '["0.bias"]',
            '["0.bais"]',
            'No parameter is named "0.bais". Did you mean "0.bias"? There are: 0.weight, 0.bias.',
        ),
        ("[1.0, 2.0]", "[1.0, nan]", None),
    ],
)
def test_a_malformed_example_is_one_clear_line(
    tmp_path: Path, old: str, new: str, problem: str | None
) -> None:
    path = tmp_path / "mine.toml"
    assert old in MINIMAL
    path.write_text(MINIMAL.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(FileFormatError) as caught:
        read_worked_example(path)
    message = str(caught.value)
    assert message.startswith(f"{path} is no worked example: ")
    assert "\n" not in message
    if problem is not None:
        assert message == f"{path} is no worked example: {problem}"


def test_a_file_that_is_not_there_or_no_text_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    with pytest.raises(DataNotFoundError) as absent:
        read_worked_example(path)
    assert str(absent.value) == f"There is no file {path}."
    path.write_bytes(b"\xff")
    with pytest.raises(FileFormatError) as malformed:
        read_worked_example(path)
    assert str(malformed.value) == f"{path} is not UTF-8 text."
