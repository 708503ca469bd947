"""Run the examples of a docstring, and watch what is called: a page shows that very call."""

from __future__ import annotations

import doctest
import importlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from chainrule.eager import Tensor
from chainrule.nn.mode import TrainingMode, training_mode
from docs.reference.docstrings import docstring_of


@dataclass(frozen=True)
class Call:
    """A method that an example called.

    Parameters
    ----------
    made : object
        The instance.
    arguments : tuple
    options : dict
    mode : TrainingMode or None
        What random layers drew from; None when evaluating.
    """

    made: Any
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    mode: TrainingMode | None


def example_calls(cls: type, method: str) -> tuple[Call, ...]:
    """Each call of `method` on an instance of `cls` itself, in the examples of its docstring.

    Calls with symbols of a trace are left out: they stand for no number when the example is over.
    """
    calls = _example_calls(cls, method)
    return tuple(call for call in calls if not any(map(_is_symbol, call.arguments)))


def traced_calls(cls: type, method: str) -> tuple[Call, ...]:
    """The calls that were part of a trace."""
    return _example_calls(cls, method)


# Apart from it because mypy takes the hash of a class for its instances'.
@cache
def _example_calls(cls: Any, method: str) -> tuple[Call, ...]:
    found: list[Call] = []
    module = importlib.import_module(cls.__module__)
    statements = list(docstring_of(cls).calls)
    test = doctest.DocTest(statements, dict(vars(module)), cls.__name__, None, 0, None)
    report: list[str] = []
    with _watched(cls, method, found):
        # What it prints is compared by tests/docs/test_docstrings.py.
        runner = doctest.DocTestRunner(verbose=False, checker=_AnyOutput())
        runner.run(test, out=report.append)
    if report:
        raise ValueError("".join(report))
    return tuple(found)


def _is_symbol(argument: Any) -> bool:
    """Whether it is a value of a trace."""
    return isinstance(argument, Tensor) and argument.trace is not None


class _AnyOutput(doctest.OutputChecker):
    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return True


@contextmanager
def _watched(cls: type, method: str, found: list[Call]) -> Iterator[None]:
    original = getattr(cls, method)

    def watched(self: Any, *arguments: Any, **options: Any) -> Any:
        if type(self) is cls:
            found.append(Call(self, arguments, options, training_mode()))
        return original(self, *arguments, **options)

    with ExitStack() as undo:
        if method in vars(cls):
            undo.callback(setattr, cls, method, original)
        else:
            undo.callback(delattr, cls, method)
        setattr(cls, method, watched)
        yield
