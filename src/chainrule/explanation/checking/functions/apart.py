"""Calling a learner's function where it can do no harm: in a process of its own, for a time."""

from __future__ import annotations

import contextlib
import copy
import io
import multiprocessing
import pathlib
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from chainrule.explanation.trace import Array

Path = tuple[str | int, ...]
"""Where an array is in what a function returned: keys and positions."""

_DEEPEST = 4  # a list of dicts of lists of tuples is what people write at the most
_LONGEST = 300  # characters of an error, and of a line that was printed
_ROOM = 4 << 30  # bytes that a function may take: more than any of the networks needs


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of one call.

    Parameters
    ----------
    arrays : mapping of path to array
        What was returned, taken apart.
    trouble : str
        Why nothing was: what was raised and in which line, or that there was no end.
    printed : str
        What the function printed.
    mutated : tuple of str
        The arguments that it wrote into.
    is_last : bool
        Whether the process is gone, so that no other call can be made.
    """

    arrays: Mapping[Path, Array]
    trouble: str = ""
    printed: str = ""
    mutated: tuple[str, ...] = ()
    is_last: bool = False


def calls_apart(
    function: Callable[..., Any], calls: Sequence[Mapping[str, Any]], seconds: float
) -> Iterator[Outcome]:
    """Call a function once for each set of arguments; stop at a call that has no end.

    Parameters
    ----------
    function : callable
    calls : sequence of mapping of str to object
        Arguments by name, in their order.
    seconds : float
        For one call.

    Notes
    -----
    The process is a copy of this one, where the system makes copies: a function that is written in
    a notebook is known there. Where it makes none (Windows), the function is called in this
    process, and one that does not end is not stopped.
    """
    if not is_apart():
        yield from (_called(function, call) for call in calls)
        return
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(sending, function, calls), daemon=True)
    with warnings.catch_warnings():  # of threads that the copy does not have: it needs none
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    sending.close()
    try:
        for _ in calls:
            if not receiving.poll(seconds):
                yield Outcome({}, f"did not come to an end within {seconds:g} s", is_last=True)
                return
            try:
                yield receiving.recv()
            except EOFError:
                process.join()
                yield Outcome({}, f"ended the whole process, with {process.exitcode}", is_last=True)
                return
    finally:
        process.kill()
        process.join()
        receiving.close()


def is_apart() -> bool:
    """Whether functions are called in a process of their own here."""
    return "fork" in multiprocessing.get_all_start_methods()


def _serve(sending: Any, function: Callable[..., Any], calls: Sequence[Mapping[str, Any]]) -> None:
    _bound_memory()
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C is told once, by the process that waits
        for call in calls:
            sending.send(_called(function, call))
    sending.close()


def _bound_memory() -> None:
    """Have allocations without end fail in this process, before they take the machine's memory."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        size = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        bound = size + _ROOM if most == resource.RLIM_INFINITY else min(size + _ROOM, most)
        resource.setrlimit(resource.RLIMIT_AS, (bound, most))


def _called(function: Callable[..., Any], call: Mapping[str, Any]) -> Outcome:
    given, printed = copy.deepcopy(dict(call)), io.StringIO()
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        try:
            arrays = arrays_of(function(*given.values()))
        except (Exception, SystemExit) as error:
            return Outcome({}, _told(error), _first_line(printed))
    changed = tuple(name for name in call if not _same(call[name], given[name]))
    return Outcome(arrays, "", _first_line(printed), changed)


def _first_line(printed: io.StringIO) -> str:
    """What was printed first."""
    lines = printed.getvalue().strip().splitlines()
    return _shortened(lines[0]) if lines else ""


def _told(error: BaseException) -> str:
    """What was raised, and the innermost line that is the learner's."""
    frames = traceback.extract_tb(error.__traceback__)
    others = ("site-packages", __file__)
    own = [frame for frame in frames if not any(part in frame.filename for part in others)]
    where = f", in line {own[-1].lineno} ({own[-1].line})" if own else ""
    said = _shortened(str(error))
    return f"raised {type(error).__name__}{': ' if said else ''}{said}{where}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def arrays_of(returned: Any) -> dict[Path, Array]:
    """The arrays of numbers in nested tuples, lists and dicts, by where they are."""
    found: dict[Path, Array] = {}
    _collect(returned, (), found)
    return found


def _collect(value: Any, path: Path, found: dict[Path, Array]) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _collect(inner, (*path, key if isinstance(key, int) else str(key)), found)
        return
    if isinstance(value, list | tuple) and not _is_numbers(value) and len(path) < _DEEPEST:
        for i, inner in enumerate(value):
            _collect(inner, (*path, i), found)
        return
    with contextlib.suppress(TypeError, ValueError):
        array = np.asarray(value)
        # float16 and float32 stay what they are: they say how exact a number can be.
        array = array if array.dtype in (np.float16, np.float32) else array.astype(np.float64)
        if value is not None:
            found[path] = array


def _is_numbers(value: Sequence[Any]) -> bool:
    """Whether a list is a vector or a matrix, written as Python's numbers."""
    if all(isinstance(item, Real) for item in value):
        return bool(value)
    rows = all(isinstance(item, list) and _is_numbers(item) for item in value)
    return rows and len({len(item) for item in value}) == 1 and not isinstance(value, tuple)


def _same(before: Any, after: Any) -> bool:
    first, second = arrays_of(before), arrays_of(after)
    return first.keys() == second.keys() and all(
        np.array_equal(first[path], second[path], equal_nan=True) for path in first
    )
