"""The first oracle: an op's terms evaluated, and differentiated, with 50 digits.

It reads what a declaration says of one element (`Op.terms`) and nothing else: no kernel, no
partial, no pullback. A derivative is the central difference with the step 1e-20, whose error is
some 1e-30: exact, for a number of 16 digits.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from numpy.typing import NDArray

from chainrule.base.errors import MissingExtraError, MissingKernelError
from chainrule.graph import DType
from chainrule.ops.expression import Element, Expression, Fold, Literal, read

Array = NDArray[Any]
Number = Any  # an mpmath number for a float, int for an integer, bool for a truth value
Where = tuple[int, tuple[int, ...]]  # an operand, and the index in it

DIGITS = 50
_STEP = "1e-20"
# For second derivatives h² is divided by, so the step is longer. Errors: h² = 1e-30 of the fourth
# derivative, and 10^-50 / h² = 1e-20 of the value.
_SECOND_STEP = "1e-15"


@cache
def context() -> Any:
    """An mpmath context of our own, so that nobody's precision is changed.

    Raises
    ------
    MissingExtraError
        If mpmath is not installed.
    """
    try:
        import mpmath  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtraError(
            "The oracle of 50 digits needs mpmath, which is not installed",
            advice="pip install mpmath",
        ) from None
    mp = mpmath.mp.clone()
    mp.dps = DIGITS
    return mp


def evaluate(
    expression: Expression,
    arrays: Sequence[Array],
    shifts: Mapping[Where, Number] | None = None,
) -> Number:
    """The exact value of `expression`.

    Parameters
    ----------
    expression : Expression
        Of elements of the operands, as `Op.terms` gives it.
    arrays : sequence of array
        The operands.
    shifts : mapping, optional
        What is added to elements of the operands.

    Raises
    ------
    MissingKernelError
        If the expression uses a primitive that has no function here.
    """
    return read(expression, _ExactReader(arrays, shifts or {}))


def derivative(expression: Expression, arrays: Sequence[Array], where: Where) -> Number:
    """The derivative of `expression` in one element of one operand, to some 30 digits."""
    h = context().mpf(_STEP)
    return (
        evaluate(expression, arrays, {where: h}) - evaluate(expression, arrays, {where: -h})
    ) / (2 * h)


def second_derivative(
    expression: Expression, arrays: Sequence[Array], first: Where, second: Where
) -> Number:
    """The second derivative of `expression` in two elements, to some 20 digits."""
    h = context().mpf(_SECOND_STEP)

    def shifted(a: Number, b: Number) -> Number:
        shifts = {first: a + b} if first == second else {first: a, second: b}
        return evaluate(expression, arrays, shifts)

    # A step in both, less a step in one: exact for quadratics, also where the elements are one.
    corners = shifted(h, h) - shifted(h, -h) - shifted(-h, h) + shifted(-h, -h)
    return corners / (4 * h * h)


def summands(expression: Expression) -> list[Expression]:
    """The parts of a sum, whose derivatives add up; of anything else, itself."""
    if isinstance(expression, Fold) and expression.op == "add":
        return list(expression.items)
    return [expression]


def float_elements(expression: Expression, arrays: Sequence[Array]) -> list[Where]:
    """The float elements that `expression` is made of, each once."""
    collector = _Collector()
    read(expression, collector)
    return [where for where in collector.found if arrays[where[0]].dtype.kind == "f"]


class _Collector:
    def __init__(self) -> None:
        self.found: dict[Where, None] = {}

    def leaf(self, leaf: Expression) -> None:
        if isinstance(leaf, Element):
            self.found[leaf.input, leaf.index] = None

    def apply(self, op: str, arguments: Sequence[None], dtype: DType | None) -> None:
        pass

    def fold(self, op: str, items: Sequence[None], order: str) -> None:
        pass


class _ExactReader:
    def __init__(self, arrays: Sequence[Array], shifts: Mapping[Where, Number]) -> None:
        self.arrays = arrays
        self.shifts = shifts
        self.mp = context()

    def leaf(self, leaf: Expression) -> Number:
        match leaf:
            case Literal(value):
                return self.mp.mpf(value) if isinstance(value, float) else value
            case Element(operand, index):
                number = self.arrays[operand][index].item()
                exact = self.mp.mpf(number) if isinstance(number, float) else number
                shift = self.shifts.get((operand, index))
                return exact if shift is None else exact + shift
        raise TypeError(f"{type(leaf).__name__} is no element and no number")

    def apply(self, op: str, arguments: Sequence[Number], dtype: DType | None) -> Number:
        function = exact_function(op)
        return function(*arguments) if dtype is None else function(*arguments, dtype)

    def fold(self, op: str, items: Sequence[Number], order: str) -> Number:
        value = items[0]
        for item in items[1:]:
            value = self.apply(op, (value, item), None)
        return value


def exact_function(primitive: str) -> Callable[..., Number]:
    """What a primitive means in exact arithmetic; a value outside its domain is NaN.

    Raises
    ------
    MissingKernelError
        If nobody has said yet.
    """
    if primitive not in _functions():
        raise MissingKernelError(
            f"The oracle of 50 digits has no function for the primitive {primitive}",
            advice="Add one in chainrule/testing/exact.py",
        )
    return _functions()[primitive]


@cache
def _functions() -> Mapping[str, Callable[..., Number]]:
    mp = context()

    def div(a: Number, b: Number) -> Number:
        if b != 0:
            return mp.mpf(a) / b
        return mp.nan if a == 0 or mp.isnan(a) else mp.sign(a) * mp.inf

    def log(x: Number) -> Number:
        return mp.log(x) if x > 0 else -mp.inf if x == 0 else mp.nan

    def power(a: Number, b: Number) -> Number:
        if a == 0:
            return mp.mpf(b == 0) if b >= 0 else mp.inf
        return mp.power(a, b) if a > 0 or b == int(b) else mp.nan

    def largest(a: Number, b: Number) -> Number:
        return mp.nan if mp.isnan(a) or mp.isnan(b) else max(a, b)

    def smallest(a: Number, b: Number) -> Number:
        return mp.nan if mp.isnan(a) or mp.isnan(b) else min(a, b)

    def whole(f: Callable[[Number], Number]) -> Callable[[Number], Number]:
        return lambda x: f(x) if mp.isfinite(x) else x

    def floor_divide(a: Number, b: Number) -> Number:
        if isinstance(a, int) and isinstance(b, int):
            return a // b if b else 0
        return whole(mp.floor)(div(a, b))

    def cast(x: Number, dtype: DType) -> Number:
        if dtype is DType.BOOL:
            return x != 0
        return mp.mpf(x) if dtype.is_float else int(x)

    return {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": div,
        "neg": lambda x: -x,
        "exp": mp.exp,
        "log": log,
        "log1p": lambda x: mp.log1p(x) if x > -1 else log(1 + x),
        "sqrt": lambda x: mp.sqrt(x) if x >= 0 else mp.nan,
        "abs": abs,
        "sign": lambda x: x if x != x else (x > 0) - (x < 0),
        "max": largest,
        "min": smallest,
        "power": power,
        "sin": mp.sin,
        "cos": mp.cos,
        "tanh": mp.tanh,
        "expm1": mp.expm1,
        "atan": mp.atan,
        "erf": mp.erf,
        "erfc": mp.erfc,
        "floor": whole(mp.floor),
        "ceil": whole(mp.ceil),
        "round": whole(mp.nint),
        "equal": lambda a, b: a == b,
        "not_equal": lambda a, b: a != b,
        "less": lambda a, b: a < b,
        "less_equal": lambda a, b: a <= b,
        "greater": lambda a, b: a > b,
        "greater_equal": lambda a, b: a >= b,
        "logical_and": lambda a, b: bool(a and b),
        "logical_or": lambda a, b: bool(a or b),
        "logical_xor": lambda a, b: bool(a) is not bool(b),
        "logical_not": lambda x: not x,
        "is_finite": mp.isfinite,
        "select": lambda c, a, b: a if c else b,
        "floor_divide": floor_divide,
        "remainder": lambda a, b: a - b * floor_divide(a, b),
        "bitwise_and": operator.and_,
        "bitwise_or": operator.or_,
        "bitwise_xor": operator.xor,
        "bitwise_not": operator.invert,
        "shift_left": operator.lshift,
        "shift_right": operator.rshift,
        "cast": cast,
        "random_bits": _random_bits,
    }


def _random_bits(
    seed0: int, seed1: int, step: int, row: int, stream0: int, stream1: int, word: int
) -> int:
    """The random word of `base.random`, once more from its definition, on Python integers."""
    key = _threefry((seed0, seed1), (stream0, stream1))
    key = _threefry(key, (step % 2**32, step >> 32))
    key = _threefry(key, (row % 2**32, row >> 32))
    return _threefry(key, (word // 2, 0))[word % 2]


def _threefry(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    schedule = (*key, key[0] ^ key[1] ^ 0x1BD11BDA)
    x = (counter[0] + key[0]) % 2**32
    y = (counter[1] + key[1]) % 2**32
    for done, rotation in enumerate((13, 15, 26, 6, 17, 29, 16, 24) * 2 + (13, 15, 26, 6)):
        x = (x + y) % 2**32
        y = (y << rotation | y >> 32 - rotation) % 2**32 ^ x
        if done % 4 == 3:
            turn = done // 4 + 1
            x = (x + schedule[turn % 3]) % 2**32
            y = (y + schedule[(turn + 1) % 3] + turn) % 2**32
    return x, y
