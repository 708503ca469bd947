"""Random bits: the scheme of `base.random`, word for word."""

from __future__ import annotations

from chainrule.backends.native.frame import NESTS, Frame, axes, count_of
from chainrule.backends.native.nest import (
    Affine,
    Apply,
    Let,
    Local,
    Loop,
    Number,
    Position,
    Statement,
    Value,
    Write,
    index,
    nested,
)
from chainrule.base.random import stream_id
from chainrule.graph import DType
from chainrule.ops.random import RandomBits

_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
_KEY_PARITY = 0x1BD11BDA


@NESTS.register("random_bits")
def _random_bits(op: RandomBits, frame: Frame) -> tuple[Statement, ...]:
    """The scheme of `base.random`, word for word."""
    (seed, step, rows), y = frame.inputs, frame.output
    loops, at = axes(rows.shape)
    body: list[Statement] = []

    def word(value: int) -> Value:
        return Number(value, DType.U32)

    def block(
        name: str, key: tuple[Value, Value], counter: tuple[Value, Value]
    ) -> tuple[Value, Value]:
        return threefry(name, key, counter, body)

    seeds = (seed.read([Affine()]), seed.read([Affine(1)]))
    key = block("a", seeds, tuple(map(word, stream_id(op.stream))))  # type: ignore[arg-type]
    key = block("b", key, _two_words(step.read([])))
    row_key = block("c", key, _two_words(rows.read(at)))
    words = count_of(op.shape)
    flat = y.reshaped((*rows.shape, words))
    assert flat is not None
    halves: list[Statement] = []
    pair = Apply("cast", (Position(index("w")),), DType.U32)
    drawn = threefry("d", row_key, (pair, word(0)), halves)
    for half in range(2):
        place = flat.at([*at, index("w") * 2 + half])
        halves.append(Write(flat.buffer, place, drawn[half]))
    whole = [Loop("w", words // 2, tuple(halves), parallel=True)] if words > 1 else []
    last: list[Statement] = []
    if words % 2:
        final = threefry("e", row_key, (word(words // 2), word(0)), last)
        last.append(Write(flat.buffer, flat.at([*at, Affine(words - 1)]), final[0]))
    return nested(loops, [*body, *whole, *last]) if words else ()


def _two_words(value: Value) -> tuple[Value, Value]:
    """An i64 as its low and its high word."""
    high = Apply("shift_right", (value, Number(32, DType.I64)), DType.I64)
    return Apply("cast", (value,), DType.U32), Apply("cast", (high,), DType.U32)


def threefry(
    name: str, key: tuple[Value, Value], counter: tuple[Value, Value], body: list[Statement]
) -> tuple[Value, Value]:
    """Append the block of Threefry-2x32-20; return its two words   [Salmon et al. 2011]."""
    count = 0

    def let(op: str, *arguments: Value) -> Value:
        nonlocal count
        count += 1
        body.append(Let(f"{name}{count}", Apply(op, arguments, DType.U32)))
        return Local(f"{name}{count}", DType.U32)

    k0, k1 = key
    parity = let("bitwise_xor", let("bitwise_xor", k0, k1), Number(_KEY_PARITY, DType.U32))
    schedule = (k0, k1, parity)
    x0, x1 = let("add", counter[0], k0), let("add", counter[1], k1)
    for done in range(20):
        turn = _ROTATIONS[done % 8]
        x0 = let("add", x0, x1)
        x1 = let("bitwise_xor", let("rotate_left", x1, Number(turn, DType.U32)), x0)
        if done % 4 == 3:
            injection = done // 4 + 1
            x0 = let("add", x0, schedule[injection % 3])
            x1 = let("add", x1, schedule[(injection + 1) % 3])
            x1 = let("add", x1, Number(injection, DType.U32))
    return x0, x1
