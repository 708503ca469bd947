"""Random ops draw what the random stream says, on whatever backend."""

import numpy as np
import pytest

from chainrule.backends import get_backend
from chainrule.base.random import normal, normal_words, random_bits, uniform, uniform_words
from chainrule.graph import DType, TensorType
from chainrule.ops import Builder

SEED = np.array([7, 9], np.uint32)
STEP = np.array(3)
ROWS = np.array([0, 5, 2**33])
WORDS = {"uniform": uniform_words, "normal": normal_words}


def draw(op, **attributes):
    b = Builder()
    keys = [
        b.input(TensorType.parse(kind), name)
        for kind, name in (("u32[2]", "seed"), ("i64[]", "step"), ("i64[3]", "rows"))
    ]
    graph = b.build(op, {"y": b.apply(op, *keys, stream="dropout", **attributes)})
    (y,) = get_backend("numpy").run(graph, [SEED, STEP, ROWS])
    return y


def words(count):
    return random_bits(SEED, 3, "dropout", ROWS, count)


def test_bits_are_the_streams_in_row_major_order():
    assert np.array_equal(draw("random_bits", shape=(2, 5)), words(10).reshape(3, 2, 5))


@pytest.mark.parametrize("dtype", [DType.F32, DType.F64])
@pytest.mark.parametrize("op", ["uniform", "normal"])
def test_numbers_are_the_streams(op, dtype):
    count = WORDS[op](dtype.numpy)
    bits = words(10 * count).reshape(3, 2, 5, count)
    wanted = {"uniform": uniform, "normal": normal}[op](bits.reshape(3, -1), dtype.numpy)
    drawn = draw(op, shape=(2, 5), dtype=dtype)
    assert drawn.dtype == wanted.dtype
    # Uniform numbers are exact. Of a normal one, logarithm, root and cosine round.
    few = 0 if op == "uniform" else 8 * np.finfo(wanted.dtype).eps
    np.testing.assert_allclose(drawn.reshape(3, -1), wanted, rtol=few, atol=few)


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (("u32[2]", "i64[2]", "i64[4]"), "got i64[2] and i64[4]."),
        (("u32[2]", "i32[]", "i64[4]"), "got i32[] and i64[4]."),
        (("u32[2]", "i64[]", "i32[4]"), "got i64[] and i32[4]."),
    ],
)
def test_a_step_is_one_number_and_rows_are_int64(kinds, message):
    from chainrule.base.errors import DTypeError
    from chainrule.ops import bind

    op = bind("random_bits", {"shape": (2,), "stream": "dropout"})
    with pytest.raises(DTypeError) as caught:
        op.infer(tuple(map(TensorType.parse, kinds)))
    assert str(caught.value) == f"random_bits takes a step i64[] and rows i64; {message}"
