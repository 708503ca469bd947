"""Files that survive: a file is replaced whole or not at all, and a line is appended whole.

A write goes to a new file in the same folder, is forced to the disk, and takes the old one's place
by a rename, which the disk is then told to remember too.  Whatever interrupts it (a full disk,
Ctrl-C, a power cut) leaves either the old content or the new.
"""

import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chainrule.base.errors import ConfigurationError, FileFormatError, FolderNotFoundError
from chainrule.base.tensor_header import (
    DTYPES,
    LENGTH_BYTES,
    check_name,
    parse_header,
    parse_header_length,
)

Pathlike: TypeAlias = str | os.PathLike[str]

LEFT_BEHIND = ".chainrule-*.tmp"
"""What the names of files match that a process leaves which is killed while it writes."""


def check_place(path: Pathlike) -> None:
    """Raise unless a file can stand at `path`: its folder is there, and it is no folder itself.

    Folders are never made for a file: one whose name is misspelt would hold it, unnoticed.

    Raises
    ------
    FolderNotFoundError
    ConfigurationError
        If what should be a folder is a file, or what should be a file a folder.
    """
    target = Path(path)
    folder = target.parent
    if folder.is_dir() and not target.is_dir():
        return
    if target.is_dir():
        raise ConfigurationError(
            f"{os.fspath(path)} is a folder", advice="Name a file to write, in it or elsewhere"
        )
    ancestors = [folder, *folder.parents]
    existing = next((place for place in ancestors if place.exists()), None)
    if existing is not None and not existing.is_dir():
        raise ConfigurationError(
            f"{target.name} cannot be written in {folder}: {existing} is a file",
            advice="Name a folder that exists",
        )
    raise FolderNotFoundError(
        f"There is no folder {folder} to write {target.name} in",
        advice="Make the folder first, or name one that exists",
    )


def write_durably(path: Pathlike, content: bytes) -> None:
    """Replace the file at `path` by `content`, whole or not at all.

    An existing file keeps its permissions, a new one gets what the umask leaves. A symbolic link
    stays, and the file it points to is replaced.

    Parameters
    ----------
    path
        The file; its folder must exist.
    content
        The new content.

    Raises
    ------
    FolderNotFoundError, ConfigurationError
        As `check_place` says.
    OSError
        As the system says. The old file is then untouched and nothing is left beside it.
    """
    target = Path(path).resolve()
    check_place(path)
    _replace(target, path, content, durably=True)
    _remember_folder(target.parent)


def write_whole(path: Pathlike, content: bytes) -> None:
    """Replace the file at `path` by `content`; who reads it finds the old one or the new.

    Nothing is forced to the disk, which takes many times as long as the rest: after a power cut
    the file may be gone, empty or cut short. So it is for what carries a checksum and can be made
    again.

    Parameters
    ----------
    path
        The file; its folder must exist.
    content
        The new content.

    Raises
    ------
    OSError
        As the system says. The old file is then untouched and nothing is left beside it.
    """
    _replace(Path(path).resolve(), path, content, durably=False)


def _replace(target: Path, path: Pathlike, content: bytes, *, durably: bool) -> None:
    temporary = target.with_name(LEFT_BEHIND.replace("*", os.urandom(8).hex()))
    try:
        # os.open, because tempfile's 0600 would make a shared file private.
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _BINARY, 0o666)
        try:
            with suppress(FileNotFoundError):
                temporary.chmod(stat.S_IMODE(target.stat().st_mode))
            _write_all(descriptor, content)
            if durably:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(target)
    except BaseException as error:  # Ctrl-C too must not leave the temporary file
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            error.filename = os.fspath(path)  # the name the caller knows
            del error.filename2
        raise


def append_line(path: Pathlike, line: str) -> None:
    r"""Append one line to a text file: after any interruption it is there whole or not at all.

    What a crash left after the last newline is no line, and is cut away first. One process writes.

    Parameters
    ----------
    path
        The file, made if it is absent; its folder must exist.
    line
        The text without its newline.

    Raises
    ------
    ValueError
        If the text contains a newline.
    OSError
        As the system says. The file is then as it was before.
    """
    if "\n" in line or "\r" in line:
        raise ValueError(f"One line was expected, but the text holds a line break: {line!r:.80}")
    target = Path(path).resolve()
    is_new = not target.exists()
    with target.open("a+b", buffering=0) as file:
        end = _end_of_last_line(file.fileno())
        file.truncate(end)
        try:
            _write_all(file.fileno(), f"{line}\n".encode())
            os.fsync(file.fileno())
        except BaseException:
            file.truncate(end)
            raise
    if is_new:
        _remember_folder(target.parent)


