"""What a backend is: it runs a graph once, or compiles a training step and runs it many times."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.base.errors import DTypeError, NameNotFoundError, ShapeError
from chainrule.graph import Graph, TensorType, format_shape

Array = NDArray[Any]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Wiring:
    """Where a step's inputs come from.

    An input that is named nowhere here is *fed*: its value is given anew for each step (the
    learning rate, or a batch that no array holds).

    Parameters
    ----------
    state : mapping of str to str
        Input names to the labels of the outputs that are their values in the next step.
    data : tuple of str
        Inputs whose values are the step's rows of an array of the same name.
    rows : str, optional
        The input that is the rows' numbers themselves, i64[B].
    finite : tuple of str
        Labels of outputs that must be finite: a step with another value is not taken.
    latest : tuple of str
        Labels of outputs of which only the last step's value is wanted, so that those of all steps
        need not be there at once, however large.
    """

    state: Mapping[str, str]
    data: tuple[str, ...] = ()
    rows: str | None = None
    finite: tuple[str, ...] = ()
    latest: tuple[str, ...] = ()

    def fed(self, step: Graph) -> tuple[str, ...]:
        """The inputs of `step` that are given anew for each step."""
        wired = {*self.state, *self.data, self.rows}
        return tuple(name for name in step.input_names if name not in wired)

    def check(self, step: Graph) -> None:
        """Raise unless everything that is wired is an input or output of `step`, of one type.

        Raises
        ------
        NameNotFoundError
            If there is no such input or output.
        ShapeError, DTypeError
            If the next value of a state has another type than the state.
        """
        inputs = dict(zip(step.input_names, step.inputs, strict=True))
        rows = () if self.rows is None else (self.rows,)
        for name in (*self.state, *self.data, *rows):
            if name not in inputs:
                raise NameNotFoundError.among("input of the step", name, inputs)
        for label in (*self.state.values(), *self.finite, *self.latest):
            if label not in step.labels:
                raise NameNotFoundError.among("output of the step", label, step.labels)
        for name, label in self.state.items():
            kind, after = step.nodes[inputs[name]].type, step.nodes[step.labels[label]].type
            check_type(f"the next {name}", kind, after.shape, after.dtype.numpy)

    def check_arrays(
        self, step: Graph, state: Mapping[str, Array], data: Mapping[str, Array]
    ) -> None:
        """Raise unless there are a state and data of the types that `step` takes.

        Raises
        ------
        NameNotFoundError, ShapeError, DTypeError
        """
        for name in self.state:
            array = _look_up("state", name, state)
            check_type(name, step[name].type, array.shape, array.dtype)
        for name in self.data:
            array, kind = _look_up("data", name, data), step[name].type
            row = TensorType(kind.shape[1:], kind.dtype)
            check_type(f"a row of {name}", row, array.shape[1:], array.dtype)

    def check_fed(self, step: Graph, rows: Rows, feeds: Mapping[str, Array]) -> None:
        """Raise unless rows of shape (steps, B) and as many feeds are what `step` takes.

        Raises
        ------
        NameNotFoundError, ShapeError, DTypeError
        """
        for name in (*self.data, *filter(None, (self.rows,))):
            if rows.shape[1:] != step[name].shape[:1]:
                size = int(step[name].shape[0])
                raise ShapeError(f"a step reads {size} rows of {name}; got {list(rows.shape[1:])}")
        for name in self.fed(step):
            array = _look_up("feed", name, feeds)
            if array.shape[:1] != rows.shape[:1]:
                raise ShapeError(
                    f"{len(rows)} steps are fed {len(rows)} times with {name}; got shape "
                    f"{list(array.shape)}"
                )
            check_type(name, step[name].type, array.shape[1:], array.dtype)


@dataclass(frozen=True)
class Advanced:
    """What `Session.advance` did.

    Parameters
    ----------
    steps : int
        How many steps were taken; fewer than asked for if the next one was not finite. The
        state is then that before the bad step.
    outputs : mapping of str to array
        For each output that is no state: its value in each step taken, stacked. For one that is
        wired as `latest` the value of the last step taken, if there is one; it is read-only, and
        there until the session goes on.
    interrupted : bool
        Whether Ctrl-C came: the step that was under way is not taken, and the state is whole.
    """

    steps: int
    outputs: Mapping[str, Array]
    interrupted: bool = False


def check_type(what: str, kind: TensorType, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raise unless an array is what a graph takes: another dtype would spread to its results.

    Raises
    ------
    ShapeError, DTypeError
    """
    if dtype != kind.dtype.numpy:
        raise DTypeError(f"{what} is {kind.dtype.numpy}; got {dtype}")
    if shape != kind.shape:
        raise ShapeError(f"{what} has the shape {format_shape(kind.shape)}; got {list(shape)}")


