"""IDX files: read back as written; a malformed one is one clear line and takes no memory."""

import gzip
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from chainrule.base.errors import FileFormatError
from chainrule.data import read_idx

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx_bytes(array: NDArray[Any]) -> bytes:
    code = CODES[array.dtype.str[1:]]
    header = struct.pack(f">4B{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


any_array = st.sampled_from(sorted(CODES)).flatmap(
    lambda code: arrays.arrays(
        np.dtype(code), arrays.array_shapes(max_dims=4, max_side=4, min_side=0)
    )
)


@given(array=any_array, compressed=st.booleans())
def test_an_array_comes_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, array: NDArray[Any], compressed: bool
) -> None:
    path = tmp_path_factory.mktemp("idx") / "array"
    content = idx_bytes(array)
    path.write_bytes(gzip.compress(content) if compressed else content)
    found = read_idx(path)
    assert found.dtype == array.dtype
    assert found.dtype.isnative
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()


GOOD = idx_bytes(np.arange(6, dtype=np.uint8).reshape(2, 3))


def header(*lengths: int, code: int = 8) -> bytes:
    return struct.pack(f">4B{len(lengths)}I", 0, 0, code, len(lengths), *lengths)


MALFORMED = {
    "empty": (b"", "it ends after 0 bytes, inside the magic number"),
    "three bytes": (GOOD[:3], "it ends after 3 bytes, inside the magic number"),
    "text": (b"label,pixel", "it starts with the bytes 6c 61 62 65, not with 00 00 and a type"),
    "unknown type": (
        b"\0\0\x07\x01" + bytes(5),
        "it starts with the bytes 00 00 07 01, not with 00 00 and a type",
    ),
    "no axes": (b"\0\0\x08\x00", "it has 0 axes, and 1 to 8 are allowed"),
    "255 axes": (b"\0\0\x08\xff", "it has 255 axes, and 1 to 8 are allowed"),
    "cut in the lengths": (GOOD[:9], "it ends inside the lengths of its 2 axes"),
    "cut in the numbers": (
        GOOD[:-1],
        "truncated: its axes (2, 3) take 6 bytes, 5 are there",
    ),
    "bytes left over": (GOOD + b"\0", "its axes (2, 3) take 6 bytes, and more follow"),
    "huge": (
        header(2**32 - 1, 2**32 - 1, 2**32 - 1),
        "its axes (4294967295, 4294967295, 4294967295) make more than the 1073741824 bytes allowed",
    ),
    "nothing, hugely": (
        header(0, 2**32 - 1),
        "its axes (0, 4294967295) make more than the 1073741824 bytes allowed",
    ),
    "a claim of a gigabyte": (
        header(2**30),
        "truncated: its axes (1073741824,) take 1073741824 bytes, 0 are there",
    ),
    "cut in the compressed stream": (
        gzip.compress(GOOD)[:-9],
        "truncated: the compressed stream has no end",
    ),
}


@pytest.mark.parametrize(("content", "problem"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_file_is_one_clear_line(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "array"
    path.write_bytes(content)
    with pytest.raises(FileFormatError) as caught:
        read_idx(path)
    assert str(caught.value) == f"{path} cannot be read as IDX: {problem}."


def test_a_damaged_compression_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "array"
    for place, byte in [(2, 0x07), (15, 0xFF), (-6, 0x00)]:  # method, deflate stream, checksum
        content = bytearray(gzip.compress(GOOD))
        content[place] ^= byte or 0xFF
        path.write_bytes(content)
        with pytest.raises(FileFormatError) as caught:
            read_idx(path)
        problem = str(caught.value).removeprefix(f"{path} cannot be read as IDX: ")
        assert problem.startswith(("its compression is damaged (", "truncated: the compressed"))


def test_a_small_file_cannot_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(header(100) + bytes(50 * 2**20)))
    assert path.stat().st_size < 2**17
    claim = tmp_path / "claim"
    claim.write_bytes(header(2**30))
    tracemalloc.start()
    try:
        for file in (path, claim):
            with pytest.raises(FileFormatError):
                read_idx(file)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


@given(content=st.binary(max_size=100))
def test_arbitrary_bytes_never_do_more_than_fail(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("noise") / "array"
    path.write_bytes(b"\1" + content)
    with pytest.raises(FileFormatError):
        read_idx(path)
