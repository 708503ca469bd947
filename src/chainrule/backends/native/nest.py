"""Loop nests as data: what a kernel computes, before any thought of a machine.

A kernel is a list of statements over flat buffers. Indices are affine in the loops around them, so
that a view (a transpose, a slice, a broadcast) is other numbers in the same form, and no copy. A
loop may be marked `parallel`: its iterations do not depend on each other, and the emitter may run
several of them side by side as lanes. Nothing else may be reordered: the order of a sum is part of
what a graph means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chainrule.graph import DType


@dataclass(frozen=True)
class Affine:
    """A whole number: a constant plus multiples of indices, each a loop's or a local of i64.

    Parameters
    ----------
    constant : int
    terms : tuple of (str, int)
        Indices and their factors, none of them 0.
    """

    constant: int = 0
    terms: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, constant: int = 0, **factors: int) -> Affine:
        """Build one from factors by index name."""
        return cls(constant, tuple((name, f) for name, f in factors.items() if f))

    def __add__(self, other: Affine | int) -> Affine:
        if isinstance(other, int):
            return Affine(self.constant + other, self.terms)
        factors = dict(self.terms)
        for name, factor in other.terms:
            factors[name] = factors.get(name, 0) + factor
        terms = tuple((name, factor) for name, factor in factors.items() if factor)
        return Affine(self.constant + other.constant, terms)

    def __mul__(self, factor: int) -> Affine:
        terms = tuple((name, f * factor) for name, f in self.terms if factor)
        return Affine(self.constant * factor, terms)

    def factor(self, index: str) -> int:
        """By how much it grows with an index."""
        return dict(self.terms).get(index, 0)

    def __str__(self) -> str:
        parts = [name if f == 1 else f"{f}·{name}" for name, f in self.terms]
        if self.constant or not parts:
            parts.append(str(self.constant))
        return " + ".join(parts)


def index(name: str) -> Affine:
    """A loop's index, or a local of i64, as a whole number to compute with."""
    return Affine(0, ((name, 1),))


# --- values ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    """A number that stands in the code."""

    value: float | int | bool
    dtype: DType


@dataclass(frozen=True)
class Local:
    """The value of a `Let` or of a loop's accumulator."""

    name: str
    dtype: DType


@dataclass(frozen=True)
class Position:
    """An index as an i64 value."""

    at: Affine


@dataclass(frozen=True)
class Read:
    """An element of a buffer.

    Parameters
    ----------
    buffer : str
    at : Affine
    dtype : DType
    limit : int, optional
        How many lanes have a place, where fewer than there are; the others may be anything.
    """

    buffer: str
    at: Affine
    dtype: DType
    limit: int | None = None


@dataclass(frozen=True)
class Apply:
    """A scalar primitive applied to values: each rounds to `dtype`.

    ``fma`` is one rounding of a·b + c; only contractions ask for it. ``lanes`` are scalars side by
    side, and what is computed of them is; ``lane`` is one of them.
    """

    op: str
    arguments: tuple[Value, ...]
    dtype: DType


Value = Number | Local | Position | Read | Apply

# --- statements --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Let:
    """Name a value, so that it is computed once."""

    name: str
    value: Value


@dataclass(frozen=True)
class Write:
    """Put a value into an element of a buffer.

    Parameters
    ----------
    buffer : str
    at : Affine
    value : Value
    limit : int, optional
        How many lanes are written, where fewer than there are have a place.
    """

    buffer: str
    at: Affine
    value: Value
    limit: int | None = None


@dataclass(frozen=True)
class Carried:
    """An accumulator: a value that each iteration of a loop replaces.

    Parameters
    ----------
    name : str
        What it is called in the loop and after it.
    start, next : Value
        Before the first iteration; after each.
    """

    name: str
    start: Value
    next: Value


@dataclass(frozen=True)
class Loop:
    """Run the body for an index from 0 up to `count`.

    Parameters
    ----------
    index : str
    count : int
    body : tuple of Statement
    parallel : bool
        Whether the iterations may be lanes of vectors. Such a loop carries nothing.
    carried : tuple of Carried
        In the order in which they are replaced, all at once.
    shared : bool
        Whether threads divide the iterations among them. Such a loop carries nothing. If loops in
        its body are shared, it is their iterations that are dealt out, as one sequence: a thread
        does the rest of the body in each iteration of which it has a part.
    """

    index: str
    count: int
    body: tuple[Statement, ...] = ()
    parallel: bool = False
    carried: tuple[Carried, ...] = ()
    shared: bool = False


@dataclass(frozen=True)
class Turn:
    """Copy a square block, its rows becoming columns.

    Parameters
    ----------
    source : str
    at : Affine
        Of its first element.
    stride : int
        From one row of the source to the next; within a row elements lie one after the other.
    output : str
    to : Affine
    output_stride : int
    size : int
        Rows and columns: a power of two.
    dtype : DType
    """

    source: str
    at: Affine
    stride: int
    output: str
    to: Affine
    output_stride: int
    size: int
    dtype: DType


@dataclass(frozen=True)
class Prefetch:
    """Ask for the line of memory that an element lies in: it changes nothing but the time.

    Parameters
    ----------
    buffer : str
    at : Affine
        There need not be such an element.
    near : bool
        Whether it is wanted soon, in the nearest cache.
    """

    buffer: str
    at: Affine
    near: bool = True


