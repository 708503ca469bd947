"""What a page holds: nodes with where their parts are, values, names, formulas, proofs."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from chainrule.explanation.captions import caption_of
from chainrule.explanation.capturing.batches import starts_of_rows
from chainrule.explanation.expansion import (
    INLINED_AT_MOST,
    WRITTEN_AT_MOST,
    read_elements,
    terms_of,
)
from chainrule.explanation.forms import Form, form_of
from chainrule.explanation.inside import is_composite
from chainrule.explanation.page.held import asked_for, held_in_part
from chainrule.explanation.page.proved import numbers_to_prove, proofs_of
from chainrule.explanation.page.trees import Tree, axis_as_list, tree_of
from chainrule.explanation.rules import rule_of
from chainrule.explanation.symbols import NEXT, describe, symbol_of, symbol_of_any
from chainrule.explanation.trace import Array, Index, Place, Trace
from chainrule.graph import Node
from chainrule.graph.diagram import parts_of
from chainrule.ops import OPS, Elementwise, ElementwiseOp, bind
from chainrule.ops.mathml import pieces_of

Json = dict[str, Any]

MAP = (48, 96)
"""The most rows and columns of the small picture of a value that is not held whole."""

LISTED_AT_MOST = 4096
"""How many operands in all a node may have whose elements are listed one by one."""


def content_of(trace: Trace, include: str | Sequence[str] = ()) -> Json:
    """Return all that the page needs, as JSON has it.

    Parameters
    ----------
    trace : Trace
    include : str or sequence of str
        Names of numbers and values that a page of a large step has to hold.
    """
    notice = trace.notice
    trace = trace.opened
    asked = asked_for(trace, include)
    proved = list(dict.fromkeys([*asked.numbers, *numbers_to_prove(trace)]))
    held = held_in_part(trace, asked, proved)
    captions: list[Json] = []
    nodes = [_node(trace, i, captions, held.get(i)) for i in range(len(trace.graph.nodes))]
    for node, part in zip(nodes, parts_of(trace.graph), strict=True):
        node["part"] = part
    for position, start in starts_of_rows(trace.graph).items():
        nodes[position]["rows"] = start
    about = asdict(trace.about)
    about["lines"] = dict(trace.about.lines)
    return {
        "about": about,
        "notice": notice,
        "loss": trace.graph.labels.get("loss"),
        "nodes": nodes,
        "captions": captions,
        "limits": {"inlined": INLINED_AT_MOST, "written": WRITTEN_AT_MOST},
        "ops": dict(_ops()),
        "proofs": proofs_of(trace, proved),
    }


# --- nodes ------------------------------------------------------------------------------------


def _node(trace: Trace, position: int, captions: list[Json], held: Array | None) -> Json:
    graph = trace.graph
    node = graph.nodes[position]
    name = graph.name_of(position)
    form = form_of(node, [graph.nodes[i].type for i in node.inputs])
    record: Json = {
        "name": name,
        "op": node.op,
        "shape": list(map(int, node.shape)),
        "axes": [getattr(axis, "name", None) or "" for axis in node.shape],
        "dtype": node.dtype.value,
        "inputs": list(node.inputs),
        "scope": node.scope or "",
        "what": describe(trace, Place(position, tuple(0 for _ in node.shape))),
        "symbol": _symbol(trace, position),
        "named": node.name is not None,
        "composite": is_composite(node),
    }
    own = _own_names(trace, position)
    if own:
        record["own"] = own
    if node.source is not None:
        record["source"] = f"{node.source.file}:{node.source.line}"
    for key, other in (("gradient", f"d_{name}"), ("next", f"{NEXT}{name}")):
        related = graph.positions.get(other, graph.labels.get(other))
        if related is not None and graph.nodes[related].shape == node.shape:
            record[key] = related
    caption = caption_of(trace, position)
    if caption is not None:
        as_json = asdict(caption)
        if as_json not in captions:
            captions.append(as_json)
        record["caption"] = captions.index(as_json)
    if form is not None:
        record["form"] = _form(form)
        rule = rule_of(trace, position)
        if rule is not None and not form.is_move:
            record["rule"] = {
                "letters": list(rule.letters),
                "tree": tree_of(rule.expression, trace),
            }
    elif node.inputs and not record["composite"]:
        listed = _listed(trace, position)
        if listed is not None:
            record["listed"] = listed
    definition = None if node.op == "input" else _definition(trace, node)
    if definition is not None:
        record["definition"] = definition
    if form is None or not form.is_move:
        if held is None:
            record["values"] = _encoded(trace.values[position])
        else:
            record["some"] = _some(node, trace.values[position], held)
    return record


def _some(node: Node, array: Array, held: Array) -> Json:
    """Some numbers of a value with their offsets; and what there is to say of all of them."""
    record: Json = {"at": _encoded(held), "values": _encoded(array.reshape(-1)[held])}
    if node.name is not None and node.dtype.is_float and array.ndim:
        numbers = array.astype(np.float64).reshape(-1)
        finite = numbers[np.isfinite(numbers)]
        record["zeros"] = int(np.count_nonzero(numbers == 0))
        record["others"] = int(numbers.size - finite.size)  # NaN, infinities
        if finite.size:
            record |= {"least": float(finite.min()), "greatest": float(finite.max())}
            record["mean"] = float(finite.mean())
        record["map"] = _map(numbers.reshape(-1, array.shape[-1]))
    return record


def _map(numbers: Array) -> Json:
    """A small picture of many numbers: of each patch the largest, as 127ths of the largest."""
    rows, columns = (min(size, most) for size, most in zip(numbers.shape, MAP, strict=True))
    down, across = (
        np.linspace(0, size, count, endpoint=False).astype(int)
        for size, count in zip(numbers.shape, (rows, columns), strict=True)
    )
    numbers = np.nan_to_num(numbers, posinf=0.0, neginf=0.0)
    above, below = (
        extreme.reduceat(extreme.reduceat(numbers, down, 0), across, 1)
        for extreme in (np.maximum, np.minimum)
    )
    largest = np.where(above >= -below, above, below)
    size = float(abs(largest).max()) or 1.0
    cells = np.rint(127 * largest / size).astype(np.int8)
    return {"rows": rows, "columns": columns, "largest": size, "cells": _encoded(cells)}


def _form(form: Form) -> Json:
    operands = [[o.input, [axis_as_list(axis) for axis in o.axes]] for o in form.operands]
    record: Json = {"op": form.op, "operands": operands}
    if form.fold:
        record |= {"fold": form.fold, "sizes": list(form.sizes)}
    if form.dtype is not None:
        record["to"] = form.dtype.value
    return record


def _listed(trace: Trace, position: int) -> list[Any] | None:
    """The terms of each element of a node that has no form, if they are not too many."""
    node = trace.graph.nodes[position]
    if node.type.size > LISTED_AT_MOST:
        return None
    found, length = [], 0
    for index in np.ndindex(*map(int, node.shape)):
        terms = read_elements(trace, terms_of(trace, Place(position, index)), node.inputs)
        found.append(tree_of(terms, trace))
        length += str(found[-1]).count("'!'")
        if length > LISTED_AT_MOST:
            return None
    return found


def _encoded(array: Array) -> str:
    """The exact bits, in the order of reading, least significant byte first."""
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    return base64.b64encode(little.tobytes()).decode("ascii")


# --- names ------------------------------------------------------------------------------------

_HOLES = [chr(0xE000 + i) for i in range(16)]  # of private use: no name has them


def _symbol(trace: Trace, position: int) -> Json:
    """The name of any element of a node, with holes for the index."""
    rank = len(trace.graph.nodes[position].shape)
    symbol = symbol_of_any(trace, position, _HOLES[:rank])
    index = ",".join(map(str, symbol.index))
    plain_name = f"{symbol.base}[{index}]" if index else symbol.base
    record = {"name": plain_name, "of": symbol.of}
    return record | ({"other": symbol.other} if symbol.other else {})


def _own_names(trace: Trace, position: int) -> dict[str, Json]:
    """The names of single elements that are not those of the rest, by offset."""
    shape = tuple(map(int, trace.graph.nodes[position].shape))
    pattern = _symbol(trace, position)
    found = {}
    for index in _named_indices(trace, shape):
        symbol = symbol_of(trace, Place(position, index))
        own = {"name": symbol.plain, "of": symbol.of}
        own |= {"other": symbol.other} if symbol.other else {}
        if own != {key: _filled(text, index) for key, text in pattern.items()}:
            found[str(int(np.ravel_multi_index(index, shape)) if shape else 0)] = own
    return found


def _named_indices(trace: Trace, shape: Index) -> list[Index]:
    """Where something of this shape has an element with a name of its own."""
    nodes = trace.graph.nodes
    places = [p for p in trace.names_of_places if tuple(map(int, nodes[p.node].shape)) == shape]
    return sorted({place.index for place in places})


def _filled(text: str, index: Index) -> str:
    for hole, i in zip(_HOLES, index, strict=False):
        text = text.replace(hole, str(i))
    return text


# --- ops --------------------------------------------------------------------------------------


def _ops() -> Iterator[tuple[str, Json]]:
    """How each elementwise op is written that occurs, or stands in a rule."""
    for name in OPS:
        declaration = OPS.get(name)
        if isinstance(declaration, Elementwise):
            yield name, _op(declaration)


def _op(declaration: Elementwise) -> Json:
    record: Json = {
        "arity": declaration.arity,
        "notation": declaration.notation,
        "precedence": declaration.precedence,
        "pieces": pieces_of(declaration.notation),
    }
    if declaration.returns is not None:
        record["returns"] = declaration.returns.value
    return record


def _definition(trace: Trace, node: Node) -> Json | None:
    """The formula of the function that made a node; None for a primitive, which is its own."""
    if node.op not in OPS:
        return None
    op = bind(node.op, node.attributes)
    if not isinstance(op, ElementwiseOp) or op.declaration.is_primitive:
        return None
    notation = op.declaration.notation
    if not notation.startswith(op.name):  # a square is written as one
        return None
    left: Tree = [op.name, *(["$", operand] for operand in op.declaration.operands)]
    return {"left": left, "right": tree_of(op.value, trace)}
