"""A trace: while one is open, ops on Tensors write a graph instead of computing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from chainrule.base.errors import ChainruleError, TracingError
from chainrule.graph import Graph, Source, TensorType
from chainrule.ops import Builder, Value

if TYPE_CHECKING:
    from chainrule.eager.tensor import Tensor

_OPEN: ContextVar[tuple[Trace, ...]] = ContextVar("open traces", default=())
_SCOPE: ContextVar[str] = ContextVar("scope", default="")
_PACKAGE = str(Path(__file__).parent.parent) + os.sep


class Trace:
    """A graph that is being written by running Python code.

    Use it as a context manager: inside, every op on Tensors is appended to `builder`. Traces
    nest; an inner trace takes what it finds of the outer one as inputs.

    Attributes
    ----------
    captures : list of Tensor
        Tensors from outside that the code used; each is an input of the graph, not a constant.
    writes : list of (Buffer, Tensor)
        Assignments to state, outputs of the graph: see `Tensor` subclasses that are variables.
    """

    def __init__(self) -> None:
        self.builder = Builder(user_source)
        self.captures: list[Tensor] = []
        self.writes: dict[int, tuple[Tensor, Tensor]] = {}
        self._lifted: dict[int, Tensor] = {}

    def __enter__(self) -> Trace:
        self._token = _OPEN.set((*_OPEN.get(), self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _OPEN.reset(self._token)

    def input(self, kind: TensorType, name: str | None = None) -> Tensor:
        """Append an input of the graph."""
        return self.wrap(self.builder.input(kind, name))

    def bind(self, outside: Tensor, inside: Tensor) -> None:
        """Let the code meet `inside` where it uses the Tensor `outside`."""
        self._lifted[id(outside)] = inside
        self._keep = (*getattr(self, "_keep", ()), outside)  # its id stays its own

    def lift(self, tensor: Tensor) -> Value:
        """Return the value of this trace that stands for `tensor`; one from outside is captured.

        Raises
        ------
        TracingError
            If `tensor` belongs to a trace that is closed.
        """
        if tensor.trace is self:
            return tensor.traced_value
        if id(tensor) not in self._lifted:
            tensor.check_alive()
            name = tensor.name or f"captured{len(self.captures)}"
            self.captures.append(tensor)
            self._lifted[id(tensor)] = self.input(tensor.type, name)
        return self._lifted[id(tensor)].traced_value

    def wrap(self, value: Value) -> Tensor:
        """Return a Tensor that stands for a value of this trace."""
        from chainrule.eager.tensor import Tensor

        return Tensor._traced(self, value)

    def build(self, name: str, outputs: Mapping[str, Tensor]) -> Graph:
        """Return the graph with these labelled outputs."""
        return self.builder.build(name, {label: self.lift(t) for label, t in outputs.items()})


def current_trace() -> Trace | None:
    """The innermost open trace."""
    traces = _OPEN.get()
    return traces[-1] if traces else None


def is_open(trace: Trace) -> bool:
    """Whether a trace is still being written."""
    return trace in _OPEN.get()


@contextmanager
def in_scope(path: str) -> Iterator[None]:
    """Let ops be made on behalf of the module at `path`."""
    token = _SCOPE.set(path)
    try:
        yield
    finally:
        _SCOPE.reset(token)


def current_scope() -> str:
    """The path of the module that is being called."""
    return _SCOPE.get()


def user_source() -> Source | None:
    """The innermost line of the call stack that is not chainrule's own."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((_PACKAGE, "<frozen")):
            return Source(_short(file), frame.f_lineno)
        frame = frame.f_back
    return None


def _short(file: str) -> str:
    try:
        relative = os.path.relpath(file)
    except ValueError:  # another drive
        return file
    return file if relative.startswith("..") or file.startswith("<") else relative


def located(error: ChainruleError) -> ChainruleError:
    """Add the user's line and the layer to an error that does not say where it happened."""
    if error.where is None:
        error.where = here()
    return error


def here() -> str:
    """Describe the user's line and the layer, as errors do."""
    source, scope = user_source(), current_scope()
    layer = f'layer "{scope}"' if scope else ""
    line = f"Line {source.line} of {source.file}" if source else ""
    return ", ".join(filter(None, (line, layer)))


def refuse_number(what: str) -> TracingError:
    """The error for code that asks a traced value for its number."""
    return TracingError(
        f"{what} needs the number, and while a function is traced there are only symbols",
        where=here(),
        advice=(
            "Choose between values with cr.where, repeat with a Python loop over a fixed count, "
            "or compute the condition outside the traced function"
        ),
    )
