"""Read a page of the reference back, and calculate with what it shows."""

import ast
import functools
from html.parser import HTMLParser

import numpy as np

from chainrule.backends import get_backend
from chainrule.graph import DType, Graph, TensorType
from chainrule.ops import OPS, Builder, Elementwise
from chainrule.ops.expression import Symbol
from docs.reference.content import Formulas
from docs.reference.kinds import KINDS
from docs.reference.site import page_of
from docs.reference.symbols import markup_of
from tests.ops.markup import python_of

LINKS = [link for kind in KINDS.values() for link in kind.links()]
page = functools.cache(page_of)


def lines(link, key):
    """For each block of formulas in a section, its lines."""
    return [block.lines for block in page(link).blocks(key) if isinstance(block, Formulas)]


def name_in_python(name):
    """A name as `python_of` writes it: x[1,2] is x_1_2, and beta1 is β_1."""
    return python_of(markup_of(Symbol(name)))


def calculate_line(line, values):
    """The value of one line's right side, as arrays, read back from its MathML."""
    text = python_of(markup_of(line.right))
    tree = ast.fix_missing_locations(_Arrays().visit(ast.parse(text, mode="eval")))
    with np.errstate(all="ignore"):
        return eval(compile(tree, text, "eval"), {**NAMES, **values})  # noqa: S307 - our own page


class _Arrays(ast.NodeTransformer):
    """Python that chooses one value becomes Python that chooses element by element."""

    def visit_IfExp(self, node):
        self.generic_visit(node)
        return call("where", node.test, node.body, node.orelse)

    def visit_BoolOp(self, node):
        self.generic_visit(node)
        first, *others = node.values
        for other in others:
            first = call(
                "logical_and" if isinstance(node.op, ast.And) else "logical_or", first, other
            )
        return first

    def visit_UnaryOp(self, node):
        self.generic_visit(node)
        return call("logical_not", node.operand) if isinstance(node.op, ast.Not) else node


def call(name, *arguments):
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def _op(name):
    """An op of the table as a function of arrays."""

    def function(*operands, **attributes):
        # A number in a formula takes the dtype of what it meets.
        kinds = [np.asarray(x).dtype for x in operands if not isinstance(x, int | float)]
        takes_floats = getattr(OPS.get(name), "accepts", "") == "float"
        kind = (
            next((kind for kind in kinds if kind.kind == "f"), np.dtype(float))
            if (takes_floats or any(kind.kind == "f" for kind in kinds))
            else next((kind for kind in kinds if kind.kind in "iu"), np.dtype(float))
        )
        arrays = [
            np.asarray(x, kind)
            if isinstance(x, int | float) and not isinstance(x, bool)
            else np.asarray(x)
            for x in operands
        ]
        if isinstance(OPS.get(name), Elementwise) and kind.kind == "f":
            # Where a formula meets a label or a count, it means the number.
            arrays = [a.astype(kind) if a.dtype.kind in "iu" else a for a in arrays]
        b = Builder()
        values = [
            b.input(TensorType(a.shape, DType.of(a.dtype)), f"x{i}") for i, a in enumerate(arrays)
        ]
        y = b.apply(name, *values, **{key: _attribute(v) for key, v in attributes.items()})
        return get_backend("numpy").run(b.build(name, {"y": y}), arrays)[0]

    return function


def nested(graph):
    """The functions that a graph calls by the names of their own graphs."""
    found = [value for node in graph.nodes for value in node.attributes.values()]
    return {
        body.name: lambda *arrays, body=body: get_backend("numpy").run(body, list(arrays))[0]
        for body in found
        if isinstance(body, Graph)
    }


def _attribute(value):
    return tuple(map(_attribute, value)) if isinstance(value, list) else value


NAMES = (
    {name: _op(name) for name in OPS}
    | {dtype.value: dtype for dtype in DType}
    | {"e": np.e, "inf": np.inf, "NaN": np.nan, "true": True, "false": False}
    | {"where": np.where, "number": lambda text: float(text) if "." in text else int(text)}
    # Of as many numbers as there are.
    | {"max": lambda *numbers: functools.reduce(np.maximum, numbers)}
    | {"abs": np.abs, "sqrt": np.sqrt, "floor": np.floor, "ceil": np.ceil}
)


class Checked(HTMLParser):
    """Reads a page: its links, anchors and images, and what is wrong with it."""

    VOID = frozenset({"meta", "link", "img", "br", "hr"})

    def __init__(self, text):
        super().__init__()
        self.links, self.images, self.ids, self.faults, self.open = [], [], set(), [], []
        self.texts = []
        self.feed(text)
        self.faults += [f"<{tag}> is not closed" for tag in self.open]

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag in ("script", "style") or "style" in given or any(k.startswith("on") for k in given):
            self.faults.append(f"<{tag}> has code or style in the page")
        if "id" in given:
            if given["id"] in self.ids:
                self.faults.append(f"two ids {given['id']}")
            self.ids.add(given["id"])
        if tag == "a":
            self.links.append(given["href"])
        if tag == "link":
            self.links.append(given["href"])
        if tag == "img":
            self.images.append(given["src"])
            if not given.get("alt"):
                self.faults.append(f"{given['src']} has no words for those who cannot see it")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data):
        self.texts.append(data)
