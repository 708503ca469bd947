"""What modules and losses have in common: they know what they were made with."""

from __future__ import annotations

import inspect
from reprlib import recursive_repr
from typing import Any, Self


class _Signature:
    """What `help` shows: a class takes what `__init__` does, an object what `forward` does.

    Without this they would show the parameters of `__new__` and `__call__`, which take anything.
    """

    def __get__(self, made: Any, owner: type[Any]) -> inspect.Signature:
        if made is not None:
            return inspect.signature(made.forward)
        signature = inspect.signature(owner.__init__)
        parameters = list(signature.parameters.values())[1:]
        return signature.replace(parameters=parameters, return_annotation=signature.empty)


class Configured:
    """Something that remembers the arguments it was made with, for `repr` and for files."""

    __signature__ = _Signature()

    # Beside the instance's dictionary, which holds what the user assigned and nothing else.
    __slots__ = ("__dict__", "__weakref__", "_arguments")

    _arguments: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        made = super().__new__(cls)
        try:
            bound = inspect.signature(cls.__init__).bind(made, *args, **kwargs)
        except TypeError:
            # copy.deepcopy makes an empty object before it fills it. Wrong arguments are Python's
            # to refuse, at the user's line, when it calls __init__.
            made._arguments = {}
            if cls.__init__ is Configured.__init__ and (args or kwargs):
                raise TypeError(f"{cls.__name__}() takes no arguments") from None
        else:
            made._arguments = dict(list(bound.arguments.items())[1:])  # without self
        return made

    # A subclass with arguments need not call this, and may. No docstring: help() would show it for
    # every __init__ below.
    def __init__(self) -> None:
        pass

    def configuration(self, *, now: bool = True) -> dict[str, Any]:
        """The arguments it was made with, by name.

        Parameters
        ----------
        now : bool
            Show those that are attributes as they are now; otherwise as they were given.
        """
        given = dict(self._arguments)
        if not now:
            return given
        attributes = vars(self)
        # A part that could be left out, and was taken away since: `linear.bias = None`.
        for parameter in inspect.signature(type(self).__init__).parameters.values():
            if parameter.default is True and attributes.get(parameter.name, True) is None:
                given.setdefault(parameter.name, True)
        return {name: _as_given(attributes.get(name, g), g) for name, g in given.items()}

    @recursive_repr()
    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.configuration().items())
        return f"{type(self).__name__}({shown})"


def _as_given(now: Any, given: Any) -> Any:
    """An attribute as the argument that it was made from would say it."""
    if isinstance(given, bool) and not isinstance(now, bool):
        return now is not None  # bias=False says that there is no parameter of that name
    return now if _is_plain(now) else given


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)
