"""The machine and what is installed on it: without them a figure says nothing."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import threading
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.backends.native.ir import Function, module_text, type_name
from chainrule.backends.native.machine import Loaded, object_code
from chainrule.backends.native.target import host
from chainrule.graph import DType

PACKAGES = ("chainrule", "llvmlite", "numpy", "torch", "jax", "jaxlib")
ROOT = Path(__file__).parent.parent


def description() -> dict[str, Any]:
    """Processor, versions and load."""
    target = host()
    return {
        "processor": _processor(),
        "vectors": f"{8 * target.vector_bytes} bits, {'' if target.fma else 'no '}FMA",
        "features": sorted(f[1:] for f in target.features.split(",") if f.startswith("+")),
        "cores": os.cpu_count(),
        "memory_gb": _memory_gb(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "commit": _commit(),
        "load": load(),
    }


def load() -> float | None:
    """How many processes wanted to run, over the last minute."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


class FusedLoop:
    """Nothing but fused multiply-adds in registers: what arithmetic a processor can do at most."""

    # More chains than latency times throughput of any processor; fewer than registers.
    CHAINS = 12

    def __init__(self) -> None:
        target = host()
        lanes = target.lanes(DType.F32)
        kind = type_name(DType.F32, lanes)
        f = Function("loop", [("ptr", "%place"), ("i64", "%count")])
        a = f.value(f"load {kind}, ptr %place, align 4")
        name = f"llvm.fma.v{lanes}f32" if target.fma else f"llvm.fmuladd.v{lanes}f32"
        with f.loop("%count", [(kind, a)] * self.CHAINS) as block:
            block.next = [
                f.call(kind, name, (kind, a), (kind, a), (kind, value)) for value in block.values
            ]
        total = block.next[0]
        for value in block.next[1:]:
            total = f.value(f"fadd {kind} {total}, {value}")
        f.do(f"store {kind} {total}, ptr %place, align 4")
        f.do("ret void")
        self._operations = 2 * lanes * self.CHAINS
        self._loaded = Loaded(object_code(module_text([f], target), target), target)
        self._run = self._loaded.function("loop", None, ctypes.c_void_p, ctypes.c_int64)

    def rate(self, threads: int, count: int = 20_000_000) -> float:
        """Operations a second of so many threads together."""
        places = [np.zeros(64, np.float32) for _ in range(threads)]
        barrier = threading.Barrier(threads)
        began: list[float] = []
        ended: list[float] = []

        def work(place: np.ndarray[Any, Any]) -> None:
            barrier.wait()
            began.append(time.perf_counter())
            self._run(place.ctypes.data, count)
            ended.append(time.perf_counter())

        workers = [threading.Thread(target=work, args=(place,)) for place in places]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return threads * count * self._operations / (max(ended) - min(began))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    try:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    return round(pages * size / 1e9, 1)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
