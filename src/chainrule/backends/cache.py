"""Machine code on the disk, so that a process need not compile what another one has.

An entry is a file that is named after all that its content follows from. It is never changed: it is
written beside its place and renamed into it, so that any number of processes read and write at
once without a lock, and who loses a race has written the same. It begins with a checksum, so that
nothing has to be forced to the disk: what a power cut tears is compiled again. When all together
grow too large, those go that were used the longest time ago.

A cache is never in the way: where it cannot be read or written there is none.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from chainrule.base.files import LEFT_BEHIND, write_whole

SUFFIX = ".code"
BYTES_AT_MOST = 256_000_000
_DIGEST = 16
_ABANDONED = 3600.0
"""Seconds after which a file that is being written belongs to nobody any more."""


@dataclass(frozen=True)
class Entry:
    """What is kept under one key.

    Parameters
    ----------
    path : Path
    size : int
        In bytes.
    used : float
        When it was read or written last, in seconds since 1970.
    """

    path: Path
    size: int
    used: float


@dataclass(frozen=True)
class Cache:
    """A folder of entries.

    Parameters
    ----------
    folder : Path
        It need not exist.
    bytes_at_most : int
        Of all entries together.
    """

    folder: Path
    bytes_at_most: int = BYTES_AT_MOST

    def get(self, key: str) -> bytes | None:
        """Read an entry; None if there is none, or not what was written."""
        path = self._path(key)
        try:
            if self.refusal or path.stat().st_size > self.bytes_at_most:
                return None
            content = path.read_bytes()
        except OSError:
            return None
        if content[:_DIGEST] != _checksum(key, content[_DIGEST:]):
            return None
        with suppress(OSError):
            os.utime(path)
        return content[_DIGEST:]

    def put(self, key: str, content: bytes) -> None:
        """Write an entry, in place of what is there, and let go what is too much."""
        if len(content) + _DIGEST > self.bytes_at_most:
            return
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.refusal is None:
                write_whole(self._path(key), _checksum(key, content) + content)
                self._evict()

    @property
    def refusal(self) -> str | None:
        """Why the folder is not used: others could put machine code into it, or it is none."""
        try:
            found = self.folder.stat()
        except FileNotFoundError:
            return None  # it will be made
        except OSError as error:
            return error.strerror
        if not stat.S_ISDIR(found.st_mode):
            return "it is not a folder"
        if os.name == "posix":
            if found.st_uid != os.geteuid():
                return "it is another user's"
            if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return "others may write into it"
        return None

    def entries(self) -> list[Entry]:
        """All entries, those first that were used the longest time ago."""
        return sorted(self._found(f"*{SUFFIX}"), key=lambda entry: (entry.used, entry.path.name))

    def clear(self) -> int:
        """Remove all entries; return how many.

        Raises
        ------
        OSError
            If one cannot be removed.
        """
        count = 0
        for pattern in (f"*{SUFFIX}", LEFT_BEHIND):
            for entry in self._found(pattern):
                entry.path.unlink(missing_ok=True)
                count += pattern != LEFT_BEHIND
        return count

    def _evict(self) -> None:
        entries = self.entries()
        total = sum(entry.size for entry in entries)
        for entry in entries:
            if total <= self.bytes_at_most:
                break
            with suppress(OSError):  # another process may have removed it, or be reading it
                entry.path.unlink()
            total -= entry.size
        for left in self._found(LEFT_BEHIND):
            if time.time() - left.used > _ABANDONED:
                with suppress(OSError):
                    left.path.unlink()

    def _found(self, pattern: str) -> Iterator[Entry]:
        for path in self.folder.glob(pattern):
            with suppress(FileNotFoundError):
                found = path.stat()
                yield Entry(path, found.st_size, found.st_mtime)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{SUFFIX}"


def _checksum(key: str, content: bytes) -> bytes:
    """Of the key, too: a file under another's name is none of its entries."""
    return hashlib.blake2b(key.encode() + content, digest_size=_DIGEST).digest()
