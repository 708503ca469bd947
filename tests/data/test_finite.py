"""NaN and infinity are found and located."""

from typing import Any

import numpy as np
import pytest

from chainrule.base.errors import DTypeError, NonFiniteError
from chainrule.data import validate_finite

ADVICE = "Remove or replace such values before training: they would spread to every weight."


def test_finite_numbers_pass() -> None:
    for array in (np.zeros((2, 3)), np.arange(3), np.array(True), np.zeros((0, 2), np.float32)):
        validate_finite(array, "x")


@pytest.mark.parametrize(
    ("value", "spelled"),
    [(np.nan, "NaN"), (np.inf, "+infinity"), (-np.inf, "-infinity")],
    ids=["nan", "inf", "-inf"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_first_bad_number_is_located_by_row_and_column(
    value: float, spelled: str, dtype: Any
) -> None:
    x = np.zeros((5, 4), dtype)
    x[2, 3] = value
    with pytest.raises(NonFiniteError) as caught:
        validate_finite(x, "x")
    assert str(caught.value) == f"x holds {spelled} in row 2, column 3. {ADVICE}"


def test_a_column_is_named_and_the_others_are_counted() -> None:
    x = np.ones((5, 2))
    x[1, 1] = x[3, 0] = np.nan
    with pytest.raises(NonFiniteError) as caught:
        validate_finite(x, "x", ("length", "width"), where="File flowers.csv")
    assert str(caught.value) == (
        'x holds NaN in row 1, column 1 ("width"), and 1 more of its 10 numbers are not finite. '
        f"File flowers.csv. {ADVICE}"
    )


def test_targets_and_images_are_located_too() -> None:
    with pytest.raises(NonFiniteError, match=r"^y holds NaN in row 1\. "):
        validate_finite(np.array([0, np.nan]), "y")
    images = np.zeros((2, 1, 3, 3))
    images[1, 0, 2, 0] = np.nan
    with pytest.raises(NonFiniteError, match=r"^x holds NaN in row 1, at \(0, 2, 0\)\. "):
        validate_finite(images, "x")
    with pytest.raises(NonFiniteError, match=r"^t holds NaN in its only place\. "):
        validate_finite(np.array(np.nan), "t")


def test_text_is_no_number() -> None:
    with pytest.raises(DTypeError) as caught:
        validate_finite(np.array(["a"], dtype=object), "x")
    assert str(caught.value) == (
        "x is object, which holds no numbers. "
        "Turn it into numbers first: np.asarray(..., dtype=np.float32)."
    )