def frozen(value: Array) -> Array:
    """The array, not to be written in: a session may still read it."""
    view = np.asarray(value).view()
    view.flags.writeable = False
    return view


def _look_up(kind: str, name: str, arrays: Mapping[str, Array]) -> Array:
    if name not in arrays:
        raise NameNotFoundError.among(kind, name, arrays)
    return np.asarray(arrays[name])


class Session(ABC):
    """A training that is under way: its state, and the data it reads."""

    @abstractmethod
    def advance(self, rows: Rows, feeds: Mapping[str, Array]) -> Advanced:
        """Take ``len(rows)`` steps.

        Parameters
        ----------
        rows : int64 array of shape (steps, B)
            The rows of the data that each step reads.
        feeds : mapping of str to array
            The fed inputs, with a leading axis of steps.
        """

    @abstractmethod
    def record(
        self, rows: Rows, feeds: Mapping[str, Array], names: Sequence[str] | None = None
    ) -> Mapping[str, Array]:
        """Values of one step from the present state, which stays as it is.

        Parameters
        ----------
        rows : int64 array of shape (B,)
        feeds : mapping of str to array
            The fed inputs of this step, without a leading axis.
        names : sequence of str, optional
            Nodes of the step's graph, by name, alias or ``%position``; by default all of them, in
            the graph's order.

        Returns
        -------
        mapping of str to array
            With the bits that `advance` computes; read-only.
        """

    @abstractmethod
    def state(self) -> Mapping[str, Array]:
        """The state, by input name: read-only arrays, which later steps do not change."""


class Program(ABC):
    """A compiled step."""

    @property
    @abstractmethod
    def memory(self) -> int:
        """How many bytes a session takes for its state and what a step computes, without the data.

        A kernel's own temporaries may come on top.
        """

    @abstractmethod
    def open(self, state: Mapping[str, Array], data: Mapping[str, Array]) -> Session:
        """Start from `state`, reading rows of `data`.

        Raises
        ------
        NameNotFoundError, ShapeError, DTypeError
            If an array is missing, or is not what the step takes.
        """

    @abstractmethod
    def record(
        self,
        state: Mapping[str, Array],
        data: Mapping[str, Array],
        rows: Rows,
        feeds: Mapping[str, Array],
        names: Sequence[str] | None = None,
    ) -> Mapping[str, Array]:
        """Values of one step from `state`, without a session: see `Session.record`.

        Raises
        ------
        NameNotFoundError, ShapeError, DTypeError
            If an array is missing, or is not what the step takes.
        """


class Backend(ABC):
    """Runs graphs."""

    name: str
    compiles_sizes: bool = False
    """Whether a graph that runs with other sizes is compiled anew.

    Then computing some rows too many takes less time than a size that was not there before.
    """

    @property
    @abstractmethod
    def arithmetic(self) -> str:
        """Its name, and what else decides about last bits: runs are replayed by what made them."""

    @abstractmethod
    def run(self, graph: Graph, inputs: Sequence[Array]) -> list[Array]:
        """Compute the outputs of `graph`, which may share memory with `inputs`.

        Raises
        ------
        MissingKernelError
            If an op of the graph has no kernel here.
        ShapeError, DTypeError
            If an input is not what the graph takes.
        """

    @abstractmethod
    def compile(self, step: Graph, wiring: Wiring, threads: int | None = None) -> Program:
        """Prepare a step for being run many times.

        Parameters
        ----------
        step : Graph
        wiring : Wiring
        threads : int, optional
            How many may share a step, where a backend divides work itself; by default as many as
            the process may use processors. No bit depends on it.

        Raises
        ------
        MissingKernelError
            If an op of the step has no kernel here.
        NameNotFoundError, ShapeError, DTypeError
            If `wiring` does not fit `step`.
        """
