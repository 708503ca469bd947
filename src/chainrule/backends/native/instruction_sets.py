"""Instruction sets by name: targets that code can be generated for on any machine."""

from __future__ import annotations

from collections.abc import Callable

from chainrule.backends.native.target import Target, host, of_features
from chainrule.base.registry import Registry

INSTRUCTION_SETS: Registry[Callable[[], Target]] = Registry("instruction set")
"""``host`` is this machine with all that it can do."""

INSTRUCTION_SETS.register("host", host)

_SSE2 = ("sse", "sse2")
_AVX2 = (*_SSE2, "sse3", "ssse3", "sse4.1", "sse4.2", "avx", "avx2", "fma")
_AVX512 = (*_AVX2, "avx512f", "avx512vl", "avx512dq", "avx512bw")


def _named(name: str, triple: str, features: tuple[str, ...]) -> None:
    listed = ",".join(f"+{feature}" for feature in features)
    INSTRUCTION_SETS.register(name, lambda: of_features(triple, set(features), listed))


_named("avx512", "x86_64-unknown-linux-gnu", _AVX512)
_named("avx2", "x86_64-unknown-linux-gnu", _AVX2)
_named("sse2", "x86_64-unknown-linux-gnu", _SSE2)
_named("aarch64", "aarch64-unknown-linux-gnu", ("neon",))