Statement = Let | Write | Loop | Turn | Prefetch


@dataclass(frozen=True)
class Kernel:
    """A function over buffers.

    Parameters
    ----------
    name : str
    body : tuple of Statement
    buffers : mapping of str to DType
        What it reads and writes.
    own : mapping of str to int
        Those of which each thread has a piece of its own, and from one to the next how many
        elements there are.
    streamed : set of str
        Those that it writes and nothing reads: whole lines of them go past the caches.
    """

    name: str
    body: tuple[Statement, ...]
    buffers: Mapping[str, DType] = field(default_factory=dict)
    own: Mapping[str, int] = field(default_factory=dict)
    streamed: frozenset[str] = frozenset()

    @property
    def is_shared(self) -> bool:
        """Whether several threads run it, each a part; else one of them does."""
        return any(isinstance(each, Loop) and each.shared for each in self.body)

    def __str__(self) -> str:
        buffers = ", ".join(f"{name}: {dtype.value}" for name, dtype in self.buffers.items())
        own = [f"  own {name}[{stride}·thread ...]" for name, stride in self.own.items()]
        past = [f"  stream {name}" for name in sorted(self.streamed)]
        return "\n".join([f"kernel {self.name}({buffers})", *own, *past, *_lines(self.body, "  ")])


def _lines(statements: Sequence[Statement], indent: str) -> list[str]:
    lines: list[str] = []
    for statement in statements:
        match statement:
            case Let(name, value):
                lines.append(f"{indent}{name} = {show(value)}")
            case Write(buffer, at, value, limit):
                lanes = "" if limit is None else f"  ({limit} lanes)"
                lines.append(f"{indent}{buffer}[{at}] = {show(value)}{lanes}")
            case Prefetch(buffer, at):
                lines.append(f"{indent}prefetch {buffer}[{at}]")
            case Turn(source, at, _, output, to, _, size):
                lines.append(f"{indent}{output}[{to}] = {source}[{at}]  ({size}×{size}, turned)")
            case Loop(name, count, body, parallel, carried, shared):
                kind = "shared " * shared + "parallel " * parallel + "for"
                starts = "".join(f", {c.name} = {show(c.start)}" for c in carried)
                lines.append(f"{indent}{kind} {name} < {count}{starts}")
                lines += _lines(body, indent + "  ")
                lines += [f"{indent}  {c.name} <- {show(c.next)}" for c in carried]
    return lines


def show(value: Value) -> str:
    """A value as text."""
    match value:
        case Number(number):
            return repr(number)
        case Local(name):
            return name
        case Position(at):
            return f"({at})"
        case Read(buffer, at):
            return f"{buffer}[{at}]"
        case Apply(op, arguments):
            return f"{op}({', '.join(map(show, arguments))})"


def nested(counts: Sequence[tuple[str, int]], body: Sequence[Statement]) -> tuple[Statement, ...]:
    """The body in sequential loops, the first outermost."""
    made = tuple(body)
    for name, count in reversed(counts):
        made = (Loop(name, count, made),)
    return made


def joined(name: str, kernels: Sequence[Kernel]) -> Kernel:
    """Kernels one after the other, as one."""
    buffers: dict[str, DType] = {}
    for kernel in kernels:
        buffers |= kernel.buffers
    body = tuple(statement for kernel in kernels for statement in kernel.body)
    return Kernel(name, body, dict(sorted(buffers.items())))


def reads_of(value: Value) -> list[Read]:
    """The elements that a value is computed from."""
    found: list[Read] = []
    todo = [value]
    while todo:
        match todo.pop():
            case Read() as read:
                found.append(read)
            case Apply(_, arguments):
                todo += arguments
    return found


def buffers_of(body: Sequence[Statement]) -> set[str]:
    """The buffers that statements read or write."""
    found: set[str] = set()
    todo: list[Statement | Value] = list(body)
    while todo:
        match todo.pop():
            case Let(_, value):
                todo.append(value)
            case Write(buffer, _, value):
                found.add(buffer)
                todo.append(value)
            case Prefetch(buffer, _):
                found.add(buffer)
            case Turn(source, output=output):
                found |= {source, output}
            case Loop(body=inner, carried=carried):
                todo += inner
                todo += [c.next for c in carried]
            case Read(buffer, _):
                found.add(buffer)
            case Apply(_, arguments):
                todo += arguments
    return found


def has_limits(body: Sequence[Statement]) -> bool:
    """Whether anything is read or written for the first lanes alone."""
    todo: list[Statement | Value] = list(body)
    while todo:
        match todo.pop():
            case Let(_, value):
                todo.append(value)
            case Write(_, _, value, limit):
                if limit is not None:
                    return True
                todo.append(value)
            case Read(limit=limit):
                if limit is not None:
                    return True
            case Loop(body=inner, carried=carried):
                todo += inner
                todo += [c.next for c in carried]
            case Apply(_, arguments):
                todo += arguments
    return False


def written(body: Sequence[Statement]) -> set[str]:
    """The buffers that statements write."""
    found: set[str] = set()
    todo = list(body)
    while todo:
        match todo.pop():
            case Write(buffer) | Turn(output=buffer):
                found.add(buffer)
            case Loop(body=inner):
                todo += inner
    return found
