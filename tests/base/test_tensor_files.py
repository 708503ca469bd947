"""Arrays go to a safetensors file and come back; a malformed file is one clear line."""

import json
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from chainrule.base import tensor_header
from chainrule.base.errors import FileFormatError
from chainrule.base.files import read_tensors, write_tensors

ARRAYS = st.sampled_from(sorted(tensor_header.DTYPES)).flatmap(
    lambda name: arrays.arrays(
        tensor_header.DTYPES[name].newbyteorder("="),
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    )
)
NAMES = st.from_regex(r"[a-z]+(\.[a-z0-9_]+){0,2}", fullmatch=True)


def assert_same(found: dict[str, NDArray[Any]], expected: dict[str, NDArray[Any]]) -> None:
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


@given(tensors=st.dictionaries(NAMES, ARRAYS, max_size=4))
def test_arrays_come_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, NDArray[Any]]
) -> None:
    path = tmp_path_factory.mktemp("tensors") / "m.safetensors"
    write_tensors(path, tensors, {"made by": "a test"})
    found, metadata = read_tensors(path)
    assert metadata == {"made by": "a test"}
    assert_same(found, tensors)
    assert_same(load_file(path), tensors)


def test_files_of_the_reference_writer_are_read(tmp_path: Path) -> None:
    tensors = {"0.weight": np.arange(6.0).reshape(2, 3), "0.bias": np.array([True, False])}
    save_file(tensors, tmp_path / "m.safetensors")
    found, metadata = read_tensors(tmp_path / "m.safetensors")
    assert metadata == {}
    assert_same(found, tensors)


def test_views_and_foreign_byte_orders_keep_their_values(tmp_path: Path) -> None:
    base = np.arange(12, dtype=np.float32).reshape(3, 4)
    given = {"t": base.T, "s": base[::2, 1::2], "big": base.astype(">f4"), "0d": np.array(2.5)}
    write_tensors(tmp_path / "m.safetensors", given)
    found, _ = read_tensors(tmp_path / "m.safetensors")
    for name, array in given.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].shape == array.shape
        assert found[name].dtype.isnative


def test_arrays_that_were_read_can_be_written_to(tmp_path: Path) -> None:
    write_tensors(tmp_path / "m.safetensors", {"b": np.zeros(2)})
    found, _ = read_tensors(tmp_path / "m.safetensors")
    found["b"] += 1
    assert found["b"].tolist() == [1, 1]


WRONG_NAMES = ["../x", "a/../b", "/etc", "C:/x", "C:\\x", "..", " a", "a\n", "", "\\x"]


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_a_name_that_could_not_be_read_is_not_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / "m.safetensors"
    with pytest.raises(FileFormatError) as caught:
        write_tensors(path, {name: np.zeros(1)})
    assert str(caught.value) == (
        f'{path}: a tensor cannot be named {name!r}. Names look like "encoder.0.weight".'
    )
    assert not path.exists()


def test_a_dtype_that_the_format_lacks_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    with pytest.raises(FileFormatError) as caught:
        write_tensors(path, {"z": np.zeros(1, complex)})
    assert str(caught.value) == (
        f'{path}: safetensors cannot hold "z" of dtype complex128. '
        "It holds F64, F32, F16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL."
    )


def file_bytes(header: str | bytes | dict[str, Any], data: bytes = b"") -> bytes:
    if isinstance(header, dict):
        header = json.dumps(header)
    raw = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(raw)) + raw + data


def entry(shape: list[Any], offsets: list[Any], dtype: Any = "F32", **more: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}


W = entry([2], [0, 8])
W_TEXT = json.dumps(W)

