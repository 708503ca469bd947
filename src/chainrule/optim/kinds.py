"""What values an option may have: each kind reads a value, or says what it takes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from chainrule.base.errors import ChainruleError, ConfigurationError, did_you_mean


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
        except ChainruleError:
            raise  # about something inside the value, which it names
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
    """A whole number from `at_least` up, or up to `at_most`."""

    at_least: int
    at_most: int | None = None

    def read(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise ValueError
        if value < self.at_least or (self.at_most is not None and value > self.at_most):
            raise ValueError
        return int(value)

    def __str__(self) -> str:
        if self.at_most is not None:
            return f"a whole number from {self.at_least} to {self.at_most}"
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
class Row(Kind):
    """A fixed number of values, each of a kind of its own."""

    kinds: tuple[Kind, ...]

    def read(self, value: object) -> tuple[Any, ...]:
        if not isinstance(value, tuple | list) or len(value) != len(self.kinds):
            raise ValueError
        return tuple(kind.read(each) for kind, each in zip(self.kinds, value, strict=True))

    def __str__(self) -> str:
        several = "a pair" if len(self.kinds) == 2 else f"{len(self.kinds)} values"
        if len(set(self.kinds)) == 1:
            return f"{several}, each {self.kinds[0]}"
        return f"{several}: {', '.join(map(str, self.kinds))}"


@dataclass(frozen=True)
class Listed(Kind):
    """Any number of values of one kind, but at least `at_least`."""

    each: Kind
    at_least: int = 0

    def read(self, value: object) -> tuple[Any, ...]:
        if not isinstance(value, tuple | list) or len(value) < self.at_least:
            raise ValueError
        return tuple(map(self.each.read, value))

    def __str__(self) -> str:
        fewest = f" of at least {self.at_least}" if self.at_least else ""
        return f"a list{fewest}, each {self.each}"


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
Fraction = Annotated[float, Number(low=0, high=1, open_high=True)]
Betas = Annotated[tuple[float, float], Row((Number(low=0, high=1, open_high=True),) * 2)]
Count = Annotated[int, Whole(at_least=1)]
