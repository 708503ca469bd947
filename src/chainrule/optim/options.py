"""Options: each declared once, as a field of a dataclass with its type, default and range.

What a constructor refuses, what a run folder stores and what `repr` shows are all read from these
fields::

    @dataclass(eq=False, repr=False)
    class StepLR(Schedule):
        step_size: Annotated[int, Whole(at_least=1)]
        gamma: NonNegative = 0.1
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Annotated, Any, ClassVar, TypeVar, get_type_hints

import numpy as np

from chainrule.base.errors import ConfigurationError, NameNotFoundError, did_you_mean
from chainrule.base.registry import Registry


class Kind(ABC):
    """What values an option may have."""

    words: tuple[str, ...] = ()
    """The words to choose from, where there are any: an error suggests the nearest."""

    @abstractmethod
    def read(self, value: object) -> Any:
        """Return the value as plain Python data; raise ValueError if it is not of this kind."""

    @abstractmethod
    def __str__(self) -> str:
        """Describe it after "takes lr as": ``a number ≥ 0``."""

    def check(self, owner: str, option: str, value: object) -> Any:
        """Return the value as `read` does.

        Raises
        ------
        ConfigurationError
            Naming owner, option and range, if the value is not of this kind.
        """
        try:
            return self.read(value)
        except (ValueError, OverflowError):
            raise ConfigurationError(
                f"{owner} takes {option} as {self}; got {value!r}",
                advice=did_you_mean(value, self.words),
            ) from None


@dataclass(frozen=True)
class Number(Kind):
    """A finite number between bounds, which `open_low` and `open_high` exclude."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def read(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise ValueError
        number = float(value)
        above = self.low < number if self.open_low else self.low <= number
        below = number < self.high if self.open_high else number <= self.high
        if not (math.isfinite(number) and above and below):
            raise ValueError
        return number

    def __str__(self) -> str:
        if math.isfinite(self.high):
            left, right = "[("[self.open_low], "])"[self.open_high]
            return f"a number in {left}{self.low:g}, {self.high:g}{right}"
        if math.isfinite(self.low):
            return f"a number {'>' if self.open_low else '≥'} {self.low:g}"
        return "a finite number"


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number from `at_least` up."""

    at_least: int

    def read(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise ValueError
        if value < self.at_least:
            raise ValueError
        return int(value)

    def __str__(self) -> str:
        return f"a whole number ≥ {self.at_least}"


@dataclass(frozen=True)
class Switch(Kind):
    """True or False."""

    def read(self, value: object) -> bool:
        if not isinstance(value, bool | np.bool):
            raise ValueError
        return bool(value)

    def __str__(self) -> str:
        return "True or False"


@dataclass(frozen=True)
class Choice(Kind):
    """One of `words`."""

    words: tuple[str, ...]

    def read(self, value: object) -> str:
        if not isinstance(value, str) or value not in self.words:
            raise ValueError
        return value

    def __str__(self) -> str:
        return " or ".join(f'"{word}"' for word in self.words)


@dataclass(frozen=True)
class Pair(Kind):
    """Two values of one kind."""

    each: Kind

    def read(self, value: object) -> tuple[Any, Any]:
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise ValueError
        return self.each.read(value[0]), self.each.read(value[1])

    def __str__(self) -> str:
        return f"a pair, each {self.each}"


@dataclass(frozen=True)
class Maybe(Kind):
    """A value of some kind, or None."""

    kind: Kind

    def read(self, value: object) -> Any:
        return None if value is None else self.kind.read(value)

    def __str__(self) -> str:
        return f"{self.kind}, or None"


Real = Annotated[float, Number()]
NonNegative = Annotated[float, Number(low=0)]
Flag = Annotated[bool, Switch()]


def kinds(cls: type) -> Mapping[str, Kind]:
    """The kinds of a class's options, by name."""
    return _kinds(cls)


def option_names(cls: type) -> tuple[str, ...]:
    """The names of a class's options, in the order of its constructor."""
    return _option_names(cls)


# The cached functions stand apart because mypy takes the hash of a class for its instances'.
@cache
def _kinds(cls: type) -> Mapping[str, Kind]:
    hints = get_type_hints(cls, include_extras=True)
    found = {name: getattr(hints[name], "__metadata__", ()) for name in option_names(cls)}
    return {name: kind for name, data in found.items() for kind in data if isinstance(kind, Kind)}


@cache
def _option_names(cls: type) -> tuple[str, ...]:
    declared = [field for field in fields(cls) if field.init]
    return tuple(field.name for field in sorted(declared, key=lambda field: bool(field.kw_only)))


@dataclass(eq=False, repr=False)
class Configured:
    """Something made from options, which stay as they are.

    Raises
    ------
    ConfigurationError
        If an option is not of its kind, or is set again later.
    """

    when_fixed: ClassVar[str] = "Make a new one"
    """What to do instead of setting an option."""

    def __post_init__(self) -> None:
        for name, kind in kinds(type(self)).items():
            self.__dict__[name] = kind.check(type(self).__name__, name, getattr(self, name))

    def __setattr__(self, name: str, value: Any) -> None:
        # What is derived from an option (a traced graph, a group's ratio) would not follow it.
        if name in self.__dict__ and name in option_names(type(self)):
            raise ConfigurationError(
                f"{type(self).__name__}'s {name} is fixed when it is made", advice=self.when_fixed
            )
        object.__setattr__(self, name, value)

    def configuration(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        return {name: _plain(getattr(self, name)) for name in option_names(type(self))}

    def __repr__(self) -> str:
        first, *others = option_names(type(self))
        defaults = {field.name: field.default for field in fields(self)}
        told = [name for name in others if getattr(self, name) != defaults[name]]
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in (first, *told))
        return f"{type(self).__name__}({shown})"


C = TypeVar("C", bound=Configured)


def build(registry: Registry[type[C]], name: str, configuration: Mapping[str, Any]) -> C:
    """Make what is registered under `name` from the arguments that `configuration` gave.

    Raises
    ------
    NameNotFoundError
        If the name or an option is unknown; the message suggests the nearest.
    ConfigurationError
        If an option that has no default is missing, or a value is not of its kind.
    """
    cls = registry.get(name)
    known = option_names(cls)
    for option in configuration:
        if option not in known:
            raise NameNotFoundError.among(f"option of {name}", option, known)
    defaults = {field.name: field.default for field in fields(cls)}
    for option in known:
        if option not in configuration and defaults[option] is MISSING:
            raise ConfigurationError(f"{name} needs {option}")
    return cls(**configuration)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value
