"""Dropout: forget at random, the same for an example wherever it stands."""

from __future__ import annotations

import math

from chainrule.base.errors import ShapeError
from chainrule.eager import Tensor, as_tensor, here
from chainrule.graph import format_shape
from chainrule.nn.arguments import as_number
from chainrule.nn.module import LAYERS, Module
from chainrule.nn.randomness import kept_like
from chainrule.ops.activations import SELU_SLOPE


@LAYERS.register("Dropout")
class Dropout(Module):
    """In training, set elements to 0 with probability p and scale the others by 1/(1-p).

    Parameters
    ----------
    p : float
        In [0, 1].

    Notes
    -----
    The mask is drawn from (seed, this layer's path, step, the example's row in the data set), so
    it does not depend on the batch an example is in   [Srivastava et al. 2014]. A layer that is
    called twice in one call of the network draws two masks.

    Examples
    --------
    >>> from chainrule import nn
    >>> dropout = nn.Dropout(0.5)
    >>> with nn.training(seed=0, step=0):
    ...     y = dropout([[1.0, 2.0, 3.0, 4.0]])
    >>> y.numpy().tolist()
    [[0.0, 0.0, 6.0, 0.0]]
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = as_number("Dropout", "p", p, 0, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements of x, of shape (B, ...)."""
        x = as_tensor(x)
        return scaled(x, kept_like("Dropout", self.p, x), self.p)


@LAYERS.register("Dropout1d")
class Dropout1d(Module):
    """In training, set whole channels to 0 with probability p and scale the others by 1/(1-p).

    Parameters
    ----------
    p : float
        In [0, 1].

    Notes
    -----
    Drawn as `Dropout`'s elements are. Neighbours in a channel say much the same, so dropping them
    one by one forgets little   [Tompson et al. 2015, section 3.2].

    Examples
    --------
    >>> from chainrule import nn
    >>> dropout = nn.Dropout1d(0.5)
    >>> with nn.training(seed=0):
    ...     y = dropout([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])
    >>> y.numpy().round(4).tolist()
    [[[0.0, 0.0], [0.0, 0.0], [10.0, 12.0]]]
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = as_number("Dropout1d", "p", p, 0, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Drop channels of x, of shape (B, channels, length)."""
        x = as_tensor(x)
        if x.ndim != 3:
            raise ShapeError(
                f"Dropout1d takes (examples, channels, length); got {format_shape(x.shape)}",
                where=here(),
            )
        kept = kept_like("Dropout1d", self.p, x, (int(x.shape[1]), 1))
        return scaled(x, kept, self.p)


@LAYERS.register("AlphaDropout")
class AlphaDropout(Module):
    """In training, set elements to what SELU gives at -∞, and keep mean 0 and variance 1.

    Parameters
    ----------
    p : float
        In [0, 1]: the probability to be dropped.

    Notes
    -----
    y = a·(x·d + α'·(1 - d)) + b, with d 1 or 0, α' = -1.7580993408473766, q = 1 - p,
    a = (q + α'²·q·(1 - q))^(-1/2) and b = -a·(1 - q)·α', so that inputs of mean 0 and variance 1
    stay so   [Klambauer et al. 2017, section 3]. Drawn as `Dropout`'s elements are.

    Examples
    --------
    >>> from chainrule import nn
    >>> dropout = nn.AlphaDropout(0.5)
    >>> with nn.training(seed=0):
    ...     y = dropout([[1.0, 1.0, 1.0, 1.0]])
    >>> y.numpy().round(4).tolist()
    [[-0.7792, -0.7792, 1.6656, -0.7792]]
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = as_number("AlphaDropout", "p", p, 0, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements of x, of shape (B, ...)."""
        x = as_tensor(x)
        return saturated(x, kept_like("AlphaDropout", self.p, x), self.p)


@LAYERS.register("FeatureAlphaDropout")
class FeatureAlphaDropout(Module):
    """In training, set whole channels to what SELU gives at -∞, and keep mean 0 and variance 1.

    Parameters
    ----------
    p : float
        In [0, 1]: the probability to be dropped.

    Notes
    -----
    `AlphaDropout`'s formula, with one d for each channel of an example.

    Examples
    --------
    >>> from chainrule import nn
    >>> dropout = nn.FeatureAlphaDropout(0.5)
    >>> with nn.training(seed=0):
    ...     y = dropout([[[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]])
    >>> y.numpy().round(4).tolist()
    [[[-0.7792, -0.7792], [-0.7792, -0.7792], [1.6656, 1.6656]]]
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = as_number("FeatureAlphaDropout", "p", p, 0, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Drop channels of x, of shape (B, channels, ...)."""
        x = as_tensor(x)
        if x.ndim < 2:
            raise ShapeError(
                f"FeatureAlphaDropout takes (examples, channels, ...); got {format_shape(x.shape)}",
                where=here(),
            )
        shape = (int(x.shape[1]), *[1] * (x.ndim - 2))
        return saturated(x, kept_like("FeatureAlphaDropout", self.p, x, shape), self.p)


def scaled(x: Tensor, kept: Tensor | None, p: float) -> Tensor:
    """Keep what is kept, scaled so that the mean stays; all of it if `kept` is None."""
    if kept is None:
        return x
    return x * (kept * (0.0 if p == 1 else 1 / (1 - p)))


def saturated(x: Tensor, kept: Tensor | None, p: float) -> Tensor:
    """Let what is dropped be SELU's lower end, then bring back mean and variance."""
    if kept is None:
        return x
    if p == 1:
        return x * 0.0  # the limit of the formula is infinite times nothing
    low, q = -SELU_SLOPE, 1 - p
    a = 1 / math.sqrt(q + low**2 * q * (1 - q))
    b = -a * (1 - q) * low
    return (x * kept + (1 - kept) * low) * a + b
