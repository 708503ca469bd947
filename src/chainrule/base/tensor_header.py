"""The header of a safetensors file, checked before memory is taken.

The format is 8 bytes of length (little endian), a JSON header, and the arrays' bytes::

    {"__metadata__": {"format": "pt"},
     "0.weight": {"dtype": "F32", "shape": [30, 784], "data_offsets": [0, 94080]}, ...}

The reference reader accepts a key twice, white space before the brace, names such as
``../../.bashrc``, shapes such as (0, 2**60) and any number of keys.  A file that came from
somewhere else may hold all of these, so the header is read here, where each is one clear error.
"""

import json
from dataclasses import dataclass
from math import prod
from typing import Any, NoReturn

import numpy as np

from chainrule.base.errors import FileFormatError

LENGTH_BYTES = 8
HEADER_BYTES_AT_MOST = 16 * 2**20
TENSORS_AT_MOST = 100_000
AXES_AT_MOST = 32
ELEMENTS_AT_MOST = 2**48  # counted without empty axes, so (0, 2**60) does not pass as nothing
NAME_LENGTH_AT_MOST = 1024

# What the format names and NumPy has. BF16 and the 8-bit floats are known and refused by name.
DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """What the header says of one array.

    Attributes
    ----------
    dtype
        A key of `DTYPES`.
    shape
        Lengths of the axes.
    begin, end
        Its bytes, counted from the end of the header.
    """

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class TensorHeader:
    """A header that passed every check."""

    tensors: dict[str, TensorEntry]
    metadata: dict[str, str]


def parse_header_length(raw: bytes, file_bytes: int, path: str) -> int:
    """Return the header's length, or raise FileFormatError if the file cannot hold such a header.

    Parameters
    ----------
    raw
        The first 8 bytes of the file.
    file_bytes
        The size of the whole file.
    path
        The file's name, for the message.
    """
    if len(raw) < LENGTH_BYTES:
        _refuse(path, f"the file has {file_bytes} bytes, and {LENGTH_BYTES} hold a length")
    length = int.from_bytes(raw, "little")
    if length > file_bytes - LENGTH_BYTES:
        _refuse(path, f"the header should have {length} bytes, {file_bytes - LENGTH_BYTES} follow")
    if length > HEADER_BYTES_AT_MOST:
        _refuse(path, f"the header has {length} bytes, over the limit of {HEADER_BYTES_AT_MOST}")
    return length


def parse_header(raw: bytes, data_bytes: int, path: str) -> TensorHeader:
    """Parse and check a header, or raise FileFormatError with the one thing that is wrong.

    Parameters
    ----------
    raw
        The JSON text.
    data_bytes
        How many bytes follow it in the file. The arrays must fill them without gap or overlap.
    path
        The file's name, for the message.
    """
    if not raw.startswith(b"{"):
        _refuse(path, f"the header starts with {raw[:1]!r}, not with a brace")
    try:
        fields = json.loads(
            raw.decode(), object_pairs_hook=_unique_keys, parse_constant=_no_constant
        )
    except _MalformedJSON as error:
        _refuse(path, f"the header {error}")
    except (ValueError, RecursionError) as error:  # includes bad UTF-8 and integers too long
        _refuse(path, f"the header is not JSON ({str(error).splitlines()[0]})")
    metadata = _check_metadata(fields.pop("__metadata__", {}), path)
    if len(fields) > TENSORS_AT_MOST:
        _refuse(path, f"it names {len(fields)} tensors, over the limit of {TENSORS_AT_MOST}")
    tensors = {name: _check_entry(name, entry, path) for name, entry in fields.items()}
    _check_layout(tensors, data_bytes, path)
    return TensorHeader(tensors, metadata)


def check_name(name: str, path: str) -> None:
    """Raise FileFormatError for a tensor's name that could leave a folder or garble a terminal."""
    if (
        name.startswith(("/", "\\"))
        or name[1:3] in (":/", ":\\")  # a place on Windows; w:exp_avg is an optimiser's state
        or ".." in name.replace("\\", "/").split("/")
        or not name
        or not name.isprintable()
        or name != name.strip()
        or len(name) > NAME_LENGTH_AT_MOST
        or name == "__metadata__"
    ):
        raise FileFormatError(
            f"{path}: a tensor cannot be named {name[:80]!r}",
            advice='Names look like "encoder.0.weight"',
        )


class _MalformedJSON(Exception):
    """JSON that parses in Python but that the format does not allow."""


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique: dict[str, Any] = {}
    for key, value in pairs:
        if key in unique:
            raise _MalformedJSON(f"has the key {key[:80]!r} twice")
        unique[key] = value
    return unique


def _no_constant(name: str) -> NoReturn:
    raise _MalformedJSON(f"holds {name}, which is not JSON")


def _check_metadata(metadata: Any, path: str) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        _refuse(path, "its __metadata__ must map text to text")
    return metadata


def _check_entry(name: str, entry: Any, path: str) -> TensorEntry:
    check_name(name, path)
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        _refuse(path, f'"{name}" must have dtype, shape and data_offsets, and nothing else')
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        _refuse(
            path,
            f'"{name}" has the dtype {dtype!r:.40}',
            advice=f"This version reads {', '.join(DTYPES)}",
        )
    if not _are_sizes(shape) or len(shape) > AXES_AT_MOST:
        _refuse(path, f'"{name}" has the shape {shape!r:.80}, which is not a list of lengths')
    if prod(length for length in shape if length) > ELEMENTS_AT_MOST:
        _refuse(path, f'"{name}" has the shape {shape!r:.80}, larger than any array here')
    if not _are_sizes(offsets) or len(offsets) != 2:
        _refuse(path, f'"{name}" has the data_offsets {offsets!r:.80}, not [begin, end]')
    begin, end = offsets
    needed = prod(shape) * DTYPES[dtype].itemsize
    if end - begin != needed:
        _refuse(
            path,
            f'"{name}", {dtype} of shape {shape}, takes {needed} bytes, but its data_offsets '
            f"{offsets} hold {end - begin}",
        )
    return TensorEntry(dtype, tuple(shape), begin, end)


def _check_layout(tensors: dict[str, TensorEntry], data_bytes: int, path: str) -> None:
    position = 0
    for name, entry in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != position:
            kind = "overlap" if entry.begin < position else "leave a gap"
            _refuse(
                path, f'the bytes of "{name}" start at {entry.begin}, not {position}: they {kind}'
            )
        position = entry.end
    if position != data_bytes:
        fault = "truncated" if position > data_bytes else "followed by bytes that belong to no name"
        _refuse(path, f"the tensors take {position} bytes and {data_bytes} are there: {fault}")


def _are_sizes(value: Any) -> bool:
    # `type` and not isinstance: JSON's true is an int in Python.
    return isinstance(value, list) and all(type(size) is int and size >= 0 for size in value)


def _refuse(path: str, problem: str, advice: str | None = None) -> NoReturn:
    raise FileFormatError(f"{path} cannot be read as safetensors: {problem}", advice=advice)
