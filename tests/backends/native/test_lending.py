"""The memory of recorded steps: it is used again when nobody reads it any more, and not before."""

import gc
import mmap

import numpy as np
import pytest

from chainrule.backends import Wiring, get_backend
from chainrule.backends.native.lending import Lending, lasting
from chainrule.base.constant import is_constant
from chainrule.base.errors import DataError
from chainrule.graph import parse_graph

SIZE = 5 * 2**20 + 64

pytestmark = pytest.mark.skipif(
    not hasattr(mmap, "MADV_FREE"), reason="only some systems take memory back without a hurry"
)


def address(array):
    return array.ctypes.data


def test_what_nobody_reads_any_more_is_lent_again():
    lending = Lending(SIZE)
    first = lending.lend()
    place = address(first)
    del first
    assert address(lending.lend()) == place


SHARING = {
    "a part": lambda arena: arena[7:],
    "a view of a part": lambda arena: lasting(arena)[7:].view(np.int8),
    "a value": lambda arena: np.ndarray((3, 5), np.float32, lasting(arena), 8, (64, 4)).T,
    "no array": lambda arena: memoryview(arena),
    "no array, of a part": lambda arena: memoryview(lasting(arena)[7:]),
    "an array of that": lambda arena: np.frombuffer(lasting(arena), np.float32, 4),
    "what an array rests on": lambda arena: lasting(arena).base,
}


@pytest.mark.parametrize("how", SHARING)
def test_what_shares_memory_keeps_it_from_being_lent(how):
    lending = Lending(SIZE)
    arena = lending.lend()
    place = address(arena)
    kept = SHARING[how](arena)
    del arena
    gc.collect()
    other = lending.lend()
    assert address(other) != place
    del kept
    assert address(lending.lend()) == place


def test_arenas_that_are_lent_at_once_are_different_memory():
    lending = Lending(SIZE)
    a, b = lending.lend(), lending.lend()
    assert not np.shares_memory(a, b)
    del a, b
    a, b = lending.lend(), lending.lend()
    assert not np.shares_memory(a, b)
    assert address(a) % 64 == address(b) % 64 == 0


def test_an_arena_outlives_what_lent_it():
    arena = Lending(SIZE).lend()
    gc.collect()
    arena[...] = 7
    assert arena.sum(dtype=np.int64) == 7 * SIZE


def test_small_arenas_begin_where_a_line_does():
    arena = Lending(100).lend()
    assert arena.size == 100
    assert address(arena) % 64 == 0


def test_memory_that_lasts_cannot_be_written_in():
    arena = Lending(SIZE).lend()
    arena[...] = 3
    kept = lasting(arena)
    assert is_constant(kept)
    with pytest.raises(ValueError, match="WRITEABLE"):
        kept.flags.writeable = True


# A table of 4 MB of which rows are taken, so that it can go wrong, and what is next.
STEP = parse_graph("""\
graph step(w: f32[1024,1024], at: i64[B=2]) -> f32[1024,1024]
  taken: f32[B=2,1024] = gather(w, at)  axis=0
  twice: f32[1024,1024] = add(w, w)
  return w=twice""")


def recorded(program, number, at):
    state = {"w": np.full((1024, 1024), number, np.float32)}
    return program.record(state, {}, np.zeros(0, np.int64), {"at": np.array(at)})


def test_values_stay_while_later_steps_are_recorded():
    program = get_backend("native").compile(STEP, Wiring(state={"w": "w"}))
    kept = {number: recorded(program, number, [0, 1])["twice"] for number in (1, 3)}
    places = set()
    for number in range(10, 16):
        seen = recorded(program, number, [0, 1])
        assert (seen["taken"] == number).all()
        assert (seen["twice"] == 2 * number).all()
        places.add(address(seen["w"]))
    assert len(places) == 2, "the one that is looked at, and the next"
    for number, array in kept.items():
        assert (array == 2 * number).all()


def test_an_index_out_of_range_is_forgotten_by_the_next_step():
    program = get_backend("native").compile(STEP, Wiring(state={"w": "w"}))
    for _ in range(2):
        with pytest.raises(DataError, match="got 1024"):
            recorded(program, 1, [0, 1024])
        assert (recorded(program, 1, [0, 1023])["taken"] == 1).all()
