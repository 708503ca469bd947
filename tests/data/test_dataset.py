"""A data set knows its shapes, splits without losing a row, and spells its classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.base.errors import ConfigurationError, DataError, TargetError
from chainrule.data.dataset import Dataset


def numbered(n: int, classes: int = 3) -> Dataset:
    """Rows that hold their own number, so that each can be followed."""
    rows = np.arange(n)
    return Dataset("rows", rows[:, None].astype(np.float32), rows % classes)


def rows_of(data: Dataset) -> list[int]:
    return [int(row) for row in data.x[:, 0]]


@given(n=st.integers(2, 60), fraction=st.floats(0.01, 0.99), seed=st.integers(0, 2**64 - 1))
def test_a_split_puts_each_example_into_one_part(n: int, fraction: float, seed: int) -> None:
    held_out = round(n * fraction)
    if held_out in (0, n):
        return
    data = numbered(n)
    train, test = data.split(fraction, seed)
    assert len(test) == held_out
    assert sorted(rows_of(train) + rows_of(test)) == list(range(n))
    for part in (train, test):
        np.testing.assert_array_equal(part.y, part.x[:, 0].astype(int) % 3)


@given(
    y=st.lists(st.integers(0, 3), min_size=5, max_size=60),
    fraction=st.floats(0.1, 0.9),
    seed=st.integers(0, 99),
)
def test_a_stratified_split_holds_out_the_share_of_each_class(
    y: list[int], fraction: float, seed: int
) -> None:
    data = Dataset("rows", np.arange(len(y), dtype=np.float64)[:, None], np.array(y))
    if round(len(y) * fraction) in (0, len(y)):
        return
    train, test = data.split(fraction, seed, stratified=True)
    assert sorted(rows_of(train) + rows_of(test)) == list(range(len(y)))
    assert len(test) == round(len(y) * fraction)
    for label in set(y):
        share = y.count(label) * fraction
        assert abs(int((test.y == label).sum()) - share) < 1 + 1e-9


def test_splits_are_frozen() -> None:
    train, test = numbered(10).split(0.3, seed=7)
    assert rows_of(test) == [0, 3, 1]
    assert rows_of(train) == [9, 7, 6, 8, 2, 5, 4]
    train, test = numbered(9).split(1 / 3, seed=7, stratified=True)
    assert rows_of(test) == [0, 1, 8]
    assert rows_of(train) == [3, 7, 6, 2, 5, 4]


def test_four_examples_at_a_fifth_leave_three_to_train_on() -> None:
    train, test = numbered(4).split(0.2)
    assert (len(train), len(test)) == (3, 1)


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 1.5, float("nan")])
def test_a_fraction_is_between_zero_and_one(fraction: float) -> None:
    with pytest.raises(ConfigurationError) as caught:
        numbered(4).split(fraction)
    assert str(caught.value) == (
        f"The fraction to hold out is between 0 and 1, not {fraction!r}. "
        "fraction=0.2 holds out one example in five."
    )


@pytest.mark.parametrize(("fraction", "part"), [(0.1, "held-out"), (0.9, "training")])
def test_an_empty_part_is_refused(fraction: float, part: str) -> None:
    with pytest.raises(DataError) as caught:
        numbered(4).split(fraction)
    assert str(caught.value) == (
        f"Holding out {fraction} of the 4 examples of rows leaves the {part} part empty."
    )


def test_only_classes_can_be_stratified() -> None:
    data = Dataset("curve", np.zeros((4, 1)), np.zeros((4, 1)))
    with pytest.raises(TargetError) as caught:
        data.split(0.5, stratified=True)
    assert str(caught.value) == (
        "curve is for regression: there are no classes to stratify by. Leave out stratified=True."
    )


def test_the_publishers_own_split_is_kept() -> None:
    held_back = numbered(3)
    data = Dataset("two parts", np.zeros((8, 1)), np.zeros(8, int), test=held_back)
    train, test = data.train_and_test()
    assert (len(train), train.test) == (8, None)
    assert test is held_back
    train, validation = data.split(0.25)
    assert train.test is held_back
    assert validation.test is None
    assert [len(part) for part in numbered(10).train_and_test(0.2)] == [8, 2]


def test_one_hot_has_a_one_at_the_class() -> None:
    data = Dataset(
        "d", np.zeros((3, 1), np.float32), np.array([2, 0, 1]), class_names=tuple("abcd")
    )
    rows = data.one_hot()
    assert rows.dtype == np.float32
    assert rows.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]
    assert numbered(3).one_hot(np.float64).tolist() == np.eye(3).tolist()


def test_numbers_to_predict_have_no_one_hot() -> None:
    with pytest.raises(TargetError) as caught:
        Dataset("curve", np.zeros((4, 1)), np.zeros((4, 1))).one_hot()
    assert str(caught.value) == (
        "curve is for regression: y is float64, not classes. Use y as it is."
    )


def test_images_have_channels_height_and_width() -> None:
    data = Dataset("d", np.arange(8.0).reshape(2, 4), np.zeros(2, int), image_shape=(1, 2, 2))
    assert data.images().shape == (2, 1, 2, 2)
    assert np.shares_memory(data.images(), data.x)
    with pytest.raises(DataError) as caught:
        numbered(2).images()
    assert str(caught.value) == "rows holds no images: x is (2, 1)."


def test_the_two_tasks_are_told_apart() -> None:
    assert numbered(2).task == "classification"
    assert Dataset("d", np.zeros((2, 1)), np.zeros((2, 1))).task == "regression"


def test_lengths_must_agree() -> None:
    with pytest.raises(DataError) as caught:
        Dataset("d", np.zeros((3, 1)), np.zeros(2))
    assert str(caught.value) == "d: x has 3 examples and y has 2."


def test_x_has_an_axis_of_features() -> None:
    with pytest.raises(DataError) as caught:
        Dataset("d", np.zeros(3), np.zeros(3))
    assert str(caught.value) == (
        "d: x has the shape (3,), one number for each example. "
        "Give it a second axis, of features: x[:, None]."
    )


def test_each_column_has_one_name() -> None:
    with pytest.raises(DataError) as caught:
        Dataset("d", np.zeros((3, 2)), np.zeros(3), feature_names=("a",))
    assert str(caught.value) == "d: x has 2 columns and 1 feature names."


def test_the_printed_form_is_one_line() -> None:
    data = Dataset(
        "d", np.zeros((3, 2)), np.zeros(3, int), class_names=tuple("abcde"), test=numbered(2)
    )
    assert repr(data) == (
        "<d: 3 examples, x float64[3, 2], y int64[3], 5 classes (a, b, …, e), 2 more in test>"
    )
