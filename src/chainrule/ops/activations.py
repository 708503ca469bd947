"""Activations since ReLU, each a formula in the vocabulary.

At a kink each has the derivative that torch gives it. Where a formula has a branch, what is not
chosen must stay finite: its derivative is multiplied by a cotangent of 0, and 0 times infinity
would be NaN.
"""

from __future__ import annotations

from chainrule.ops.elementwise import Indicator, Kink, Vocabulary, elementwise
from chainrule.ops.expression import Expression, Operand
from chainrule.ops.functions import sigmoid_formula as _sigmoid
from chainrule.ops.transcendental import pi

_REALS = (-30.0, -1.5, -1e-3, 0.25, 2.0, 30.0)
_SMOOTH = (*_REALS, 0.0)


def _negative_part(s: Vocabulary, x: Expression) -> Expression:
    # The slope at 0 is that of the left side; min(x, 0) would halve it.
    return s.select(s.less_equal(x, 0), x, 0)


# --- exponential on the left ----------------------------------------------------------------------

ELU = elementwise(
    "elu",
    value=lambda s, x, *, alpha: s.select(
        s.less_equal(x, 0), alpha * s.expm1(_negative_part(s, x)), x
    ),
    partials=(
        lambda s, x, y, *, alpha: s.select(
            s.less_equal(x, 0), alpha * s.exp(_negative_part(s, x)), 1
        ),
    ),
    samples=_REALS,
    source="Clevert, Unterthiner and Hochreiter 2016, eq. 15",
    alpha=1.0,
)
CELU = elementwise(
    "celu",
    value=lambda s, x, *, alpha: s.select(
        s.less_equal(x, 0), alpha * s.expm1(_negative_part(s, x) / alpha), x
    ),
    partials=(
        lambda s, x, y, *, alpha: s.select(
            s.less_equal(x, 0), s.exp(_negative_part(s, x) / alpha), 1
        ),
    ),
    samples=_REALS,
    source="Barron 2017, eq. 2",
    alpha=1.0,
)
# They keep mean 0 and variance 1; the slope at 0 from the left is their product.
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
SELU_SLOPE = _SELU_SCALE * _SELU_ALPHA
SELU = elementwise(
    "selu",
    value=lambda s, x: s.select(
        s.less_equal(x, 0), SELU_SLOPE * s.expm1(_negative_part(s, x)), _SELU_SCALE * x
    ),
    partials=(
        lambda s, x, y: s.select(
            s.less_equal(x, 0), SELU_SLOPE * s.exp(_negative_part(s, x)), _SELU_SCALE
        ),
    ),
    kinks=(Kink((0.0,), (SELU_SLOPE,)),),
    samples=_REALS,
    source="Klambauer, Unterthiner, Mayr and Hochreiter 2017, eqs. 2 and 14",
)

# --- x times a gate -------------------------------------------------------------------------------


def _gelu_slope(s: Vocabulary, x: Expression, y: Expression) -> Operand:
    # Φ(x) + x·φ(x), the normal distribution and its density.
    return 0.5 * s.erfc(-x * s.sqrt(0.5)) + x * s.exp(-0.5 * x * x) / s.sqrt(2.0 * pi(s))


GELU = elementwise(
    "gelu",
    # erfc(-z), not 1 + erf(z): for x << 0 that would cancel to 0. And x·√½, which is as exact as
    # x/√2, but a division takes as long as a fifth of all the rest.
    value=lambda s, x: 0.5 * x * s.erfc(-x * s.sqrt(0.5)),
    partials=(_gelu_slope,),
    samples=(-5.0, -1.5, -1e-3, 0.0, 0.5, 2.0, 8.0),
    source="Hendrycks and Gimpel 2016, eq. 1",
)


def _gelu_argument(s: Vocabulary, x: Expression) -> Expression:
    return 2.0 * s.sqrt(2.0 / pi(s)) * (x + 0.044715 * x * x * x)


def _gelu_tanh_slope(s: Vocabulary, x: Expression, y: Expression) -> Operand:
    # Beyond 40 the slope is 0 or 1 in any dtype, and x² must not make it NaN.
    near = s.max(s.min(x, 40), -40)
    v = _gelu_argument(s, near)
    slope = 2.0 * s.sqrt(2.0 / pi(s)) * (1 + 3.0 * (0.044715 * near * near))
    # σ(-v), not 1 - σ(v): keeps digits for large v. So below.
    return s.sigmoid(v) + near * s.sigmoid(v) * s.sigmoid(-v) * slope


