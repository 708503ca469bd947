"""A lock on a folder: one process trains in it at a time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chainrule.base.errors import ConfigurationError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`, which then tells the number of this process.

    The system lets go of the lock when the process ends, however it ends: what a killed process
    leaves behind is a file that locks nothing.

    Raises
    ------
    ConfigurationError
        If another training holds it.
    """
    descriptor = _acquire(path)
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)


def _acquire(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            if not _try_lock(descriptor):
                raise _refusal(path)
            # The one who held it may have removed the file between our two calls.
            if _is_at(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False


def _refusal(path: Path) -> ConfigurationError:
    holder = "another process"
    with suppress(OSError, ValueError):
        number = int(path.read_text(encoding="utf-8"))
        holder = "this process" if number == os.getpid() else f"process {number}"
    return ConfigurationError(
        f"{path.parent} is in use: {holder} is training in it",
        advice="Wait for it to end, or choose another folder",
    )


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            # A byte far behind the text: Windows lets nobody read what is locked.
            os.lseek(descriptor, 1 << 20, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        os.lseek(descriptor, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
