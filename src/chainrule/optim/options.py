"""Options: each declared once, as a field of a dataclass with its type, default and range.

What a constructor refuses, what a run folder stores and what `repr` shows are all read from these
fields. What values there are is in `kinds.py`::

    @dataclass(eq=False, repr=False)
    class StepLR(Schedule):
        step_size: Annotated[int, Whole(at_least=1)]
        gamma: NonNegative = 0.1
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any, ClassVar, TypeVar, get_type_hints

from chainrule.base.errors import ConfigurationError, NameNotFoundError
from chainrule.base.registry import Registry
from chainrule.optim.kinds import Kind


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
        """The constructor's arguments, as JSON can hold them; what is made of such has its name.

        Raises
        ------
        ConfigurationError
            If an argument is a function.
        """
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
    if isinstance(value, Configured):
        return {"name": type(value).__name__} | value.configuration()
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if callable(value):
        raise ConfigurationError(
            f"No file can hold a function; got {value!r}",
            advice="Make it a class of its own, whose options are numbers and words",
        )
    return [_plain(each) for each in value] if isinstance(value, tuple) else value
