"""diff: compare two steps value by value, and tell rounding from a difference.

A value differs for one of two reasons: what it was computed from differs, or it was computed in
another way. So each value is computed again from what its own side stored for the values before it
(`diff_rounding`), and where that does not give what was stored, a difference begins. What merely
follows from other operands is not taken for a second difference, and what rounding explains is not
taken for one at all.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.explanation.capturing.batches import OBJECTIVE, costs_of_batches, penalised
from chainrule.explanation.comparing import difference as kinds
from chainrule.explanation.comparing.causes import find_causes
from chainrule.explanation.comparing.difference import Diff, Difference, Opened, Setting, distance
from chainrule.explanation.comparing.following import Followed
from chainrule.explanation.comparing.rounding import Rounding, excess
from chainrule.explanation.comparing.runs import diff_runs
from chainrule.explanation.comparing.sides import Matching, Side, is_turned, match
from chainrule.explanation.comparing.suspects import Suspects
from chainrule.explanation.symbols import NEXT
from chainrule.explanation.trace import Array, Trace
from chainrule.graph import Graph
from chainrule.train import Run

_PARTS_OF_A_STEP = ("rows", "seed", "step", "next.step", "next.seed", "d_loss", "lr")


def diff(a: Any, b: Any) -> Diff:
    """Compare two training steps, value by value.

    Parameters
    ----------
    a, b : Trace, TorchTrace or Run
        Two traces, whatever computed them; one of them may be of a torch module, by
        `trace_torch`. Or two runs: they are followed to the first step that is not the same, and
        compared there.

    Returns
    -------
    Diff
        True where they differ by more than rounding; ``.first`` is the first value that does,
        ``.first_backward`` the first gradient, and ``.show()`` prints it all.

    Raises
    ------
    ConfigurationError
        If something else is given, or a run is compared with a trace.
    ReplayError
        If a run's data is not there.

    Notes
    -----
    No tolerance is chosen. Where the same native arithmetic computed both from the same numbers,
    the bits must be the same. Otherwise a value may be as far from what its operands give as
    rounding can bring it: 2γₙ Σ|tᵢ| for a sum of n products, some units in the last place for an
    elementary function, added up over the ops between two values that both sides tell.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> from chainrule import nn
    >>> net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    >>> x, y = np.ones((4, 2)), np.zeros((4, 1))
    >>> a = cr.explain(net, x, y, backend="numpy")
    >>> cr.diff(a, a).same
    True
    >>> cr.diff(a, cr.explain(net, 2 * x, y, backend="numpy")).first.name
    'x'
    """
    if isinstance(a, Run) or isinstance(b, Run):
        return diff_runs(a, b, compare)
    return compare(Side.of(a), Side.of(b))


def compare(a: Side, b: Side) -> Diff:
    """Compare two sides; at least one of them should have a graph."""
    if a.trace is not None:
        return _Comparison(a.trace, a, b, ("a", "b")).result()
    if b.trace is not None:
        return _turned(_Comparison(b.trace, b, a, ("b", "a")).result())
    return _without_graph(a, b)


class _Comparison:
    """A trace, and another side that is read by the trace's graph; and what they are called."""

    def __init__(self, here: Trace, a: Side, b: Side, labels: tuple[str, str]) -> None:
        self.here, self.a, self.b, self.labels = here, a, b, labels
        self.graph = here.graph
        self.matching = match(here, b)
        self.notes = list(self.matching.notes)
        if b.remark:
            self.notes.append(f"{b.remark}; {labels[0]} was computed as in training.")
        self.unusable: set[int] = set()
        self.stored = self._comparable(self.matching)
        self.is_comparable = self._batches_are_alike()
        coarse = None
        if a.float_type != b.float_type:
            coarse = min(a.float_type, b.float_type, key=lambda kind: kind.itemsize)
        self.coarse = coarse
        whole = self.matching.whole
        self.other = Followed(self.graph, self.stored, Rounding(coarse, by_node=whole))
        self.own = Followed(self.graph, dict(enumerate(here.values)), Rounding())
        self.found: dict[int, Difference] = {}
        self.phases = phases(self.graph)
        self.has_same_bits = (
            a.about.computed_by == b.about.computed_by
            and a.about.computed_by.startswith("native")
            and coarse is None
        )

    def result(self) -> Diff:
        """Compare everything."""
        for position in range(len(self.graph.nodes)):
            if position in self.matching.names:
                self.found[position] = self._compare(position)
        values = [
            each
            for position, each in self.found.items()
            if self.graph.nodes[position].name is not None or each.kind == kinds.ARISES
        ]
        settings = self._settings()
        only_a, only_b, missing = self._only()
        result = Diff(
            (self.a.title, self.b.title),
            values,
            settings,
            self.notes,
            only_a,
            only_b,
            missing,
        )
        return replace(
            result,
            causes=find_causes(
                Suspects(
                    self.here, self.other, self.found, self.matching, self.b.values, self.labels
                )
            )
            if self.is_comparable
            else [],
            opened=self._opened(),
        )

    def _comparable(self, matching: Matching) -> dict[int, Array]:
        """The other side's values as the graph takes them.

        A matrix that is there turned is turned back. What is not told of the step's inputs is
        taken to be what it is here.
        """
        stored = {}
        for position, array in matching.stored.items():
            shape = tuple(map(int, self.graph.nodes[position].shape))
            if array.shape == shape:
                stored[position] = array
            elif self.graph.nodes[position].op == "input" and is_turned(shape, array.shape):
                stored[position] = array.T
            else:
                self.unusable.add(position)
        for position in self.graph.inputs:
            stored.setdefault(position, self.here.values[position])
        return stored

    def _batches_are_alike(self) -> bool:
        for position, array in self.matching.stored.items():
            node = self.graph.nodes[position]
            if node.op != "input" or not node.shape or not getattr(node.shape[0], "name", None):
                continue
            if array.shape[:1] != (int(node.shape[0]),):
                self.notes.append(
                    f"The batches have {int(node.shape[0])} and {array.shape[0]} examples: "
                    "what is computed from them cannot be compared number by number."
                )
                return False
        return True

    def _compare(self, position: int) -> Difference:
        node = self.graph.nodes[position]
        mine, theirs = self.here.values[position], self.matching.stored[position]
        base = Difference(
            self.graph.name_of(position),
            self.matching.names[position],
            self.phases[position],
            kinds.EQUAL,
            None,
            shapes=(mine.shape, theirs.shape),
            op=node.op,
        )
        if mine.shape != theirs.shape:
            return replace(base, kind=kinds.SHAPE, note=self._about_shape(mine, theirs))
        base = replace(base, distance=distance(mine, theirs))
        assert base.distance is not None
        if not base.distance.count:
            return base
        if node.op == "input":
            return replace(base, kind=kinds.GIVEN, where=base.distance.index)
        if not self.is_comparable:
            return replace(base, kind=kinds.FOLLOWS)
        return self._judge(base, position, mine, theirs)

    def _judge(self, base: Difference, position: int, mine: Array, theirs: Array) -> Difference:
        """Whether a differing value follows from its operands, on both sides."""
        around = {*self.other.segment(position), *self.other.boundary(position)}
        if self.unusable & around:
            return replace(base, kind=kinds.FOLLOWS)
        excess, where, bound = self._excess(self.other, position, theirs)
        base = replace(base, excess=excess, where=where, tolerance=bound)
        if excess > 1:
            return replace(base, kind=kinds.ARISES)
        own, place, own_bound = self._excess(self.own, position, mine)
        if own > 1:
            return replace(
                base,
                kind=kinds.ARISES,
                excess=own,
                where=place,
                tolerance=own_bound,
                note=f"in {self.labels[0]} it is not what its own operands give",
            )
        operands = [self.found[i] for i in self.other.boundary(position) if i in self.found]
        if any(each.is_real for each in operands):
            return replace(base, kind=kinds.FOLLOWS)
        if self.has_same_bits and all(each.kind == kinds.EQUAL for each in operands):
            note = "the same arithmetic made other bits from the same numbers"
            assert base.distance is not None
            return replace(
                base,
                kind=kinds.ARISES,
                excess=float("inf"),
                tolerance=0.0,
                where=base.distance.index,
                note=note,
            )
        return replace(base, kind=kinds.ROUNDING)

    def _excess(
        self, followed: Followed, position: int, stored: Array
    ) -> tuple[float, tuple[int, ...], float]:
        """How far a stored value is from what its operands give, in units of what is allowed."""
        found = followed.computed(position)
        return excess(stored, found)

    def _about_shape(self, mine: Array, theirs: Array) -> str:
        if is_turned(mine.shape, theirs.shape):
            same = distance(mine, theirs.T).count == 0
            return "the transpose, with the same numbers" if same else "the shape is transposed"
        return ""

    def _settings(self) -> list[Setting]:
        """What the steps were told, where that is not the same."""
        first, second = self.a.about, self.b.about
        pairs = []
        if self.b.trace is not None:
            pairs = [
                ("loss", first.loss, second.loss),
                ("optimiser", first.optimizer, second.optimizer),
            ]
            told = self.graph.positions.keys() & {"seed"}
            if told and first.seed != second.seed:
                pairs.append(("seed", str(first.seed), str(second.seed)))
            if first.network != second.network:
                x, y = _changed_lines(first.network, second.network)
                self.notes.append(f"The networks are described as {x} and {y}.")
        rates = first.learning_rate, second.learning_rate
        if None not in rates and rates[0] != rates[1]:
            pairs.append(("learning rate", f"{rates[0]:g}", f"{rates[1]:g}"))
        return [Setting(name, x, y) for name, x, y in pairs if x != y]

    def _only(self) -> tuple[list[str], list[str], list[str]]:
        """What one side has alone, and what of it ought to be on both."""
        here, there = self.matching.only_here, self.matching.only_there
        if self.matching.whole:
            return [], [], []
        if self.b.trace is None:
            # torch makes an optimiser's state in its first step, and an update only with one.
            here = [n for n in here if n not in _PARTS_OF_A_STEP]
            here = [n for n in here if n.startswith(NEXT) or ":" not in n]
            if "lr" not in self.b.values:
                here = [n for n in here if not n.startswith(NEXT)]
        missing = [n for n in here if _ought(n, self.a.kept)]
        missing += [n for n in there if _ought(n, self.b.kept)]
        return here, there, missing

    def _opened(self) -> Opened | None:
        """The first number that differs by more than rounding, on both sides."""
        order = {"given": 0, "forward": 1, "backward": 2, "update": 3}
        real = [
            (order[each.phase], position, each)
            for position, each in self.found.items()
            if each.is_real and each.kind != kinds.SHAPE
        ]
        computed = [each for each in real if self.graph.nodes[each[1]].inputs]
        if not computed or not self.is_comparable or self.unusable:
            return None  # values of other shapes have no place in the graph: nothing to show there
        begun = [each for each in computed if each[2].kind == kinds.ARISES]
        named = [each for each in computed if self.graph.nodes[each[1]].name is not None]
        computed = named or computed
        _, position, chosen = min(begun or computed, key=lambda each: each[:2])
        index = chosen.place
        estimates = [self.other.at(i).value for i in range(len(self.graph.nodes))]
        values = tuple(
            self.stored[i] if i in self.stored else _in_dtype(array, node.dtype.numpy)
            for i, (array, node) in enumerate(zip(estimates, self.graph.nodes, strict=True))
        )
        seen = Trace(self.graph, values, self.here.about, self.here.names)
        made = [float(side.computed(position).value[index]) for side in (self.own, self.other)]
        stored = [float(side[index]) for side in (self.here.values[position], values[position])]
        return Opened(
            self.here,
            seen,
            self.graph.name_of(position),
            index,
            (stored[0], stored[1]),
            (made[0], made[1]),
        )


