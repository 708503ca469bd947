"""The random stream: counter-based, so that a number depends on its name, not on its turn.

Every random number of chainrule comes from Threefry-2x32 with 20 rounds [1]_, a keyed function
from a 64-bit counter to 64 random bits.  There is no state to carry: the bits of one number follow
from (seed, step, stream name, row, element) alone.  So a dropout mask does not depend on where in a
batch a row stands, on accumulation or on sharding, and a run can be replayed from any step.

NumPy freezes its raw bit generators but not the methods of its Generator, which is why they are
used nowhere in chainrule.

**Frozen.** With T(key, counter) for one Threefry block, words written low word first::

    key0    = T(seed,  stream_id(stream))
    key1    = T(key0,  (step mod 2**32, step div 2**32))         step_key
    key_row = T(key1,  (row  mod 2**32, row  div 2**32))
    word j  = T(key_row, (j div 2, 0))[j mod 2]                  row_bits

    uniform f32, element k:  w = word k                  (w >> 8) * 2**-24
    uniform f64, element k:  a, b = words 2k, 2k+1       ((a >> 5) * 2**26 + (b >> 6)) * 2**-53
    normal,      element k:  u, v = uniforms 2k, 2k+1    sqrt(-2 ln(u + ulp)) cos(2 pi v)
                             where ulp is 2**-24 or 2**-53, so that u + ulp is in (0, 1]

Bits, uniforms and permutations are the same on every backend and for ever; normals agree within a
bound, because logarithm and cosine round differently from one machine to the next.

References
----------
.. [1] Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from hashlib import blake2b
from math import pi
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from chainrule.base.errors import ConfigurationError, DTypeError, ShapeError

Words: TypeAlias = NDArray[np.uint32]

_WORD = 2**32
_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)  # [1]_, table 3: Threefry-2x32
_KEY_PARITY = 0x1BD11BDA  # of the Skein key schedule: no key makes all three words zero
_ROUNDS = 20


def threefry2x32(
    key: tuple[ArrayLike, ArrayLike], counter: tuple[ArrayLike, ArrayLike]
) -> tuple[Words, Words]:
    """Return the Threefry-2x32-20 block of each key and counter.

    Parameters
    ----------
    key, counter
        Two words each, uint32 arrays (or integers below 2**32) of any shapes that broadcast.

    Returns
    -------
    tuple of uint32 arrays
        The two words of each block, in the broadcast shape.
    """
    k0, k1 = (np.asarray(word, np.uint32) for word in key)
    c0, c1 = (np.asarray(word, np.uint32) for word in counter)
    schedule = (k0, k1, k0 ^ k1 ^ np.uint32(_KEY_PARITY))
    shape = np.broadcast_shapes(k0.shape, k1.shape, c0.shape, c1.shape)
    # Whole-array ufuncs with `out`: they wrap modulo 2**32 in silence, where NumPy's scalar
    # arithmetic would warn of overflow, and no round allocates memory.
    x0, x1, high_bits = (np.empty(shape, np.uint32) for _ in range(3))
    np.add(c0, k0, out=x0)
    np.add(c1, k1, out=x1)
    for done in range(_ROUNDS):
        rotation = _ROTATIONS[done % 8]
        np.add(x0, x1, out=x0)
        np.right_shift(x1, np.uint32(32 - rotation), out=high_bits)
        np.left_shift(x1, np.uint32(rotation), out=x1)
        np.bitwise_or(x1, high_bits, out=x1)
        np.bitwise_xor(x1, x0, out=x1)
        if done % 4 == 3:  # a key injection after every fourth round
            injection = done // 4 + 1
            np.add(x0, schedule[injection % 3], out=x0)
            np.add(x1, schedule[(injection + 1) % 3], out=x1)
            np.add(x1, np.uint32(injection), out=x1)
    return x0, x1


def stream_id(name: str) -> tuple[int, int]:
    """Return the two words that stand for a stream's name: BLAKE2b of its UTF-8, 8 bytes."""
    digest = blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


def seed_words(seed: int) -> Words:
    """Return a seed as a key, uint32[2], low word first.

    Raises
    ------
    ConfigurationError
        If the seed is not an integer with 0 <= seed < 2**64.
    """
    return _two_words(seed, "seed")


