"""From loop nests to LLVM IR: parallel loops become vectors, and shorter ones for what remains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chainrule.backends.native.arena import LINE
from chainrule.backends.native.code import Code, Reg
from chainrule.backends.native.ir import Function, memory_name, type_name
from chainrule.backends.native.nest import (
    Affine,
    Apply,
    Kernel,
    Let,
    Local,
    Loop,
    Number,
    Position,
    Prefetch,
    Read,
    Statement,
    Turn,
    Value,
    Write,
    buffers_of,
    has_limits,
)
from chainrule.backends.native.primitives import PRIMITIVES
from chainrule.backends.native.share import THREAD_PARAMETERS, Share
from chainrule.backends.native.target import Target
from chainrule.backends.native.turning import turn
from chainrule.base.errors import MissingKernelError
from chainrule.graph import DType

_WORTH_INTERLEAVING = range(24, 200)
"""Instructions: fewer do not wait for each other, more are enough by themselves."""


def emit_kernel(kernel: Kernel, target: Target) -> Function:
    """Write a kernel as a function of pointers to its buffers, in the kernel's order.

    One that is shared also takes the number of the thread, and how many there are.

    Raises
    ------
    MissingKernelError
        If it applies a primitive that this backend has not.
    """
    parameters = [
        ("ptr", f"%{'all' if name in kernel.own else 'b'}.{name}") for name in kernel.buffers
    ]
    if kernel.is_shared:
        parameters += THREAD_PARAMETERS
    function = Function(kernel.name, parameters)
    for name, stride in kernel.own.items():
        before = function.value(f"mul i64 %thread, {stride * kernel.buffers[name].numpy.itemsize}")
        function.lines.append(f"  %b.{name} = getelementptr i8, ptr %all.{name}, i64 {before}")
    _Emitter(function, kernel, target).statements(kernel.body, _Scope())
    function.do("ret void")
    return function


@dataclass(frozen=True)
class _Scope:
    """What names mean at a place of the nest.

    Parameters
    ----------
    indices : mapping of str to str
        Indices, as i64 registers; of the vector's index, that of lane 0.
    locals : mapping of str to (Reg, int)
        Values and their lanes.
    lanes : int
    vector : str
        The index that differs from lane to lane.
    """

    indices: Mapping[str, str] = field(default_factory=dict)
    locals: Mapping[str, tuple[Reg, int]] = field(default_factory=dict)
    lanes: int = 1
    vector: str = ""

    def with_local(self, name: str, value: Reg, lanes: int) -> _Scope:
        """The scope with one more local."""
        return replace(self, locals={**self.locals, name: (value, lanes)})


class _Emitter:
    """Writes the statements of one kernel."""

    def __init__(self, function: Function, kernel: Kernel, target: Target) -> None:
        self.function = function
        self.kernel = kernel
        self.target = target

    # --- statements --------------------------------------------------------------------------

    def statements(self, body: Sequence[Statement], scope: _Scope) -> _Scope:
        """Write statements in order; return the scope after them."""
        for statement in body:
            match statement:
                case Let(name, value):
                    scope = scope.with_local(name, *self.value(value, scope))
                case Write(buffer, at, value, limit):
                    self.write(buffer, at, *self.value(value, scope), scope, limit)
                case Prefetch():
                    self.prefetch(statement, scope)
                case Turn():
                    self.turn(statement, scope)
                case Loop(shared=True):
                    self.shared(statement, scope)
                case Loop(parallel=True):
                    self.parallel(statement, scope)
                case Loop():
                    scope = self.sequential(statement, scope)
        return scope

    def parallel(self, loop: Loop, scope: _Scope) -> None:
        """Write a loop whose iterations are lanes: whole vectors, then halves of what remains."""
        if scope.lanes > 1:  # inside of lanes already
            self.sequential(replace(loop, parallel=False), scope)
            return
        for first, count, inner in self.spans(loop, scope):
            self.run(loop, inner, first, count, inner.lanes)

    def spans(self, loop: Loop, scope: _Scope) -> Iterator[tuple[int, int, _Scope]]:
        """A parallel loop in parts: where each begins, its iterations, and the lanes they are."""
        # The first lanes are those of the whole loop, however wide its widest elements are.
        lanes, done = loop.count if has_limits(loop.body) else self.lanes_of(loop.body), 0
        wide = lanes * self.side_by_side(loop, replace(scope, lanes=lanes, vector=loop.index))
        if wide > lanes:
            done = loop.count // wide * wide
            yield 0, done, replace(scope, lanes=wide, vector=loop.index)
        while done < loop.count:
            whole = (loop.count - done) // lanes * lanes
            if whole:
                inner = replace(scope, lanes=lanes, vector=loop.index) if lanes > 1 else scope
                yield done, whole, inner
            done += whole
            lanes = max(lanes // 2, 1)

    def shared(self, loop: Loop, scope: _Scope) -> None:
        """Write a thread's part of a loop."""
        inner = [each for each in loop.body if isinstance(each, Loop) and each.shared]
        if loop.parallel:
            for first, count, wide in self.spans(loop, scope):
                mine = Share.of(self.function, count // wide.lanes)
                self.part(loop, wide, mine, first, wide.lanes)
        elif inner:
            self.dealt(loop, scope, sum(each.count for each in inner))
        else:
            self.part(loop, scope, Share.of(self.function, loop.count))

    def part(self, loop: Loop, scope: _Scope, mine: Share, first: int = 0, step: int = 1) -> None:
        """Write the iterations of a share, which may be none."""
        with mine.each(self.function) as number:
            i = self.function.value(f"mul i64 {number}, {step}") if step > 1 else number
            i = self.function.value(f"add i64 {i}, {first}") if first else i
            self.statements(loop.body, self.at(scope, loop.index, i))

    def dealt(self, loop: Loop, scope: _Scope, units: int) -> None:
        """Write a loop in whose body loops are shared: so many iterations of them in each."""
        mine = Share.of(self.function, loop.count * units)
        with mine.divided(self.function, units).each(self.function) as number:
            inside = self.at(scope, loop.index, number)
            here = mine.within(self.function, number, units)
            begin = 0
            for statement in loop.body:
                if isinstance(statement, Loop) and statement.shared:
                    there = here.of_those(self.function, begin, statement.count)
                    self.part(statement, inside, there)
                    begin += statement.count
                else:
                    inside = self.statements([statement], inside)

    def side_by_side(self, loop: Loop, scope: _Scope) -> int:
        """How many vectors are computed in one iteration, which LLVM then interleaves.

        The steps of a function such as exp wait for each other. What a processor can look ahead
        is not enough to fill that time with the iterations that follow.
        """
        together = self.target.registers // 8
        straight = all(isinstance(statement, Let | Write) for statement in loop.body)
        if scope.lanes == 1 or not straight or loop.count < 8 * together * scope.lanes:
            return 1
        probe = Function("probe", ())
        emitter = _Emitter(probe, self.kernel, self.target)
        emitter.statements(loop.body, emitter.at(scope, loop.index, "%probe"))
        return together if len(probe.lines) in _WORTH_INTERLEAVING else 1

    def run(self, loop: Loop, scope: _Scope, first: int, count: int, step: int) -> None:
        """Write the iterations from `first` on."""
        if count == step:
            self.statements(loop.body, self.at(scope, loop.index, str(first)))
            return
        with self.function.loop(count, step=step) as block:
            i = block.index if not first else self.function.value(f"add i64 {block.index}, {first}")
            self.statements(loop.body, self.at(scope, loop.index, i))

    def turn(self, block: Turn, scope: _Scope) -> None:
        """Load a block's rows, store its columns."""
        assert scope.lanes == 1, "a block has lanes of its own"
        rows = [
            self.load(block.source, self.address(place, scope), block.dtype, block.size)
            for place in (block.at + row * block.stride for row in range(block.size))
        ]
        columns = turn(self.function, [row.text for row in rows], block.dtype)
        for number, column in enumerate(columns):
            place = self.address(block.to + number * block.output_stride, scope)
            self.store(block.output, place, Reg(column, block.dtype), block.size)

    def sequential(self, loop: Loop, scope: _Scope) -> _Scope:
        """Write a loop that runs in order; return the scope with what it carried."""
        values = [self.lifted(*self.value(c.start, scope), scope) for c in loop.carried]
        if loop.count == 1:
            values = self.iteration(loop, scope, "0", values)
        elif loop.count:
            kinds = [type_name(start.dtype, scope.lanes) for start in values]
            carried = list(zip(kinds, [start.text for start in values], strict=True))
            with self.function.loop(loop.count, carried) as block:
                found = [Reg(n, v.dtype) for n, v in zip(block.values, values, strict=True)]
                values = self.iteration(loop, scope, block.index, found)
                block.next = [value.text for value in values]
        for c, value in zip(loop.carried, values, strict=True):
            scope = scope.with_local(c.name, value, scope.lanes)
        return scope

    def iteration(self, loop: Loop, scope: _Scope, i: str, values: Sequence[Reg]) -> list[Reg]:
        """Write one iteration, given what is carried into it; return what is carried on."""
        scope = self.at(scope, loop.index, i)
        for c, value in zip(loop.carried, values, strict=True):
            scope = scope.with_local(c.name, value, scope.lanes)
        scope = self.statements(loop.body, scope)
        return [self.lifted(*self.value(c.next, scope), scope) for c in loop.carried]

    def at(self, scope: _Scope, index: str, register: str) -> _Scope:
        """The scope inside a loop."""
        return replace(scope, indices={**scope.indices, index: register})

    def lanes_of(self, body: Sequence[Statement]) -> int:
        """As many lanes as the widest elements have in a register."""
        sizes = [self.kernel.buffers[name].numpy.itemsize for name in buffers_of(body)]
        return max(1, self.target.vector_bytes // max(sizes, default=8))

    # --- values ------------------------------------------------------------------------------

    def value(self, value: Value, scope: _Scope) -> tuple[Reg, int]:
        """Write a value; return it with its lanes: 1 where all lanes have the same."""
        match value:
            case Number(number, dtype):
                return Code(self.function, 1).number(number, dtype), 1
            case Local(name):
                return scope.locals[name]
            case Position(at):
                return self.position(at, scope)
            case Read(buffer, at, dtype, limit):
                return self.read(buffer, at, dtype, scope, limit)
            case Apply(op, arguments, dtype):
                found = [self.value(argument, scope) for argument in arguments]
                return self.apply(op, found, dtype)

    def apply(self, op: str, operands: Sequence[tuple[Reg, int]], dtype: DType) -> tuple[Reg, int]:
        """Apply a primitive, on lanes if one operand has them."""
        if op == "lanes":
            return self.beside([reg for reg, _ in operands])
        if op == "lane":
            return self.lane(*operands[0], operands[1][0].text), 1
        lanes = max((lanes for _, lanes in operands), default=1)
        code = Code(self.function, lanes)
        registers = [code.spread(reg) if own < lanes else reg for reg, own in operands]
        if op == "cast":
            return code.cast(registers[0], dtype), lanes
        if op not in PRIMITIVES:
            raise MissingKernelError(f"The native backend has no code for the primitive {op}")
        return PRIMITIVES.get(op)(code, *registers), lanes

    def beside(self, values: Sequence[Reg]) -> tuple[Reg, int]:
        """Scalars as lanes, the last once more until their number is a power of two."""
        dtype, lanes = values[0].dtype, 1 << (len(values) - 1).bit_length()
        kind, one, made = type_name(dtype, lanes), type_name(dtype), "poison"
        for lane in range(lanes):
            value = values[min(lane, len(values) - 1)].text
            made = self.function.value(f"insertelement {kind} {made}, {one} {value}, i64 {lane}")
        return Reg(made, dtype), lanes

    def lane(self, reg: Reg, lanes: int, lane: str) -> Reg:
        """One lane."""
        kind = type_name(reg.dtype, lanes)
        text = self.function.value(f"extractelement {kind} {reg.text}, i64 {lane}")
        return Reg(text, reg.dtype)

    def lifted(self, reg: Reg, lanes: int, scope: _Scope) -> Reg:
        """The value on all the scope's lanes."""
        return Code(self.function, scope.lanes).spread(reg) if lanes < scope.lanes else reg

    def position(self, at: Affine, scope: _Scope) -> tuple[Reg, int]:
        """An index as a value: on lanes, one after the other where it grows with them."""
        # The exclusive or changes nothing and becomes nothing, but without it LLVM follows the
        # index into all that is computed of it: seconds for the 20 rounds of a random block.
        base = Reg(self.function.value(f"xor i64 {self.address(at, scope)}, 0"), DType.I64)
        factor = at.factor(scope.vector) if scope.vector else 0
        if not factor:
            return base, 1
        code = Code(self.function, scope.lanes)
        steps = ", ".join(f"i64 {factor * lane}" for lane in range(scope.lanes))
        return code.add(code.spread(base), Reg(f"<{steps}>", DType.I64)), scope.lanes

    # --- memory ------------------------------------------------------------------------------

    def read(
        self, buffer: str, at: Affine, dtype: DType, scope: _Scope, limit: int | None
    ) -> tuple[Reg, int]:
        """Load: one element, a row of them, or one for each lane.

        A row is loaded whole, also where only its first lanes have a place: the arena does not end
        before a vector does.
        """
        places = self.places(at, scope)
        if isinstance(places, str):
            return self.load(buffer, places, dtype, 1), 1
        if places is None:
            return self.load(buffer, self.address(at, scope), dtype, scope.lanes), scope.lanes
        kind = type_name(dtype, scope.lanes)
        made = "poison"
        for lane, place in enumerate(places[:limit]):
            one = self.load(buffer, place, dtype, 1)
            made = self.function.value(
                f"insertelement {kind} {made}, {type_name(dtype)} {one.text}, i64 {lane}"
            )
        return Reg(made, dtype), scope.lanes

    def write(
        self, buffer: str, at: Affine, value: Reg, lanes: int, scope: _Scope, limit: int | None
    ) -> None:
        """Store: one element, a row of them, or one from each lane."""
        places = self.places(at, scope)
        if isinstance(places, str):
            assert lanes == 1 or limit == 1, "an element has one value"
            if lanes > 1:
                kind = type_name(value.dtype, lanes)
                text = self.function.value(f"extractelement {kind} {value.text}, i64 0")
                value = Reg(text, value.dtype)
            self.store(buffer, places, value, 1)
            return
        spread = self.lifted(value, lanes, scope)
        count = scope.lanes if limit is None else limit
        if places is None:
            past = buffer in self.kernel.streamed and self.are_lines(at, value.dtype, scope)
            self.store_row(buffer, self.address(at, scope), spread, scope.lanes, count, past)
            return
        kind = type_name(value.dtype, scope.lanes)
        for lane, place in enumerate(places[:count]):
            one = self.function.value(f"extractelement {kind} {spread.text}, i64 {lane}")
            self.store(buffer, place, Reg(one, value.dtype), 1)

    def are_lines(self, at: Affine, dtype: DType, scope: _Scope) -> bool:
        """Whether lanes are whole lines of memory; lane 0 is at a multiple of them in its loop."""
        factors = [factor for name, factor in at.terms if name != scope.vector]
        elements = LINE // dtype.numpy.itemsize
        return not any(each % elements for each in (at.constant, scope.lanes, *factors))

    def store_row(
        self, buffer: str, place: str, value: Reg, lanes: int, count: int, past: bool
    ) -> None:
        """Store the first lanes: in pieces of 8, 4, 2 and 1 where they are not all of them.

        Not under a mask: to the loads of what comes behind, such a store is one of the whole
        vector, and they wait until it has reached the cache.
        """
        if count == lanes:
            self.store(buffer, place, value, lanes, past)
            return
        kind, begin = type_name(value.dtype, lanes), 0
        while begin < count:
            width = min(1 << ((count - begin).bit_length() - 1), lanes)
            chosen = ", ".join(f"i32 {begin + lane}" for lane in range(width))
            at = self.function.value(f"add i64 {place}, {begin}") if begin else place
            if width == 1:
                one = self.function.value(f"extractelement {kind} {value.text}, i64 {begin}")
            else:
                mask = f"<{width} x i32> <{chosen}>"
                one = self.function.value(
                    f"shufflevector {kind} {value.text}, {kind} poison, {mask}"
                )
            self.store(buffer, at, Reg(one, value.dtype), width)
            begin += width

    def prefetch(self, wanted: Prefetch, scope: _Scope) -> None:
        """Have a line of memory in a cache before it is read."""
        dtype = self.kernel.buffers[wanted.buffer]
        pointer = self.pointer(wanted.buffer, self.address(wanted.at, scope), dtype)
        # for reading, in the first or the second cache, of data
        hints = [("i32", "0"), ("i32", "3" if wanted.near else "2"), ("i32", "1")]
        self.function.perform("llvm.prefetch.p0", ("ptr", pointer), *hints)

    def places(self, at: Affine, scope: _Scope) -> str | list[str] | None:
        """Where lanes are: at one place, each at its own, or (None) one after the other."""
        differing = [name for name, _ in at.terms if self.differs(name, scope)]
        if not differing:
            return self.address(at, scope)
        if differing == [scope.vector] and at.factor(scope.vector) == 1:
            return None
        return [self.address(at, scope, lane) for lane in range(scope.lanes)]

    def differs(self, name: str, scope: _Scope) -> bool:
        """Whether an index differs from lane to lane."""
        if name in scope.locals:
            return scope.locals[name][1] > 1
        return name == scope.vector

    def address(self, at: Affine, scope: _Scope, lane: int = 0) -> str:
        """The i64 value of an index, in one lane."""
        constant, terms = at.constant, []
        for name, factor in at.terms:
            if name in scope.locals:
                register = self.lane_of(*scope.locals[name], lane)
            else:
                register = scope.indices[name]
                if name == scope.vector:
                    constant += factor * lane
            if register.lstrip("-").isdigit():
                constant += factor * int(register)
            else:
                terms.append((register, factor))
        total = ""
        for register, factor in terms:
            part = register if factor == 1 else self.function.value(f"mul i64 {register}, {factor}")
            total = part if not total else self.function.value(f"add i64 {total}, {part}")
        if not total:
            return str(constant)
        return self.function.value(f"add i64 {total}, {constant}") if constant else total

    def lane_of(self, reg: Reg, lanes: int, lane: int) -> str:
        """One lane of a local, as an i64."""
        text = reg.text
        if lanes > 1:
            kind = type_name(reg.dtype, lanes)
            text = self.function.value(f"extractelement {kind} {text}, i64 {lane}")
        return Code(self.function, 1).cast(Reg(text, reg.dtype), DType.I64).text

    def pointer(self, buffer: str, place: str, dtype: DType) -> str:
        """The address of an element."""
        kind = memory_name(dtype)
        return self.function.value(f"getelementptr {kind}, ptr %b.{buffer}, i64 {place}")

    def load(self, buffer: str, place: str, dtype: DType, lanes: int) -> Reg:
        pointer = self.pointer(buffer, place, dtype)
        kind, size = memory_name(dtype, lanes), dtype.numpy.itemsize
        text = self.function.value(f"load {kind}, ptr {pointer}, align {size}")
        if dtype is DType.BOOL:
            text = self.function.value(f"trunc {kind} {text} to {type_name(dtype, lanes)}")
        return Reg(text, dtype)

    def store(self, buffer: str, place: str, value: Reg, lanes: int, past: bool = False) -> None:
        """Store lanes: past the caches, if they are whole lines."""
        pointer, text = self.pointer(buffer, place, value.dtype), value.text
        kind, size = memory_name(value.dtype, lanes), value.dtype.numpy.itemsize
        if value.dtype is DType.BOOL:
            text = self.function.value(f"zext {type_name(value.dtype, lanes)} {text} to {kind}")
        how = f"align {LINE}, !nontemporal !{{i32 1}}" if past else f"align {size}"
        self.function.do(f"store {kind} {text}, ptr {pointer}, {how}")
