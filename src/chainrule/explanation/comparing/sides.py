"""The two sides of a comparison, and which value of one is which of the other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from chainrule.base.errors import ConfigurationError
from chainrule.explanation.comparing.torch_trace import TorchTrace
from chainrule.explanation.trace import About, Array, Trace
from chainrule.graph import Graph
from chainrule.train.writing import RESERVED

_OUTPUT = re.compile(r"(?:(?P<path>.*)\.)?(?P<leaf>out(?:\.\d+)*(?:#\d+)?)")
_PREFIX = re.compile(r"(?P<prefix>d_|next\.|)(?P<rest>.*)")

Shapes = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, eq=False)
class Side:
    """One of two steps that are compared.

    Parameters
    ----------
    values : mapping of str to array
        By canonical name, in the order of computing.
    about : About
    trace : Trace or None
        None where there are values and no graph.
    title : str
    kept : tuple of str
        Its parameters and buffers.
    remark : str
        What to know of it.
    """

    values: Mapping[str, Array]
    about: About
    trace: Trace | None
    title: str
    kept: tuple[str, ...]
    remark: str = ""

    @classmethod
    def of(cls, what: Any) -> Side:
        """Return a trace as a side.

        Raises
        ------
        ConfigurationError
            If it is none.
        """
        if isinstance(what, Trace):
            pairs = zip(what.graph.nodes, what.values, strict=True)
            values = {node.name: array for node, array in pairs if node.name is not None}
            kept = [name for name in what.graph.input_names if ":" not in name]
            kept = [name for name in kept if not RESERVED.fullmatch(name)]
            return cls(values, what.about, what, _title(what.about, values), tuple(kept))
        if isinstance(what, TorchTrace):
            mode = "" if what.is_training else "The torch module is in evaluation mode"
            title = _title(what.about, what.values)
            return cls(what.values, what.about, None, title, what.state, mode)
        raise ConfigurationError(
            f"diff compares traces, torch traces and runs; got {type(what).__name__}",
            advice="Write cr.diff(cr.explain(net, x, y), cr.trace_torch(module, x, y, loss)), or "
            "pass two runs",
        )

    @property
    def float_type(self) -> np.dtype[Any]:
        """What its loss was computed in."""
        loss = self.values.get("loss")
        return np.dtype(np.float64) if loss is None or loss.dtype.kind != "f" else loss.dtype


@dataclass(frozen=True)
class Matching:
    """Which value of the other side belongs to which node of a graph.

    Parameters
    ----------
    stored : mapping of int to array
        The other side's values, by position.
    names : mapping of int to str
        What they are called there.
    whole : bool
        Whether every node has one: both sides have the same ops in the same order.
    is_alike : bool
        Whether the shapes are the same, too.
    only_here, only_there : list of str
    notes : list of str
    """

    stored: dict[int, Array]
    names: dict[int, str]
    whole: bool = False
    is_alike: bool = True
    only_here: list[str] = field(default_factory=list)
    only_there: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def match(here: Trace, there: Side) -> Matching:
    """Find the values of another side in a trace's graph."""
    graph = here.graph
    if there.trace is not None and _same_structure(graph, there.trace.graph):
        other = there.trace.graph
        stored = dict(enumerate(there.trace.values))
        names = {i: other.name_of(i) for i in stored}
        pairs = zip(graph.nodes, other.nodes, strict=True)
        is_alike = all(tuple(a.shape) == tuple(b.shape) for a, b in pairs)
        renamed = {
            i: (name, graph.name_of(i)) for i, name in names.items() if name != graph.name_of(i)
        }
        notes = _renamed(_modules_of_names(renamed.values()))
        return Matching(stored, names, True, is_alike, notes=notes)
    return _by_names(here, there)


def _by_names(here: Trace, there: Side) -> Matching:
    graph = here.graph
    own = {node.name: here.values[i] for i, node in enumerate(graph.nodes) if node.name}
    renamed = _match_modules(own, there.values)
    stored, names = {}, {}
    only_there = []
    for name, array in there.values.items():
        prefix, path, leaf = split(name)
        known = _joined(prefix, renamed[path], leaf) if path in renamed else name
        position = graph.positions.get(known)
        if position is None or graph.nodes[position].name != known or position in stored:
            only_there.append(name)
            continue
        stored[position], names[position] = array, name
    found = {graph.name_of(i) for i in stored}
    only_here = [name for name in own if name not in found and "/" not in name]
    notes = _renamed([(b, a) for b, a in renamed.items() if a != b])
    return Matching(stored, names, only_here=only_here, only_there=only_there, notes=notes)


