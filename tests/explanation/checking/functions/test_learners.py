"""Right code is right in whatever style it is written; wrong code is named in the same styles."""

import pytest

import chainrule as cr
from tests.explanation.checking.functions import learners_mistakes, learners_styles

QUICK = ("digits_in_columns", "eleven_lines")


@pytest.mark.parametrize(
    ("function", "options"),
    [
        pytest.param(
            *each,
            id=each[0].__name__,
            marks=() if each[0].__name__ in QUICK else pytest.mark.slow,
        )
        for each in learners_styles.RIGHT
    ],
)
def test_right_code_is_right_in_its_style(function, options):
    found = cr.check_function(function, **options)
    assert found, found.text()


SOON = ("relu_in_the_wrong_place",)


@pytest.mark.parametrize(
    ("function", "options", "mistake"),
    [
        pytest.param(
            *each,
            id=each[0].__name__,
            marks=() if each[0].__name__ in SOON else pytest.mark.slow,
        )
        for each in learners_mistakes.WRONG
    ],
)
def test_wrong_code_is_named_in_its_style(function, options, mistake):
    found = cr.check_function(function, **options)
    assert not found
    if mistake:
        assert mistake in found.mistakes, found.text()
        return
    # Only what stands in front of the mistake is right: the last layer's gradients are.
    wrong = {row.entry.value for each in found.wrong for row in each.check.rows if row.wrong}
    assert wrong
    assert wrong <= {"d_0.weight", "d_0.bias"}
