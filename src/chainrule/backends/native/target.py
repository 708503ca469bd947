"""The target: what the machine can do. Everything that differs between machines is asked here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from chainrule.graph import DType


@dataclass(frozen=True)
class Target:
    """A machine to generate code for.

    Parameters
    ----------
    triple : str
        LLVM's name of architecture, system and interface.
    features : str
        LLVM's list of features, ``+avx2,-avx512f,...``. The CPU's name says nothing: virtual
        machines give wrong ones.
    vector_bytes : int
        The size of a vector register.
    registers : int
        How many there are.
    fma : bool
        Whether a contraction accumulates with one rounding, a·b + c.
    """

    triple: str
    features: str
    vector_bytes: int
    registers: int
    fma: bool

    def lanes(self, dtype: DType) -> int:
        """How many elements of a dtype a vector holds."""
        return max(1, self.vector_bytes // dtype.numpy.itemsize)


@cache
def host() -> Target:
    """The machine this runs on.

    Raises
    ------
    ImportError
        If llvmlite is not installed, or does not load.
    """
    from llvmlite import binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    found = llvm.get_host_cpu_features()
    triple = llvm.get_default_triple()
    return of_features(triple, {name for name, there in found.items() if there}, found.flatten())


def of_features(triple: str, there: set[str], features: str) -> Target:
    """The target with these features, whatever the CPU is called."""
    if triple.startswith(("aarch64", "arm64")):
        return Target(triple, features, 16, 32, True)
    fma = "fma" in there
    if {"avx512f", "avx512vl", "avx512dq", "avx512bw"} <= there:
        return Target(triple, f"{features},-prefer-256-bit", 64, 32, fma)
    if "avx2" in there:
        return Target(triple, features, 32, 16, fma)
    return Target(triple, features, 16, 16, fma)