GELU_TANH = elementwise(
    "gelu_tanh",
    # (1 + tanh u)/2 is σ(2u), which does not cancel for u << 0.
    value=lambda s, x: x * _sigmoid(s, _gelu_argument(s, x)),
    partials=(_gelu_tanh_slope,),
    samples=(-5.0, -1.5, -1e-3, 0.0, 0.5, 2.0, 8.0),
    source="Hendrycks and Gimpel 2016, section 2",
)
SILU = elementwise(
    "silu",
    value=lambda s, x: x * _sigmoid(s, x),
    partials=(lambda s, x, y: s.sigmoid(x) * (1 + x * s.sigmoid(-x)),),
    samples=_SMOOTH,
    source="Elfwing, Uchibe and Doya 2018, eqs. 2 and 3",
)


def _mish_slope(s: Vocabulary, x: Expression, y: Expression) -> Operand:
    # With p = σ(x) and q = σ(-x) = 1 - p: tanh(softplus(x)) = p(1+q)/(1+q²), and its derivative is
    # 4pq²/(1+q²)². Nothing overflows, and nothing cancels.
    p, q = s.sigmoid(x), s.sigmoid(-x)
    below = 1 + q * q
    return p * (1 + q) / below + 4 * x * p * s.square(q / below)


MISH = elementwise(
    "mish",
    value=lambda s, x: x * s.tanh(s.max(x, 0) + s.log1p(s.exp(-s.abs(x)))),
    partials=(_mish_slope,),
    samples=_SMOOTH,
    source="Misra 2019, eq. 1",
)

# --- squashing ------------------------------------------------------------------------------------

SOFTSIGN = elementwise(
    "softsign",
    value=lambda s, x: x / (1 + s.abs(x)),
    partials=(lambda s, x, y: s.square(1 / (1 + s.abs(x))),),
    samples=_REALS,
    source="Bergstra, Desjardins, Lamblin and Bengio 2009, eq. 10",
)
LOG_SIGMOID = elementwise(
    "log_sigmoid",
    # log σ(x) without the logarithm of a probability that rounded to 0.
    value=lambda s, x: s.min(x, 0) - s.log1p(s.exp(-s.abs(x))),
    partials=(lambda s, x, y: s.sigmoid(-x),),
    samples=_SMOOTH,
    source="Bishop 2006, eq. 4.90",
)


def _tanh_shrink(s: Vocabulary, x: Expression) -> Operand:
    # Near 0, x and tanh x agree in all their digits. There tanh x = x/(1+c) with Gauss's continued
    # fraction c = x²/(3 + x²/(5 + ...)), and x - tanh x = x·c/(1+c).
    near = s.max(s.min(x, 1), -1)
    square = near * near
    c: Operand = square / 19  # the error is below 1e-18 of the result
    for odd in range(17, 1, -2):
        c = square / (odd + c)
    return s.select(s.less(s.abs(x), 1), near * c / (1 + c), x - s.tanh(x))


TANH_SHRINK = elementwise(
    "tanh_shrink",
    value=_tanh_shrink,
    partials=(lambda s, x, y: s.square(s.tanh(x)),),
    samples=_REALS,
    source="Collobert, Kavukcuoglu and Farabet 2011",
)

# --- pieces of straight lines ---------------------------------------------------------------------


def _between(s: Vocabulary, x: Expression, low: float, high: float) -> Expression:
    return s.logical_and(s.greater(x, low), s.less(x, high))


def _bounded(s: Vocabulary, x: Expression, low: float, high: float) -> Expression:
    # NaN is neither below nor above, and stays NaN.
    return s.select(s.less_equal(x, low), low, s.select(s.greater_equal(x, high), high, x))