def read_lines(path: Pathlike) -> list[str]:
    """Return the whole lines of a file written by `append_line`, without their newlines.

    What a crash left after the last newline is no line.

    Raises
    ------
    FileFormatError
        If the file is not UTF-8 text.
    OSError
        As the system says.
    """
    try:
        text = Path(path).read_bytes().decode()
    except UnicodeDecodeError as error:
        raise FileFormatError(
            f"{os.fspath(path)} is not UTF-8 text: byte {error.start} cannot be decoded"
        ) from None
    return text.split("\n")[:-1]


def write_tensors(
    path: Pathlike, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None
) -> None:
    """Write named arrays as a safetensors file, durably.

    Parameters
    ----------
    path
        The file; its folder must exist.
    tensors
        Arrays of any layout by name. Their dtypes are those of the format that NumPy has.
    metadata
        Text by name, kept in the header.

    Raises
    ------
    FileFormatError
        If a name or a dtype is one that `read_tensors` would refuse.
    OSError
        As the system says.
    """
    from safetensors.numpy import save

    shown = os.fspath(path)
    known = {dtype.newbyteorder("="): name for name, dtype in DTYPES.items()}
    for name, array in tensors.items():
        check_name(name, shown)
        if array.dtype.newbyteorder("=") not in known:
            raise FileFormatError(
                f'{shown}: safetensors cannot hold "{name}" of dtype {array.dtype}',
                advice=f"It holds {', '.join(known[dtype] for dtype in known)}",
            )
    # safetensors writes an array's memory as it lies, so transposed views must be laid out first.
    laid_out = {
        name: np.array(array, dtype=array.dtype.newbyteorder("<"), order="C", copy=None)
        for name, array in tensors.items()
    }
    write_durably(path, _in_order(save(laid_out, dict(metadata) if metadata else None)))


def _in_order(content: bytes) -> bytes:
    """Sort a safetensors file's header: the library writes its metadata in random order."""
    # The same numbers are to be the same bytes, so that files can be compared.
    size = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + size]), sort_keys=True, separators=(",", ":"))
    text = header.encode()
    text += b" " * (-len(text) % 8)  # the numbers behind it stay aligned
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def read_tensors(path: Pathlike) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Read a safetensors file; check all that its header says before memory is taken.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    tensors : dict of str to array
        In the order of the header. Each array is its own, writable, in native byte order.
    metadata : dict of str to str
        The header's ``__metadata__``.

    Raises
    ------
    FileFormatError
        If the file is truncated, malformed, or says anything a writer of good will would not.
    OSError
        As the system says.
    """
    shown = os.fspath(path)
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        header_length = parse_header_length(file.read(LENGTH_BYTES), size, shown)
        header = parse_header(file.read(header_length), size - LENGTH_BYTES - header_length, shown)
        tensors: dict[str, NDArray[Any]] = {}
        for name, entry in header.tensors.items():
            array = np.empty(entry.shape, DTYPES[entry.dtype])
            file.seek(LENGTH_BYTES + header_length + entry.begin)
            raw = array.reshape(-1).view(np.uint8)
            if file.readinto(raw.data) != raw.size:
                raise FileFormatError(f'{shown} was cut short while "{name}" was read')
            if entry.dtype == "BOOL" and (raw > 1).any():
                raise FileFormatError(
                    f'{shown} cannot be read as safetensors: "{name}" is BOOL and holds a byte of '
                    f"{int(raw.max())}, where only 0 and 1 are truth values"
                )
            tensors[name] = array.astype(array.dtype.newbyteorder("="), copy=False)
    return tensors, header.metadata


_BINARY = getattr(os, "O_BINARY", 0)  # Windows alone translates newlines unless told not to


def _write_all(descriptor: int, content: bytes) -> None:
    remaining = memoryview(content)
    while remaining:  # one call writes at most 2 GiB, and less onto a disk that is nearly full
        remaining = remaining[os.write(descriptor, remaining) :]


def _end_of_last_line(descriptor: int) -> int:
    """Return the position after the last newline of an open file, 0 if there is none."""
    chunk = 4096
    end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - chunk)
        os.lseek(descriptor, start, os.SEEK_SET)
        newline = os.read(descriptor, end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _remember_folder(folder: Path) -> None:
    """Force a folder's entries to the disk: a rename that is not remembered may be lost."""
    if os.name == "nt":  # Windows cannot open a folder, and journals renames itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
