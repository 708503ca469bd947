"""Who takes part. Each module here has ``open_task(task, arrays, threads, **options)``."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.task import Array, Runner, Task

OURS = "chainrule"

# What torch is fast with: freed memory is kept, and not fetched from the system at each step.
KEEPING_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "67108864",
}


@dataclass(frozen=True)
class Contender:
    """One of those who do a task.

    Parameters
    ----------
    name, about : str
    module : str
        In this folder.
    needs : str
        The package that it is made with, or a program, if it begins with ``$``.
    options : mapping
        For its module.
    environment : mapping of str to str
        Variables of its process.
    feature : str
        Of the processor, without which it is none other than another one.
    """

    name: str
    about: str
    module: str
    needs: str
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    feature: str = ""

    def missing(self) -> str | None:
        """What it needs and is not here."""
        if self.feature and not _has(self.feature):
            return f"the processor has no {self.feature}"
        program = self.needs.removeprefix("$")
        if program != self.needs:
            return None if shutil.which(program) else f"there is no {program} here"
        return None if importlib.util.find_spec(self.needs) else f"{self.needs} is not installed"

    def open_task(
        self, task: Task, arrays: Mapping[str, Array], threads: int, *, whole: bool = False
    ) -> Runner:
        """Begin a task; `whole` as a user would, where that is more than what is timed."""
        module = importlib.import_module(f"benchmarks.contenders.{self.module}")
        options = {**self.options, **({"whole": True} if whole and self.name == OURS else {})}
        runner: Runner = module.open_task(task, arrays, threads, **options)
        return runner


# OpenBLAS knows processors by name, and takes those for AVX2 that it does not know yet.
WITH_AVX512 = {"OPENBLAS_CORETYPE": "SkylakeX"}


def _has(feature: str) -> bool:
    from llvmlite import binding as llvm

    return bool(llvm.get_host_cpu_features().get(feature))


CONTENDERS = {
    c.name: c
    for c in (
        Contender(OURS, "the native backend", "chainrule_peer", "llvmlite", {"backend": "native"}),
        Contender(
            "chainrule-numpy", "the NumPy backend", "chainrule_peer", "numpy", {"backend": "numpy"}
        ),
        Contender("numpy", "NumPy by hand; products by OpenBLAS", "by_hand", "numpy"),
        Contender(
            "numpy-tuned",
            "the same, OpenBLAS told to use AVX-512",
            "by_hand",
            "numpy",
            {},
            WITH_AVX512,
            "avx512f",
        ),
        Contender("jax", "the run in one jitted fori_loop", "jax_peer", "jax", {"loop": True}),
        Contender("jax-jit", "one jitted call a step", "jax_peer", "jax", {"loop": False}),
        Contender("torch", "eager, fused Adam; torch.func; products by MKL", "torch_peer", "torch"),
        Contender(
            "torch-tuned",
            "the same, malloc keeps memory",
            "torch_peer",
            "torch",
            {},
            KEEPING_MEMORY,
        ),
        Contender(
            "torch-compile",
            "torch.compile, malloc keeps memory",
            "torch_peer",
            "torch",
            {"compiled": True},
            KEEPING_MEMORY,
        ),
        Contender("gcc", "C by hand, gcc -O3", "c_peer", "$gcc"),
    )
}
"""By name, in the order in which they are shown."""
