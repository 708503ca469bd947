"""A trace: one training step as it was computed, every value of it, as data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
from numpy.typing import NDArray

from chainrule.base.errors import (
    ConfigurationError,
    NameNotFoundError,
    ShapeError,
    listed,
)
from chainrule.graph import Graph, Node, format_shape

if TYPE_CHECKING:
    from os import PathLike

    from chainrule.explanation.capturing.seal import Seal
    from chainrule.explanation.explanation import Explanation
    from chainrule.explanation.questions import Largest, Paths, Samples, Update, WhyZero
    from chainrule.explanation.questions.places import Named

Array = NDArray[Any]
Index = tuple[int, ...]

_ELEMENT = re.compile(r"(?P<name>.+?)\[(?P<index>-?\d+(?:\s*,\s*-?\d+)*)\]")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One number of a step: a node of its graph, and where it is in the node's value."""

    node: int
    index: Index


@dataclass(frozen=True)
class About:
    """What a step was part of, and what computed it.

    Parameters
    ----------
    computed_by : str
        The backend's arithmetic: ``"native fma"``, ``"native muladd"``, ``"numpy"``.
    step, epoch : int
        Its number in the run, from 0.
    rows : tuple of int
        The rows of the data in its batch.
    learning_rate : float
    seed : tuple of int
        Two words of 32 bits: what random layers draw from.
    network, loss, optimizer : str
        As their ``repr`` says it.
    is_rule : bool
        Whether the updates follow a learning rule, which is no derivative of the loss.
    versions : mapping of str to str
        Of chainrule and the libraries that computed.
    lines : mapping of str to str
        The text of the user's lines that nodes came from, by ``file:line``. The same step written
        on another line is the same step: they stand outside equality, as in a graph.
    """

    computed_by: str
    step: int = 0
    epoch: int = 0
    rows: tuple[int, ...] = ()
    learning_rate: float | None = None
    seed: tuple[int, ...] = ()
    network: str = ""
    loss: str = ""
    optimizer: str = ""
    is_rule: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, eq=False)
