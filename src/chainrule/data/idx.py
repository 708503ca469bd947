"""The IDX format of the MNIST files: a type, the lengths of the axes, and the numbers.

::

    0, 0, type, axes    the magic number; type 8 is an unsigned byte
    length              of each axis, 4 bytes
    number ...          row by row

All numbers are big-endian.  A file may be compressed by gzip.  What the lengths claim is checked
before memory is taken, and memory grows with what is really there, so neither a lying header nor a
small file that expands without end can fill the machine.
"""

import zlib
from gzip import GzipFile
from math import prod
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from chainrule.base.errors import FileFormatError

DATA_BYTES_AT_MOST = 2**30  # MNIST has 47 MB; EMNIST, the largest in this format, 0.64 GB
AXES_AT_MOST = 8

_DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 2**20


class Readable(Protocol):
    """What is needed of an open binary file, so that a member of an archive will do."""

    def read(self, count: int, /) -> bytes:
        """Return the next bytes, at most `count`; none at the end."""
        ...


def read_idx(path: str | Path) -> NDArray[Any]:
    """Read an IDX file, plain or compressed by gzip.

    Parameters
    ----------
    path
        The file. Its content, not its name, tells whether it is compressed.

    Returns
    -------
    array
        Of the file's type and shape, in native byte order.

    Raises
    ------
    FileFormatError
        If the file is malformed, truncated or larger than 1 GiB.
    OSError
        As the system says.
    """
    path = Path(path)
    with path.open("rb") as file:
        is_compressed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        if not is_compressed:
            return parse_idx(file, str(path))
        with GzipFile(fileobj=file) as expanded:
            return parse_idx(expanded, str(path))


def parse_idx(file: Readable, name: str) -> NDArray[Any]:
    """Read an IDX file from an open one, to its end.

    Parameters
    ----------
    file
        Open for reading in binary.
    name
        What to call it in messages.

    Raises
    ------
    FileFormatError
        As `read_idx` does.
    """
    dtype, shape = _read_header(file, name)
    expected = prod(shape) * dtype.itemsize
    # The lengths one by one, too: (0, 2**32) claims nothing in sum.
    if expected > DATA_BYTES_AT_MOST or any(length > DATA_BYTES_AT_MOST for length in shape):
        _refuse(name, f"its axes {shape} make more than the {DATA_BYTES_AT_MOST} bytes allowed")
    content = _read_at_most(file, expected + 1, name)
    if len(content) < expected:
        _refuse(
            name, f"truncated: its axes {shape} take {expected} bytes, {len(content)} are there"
        )
    if len(content) > expected:
        _refuse(name, f"its axes {shape} take {expected} bytes, and more follow")
    array = np.frombuffer(content, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _read_header(file: Readable, name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    magic = _read_at_most(file, 4, name)
    if len(magic) < 4:
        _refuse(name, f"it ends after {len(magic)} bytes, inside the magic number")
    if magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        _refuse(name, f"it starts with the bytes {magic.hex(' ')}, not with 00 00 and a type")
    axes = magic[3]
    if not 0 < axes <= AXES_AT_MOST:
        _refuse(name, f"it has {axes} axes, and 1 to {AXES_AT_MOST} are allowed")
    lengths = _read_at_most(file, 4 * axes, name)
    if len(lengths) < 4 * axes:
        _refuse(name, f"it ends inside the lengths of its {axes} axes")
    return _DTYPES[magic[2]], tuple(int(length) for length in np.frombuffer(lengths, ">u4"))


def _read_at_most(file: Readable, count: int, name: str) -> bytearray:
    content = bytearray()
    try:
        while chunk := file.read(min(_CHUNK, count - len(content))):
            content += chunk
    except EOFError:
        _refuse(name, "truncated: the compressed stream has no end")
    except (zlib.error, OSError) as error:  # gzip reports a bad header or checksum as OSError
        if isinstance(error, OSError) and error.errno is not None:
            raise
        _refuse(name, f"its compression is damaged ({error})")
    return content


def _refuse(name: str, problem: str) -> NoReturn:
    raise FileFormatError(f"{name} cannot be read as IDX: {problem}")
