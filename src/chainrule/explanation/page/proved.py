"""The proofs that a page holds: of every number of a small step, of the largest of a large one."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.explanation.explanation import Explanation
from chainrule.explanation.page.trees import plain
from chainrule.explanation.proofs import Proof
from chainrule.explanation.symbols import NEXT
from chainrule.explanation.trace import Place, Trace

AFFORDABLE = 30_000
"""Numbers to prove times nodes: a proof computes a part of the graph, so it takes its time."""

LARGEST = 2
"""Of how many numbers of each value, where not all are proved."""

FEWEST = 8
"""Of how many parameters' gradients at least, however large the step is."""

Numbers = list[tuple[int, int]]  # nodes and offsets


def proofs_of(trace: Trace, numbers: Numbers) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return the proofs of numbers, by node and offset."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for position, offset in numbers:
        shape = tuple(map(int, trace.graph.nodes[position].shape))
        index = tuple(map(int, np.unravel_index(offset, shape))) if shape else ()
        proofs = Explanation(trace, Place(position, index)).proofs
        found.setdefault(str(position), {})[str(offset)] = [_as_json(proof) for proof in proofs]
    return found


def numbers_to_prove(trace: Trace) -> Numbers:
    """All numbers with a name; or the largest of each value; or of gradients of parameters."""
    nodes = trace.graph.nodes
    named = [i for i, node in enumerate(nodes) if node.name is not None and node.inputs]
    learned = [
        f"d_{name}" for name in trace.graph.input_names if f"{NEXT}{name}" in trace.graph.labels
    ]
    gradients = [trace.graph.positions[name] for name in learned if name in trace.graph.positions]
    affordable = AFFORDABLE // len(nodes)
    if sum(nodes[i].type.size for i in named) <= affordable:
        return [(i, offset) for i in named for offset in range(nodes[i].type.size)]
    if LARGEST * len(named) <= affordable:
        return _largest(trace, named, LARGEST)
    return _largest(trace, gradients[: max(affordable, FEWEST)], 1)


def _largest(trace: Trace, positions: list[int], most: int) -> Numbers:
    found = []
    for position in positions:
        sizes = np.abs(trace.values[position].astype(np.float64)).ravel()
        found += [(position, int(i)) for i in np.argsort(-sizes, kind="stable")[:most]]
    return found


def _as_json(proof: Proof) -> dict[str, Any]:
    return {
        "kind": proof.kind,
        "holds": proof.holds,
        "value": plain(proof.value),
        "bound": plain(proof.bound),
        "statement": proof.statement,
    }
