"""Each op as torch computes it: the one table that parity with torch is tested from.

`FUNCTIONS` has a function of (torch, operands..., attributes...) for each op that torch has;
`WITHOUT` says of every other op why there is nothing to compare. A new op is in one of them, or
`tests/ops/test_torch_parity.py` fails.
"""

import math


def named(name, **constants):
    """torch's function of this name, of the operands alone."""
    return lambda torch, *operands: getattr(torch, name)(*operands, **constants)


def functional(name, **renamed):
    """torch.nn.functional's function; `renamed` says what our attributes are called there."""

    def function(torch, *operands, **attributes):
        arguments = {renamed.get(key, key): value for key, value in attributes.items()}
        return getattr(torch.nn.functional, name)(*operands, **arguments)

    return function


def costs(name, **renamed):
    """A loss of torch's, element by element."""

    def function(torch, *operands, **attributes):
        arguments = {renamed.get(key, key): value for key, value in attributes.items()}
        loss = getattr(torch.nn.functional, name)
        return loss(*torch.broadcast_tensors(*operands), reduction="none", **arguments)

    return function


def normalized(name):
    """A norm over the last axes, which torch is given by their sizes."""

    def function(torch, x, axes, eps):
        assert axes == tuple(range(axes[0], x.ndim))
        return getattr(torch.nn.functional, name)(x, x.shape[axes[0] :], eps=eps)

    return function


def _pad(torch, x, filler, low, high, interior):
    """Torch has no padding in between: the result is written into an array of fillers."""
    sizes = [
        l + h + n + max(n - 1, 0) * i
        for l, h, i, n in zip(low, high, interior, x.shape, strict=True)
    ]
    places = tuple(
        slice(l, l + (n - 1) * (i + 1) + 1 if n else l, i + 1)
        for l, i, n in zip(low, interior, x.shape, strict=True)
    )
    whole = filler.expand(sizes).clone()
    whole[places] = x
    return whole


def _contract(torch, a, b, over=(), batch=()):
    letters = "abcdefghij"
    left, right = list(letters[: a.ndim]), list(letters[5 : 5 + b.ndim])
    for pairs in (over, batch):
        for i, j in zip(pairs[::2], pairs[1::2], strict=True):
            right[j] = left[i]
    shared = [left[i] for i in batch[::2]]
    summed = {left[i] for i in over[::2]} | set(shared)
    free = [c for c in (*left, *right) if c not in summed]
    return torch.einsum(f"{''.join(left)},{''.join(right)}->{''.join((*shared, *free))}", a, b)


def _scatter_add(torch, x, positions, axis, size):
    index = positions.long()
    folded = x.reshape(*x.shape[:axis], -1, *x.shape[axis + index.ndim :])
    shape = (*folded.shape[:axis], size, *folded.shape[axis + 1 :])
    return torch.zeros(shape, dtype=x.dtype).index_add(axis, index.reshape(-1), folded)


def _gather(torch, x, positions, axis):
    index = positions.long()
    taken = x.index_select(axis, index.reshape(-1))
    return taken.reshape((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))


def _prod(torch, x, axes):
    for axis in reversed(axes):
        x = x.prod(dim=axis)
    return x


def _nll(torch, x, labels):
    found = x.gather(-1, labels.long().unsqueeze(-1))
    return -found.squeeze(-1)


def _cumsum(torch, x, axis, reverse=False):
    if not reverse:
        return x.cumsum(axis)
    return x.flip(axis).cumsum(axis).flip(axis)


