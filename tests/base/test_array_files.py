"""Arrays out of other people's files: read as they are, and no file does harm."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from chainrule.base.array_files import ArrayKind, array_kinds, read_arrays
from chainrule.base.errors import FileFormatError, NameNotFoundError
from chainrule.base.files import write_tensors

ARRAYS = {
    "encoder.weight": np.arange(6.0).reshape(2, 3),
    "encoder.bias": np.array([1, 2], np.float32),
    "transposed": np.arange(6).reshape(2, 3).T,
    "big endian": np.array([1.5, 2.5], ">f8"),
    "half": np.array([0.5], np.float16),
    "number": np.array(7),
    "none": np.zeros((0, 3)),
}


@pytest.fixture(params=["npz", "compressed npz", "safetensors"])
def file(request, tmp_path):
    path = tmp_path / "weights.bin"  # what it begins with counts, not what it is called
    if request.param == "safetensors":
        write_tensors(
            path, {name: a.astype(a.dtype.newbyteorder("=")) for name, a in ARRAYS.items()}
        )
    else:
        write = np.savez if request.param == "npz" else np.savez_compressed
        with path.open("wb") as stream:
            write(stream, **ARRAYS)
    return path


def test_arrays_come_back(file):
    found = read_arrays(file, ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found[name], array)


def test_kinds_are_known_without_the_numbers(file):
    kinds = array_kinds(file)
    assert set(kinds) == set(ARRAYS)
    assert kinds["transposed"].shape == (3, 2)
    assert kinds["encoder.bias"] == ArrayKind((2,), np.dtype(np.float32))


def test_a_name_that_is_not_there(file):
    with pytest.raises(NameNotFoundError) as caught:
        read_arrays(file, ["encoder.weigth"])
    assert str(caught.value).startswith(
        f'No array is named "encoder.weigth". {file}. Did you mean "encoder.weight"?'
    )


def npy(array, header=None):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=True)
    return stream.getvalue()


def with_header(text, content=b""):
    header = text.encode() + b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


def archive(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


class Harmful:
    """What would run code when it is unpickled."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


def test_objects_are_shown_and_never_unpickled(tmp_path):
    harmful = npy(np.array([Harmful()], object))
    path = archive(tmp_path / "x.npz", [("a.npy", npy(np.eye(2))), ("b.npy", harmful)])
    assert array_kinds(path)["b"].dtype == object
    np.testing.assert_array_equal(read_arrays(path, ["a"])["a"], np.eye(2))
    with pytest.raises(FileFormatError) as caught:
        read_arrays(path, ["b"])
    assert str(caught.value) == (
        f'{path} cannot be read as npz: "b" holds Python objects, which would have to be unpickled.'
    )


HUGE = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s,), }"
SPOILED = {
    "a huge shape": ([("a.npy", with_header(HUGE % 10**12, bytes(16)))], "takes 8000000000"),
    "a shape beyond all": ([("a.npy", with_header(HUGE % 10**16))], "which no array here has"),
    "a negative size": ([("a.npy", with_header(HUGE % -4))], "has the shape (-4,)"),
    "cut short": ([("a.npy", npy(np.eye(4))[:-8])], "takes 256 bytes with its header, and 248"),
    "more than it says": ([("a.npy", npy(np.eye(4)) + bytes(8))], "and 264 are there"),
    "no array": ([("a.npy", npy(np.eye(2))), ("readme.txt", b"hello")], '"readme.txt" in it is no'),
    "not npy inside": ([("a.npy", b"hello, world")], '"a" has a malformed header'),
    "code for a header": ([("a.npy", with_header("__import__('os').abort()"))], "malformed header"),
    "another version": (
        [("a.npy", b"\x93NUMPY\x07\x00" + bytes(100))],
        "malformed header (version (7, 0) of the format)",
    ),
    "nothing inside": ([("a.npy", b"")], '"a" has a malformed header'),
    "a path upward": ([("../a.npy", npy(np.eye(2)))], "a tensor cannot be named '../a'"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_spoiled_files_are_refused_before_memory_is_taken(case, tmp_path):
    members, message = SPOILED[case]
    path = archive(tmp_path / "x.npz", members)
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError) as caught:
            read_arrays(path, ["a"])
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_name_twice(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = archive(tmp_path / "x.npz", [("a.npy", npy(np.eye(2)))] * 2)
    with pytest.raises(FileFormatError, match=r'it holds "a" twice\.$'):
        array_kinds(path)


def test_every_cut_and_many_flipped_bytes_are_one_clear_error(tmp_path):
    whole = tmp_path / "whole.npz"
    np.savez_compressed(whole, a=np.arange(50.0))
    content = whole.read_bytes()
    path = tmp_path / "x.npz"
    rng = np.random.default_rng(0)
    spoiled = [content[:size] for size in range(0, len(content), 7)]
    for position in rng.integers(0, len(content), 200):
        changed = bytearray(content)
        changed[position] ^= int(rng.integers(1, 256))
        spoiled.append(bytes(changed))
    survived = 0
    for each in spoiled:
        path.write_bytes(each)
        try:
            found = read_arrays(path, ["a"])["a"]
        except (FileFormatError, NameNotFoundError):
            continue
        np.testing.assert_array_equal(found, np.arange(50.0))  # a byte that nobody reads
        survived += 1
    assert survived < len(spoiled) / 2


def test_a_bomb_that_is_not_wanted_is_not_unpacked(tmp_path):
    size = 2**25
    zeros = with_header(HUGE % size, bytes(8 * size))
    path = archive(
        tmp_path / "x.npz",
        [("bomb.npy", zeros), ("a.npy", npy(np.eye(2)))],
        compression=zipfile.ZIP_DEFLATED,
    )
    del zeros
    tracemalloc.start()
    try:
        assert array_kinds(path)["bomb"].shape == (size,)
        read_arrays(path, ["a"])
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def test_a_file_that_is_not_there_is_the_systems_to_report(tmp_path):
    with pytest.raises(FileNotFoundError):
        array_kinds(tmp_path / "none.npz")
