"""Nodes and graphs: plain, immutable data that can be compared, hashed and printed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np

from chainrule.base.errors import NameNotFoundError
from chainrule.graph.types import DType, Shape, TensorType

if TYPE_CHECKING:
    from chainrule.drawing import Diagram


def _plain(value: AttributeValue | np.generic | list[AttributeValue]) -> AttributeValue:
    """`value` in the types that print and compare as themselves, none of NumPy's, no list."""
    if isinstance(value, np.generic):
        return cast(AttributeValue, value.item())
    return tuple(map(_plain, value)) if isinstance(value, tuple | list) else value


def _hashed(value: AttributeValue) -> object:
    """What equal attributes have in common; ``hash(nan)`` alone would differ between two NaNs."""
    if isinstance(value, tuple):
        return tuple(map(_hashed, value))
    return repr(value) if isinstance(value, float) else value


def _same(a: AttributeValue, b: AttributeValue) -> bool:
    """Equality of attributes: 1, 1.0 and True differ, and NaN is itself."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return repr(a) == repr(b)
    mixed = any(isinstance(a, kind) is not isinstance(b, kind) for kind in (bool, float))
    return not mixed and a == b


class Attributes(Mapping[str, "AttributeValue"]):
    """An immutable, hashable mapping: what an op is told besides its inputs."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, AttributeValue] | None = None) -> None:
        self._items = {key: _plain(value) for key, value in sorted((items or {}).items())}

    def __getitem__(self, key: str) -> AttributeValue:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(tuple((key, _hashed(value)) for key, value in self._items.items()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Attributes) or self._items.keys() != other._items.keys():
            return False
        return all(_same(value, other[key]) for key, value in self._items.items())

    def __repr__(self) -> str:
        return f"Attributes({self._items!r})"


@dataclass(frozen=True, slots=True)
class Source:
    """The user's line that a node came from."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"line {self.line} of {self.file}"


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a graph: an op applied to earlier values.

    Parameters
    ----------
    op : str
        Name of the op in the op table; ``"input"`` for an input of the graph.
    inputs : tuple of int
        Positions of the operands in the graph's nodes, all smaller than this node's own.
    shape, dtype
        The type of the value.
    attributes : Attributes
        What the op is told besides its inputs: axes, a slope, a nested graph.
    name : str, optional
        Canonical name: a module path such as ``0.out``. A node without one prints as ``%7``.
    scope : str
        Path of the module during whose call the node was made.
    source : Source, optional
        The user's line. It stands outside equality and hash: the same network written on
        another line is the same network.
    """

    op: str
    inputs: tuple[int, ...]
    shape: Shape
    dtype: DType
    attributes: Attributes = field(default_factory=Attributes)
    name: str | None = None
    scope: str = ""
    source: Source | None = field(default=None, compare=False)

    @property
    def type(self) -> TensorType:
        """Shape and dtype together."""
        return TensorType(self.shape, self.dtype)

    @property
    def place(self) -> str:
        """Where it came from, as errors say it: the user's line and the layer."""
        source = str(self.source) if self.source else ""
        layer = f'layer "{self.scope}"' if self.scope else ""
        return ", ".join(filter(None, (source[:1].upper() + source[1:], layer)))


@dataclass(frozen=True, slots=True)
class Output:
    """One result of a graph: a label and the position of the node that holds it."""

    label: str
    node: int


@dataclass(frozen=True)
class Graph:
    """A pure function as data: nodes in an order in which they can be computed.

    Parameters
    ----------
    name : str
        What the graph computes, such as ``loss``.
    nodes : tuple of Node
        Inputs first, in the order of the arguments; then every node after its operands.
    outputs : tuple of Output
        The results, in order, with distinct labels.
    aliases : tuple of (str, str)
        Other names for named nodes: ``("W1", "0.weight")``.
    """

    name: str
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    aliases: tuple[tuple[str, str], ...] = ()

    @cached_property
    def _hash(self) -> int:
        return hash((self.name, self.nodes, self.outputs, self.aliases))

    def __hash__(self) -> int:
        # Kept: a graph is looked up in caches at each call, and has thousands of nodes.
        return self._hash

    def __getstate__(self) -> dict[str, object]:
        # Another process hashes text differently.
        return {key: value for key, value in vars(self).items() if key != "_hash"}

    @cached_property
    def inputs(self) -> tuple[int, ...]:
        """Positions of the inputs: the leading nodes whose op is ``input``."""
        return tuple(i for i, node in enumerate(self.nodes) if node.op == "input")

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """Canonical names and aliases to positions."""
        named = {node.name: i for i, node in enumerate(self.nodes) if node.name is not None}
        aliased = {alias: named[name] for alias, name in self.aliases if name in named}
        return {**aliased, **named}

    @cached_property
    def labels(self) -> Mapping[str, int]:
        """Output labels to positions."""
        return {output.label: output.node for output in self.outputs}

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs, in the order of the arguments."""
        return tuple(self.name_of(position) for position in self.inputs)

    def name_of(self, position: int) -> str:
        """Name a node as the printer does: its canonical name, or ``%`` and its position."""
        return self.nodes[position].name or f"%{position}"

    def find(self, name: str) -> int:
        """Find a node by canonical name, alias, output label or ``%position``.

        Raises
        ------
        NameNotFoundError
            If there is none; the message suggests the nearest name.
        """
        if name in self.positions:
            return self.positions[name]
        if name in self.labels:
            return self.labels[name]
        if name.startswith("%") and name[1:].isdecimal() and int(name[1:]) < len(self.nodes):
            return int(name[1:])
        known = [*self.positions, *self.labels]
        raise NameNotFoundError.among("value", name, known, where=f"graph {self.name}")

    def __getitem__(self, name: str) -> Node:
        return self.nodes[self.find(name)]

    def ancestors(self, positions: Iterable[int]) -> set[int]:
        """The positions of some values, and of all that they are computed from."""
        found = set(positions)
        for i in range(max(found, default=-1), -1, -1):
            if i in found:
                found.update(self.nodes[i].inputs)
        return found

    def diagram(
        self,
        *,
        direction: str = "down",
        collapse: Collection[str] | None = None,
        values: Mapping[str, str] | None = None,
    ) -> Diagram:
        r"""Draw the graph: values as boxes, modules as frames, forward and backward side by side.

        Parameters
        ----------
        direction : str
            Where the forward pass goes, ``down`` or ``right``; the backward pass comes back.
        collapse : collection of str, optional
            Modules that are drawn as one box: ``("encoder", "update 0.weight")``. By default those
            updates that take many steps; ``()`` draws everything.
        values : mapping of str to str
            What is written below values: ``{"loss": "0.298"}``.

        Returns
        -------
        Diagram
            Notebooks show it; ``save("step.svg")`` writes it, ``table()`` has it as rows.

        Raises
        ------
        NameNotFoundError
            If there is no such value or module.
        ConfigurationError
            If there is no such direction.

        Examples
        --------
        >>> from chainrule.graph import parse_graph
        >>> graph = parse_graph("graph f(x: f32[3]) -> f32[3]\n  y: f32[3] = exp(x)\n  return y")
        >>> diagram = graph.diagram()
        >>> [row["name"] for row in diagram.table()], 'data-name="y"' in diagram.svg
        (['x', 'y'], True)
        """
        from chainrule.graph.diagram import draw_graph

        return draw_graph(self, direction=direction, collapse=collapse, values=values)

    def __str__(self) -> str:
        from chainrule.graph.printer import format_graph

        return format_graph(self)


AttributeValue: TypeAlias = (
    int | float | bool | str | DType | Graph | tuple["AttributeValue", ...] | None
)
