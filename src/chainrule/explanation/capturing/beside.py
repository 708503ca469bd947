"""Two files that are one trace, also when several processes save to the same path at once.

The arrays go into a file that is named after what it holds, ``step.0f3a….safetensors``, and the
JSON, which is replaced last and whole, names it: whoever reads the JSON finds what belongs to it,
and who saves last wins. Then what the JSON does not name is removed. No lock is held; instead

- who removes a file sets it aside first and looks at the JSON again: if that names the file now, it
  is put back;
- who has replaced the JSON looks whether its arrays are still there, and else writes them again.

One of the two sees the other: the file is gone before the JSON is read a second time, and the JSON
is there before the arrays are looked for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec
from safetensors import SafetensorError, safe_open

from chainrule.base.files import LEFT_BEHIND, write_durably

ENDING = ".safetensors"
_DIGITS = 16


class _Beside(msgspec.Struct):
    file: str


class _Naming(msgspec.Struct):
    beside: _Beside | None = None


def named_after(target: Path, *contents: str) -> Path:
    """The file for the arrays beside `target`, named after hashes of what it holds."""
    digest = sha256("\n".join(contents).encode()).hexdigest()[:_DIGITS]
    return target.with_name(f"{target.stem}.{digest}{ENDING}")


def write_pair(
    target: Path,
    text: bytes,
    beside: Path | None,
    write: Callable[[Path], None],
    format_: str,
) -> None:
    """Write the arrays, then the JSON that names them, and remove what it no longer names.

    Parameters
    ----------
    target : Path
        The JSON file.
    text : bytes
        Its content.
    beside : Path or None
        Where the arrays go; None if there are none.
    write : callable
        Writes the arrays to a path.
    format_ : str
        What the header of such a file says it is of: no other file is removed.
    """
    before = named_in(target)
    if beside is not None:
        write(beside)
    write_durably(target, text)
    if beside is not None and not beside.exists() and named_in(target) == beside.name:
        write(beside)
    for path in _left_over(target, before):
        if path != beside and _is_of(path, format_):
            _remove(path, target)


def named_in(target: Path) -> str | None:
    """The file that a JSON file names for its arrays; None if it is not there, or names none."""
    try:
        found = msgspec.json.decode(target.read_bytes(), type=_Naming)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return None if found.beside is None else found.beside.file


def _left_over(target: Path, before: str | None) -> Iterator[Path]:
    """What this or another trace of the same path may have left: also by a name of before."""
    own = re.compile(rf"{re.escape(target.stem)}\.[0-9a-f]{{{_DIGITS}}}{re.escape(ENDING)}")
    for path in sorted(target.parent.iterdir()):
        if own.fullmatch(path.name) or path.name == before == f"{target.stem}{ENDING}":
            yield path


def _is_of(path: Path, format_: str) -> bool:
    try:
        with safe_open(path, "np") as file:
            return (file.metadata() or {}).get("format") == format_
    except (OSError, SafetensorError):
        return False


def _remove(path: Path, target: Path) -> None:
    if named_in(target) == path.name:
        return
    aside = path.with_name(LEFT_BEHIND.replace("*", os.urandom(8).hex()))
    with suppress(OSError):  # another process removes it, or Windows reads it: it does no harm
        path.rename(aside)
        is_named = True
        try:
            is_named = named_in(target) == path.name
        finally:
            if is_named:
                aside.replace(path)
            else:
                aside.unlink()
