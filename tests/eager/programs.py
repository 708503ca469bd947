"""Random programs for the laws of derivatives: smooth functions of two arrays to one."""

import numpy as np
from hypothesis import strategies as st

import chainrule as cr
from chainrule.eager import as_tensor

# Each is smooth wherever it is used, and keeps numbers of ordinary size.
UNARY = {
    "tanh": lambda a: a.tanh(),
    "sigmoid": lambda a: a.sigmoid(),
    "sin": lambda a: a.sin(),
    "softplus": lambda a: a.softplus(),
    "square": lambda a: a.square() * 0.25,
    "exp": lambda a: a.tanh().exp(),
    "log": lambda a: (a.square() + 1).log(),
    "sqrt": lambda a: (a.square() + 1).sqrt(),
    "neg": lambda a: -a,
    "transpose": lambda a: a.T,
    "reshape": lambda a: a.reshape(-1, a.shape[0]),
    "softmax": lambda a: a.softmax(axis=0),
    "log_softmax": lambda a: a.log_softmax(),
    "mean": lambda a: a.mean(axis=1, keepdims=True) + a * 0.5,
    "sum": lambda a: a.sum(axis=0, keepdims=True) * 0.3,
    "slice": lambda a: a[: max(a.shape[0] - 1, 1), ::2],
    "gather": lambda a: a[[0, a.shape[0] - 1, 0]],
    "gram": lambda a: a @ a.T * 0.2,
    "broadcast": lambda a: cr.broadcast_to(a[:1], (2, a.shape[1])),
    "where": lambda a: cr.where(np.eye(*a.shape) > 0, a, a * 0.1),
}
BINARY = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "sub": lambda a, b: a - b,
    "div": lambda a, b: a / (b.square() + 1),
    "power": lambda a, b: (a.square() + 0.5) ** b.tanh(),
    "concatenate": lambda a, b: cr.concatenate([a, b]),
}
CHAINED = {
    "matmul": lambda a, b: a @ b * 0.3,
}


@st.composite
def programs(draw, dtype="float64"):
    """A function of two arrays, as (f, [x, y], the steps by name)."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, columns = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    arrays = [rng.normal(size=(rows, columns)).astype(dtype) for _ in range(2)]
    values = [cr.tensor(array) for array in arrays]
    steps = []
    for _ in range(draw(st.integers(1, 6))):
        last = len(values) - 1
        name = draw(st.sampled_from([*UNARY, *BINARY, *CHAINED]))
        left = draw(st.sampled_from([last, *range(last)]))
        if name in UNARY:
            f, places = UNARY[name], (left,)
        else:
            fits = [i for i, v in enumerate(values) if fits_together(name, values[left], v)]
            if not fits:
                continue
            f = BINARY.get(name) or CHAINED[name]
            places = (left, draw(st.sampled_from(fits)))
        steps.append((name, f, places))
        values.append(f(*(values[i] for i in places)))

    def run(*inputs):
        found = [as_tensor(x) for x in inputs]
        for _, f, places in steps:
            found.append(f(*(found[i] for i in places)))
        return found[-1]

    return run, arrays, [(name, places) for name, _, places in steps]


def fits_together(name, a, b):
    if name == "matmul":
        return a.shape[1] == b.shape[0]
    if name == "concatenate":
        return a.shape[1] == b.shape[1]
    return a.shape == b.shape