def phases(graph: Graph) -> dict[int, str]:
    """Of each node, in which part of the step it is computed."""
    loss = graph.labels.get("loss", graph.positions.get("loss", len(graph.nodes)))
    backward = {i for i, node in enumerate(graph.nodes) if (node.name or "").startswith("d_")}
    for i in range(len(graph.nodes) - 1, -1, -1):
        if i in backward:
            backward.update(graph.nodes[i].inputs)
    # The gradients of one batch of an update stand in front of the next batch's forward pass.
    leading = {loss, *costs_of_batches(graph)}
    for i in range(len(graph.nodes) - 1, -1, -1):
        if i in leading:
            leading.update(graph.nodes[i].inputs)
    minimised = {graph.labels[OBJECTIVE], *penalised(graph)} if OBJECTIVE in graph.labels else set()
    found = {}
    for i, node in enumerate(graph.nodes):
        if node.op == "input":
            found[i] = "given"
        elif i in leading or i in minimised or (i <= loss and i not in backward):
            found[i] = "forward"
        else:
            found[i] = "backward" if i in backward else "update"
    return found


def _phase_of(name: str, seen: set[str]) -> str:
    """The same by name alone: in a torch trace what is given comes before the first output."""
    if name.startswith("next."):
        return "update"
    if name.startswith("d_"):
        return "backward"
    return "forward" if name == "loss" or any(".out" in n or n == "out" for n in seen) else "given"


