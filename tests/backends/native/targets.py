"""Instruction sets that are less than this machine's."""

import pytest

from chainrule.backends.native.target import host, of_features

LESSER = {
    "avx2": {"sse2", "sse3", "ssse3", "sse4.1", "sse4.2", "avx", "avx2", "fma"},
    "avx2 without fma": {"sse2", "sse3", "ssse3", "sse4.1", "sse4.2", "avx", "avx2"},
    "sse2": {"sse2"},
}


def target(name):
    if not host().triple.startswith("x86_64"):
        pytest.skip("instruction sets of x86-64")
    there = LESSER[name]
    if "fma" in there and not host().fma:
        pytest.skip("this machine has no FMA")
    return of_features(host().triple, there, ",".join(f"+{feature}" for feature in sorted(there)))
