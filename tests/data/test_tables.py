"""Tables become data sets by rules told in advance; what is wrong is named with its line."""

import csv
import sys
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.base.errors import (
    ChainruleError,
    ConfigurationError,
    DataError,
    DataNotFoundError,
    FileFormatError,
    MissingExtraError,
    NameNotFoundError,
    NonFiniteError,
    TargetError,
)
from chainrule.data import Dataset, TableEncoding, load, read_encoded, read_features, read_table
from chainrule.data.encoding import Column

FLOWERS = """\
length,colour,species
1.5,red,setosa
2,blue,virginica
-3e2,red,setosa
"""


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    return written(tmp_path, FLOWERS)


def written(folder: Path, text: str | bytes, name: str = "flowers.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_numbers_are_one_input_and_texts_one_each(flowers: Path) -> None:
    data = read_table(flowers, "species")
    assert data.feature_names == ("length", "colour=blue", "colour=red")
    assert data.x.tolist() == [[1.5, 0, 1], [2, 1, 0], [-300, 0, 1]]
    assert data.y.tolist() == [0, 1, 0]
    assert data.class_names == ("setosa", "virginica")
    assert data.x.dtype == np.float64
    assert data.y.dtype == np.int64
    assert (data.name, data.source) == ("flowers", str(flowers))
    assert data.description == 'The class "species" from 2 columns'


def test_features_are_used_in_the_order_listed(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b,c\n1,2,x\n3,4,y\n")
    data = read_table(path, "c", ["b", "a"])
    assert data.feature_names == ("b", "a")
    assert data.x.tolist() == [[2, 1], [4, 3]]


def test_numbers_to_predict_are_one_column(tmp_path: Path) -> None:
    data = read_table(written(tmp_path, "a,price\n1,2.5\n2,3\n"), "price")
    assert data.task == "regression"
    assert data.y.tolist() == [[2.5], [3.0]]
    assert data.class_names == ()


def test_a_few_whole_numbers_are_classes(tmp_path: Path) -> None:
    rows = "".join(f"{i},{(10, 9, -1)[i % 3]}\n" for i in range(6))
    path = written(tmp_path, f"a,digit\n{rows}")
    data = read_table(path, "digit")
    assert data.class_names == ("-1", "9", "10")
    assert data.y.tolist() == [2, 1, 0, 2, 1, 0]
    assert read_table(path, "digit", task="regression").y[:3].tolist() == [[10], [9], [-1]]


def test_many_whole_numbers_are_values(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i % 21}\n" for i in range(100))
    assert read_table(written(tmp_path, f"a,b\n{rows}"), "b").task == "regression"
    assert read_table(written(tmp_path, "a,b\n1,1\n2,2\n3,3\n"), "b").task == "regression"


def test_any_column_can_be_classes(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\n1,2.5\n2,10\n3,x\n")
    assert read_table(path, "b", task="classification").class_names == ("10", "2.5", "x")
    path = written(tmp_path, "a,b\n1,10\n2,2.5\n")
    assert read_table(path, "b", task="classification").class_names == ("2.5", "10")


def test_numbers_can_be_meant_as_names(tmp_path: Path) -> None:
    path = written(tmp_path, "postcode,rent\n8001,2.5\nNA,3.5\n8001,2.0\n")
    data = read_table(path, "rent", categorical=["postcode"])
    assert data.feature_names == ("postcode=8001", "postcode=NA")
    assert data.x.tolist() == [[1, 0], [0, 1], [1, 0]]


def test_dialects_of_csv_are_understood(tmp_path: Path) -> None:
    expected = read_table(written(tmp_path, "a,b\n1,x y\n2,z\n"), "b")
    for number, (text, suffix, separator) in enumerate(
        [
            ("\ufeffa,b\n1,x y\n2,z\n", "csv", None),
            ("a,b\r\n1,x y\r\n2,z\r\n", "csv", None),
            (" a , b\n1,x y\n2,z", "csv", None),
            ('a,b\n1,"x y"\n\n2, z \n\n,\n', "csv", None),
            ("a\tb\n1\tx y\n2\tz\n", "tsv", None),
            ("a;b\n1;x y\n2;z\n", "csv", ";"),
        ]
    ):
        path = written(tmp_path, text, f"{number}.{suffix}")
        data = read_table(path, "b", separator=separator)
        assert data.feature_names == expected.feature_names
        assert data.class_names == expected.class_names
        np.testing.assert_array_equal(data.x, expected.x)
        np.testing.assert_array_equal(data.y, expected.y)


@given(
    rows=st.lists(
        st.tuples(
            st.floats(allow_nan=False, allow_infinity=False),
            st.sampled_from(["red", "green", "light, blue", 'the "best"', "two\nlines", "λ"]),
            st.sampled_from(["yes", "no"]),
        ),
        min_size=2,
        max_size=30,
    ).filter(lambda rows: len({row[2] for row in rows}) == 2)
)
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("number", "colour", "answer"), *rows])
    data = read_table(path, "answer")
    assert data.x[:, 0].tolist() == [row[0] for row in rows]
    colours = [name.removeprefix("colour=") for name in data.feature_names[1:]]
    assert [colours[i] for i in data.x[:, 1:].argmax(axis=1)] == [row[1] for row in rows]
    assert (data.x[:, 1:].sum(axis=1) == 1).all()
    assert [data.class_names[i] for i in data.y] == [row[2] for row in rows]


def encoded(data: Dataset) -> TableEncoding:
    assert data.encoding is not None
    return data.encoding


def test_another_table_is_read_with_the_same_columns(flowers: Path, tmp_path: Path) -> None:
    encoding = encoded(read_table(flowers, "species"))
    other = written(tmp_path, "species,id,colour,length\nvirginica,7,red,4\n", "new.csv")
    data = read_encoded(other, encoding)
    assert data.x.tolist() == [[4, 0, 1]]
    assert data.y.tolist() == [1]
    assert data.class_names == ("setosa", "virginica")
    unlabelled = written(tmp_path, "colour,length\nblue,4\n", "unlabelled.csv")
    assert read_features(unlabelled, encoding).tolist() == [[4, 1, 0]]


def test_an_encoding_survives_as_json(flowers: Path) -> None:
    encoding = encoded(read_table(flowers, "species"))
    assert encoding == TableEncoding(
        (Column("length"), Column("colour", ("blue", "red"))),
        Column("species", ("setosa", "virginica")),
    )
    assert TableEncoding.from_json(encoding.to_json()) == encoding
    assert TableEncoding.from_json(encoding.to_json().decode()) == encoding


@pytest.mark.parametrize("text", [b"", b"[]", b'{"features": 1}', b"\xff", b'{"features": []}'])
def test_a_malformed_encoding_is_one_clear_line(text: bytes) -> None:
    with pytest.raises(FileFormatError) as caught:
        TableEncoding.from_json(text, where="runs/1/encoding.json")
    assert str(caught.value).startswith("runs/1/encoding.json is malformed: ")
    assert "\n" not in str(caught.value)


def test_an_unknown_text_is_located(flowers: Path, tmp_path: Path) -> None:
    encoding = encoded(read_table(flowers, "species"))
    new = written(tmp_path, "length,colour,species\n1,red,setosa\n2,mauve,setosa\n", "new.csv")
    with pytest.raises(DataError) as caught:
        read_encoded(new, encoding)
    assert str(caught.value) == (
        f'{new}: "colour" holds "mauve" in line 3, which was not there in training. '
        "There were: blue, red."
    )


def test_a_missing_column_suggests_the_nearest(flowers: Path, tmp_path: Path) -> None:
    encoding = encoded(read_table(flowers, "species"))
    new = written(tmp_path, "lenght,colour\n1,red\n", "new.csv")
    with pytest.raises(NameNotFoundError) as caught:
        read_features(new, encoding)
    assert str(caught.value) == (
        f'No column is named "length". File {new}. Did you mean "lenght"? '
        "There are: lenght, colour."
    )


def test_an_unknown_target_suggests_the_nearest(flowers: Path) -> None:
    with pytest.raises(NameNotFoundError) as caught:
        read_table(flowers, "specis")
    assert str(caught.value) == (
        f'No column is named "specis". File {flowers}. Did you mean "species"? '
        "There are: length, colour, species."
    )


def test_unknown_features_suggest_the_nearest(flowers: Path) -> None:
    with pytest.raises(NameNotFoundError, match=r'^No column is named "color"\. .*"colour"\?'):
        read_table(flowers, "species", ["color"])
    with pytest.raises(NameNotFoundError, match=r'^No feature is named "color"\. .*"colour"\?'):
        read_table(flowers, "species", categorical=["color"])


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (["species"], 'The target "species" is among the features.'),
        (["length", "length"], 'The feature "length" is listed twice.'),
    ],
)
def test_a_contradictory_list_of_features_is_refused(
    flowers: Path, features: list[str], message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_table(flowers, "species", features)
    assert str(caught.value) == message


def test_there_are_two_tasks(flowers: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_table(flowers, "species", task="clustering")  # type: ignore[arg-type]
    assert str(caught.value) == ('A task is "classification" or "regression", not \'clustering\'.')


FILL_IN = "Fill it in or remove the row: chainrule does not guess values."
CORRECT = "Correct it, or, if these are names, give read_table categorical=['a']."
REMOVE = "Correct or remove that row: it would spread to every weight."
QUOTES = "A text that contains the separator must stand in double quotes."

MALFORMED: dict[str, tuple[str | bytes, type[ChainruleError], str]] = {
    "empty file": (b"", DataError, "{} starts with nothing: its first line must name the columns."),
    "empty first line": (
        "\na,b\n",
        DataError,
        "{} starts with nothing: its first line must name the columns.",
    ),
    "no rows": ("a,b\n", DataError, "{} has a header and no rows."),
    "blank rows": ("a,b\n,\n\n", DataError, "{} has a header and no rows."),
    "no features": ("b\n1\n", DataError, '{} has no column but the target "b".'),
    "empty cell": ("a,b\n1,x\n,y\n", DataError, '{}: "a" is empty in line 3. ' + FILL_IN),
    "empty cells": (
        'a,b\n"1\n",x\n,y\n,z\n',
        DataError,
        '{}: "a" is empty in line 4, and in 1 more rows. ' + FILL_IN,
    ),
    "missing mark": (
        "a,b\n1,x\n NA ,y\n",
        DataError,
        '{}: "a" holds "NA", a missing value, in line 3. ' + FILL_IN,
    ),
    "missing target": (
        "a,b\n1,x\n2,?\n",
        DataError,
        '{}: "b" holds "?", a missing value, in line 3. ' + FILL_IN,
    ),
    "short row": (
        "a,b\n1,x\n2\n",
        DataError,
        "{}: line 3 has 1 cell, and the header names 2. " + QUOTES,
    ),
    "long row": (
        "a,b\n1,x\n\n2,y,3\n",
        DataError,
        "{}: line 4 has 3 cells, and the header names 2. " + QUOTES,
    ),
    "decimal comma": (
        'a,b\n1.5,x\n"1,5",y\n',
        DataError,
        "{}: \"a\" holds '1,5' in line 3, which is no number. " + CORRECT,
    ),
    "NaN": ("a,b\n1,x\nNaN,y\n", NonFiniteError, '{}: "a" holds NaN in line 3. ' + REMOVE),
    "infinity": ("a,b\n1,x\n-inf,y\n", NonFiniteError, '{}: "a" holds -inf in line 3. ' + REMOVE),
    "overflow": ("a,b\n1,x\n1e999,y\n", NonFiniteError, '{}: "a" holds 1e999 in line 3. ' + REMOVE),
    "NaN target": ("a,b\n1,1.5\n2,nan\n", NonFiniteError, '{}: "b" holds nan in line 3. ' + REMOVE),
    "text among targets": (
        "a,b\n1,1.5\n2,high\n",
        DataError,
        (
            "{}: \"b\" holds 'high' in line 3, which is no number. "
            'Correct it, or, if these are classes, give read_table task="classification".'
        ),
    ),
    "one class": (
        "a,b\n1,x\n2,x\n",
        TargetError,
        '{}: every row has the target "x", so there is nothing to learn.',
    ),
    "a name twice": (
        "a,b,a\n1,x,2\n",
        DataError,
        '{} has two columns named "a". Give each column a name of its own.',
    ),
    "no name twice": (
        ",,b\n1,x,2\n",
        DataError,
        "{} has two columns without a name. Give each column a name of its own.",
    ),
    "no name": (
        ",a,b\n0,1,x\n",
        DataError,
        "{}: column 1 has no name. Name it, or list the columns to use: features=[…].",
    ),
    "another separator": (
        "a;b\n1;x\n",
        DataError,
        "{} has one column, 'a;b'. If that is several, pass separator=';'.",
    ),
    "an open quote": (
        'a,b\n"1,x\n2,y\n',
        DataError,
        "{}: line 2 has 1 cell, and the header names 2. " + QUOTES,
    ),
    "not UTF-8": (
        b"a,b\n1,caf\xe9\n",
        FileFormatError,
        "{} is not UTF-8 text. If it is a table, save it as CSV in UTF-8.",
    ),
    "a picture": (
        b"\x89PNG\r\n\x1a\n\x00\x00",
        FileFormatError,
        "{} is not UTF-8 text. If it is a table, save it as CSV in UTF-8.",
    ),
    "names of persons": (
        "a,b\n" + "".join(f"name{i},{i % 2}\n" for i in range(50)),
        DataError,
        (
            '{}: "a" holds 50 different texts in 50 rows, and each would become an input. '
            "List the columns to use without it: features=[…]."
        ),
    ),
}


@pytest.mark.parametrize(("text", "kind", "message"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_table_is_one_clear_line(
    tmp_path: Path, text: str | bytes, kind: type[ChainruleError], message: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(kind) as caught:
        read_table(path, "b")
    assert str(caught.value) == message.format(path)


def test_an_unnamed_column_is_no_fault_if_it_is_not_used(tmp_path: Path) -> None:
    path = written(tmp_path, ",a,b\n0,1,x\n1,2,y\n")
    assert read_table(path, "b", ["a"]).x.tolist() == [[1], [2]]


def test_a_file_that_is_not_there_suggests_its_neighbour(flowers: Path) -> None:
    with pytest.raises(DataNotFoundError) as caught:
        read_table(flowers.with_name("flower.csv"), "species")
    assert str(caught.value) == (
        f'There is no file {flowers.with_name("flower.csv")}. Did you mean "flowers.csv"?'
    )


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError) as caught:
        read_table(tmp_path, "b")
    assert str(caught.value) == f"{tmp_path} is a folder, not a table."


def test_without_polars_the_extra_is_named(flowers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingExtraError) as caught:
        read_table(flowers, "species")
    assert str(caught.value) == (
        "Tables are read by polars, which is not installed. "
        'Install it with: pip install "chainrule[tables]".'
    )


def test_the_bundled_flowers_are_a_table_like_any_other() -> None:
    with as_file(files("chainrule.data") / "files" / "iris.csv") as path:
        table, iris = read_table(path, "species"), load("iris")
    np.testing.assert_array_equal(table.x, iris.x)
    np.testing.assert_array_equal(table.y, iris.y)
    assert table.class_names == iris.class_names
    assert table.feature_names == iris.feature_names


def test_a_file_name_is_no_pattern(tmp_path: Path) -> None:
    path = written(tmp_path, FLOWERS, "flowers[1]*.csv")
    written(tmp_path, "a\n1\n", "flowers1.csv")
    assert len(read_table(path, "species")) == 3