class Trace:
    """One training step: its graph, the value of every node, and what it was part of.

    Parameters
    ----------
    graph : Graph
        The step: forward pass, backward pass, update.
    values : sequence of array
        The value of each node, by position, with the bits that training computed.
    about : About
    names : mapping of str to tuple of str
        Names of single numbers, such as ``{"w5": ("2.weight[0, 0]",)}``; an axis of examples is
        left out where the step has one example.
    stored : Seal, optional
        The hashes that the file had which the trace was loaded from.

    Notes
    -----
    A trace that was loaded may have been changed since it was captured. Whoever shows one shows
    `notice` first, which is empty as a rule; `altered` names the values that do not agree.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule import nn, optim
    >>> from chainrule.explanation import explain
    >>> net = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())
    >>> trace = explain(net, np.ones((1, 2)), np.ones((1, 1)), loss=nn.QuadraticLoss())
    >>> trace["W1", 0, 1].name
    '0.weight[0,1]'
    """

    graph: Graph
    values: tuple[Array, ...] = field(repr=False)
    about: About
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stored: Seal | None = field(default=None, repr=False)

    def __getitem__(self, key: str | tuple[Any, ...]) -> Explanation:
        """Open a number: ``trace["0.weight", 3, 7]``, ``trace["0.weight[3,7]"]``, ``trace["w5"]``.

        Raises
        ------
        NameNotFoundError
            If nothing has this name; the message suggests the nearest.
        ShapeError
            If there is no such index in it.
        """
        from chainrule.explanation.explanation import open_place

        name, *index = (key or (None,)) if isinstance(key, tuple) else (key,)
        return open_place(self, self.find(name, *index))

    def show(self, *, file: TextIO | None = None) -> None:
        """Print every value that has a name, its size and its gradient's, and how to open one."""
        from chainrule.explanation.printing.overview import lines_of_overview, overview_of
        from chainrule.explanation.printing.terminal import show

        overview = overview_of(self)
        show(lambda width: lines_of_overview(overview, width), file)

    def text(self, width: int = 80) -> str:
        """What `show` prints, as plain text."""
        from chainrule.explanation.printing.overview import lines_of_overview, overview_of

        return "\n".join(line.plain for line in lines_of_overview(overview_of(self), width))

    def _repr_html_(self) -> str:
        from chainrule.explanation.printing.notebook import overview_fragment
        from chainrule.explanation.printing.overview import overview_of

        return overview_fragment(overview_of(self))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": self._repr_html_()}

    def largest(self, name: str, n: int = 10) -> Largest:
        """The elements of a value that are largest by size, and what each is made of.

        Parameters
        ----------
        name : str
            ``"d_0.weight"``.
        n : int
            How many.

        Raises
        ------
        NameNotFoundError
        ConfigurationError
            If `n` is no whole number from 1 up.
        """
        from chainrule.explanation.questions.largest import largest

        return largest(self, name, n)

    def why_zero(self, name: str, *index: int) -> WhyZero:
        """Follow a number that is zero to its cause, such as a unit that is off or a pixel.

        Raises
        ------
        NameNotFoundError, ShapeError
        """
        from chainrule.explanation.questions.cause import why_zero

        return why_zero(self, (name, *index))

    def path(self, from_: Named, to: Named, *, through: Named | None = None, n: int = 8) -> Paths:
        """The ways on which a gradient comes about, with the share of each; they add up.

        Parameters
        ----------
        from_ : str, or tuple of a name and an index
            What is differentiated: ``"loss"``, ``"2.out[0,1]"``, ``("2.out", 0, 1)``. With a
            penalty, ``"objective"`` is loss + penalty, which gradients of penalised parameters are
            of.
        to : str, or tuple of a name and an index
            By what: a weight, an activation, an input.
        through : str, or tuple of a name and an index, optional
            One unit: how much of the gradient flows through it.
        n : int
            How many ways are followed to their end, those with the largest shares first.

        Raises
        ------
        NameNotFoundError, ShapeError
        ConfigurationError
            If the one is not computed from the other, or `n` is no whole number from 1 up.
        """
        from chainrule.explanation.questions.path import path

        return path(self, from_, to, through=through, n=n)

    def samples(self, name: str, *index: int) -> Samples:
        """What each sample gives to a gradient; the shares add up to it.

        Of an update of several batches these are the samples of all batches; of the gradient of
        one batch, such as ``"d_batch2.0.weight"``, its own.

        Parameters
        ----------
        name : str
            The parameter or value, or its gradient: ``"0.weight"`` or ``"d_0.weight"``.
        *index : int

        Raises
        ------
        NameNotFoundError, ShapeError
        ConfigurationError
            If the number is data or frozen, or the update follows no gradient.
        """
        from chainrule.explanation.questions.samples import samples

        return samples(self, (name, *index))

    def optimizer(self, name: str, *index: int) -> Update:
        """How a gradient becomes a change of its parameter, in numbers, whatever the optimiser.

        Raises
        ------
        NameNotFoundError, ShapeError
        ConfigurationError
            If the step does not update it.
        """
        from chainrule.explanation.questions.update import update

        return update(self, (name, *index))

    def find(self, name: str, *index: int) -> Place:
        """Return where a number is: by canonical name, alias, ``%position`` or a name of its own.

        Raises
        ------
        NameNotFoundError, ShapeError, ConfigurationError
        """
        if not isinstance(name, str):
            raise ConfigurationError(
                f"A number is opened by the name of its value; got {type(name).__name__}",
                advice='Write trace["0.weight", 3, 7]; trace.show() lists the names',
            )
        if not index and name in self._named_places:
            return self._named_places[name]
        if name not in self.graph.positions:
            name = self._names_of_costs.get(name, name)
        if not index and name not in self.graph.positions:
            match = _ELEMENT.fullmatch(name)
            if match:
                name, index = match["name"], tuple(map(int, match["index"].split(",")))
        if name not in self.graph.positions and name not in self.graph.labels and name[:1] != "%":
            known = [*self._named_places, *self.graph.positions, *self.graph.labels]
            raise NameNotFoundError.among("value", name, known)
        position = self.graph.find(name)
        return Place(position, self._checked(position, index))

    def value(self, place: Place) -> Any:
        """The number at a place, as a NumPy scalar."""
        return self.values[place.node][place.index]

    def node(self, place: Place) -> Node:
        """The node that holds a number."""
        return self.graph.nodes[place.node]

    def to_html(self, path: str | PathLike[str], *, include: str | Sequence[str] = ()) -> None:
        """Write the step as one HTML file in which every number opens, without a network.

        Parameters
        ----------
        path
            A ``.html`` file; it is replaced whole or not at all. Its folder must exist.

        include : str or sequence of str, optional
            What the page of a large step has to hold: ``"0.weight[3,7]"``, a number with what it is
            made of; ``"0.weight"``, all numbers of a value; ``"d_*"``, of each value that is called
            so; ``"*"``, of all. A page of a small step holds everything.

        Raises
        ------
        ConfigurationError
            If it is no ``.html`` file.
        OSError
            As the system says; FolderNotFoundError is one.
        """
        from chainrule.explanation.page import to_html

        to_html(self, path, include)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the trace, so that `load_trace` gives back an equal one.

        Parameters
        ----------
        path : path
            A ``.json`` file; one that exists is replaced durably. Values of more than 4 kB go into
            a ``.safetensors`` file beside it, which the JSON names. Of several processes that save
            to the same path, who comes last wins.

        Raises
        ------
        ConfigurationError
            If it is no ``.json`` file.
        OSError
            As the system says.
        """
        from chainrule.explanation.capturing.file import save_trace

        save_trace(self, path)

    @cached_property
    def seal(self) -> Seal:
        """The hashes by which it is known whether the trace was altered: those it was stored with.

        They are computed when they are asked for: capturing a step takes no time for it.
        """
        from chainrule.explanation.capturing.seal import Seal

        return Seal.of(self) if self.stored is None else self.stored

    @cached_property
    def altered(self) -> tuple[str, ...]:
        """The names of values that are not what was captured; empty for a trace as it was.

        A value is altered if it does not agree with the hash it was stored with, or if the numbers
        that it was computed from give another. The second is looked at where it is quickly done and
        the same arithmetic is there. ``"the graph"`` and ``"what the trace says of its step"``
        stand in front if these were changed.
        """
        from chainrule.explanation.capturing.seal import find_altered

        return () if self.stored is None else find_altered(self, self.stored)

    @property
    def is_altered(self) -> bool:
        """Whether the trace was changed after it was captured."""
        return bool(self.altered)

    @property
    def notice(self) -> str:
        """What a reader has to be told first: that the trace was altered; empty as a rule."""
        if not self.altered:
            return ""
        what = listed(self.altered)
        return f"This trace was altered after it was captured. What does not agree: {what}"

    @cached_property
    def opened(self) -> Trace:
        """The trace with composites, such as a softmax, as the ops that they are made of."""
        from chainrule.explanation.inside import open_composites

        found = open_composites(self)
        # Hashes are of the graph that was stored; what they say is true of what is inside, too.
        found.__dict__["altered"] = self.altered
        return found

    @cached_property
    def opening(self) -> dict[Place, bool]:
        """Whether a number is shown inside of another, as far as that was asked: it takes long."""
        return {}

    @cached_property
    def penalised(self) -> frozenset[int]:
        """The values that a penalty is computed from; none where there is no penalty."""
        from chainrule.explanation.capturing.batches import penalised

        return penalised(self.graph)

    @cached_property
    def _names_of_costs(self) -> Mapping[str, str]:
        """What is shown as C and J, in a textbook's chain: the loss, and with the penalty."""
        from chainrule.explanation.symbols import loss_symbol, objective_symbol

        shown = {"loss": loss_symbol, "objective": objective_symbol}
        return {by(self): name for name, by in shown.items() if name in self.graph.labels}

    @cached_property
    def _named_places(self) -> Mapping[str, Place]:
        """The places of names of single numbers; of several, the first."""
        return {
            name: self._parsed(elements[0]) for name, elements in self.names.items() if elements
        }

    @cached_property
    def names_of_places(self) -> Mapping[Place, str]:
        """The name of its own that a number has: the last one given, where it has several."""
        return {
            self._parsed(element): name
            for name, elements in self.names.items()
            for element in elements
        }

    def _parsed(self, element: str) -> Place:
        match = _ELEMENT.fullmatch(element)
        name = match["name"] if match else element
        index = tuple(map(int, match["index"].split(","))) if match else ()
        position = self.graph.find(name)
        return Place(position, self._checked(position, index))

    def _checked(self, position: int, index: Index) -> Index:
        """The index counted from the front; one example's axis may be left out."""
        shape = self.graph.nodes[position].shape
        strange = next((i for i in index if not hasattr(i, "__index__")), None)
        if strange is not None:
            raise ShapeError(
                f"An index is made of whole numbers; got {strange!r:.40}",
                where=self.graph.name_of(position),
                advice="One number is opened at a time: one whole number for each axis",
            )
        if len(index) == len(shape) - 1 and shape[0] == 1:
            index = (0, *index)
        if len(index) == len(shape) and all(-n <= i < n for i, n in zip(index, shape, strict=True)):
            return tuple(int(i) % int(n) for i, n in zip(index, shape, strict=True))
        name = self.graph.name_of(position)
        given = ", ".join(map(str, index))
        numbers = f"{len(shape)} numbers" if len(shape) != 1 else "one number"
        raise ShapeError(
            f"{name} has the shape {format_shape(shape)}: there is no element [{given}] in it",
            advice=f"Pass {numbers}, each below its axis: "
            f'trace["{name}"{"".join(f", {int(n) - 1}" for n in shape)}] is the last',
        )

    def __repr__(self) -> str:
        examples, named = _counted(len(self.about.rows)), len(self.graph.positions)
        return f"Trace(update {self.about.step} of {examples}, {named} values)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Trace):
            return NotImplemented
        pairs = zip(self.values, other.values, strict=False)
        return (
            (self.graph, self.about, dict(self.names), len(self.values))
            == (other.graph, other.about, dict(other.names), len(other.values))
        ) and all(a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True) for a, b in pairs)

    __hash__ = object.__hash__


def _counted(examples: int) -> str:
    return "one example" if examples == 1 else f"{examples} examples"
