"""What can be kept without a copy: arrays that nobody can write in."""

import mmap

import numpy as np
import pytest

from chainrule.base.constant import as_kept, is_constant, make_constant

F32 = np.dtype(np.float32)


def read_only(array):
    array.flags.writeable = False
    return array


def test_an_array_that_can_be_written_in_is_not_constant():
    assert not is_constant(np.zeros(3))


def test_a_read_only_array_is_constant_and_so_are_its_views():
    x = read_only(np.zeros((3, 2)))
    assert is_constant(x)
    assert is_constant(x[1:].T)


def test_a_read_only_view_of_an_array_that_can_be_written_in_is_not_constant():
    x = np.zeros((3, 2))
    assert not is_constant(read_only(x[:2]))
    assert not is_constant(np.broadcast_to(x, (4, 3, 2)))


def test_bytes_are_constant_and_a_bytearray_is_not():
    assert is_constant(np.frombuffer(bytes(8), np.uint8))
    assert not is_constant(read_only(np.frombuffer(bytearray(8), np.uint8)))


@pytest.mark.parametrize(("mode", "constant"), [("r", True), ("c", False), ("r+", False)])
def test_a_mapped_file_is_constant_if_it_is_mapped_to_be_read(tmp_path, mode, constant):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros(3))
    assert is_constant(np.asarray(read_only(np.load(path, mmap_mode=mode)))) is constant


def test_asking_leaves_a_map_closable(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(bytes(8))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        x = np.frombuffer(mapped, np.uint8)
        assert is_constant(x)
        del x


def test_a_loaded_array_is_a_view_and_is_made_constant_with_what_it_is_a_view_of(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    x = np.load(tmp_path / "x.npy")
    make_constant(x)
    assert is_constant(x)


def test_memory_of_a_stranger_is_not_constant():
    class Stranger:
        def __init__(self):
            self.held = np.zeros(3)
            self.__array_interface__ = self.held.__array_interface__ | {
                "data": (self.held.ctypes.data, True)
            }

    x = np.asarray(Stranger())
    assert not x.flags.writeable
    assert not is_constant(x)


def test_what_is_kept_is_the_array_itself_only_where_it_is_constant_and_as_it_has_to_be():
    x = np.ones((3, 2), np.float32)
    assert not np.shares_memory(as_kept(x, F32), x)
    read_only(x)
    assert as_kept(x, F32) is x
    assert as_kept(x, np.dtype(np.float64)).dtype == np.float64
    assert as_kept(x.T, F32).flags.c_contiguous
    assert not np.shares_memory(as_kept(x.T, F32), x)
