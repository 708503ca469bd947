"""Embedding: a row of a table for each integer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from chainrule.base.errors import ConfigurationError, DTypeError, ShapeError
from chainrule.eager import Tensor, apply, as_tensor, here, stop_gradient, where
from chainrule.graph import Shape, format_shape
from chainrule.nn.arguments import as_count, as_position
from chainrule.nn.initializers import Initializer, as_initializer, normal
from chainrule.nn.module import LAYERS, Module
from chainrule.nn.parameter import Parameter


@LAYERS.register("Embedding")
class Embedding(Module):
    """y = W[x]: row xᵢ of a table for each integer xᵢ.

    Parameters
    ----------
    num_embeddings : int
        How many rows the table has: integers go from 0 up to it.
    embedding_dim : int
        How long a row is.
    padding_idx : int, optional
        A row that does not train, for places that are only filled up; it starts as zeros. Counted
        from the end where it is negative.
    weight_init : Initializer, or the name of a registered one, optional
        By default torch's: N(0, 1).

    Attributes
    ----------
    weight : Parameter of shape (num_embeddings, embedding_dim)

    Notes
    -----
    A network with an Embedding in it is given integer inputs as integers, by `fit`, `predict` and
    `evaluate`. Integers that are not in the table are refused: before training with their row where
    the examples are in memory, otherwise when they are looked up. torch's `max_norm`, `norm_type`,
    `scale_grad_by_freq` and `sparse` are not there: the gradient is that of the loss, and dense.

    Examples
    --------
    >>> from chainrule import nn
    >>> layer = nn.Embedding(3, 2)
    >>> layer.weight.replace([[0.0, 0.5], [1.0, 1.5], [2.0, 2.5]])
    >>> layer([2, 0, 2]).numpy().tolist()
    [[2.0, 2.5], [0.0, 0.5], [2.0, 2.5]]
    """

    reads_integers: ClassVar[bool] = True

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        weight_init: Initializer | str | None = None,
    ) -> None:
        self.num_embeddings = as_count("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = as_count("Embedding", "embedding_dim", embedding_dim)
        self.padding_idx = self._row(padding_idx)
        rule = normal() if weight_init is None else as_initializer(weight_init)
        if self.padding_idx is not None:
            rule = _ZeroRow(rule, self.padding_idx)
        shape = (self.num_embeddings, self.embedding_dim)
        self.weight = Parameter(shape=shape, initializer=rule)

    @classmethod
    def from_pretrained(
        cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None
    ) -> Self:
        """Make one of a table that is there already.

        Parameters
        ----------
        embeddings : array_like of shape (num_embeddings, embedding_dim)
            Taken as it is, the padding row too.
        freeze : bool
            Whether it stays as it is in training.
        padding_idx : int, optional
        """
        table = np.asarray(embeddings)
        if table.ndim != 2:
            raise ShapeError(
                f"Embedding takes a table of two axes; got shape {format_shape(table.shape)}"
            )
        rows, width = table.shape
        made = cls(rows, width, padding_idx)
        made.weight.replace(table)
        made.weight.requires_grad = not freeze
        return made

    def forward(self, x: Tensor) -> Tensor:
        """Map integers (...) to rows (..., embedding_dim)."""
        x = as_tensor(x)
        if not x.type.dtype.is_integer:
            raise DTypeError(
                f"Embedding reads integers, as positions in its table; got {x.type}",
                where=here(),
                advice='Pass an array of integers, or x.astype("int64") of one that holds them',
            )
        rows = apply("gather", self.weight, x, axis=0)
        if self.padding_idx is None:
            return rows
        is_padding = (x == self.padding_idx).reshape(*x.shape, 1)
        return where(is_padding, stop_gradient(rows), rows)

    def _row(self, padding_idx: int | None) -> int | None:
        if padding_idx is None:
            return None
        size = self.num_embeddings
        row = as_position("Embedding", "padding_idx", padding_idx)
        if not -size <= row < size:
            raise ConfigurationError(
                f"Embedding takes padding_idx from {-size} to {size - 1}, a row of its table; "
                f"got {padding_idx!r}"
            )
        return row % size


@dataclass(frozen=True)
class _ZeroRow:
    """What a rule draws, with zeros in one row."""

    rule: Initializer
    row: int

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        drawn = np.array(self.rule(shape, seed, path), np.float64)
        drawn[self.row] = 0
        return drawn
