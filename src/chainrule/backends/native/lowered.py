"""What lowering makes: kernels in order, and the memory they read and write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from chainrule.backends.native.arena import Fault
from chainrule.backends.native.nest import Kernel, Statement, buffers_of
from chainrule.backends.native.view import View
from chainrule.graph import DType


@dataclass(frozen=True)
class Buffer:
    """A piece of memory.

    Parameters
    ----------
    name : str
    dtype : DType
    size : int
        In elements.
    """

    name: str
    dtype: DType
    size: int


@dataclass
class Lowered:
    """A graph as kernels in order.

    Parameters
    ----------
    kernels : list of Kernel
    buffers : mapping of str to Buffer
    values : mapping of int to View
        Where the nodes' values lie, by position, of those that lie anywhere.
    faults : list of (int, Fault)
        What can go wrong in kernels: the node's position, and what it is.
    watched : set of int
        Nodes of which zeros are added up.
    zeros : mapping of DType to View
        These sums, a vector for each dtype: NaN if something was not finite.
    is_straight : bool
        Whether all is one kernel of straight-line code, and the zeros one number.
    scratch : set of str
        Buffers of one kernel each, which hold nothing afterwards.
    """

    kernels: list[Kernel] = field(default_factory=list)
    buffers: dict[str, Buffer] = field(default_factory=dict)
    values: dict[int, View] = field(default_factory=dict)
    faults: list[tuple[int, Fault]] = field(default_factory=list)
    watched: set[int] = field(default_factory=set)
    zeros: dict[DType, View] = field(default_factory=dict)
    is_straight: bool = False
    scratch: set[str] = field(default_factory=set)

    def hold(self, view: View) -> View:
        """Have a buffer for a value that lies in it alone."""
        self.buffers[view.buffer] = Buffer(view.buffer, view.dtype, max(view.extent, 1))
        return view

    def zeros_of(self, dtype: DType, lanes: int) -> View:
        """Where zeros are added up."""
        if dtype not in self.zeros:
            self.zeros[dtype] = self.hold(View.whole(f"zeros.{dtype.value}", dtype, (lanes,)))
        return self.zeros[dtype]

    def add(self, name: str, body: Sequence[Statement]) -> None:
        """Put a kernel behind the others."""
        used = {buffer: self.buffers[buffer].dtype for buffer in sorted(buffers_of(body))}
        self.kernels.append(Kernel(name, tuple(body), used))
