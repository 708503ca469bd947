"""Calling a learner's function where it can do no harm: in a process of its own, for a time."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import pathlib
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from chainrule.explanation.checking.functions.watching import Outcome, keep_to_itself, watched

_ROOM = 4 << 30  # bytes that a function may take: more than any of the networks needs
_CALLS = 12  # of the longest duration: so much time there is for all calls together


class Apart:
    """A learner's function, called in processes of their own.

    Parameters
    ----------
    function : callable
    seconds : float
        For one call; for all of them there are twelve times as many.
    """

    def __init__(self, function: Callable[..., Any], seconds: float) -> None:
        self.function, self.seconds = function, seconds
        self.left = _CALLS * seconds

    def calls(self, calls: Sequence[Mapping[str, Any]]) -> Iterator[Outcome]:
        """Call it once for each set of arguments; stop at a call that has no end, or after a time.

        Parameters
        ----------
        calls : sequence of mapping of str to object
            Arguments by name, in their order.

        Notes
        -----
        The process is a copy of this one, where the system makes copies: a function that is written
        in a notebook is known there. Where it makes none (Windows), the function is called in this
        process, and one that does not end is not stopped.
        """
        begin = time.monotonic()
        try:
            for outcome in _calls_apart(self.function, calls, self.seconds):
                yield outcome
                if time.monotonic() - begin > self.left:
                    return
        finally:
            self.left -= time.monotonic() - begin

    def call(self, call: Mapping[str, Any]) -> Outcome | None:
        """Call it in a process that nothing was called in before; None where there is none."""
        return next(self.calls([call])) if is_apart() and self.left > 0 else None


def _calls_apart(
    function: Callable[..., Any], calls: Sequence[Mapping[str, Any]], seconds: float
) -> Iterator[Outcome]:
    if not is_apart():
        yield from (watched(function, call) for call in calls)
        return
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    most = (math.ceil(min(len(calls), _CALLS) * seconds) + 1) * (os.cpu_count() or 1)
    process = context.Process(target=_serve, args=(sending, function, calls, most), daemon=True)
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
                process.join(1)
                told = f"ended the whole process, with {_ending(process.exitcode)}"
                yield Outcome({}, told, is_last=True)
                return
    finally:
        _kill(process)
        receiving.close()


def _kill(process: Any) -> None:
    """End a process, and those that it may have started; none of them is asked."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def _ending(code: int | None) -> str:
    """How a process ended: its exit code, or the signal that ended it."""
    if code is None or code >= 0:
        return str(code)
    try:
        return signal.Signals(-code).name
    except ValueError:
        return str(code)


def is_apart() -> bool:
    """Whether functions are called in a process of their own here."""
    return "fork" in multiprocessing.get_all_start_methods()


def _serve(
    sending: Any, function: Callable[..., Any], calls: Sequence[Mapping[str, Any]], most: int
) -> None:
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    _bound(most)
    keep_to_itself()
    for call in calls:
        sending.send(watched(function, call))
    sending.close()


def _bound(seconds: int) -> None:
    """Bound what this process can take: allocations without end fail before the machine does."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        # Whoever waits may be gone, and cannot end it any more.
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        size = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        bound = size + _ROOM if most == resource.RLIM_INFINITY else min(size + _ROOM, most)
        resource.setrlimit(resource.RLIMIT_AS, (bound, most))