CLIP = elementwise(
    "clip",
    value=lambda s, x, *, low, high: _bounded(s, x, low, high),
    # A value that is at a bound passes as it is, so its derivative is 1.
    partials=(
        Indicator(
            lambda s, x, y, *, low, high: s.logical_and(
                s.greater_equal(x, low), s.less_equal(x, high)
            )
        ),
    ),
    kinks=(Kink((0.0,), (1.0,)), Kink((1.0,), (1.0,))),
    samples=(-1.5, 0.25, 0.75, 1.5),
    source="Harris et al. 2020",
    low=0.0,
    high=1.0,
)
HARD_TANH = elementwise(
    "hard_tanh",
    value=lambda s, x, *, low, high: _bounded(s, x, low, high),
    partials=(Indicator(lambda s, x, y, *, low, high: _between(s, x, low, high)),),
    kinks=(Kink((-1.0,), (0.0,)), Kink((1.0,), (0.0,))),
    samples=(-1.5, -0.25, 0.75, 1.5),
    source="Collobert 2004",
    low=-1.0,
    high=1.0,
)
RELU6 = elementwise(
    "relu6",
    value=lambda s, x: _bounded(s, x, 0, 6),
    partials=(Indicator(lambda s, x, y: _between(s, x, 0, 6)),),
    kinks=(Kink((0.0,), (0.0,)), Kink((6.0,), (0.0,))),
    samples=(-1.5, 0.25, 5.75, 7.5),
    source="Krizhevsky 2010",
)
HARD_SIGMOID = elementwise(
    "hard_sigmoid",
    value=lambda s, x: _bounded(s, x + 3, 0, 6) / 6,
    partials=(lambda s, x, y: s.select(_between(s, x, -3, 3), s.div(1.0, 6.0), 0),),
    kinks=(Kink((-3.0,), (0.0,)), Kink((3.0,), (0.0,))),
    samples=(-4.0, -0.25, 0.75, 4.5),
    source="Courbariaux, Bengio and David 2015, eq. 2",
)
HARD_SWISH = elementwise(
    "hard_swish",
    value=lambda s, x: s.select(s.less_equal(x, -3), 0, x * (_bounded(s, x + 3, 0, 6) / 6)),
    partials=(
        lambda s, x, y: s.select(
            s.less_equal(x, -3), 0, s.select(s.greater_equal(x, 3), 1, x / 3 + 0.5)
        ),
    ),
    kinks=(Kink((-3.0,), (0.0,)), Kink((3.0,), (1.0,))),
    samples=(-4.0, -0.25, 0.75, 4.5),
    source="Howard et al. 2019, section 5.2",
)
HARD_SHRINK = elementwise(
    "hard_shrink",
    value=lambda s, x, *, width: s.select(s.less_equal(s.abs(x), width), 0, x),
    partials=(Indicator(lambda s, x, y, *, width: s.logical_not(s.less_equal(s.abs(x), width))),),
    kinks=(Kink((-0.5,), (0.0,)), Kink((0.5,), (0.0,))),
    samples=(-1.5, -0.25, 0.375, 2.0),
    source="Donoho and Johnstone 1994",
    width=0.5,
)
SOFT_SHRINK = elementwise(
    "soft_shrink",
    value=lambda s, x, *, width: s.select(s.less_equal(s.abs(x), width), 0, x - width * s.sign(x)),
    partials=(Indicator(lambda s, x, y, *, width: s.logical_not(s.less_equal(s.abs(x), width))),),
    kinks=(Kink((-0.5,), (0.0,)), Kink((0.5,), (0.0,))),
    samples=(-1.5, -0.25, 0.375, 2.0),
    source="Donoho 1995, eq. 5",
    width=0.5,
)
THRESHOLD = elementwise(
    "threshold",
    value=lambda s, x, *, threshold, below: s.select(s.less_equal(x, threshold), below, x),
    partials=(
        Indicator(lambda s, x, y, *, threshold, below: s.logical_not(s.less_equal(x, threshold))),
    ),
    kinks=(Kink((0.0,), (0.0,)),),
    samples=(-1.5, -0.25, 0.375, 2.0),
    source="Collobert, Kavukcuoglu and Farabet 2011",
    threshold=0.0,
    below=0.0,
)
PRELU = elementwise(
    "prelu",
    operands="x a",
    value=lambda s, x, a: s.select(s.less_equal(x, 0), a * x, x),
    partials=(
        lambda s, x, a, y: s.select(s.less_equal(x, 0), a, 1),
        lambda s, x, a, y: _negative_part(s, x),
    ),
    kinks=(Kink((0.0, 0.25), (0.25, 0.0)),),
    samples=((-1.5, 0.25), (-0.5, -2.0), (2.0, 0.25)),
    source="He, Zhang, Ren and Sun 2015, eq. 1",
)
