"""One call of a learner's function, and all that it does beside returning something."""

from __future__ import annotations

import contextlib
import copy
import faulthandler
import io
import os
import pathlib
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from chainrule.explanation.checking.functions.cases import Case
from chainrule.explanation.checking.functions.generators import (
    set_generators,
    state_of_generators,
)
from chainrule.explanation.checking.functions.reading import Path, read
from chainrule.explanation.trace import Array

_LONGEST = 300  # characters of an error, and of a line that was printed
_HEARD = 8 * _LONGEST  # bytes that are kept of what is printed
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NOT_THE_LEARNERS = ("site-packages", "dist-packages", str(pathlib.Path(__file__).parent))
_REFUSED = {
    "builtins.input": "ask for input",
    "os.fork": "start another process", "os.forkpty": "start another process",
    "os.posix_spawn": "start another process", "os.spawn": "start another process",
    "os.exec": "become another program", "os.system": "run another program",
    "subprocess.Popen": "run another program",
    "os.kill": "send a signal", "os.killpg": "send a signal",
    "os.remove": "remove {0}", "os.rmdir": "remove {0}", "os.rename": "rename {0}",
    "os.mkdir": "make the folder {0}", "os.truncate": "cut the file {0}",
    "os.link": "link {0}", "os.symlink": "link {0}",
}  # fmt: skip


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
    written : mapping of path to array
        What stands in those arguments now; a path begins with the argument's name.
    flaws : mapping of path to str
        What is wrong with an array, apart from its numbers.
    whole : frozenset of path
        Arrays of whole numbers.
    others : tuple of str
        What was returned that is no array.
    remarks : tuple of str
        What else the function does: it warns, it draws random numbers.
    drawn : int
        The state of random numbers after the call, as a hash, if it is another than before.
    """

    arrays: Mapping[Path, Array]
    trouble: str = ""
    printed: str = ""
    mutated: tuple[str, ...] = ()
    is_last: bool = False
    written: Mapping[Path, Array] = field(default_factory=dict)
    flaws: Mapping[Path, str] = field(default_factory=dict)
    whole: frozenset[Path] = frozenset()
    others: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    drawn: int = 0

    def differs(self, other: Outcome) -> bool:
        """Whether another call, with the same arguments, came out otherwise."""
        if bool(self.trouble) != bool(other.trouble):
            return True
        pairs = ((self.arrays, other.arrays), (self.written, other.written))
        return any(not _same(first, second) for first, second in pairs)


DRAWS = "It draws random numbers."
SEEDS = "It sets the seed of random numbers, for all that runs after it."


class _RefusedError(PermissionError):
    """A function wants to do what is not let happen while it is tried."""


class _Guard:
    """Refuses, in a process of its own, what would be left behind when it ends."""

    def __init__(self) -> None:
        self.is_watching = self.is_apart = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_watching:
            return
        if event == "open":
            path, _, flags = arguments
            is_file = isinstance(path, str | bytes | os.PathLike)
            if is_file and flags & _WRITING and os.fspath(path) != os.devnull:
                # A module that is imported late may be written to Python's cache, or not.
                raise _RefusedError(f"write the file {os.fspath(path)!s}")
        elif event in _REFUSED:
            raise _RefusedError(_REFUSED[event].format(*map(str, arguments)))


GUARD = _Guard()


class _Heard(io.BufferedIOBase):
    """Keeps the beginning of what is written, and how much it was."""

    def __init__(self) -> None:
        super().__init__()
        self.kept, self.size, self.lines = b"", 0, 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        written = bytes(data)
        if len(self.kept) < _HEARD:
            self.kept += written[:_HEARD]
        self.size += len(written)
        self.lines += written.count(b"\n")
        return len(written)

    def told(self) -> str:
        """What was printed first, and how much more there was."""
        lines = self.kept.decode(errors="replace").strip().splitlines()
        if not lines:
            return ""
        if self.size > 1_000_000:
            return f"{_shortened(lines[0])} (and more: {self.size / 1e6:.0f} MB in one call)"
        more = f" (and more: {self.lines} lines in one call)" if self.lines > 1 else ""
        return f"{_shortened(lines[0])}{more}"


def watched(function: Callable[..., Any], call: Mapping[str, Any]) -> Outcome:
    """Call a function with copies of its arguments, by name and in their order."""
    given, heard = copy.deepcopy(dict(call)), _Heard()
    printed = io.TextIOWrapper(
        cast(Any, heard), encoding="utf-8", errors="replace", write_through=True
    )
    drawn = state_of_generators()
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        warnings.catch_warnings(record=True) as warned,
        np.errstate(all="warn", under="ignore"),
    ):
        warnings.simplefilter("default")
        handling = np.geterr()
        GUARD.is_watching = True
        try:
            result = read(function(*given.values()))
        except BaseException as error:  # also what ends a program: it ends this call
            GUARD.is_watching = False
            if isinstance(error, KeyboardInterrupt) and not GUARD.is_apart:
                raise  # it is the user who wants to stop
            return Outcome({}, _told(error), heard.told())
        finally:
            GUARD.is_watching = False
        remarks = [_warning(warned[0])] if warned else []
        if np.geterr() != handling:
            remarks.append("It changes np.seterr, for all that runs after it.")
    state = state_of_generators()
    if state != drawn:
        remarks.append(DRAWS)
    written: dict[Path, Array] = {}
    mutated: list[str] = []
    for name in call:
        before, after = _numbers(call[name]), _numbers(given[name])
        if not _same(before, after):
            mutated.append(name)
            written |= {(name, *path): array for path, array in after.items()}
    return Outcome(
        result.arrays,
        printed=heard.told(),
        mutated=tuple(mutated),
        written=written,
        flaws=result.flaws,
        whole=frozenset(result.whole),
        others=tuple(result.others[:5]),
        remarks=tuple(remarks),
        drawn=hash(state) if state != drawn else 0,
    )


def _numbers(argument: Any) -> Mapping[Path, Array]:
    if isinstance(argument, Case):
        argument = (argument.x, argument.y, argument.weights, argument.biases)
    return read(argument).arrays


def _warning(warned: warnings.WarningMessage) -> str:
    return f"It warns: {warned.category.__name__}: {_shortened(str(warned.message))}"


def _told(error: BaseException) -> str:
    """What was raised, and the innermost line that is the learner's."""
    where = ""
    with contextlib.suppress(Exception):  # a source that cannot be read has no lines
        frames = traceback.extract_tb(error.__traceback__)
        strange = (*_NOT_THE_LEARNERS, os.path.dirname(os.__file__), "<frozen")
        own = [at for at in frames if not any(part in at.filename for part in strange)]
        where = f", in line {own[-1].lineno} ({own[-1].line})" if own else ""
    if isinstance(error, _RefusedError):
        return f"wants to {_shortened(str(error))}, which is not done while it is tried{where}"
    try:
        said = _shortened(str(error))
    except Exception:
        said = ""
    if isinstance(error, RecursionError):
        said += ": it calls itself without end"
    return f"raised {type(error).__name__}{': ' if said else ''}{said}{where}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _same(before: Mapping[Path, Array], after: Mapping[Path, Array]) -> bool:
    return before.keys() == after.keys() and all(
        np.array_equal(before[path], after[path], equal_nan=True) for path in before
    )


def keep_to_itself() -> None:
    """Have this process, which is only there for a learner's function, leave nothing behind."""
    sys.dont_write_bytecode = GUARD.is_apart = True
    faulthandler.disable()  # a process that breaks is told in one sentence
    sys.addaudithook(GUARD)
    set_generators()
    with contextlib.suppress(OSError):
        null = os.open(os.devnull, os.O_RDWR)
        for each in (0, 1, 2):  # what is printed below Python, and asked for
            os.dup2(null, each)
