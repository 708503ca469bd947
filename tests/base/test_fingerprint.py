"""What a fingerprint tells apart, and what it does not depend on."""

import subprocess
import sys
from hashlib import blake2b

import numpy as np
import pytest

from chainrule.base import fingerprint as made
from chainrule.base.fingerprint import fingerprint, is_comparable


def large():
    return np.arange(2_500_000, dtype=np.float64)  # 20 MB: five leaves, the last one short


def test_same_arrays_have_the_same_in_any_order_and_layout():
    x, y = np.arange(6.0).reshape(2, 3), np.arange(2)
    expected = fingerprint({"x": x, "y": y})
    assert fingerprint({"y": y.copy(), "x": np.asfortranarray(x)}) == expected
    assert is_comparable(expected)
    assert not is_comparable(expected.partition(":")[2])


@pytest.mark.parametrize(
    "other",
    [
        {"z": np.zeros(4)},
        {"x": np.zeros(5)},
        {"x": np.zeros((2, 2))},
        {"x": np.zeros(4, np.int64)},
        {"x": np.zeros(8, np.float32)},
        {"x": np.array([0, 0, 0, -0.0])},
        {"x": np.zeros(4), "y": np.zeros(0)},
        {},
    ],
    ids=["name", "length", "shape", "type", "bytes", "sign of zero", "one more", "none"],
)
def test_what_differs_has_another(other):
    assert fingerprint(other) != fingerprint({"x": np.zeros(4)})


@pytest.mark.parametrize("place", [0, 524_287, 524_288, 1_300_000, -1])
def test_each_number_of_each_leaf_counts(place):
    x = large()
    before = fingerprint({"x": x})
    x[place] += 1
    assert fingerprint({"x": x}) != before


def test_leaves_that_change_places_make_another():
    x = large()
    leaf = made.LEAF_BYTES // x.itemsize
    swapped = np.concatenate([x[leaf : 2 * leaf], x[:leaf], x[2 * leaf :]])
    assert fingerprint({"x": swapped}) != fingerprint({"x": x})


def test_threads_do_not_show(monkeypatch):
    several = fingerprint({"x": large()})
    monkeypatch.setattr(made, "THREADS", 1)
    assert fingerprint({"x": large()}) == several


def test_what_is_constant_is_hashed_once(monkeypatch):
    hashed, root = [], made._root
    monkeypatch.setattr(made, "_root", lambda array: (hashed.append(len(array)), root(array))[1])
    x, y = np.arange(4.0), np.arange(5)
    x.flags.writeable = False
    view = y.view()
    view.flags.writeable = False  # but y is not
    before = fingerprint({"x": x, "y": view})
    assert fingerprint({"x": x, "y": view}) == before
    assert hashed == [4, 5, 5]
    y[0] = 7
    assert fingerprint({"x": x, "y": view}) != before


def test_what_is_gone_is_forgotten():
    known = dict(made._known)
    for number in range(50):  # one after the other at the same place
        x = np.full(3, number, np.float64)
        expected = fingerprint({"x": x.copy()})
        x.flags.writeable = False
        assert fingerprint({"x": x}) == expected
        del x
    assert made._known == known


def test_it_is_blake2bs_tree_mode():
    x = large()
    tree = {"digest_size": 16, "fanout": 0, "depth": 2, "leaf_size": 2**22, "inner_size": 16}
    data = x.tobytes()
    parts = [data[i : i + 2**22] for i in range(0, len(data), 2**22)]
    leaves = b"".join(
        blake2b(part, node_offset=i, last_node=i == len(parts) - 1, **tree).digest()
        for i, part in enumerate(parts)
    )
    root = blake2b(leaves, node_depth=1, last_node=True, **tree).digest()
    whole = blake2b(b"x float64 (2500000,)" + root, digest_size=16).hexdigest()
    assert fingerprint({"x": x}) == f"tree:{whole}"


def test_another_process_finds_the_same():
    code = (
        "import numpy as np; from chainrule.base.fingerprint import fingerprint; "
        "print(fingerprint({'x': np.arange(2_500_000, dtype=np.float64)}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == fingerprint({"x": large()})


@pytest.mark.parametrize("array", [np.zeros(0), np.zeros((0, 3)), np.float32(1.5), np.array(True)])
def test_few_numbers_and_none_have_one_too(array):
    assert fingerprint({"x": np.asarray(array)}) == fingerprint({"x": np.array(array)})
