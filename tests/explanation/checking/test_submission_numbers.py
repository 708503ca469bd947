"""Numbers as people write them, and how exactly they stand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.explanation.checking.numerals import read_numerals


@pytest.mark.parametrize(
    ("written", "number", "unit"),
    [
        ("0.120", 0.12, 1e-3),
        ("0.12", 0.12, 1e-2),
        ("-0.12", -0.12, 1e-2),
        ("−0.12", -0.12, 1e-2),
        ("+.5", 0.5, 0.1),
        ("5.", 5.0, 0.1),
        ("0,25", 0.25, 1e-2),
        ("1.20e-3", 0.0012, 1e-5),
        ("1.2E+2", 120.0, 10.0),
        ("-2·10⁻³", -0.002, 1e-3),
        ("1.5*10^-3", 0.0015, 1e-4),
        ("1.5 × 10^(-3)", 0.0015, 1e-4),
        ("12.5 %", 0.125, 1e-3),
        ("1/3", 1 / 3, 0.0),
        ("-2 / 7", -2 / 7, 0.0),
        ("≈ 0.31", 0.31, 1e-2),
        ("0.33…", 0.33, 2e-2),
        ("0.00", 0.0, 1e-2),
        ("0", 0.0, 1e-3),
        ("12345", 12345.0, 1.0),
    ],
)
def test_text_is_read_with_its_digits(written, number, unit):
    read = read_numerals(written)
    assert read.numbers == pytest.approx(number, rel=1e-15)
    assert read.units() == pytest.approx(unit, rel=1e-12)
    assert not read.problems


@pytest.mark.parametrize("written", ["", " ", "?", "-", "–", "—", "nan", "NA", "None", "..."])
def test_no_number_is_missing(written):
    read = read_numerals([written, "0.5", None])
    assert math.isnan(read.numbers[0])
    assert math.isnan(read.numbers[2])
    assert not read.problems


@pytest.mark.parametrize("written", ["abc", "1,234.5", "1/0", "0.1.2", "1e99999", "--1", "0x1f"])
def test_what_is_no_number_is_said(written):
    read = read_numerals([written, "0.5"])
    assert math.isnan(read.numbers[0])
    assert read.problems == (f'"{written}" is no number',)


def test_decimal_commas_and_percents_are_noted():
    read = read_numerals(["0,25", "3 %", "0,5"])
    assert read.notes == (
        "decimal commas were read as points, 0,25 as 0.25",
        "percents were read as hundredths, 5 % as 0.05",
    )


@pytest.mark.parametrize("given", [10**400, object, {}, {1.0}, [10**400], [[object]]])
def test_what_is_no_number_at_all_is_said(given):
    assert len(read_numerals(given).problems) == 1


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"^it has rows of different lengths: 1 and 2$"):
        read_numerals([[1.0, 2.0], [3.0]])
    with pytest.raises(ValueError, match=r"^it has rows of numbers beside single numbers$"):
        read_numerals([[1.0, 2.0], 3.0])
    with pytest.raises(ValueError, match=r"^it holds complex128, which are no real numbers$"):
        read_numerals(np.array([1j]))


def test_floats_that_were_multiplied_keep_their_few_digits():
    three_tenths = 0.1 * 3  # 0.30000000000000004
    np.testing.assert_allclose(read_numerals([three_tenths, 0.25]).units(), [0.01, 0.01])


def test_float32_has_the_digits_that_were_typed():
    np.testing.assert_allclose(read_numerals(np.float32([0.123, 0.5])).units(), 1e-3)


def test_float32_just_below_a_power_of_ten_is_that_power():
    read = read_numerals(np.float32([1e-4, 0.002]))
    np.testing.assert_array_equal(read.decimals, [4, 3])
    np.testing.assert_allclose(read.units(), 1e-4)


def test_half_precision_stands_for_no_more_than_it_holds():
    assert read_numerals(np.float16([0.1234])).units()[0] > 1e-4


def test_a_zero_among_numbers_has_their_decimals():
    np.testing.assert_allclose(read_numerals([0.1234, 0.0]).units(), 1e-4)
    np.testing.assert_allclose(read_numerals([0.0, 0.0]).units(), 1e-3)
    np.testing.assert_allclose(read_numerals([0.0]).units(decimals_elsewhere=2), 1e-2)


def test_masked_numbers_and_tensors_are_read(torch):
    masked = read_numerals(np.ma.masked_array([1.5, 2.5], [False, True]))
    np.testing.assert_array_equal(masked.numbers, [1.5, np.nan])
    tensor = torch.tensor([0.5, 0.25], requires_grad=True)
    np.testing.assert_array_equal(read_numerals(tensor).numbers, [0.5, 0.25])
    np.testing.assert_array_equal(read_numerals([tensor, tensor]).numbers, [[0.5, 0.25]] * 2)


NUMBERS = st.lists(
    st.floats(-1e3, 1e3).filter(lambda x: x == 0 or abs(x) > 1e-12), min_size=1, max_size=8
)


@given(NUMBERS, st.integers(2, 9))
def test_the_unit_covers_rounding_to_significant_digits(numbers, digits):
    rounded = [float(f"{number:.{digits}g}") for number in numbers]
    units = read_numerals(rounded).units()
    assert (np.abs(np.array(rounded) - numbers) <= 0.5 * units * (1 + 1e-9)).all()


@given(NUMBERS, st.integers(3, 9))
def test_the_unit_covers_rounding_to_decimals(numbers, decimals):
    rounded = [round(number, decimals) for number in numbers]
    units = read_numerals(rounded).units(decimals_elsewhere=decimals)
    # Where all decimals are 0 by chance, one decimal is assumed: that is coarser, never finer.
    assert (np.abs(np.array(rounded) - numbers) <= 0.5 * units * (1 + 1e-9)).all()


@given(NUMBERS, st.integers(2, 9))
def test_the_unit_of_text_covers_rounding(numbers, decimals):
    written = [f"{number:.{decimals}f}" for number in numbers]
    read = read_numerals(written)
    assert (np.abs(read.numbers - numbers) <= 0.5 * read.units(decimals) * (1 + 1e-9)).all()


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_missing_or_told(text):
    read = read_numerals(text)
    assert read.numbers.shape == ()
    assert len(read.problems) <= 1
