"""A trace in a file: JSON that a person can read, large arrays in a safetensors file beside it.

::

    step.json           format, what the step was part of, the graph as printed text, source lines,
                        small values as base64 of their bytes, a hash of each value
    step.*.safetensors  the values of more than `INLINE_BYTES`, named after what it holds; by
                        earlier versions named step.safetensors, which is read as well

Numbers are kept as their bits. The graph is parsed and verified: a file names ops of the op table
and nothing else, and nothing in it is run. Sizes are compared with what is there before memory is
taken.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import fields, replace
from hashlib import sha256
from os import fspath
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import numpy as np

from chainrule.base.errors import ChainruleError, FileFormatError
from chainrule.base.file_kinds import FileKind
from chainrule.base.files import Pathlike, read_tensors, write_tensors
from chainrule.base.fingerprint import fingerprint
from chainrule.explanation.capturing.beside import named_after, write_pair
from chainrule.explanation.capturing.seal import Seal
from chainrule.explanation.trace import About, Array, Trace
from chainrule.graph import Graph, Node, Source, TensorType, parse_graph
from chainrule.ops import verify

FORMAT = "chainrule-trace"
VERSION = 1
INLINE_BYTES = 4096
"""Up to which size a value stands in the JSON itself."""

WAITS, WAIT = 10, 0.02
"""How often, and how many seconds, arrays are waited for that another process puts back."""

_PREFIX = "value "
"""What begins the names of values in the side file: w:exp_avg by itself would look like a drive."""


class _Value(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    type: str
    hash: str
    data: bytes | None = None


class _Beside(msgspec.Struct, forbid_unknown_fields=True):
    file: str
    hash: str


class _Hashes(msgspec.Struct, forbid_unknown_fields=True):
    graph: str
    about: str


_types = get_type_hints(About) | {"learning_rate": float | str | None}
StoredAbout = msgspec.defstruct(
    "About",
    [(field.name, _types[field.name]) for field in fields(About)],
    forbid_unknown_fields=True,
)


class _File(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    format: str
    version: int
    about: StoredAbout  # type: ignore[valid-type]
    names: dict[str, tuple[str, ...]]
    graph: list[str]
    sources: dict[str, tuple[str, int]]
    values: dict[str, _Value]
    hashes: _Hashes
    beside: _Beside | None = None


TRACE = FileKind("A trace", (".json",))


# --- writing ---------------------------------------------------------------------------------


def save_trace(trace: Trace, path: Pathlike) -> None:
    """Write a trace; `Trace.save` calls it."""
    target = TRACE.check(path)
    graph, seal = trace.graph, trace.seal
    values, large = {}, {}
    for position, (value, digest) in enumerate(zip(trace.values, seal.values, strict=True)):
        name = graph.name_of(position)
        kept = _Value(str(graph.nodes[position].type), digest)
        if value.nbytes > INLINE_BYTES:
            large[_PREFIX + name] = value
        else:
            kept.data = np.ascontiguousarray(value, value.dtype.newbyteorder("<")).tobytes()
        values[name] = kept
    content = _File(
        format=FORMAT,
        version=VERSION,
        about=StoredAbout(**facts_of(trace.about)),
        names=dict(trace.names),
        graph=str(graph).split("\n"),
        sources={
            graph.name_of(i): (node.source.file, node.source.line)
            for i, node in enumerate(graph.nodes)
            if node.source is not None
        },
        values=values,
        hashes=_Hashes(seal.graph, seal.about),
    )
    beside, digest = None, sha256("".join(seal.values).encode()).hexdigest()
    if large:
        # By the numbers, too: those of an altered trace are not what its hashes say.
        beside = named_after(target, digest, fingerprint(large))
        content.beside = _Beside(beside.name, digest)

    def write_arrays(path: Path) -> None:
        write_tensors(path, large, {"format": FORMAT, "hash": digest})

    text = msgspec.json.format(msgspec.json.encode(content), indent=1)
    write_pair(target, text + b"\n", beside, write_arrays, FORMAT)


def facts_of(about: About) -> dict[str, Any]:
    """What a trace says of its step, as `StoredAbout` takes it."""
    facts = {field.name: getattr(about, field.name) for field in fields(about)}
    rate = about.learning_rate
    if rate is not None and not math.isfinite(rate):
        facts["learning_rate"] = repr(rate)  # JSON has no word for it
    return facts


# --- reading ---------------------------------------------------------------------------------


def load_trace(path: Pathlike) -> Trace:
    """Read a trace that `Trace.save` wrote.

    A trace whose numbers no longer agree with their hashes, or with each other, is read and says
    so: `Trace.is_altered`.

    Parameters
    ----------
    path : path
        The ``.json`` file. A ``.safetensors`` file that it refers to stands beside it.

    Returns
    -------
    Trace

    Raises
    ------
    FileFormatError
        If it is no trace, cut short, of a newer version of the format, or if a value is missing or
        has not the type that the graph says; with the place.
    OSError
        As the system says.

    Examples
    --------
    >>> import numpy as np
    >>> import tempfile
    >>> import chainrule as cr
    >>> from chainrule import nn
    >>> net = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())
    >>> trace = cr.explain(net, np.ones((1, 2)), np.ones((1, 1)), loss=nn.QuadraticLoss())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trace.save(f"{folder}/step.json")
    ...     again = cr.load_trace(f"{folder}/step.json")
    >>> again == trace, again.is_altered
    (True, False)
    """
    shown = fspath(path)
    if Path(path).suffix.lower() == ".safetensors":
        raise FileFormatError(
            f"{shown} holds arrays, and a trace is read by its .json file",
            advice="One of a torch module is read by chainrule.explanation.TorchTrace.load(path)",
        )
    content, arrays = _read_pair(Path(path), shown)
    graph = _read_graph(content, shown)
    strange = content.values.keys() - set(map(graph.name_of, range(len(graph.nodes))))
    if strange:
        raise FileFormatError(f"{shown} holds a value of {min(strange)}, which the graph has not")
    values, hashes = [], []
    for position, node in enumerate(graph.nodes):
        name = graph.name_of(position)
        if name not in content.values:
            raise FileFormatError(f"{shown} holds no value of {name}")
        kept = content.values[name]
        where = f"Value {name} of {shown}"
        values.append(_read_value(kept, node, arrays.pop(_PREFIX + name, None), where))
        hashes.append(kept.hash)
    if arrays:
        assert content.beside is not None  # or there were none
        raise FileFormatError(f"{content.beside.file} holds {min(arrays)}, which {shown} has not")
    trace = Trace(
        graph,
        tuple(values),
        about_of(content.about, shown),
        content.names,
        Seal(content.hashes.graph, content.hashes.about, tuple(hashes)),
    )
    try:
        trace.names_of_places  # noqa: B018 - a name of nothing is refused now
    except ChainruleError as error:
        raise FileFormatError(f"{shown} names a number that is not there: {error}") from None
    return trace


def _read_pair(path: Path, shown: str) -> tuple[_File, dict[str, Array]]:
    """The JSON file and the arrays it names; both anew, if it was replaced in between."""
    text = path.read_bytes()
    waits = 0
    while True:
        content = _decode(text, shown)
        try:
            return content, _read_beside(content, path)
        except FileFormatError:
            # Where several save the same at once, the arrays may be away while they are put back.
            before, text = text, path.read_bytes()
            if text == before and (waits == WAITS or _is_there(content, path)):
                raise
            if text == before:
                waits += 1
                time.sleep(WAIT)


def _is_there(content: _File, path: Path) -> bool:
    name = path.name if content.beside is None else Path(content.beside.file).name
    return path.with_name(name or path.name).exists()


def _decode(text: bytes, shown: str) -> _File:
    try:
        head = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        name, version = (
            msgspec.json.decode(head.get(key, b"null")) for key in ("format", "version")
        )
        if name != FORMAT:
            raise FileFormatError(
                f'{shown} is no trace: its format is {name!r:.40}, not "{FORMAT}"',
                advice="Traces are written by trace.save(path)",
            )
        if type(version) is not int:
            raise FileFormatError(
                f"{shown} does not say which version of the trace format it has: {version!r:.40}",
                advice="Traces are written by trace.save(path)",
            )
        if version != VERSION:
            raise FileFormatError(
                f"{shown} has version {version} of the trace format; this chainrule reads version "
                f"{VERSION}",
                advice="Upgrade chainrule, or read the trace with the version that saved it",
            )
        return msgspec.json.decode(text, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FileFormatError(f"{shown} cannot be read as a trace: {error}") from None


def _read_graph(content: _File, shown: str) -> Graph:
    try:
        graph = verify(parse_graph("\n".join(content.graph)))
    # The rules of ops are written for graphs that a program made. Here is one that anybody may
    # have written, and whatever stumbles over it says that it is none.
    except Exception as error:
        raise FileFormatError(
            f"{shown} holds no graph of this version's ops: {str(error) or type(error).__name__}",
            where=f"{shown}, graph",
        ) from None
    return _with_sources(graph, content.sources)


def _with_sources(graph: Graph, sources: Mapping[str, tuple[str, int]]) -> Graph:
    nodes = list(graph.nodes)
    for position, node in enumerate(nodes):
        found = sources.get(graph.name_of(position))
        if found is not None:
            nodes[position] = replace(node, source=Source(*found))
    return Graph(graph.name, tuple(nodes), graph.outputs, graph.aliases)


def _read_beside(content: _File, path: Path) -> dict[str, Array]:
    beside = content.beside
    if beside is None:
        return {}
    if Path(beside.file).name != beside.file or not beside.file.endswith(".safetensors"):
        raise FileFormatError(f"{path} keeps its arrays in {beside.file!r:.80}, which is no name")
    file = path.with_name(beside.file)
    try:
        arrays, metadata = read_tensors(file)
    except FileNotFoundError:
        count = sum(value.data is None for value in content.values.values())
        raise FileFormatError(
            f"{path} keeps {count} of its values in {beside.file}, and that is not beside it",
            advice="Copy both files of a trace",
        ) from None
    if metadata.get("hash") != beside.hash:
        raise FileFormatError(
            f"{file} is not the file that {path.name} was saved with",
            advice="Copy both files of a trace, or save the trace again",
        )
    return arrays


def _read_value(kept: _Value, node: Node, array: Array | None, where: str) -> Array:
    if kept.type != str(node.type):
        raise FileFormatError(f"It is {kept.type:.80}, and the graph says {node.type}", where=where)
    kind = TensorType(tuple(map(int, node.shape)), node.dtype)
    dtype = kind.dtype.numpy
    if kept.data is not None:
        needed = kind.size * dtype.itemsize
        if len(kept.data) != needed:
            raise FileFormatError(
                f"It has {len(kept.data)} bytes, and {kind} has {needed}", where=where
            )
        raw = np.frombuffer(kept.data, dtype.newbyteorder("<")).reshape(kind.shape)
        if dtype == np.bool_ and (raw.view(np.uint8) > 1).any():
            raise FileFormatError("It holds a byte that is neither true nor false", where=where)
        array = raw.astype(dtype)
    elif array is None:
        raise FileFormatError("Its numbers are in no file", where=where)
    elif (array.shape, array.dtype) != (kind.shape, dtype):
        raise FileFormatError(
            f"Beside it is {array.dtype} of shape {list(array.shape)}, and the graph says {kind}",
            where=where,
        )
    array.flags.writeable = False
    return array


def about_of(stored: Any, shown: str) -> About:
    """What a file says of a step, as a trace has it; `shown` is the file's name.

    Raises
    ------
    FileFormatError
        If its learning rate is no number.
    """
    facts = {field.name: getattr(stored, field.name) for field in fields(About)}
    rate = facts["learning_rate"]
    try:
        facts["learning_rate"] = None if rate is None else float(rate)
    except ValueError:
        raise FileFormatError(f"{shown} has the learning rate {rate!r:.40}") from None
    return About(**facts)
