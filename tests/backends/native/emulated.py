"""Graphs as programs of their own, run under qemu-user as another processor.

The object that would be loaded is linked with a few lines of assembly instead, by binutils and
without a C compiler. What the processor lacks, or what reads past the arena, ends the program.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from chainrule.backends.native.arena import new_arena
from chainrule.backends.native.compiled import compile_routine
from chainrule.backends.native.target import Target
from chainrule.backends.protocol import Backend
from tests.backends.native.targets import foreign

HERE = Path(__file__).parent
PAGE = 4096


@dataclass(frozen=True)
class Processor:
    """Who runs the code: qemu's program and model, and what the names of binutils begin with."""

    qemu: str
    model: str
    binutils: str


X86 = "qemu-x86_64"
PROCESSORS = {
    "sse2": Processor(X86, "Opteron_G1,-sse3", "x86_64-linux-gnu-"),
    "avx2 without fma": Processor(X86, "Haswell,-fma", "x86_64-linux-gnu-"),
    "avx2": Processor(X86, "Haswell", "x86_64-linux-gnu-"),
    "aarch64": Processor("qemu-aarch64", "cortex-a53", "aarch64-linux-gnu-"),
}


def tool(name):
    """A program's path; skips where it is not installed."""
    found = shutil.which(name)
    if found is None:
        packages = "qemu-user, binutils-x86-64-linux-gnu, binutils-aarch64-linux-gnu"
        pytest.skip(f"{name} is not installed; on Debian these packages have it: {packages}")
    return found


def processor_for(name):
    processor = PROCESSORS[name]
    for program in (processor.qemu, f"{processor.binutils}as", f"{processor.binutils}ld"):
        tool(program)
    return processor


def call(*command, **options):
    return subprocess.run(command, capture_output=True, check=True, **options).stdout


class Emulated(Backend):
    """Compiles for a target and runs each graph on a processor that has no more than it.

    Parameters
    ----------
    name : str
        Of a processor.
    """

    arithmetic = "emulated"

    def __init__(self, name):
        self.name = name
        self.processor = processor_for(name)
        self.target: Target = foreign(name)

    def run(self, graph, inputs):
        compiled = compile_routine(graph, self.target)
        arena = new_arena(compiled.arena)
        for place, array in zip(compiled.inputs.values(), inputs, strict=True):
            place.of(arena)[...] = array
        arena[...] = np.frombuffer(self.ran(compiled.code, arena.tobytes()), np.uint8)
        fault = compiled.take_fault(arena)
        if fault is not None:
            raise fault
        return [place.of(arena).copy() for place in compiled.outputs.values()]

    def ran(self, code, arena):
        """What an arena is after code has run on it."""
        with tempfile.TemporaryDirectory() as folder:
            program = self.linked(code, len(arena), Path(folder))
            done = subprocess.run(
                [tool(self.processor.qemu), "-cpu", self.processor.model, program],
                input=arena, capture_output=True, check=False,
            )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{self.name}: ended by {done.returncode}: {done.stderr.decode()}")
        return done.stdout

    def linked(self, code, size, folder):
        """A static program of an object."""
        architecture = self.target.triple.partition("-")[0]
        start, made, program = folder / "start.o", folder / "run.o", folder / "program"
        call(tool(f"{self.processor.binutils}as"), HERE / f"start_{architecture}.s", "-o", start)
        made.write_bytes(code)
        pages = -(-size // PAGE) * PAGE
        sizes = [f"--defsym=arena_size={size}", f"--defsym=arena_pages={pages}"]
        call(tool(f"{self.processor.binutils}ld"), "-static", *sizes, start, made, "-o", program)
        os.chmod(program, 0o700)
        return program

    def compile(self, step, wiring, threads=None):
        raise NotImplementedError
