"""Initialisers of whole matrices: orthogonal, sparse, the identity."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chainrule.base.errors import ConfigurationError, ShapeError
from chainrule.base.random import uniform_words
from chainrule.graph import Shape, format_shape
from chainrule.nn.initializers.gains import as_gain
from chainrule.nn.initializers.plain import normal
from chainrule.nn.initializers.rule import INITIALIZERS, bits


@INITIALIZERS.register("orthogonal")
@dataclass(frozen=True)
class orthogonal:
    """gain·Q, the rows or the columns of Q being orthonormal, whichever are fewer.

    Parameters
    ----------
    gain : float or str
        A factor, or the nonlinearity that it is calculated from.

    Notes
    -----
    Q is the factor of a matrix of normal numbers N = Q·R with a positive diagonal of R, so that
    every rotation is as likely   [Saxe, McClelland and Ganguli 2014]. A weight of more axes is
    taken as a matrix with a row for each unit.
    """

    gain: float | str = 1.0

    def __post_init__(self) -> None:
        as_gain(self.gain)

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        if len(shape) < 2:
            raise ShapeError(
                f"orthogonal draws a weight of two or more axes; got shape {format_shape(shape)}"
            )
        rows, columns = shape[0], math.prod(shape[1:])
        draws = normal()((rows, columns), seed, path)
        q, r = np.linalg.qr(draws.T if rows < columns else draws)
        q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return np.asarray(as_gain(self.gain) * (q.T if rows < columns else q).reshape(shape))


@INITIALIZERS.register("sparse")
@dataclass(frozen=True)
class sparse:
    """N(0, std²), but a share of each column, chosen at random, is 0   [Martens 2010, section 5].

    Parameters
    ----------
    sparsity : float
        The share, in [0, 1], rounded up to whole numbers of a column.
    std : float
    """

    sparsity: float
    std: float = 0.01

    def __post_init__(self) -> None:
        if not (0 <= self.sparsity <= 1 and self.std >= 0):
            raise ConfigurationError(
                f"sparse takes 0 ≤ sparsity ≤ 1 and std ≥ 0; got {self.sparsity} and {self.std}"
            )

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        rows, columns = _two_axes("sparse", shape)
        drawn = normal(0.0, self.std)(shape, seed, path)
        keys = bits(shape, seed, f"{path}#zeros", uniform_words).reshape(rows, columns, 2)
        ranks = np.argsort(keys[..., 0], axis=0, kind="stable")
        zeros = ranks[: math.ceil(self.sparsity * rows)]
        np.put_along_axis(drawn, zeros, 0.0, axis=0)
        return drawn


@INITIALIZERS.register("eye")
@dataclass(frozen=True)
class eye:
    """The identity: 1 on the diagonal, 0 elsewhere, of a matrix of any two sizes."""

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        return np.eye(*_two_axes("eye", shape))


def _two_axes(rule: str, shape: Shape) -> tuple[int, int]:
    if len(shape) != 2:
        raise ShapeError(f"{rule} draws a matrix; got shape {format_shape(shape)}")
    return shape[0], shape[1]
