"""What machine code follows from: equal keys, equal code.

The key is made of the graph's text and not of LLVM's, so that a process that finds its code need
not lower the graph to loops and write them down, which takes as long as all its other work.
What stands between the two texts is this package: the key holds its sources, so that after a
change of the compiler nothing is found that the old one made.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from chainrule.backends.native.target import Target
from chainrule.graph import Graph
from chainrule.ops import OPS, Composite, Declaration, Elementwise
from chainrule.ops.table import Structural

_FORMAT = 1
_PACKAGE = Path(__file__).parents[2]
_ROOMS = ("base", "graph", "ops", "rewrite", "backends", "backends/native")
"""Where it is decided what a graph's machine code is."""
_LOADED = time.time()


def key_of(graph: Graph, target: Target, purpose: str) -> str | None:
    """Return the key of a graph's code; None if it follows from more than is known here.

    Parameters
    ----------
    graph : Graph
    target : Target
    purpose : str
        What else decides about the code: how it will be called.
    """
    compiler = _compiler()
    if compiler is None or not all(map(_is_ours, set(_ops(graph)))):
        return None
    parts = (compiler, repr(target), purpose, str(graph))
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=20).hexdigest()


@cache
def _compiler() -> str | None:
    """LLVM's versions, and our sources; None if they are not those that are running.

    Sources say more than chainrule's version, which is slow to look up: each edit counts.
    """
    import llvmlite
    from llvmlite import binding as llvm

    digest = hashlib.blake2b(digest_size=20)
    count = 0
    try:
        for room in _ROOMS:
            for path in sorted((_PACKAGE / room).glob("*.py")):
                if path.stat().st_mtime > _LOADED:
                    return None  # somebody is at work on it
                digest.update(path.name.encode() + path.read_bytes())
                count += 1
    except OSError:
        return None
    if not count:  # a package without sources, such as one in an archive
        return None
    version = ".".join(map(str, llvm.llvm_version_info))
    return f"{_FORMAT} {llvmlite.__version__} {version} {digest.hexdigest()}"


def _ops(graph: Graph) -> Iterator[str]:
    """The names of all ops, also in graphs that are attributes."""
    graphs = [graph]
    while graphs:
        for node in graphs.pop().nodes:
            if node.op != "input":
                yield node.op
            graphs += [value for value in node.attributes.values() if isinstance(value, Graph)]


def _is_ours(op: str) -> bool:
    """Whether the op is declared in this package, whose sources are in the key."""
    place = _declared_in(OPS.get(op))
    return place is None or place.partition(".")[0] == __name__.partition(".")[0]


def _declared_in(declaration: Declaration) -> str | None:
    match declaration:
        case Structural(op=op):
            return op.__module__
        case Composite(body=body):
            return body.__module__
        case Elementwise(formula=formula):
            return getattr(formula, "__module__", None)  # a primitive's code is the backend's
        case _:
            return ""
