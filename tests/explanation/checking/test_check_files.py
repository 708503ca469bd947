"""Files of numbers, as people write them, and as they should not be."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import (
    ChainruleError,
    ConfigurationError,
    DataNotFoundError,
    FileFormatError,
)
from chainrule.explanation.checking.files import read_answers
from chainrule.explanation.checking.spreading import Elements


@pytest.fixture
def write(tmp_path):
    def write(content, name="mine.csv"):
        path = tmp_path / name
        if isinstance(content, str):
            content = content.encode()
        path.write_bytes(content)
        return path

    return write


ELEMENTS = {"W1": Elements({(0, 1): "0.120", (2, 0): "-3"}), "w5": "0.5"}


@pytest.mark.parametrize(
    "text",
    [
        'name,index,value\nW1,"0,1",0.120\nW1,"2,0",-3\nw5,,0.5\n',
        "name,index,value\nW1,0 1,0.120\nW1,[2 0],-3\nw5,,0.5\n",
        "name,row,column,value\nW1,0,1,0.120\nW1,2,0,-3\nw5,,,0.5\n",
        "Parameter;Index;Gradient\nW1;0,1;0.120\nW1;(2, 0);-3\n\nw5;;0.5\n",
        "value\tcol\trow\tname\n0.120\t1\t0\tW1\n-3\t0\t2\tW1\n0.5\t\t\tw5\n",
        "\ufeffname,i,k,value\r\n# a remark\r\nW1,0,1,0.120\r\nW1,2,0,-3\r\nw5,,,0.5\r\n",
    ],
)
def test_one_number_a_line(write, text):
    assert read_answers(write(text)) == ELEMENTS


@pytest.mark.parametrize(
    "text",
    [
        "W1,1,2\n,3,4\nb1,5,6\nw5,0.5\n",
        "W1\n1,2\n3,4\n\nb1\n5,6\n\nw5\n0.5\n",
        "W1,1,2\nW1,3,4\nb1,5,6\nw5,0.5\n",
        "W1:;1;2\n;3;4\nb1 =;5;6\nw5;0.5\n",
        "\n\nW1\n1\t2\n3\t4\nb1\t5\t6\nw5\t0.5",
    ],
)
def test_a_value_a_block(write, text):
    read = {name.rstrip(" "): value for name, value in read_answers(write(text)).items()}
    assert read == {"W1": [["1", "2"], ["3", "4"]], "b1": ["5", "6"], "w5": "0.5"}


@pytest.mark.parametrize(
    "text",
    ["w1,w2,b1\n0.5,?,1\n,,2\n", "\nw1;w2;b1\n0.5;?;1\n\n;;2\n", "w1\tw2\tb1\n0.5\t?\t1\n\t\t2"],
)
def test_names_stand_side_by_side_with_numbers_below(write, text):
    assert read_answers(write(text)) == {"w1": "0.5", "w2": "?", "b1": ["1", "2"]}


def test_elements_may_be_named_without_quotes(write):
    read = read_answers(write("W1[0,1],0.12\ndW1[2][0],-3\nname[0,2],5\n"))
    assert read == {"W1[0,1]": "0.12", "dW1[2][0]": "-3", "name[0,2]": "5"}


def test_names_and_values_without_an_index_are_a_list(write):
    read = read_answers(write("name,value\nb1,1\nb1,2\nw5,3\n"))
    assert read == {"b1": ["1", "2"], "w5": "3"}


def test_json_keeps_the_digits(write):
    text = '{"W1": [[0.120, null], ["1/3", NaN]], "b1": {"0": 1}, "grads": {"W2": 1e-3}}'
    assert read_answers(write(text, "mine.json")) == {
        "W1": [["0.120", None], ["1/3", "NaN"]],
        "b1": {"0": "1"},
        "grads": {"W2": "1e-3"},
    }


def test_arrays_are_read_from_npz_and_safetensors(tmp_path):
    arrays = {"W1": np.arange(6.0).reshape(3, 2), "b1": np.ones(3, np.float32)}
    np.savez(tmp_path / "mine.npz", **arrays)
    save_file(arrays, tmp_path / "mine.safetensors")
    for name in ("mine.npz", "mine.safetensors"):
        read = read_answers(tmp_path / name)
        assert read.keys() == arrays.keys()
        for key, array in arrays.items():
            np.testing.assert_array_equal(read[key], array)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("it was unpickled",))


def test_nothing_is_unpickled(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, W1=np.array([Trap()], object))
    with pytest.raises(FileFormatError, match=r'"W1" holds Python objects'):
        read_answers(path)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("", "mine.csv", "{path} is empty."),
        (" \n", "mine.csv", "{path} is empty."),
        ("", "mine.npz", "{path} is empty."),
        (
            b"PK\x03\x04junk",
            "mine.csv",
            ("{path} holds a zip archive, not text. If NumPy wrote it, name it mine.npz; a "
            "spreadsheet is to be saved as CSV."),
        ),
        (
            b"\xff\xfe\x00\x01",
            "mine.csv",
            "{path} is not UTF-8 text. Save it as CSV or JSON in UTF-8.",
        ),
        (b"a,1\0", "mine.csv", "{path} is not text: it holds bytes that are 0."),
        ("{", "mine.json", ("{path} cannot be read as JSON: Expecting property name enclosed in "
         "double quotes in line 1.")),
        ("[1, 2]", "mine.json", ('{path} holds no object. Write {{"0.weight": [[0.1, 0.2]], '
         '"0.bias": [0.3]}}.')),
        ('{"a": 1, "a": 2}', "mine.json", '{path} names "a" twice.'),
        ("[" * 100_000, "mine.json", "{path} is nested too deep to be numbers of a step."),
        ("0.1,0.2\n", "mine.csv", ("{path}: line 1 has numbers and no name. Begin a value with its "
         "name: W1,0.12,0.34.")),
        ("W1,1\nb1,2\nW1,3\n", "mine.csv", "{path}: line 3 gives W1 again."),
        ("name,value\n,3\n", "mine.csv", "{path}: line 2 names no value."),
        ("name,index,value\nW1,a,3\n", "mine.csv", ('{path}: line 2 has the index "a". An index is '
         "made of whole numbers from 0, such as 0,1.")),
        ("name,index,value\nW1,0,3\nW1,0,4\n", "mine.csv", "{path}: line 3 gives W1[0] again."),
    ],
    ids=["empty", "blank", "empty-npz", "zip", "binary", "zeros", "half-json", "list", "twice",
         "deep", "nameless", "again", "unnamed", "index", "element-again"],
)  # fmt: skip
def test_what_is_no_such_file_is_said(write, content, name, message):
    path = write(content, name)
    with pytest.raises(FileFormatError) as caught:
        read_answers(path)
    assert str(caught.value) == message.format(path=path)


def test_another_ending_or_no_file_is_said(write, tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        read_answers(write("x", "mine.xlsx"))
    assert str(caught.value) == (
        "What is checked is read from .csv, .tsv, .txt, .json, .npz or .safetensors; got mine.xlsx."
    )
    write("W1,1")
    with pytest.raises(DataNotFoundError) as caught:
        read_answers(tmp_path / "mien.csv")
    assert (
        str(caught.value) == f'There is no file {tmp_path / "mien.csv"}. Did you mean "mine.csv"?'
    )
    with pytest.raises(DataNotFoundError, match=r"is a folder, not a file of numbers\.$"):
        read_answers(tmp_path)


def test_a_file_that_is_too_large_is_not_read(write, monkeypatch):
    monkeypatch.setattr("chainrule.explanation.checking.files._LARGEST_TEXT", 8)
    with pytest.raises(FileFormatError, match=r"has 9 bytes; a file of this kind may have 8\. "):
        read_answers(write("W1,123456"))


@settings(max_examples=200)
@given(st.text('W1b,;\t\n .-0123"[]{}:#\\x', max_size=60), st.sampled_from(["csv", "json", "txt"]))
def test_no_text_raises_anything_else(tmp_path_factory, text, ending):
    path = tmp_path_factory.mktemp("any") / f"mine.{ending}"
    path.write_text(text, encoding="utf-8")
    try:
        read_answers(path)
    except ChainruleError:
        return


@given(st.binary(max_size=200), st.sampled_from(["csv", "json", "npz", "safetensors"]))
def test_no_bytes_raise_anything_else(tmp_path_factory, content, ending):
    path = tmp_path_factory.mktemp("any") / f"mine.{ending}"
    path.write_bytes(content)
    try:
        read_answers(path)
    except ChainruleError:
        return


def test_a_file_is_checked_as_what_it_holds(write):
    net = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())
    net.initialize(seed=0)
    x, y = np.array([[0.3, 0.7]]), np.array([[1.0]])
    trace = cr.explain(net, x, y, loss=nn.QuadraticLoss(), backend="numpy")
    gradient = trace.values[trace.graph.find("d_0.weight")][0]
    path = write(json.dumps({"W1": [[f"{number:.4f}" for number in gradient]]}), "mine.json")
    assert cr.check(net, x, y, loss=nn.QuadraticLoss(), mine=path).is_right
    comma = write(f"W1;{gradient[0]:.4f};{gradient[1]:.4f}\n".replace(".", ","))
    assert cr.check(net, x, y, loss=nn.QuadraticLoss(), mine=str(comma)).is_right