def _without_graph(a: Side, b: Side) -> Diff:
    """Compare values that nobody knows the making of: nothing says what rounding may do."""
    values = []
    seen: set[str] = set()
    for name, array in a.values.items():
        if name not in b.values:
            continue
        seen.add(name)
        phase = _phase_of(name, seen)
        shapes = (array.shape, b.values[name].shape)
        if shapes[0] != shapes[1]:
            values.append(Difference(name, name, phase, kinds.SHAPE, None, shapes=shapes))
            continue
        away = distance(array, b.values[name])
        kind = kinds.GIVEN if phase == "given" else kinds.APART
        kind = kind if away.count else kinds.EQUAL
        values.append(Difference(name, name, phase, kind, away, where=away.index, shapes=shapes))
    note = "Neither side has a graph, so nothing tells rounding from a difference: compare with "
    note += "cr.explain of the same network to know."
    only_a = [name for name in a.values if name not in b.values]
    only_b = [name for name in b.values if name not in a.values]
    missing = [n for n in only_a if n in a.kept] + [n for n in only_b if n in b.kept]
    return Diff((a.title, b.title), values, [], [note], only_a, only_b, missing)


def _turned(result: Diff) -> Diff:
    """The same with the sides exchanged."""
    values = [
        replace(
            each,
            distance=None
            if each.distance is None
            else replace(each.distance, a=each.distance.b, b=each.distance.a),
            shapes=each.shapes[::-1],
        )
        for each in result.values
    ]
    opened = result.opened
    if opened is not None:
        opened = replace(
            opened, a=opened.b, b=opened.a, stored=opened.stored[::-1], made=opened.made[::-1]
        )
    return replace(
        result,
        titles=result.titles[::-1],
        values=values,
        settings=[Setting(s.name, s.b, s.a) for s in result.settings],
        only_in_a=result.only_in_b,
        only_in_b=result.only_in_a,
        opened=opened,
    )


def _ought(name: str, kept: Collection[str]) -> bool:
    """Whether a value ought to be on both sides: a parameter, its gradient, what it becomes."""
    own = name.removeprefix(NEXT) if name.startswith(NEXT) else name.removeprefix("d_")
    return own.partition(":")[0] in kept


def _changed_lines(a: str, b: str) -> tuple[str, str]:
    """The first line in which two networks are described differently."""
    first, second = a.splitlines(), b.splitlines()
    for x, y in zip(first, second, strict=False):
        if x != y:
            return x.strip(), y.strip()
    return f"{len(first)} lines", f"{len(second)} lines"


def _in_dtype(array: Array, dtype: Any) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(array).astype(dtype)
