"""What threads share is seen to keep apart: against enumeration, and with races planted."""

import itertools

import pytest

from chainrule.backends.native import step as step_module
from chainrule.backends.native.apart import Units, accesses, keep_apart
from chainrule.backends.native.nest import (
    Affine,
    Kernel,
    Loop,
    Number,
    Read,
    Write,
    index,
)
from chainrule.backends.native.step import StepStages
from chainrule.backends.native.target import host
from chainrule.backends.native.team import Rounds
from chainrule.graph import DType
from tests.backends.native.drawn import drawn_network
from tests.backends.native.targets import target

F32 = DType.F32


def writing(*places):
    """Units of a loop over i < 6 that write into y."""
    body = [Write("y", at, Number(1.0, F32)) for at in places]
    loops = (Loop("r", 3, (Loop("l", 4, tuple(body)),)),)
    found = [a for a in accesses(loops, {"i": 6}) if a.buffer == "y"]
    return Units("i", 6, found)


I, R, L = index("i"), index("r"), index("l")


@pytest.mark.parametrize(
    ("places", "apart"),
    [
        ([I * 4 + L], True),
        ([I * 3 + L], False),
        ([I * 12 + R * 4 + L], True),
        ([I * 11 + R * 4 + L], False),
        ([I * 4 + L + R * 24], True),  # columns of rows of 24
        ([I * 4 + L + R * 23], False),
        ([I * 4 + L + R * 30, I * 4 + L + R * 30 + 6], False),
        ([I * 4 + L + R * 60, I * 4 + L + R * 60 + 30], True),
        ([I * 8 + L, I * 8 + L + 4], True),
        ([I * 8 + L, I * 4 + L], False),
        ([R * 4 + L], False),
        ([I * -4 + L], False),  # they do, but that need not be seen
        ([I * 4 + L + index("place") * 24], True),  # a place in a row that was read
        ([I * 4 + L + index("place")], False),
    ],
)
def test_whether_iterations_keep_apart_is_seen(places, apart):
    units = writing(*places)
    assert keep_apart([units]) is apart
    if apart:
        check_by_enumeration([units])


def check_by_enumeration(loops):
    """No two iterations touch one place, whatever was read from memory."""
    seen = {}
    for number, units in enumerate(loops):
        for access in units.found:
            names = [name for name, _ in access.at.terms]
            ranges = [range(access.counts.get(name, 3)) for name in names]
            for values in itertools.product(*ranges):
                where = dict(zip(names, values, strict=True))
                place = access.at.constant + sum(f * where[n] for n, f in access.at.terms)
                unit = (number, where.get(units.index, 0), where.get(units.outer, 0))
                assert seen.setdefault((access.buffer, place), unit) == unit


@pytest.mark.parametrize("machine", ["host", "sse2"])
@pytest.mark.parametrize("seed", range(100, 112))
def test_shared_loops_of_networks_keep_apart_place_by_place(seed, machine, monkeypatch):
    monkeypatch.setattr(step_module, "WORTH", 0.0)
    step, *_ = drawn_network(seed)
    chosen = host() if machine == "host" else target(machine)
    stages = StepStages(step.graph, chosen, wiring=step.wiring, threads=3)
    shared = [kernel for kernel in stages.kernels if kernel.is_shared]
    assert shared or stages.lowered.is_straight
    for kernel in shared:
        (loop,) = kernel.body
        inner = [each for each in loop.body if isinstance(each, Loop) and each.shared]
        around = {loop.index: loop.count}
        found = list(accesses(loop.body, around))
        common = {a.buffer for a in found if a.writes} - kernel.own.keys()
        if inner:
            rest = [each for each in loop.body if each not in inner]
            assert not {a.buffer for a in accesses(rest, around)} & common
        units = [
            Units(
                each.index,
                each.count,
                [
                    a
                    for a in accesses(each.body, {**around, each.index: each.count})
                    if a.buffer in common
                ],
                loop.index,
            )
            for each in inner or [loop]
        ]
        check_by_enumeration(units)


def kernel(name, reads=(), writes=(), *, shared=True, own=()):
    """One that touches these buffers."""
    values = [Read(buffer, Affine(), F32) for buffer in reads]
    body = [Write(b, Affine(), (values or [Number(1.0, F32)])[0]) for b in writes]
    buffers = dict.fromkeys([*reads, *writes], F32)
    loop = Loop("i", 2, tuple(body), shared=shared)
    return Kernel(name, (loop,), buffers, dict.fromkeys(own, 16))


def names(parts):
    return [[kernel.name for kernel in part if kernel.body] for part in parts]


def test_threads_wait_where_one_touches_what_another_has_written():
    kernels = [
        kernel("a", ["x"], ["y"]),
        kernel("b", ["x"], ["z"]),  # of no account to a
        kernel("c", ["y"], ["w"]),  # reads what a writes
        kernel("d", ["v"], ["y"]),  # writes what c reads
    ]
    rounds = Rounds.of(kernels, [], ["finite"])
    assert names(rounds.computing) == [["a", "b"], ["c"], ["d"]]


def test_what_the_first_thread_does_alone_waits_for_itself_only_by_its_order():
    kernels = [
        kernel("a", ["x"], ["y"], shared=False),
        kernel("b", ["y"], ["z"], shared=False),
        kernel("c", ["z"], ["w"]),
        kernel("d", ["w"], ["finite"], shared=False),
    ]
    rounds = Rounds.of(kernels, [], ["finite"])
    assert names(rounds.computing) == [["a", "b"], ["c"], ["d"]]


def test_pieces_of_their_own_need_no_waiting():
    kernels = [
        kernel("a", ["x"], ["sums"], own=["sums"]),
        kernel("b", ["v"], ["sums"], own=["sums"]),
        kernel("c", ["sums"], ["finite"], shared=False),
    ]
    rounds = Rounds.of(kernels, [], ["finite"])
    assert names(rounds.computing) == [["a", "b"], ["c"]]


def test_the_verdict_waits_for_what_it_reads():
    rounds = Rounds.of([kernel("a", ["x"], ["finite"])], [], ["finite"])
    assert names(rounds.computing) == [["a"], []]


def test_a_step_begins_while_the_one_before_ends():
    computing = [kernel("a", ["x"], ["y"]), kernel("b", ["y"], ["z"])]
    rounds = Rounds.of(computing, [kernel("next", ["u"], ["t"])], ["finite"])
    assert names(rounds.computing) == [["a"], ["b"]]
    assert names(rounds.ending) == [["next"]]
    assert set(rounds.at_once[0].buffers) == set("xyut") == set(rounds.at_once[-1].buffers)


def test_a_step_waits_for_the_end_of_the_one_before_where_it_must():
    computing = [kernel("a", ["x"], ["y"]), kernel("b", ["y"], ["z"])]
    rounds = Rounds.of(computing, [kernel("next", ["z"], ["x"])], ["finite"])
    assert names(rounds.computing) == [[], ["a"], ["b"]]
    assert names(rounds.ending) == [["next"]]
