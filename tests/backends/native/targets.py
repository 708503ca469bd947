"""Instruction sets that are less than this machine's, or another's."""

from contextlib import contextmanager

import pytest
from llvmlite import binding as llvm

from chainrule.backends.native import straight
from chainrule.backends.native.target import host, of_features
from chainrule.ops import OPS
from chainrule.testing import check_backend, conformance

LESSER = {
    "avx2": {"sse2", "sse3", "ssse3", "sse4.1", "sse4.2", "avx", "avx2", "fma"},
    "avx2 without fma": {"sse2", "sse3", "ssse3", "sse4.1", "sse4.2", "avx", "avx2"},
    "sse2": {"sse2"},
}


def target(name):
    """One that this machine can run; skips where it cannot."""
    if not host().triple.startswith("x86_64"):
        pytest.skip("instruction sets of x86-64")
    there = LESSER[name]
    if "fma" in there and not host().fma:
        pytest.skip("this machine has no FMA")
    return of_features(host().triple, there, listed(there))


def foreign(name):
    """One to generate code for, wherever this is."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    if name == "aarch64":
        return of_features("aarch64-unknown-linux-gnu", {"neon"}, "+neon")
    return of_features("x86_64-unknown-linux-gnu", LESSER[name], listed(LESSER[name]))


def listed(features):
    return ",".join(f"+{feature}" for feature in sorted(features))


def check_share(backend, share, shares, monkeypatch):
    """Hold a backend to every so many-th op: all shares together are all ops."""
    names = [*OPS][share % shares :: shares]
    monkeypatch.setattr(conformance, "OPS", {name: OPS.get(name) for name in names})
    check_backend(backend)


@contextmanager
def loops():
    """Small graphs are loop nests, too: they are straight-line code otherwise."""
    usual = straight.LIMIT
    straight.LIMIT = -1
    try:
        yield
    finally:
        straight.LIMIT = usual
