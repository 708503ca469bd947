"""How far rounding may carry an update: running error analysis of its graph.

Each node has a value and a bound on the error of whoever computes it in the node's dtype. What an
operand's error does to the result follows from the op; then the result is rounded once
[Wilkinson 1986; Higham 2002, §3.3]. Constants are rounded, too.
"""

import numpy as np

from chainrule.graph import DType
from chainrule.testing import enclosure

UNIT = {DType.F32: 2.0**-24, DType.F64: 2.0**-53}
SMALLEST = {DType.F32: 2.0**-149, DType.F64: 2.0**-1074}
EXACT = enclosure.EXACT | {"reshape", "transpose"}


def _mul(x, e):
    return x[0] * x[1], abs(x[0]) * e[1] + abs(x[1]) * e[0] + e[0] * e[1]


def _div(x, e):
    y = x[0] / x[1]
    return y, (e[0] + abs(y) * e[1]) / _apart_from_zero(abs(x[1]) - e[1])


def _sqrt(x, e):
    # √x - √(x - e) = e / (√x + √(x - e))
    y, low = np.sqrt(x[0]), np.sqrt(np.maximum(x[0] - e[0], 0))
    return y, np.where(e[0] > 0, e[0] / np.where(y + low > 0, y + low, 1), 0)


def _power(x, e):
    # To first order: the errors of these scalars are of size 1e-15. 0ᵇ is exact.
    y = x[0] ** x[1]
    a = np.where(x[0] > 0, x[0], 1.0)
    return y, y * (abs(x[1]) * e[0] / a + abs(np.log(a)) * e[1])


def _sign(x, e):
    return np.sign(x[0]), np.where(abs(x[0]) > e[0], 0.0, 2.0 * (e[0] > 0))


def _compare(compare):
    def rule(x, e):
        certain = (abs(x[0] - x[1]) > e[0] + e[1]) | ((e[0] == 0) & (e[1] == 0))
        assert np.all(certain), "rounding decides a comparison"
        return compare(x[0], x[1]), np.zeros_like(x[0] - x[1])

    return rule


def _contract(x, e, over, batch=()):
    assert not batch
    axes = over[::2], over[1::2]
    y = np.tensordot(x[0], x[1], axes)
    a, b = abs(x[0]), abs(x[1])
    spread = np.tensordot(a, e[1], axes) + np.tensordot(e[0], b + e[1], axes)
    terms = np.prod([x[0].shape[axis] for axis in axes[0]])
    # Each product and each sum rounds, in whatever order and precision they are added.
    return y, spread + (terms + 1) * UNIT[DType.F32] * np.tensordot(a + e[0], b + e[1], axes)


def _apart_from_zero(x):
    assert np.all(x > 0), "a divisor could be 0"
    return x


RULES = {
    "add": lambda x, e: (x[0] + x[1], e[0] + e[1]),
    "sub": lambda x, e: (x[0] - x[1], e[0] + e[1]),
    "mul": _mul,
    "div": _div,
    "neg": lambda x, e: (-x[0], e[0]),
    "abs": lambda x, e: (abs(x[0]), e[0]),
    "square": lambda x, e: (x[0] ** 2, 2 * abs(x[0]) * e[0] + e[0] ** 2),
    "sqrt": _sqrt,
    "power": _power,
    "sign": _sign,
    "max": lambda x, e: (np.maximum(*x), np.maximum(*e)),
    "min": lambda x, e: (np.minimum(*x), np.maximum(*e)),
    "select": lambda x, e: (np.where(*x), np.where(x[0], e[1], e[2])),
    "equal": _compare(np.equal),
    "greater": _compare(np.greater),
    "less": _compare(np.less),
    "cast": lambda x, e, dtype: (x[0], e[0]),
    "constant": lambda x, e, value, dtype: (np.asarray(value), np.asarray(0.0)),
    "reshape": lambda x, e, shape: (x[0].reshape(shape), e[0].reshape(shape)),
    "transpose": lambda x, e, axes: (x[0].transpose(axes), e[0].transpose(axes)),
    "sum": lambda x, e, axes: (
        x[0].sum(axes),
        e[0].sum(axes) + x[0].size * UNIT[DType.F64] * (abs(x[0]) + e[0]).sum(axes),
    ),
    "contract": _contract,
}


def _is_whole(x, e, value):
    """Whether a number is a count or a sign, made of such: those are exact."""
    is_exact = not any(map(np.any, e))
    return is_exact and all(np.all(np.rint(each) == each) for each in (*x, value))


def run_with_bounds(graph, inputs):
    """Run a graph on pairs (value, bound); return such pairs by label."""
    found, given = [], iter(inputs)
    for node in graph.nodes:
        if node.op == "input":
            value, bound = next(given)
            found.append((np.asarray(value, np.float64), np.asarray(bound, np.float64)))
            continue
        x, e = zip(*(found[i] for i in node.inputs), strict=True) if node.inputs else ((), ())
        value, bound = RULES[node.op](x, e, **node.attributes)
        if node.dtype.is_float and not (node.op in EXACT or _is_whole(x, e, value)):
            ulps = max(2 * enclosure.allowed_ulps(node.op), 1.0)
            bound = bound + ulps * UNIT[node.dtype] * (abs(value) + bound) + SMALLEST[node.dtype]
        found.append((value, bound))
    return {output.label: found[output.node] for output in graph.outputs}