def _same_structure(a: Graph, b: Graph) -> bool:
    """Whether two graphs apply the same ops to the same positions."""
    if len(a.nodes) != len(b.nodes):
        return False
    pairs = zip(a.nodes, b.nodes, strict=True)
    return all((x.op, x.inputs, len(x.shape)) == (y.op, y.inputs, len(y.shape)) for x, y in pairs)


def split(name: str) -> tuple[str, str, str]:
    """A canonical name as what it is of a module, the module's path, and what in the module.

    Examples
    --------
    >>> split("d_encoder.1.out#2"), split("next.0.weight:exp_avg")
    (('d_', 'encoder.1', 'out#2'), ('next.', '0', 'weight:exp_avg'))
    """
    found = _PREFIX.fullmatch(name)
    assert found  # anything matches
    output = _OUTPUT.fullmatch(found["rest"])
    if output:
        return found["prefix"], output["path"] or "", output["leaf"]
    path, _, leaf = found["rest"].rpartition(".")
    return found["prefix"], path, leaf


def _joined(prefix: str, path: str, leaf: str) -> str:
    return f"{prefix}{path}.{leaf}" if path else f"{prefix}{leaf}"


def _modules(values: Mapping[str, Array]) -> dict[str, dict[str, tuple[int, ...]]]:
    """The shapes of each module's parameters and outputs, modules by when they are done."""
    found: dict[str, dict[str, tuple[int, ...]]] = {}
    last: dict[str, int] = {}
    for order, (name, array) in enumerate(values.items()):
        prefix, path, leaf = split(name)
        if prefix or ":" in leaf or "/" in name or not path:
            continue
        found.setdefault(path, {})[leaf] = array.shape
        if _OUTPUT.fullmatch(leaf) or path not in last:
            last[path] = order
    return {path: found[path] for path in sorted(found, key=last.__getitem__)}


def _match_modules(here: Mapping[str, Array], there: Mapping[str, Array]) -> dict[str, str]:
    """Paths there to paths here: by name where that fits, or else by order and shape."""
    ours, theirs = _modules(here), _modules(there)
    found = {path: path for path in theirs if path in ours and _fits(ours[path], theirs[path])}
    left = [path for path in theirs if path not in found]
    free = [path for path in ours if path not in found]
    matcher = SequenceMatcher(
        None, [_signature(ours[p]) for p in free], [_signature(theirs[p]) for p in left], False
    )
    for first, second, size in matcher.get_matching_blocks():
        found.update(zip(left[second : second + size], free[first : first + size], strict=True))
    for path in left:  # a name that was given away, or fits nothing, must not match by itself
        found.setdefault(path, f"\0{path}")
    return {
        path: other
        for path, other in found.items()
        if other[:1] != "\0" or path in ours  # a value of no module keeps its name
    }


def _fits(a: Mapping[str, tuple[int, ...]], b: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether modules of one name can be the same: what both have is of one shape, or turned."""
    if _has_parameters(a) != _has_parameters(b):
        return False
    common = a.keys() & b.keys()
    return bool(common) and all(
        a[leaf] == b[leaf] or is_turned(a[leaf], b[leaf]) for leaf in common
    )


def is_turned(a: Sequence[int], b: Sequence[int]) -> bool:
    """Whether two shapes are those of a matrix and its transpose."""
    return len(a) == 2 and tuple(a) == tuple(b)[::-1] and tuple(a) != tuple(b)


def _has_parameters(leaves: Mapping[str, tuple[int, ...]]) -> bool:
    return any(not _OUTPUT.fullmatch(leaf) for leaf in leaves)


def _signature(leaves: Mapping[str, tuple[int, ...]]) -> Shapes:
    return tuple(sorted((leaf, tuple(map(int, shape))) for leaf, shape in leaves.items()))


def _modules_of_names(pairs: Any) -> list[tuple[str, str]]:
    found: dict[tuple[str, str], None] = {}
    for there, here in pairs:
        if "/" not in there and not there.startswith("%"):
            found[split(there)[1], split(here)[1]] = None
    return [pair for pair in found if pair[0] != pair[1]]


def _renamed(pairs: Sequence[tuple[str, str]]) -> list[str]:
    known = [(there, here) for there, here in pairs if here[:1] != "\0"]
    if not known:
        return []
    told = ", ".join(f"{there} is taken for {here}" for there, here in known[:6])
    more = f", and {len(known) - 6} more" if len(known) > 6 else ""
    return [f"Modules have other names: {told}{more}, by their order and shapes."]


def _title(about: About, values: Mapping[str, Array]) -> str:
    loss = values.get("loss")
    kind = "" if loss is None else f", {loss.dtype.name}"
    return f"{about.computed_by}{kind}"
