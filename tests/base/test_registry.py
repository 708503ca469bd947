"""A registry is the one list of its kind."""

from collections.abc import Callable

import pytest

from chainrule.base.errors import DuplicateNameError, NameNotFoundError
from chainrule.base.registry import Registry


@pytest.fixture
def losses() -> Registry[str]:
    registry: Registry[str] = Registry("loss")
    registry.register("quadratic", "half the squared norm")
    registry.register("mse", "mean squared error")
    return registry


def test_names_come_in_registration_order(losses: Registry[str]) -> None:
    assert list(losses) == ["quadratic", "mse"]
    assert list(losses.values()) == ["half the squared norm", "mean squared error"]
    assert dict(losses.items()) == {name: losses[name] for name in losses}
    assert len(losses) == 2
    assert "mse" in losses
    assert repr(losses) == "Registry('loss', ['quadratic', 'mse'])"


def test_a_decorator_registers_and_returns_the_function_itself() -> None:
    metrics: Registry[Callable[[int], int]] = Registry("metric")

    @metrics.register("double")
    def double(x: int) -> int:
        return 2 * x

    assert metrics.get("double") is double
    assert double(2) == 4


def test_a_name_is_registered_once(losses: Registry[str]) -> None:
    with pytest.raises(DuplicateNameError) as caught:
        losses.register("mse", "another")
    assert str(caught.value) == (
        "The loss \"mse\" is registered already, as 'mean squared error'. "
        "Choose another name: a registry never replaces what it holds."
    )
    assert losses["mse"] == "mean squared error"


def test_an_unknown_name_suggests_the_nearest(losses: Registry[str]) -> None:
    with pytest.raises(NameNotFoundError) as caught:
        losses.get("msee", where="Line 2 of iris.toml")
    assert str(caught.value) == (
        'No loss is named "msee". Line 2 of iris.toml. Did you mean "mse"? '
        "There are: quadratic, mse."
    )


def test_a_name_that_is_no_text_is_unknown(losses: Registry[str]) -> None:
    with pytest.raises(NameNotFoundError, match=r"^No loss is named \['mse'\]\."):
        losses.get(["mse"])  # type: ignore[arg-type]
