"""Errors say what was expected and what came, where, and what to do."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.base import errors
from chainrule.base.errors import (
    ChainruleError,
    DataNotFoundError,
    NameNotFoundError,
    ShapeError,
    did_you_mean,
    nearest,
)

CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, ChainruleError)
]


def test_an_error_reads_as_message_place_and_advice() -> None:
    error = ShapeError(
        "Linear(in_features=12) got x of shape (32, 10): its last axis is 10",
        where='Line 41 of train.py, layer "encoder.0"',
        advice="Did you mean in_features=10?",
    )
    assert str(error) == (
        "Linear(in_features=12) got x of shape (32, 10): its last axis is 10. "
        'Line 41 of train.py, layer "encoder.0". Did you mean in_features=10?'
    )


def test_a_full_stop_is_not_doubled() -> None:
    assert str(ShapeError("Too long.", where="Row 3!")) == "Too long. Row 3!"


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_reads_alike(kind: type[ChainruleError]) -> None:
    assert str(kind("Too long", advice="Cut it")) == "Too long. Cut it."


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_survives_pickle_and_copy(kind: type[ChainruleError]) -> None:
    error = kind("Too long", where="Row 3", advice="Cut it")
    pickled = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    for twin in (pickled, copy.copy(error)):
        assert type(twin) is kind
        assert str(twin) == str(error)
        assert (twin.message, twin.where, twin.advice) == ("Too long", "Row 3", "Cut it")


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_says_in_its_docstring_what_failed(kind: type[ChainruleError]) -> None:
    assert kind.__doc__


def test_built_in_exceptions_catch_ours() -> None:
    for kind, built_in in [
        (ShapeError, ValueError),
        (errors.DTypeError, TypeError),
        (NameNotFoundError, KeyError),
        (DataNotFoundError, FileNotFoundError),
        (errors.MissingExtraError, ImportError),
        (errors.TracingError, TypeError),
        (errors.MissingKernelError, NotImplementedError),
    ]:
        assert issubclass(kind, built_in)


def test_an_unknown_name_suggests_the_nearest() -> None:
    error = NameNotFoundError.among(
        "optimizer", "Adm", ["sgd", "adam"], where="Line 3 of iris.toml"
    )
    assert str(error) == (
        'No optimizer is named "Adm". Line 3 of iris.toml. Did you mean "adam"? '
        "There are: sgd, adam."
    )


def test_an_unknown_name_far_from_all_lists_what_there_is() -> None:
    assert str(NameNotFoundError.among("loss", "zzz", ["mse"])) == (
        'No loss is named "zzz". There are: mse.'
    )
    assert str(NameNotFoundError.among("loss", "zzz", [])) == (
        'No loss is named "zzz". There are none yet.'
    )


def test_a_long_list_of_names_is_cut() -> None:
    names = [f"p{i}" for i in range(23)]
    message = str(NameNotFoundError.among("parameter", 7, names))
    assert message.startswith("No parameter is named 7. There are: p0, p1, ")
    assert message.endswith("p19 and 3 more.")


@given(st.lists(st.text(min_size=1), min_size=1))
def test_a_name_is_nearest_to_itself_up_to_case(names: list[str]) -> None:
    found = nearest(names[-1], names)
    assert found is not None
    assert found.casefold() == names[-1].casefold()


def test_nothing_is_near_a_name_that_is_no_text() -> None:
    assert nearest(3, ["3"]) is None
    assert did_you_mean(None, ["None"]) is None