FUNCTIONS = {
    # arithmetic
    "add": named("add"),
    "sub": named("sub"),
    "mul": named("mul"),
    "div": named("div"),
    "neg": named("neg"),
    "abs": named("abs"),
    "sign": named("sign"),
    "max": named("maximum"),
    "min": named("minimum"),
    "power": named("pow"),
    "sqrt": named("sqrt"),
    "square": named("square"),
    "hypot": named("hypot"),
    "floor_divide": named("floor_divide"),
    "remainder": named("remainder"),
    "floor": named("floor"),
    "ceil": named("ceil"),
    "round": named("round"),
    # functions
    "exp": named("exp"),
    "expm1": named("expm1"),
    "log": named("log"),
    "log1p": named("log1p"),
    "sin": named("sin"),
    "cos": named("cos"),
    "tan": named("tan"),
    "asin": named("asin"),
    "acos": named("acos"),
    "atan": named("atan"),
    "atan2": named("atan2"),
    "sinh": named("sinh"),
    "cosh": named("cosh"),
    "tanh": named("tanh"),
    "asinh": named("asinh"),
    "acosh": named("acosh"),
    "atanh": named("atanh"),
    "erf": named("erf"),
    "erfc": named("erfc"),
    # comparison, logic, bits
    "equal": named("eq"),
    "not_equal": named("ne"),
    "less": named("lt"),
    "less_equal": named("le"),
    "greater": named("gt"),
    "greater_equal": named("ge"),
    "logical_and": named("logical_and"),
    "logical_or": named("logical_or"),
    "logical_xor": named("logical_xor"),
    "logical_not": named("logical_not"),
    "is_finite": named("isfinite"),
    "select": named("where"),
    "bitwise_and": named("bitwise_and"),
    "bitwise_or": named("bitwise_or"),
    "bitwise_xor": named("bitwise_xor"),
    "bitwise_not": named("bitwise_not"),
    "shift_left": named("bitwise_left_shift"),
    "shift_right": named("bitwise_right_shift"),
    # activations
    "sigmoid": named("sigmoid"),
    "relu": functional("relu"),
    "leaky_relu": functional("leaky_relu", slope="negative_slope"),
    "softplus": functional("softplus"),
    "elu": functional("elu"),
    "celu": functional("celu"),
    "selu": functional("selu"),
    "gelu": functional("gelu"),
    "gelu_tanh": lambda torch, x: torch.nn.functional.gelu(x, approximate="tanh"),
    "silu": functional("silu"),
    "mish": functional("mish"),
    "softsign": functional("softsign"),
    "log_sigmoid": functional("logsigmoid"),
    "tanh_shrink": functional("tanhshrink"),
    "clip": lambda torch, x, low, high: x.clamp(low, high),
    "hard_tanh": functional("hardtanh", low="min_val", high="max_val"),
    "relu6": functional("relu6"),
    # Not torch's hardsigmoid, whose slope is the 1/6 of float32 in any dtype, and is constant.
    "hard_sigmoid": lambda torch, x: torch.nn.functional.relu6(x + 3) / 6,
    "hard_swish": functional("hardswish"),
    "hard_shrink": functional("hardshrink", width="lambd"),
    "soft_shrink": functional("softshrink", width="lambd"),
    "threshold": functional("threshold", below="value"),
    "prelu": lambda torch, x, a: torch.where(x > 0, x, a * x),
    # costs
    "bce_with_logits": costs("binary_cross_entropy_with_logits"),
    "bce": costs("binary_cross_entropy"),
    "kl_divergence": costs("kl_div"),
    "huber": lambda torch, x, delta: costs("huber_loss")(
        torch, x, torch.zeros_like(x), delta=delta
    ),
    "smooth_l1": lambda torch, x, beta: costs("smooth_l1_loss")(
        torch, x, torch.zeros_like(x), beta=beta
    ),
    # over axes
    "sum": lambda torch, x, axes: x.sum(dim=axes) if axes else x.clone(),
    "mean": lambda torch, x, axes: x.mean(dim=axes),
    "prod": _prod,
    "amax": lambda torch, x, axis: x.max(dim=axis).values,
    "argmax": lambda torch, x, axis: x.argmax(dim=axis),
    "softmax": lambda torch, x, axis: x.softmax(axis),
    "log_softmax": lambda torch, x, axis: x.log_softmax(axis),
    "log_sum_exp": lambda torch, x, axes: x.logsumexp(axes),
    "variance": lambda torch, x, axes, correction: x.var(dim=axes, correction=correction),
    "std": lambda torch, x, axes, correction: x.std(dim=axes, correction=correction),
    "norm": lambda torch, x, axes: torch.linalg.vector_norm(x, dim=axes),
    "layer_norm": normalized("layer_norm"),
    "rms_norm": normalized("rms_norm"),
    "cumsum": _cumsum,
    "argsort": lambda torch, x, axis, descending=False: torch.argsort(
        x, dim=axis, descending=descending, stable=True
    ),
    "sort": lambda torch, x, axis, descending: (
        torch.sort(x, dim=axis, descending=descending, stable=True).values
    ),
    "nll": _nll,
    "cross_entropy": lambda torch, x, labels: torch.nn.functional.cross_entropy(
        x, labels.long(), reduction="none"
    ),
    "cross_entropy_soft": lambda torch, x, t: torch.nn.functional.cross_entropy(
        x, t, reduction="none"
    ),
    "contract": _contract,
    # positions and shapes
    "gather": _gather,
    "scatter_add": _scatter_add,
    "take_along_axis": lambda torch, x, at, axis: x.take_along_dim(at.long(), axis),
    "add_along_axis": lambda torch, x, at, axis, size: torch.zeros(
        *x.shape[:axis], size, *x.shape[axis + 1 :], dtype=x.dtype
    ).scatter_add(axis, at.long(), x),
    "reshape": lambda torch, x, shape: x.reshape(shape),
    "transpose": lambda torch, x, axes: x.permute(axes),
    "broadcast": lambda torch, x, shape: x.expand(shape),
    "flip": lambda torch, x, axes: x.flip(axes),
    "slice": lambda torch, x, starts, stops, steps: x[tuple(map(slice, starts, stops, steps))],
    "concat": lambda torch, *x, axis: torch.cat(x, dim=axis),
    "pad": _pad,
    "cast": lambda torch, x, dtype: x.to(getattr(torch, dtype.numpy.name)),
    "constant": lambda torch, value, dtype: torch.tensor(
        value, dtype=getattr(torch, dtype.numpy.name)
    ),
    "iota": lambda torch, shape, axis, dtype: (
        torch.arange(shape[axis], dtype=getattr(torch, dtype.numpy.name))
        .reshape([-1 if i == axis else 1 for i in range(len(shape))])
        .expand(shape)
    ),
}

