"""The random stream is frozen: these bits are the same on every machine and for ever."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.base.errors import ConfigurationError, DTypeError, ShapeError
from chainrule.base.random import (
    _stable_order,
    derive,
    normal,
    normal_words,
    permutation,
    random_bits,
    row_bits,
    seed_words,
    step_key,
    stream_id,
    threefry2x32,
    uniform,
    uniform_words,
)

WORDS = st.integers(0, 2**32 - 1)
SEEDS = st.integers(0, 2**64 - 1)


def threefry_by_hand(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    """Threefry-2x32-20 in Python integers, written from the paper: the oracle."""
    mask = 2**32 - 1
    schedule = [key[0], key[1], 0x1BD11BDA ^ key[0] ^ key[1]]
    x, y = (counter[0] + key[0]) & mask, (counter[1] + key[1]) & mask
    for group in range(5):
        for rotation in ((13, 15, 26, 6), (17, 29, 16, 24))[group % 2]:
            x = (x + y) & mask
            y = ((y << rotation | y >> (32 - rotation)) & mask) ^ x
        x = (x + schedule[(group + 1) % 3]) & mask
        y = (y + schedule[(group + 2) % 3] + group + 1) & mask
    return x, y


@pytest.mark.parametrize(
    ("key", "counter", "block"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_known_answers_of_random123(
    key: tuple[int, int], counter: tuple[int, int], block: tuple[int, int]
) -> None:
    assert tuple(int(word) for word in threefry2x32(key, counter)) == block
    assert threefry_by_hand(key, counter) == block


@given(st.tuples(WORDS, WORDS), st.tuples(WORDS, WORDS))
def test_threefry_agrees_with_python_integers(
    key: tuple[int, int], counter: tuple[int, int]
) -> None:
    block = threefry2x32(key, counter)
    assert tuple(int(word) for word in block) == threefry_by_hand(key, counter)


def test_threefry_broadcasts_keys_against_counters() -> None:
    keys = np.arange(3, dtype=np.uint32)[:, None]
    counters = np.arange(4, dtype=np.uint32)
    x, y = threefry2x32((keys, keys + 7), (counters, np.uint32(1)))
    assert x.shape == y.shape == (3, 4)
    for i in range(3):
        for j in range(4):
            assert (int(x[i, j]), int(y[i, j])) == threefry_by_hand((i, i + 7), (j, 1))


@given(SEEDS, st.integers(0, 2**64 - 1), st.integers(0, 2**63 - 1), st.integers(0, 9))
def test_bits_follow_the_written_scheme(seed: int, step: int, row: int, element: int) -> None:
    def split(number: int) -> tuple[int, int]:
        return number % 2**32, number // 2**32

    key0 = threefry_by_hand(split(seed), stream_id("1.mask"))
    key1 = threefry_by_hand(key0, split(step))
    key_row = threefry_by_hand(key1, split(row))
    expected = threefry_by_hand(key_row, (element // 2, 0))[element % 2]
    bits = random_bits(seed_words(seed), step, "1.mask", np.array([row]), element + 1)
    assert int(bits[0, element]) == expected


GOLDEN_F32 = [
    "0x1.d4797a0000000p-1",
    "0x1.5a5b180000000p-3",
    "0x1.8b52180000000p-2",
    "0x1.87a9760000000p-1",
]
GOLDEN_F64 = ["0x1.d4797a0ad2d8ep-1", "0x1.8b521961ea5d8p-2"]
GOLDEN_NORMALS = [-0.31803432320966585, -0.4313232284505153]


def test_stream_names_have_frozen_words() -> None:
    assert stream_id("shuffle") == (0x0ABD1EDB, 0x0B4DA1EB)
    assert stream_id("") == (0x57A0A6E4, 0xB4B27974)


def test_bits_are_frozen() -> None:
    bits = random_bits(seed_words(0), 0, "shuffle", [0, 1, 2**40], 3)
    assert bits.dtype == np.uint32
    assert bits.tolist() == [
        [2343082461, 3733733901, 3846818359],
        [3530819792, 3705658147, 1084129040],
        [515998146, 987342238, 766669198],
    ]


def test_uniforms_are_frozen() -> None:
    bits = random_bits(seed_words(1), 2, "golden", 3, 4)
    assert [float(u).hex() for u in uniform(bits, np.float32)] == GOLDEN_F32
    assert [float(u).hex() for u in uniform(bits, np.float64)] == GOLDEN_F64


def test_permutations_are_frozen() -> None:
    assert permutation(10, seed=0, epoch=0).tolist() == [4, 1, 7, 2, 6, 8, 5, 3, 0, 9]
    assert permutation(10, seed=0, epoch=1).tolist() == [9, 5, 2, 1, 4, 8, 0, 3, 7, 6]
    assert permutation(10, seed=2**64 - 1, epoch=0).tolist() == [9, 6, 2, 7, 1, 0, 5, 8, 3, 4]


def test_normals_are_frozen_within_the_rounding_of_log_and_cosine() -> None:
    bits = random_bits(seed_words(1), 2, "golden", 3, 8)
    np.testing.assert_allclose(normal(bits, np.float64), GOLDEN_NORMALS, rtol=1e-14)
    # The argument 2 pi v of the cosine, up to 6.3, is rounded to float32: an error of 2.4e-7 there.
    expected = [normal_by_hand(*(int(w) for w in pair)) for pair in bits.reshape(-1, 2)]
    np.testing.assert_allclose(normal(bits, np.float32), expected, rtol=0, atol=4e-6)


def normal_by_hand(a: int, b: int) -> float:
    u, v = ((a >> 8) + 1) * 2.0**-24, (b >> 8) * 2.0**-24
    return math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * v)


@given(SEEDS, st.lists(st.integers(0, 10**9), min_size=1, max_size=8), st.integers(0, 12))
def test_a_row_has_the_same_bits_wherever_it_stands(
    seed: int, rows: list[int], elements: int
) -> None:
    together = random_bits(seed_words(seed), 5, "drop", rows, elements)
    assert together.shape == (len(rows), elements)
    for row, words in zip(rows, together, strict=True):
        alone = random_bits(seed_words(seed), 5, "drop", row, elements + 3)
        np.testing.assert_array_equal(words, alone[:elements])


def test_the_rows_part_can_be_taken_apart() -> None:
    key = step_key(seed_words(3), 4, "drop")
    np.testing.assert_array_equal(
        row_bits(key, [[0, 1], [2, 3]], 5),
        random_bits(seed_words(3), 4, "drop", [[0, 1], [2, 3]], 5),
    )


def test_seed_step_stream_and_row_each_change_the_bits() -> None:
    def bits(seed: int = 0, step: int = 0, stream: str = "a", row: int = 0) -> tuple[int, ...]:
        return tuple(random_bits(seed_words(seed), step, stream, row, 4).tolist())

    draws = [bits(), bits(seed=1), bits(step=1), bits(stream="b"), bits(row=1)]
    draws += [bits(seed=2**32), bits(step=2**32), bits(row=2**32)]
    assert len(set(draws)) == len(draws)


def test_a_derived_key_is_one_block() -> None:
    key = seed_words(2**32 + 5)
    assert key.tolist() == [5, 1]
    child = derive(key, 7, 9)
    assert child.dtype == np.uint32
    assert tuple(child.tolist()) == threefry_by_hand((5, 1), (7, 9))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniforms_reach_zero_and_stay_below_one(dtype: Any) -> None:
    words = uniform_words(dtype)
    lowest = uniform(np.zeros(words, np.uint32), dtype)
    highest = uniform(np.full(words, 2**32 - 1, np.uint32), dtype)
    assert lowest.dtype == highest.dtype == dtype
    assert lowest.tolist() == [0.0]
    assert highest.tolist() == [1 - (2.0**-24 if dtype is np.float32 else 2.0**-53)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normals_are_finite_at_both_ends(dtype: Any) -> None:
    words = normal_words(dtype)
    ends = normal(np.array([0] * words + [2**32 - 1] * words, np.uint32), dtype)
    assert ends.dtype == dtype
    assert np.isfinite(ends).all()
    assert abs(ends).max() <= (5.77 if dtype is np.float32 else 8.58)


def test_bits_are_balanced() -> None:
    # 64,000 words of 32 fair bits: the mean of one bit place has a standard deviation of 1/506.
    words = random_bits(seed_words(11), 0, "balance", np.arange(1000), 64)
    for place in range(32):
        assert abs(float((words >> np.uint32(place) & np.uint32(1)).mean()) - 0.5) < 5 / 506


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normals_have_the_moments_of_the_normal_distribution(dtype: Any) -> None:
    n = 200_000
    x = normal(random_bits(seed_words(4), 0, "moments", 0, n * normal_words(dtype)), dtype)
    x = x.astype(np.float64)
    # Standard deviations of the sample moments: 1, sqrt 2, sqrt 15, sqrt 96 over sqrt n.
    for power, moment, spread in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs((x**power).mean() - moment) < 5 * math.sqrt(spread / n)


@given(st.integers(0, 300), SEEDS, st.integers(0, 1000))
def test_shuffle_is_a_permutation(n: int, seed: int, epoch: int) -> None:
    order = permutation(n, seed, epoch)
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(n))


@given(st.lists(st.one_of(st.integers(0, 3), st.integers(0, 2**64 - 1)), max_size=40))
def test_items_with_equal_keys_stay_in_order(keys: list[int]) -> None:
    expected = sorted(range(len(keys)), key=keys.__getitem__)
    assert _stable_order(np.array(keys, np.uint64)).tolist() == expected


def test_every_item_comes_first_equally_often() -> None:
    first = [int(permutation(5, 0, epoch)[0]) for epoch in range(2000)]
    counts = np.bincount(first, minlength=5)
    assert ((counts - 400) ** 2 / 400).sum() < 23.5  # chi-squared, 4 degrees: p = 1e-4


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, True, None, "0"])
def test_a_seed_is_a_64_bit_integer(seed: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        seed_words(seed)
    assert str(caught.value) == (
        f"A seed is an integer with 0 <= seed < 2**64, not {seed!r}. Pass for example seed=0."
    )


def test_a_numpy_integer_is_a_seed() -> None:
    assert seed_words(np.int64(7)).tolist() == [7, 0]  # type: ignore[arg-type]


def test_a_negative_row_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^Rows are integers >= 0, the examples' places"):
        random_bits(seed_words(0), 0, "a", [-1], 2)
    with pytest.raises(ConfigurationError, match=r"^Rows are integers >= 0, the examples' places"):
        random_bits(seed_words(0), 0, "a", [0.5], 2)


def test_a_key_is_two_words() -> None:
    with pytest.raises(ShapeError) as caught:
        derive(np.zeros(2), 0, 0)
    assert str(caught.value) == (
        "A random key is uint32[2], not float64[2]. "
        "Make one with seed_words(seed) or derive(key, a, b)."
    )


def test_random_numbers_are_of_two_float_types() -> None:
    with pytest.raises(DTypeError) as caught:
        uniform(np.zeros(2, np.uint32), np.float16)
    assert str(caught.value) == "Random numbers are float32 or float64, not float16."


def test_an_odd_number_of_words_makes_no_doubles() -> None:
    with pytest.raises(ShapeError) as caught:
        uniform(np.zeros(3, np.uint32), np.float64)
    assert str(caught.value) == (
        "Numbers of kind uniform float64 take a multiple of 2 draws on the last axis, "
        "not shape (3,)."
    )


@given(SEEDS, WORDS, WORDS)
def test_a_key_derived_alone_is_the_block_of_whole_arrays(seed, a, b):
    key = seed_words(seed)
    assert derive(key, a, b).tolist() == [int(w) for w in threefry2x32((key[0], key[1]), (a, b))]
