"""Small differentiable graphs, drawn by Hypothesis, with inputs on which they are smooth."""

import numpy as np
from hypothesis import strategies as st

from chainrule.base.errors import ShapeError
from chainrule.base.random import normal, normal_words, random_bits, seed_words
from chainrule.graph import DType, TensorType
from chainrule.ops import Builder

UNARY = ["tanh", "sin", "cos", "sigmoid", "softplus", "neg", "square", "leaky_relu"]
BINARY = ["add", "sub", "mul", "max", "min"]
SHAPES = st.lists(st.integers(1, 3), max_size=3).map(tuple)


def arrays_of(types, stream):
    """Normal numbers of these types; another stream, other numbers."""
    found = []
    for position, kind in enumerate(types):
        words = random_bits(
            seed_words(0), 0, stream, position, kind.size * normal_words(np.float64)
        )
        found.append(normal(words, np.float64).reshape(tuple(map(int, kind.shape))))
    return found


@st.composite
def smooth_graphs(draw):
    """A graph of two inputs and a few ops, one or two results, and arrays for its inputs."""
    b = Builder()
    values = [b.input(TensorType(draw(SHAPES), DType.F64), name) for name in "xz"]
    for _ in range(draw(st.integers(1, 6))):
        x = values[draw(st.integers(0, len(values) - 1))]
        values.append(draw(st.sampled_from(STEPS))(draw, b, x, values))
    outputs = {"y": values[-1]}
    if draw(st.booleans()):
        outputs["also"] = values[draw(st.integers(0, len(values) - 1))]
    graph = b.build("f", outputs)
    stream = f"inputs {draw(st.integers(0, 5))}"
    return graph, arrays_of([graph.nodes[i].type for i in graph.inputs], stream)


def _unary(draw, b, x, values):
    return b.apply(draw(st.sampled_from(UNARY)), x)


def _binary(draw, b, x, values):
    for other in reversed(values):
        try:
            return b.apply(draw(st.sampled_from(BINARY)), x, other)
        except ShapeError:
            continue
    return b.square(x)


def _twice(draw, b, x, values):
    return b.tanh(x) * x


def _sum(draw, b, x, values):
    rank = len(x.shape)
    chosen = draw(st.lists(st.booleans(), min_size=rank, max_size=rank))
    return b.sum(x, axes=tuple(axis for axis in range(rank) if chosen[axis]))


def _softmax(draw, b, x, values):
    if not x.shape:
        return b.tanh(x)
    axis = draw(st.integers(0, len(x.shape) - 1))
    return b.apply(draw(st.sampled_from(["softmax", "log_softmax"])), x, axis=axis)


def _amax(draw, b, x, values):
    return b.amax(x, axis=draw(st.integers(0, len(x.shape) - 1))) if x.shape else b.sin(x)


def _transpose(draw, b, x, values):
    return b.transpose(x, axes=tuple(draw(st.permutations(range(len(x.shape))))))


def _flatten(draw, b, x, values):
    return b.reshape(x, shape=(x.type.size,))


def _product(draw, b, x, values):
    """x times itself, over any one axis of equal size on both sides."""
    pairs = [
        (i, j) for i in range(len(x.shape)) for j in range(len(x.shape)) if x.shape[i] == x.shape[j]
    ]
    if not pairs or len(x.shape) > 2:
        return b.square(x)
    return b.contract(b.tanh(x), x, over=draw(st.sampled_from(pairs)))


def _joined(draw, b, x, values):
    return b.concat(x, b.sin(x), axis=0) if x.shape and x.type.size < 20 else b.neg(x)


def _halved(draw, b, x, values):
    if not x.shape:
        return b.cos(x)
    ones = (1,) * (len(x.shape) - 1)
    stops = tuple(map(int, x.shape))
    return b.slice(x, starts=(0,) * len(stops), stops=stops, steps=(2, *ones))


STEPS = [
    _unary, _unary, _binary, _binary, _twice, _sum, _softmax, _amax, _transpose, _flatten,
    _product, _joined, _halved,
]  # fmt: skip
