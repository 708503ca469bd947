"""Threads that wait for work, started when they are first needed and kept for the next call."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread

MOST = 8
"""Threads that are used where nobody says how many: more wait longer than they work."""

Call = Callable[[int, int], int]
"""From the number of a thread, and how many there are."""


class _Worker:
    """A thread that makes one call after the other."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Callable[[], int], Event] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="chainrule", daemon=True)
        self._thread.start()

    def begin(self, call: Callable[[], int]) -> Event:
        """Make a call; what is returned is set when it is done."""
        done = Event()
        self._calls.put((call, done))
        return done

    def end(self) -> None:
        """Let the thread end."""
        self._calls.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (given := self._calls.get()) is not None:
            call, done = given
            try:
                call()
            finally:
                _idle.append(self)
                done.set()
            del call, done, given  # not to hold memory while waiting


_idle: list[_Worker] = []


def _end_idle() -> None:
    """End those that wait: a process that forks should have no threads that its child has not."""
    while _idle:
        _idle.pop().end()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_end_idle, after_in_child=_idle.clear)


def run_together(call: Call, threads: int, abandon: Callable[[], None]) -> int:
    """Make a call on several threads at once, on this one as thread 0; return its result.

    Parameters
    ----------
    call : function of (int, int) to int
        With the number of the thread, and how many there are: fewer, if no more can be started.
    threads : int
    abandon : function
        Tells the others that this thread will never come, where an exception keeps it.
    """
    workers = _take(threads - 1)
    count = 1 + len(workers)
    begun: list[Event] = []
    try:
        for number, worker in enumerate(workers, 1):
            begun.append(worker.begin(partial(call, number, count)))
        return call(0, count)
    except BaseException:
        abandon()
        raise
    finally:
        for done in begun:
            done.wait()


def _take(count: int) -> list[_Worker]:
    workers: list[_Worker] = []
    while len(workers) < count:
        try:
            workers.append(_idle.pop())
        except IndexError:
            try:
                workers.append(_Worker())
            except RuntimeError:  # the system has no more threads
                break
    return workers


def processors() -> int:
    """How many threads are used where nobody says: as many as this process may use processors."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return max(1, min(count, _quota(), MOST))


def _quota() -> int:
    """How many processors' time a container may use, on Linux: 2 for 250 ms in 100 ms."""
    try:
        time, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        return max(1, int(time) // int(period))
    except (OSError, ValueError):  # "max", or no such file
        return MOST


@cache
def offer_address() -> int:
    """The address of a function that offers the processor to other threads."""
    if sys.platform == "win32":
        function = ctypes.WinDLL("kernel32").SwitchToThread
    else:
        function = ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0