WITHOUT = {
    "custom": "a user's own function with a user's own derivative",
    "random_bits": "our random stream, whose words are frozen by tests/base/test_random_stream.py",
    "uniform": "drawn from our random stream",
    "normal": "drawn from our random stream",
    "focal": "torch has no focal loss; tests/nn compare it with its paper's formula",
}

# Instead of the above, for second gradients: torch's own adds 1e-12 to x·(1 - x) there.
FOR_SECOND_GRADIENTS = {"bce": lambda torch, x, t: -(t * x.log() + (1 - t) * (-x).log1p())}

# Ops whose derivative torch lacks; ours is 0 wherever it exists, which tests/conformance shows.
WITHOUT_GRADIENT = {"floor_divide"}

# Points that are not compared, and why: torch's answer is wrong there.
WITHOUT_POINTS = {
    # ∂²y/∂a∂b = aᵇ⁻¹·(1 + b·log a) is 1/a where b is 0; torch takes b·aᵇ⁻¹ for a constant there.
    ("power", "second gradient"): ((2.0, 0.0),),
}

# Where torch's formula cancels and ours does not: by how many units of roundoff it may be off, on
# the declared points. Each is a few roundings of numbers as large as those that cancel.
CANCELS = {
    "expm1": 4.0,  # the slope as y + 1
    "gelu": 64.0,  # x·(1 + erf), |x| up to 8
    "gelu_tanh": 256.0,  # x·(1 + tanh), and the slope with 1 - tanh² times x³
    "silu": 64.0,  # 1 - σ(x) times x, up to 30
    "mish": 64.0,
    "log_sigmoid": 4.0,  # 1 - σ(x)
    "tanh_shrink": 8.0,  # x - tanh(x)
    "softsign": 4.0,  # the slope as 1/(1 + |x|) - |x|/(1 + |x|)²
    "bce_with_logits": 64.0,
}

# Other attributes than the declared samples have, so that each is compared at several values.
ATTRIBUTES = {
    "leaky_relu": ({"slope": 0.2}, {"slope": 0.0}, {"slope": 1.5}),
    "softplus": ({"beta": 2.0, "threshold": 20.0}, {"beta": 0.5, "threshold": 1.0}),
    "elu": ({"alpha": 0.3}, {"alpha": 2.0}),
    "celu": ({"alpha": 0.5}, {"alpha": 2.0}),  # torch takes 1/alpha in float32: powers of two
    "clip": ({"low": -0.5, "high": 0.5}, {"low": -math.inf, "high": 0.25}),
    "hard_tanh": ({"low": -2.0, "high": 0.5}, {"low": -0.125, "high": 0.125}),
    "hard_shrink": ({"width": 1.0}, {"width": 0.125}),
    "soft_shrink": ({"width": 1.0}, {"width": 0.125}),
    "threshold": ({"threshold": 0.5, "below": -2.0}, {"threshold": -0.75, "below": 3.0}),
    "huber": ({"delta": 0.25}, {"delta": 2.5}),
    "smooth_l1": ({"beta": 0.25}, {"beta": 2.5}),
}