MALFORMED = {
    "empty": (b"", "the file has 0 bytes, and 8 hold a length"),
    "short length": (b"\x01\x00", "the file has 2 bytes, and 8 hold a length"),
    "header past the end": (
        struct.pack("<Q", 2**63) + b"{}",
        f"the header should have {2**63} bytes, 2 follow",
    ),
    "leading space": (file_bytes(" {}"), "the header starts with b' ', not with a brace"),
    "no header": (file_bytes(""), "the header starts with b'', not with a brace"),
    "not JSON": (
        file_bytes('{"a": }'),
        "the header is not JSON (Expecting value: line 1 column 7 (char 6))",
    ),
    "a key twice": (
        file_bytes(f'{{"w": {W_TEXT}, "w": {W_TEXT}}}', bytes(8)),
        "the header has the key 'w' twice",
    ),
    "a nested key twice": (
        file_bytes('{"w": {"dtype": "F32", "dtype": "F64"}}'),
        "the header has the key 'dtype' twice",
    ),
    "not a number": (file_bytes('{"w": NaN}'), "the header holds NaN, which is not JSON"),
    "metadata of numbers": (
        file_bytes({"__metadata__": {"a": 1}}),
        "its __metadata__ must map text to text",
    ),
    "a missing field": (
        file_bytes({"w": {"dtype": "F32", "shape": [2]}}),
        '"w" must have dtype, shape and data_offsets, and nothing else',
    ),
    "a field too many": (
        file_bytes({"w": entry([2], [0, 8], extra=1)}, bytes(8)),
        '"w" must have dtype, shape and data_offsets, and nothing else',
    ),
    "a shape of text": (
        file_bytes({"w": entry(["2"], [0, 8])}, bytes(8)),
        "\"w\" has the shape ['2'], which is not a list of lengths",
    ),
    "a shape of truth": (
        file_bytes({"w": entry([True], [0, 4])}, bytes(4)),
        '"w" has the shape [True], which is not a list of lengths',
    ),
    "a negative length": (
        file_bytes({"w": entry([-2], [0, 8])}, bytes(8)),
        '"w" has the shape [-2], which is not a list of lengths',
    ),
    "too many axes": (
        file_bytes({"w": entry([1] * 33, [0, 4])}, bytes(4)),
        f'"w" has the shape {str([1] * 33)[:80]}, which is not a list of lengths',
    ),
    "an empty array of absurd length": (
        file_bytes({"w": entry([0, 2**60], [0, 0])}),
        f'"w" has the shape [0, {2**60}], larger than any array here',
    ),
    "a product that overflows": (
        file_bytes({"w": entry([2**32, 2**32, 2], [0, 8])}, bytes(8)),
        f'"w" has the shape [{2**32}, {2**32}, 2], larger than any array here',
    ),
    "one offset": (
        file_bytes({"w": entry([2], [0])}, bytes(8)),
        '"w" has the data_offsets [0], not [begin, end]',
    ),
    "offsets that do not hold the shape": (
        file_bytes({"w": entry([3], [0, 8])}, bytes(8)),
        '"w", F32 of shape [3], takes 12 bytes, but its data_offsets [0, 8] hold 8',
    ),
    "overlap": (
        file_bytes({"v": W, "w": entry([2], [4, 12])}, bytes(12)),
        'the bytes of "w" start at 4, not 8: they overlap',
    ),
    "a gap": (
        file_bytes({"v": W, "w": entry([2], [12, 20])}, bytes(20)),
        'the bytes of "w" start at 12, not 8: they leave a gap',
    ),
    "truncated": (
        file_bytes({"w": W}, bytes(7)),
        "the tensors take 8 bytes and 7 are there: truncated",
    ),
    "bytes left over": (
        file_bytes({"w": W}, bytes(9)),
        "the tensors take 8 bytes and 9 are there: followed by bytes that belong to no name",
    ),
    "a truth value of 7": (
        file_bytes({"w": entry([2], [0, 2], "BOOL")}, b"\x01\x07"),
        '"w" is BOOL and holds a byte of 7, where only 0 and 1 are truth values',
    ),
}


@pytest.mark.parametrize(("content", "problem"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_file_is_one_clear_line(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(FileFormatError) as caught:
        read_tensors(path)
    assert str(caught.value) == f"{path} cannot be read as safetensors: {problem}."


def test_an_unknown_dtype_lists_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(file_bytes({"w": entry([2], [0, 4], "BF16")}, bytes(4)))
    with pytest.raises(FileFormatError) as caught:
        read_tensors(path)
    assert str(caught.value) == (
        f"{path} cannot be read as safetensors: \"w\" has the dtype 'BF16'. This version reads "
        "F64, F32, F16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL."
    )


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a\x1b[31m", "a" * 1025])
def test_a_dangerous_name_is_not_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(file_bytes({name: W}, bytes(8)))
    with pytest.raises(FileFormatError) as caught:
        read_tensors(path)
    assert str(caught.value) == (
        f'{path}: a tensor cannot be named {name[:80]!r}. Names look like "encoder.0.weight".'
    )


def test_more_names_than_any_network_has_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(file_bytes({f"w{i}": entry([0], [0, 0]) for i in range(100_001)}))
    with pytest.raises(FileFormatError) as caught:
        read_tensors(path)
    assert str(caught.value) == (
        f"{path} cannot be read as safetensors: it names 100001 tensors, over the limit of 100000."
    )


def test_a_header_larger_than_any_network_needs_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(file_bytes(b"{}" + b" " * (16 * 2**20)))
    with pytest.raises(FileFormatError) as caught:
        read_tensors(path)
    assert str(caught.value) == (
        f"{path} cannot be read as safetensors: "
        f"the header has {16 * 2**20 + 2} bytes, over the limit of {16 * 2**20}."
    )


def test_brackets_without_end_are_not_json(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(file_bytes('{"a":' + "[" * 200_000))
    with pytest.raises(FileFormatError, match=r"the header is not JSON \(maximum recursion depth"):
        read_tensors(path)


@given(content=st.binary(max_size=200), valid_length=st.booleans())
def test_arbitrary_bytes_never_do_more_than_fail(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, valid_length: bool
) -> None:
    path = tmp_path_factory.mktemp("noise") / "m.safetensors"
    path.write_bytes(file_bytes(b"{" + content) if valid_length else content)
    with suppress(FileFormatError):
        tensors, _ = read_tensors(path)
        assert tensors == {}  # "{" and "}" with white space: the one file that is no noise


def test_the_same_numbers_are_the_same_bytes(tmp_path):
    metadata = {key: key for key in ("format", "architecture", "step", "epoch", "update")}
    for name in ("a", "b"):
        write_tensors(tmp_path / name, {"x": np.arange(3.0), "y": np.ones(2)}, metadata)
        metadata = dict(reversed(metadata.items()))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
