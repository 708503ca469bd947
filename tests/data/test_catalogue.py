"""The catalogue lists every data set, what it is and where; bundled ones are what they claim."""

from pathlib import Path

import numpy as np
import pytest

from chainrule.base.constant import is_constant
from chainrule.base.errors import DuplicateNameError, NameNotFoundError
from chainrule.data import DATASETS, Dataset, available, load
from chainrule.data.catalogue import dataset

NOTICES = Path(__file__).parents[2] / "THIRD_PARTY_NOTICES.md"
BUNDLED = [name for name, entry in DATASETS.items() if entry.kind == "bundled"]


def test_the_table_has_a_row_for_each_data_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rows = {row.name: row for row in available()}
    assert list(rows) == list(DATASETS)
    assert rows["digits"].place == "in the package"
    assert rows["xor"].place == "made on demand: n=4, noise=0.0, seed=0"
    assert rows["mnist"].place == (
        f"not found; looked in {tmp_path}/data/mnist, {tmp_path}/cache/chainrule/data/mnist"
    )
    assert {name: row.is_there for name, row in rows.items() if not row.is_there} == {
        "mnist": False
    }
    assert all(row.description and row.shape for row in rows.values())


@pytest.mark.parametrize("name", [name for name in DATASETS if name != "mnist"])
def test_a_loaded_set_has_the_name_and_shape_of_its_row(name: str) -> None:
    data = load(name)
    entry = DATASETS.get(name)
    assert data.name == name
    assert data.description == entry.description
    assert data.source
    examples, features = (word.strip(",") for word in entry.shape.split()[:3:2])
    assert examples in ("n", str(len(data)))
    assert features == str(data.x.shape[1])
    outputs = f"{len(data.class_names)} classes" if data.class_names else "1 output"
    assert entry.shape.endswith(outputs)
    assert len(data.feature_names) == data.x.shape[1]


@pytest.mark.parametrize("name", [name for name in DATASETS if name != "mnist"])
def test_what_is_loaded_stays_as_it_is_and_so_do_its_parts(name: str) -> None:
    data = load(name)
    for part in (data, *data.split(0.5), data.rows(slice(1, 3))):
        assert is_constant(part.x)
        assert is_constant(part.y)


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_data_names_its_source_and_licence(name: str) -> None:
    entry = DATASETS.get(name)
    notices = NOTICES.read_text(encoding="utf-8")
    assert entry.licence in notices
    assert entry.source.rpartition("doi ")[2] in notices


def test_digits_are_the_images_of_the_uci_repository() -> None:
    sklearn = pytest.importorskip("sklearn.datasets", reason="scikit-learn has the original")
    pixels, digits = sklearn.load_digits(return_X_y=True)
    data = load("digits")
    assert data.x.dtype == np.float32
    assert data.y.dtype == np.int64
    np.testing.assert_array_equal(data.x * 16, pixels)
    np.testing.assert_array_equal(data.y, digits)
    assert data.images().shape == (1797, 1, 8, 8)


def test_iris_has_the_numbers_of_fishers_paper() -> None:
    sklearn = pytest.importorskip("sklearn.datasets", reason="scikit-learn has the original")
    lengths, species = sklearn.load_iris(return_X_y=True)
    data = load("iris")
    np.testing.assert_array_equal(data.x, lengths)
    np.testing.assert_array_equal(data.y, species)
    assert data.class_names == ("setosa", "versicolor", "virginica")
    assert data.feature_names == ("sepal length", "sepal width", "petal length", "petal width")


def test_an_unknown_data_set_suggests_the_nearest() -> None:
    with pytest.raises(NameNotFoundError) as caught:
        load("irsi")
    assert str(caught.value) == (
        f'No data set is named "irsi". Did you mean "iris"? There are: {", ".join(DATASETS)}.'
    )


def test_a_name_is_taken_once() -> None:
    def loader() -> Dataset:
        return load("iris")

    register = dataset("iris", kind="bundled", shape="", description="")
    with pytest.raises(DuplicateNameError, match=r'^The data set "iris" is registered already'):
        register(loader)
