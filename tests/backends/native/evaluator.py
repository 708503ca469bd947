"""The ordered evaluator: a graph in NumPy scalars, each sum in its declared order.

It reads `Op.terms` for every element, and takes exp, log and the like from the native backend, one
element at a time. What it gives is what native code must give, bit for bit.
"""

from fractions import Fraction

import numpy as np

from chainrule.backends import get_backend
from chainrule.base.random import derive, row_bits
from chainrule.graph import DType, parse_graph
from chainrule.ops import bind
from chainrule.ops.expression import Element, Literal, Symbol, fold_in_order, read
from chainrule.rewrite import expand_composites

EXACT = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "neg": np.negative,
    "sqrt": np.sqrt, "abs": np.abs,
    # NumPy's own sign of a zero depends on the processor.
    "max": lambda a, b: np.where((a >= b) | (a != a), a, b),
    "min": lambda a, b: np.where((a <= b) | (a != a), a, b),
    "sign": lambda x: np.where(x == 0, x, np.sign(x)),
    "select": np.where, "equal": np.equal, "not_equal": np.not_equal, "less": np.less,
    "less_equal": np.less_equal, "greater": np.greater, "greater_equal": np.greater_equal,
    "logical_and": np.logical_and, "logical_or": np.logical_or, "logical_not": np.logical_not,
    "logical_xor": np.logical_xor, "is_finite": np.isfinite,
}  # fmt: skip


def words(number):
    """An integer as two words, the low one first."""
    return number % 2**32, number // 2**32


def fused(a, b, c):
    """a·b + c with one rounding."""
    if not (np.isfinite(a) and np.isfinite(b) and np.isfinite(c)):
        return a * b + c
    if a.dtype == np.float64:
        exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
        return np.float64(float(exact)) if exact else a * b + c
    # The product is exact in float64. The sum is rounded to odd there, so that rounding it once
    # more to float32 is as if it had been rounded only once   [Boldo and Melquiond 2008].
    p, wide = np.float64(a) * np.float64(b), np.float64(c)
    total = p + wide
    error = Fraction(float(p)) + Fraction(float(wide)) - Fraction(float(total))
    if error and not total.view(np.int64) & 1:
        total = np.nextafter(total, np.inf if error > 0 else -np.inf)
    return np.float32(total)


class Scalars:
    """Reads one element's terms as a NumPy scalar."""

    def __init__(self, arrays, dtype, operands=None):
        self.arrays, self.dtype, self.operands = arrays, dtype, operands

    def leaf(self, leaf):
        match leaf:
            case Element(i, at):
                return self.arrays[i][at]
            case Symbol(name):
                return self.operands[name]
            case Literal(value):
                if isinstance(value, bool) or self.dtype == np.uint32:
                    return value
                return self.dtype.type(value)

    def apply(self, op, arguments, dtype):
        if dtype is not None:
            return np.asarray(arguments[0]).astype(dtype.numpy)[()]
        if op == "random_bits":  # frozen, and the same everywhere
            low, high, step, row, *stream, word = map(int, arguments)
            key = derive(derive(np.array([low, high], np.uint32), *stream), *words(step))
            return row_bits(key, row, word + 1)[word]
        if op in EXACT:
            return EXACT[op](*arguments)[()]
        kind = DType.of(arguments[-1].dtype).value
        names = ", ".join(f"x{i}" for i in range(len(arguments)))
        typed = ", ".join(f"x{i}: {kind}[]" for i in range(len(arguments)))
        text = f"graph f({typed}) -> {kind}[]\n  y: {kind}[] = {op}({names})\n  return y"
        graph = parse_graph(text)
        return get_backend("native").run(graph, [np.asarray(a) for a in arguments])[0][()]

    def fold(self, op, items, order):
        return fold_in_order(items, EXACT[op], order) if items else self.dtype.type(0)


def evaluate(graph, arrays, fma):
    """Every node's value, by position."""
    graph = expand_composites(graph, keep=lambda op: False).graph
    values = dict(zip(graph.inputs, arrays, strict=True))
    for position, node in enumerate(graph.nodes):
        if node.op == "input":
            continue
        operands = [values[i] for i in node.inputs]
        op = bind(node.op, node.attributes)
        types = tuple(graph.nodes[i].type for i in node.inputs)
        made = np.empty(tuple(map(int, node.shape)), node.dtype.numpy)
        with np.errstate(all="ignore"):
            for at in np.ndindex(made.shape):
                made[at] = element(op, types, operands, at, node, fma)
        values[position] = made
    return [values[output.node] for output in graph.outputs]


def element(op, types, operands, at, node, fma):
    """One element, by the op's terms."""
    reader = Scalars(operands, node.dtype.numpy)
    terms = op.terms(types, at)
    if node.op != "contract" or not fma or not terms.items:
        return read(terms, reader)
    total = None
    for item in terms.items:
        a, b = (read(argument, reader) for argument in item.arguments)
        total = a * b if total is None else fused(a, b, total)
    return total