def derive(key: ArrayLike, a: int, b: int) -> Words:
    """Return a new key, uint32[2]: the Threefry block of `key` at the counter (a, b)."""
    return _key_of_block(key, (a, b))


def step_key(seed: ArrayLike, step: int, stream: str) -> Words:
    """Return the key, uint32[2], of one stream at one step: key1 of the scheme above.

    Parameters
    ----------
    seed
        uint32[2], from `seed_words` or `derive`.
    step
        The step or epoch, 0 <= step < 2**64.
    stream
        The stream's name, such as the path of the layer that draws.
    """
    return _key_of_block(_key_of_block(seed, stream_id(stream)), _two_words(step, "step"))


def row_bits(key: ArrayLike, rows: ArrayLike, elements: int) -> Words:
    """Return the words of each row under a step's key: the part that backends write again.

    Parameters
    ----------
    key
        uint32[2], from `step_key`.
    rows
        Integers >= 0 of any shape: the rows' indices in the whole data set, not in the batch.
    elements
        How many words to draw for each row.

    Returns
    -------
    uint32 array of shape (*rows.shape, elements)
    """
    key_words = _key(key)
    indices = _row_indices(rows)
    low = (indices & np.uint64(_WORD - 1)).astype(np.uint32)
    high = (indices >> np.uint64(32)).astype(np.uint32)
    row0, row1 = threefry2x32((key_words[0], key_words[1]), (low, high))
    blocks = np.arange((elements + 1) // 2, dtype=np.uint32)
    pairs = threefry2x32((row0[..., None], row1[..., None]), (blocks, np.uint32(0)))
    words = np.stack(pairs, axis=-1).reshape(*indices.shape, 2 * blocks.size)
    return words[..., :elements]


def random_bits(seed: ArrayLike, step: int, stream: str, rows: ArrayLike, elements: int) -> Words:
    """Return uniformly random words for each row.

    Parameters
    ----------
    seed, step, stream
        As in `step_key`.
    rows, elements
        As in `row_bits`.

    Returns
    -------
    uint32 array of shape (*rows.shape, elements)
    """
    return row_bits(step_key(seed, step, stream), rows, elements)


def uniform_words(dtype: DTypeLike) -> int:
    """Return how many words one uniform number of `dtype` takes: 1 for float32, 2 for float64."""
    return 1 if _float_dtype(dtype) == np.float32 else 2


def normal_words(dtype: DTypeLike) -> int:
    """Return how many words one normal number of `dtype` takes: 2 for float32, 4 for float64."""
    return 2 * uniform_words(dtype)


def uniform(bits: Words, dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """Return numbers in [0, 1) made of random words.

    Parameters
    ----------
    bits
        uint32[..., n * uniform_words(dtype)].
    dtype
        float32 (a multiple of 2**-24 from one word) or float64 (of 2**-53 from two).

    Returns
    -------
    float array of shape (..., n)
        Exact on every machine: integers below 2**53, scaled by a power of two.
    """
    if uniform_words(dtype) == 1:
        return (bits >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
    a, b = _interleaved(bits, 2, "uniform float64")
    mantissa = (a >> np.uint32(5)).astype(np.float64) * 2.0**26 + (b >> np.uint32(6))
    return np.asarray(mantissa * 2.0**-53)


def normal(bits: Words, dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """Return standard normal numbers made of random words, by Box and Muller's cosine.

    The sine's second number is not used: each element then has words of its own, and the first n
    elements are the same whether n or more are drawn.

    Parameters
    ----------
    bits
        uint32[..., n * normal_words(dtype)].
    dtype
        float32 or float64: the type in which it is computed.

    Returns
    -------
    float array of shape (..., n)
        At most 5.77 (float32) or 8.58 (float64) from zero.
    """
    draws = uniform(bits, dtype)
    u, v = _interleaved(draws, 2, "normal")
    # u in [0, 1) has the spacing ulp; u + ulp is exact, and never the zero whose log is -inf.
    ulp = draws.dtype.type(2.0**-24 if draws.dtype == np.float32 else 2.0**-53)
    radius = np.sqrt(draws.dtype.type(-2) * np.log(u + ulp))
    return np.asarray(radius * np.cos(draws.dtype.type(2 * pi) * v))


def permutation(n: int, seed: int, epoch: int, stream: str = "shuffle") -> NDArray[np.int64]:
    """Return a random order of 0 … n-1, int64[n].

    Item i gets the 64-bit key made of words 2i and 2i+1 of row 0 (low word first); the order is the
    stable sort of the keys.

    Parameters
    ----------
    n
        How many items, >= 0.
    seed
        0 <= seed < 2**64.
    epoch
        The step of the stream: another epoch, another order.
    stream
        The stream's name.
    """
    if n < 2:
        return np.arange(n)
    words = random_bits(seed_words(seed), epoch, stream, 0, 2 * n)
    return _stable_order(words.astype("<u4", copy=False).view("<u8"))


def _stable_order(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The stable sort's order; where no two keys are equal, any sort's: the fast one takes 1/6."""
    order = np.argsort(keys)
    ordered = keys[order]
    if (ordered[1:] == ordered[:-1]).any():
        order = np.argsort(keys, kind="stable")
    return order.astype(np.int64, copy=False)


def _key(key: ArrayLike) -> Words:
    words = np.asarray(key)
    if words.shape != (2,) or words.dtype != np.uint32:
        raise ShapeError(
            f"A random key is uint32[2], not {words.dtype}{list(words.shape)}",
            advice="Make one with seed_words(seed) or derive(key, a, b)",
        )
    return words


def _key_of_block(key: ArrayLike, counter: tuple[int, int] | Words) -> Words:
    words = _key(key)
    block = _one_block(int(words[0]), int(words[1]), int(counter[0]), int(counter[1]))
    return np.array(block, np.uint32)


def _one_block(k0: int, k1: int, x0: int, x1: int) -> tuple[int, int]:
    """Return one block, as `threefry2x32` does, in Python's integers."""
    # A key is derived at every epoch and by every dropout layer at every step, and a hundred
    # ufunc calls on single words take ten times as long as this.
    schedule = (k0, k1, k0 ^ k1 ^ _KEY_PARITY)
    mask = _WORD - 1
    x0, x1 = (x0 + k0) & mask, (x1 + k1) & mask
    for done in range(_ROUNDS):
        rotation = _ROTATIONS[done % 8]
        x0 = (x0 + x1) & mask
        x1 = ((x1 << rotation | x1 >> (32 - rotation)) & mask) ^ x0
        if done % 4 == 3:
            injection = done // 4 + 1
            x0 = (x0 + schedule[injection % 3]) & mask
            x1 = (x1 + schedule[(injection + 1) % 3] + injection) & mask
    return x0, x1


def _two_words(number: int, what: str) -> Words:
    is_integer = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
    if not is_integer or not 0 <= number < 2**64:
        raise ConfigurationError(
            f"A {what} is an integer with 0 <= {what} < 2**64, not {number!r}",
            advice=f"Pass for example {what}=0",
        )
    return np.array([int(number) % _WORD, int(number) // _WORD], np.uint32)


def _row_indices(rows: ArrayLike) -> NDArray[np.uint64]:
    indices = np.asarray(rows)
    if not np.issubdtype(indices.dtype, np.integer) or (indices.size and indices.min() < 0):
        raise ConfigurationError(
            f"Rows are integers >= 0, the examples' places in the data, not {rows!r}",
        )
    return indices.astype(np.uint64)


def _float_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    kind = np.dtype(dtype)
    if kind not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise DTypeError(f"Random numbers are float32 or float64, not {kind}")
    return kind


def _interleaved(array: NDArray[Any], count: int, what: str) -> tuple[NDArray[Any], ...]:
    """Split the last axis into `count` arrays: elements 0, count, 2*count …; 1, count+1, …."""
    if array.ndim == 0 or array.shape[-1] % count:
        raise ShapeError(
            f"Numbers of kind {what} take a multiple of {count} draws on the last axis, "
            f"not shape {array.shape}"
        )
    return tuple(array[..., start::count] for start in range(count))
