"""Wait for native code so that Ctrl-C is heard.

Python hears it in its main thread, between two of its own instructions: never within native code.
So code that may take long runs in a thread of its own, and the main one waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

LONG = 0.05
"""Seconds that one step may take without anybody listening; starting a thread takes 0.1 ms."""


def is_worth_it(seconds: float | None) -> bool:
    """Whether to wait for a step that takes so long (None: nobody knows) in the main thread."""
    return (seconds is None or seconds > LONG) and threading.current_thread() is _MAIN


def call_and_listen(call: Callable[[], None], stop: Callable[[], None]) -> bool:
    """Make a call in another thread; return whether Ctrl-C came and `stop` was called.

    Parameters
    ----------
    call : callable
        The native code. It is over when this returns.
    stop : callable
        Lets it end soon.
    """
    failed: list[BaseException] = []
    over, ended = [False], threading.Lock()
    ended.acquire()

    def run() -> None:
        try:
            call()
        except BaseException as error:  # raised again below, in the thread that asked
            failed.append(error)
        finally:
            over[0] = True
            ended.release()

    thread = threading.Thread(target=run, name="chainrule", daemon=True)
    interrupted = False
    try:
        thread.start()
    except KeyboardInterrupt:
        if thread.ident is None:
            raise
        interrupted = True
        stop()
    # Not thread.join(), after whose interruption Python takes the thread to be over. And with a
    # timeout, without which Windows does not hear Ctrl-C.
    while True:
        try:
            while not over[0]:
                ended.acquire(timeout=0.1)
            break
        except KeyboardInterrupt:
            interrupted = True
            stop()
    if failed:
        raise failed[0]
    return interrupted


_MAIN = threading.main_thread()
