"""Whether a trace still says what was computed: hashes that go with it, and numbers made again."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from chainrule.backends import get_backend
from chainrule.base.errors import ChainruleError
from chainrule.base.fingerprint import fingerprint
from chainrule.explanation.arithmetic import recompute
from chainrule.graph import Node
from chainrule.ops import ElementwiseOp, bind
from chainrule.train.experiment import present_versions

if TYPE_CHECKING:
    from chainrule.explanation.trace import Array, Trace

GRAPH = "the graph"
ABOUT = "what the trace says of its step"
"""What may be altered besides values; a value's name has no spaces."""

WORK_OF_VALUE = 250
WORK_OF_TRACE = 1_000
"""How many operations are done again, at the most: of a step of a small network that is all."""


@dataclass(frozen=True)
class Seal:
    """Hashes of what a trace holds.

    Parameters
    ----------
    graph : str
        Of its text.
    about : str
        Of what the trace says of its step, and of names of single numbers.
    values : tuple of str
        Of each value, by position.
    """

    graph: str
    about: str
    values: tuple[str, ...]

    @classmethod
    def of(cls, trace: Trace) -> Seal:
        """The hashes of a trace as it is."""
        facts = msgspec.json.encode([trace.about, dict(trace.names)], order="sorted")
        return cls(
            graph=sha256(str(trace.graph).encode()).hexdigest(),
            about=sha256(facts).hexdigest(),
            values=tuple(map(_hash_of, trace.values)),
        )


def _hash_of(value: Array) -> str:
    return fingerprint({"": value})


def find_altered(trace: Trace, seal: Seal) -> tuple[str, ...]:
    """What of a trace does not agree with its hashes, or with what it was computed from.

    Returns
    -------
    tuple of str
        Names of values, in the graph's order; `GRAPH` and `ABOUT` in front.
    """
    present = Seal.of(trace)
    of_text = [(GRAPH, present.graph != seal.graph), (ABOUT, present.about != seal.about)]
    pairs = enumerate(zip(present.values, seal.values, strict=True))
    wrong = {i for i, (now, then) in pairs if now != then}
    if _can_compute_again(trace):
        wrong |= _miscalculated(trace, wrong)
    named = [trace.graph.name_of(i) for i in sorted(wrong)]
    return (*(what for what, is_wrong in of_text if is_wrong), *named)


def _can_compute_again(trace: Trace) -> bool:
    """Whether what computes here is what computed the trace: of another, last bits may differ."""
    if trace.about.versions.get("chainrule") != present_versions()["chainrule"]:
        return False
    try:
        backend = get_backend(trace.about.computed_by.partition(" ")[0])
    except ChainruleError:
        return False
    return backend.arithmetic == trace.about.computed_by


def _miscalculated(trace: Trace, known: set[int]) -> set[int]:
    """Values that are not what their operands give, as far as that is quickly seen."""
    from chainrule.explanation.trace import Place

    found = set()
    left = WORK_OF_TRACE
    for position, node in enumerate(trace.graph.nodes):
        work = _work(trace, node)
        if node.op == "input" or work > min(left, WORK_OF_VALUE):
            continue
        if known.intersection((position, *node.inputs)):
            continue  # of what is known to be wrong nothing follows
        left -= work
        value = trace.values[position]
        for index in np.ndindex(value.shape):
            again = recompute(
                trace.about.computed_by, trace.graph, trace.values, Place(position, index)
            )
            if not again.explains(value[index]):
                found.add(position)
                break
    return found


def _work(trace: Trace, node: Node) -> int:
    """How many operations a value takes, at the most, if each element is computed by itself."""
    if node.op == "input" or isinstance(bind(node.op, node.attributes), ElementwiseOp):
        return node.type.size
    read = sum(trace.graph.nodes[i].type.size for i in node.inputs)
    return node.type.size * max(read, 1)
