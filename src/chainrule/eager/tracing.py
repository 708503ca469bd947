"""A trace: while one is open, ops on Tensors write a graph instead of computing."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import numpy as np

from chainrule.base.errors import ChainruleError, TracingError
from chainrule.graph import DType, Graph, Source, TensorType
from chainrule.ops import Builder, Value

if TYPE_CHECKING:
    from chainrule.eager.tensor import Tensor

P = ParamSpec("P")
R = TypeVar("R")

_OPEN: ContextVar[tuple[Trace, ...]] = ContextVar("open traces", default=())
_SCOPE: ContextVar[str] = ContextVar("scope", default="")

# Frames that are not the user's: ours, those of NumPy calling us back, the import machinery's.
_NOT_THE_USERS = (
    str(Path(__file__).parent.parent) + os.sep,
    str(Path(np.__file__).parent) + os.sep,
    "<frozen",
)


class Trace:
    """A graph that is being written by running Python code.

    Use it as a context manager: inside, every op on Tensors is appended to `builder`. Traces
    nest; an inner trace takes what it finds of the outer one as inputs. A thread has traces of
    its own.

    Attributes
    ----------
    captures : list of Tensor
        Tensors from outside that the code used; each is an input of the graph, not a constant.
    writes : dict of int to (Tensor, Tensor)
        What `assign` gave to variables, by the variable's id: (the variable, its new value).
    """

    def __init__(self) -> None:
        self.captures: list[Tensor] = []
        self.writes: dict[int, tuple[Tensor, Tensor]] = {}
        self._builder = Builder(user_source)
        # What stands for a Tensor from outside, by its id. The Tensor is kept beside it: an id is
        # unique only among the living.
        self._inside: dict[int, tuple[Tensor, Tensor]] = {}

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

    @property
    def builder(self) -> Builder:
        """The graph under construction; what is appended belongs to the module being called."""
        self._builder.scope = current_scope()
        return self._builder

    def input(self, kind: TensorType, name: str | None = None) -> Tensor:
        """Append an input of the graph."""
        return self.wrap(self.builder.input(kind, name))

    def constant(self, value: float, dtype: DType) -> Tensor:
        """Append a number that is written in the code."""
        return self.wrap(self.builder.constant(value, dtype))

    def bind(self, outside: Tensor, inside: Tensor) -> None:
        """Let the code meet `inside` where it uses the Tensor `outside`."""
        self._inside[id(outside)] = (outside, inside)

    def lift(self, tensor: Tensor) -> Value:
        """Return the value of this trace that stands for `tensor`; one from outside is captured.

        Raises
        ------
        TracingError
            If `tensor` belongs to a trace that is closed.
        """
        if tensor.trace is self:
            return tensor.traced_value
        if id(tensor) not in self._inside:
            tensor.check_alive()
            name = tensor.name or f"captured{len(self.captures)}"
            self.captures.append(tensor)
            self.bind(tensor, self.input(tensor.type, name))
        return self._inside[id(tensor)][1].traced_value

    def wrap(self, value: Value) -> Tensor:
        """Return a Tensor that stands for a value of this trace."""
        from chainrule.eager.tensor import Tensor

        return Tensor.symbol(self, value)

    def build(self, name: str, outputs: Mapping[str, Tensor]) -> Graph:
        """Return the graph with these labelled outputs."""
        return self.builder.build(name, {label: self.lift(t) for label, t in outputs.items()})


def current_trace() -> Trace | None:
    """The innermost open trace."""
    traces = _OPEN.get()
    return traces[-1] if traces else None


def is_open(trace: Trace) -> bool:
    """Whether a trace is still being written, by this thread."""
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


# --- where the user is ------------------------------------------------------------------------


def user_source() -> Source | None:
    """The innermost line of the call stack that is the user's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_NOT_THE_USERS):
            return Source(_short(file, _working_folder()), frame.f_lineno)
        frame = frame.f_back
    return None


def _working_folder() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:  # it was deleted under our feet
        return None


# Asked at every op, and the answer is nearly always the same.
@functools.lru_cache(maxsize=1024)
def _short(file: str, folder: str | None) -> str:
    """The path as people write it in `folder`; ``<stdin>`` and paths elsewhere stay whole."""
    if folder is None or file.startswith("<"):
        return file
    try:
        relative = os.path.relpath(file, folder)
    except ValueError:  # another drive
        return file
    return file if relative.startswith("..") else relative


def here() -> str:
    """Describe the user's line and the layer, as errors do."""
    source, scope = user_source(), current_scope()
    layer = f'layer "{scope}"' if scope else ""
    line = f"Line {source.line} of {source.file}" if source else ""
    return ", ".join(filter(None, (line, layer)))


def located(error: ChainruleError) -> ChainruleError:
    """Add the user's line and the layer to an error that does not say where it happened."""
    if error.where is None:
        error.where = here()
    return error


def at_the_users_line(f: Callable[P, R]) -> Callable[P, R]:
    """Let the errors of `f`, a function of a lower room, say where the user called it."""

    @functools.wraps(f)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return f(*args, **kwargs)
        except ChainruleError as error:
            raise located(error) from None

    return wrapped


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
