"""Activations that multiply by a gate of the same numbers, and units made of several."""

from __future__ import annotations

import math

from chainrule.base.errors import ShapeError
from chainrule.eager import Tensor, as_tensor, elementwise, here
from chainrule.eager.axes import axis_of
from chainrule.eager.shapes import split
from chainrule.graph import format_shape
from chainrule.nn.activations import Activation, ElementwiseActivation
from chainrule.nn.arguments import as_choice, as_count, as_position
from chainrule.nn.initializers import Initializer
from chainrule.nn.layers import affine, affine_parameters, check_last_axis
from chainrule.nn.module import LAYERS, Module


@LAYERS.register("SiLU")
class SiLU(ElementwiseActivation):
    """y = x·σ(x).

    Notes
    -----
    Also known as swish   [Elfwing, Uchibe and Doya 2018, eq. 2].
    """

    op = "silu"
    range = (-0.27847, math.inf)  # the ends here and below are rounded outward


@LAYERS.register("Mish")
class Mish(ElementwiseActivation):
    """y = x·tanh(log(1 + exp(x))).

    Notes
    -----
    [Misra 2019, eq. 1].
    """

    op = "mish"
    range = (-0.30885, math.inf)


@LAYERS.register("Hardswish")
class Hardswish(ElementwiseActivation):
    """y = x·min(max(x + 3, 0), 6)/6.

    Notes
    -----
    The derivative at the kinks is 0 at -3 and 1 at 3   [Howard et al. 2019, section 5.2].
    """

    op = "hard_swish"
    range = (-0.375, math.inf)


@LAYERS.register("GELU")
class GELU(Activation):
    """y = x·Φ(x), Φ being the normal distribution function.

    Parameters
    ----------
    approximate : str
        ``"none"``; or ``"tanh"`` for y = x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))).

    Notes
    -----
    [Hendrycks and Gimpel 2016, eq. 1 and section 2].
    """

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = as_choice("GELU", "approximate", approximate, ("none", "tanh"))

    @property
    def range(self) -> tuple[float, float]:
        return (-0.17005 if self.approximate == "tanh" else -0.16998, math.inf)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the op to each element."""
        return elementwise("gelu" if self.approximate == "none" else "gelu_tanh", x)


@LAYERS.register("GLU")
class GLU(Module):
    """y = a·σ(b), a and b being the two halves of x along an axis.

    Parameters
    ----------
    dim : int
        The axis, of even size; y has half as much   [Dauphin, Fan, Auli and Grangier 2017, eq. 1].

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.GLU()([[1.0, 2.0, 0.0, 3.0]]).numpy().round(4).tolist()
    [[0.5, 1.9051]]
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = as_position("GLU", "dim", dim)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply one half by the sigmoid of the other."""
        x = as_tensor(x)
        axis = axis_of(self.dim, x.ndim, "GLU")
        size = int(x.shape[axis])
        if size % 2:
            raise ShapeError(
                f"GLU(dim={self.dim}) halves an axis of even size; got x of shape "
                f"{format_shape(x.shape)}, where it is {size}",
                where=here(),
            )
        a, b = split(x, 2, axis)
        return a * b.sigmoid()


@LAYERS.register("Maxout")
class Maxout(Module):
    """yᵢ = maxⱼ zᵢⱼ with zᵢⱼ = x·wᵢⱼ + bᵢⱼ: each unit is the largest of several linear pieces.

    Parameters
    ----------
    in_features, out_features : int
    pieces : int
        How many linear functions each unit chooses from.
    bias : bool
    weight_init, bias_init : Initializer, or the name of a registered one, optional
        By default those of `Linear`.

    Attributes
    ----------
    weight : Parameter of shape (out_features·pieces, in_features)
        Rows i·pieces to (i + 1)·pieces are unit i's: that of a torch Linear whose outputs are
        viewed as (..., out_features, pieces) and reduced by max.
    bias : Parameter of shape (out_features·pieces,), or None

    Notes
    -----
    Where pieces tie, the first takes the gradient   [Goodfellow et al. 2013, eq. 1].

    Examples
    --------
    >>> from chainrule import nn
    >>> layer = nn.Maxout(1, 1, pieces=2, bias=False)
    >>> layer.weight.replace([[1.0], [-1.0]])
    >>> layer([[3.0], [-2.0]]).numpy().tolist()
    [[3.0], [2.0]]
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        pieces: int = 2,
        bias: bool = True,
        *,
        weight_init: Initializer | str | None = None,
        bias_init: Initializer | str | None = None,
    ) -> None:
        self.in_features = as_count("Maxout", "in_features", in_features)
        self.out_features = as_count("Maxout", "out_features", out_features)
        self.pieces = as_count("Maxout", "pieces", pieces)
        rows = self.out_features * self.pieces
        self.weight, self.bias = affine_parameters(
            rows, self.in_features, bias, weight_init, bias_init
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        x = as_tensor(x)
        check_last_axis("Maxout", "in_features", self.in_features, x)
        z = affine(x, self.weight, self.bias)
        return z.reshape(*z.shape[:-1], self.out_features, self.pieces).max(axis=-1)
