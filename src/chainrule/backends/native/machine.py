"""From LLVM IR to code in memory."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

from chainrule.backends.native.target import Target


def _new_machine(target: Target) -> Any:
    from llvmlite import binding as llvm

    found = llvm.Target.from_triple(target.triple)
    return found.create_target_machine(features=target.features, opt=2, jit=True)


@cache
def _machine(target: Target) -> Any:
    return _new_machine(target)


def start(target: Target) -> None:
    """Raise whatever LLVM raises if it cannot compile for this machine."""
    _machine(target)


def object_code(ir: str, target: Target) -> bytes:
    """Compile a module; no pass over the IR is run, since it is written as it is meant."""
    from llvmlite import binding as llvm

    module = llvm.parse_assembly(ir)
    module.verify()
    code: bytes = _machine(target).emit_object(module)
    module.close()
    return code


def give_back_memory() -> None:
    """Let the system have what compiling took: glibc keeps some ten megabytes otherwise."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(ctypes.c_size_t(0))


def assembly(ir: str, target: Target) -> str:
    """The same machine code as text, for any target."""
    from llvmlite import binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    text: str = _machine(target).emit_assembly(llvm.parse_assembly(ir))
    return text


class Loaded:
    """Machine code that can be called, as long as this object lives.

    Parameters
    ----------
    code : bytes
        What `object_code` made.
    target : Target
    """

    def __init__(self, code: bytes, target: Target) -> None:
        from llvmlite import binding as llvm

        # A machine of its own: the engine takes it along when it goes.
        machine = _new_machine(target)
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def function(self, name: str, result: Any, *arguments: Any) -> Any:
        """A function, for ctypes: it runs without Python's lock."""
        prototype = ctypes.CFUNCTYPE(result, *arguments)
        return prototype(self._engine.get_function_address(name))
