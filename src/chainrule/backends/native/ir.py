"""LLVM IR as text: the writer of one function, and what every function of a module shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from chainrule.backends.native.target import Target
from chainrule.graph import DType

_NAMES = {
    DType.F32: "float",
    DType.F64: "double",
    DType.I32: "i32",
    DType.I64: "i64",
    DType.U32: "i32",
    DType.BOOL: "i1",
}


def type_name(dtype: DType, lanes: int = 1) -> str:
    """The type of a value in a register: ``float``, ``<16 x float>``."""
    name = _NAMES[dtype]
    return name if lanes == 1 else f"<{lanes} x {name}>"


def memory_name(dtype: DType, lanes: int = 1) -> str:
    """The type of a value in memory, where a truth takes a byte."""
    name = "i8" if dtype is DType.BOOL else _NAMES[dtype]
    return name if lanes == 1 else f"<{lanes} x {name}>"


@dataclass
class Function:
    """A function being written: one instruction a line, in static single assignment.

    Parameters
    ----------
    name : str
    parameters : sequence of (str, str)
        Types and names, such as ``("ptr noalias", "%x")``.
    result : str
    """

    name: str
    parameters: Sequence[tuple[str, str]]
    result: str = "void"
    lines: list[str] = field(default_factory=lambda: ["entry:"])
    declarations: set[str] = field(default_factory=set)
    block: str = "entry"
    _count: int = 0

    def value(self, instruction: str) -> str:
        """Append an instruction with a result; return the result's name."""
        name = self.fresh("v")
        self.lines.append(f"  {name} = {instruction}")
        return name

    def do(self, instruction: str) -> None:
        """Append an instruction without a result."""
        self.lines.append(f"  {instruction}")

    def fresh(self, prefix: str) -> str:
        """A name that is not in use."""
        self._count += 1
        return f"%{prefix}{self._count}"

    def label(self, prefix: str) -> str:
        """A label for a block that `begin` will open."""
        return self.fresh(prefix)[1:]

    def begin(self, label: str) -> None:
        """Open a block; the one before must have ended in a branch."""
        self.lines.append(f"{label}:")
        self.block = label

    def call(self, result: str, name: str, *arguments: tuple[str, str]) -> str:
        """Call a function of LLVM's own, declaring it; return the result's name."""
        types = ", ".join(kind for kind, _ in arguments)
        self.declarations.add(f"declare {result} @{name}({types})")
        passed = ", ".join(f"{kind} {value}" for kind, value in arguments)
        return self.value(f"call {result} @{name}({passed})")

    def perform(self, name: str, *arguments: tuple[str, str]) -> None:
        """Call a function of LLVM's own that has no result, declaring it."""
        types = ", ".join(kind for kind, _ in arguments)
        self.declarations.add(f"declare void @{name}({types})")
        passed = ", ".join(f"{kind} {value}" for kind, value in arguments)
        self.do(f"call void @{name}({passed})")

    @contextmanager
    def loop(
        self, count: int | str, carried: Sequence[tuple[str, str]] = (), step: int = 1
    ) -> Iterator[LoopBlock]:
        """Write a loop from 0 up to `count`, at least once; the body is what stands in the `with`.

        Parameters
        ----------
        count : int or name of an i64
            A multiple of `step`.
        carried : sequence of (type, start)
            Values that each iteration replaces: `LoopBlock.values`, then `LoopBlock.next`.
        step : int
        """
        before, head, after = self.block, self.label("loop"), self.label("done")
        self.do(f"br label %{head}")
        self.begin(head)
        index = self.fresh("i")
        names = tuple(self.fresh("c") for _ in carried)
        place = len(self.lines)
        self.lines.append("")
        made = LoopBlock(index, names)
        yield made
        following = self.value(f"add nuw nsw i64 {index}, {step}")
        again = self.value(f"icmp slt i64 {following}, {count}")
        phis = [f"  {index} = phi i64 [ 0, %{before} ], [ {following}, %{self.block} ]"]
        for name, (kind, start), value in zip(names, carried, made.next, strict=True):
            phis.append(f"  {name} = phi {kind} [ {start}, %{before} ], [ {value}, %{self.block} ]")
        self.lines[place] = "\n".join(phis)
        self.do(f"br i1 {again}, label %{head}, label %{after}")
        self.begin(after)

    @contextmanager
    def when(self, condition: str, carried: Sequence[tuple[str, str]] = ()) -> Iterator[LoopBlock]:
        """Run what stands in the `with` if a condition holds.

        Parameters
        ----------
        condition : str
        carried : sequence of (type, start)
            Values that it replaces by `LoopBlock.next`; after it they are `LoopBlock.values`.
        """
        before, inside, after = self.block, self.label("when"), self.label("after")
        self.do(f"br i1 {condition}, label %{inside}, label %{after}")
        self.begin(inside)
        names = tuple(self.fresh("c") for _ in carried)
        made = LoopBlock("", names)
        yield made
        end = self.block
        self.do(f"br label %{after}")
        self.begin(after)
        for name, (kind, start), value in zip(names, carried, made.next, strict=True):
            self.lines.append(f"  {name} = phi {kind} [ {start}, %{before} ], [ {value}, %{end} ]")

    def text(self) -> str:
        """The function's definition."""
        passed = ", ".join(f"{kind} {name}" for kind, name in self.parameters)
        body = "\n".join(self.lines)
        return f'define {self.result} @"{self.name}"({passed}) #0 {{\n{body}\n}}\n'


@dataclass
class LoopBlock:
    """A loop, or what is run on a condition, being written.

    Parameters
    ----------
    index : str
        A loop's, an i64.
    values : tuple of str
        What is carried, as the body finds it.
    next : sequence of str
        What the body replaces it by; to be set in it.
    """

    index: str
    values: tuple[str, ...]
    next: Sequence[str] = ()


def module_text(functions: Sequence[Function], target: Target, private: Sequence[str] = ()) -> str:
    """A module of these functions.

    Parameters
    ----------
    functions : sequence of Function
    target : Target
    private : sequence of str
        Names of functions that only others here call.
    """
    declared = sorted(set().union(*(f.declarations for f in functions)))
    definitions = [
        f.text().replace("define ", "define internal ", 1) if f.name in private else f.text()
        for f in functions
    ]
    bits = 8 * target.vector_bytes
    attributes = (
        f'attributes #0 = {{ nounwind "target-features"="{target.features}" '
        f'"prefer-vector-width"="{bits}" "min-legal-vector-width"="{bits}" }}'
    )
    head = f'target triple = "{target.triple}"'
    return "\n\n".join([head, *declared, *definitions, attributes]) + "\n"
