"""Kernels for several threads: which of their loops are shared, what each thread has of its own.

Threads divide iterations, which make different elements of a result, and never a sum. A loop is
shared if its iterations keep apart (`apart`) but for memory that only they use: a packed panel is
written anew in each, and zeros that watch for values that are not finite are added up in any
order. Of such memory every thread has a piece of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from chainrule.backends.native.apart import Access, Units, accesses, keep_apart
from chainrule.backends.native.arena import LINE
from chainrule.backends.native.cost import cost_of
from chainrule.backends.native.names import free_names
from chainrule.backends.native.nest import (
    Kernel,
    Let,
    Loop,
    Statement,
    buffers_of,
)
from chainrule.backends.native.target import Target
from chainrule.backends.native.view import View
from chainrule.graph import DType

WORTH = 16_000.0
"""Vector instructions: some microseconds, several times what waiting for each other takes."""

_IN_A_STEP = 16
"""So many times that, in all: of short steps, threads that are held up lose more than they gain."""

Body = tuple[Statement, ...]


@dataclass(frozen=True)
class _Shared:
    """A loop that is shared, and the buffers of which each thread has a piece in it."""

    loop: Loop
    private: frozenset[str]


@dataclass(frozen=True)
class Sharing:
    """How kernels are made for several threads.

    Parameters
    ----------
    threads : int
        How many there are at most.
    target : Target
    worth : float
        How many vector instructions a thread must be spared by another.
    sizes : mapping of str to int
        Elements of the buffers that each serve one kernel and hold nothing afterwards.
    sums : mapping of str to int
        Elements of those in which zeros are added up.
    """

    threads: int
    target: Target
    worth: float
    sizes: Mapping[str, int]
    sums: Mapping[str, int]

    def _stride(self, buffer: str, dtype: DType) -> int:
        """How far apart the pieces of two threads are, in elements.

        Threads that write into one line of the cache take it from each other.
        """
        size = self.sizes[buffer] if buffer in self.sizes else self.sums[buffer]
        line = LINE // dtype.numpy.itemsize
        return -(-size // line) * line

    def kernels(self, kernels: Sequence[Kernel]) -> list[Kernel]:
        """The kernels, those with loops to share in pieces that are shared or not."""
        return [piece for kernel in kernels for piece in self._pieces(kernel)]

    def is_worth_while(self, kernels: Sequence[Kernel]) -> bool:
        """Whether threads gain by sharing these, all in all."""
        shared = [kernel for kernel in kernels if kernel.is_shared]
        spared = sum(cost_of(k.body, self._lanes(k)) for k in shared) * (1 - 1 / self.threads)
        return bool(shared) and spared >= _IN_A_STEP * self.worth

    def strides(self, kernels: Sequence[Kernel]) -> dict[str, int]:
        """From one thread's piece to the next, for each buffer of which all have one."""
        return {name: stride for kernel in kernels for name, stride in kernel.own.items()}

    def of_all(self, zeros: View, kernels: Sequence[Kernel]) -> View:
        """What all threads together have of zeros that are added up."""
        stride = self.strides(kernels).get(zeros.buffer)
        if stride is None:
            return zeros
        return replace(zeros, shape=(self.threads, zeros.size), strides=(stride, 1))

    def _lanes(self, kernel: Kernel) -> int:
        widest = max((d.numpy.itemsize for d in kernel.buffers.values()), default=8)
        return max(1, self.target.vector_bytes // widest)

    def _pieces(self, kernel: Kernel) -> list[Kernel]:
        pieces: list[Body | _Shared] = []
        for piece in self._divided(kernel):
            if pieces and isinstance(piece, tuple) and isinstance(pieces[-1], tuple):
                pieces[-1] += piece
            else:
                pieces.append(piece)
        if not any(isinstance(piece, _Shared) for piece in pieces):
            return [kernel]
        made = []
        for number, piece in enumerate(pieces):
            body: Body = (piece.loop,) if isinstance(piece, _Shared) else piece
            private = piece.private if isinstance(piece, _Shared) else frozenset[str]()
            own = {name: self._stride(name, kernel.buffers[name]) for name in sorted(private)}
            used = buffers_of(body)
            buffers = {name: dtype for name, dtype in kernel.buffers.items() if name in used}
            name = kernel.name if len(pieces) == 1 else f"{kernel.name}.{number}"
            made.append(Kernel(name, body, buffers, own))
        return made

    def _divided(self, kernel: Kernel) -> Iterator[Body | _Shared]:
        """Runs of statements, shared where that can be and is worth it."""
        lanes = self._lanes(kernel)
        costs = [cost_of([statement], lanes) for statement in kernel.body]

        def is_worth(cost: float) -> bool:
            return cost * (1 - 1 / self.threads) >= self.worth

        if not is_worth(sum(costs)):
            yield kernel.body
            return
        for first, end in _runs(kernel.body, self.sizes):
            run = kernel.body[first:end]
            if not is_worth(sum(costs[first:end])):
                yield run
                continue
            if len(run) > 1:
                around = (*kernel.body[:first], *kernel.body[end:])
                together = self._dealt(Loop("once", 1, run), around)
                if together is not None or any(map(_made_by, run)):
                    yield together or run
                    continue
            for place, statement in enumerate(run, first):
                others = (*kernel.body[:place], *kernel.body[place + 1 :])
                shared = self._shared(statement, others) if is_worth(costs[place]) else None
                yield shared or (statement,)

    def _shared(self, statement: Statement, others: Body) -> _Shared | None:
        """A statement as a loop that is shared."""
        if not isinstance(statement, Loop) or statement.carried or not statement.count:
            return None
        found = list(accesses(statement.body, {statement.index: statement.count}))
        private = frozenset[str]()
        for buffer, there in _written(found).items():
            apart = keep_apart([Units(statement.index, statement.count, there)])
            if buffer in self.sums or not apart:
                if not self._may_be_private(buffer, found, others):
                    return None
                private |= {buffer}
        if statement.count % self.threads and not statement.parallel:
            dealt = self._dealt(statement, others, private)
            if dealt is not None:
                return dealt
        if statement.count == 1:
            return None
        return _Shared(replace(statement, shared=True), private)

    def _dealt(
        self, outer: Loop, others: Body, private: frozenset[str] = frozenset()
    ) -> _Shared | None:
        """A loop whose inner loops are shared, as one sequence.

        Its own iterations keep apart, but for what is private already.
        """
        loops = [each for each in outer.body if isinstance(each, Loop) and self._is_unit(each)]
        if not loops or not _are_alike(loops):
            return None
        around = {outer.index: outer.count}
        found = list(accesses(outer.body, around))
        of_loops = [list(accesses(each.body, {**around, each.index: each.count})) for each in loops]
        units_of = set(map(id, loops))
        elsewhere = buffers_of([each for each in outer.body if id(each) not in units_of])
        for buffer in _written(found).keys() - private:
            units = [
                Units(each.index, each.count, _of(there, buffer), outer.index)
                for each, there in zip(loops, of_loops, strict=True)
            ]
            if buffer in self.sums or buffer in elsewhere or not keep_apart(units):
                if not self._may_be_private(buffer, found, others):
                    return None
                private |= {buffer}
        body = tuple(
            replace(each, shared=True) if isinstance(each, Loop) and id(each) in units_of else each
            for each in outer.body
        )
        return _Shared(replace(outer, body=body, shared=True), private)

    def _may_be_private(self, buffer: str, found: Sequence[Access], others: Body) -> bool:
        """Whether each thread may have a piece of it for itself."""
        if buffer in self.sums:
            return True
        first = next(access for access in found if access.buffer == buffer)
        return buffer in self.sizes and first.writes and buffer not in buffers_of(others)

    def _is_unit(self, loop: Loop) -> bool:
        """Whether a loop computes more than what only its neighbours use."""
        if loop.carried or loop.parallel:
            return False
        written = {access.buffer for access in accesses([loop]) if access.writes}
        return bool(written - self.sizes.keys())


def _written(found: Sequence[Access]) -> Mapping[str, list[Access]]:
    """All accesses of the buffers that are written, each place once."""
    written = {access.buffer for access in found if access.writes}
    return {name: _of(found, name) for name in sorted(written)}


def _of(found: Sequence[Access], buffer: str) -> list[Access]:
    there = {
        (access.at, tuple(access.counts.items())): access
        for access in found
        if access.buffer == buffer
    }
    return list(there.values())


def _runs(body: Body, own: Collection[str]) -> list[tuple[int, int]]:
    """Where statements in a row begin and end that use each other's names, or own memory."""
    runs: list[tuple[int, int]] = []
    used = [buffers_of([statement]) & set(own) for statement in body]
    made = [_made_by(statement) for statement in body]
    for place, statement in enumerate(body):
        begin = place
        free = free_names([statement]) if any(made[:place]) else set()
        if free:
            begin = min((i for i in range(place) if made[i] & free), default=place)
        elif runs and (
            _are_tiles(body[place - 1], statement)
            or any(used[place] & each for each in used[runs[-1][0] : place])
        ):
            begin = runs[-1][0]
        while runs and runs[-1][1] > begin:
            begin = min(begin, runs.pop()[0])
        runs.append((begin, place + 1))
    return runs


def _are_tiles(one: Statement, other: Statement) -> bool:
    """Whether two loops may be parts of one."""
    return isinstance(one, Loop) and isinstance(other, Loop) and one.index == other.index


def _made_by(statement: Statement) -> set[str]:
    """Names that later statements may use."""
    match statement:
        case Let(name):
            return {name}
        case Loop(carried=carried):
            return {c.name for c in carried}
    return set()


def _are_alike(loops: Sequence[Loop]) -> bool:
    """Whether iterations of all of them take about as long."""
    costs = [cost_of(each.body, 1) for each in loops]
    return max(costs) <= 1.5 * min(costs)
