"""Named arrays in other people's files: what is in them, and then only those that are wanted.

``.safetensors`` and NumPy's ``.npz`` are told apart by what they begin with. Nothing is ever
unpickled: an ``.npz`` that holds Python objects shows that it does, and they are not read.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from chainrule.base.errors import FileFormatError, NameNotFoundError
from chainrule.base.files import Pathlike, read_tensors
from chainrule.base.tensor_header import ELEMENTS_AT_MOST, TENSORS_AT_MOST, check_name

_ZIP = b"PK\x03\x04"


@dataclass(frozen=True)
class ArrayKind:
    """Shape and dtype of an array in a file."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def array_kinds(path: Pathlike) -> dict[str, ArrayKind]:
    """Return what arrays a file holds, by name, without reading an ``.npz`` file's numbers.

    Raises
    ------
    FileFormatError
        If the file is damaged, or says anything a writer of good will would not.
    OSError
        As the system says.
    """
    if not _is_npz(path):
        tensors, _ = read_tensors(path)
        return {name: ArrayKind(array.shape, array.dtype) for name, array in tensors.items()}
    with _opened(path) as archive:
        return {member.name: member.kind for member in _members(archive, os.fspath(path))}


def read_arrays(path: Pathlike, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Read some arrays of a file, in native byte order.

    Raises
    ------
    NameNotFoundError
        If the file has no such array.
    FileFormatError
        If the file is damaged, or one of them holds no plain numbers or texts.
    OSError
        As the system says.
    """
    shown = os.fspath(path)
    if not _is_npz(path):
        tensors, _ = read_tensors(path)
        return {name: _find(tensors, name, shown) for name in names}
    with _opened(path) as archive:
        members = {member.name: member for member in _members(archive, shown)}
        return {name: _find(members, name, shown).read(archive, shown) for name in names}


@dataclass(frozen=True)
class _Member:
    """An array in an ``.npz`` file whose header and size agree."""

    name: str
    info: zipfile.ZipInfo
    kind: ArrayKind
    fortran_order: bool
    header_bytes: int

    def read(self, archive: zipfile.ZipFile, shown: str) -> NDArray[Any]:
        if self.kind.dtype.hasobject:
            _refuse(shown, f'"{self.name}" holds Python objects, which would have to be unpickled')
        with archive.open(self.info) as stream:
            stream.read(self.header_bytes)
            # To the end, where the archive's checksum is compared.
            content = stream.read()
        flat = np.frombuffer(content, self.kind.dtype).copy()
        shape = self.kind.shape
        array = flat.reshape(shape[::-1]).T if self.fortran_order else flat.reshape(shape)
        return array.astype(array.dtype.newbyteorder("="), copy=False)


def _is_npz(path: Pathlike) -> bool:
    with Path(path).open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP


@contextmanager
def _opened(path: Pathlike) -> Iterator[zipfile.ZipFile]:
    shown = os.fspath(path)
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    # RuntimeError: a password is asked for; NotImplementedError: packed in a way of its own.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        _refuse(shown, str(error))


def _members(archive: zipfile.ZipFile, shown: str) -> Iterator[_Member]:
    infos = archive.infolist()
    if len(infos) > TENSORS_AT_MOST:
        _refuse(shown, f"it holds {len(infos)} arrays, over the limit of {TENSORS_AT_MOST}")
    seen: set[str] = set()
    for info in infos:
        name = info.filename.removesuffix(".npy")
        if name == info.filename:
            _refuse(shown, f'"{info.filename:.80}" in it is no array')
        check_name(name, shown)
        if name in seen:
            _refuse(shown, f'it holds "{name}" twice')
        seen.add(name)
        with archive.open(info) as stream:
            yield _checked(name, info, stream, shown)


def _checked(name: str, info: zipfile.ZipInfo, stream: IO[bytes], shown: str) -> _Member:
    try:
        version = np.lib.format.read_magic(stream)
        read: dict[tuple[int, int], Callable[..., Any]] = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in read:
            raise ValueError(f"version {version} of the format")
        shape, fortran_order, dtype = read[version](stream)
    except (ValueError, TypeError) as error:
        _refuse(shown, f'"{name}" has a malformed header ({str(error).splitlines()[0]:.80})')
    header_bytes = stream.tell()
    if any(size < 0 for size in shape) or prod(size for size in shape if size) > ELEMENTS_AT_MOST:
        _refuse(shown, f'"{name}" has the shape {shape!r:.80}, which no array here has')
    needed = header_bytes + prod(shape) * dtype.itemsize
    if not dtype.hasobject and info.file_size != needed:
        _refuse(
            shown,
            f'"{name}", {dtype} of shape {list(shape)}, takes {needed} bytes with its header, and '
            f"{info.file_size} are there",
        )
    return _Member(name, info, ArrayKind(shape, dtype), fortran_order, header_bytes)


def _find(arrays: dict[str, Any], name: str, shown: str) -> Any:
    if name not in arrays:
        raise NameNotFoundError.among("array", name, arrays, where=shown)
    return arrays[name]


def _refuse(shown: str, problem: str) -> NoReturn:
    raise FileFormatError(f"{shown} cannot be read as npz: {problem}")
