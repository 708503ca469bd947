"""Training and evaluation: two traces of one module.

Outside of `training` a module evaluates: dropout is the identity, batch norm uses its running
statistics. Inside, random layers draw from (seed, step, row).
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.base.random import seed_words
from chainrule.eager import Tensor, apply, as_tensor
from chainrule.graph import DType


@dataclass(frozen=True)
class TrainingMode:
    """What random layers draw from.

    Parameters
    ----------
    seed : Tensor
        u32[2].
    step : Tensor
        i64[]: how many updates were made before.
    rows : Tensor or None
        i64[B]: the examples' places in the data set. None: their places in the batch.
    """

    seed: Tensor
    step: Tensor
    rows: Tensor | None

    def rows_of(self, batch: int) -> Tensor:
        """The rows of a batch of this size."""
        if self.rows is not None:
            return self.rows
        return apply("iota", shape=(batch,), axis=0, dtype=DType.I64)


_MODE: ContextVar[TrainingMode | None] = ContextVar("training mode", default=None)


@contextmanager
def training(seed: Any = 0, step: Any = 0, rows: Any = None) -> Iterator[TrainingMode]:
    """Let modules that are called inside train.

    Parameters
    ----------
    seed : int or Tensor u32[2]
    step : int or Tensor i64[]
        The number of updates made before this one: it changes what is dropped.
    rows : int array of shape (B,), optional
        The examples' places in the data set, so that a mask belongs to an example and not to
        its place in a batch.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule import nn
    >>> dropout = nn.Dropout(0.5)
    >>> bool((dropout(np.ones((1, 4))).numpy() == 1).all())
    True
    >>> with nn.training(seed=0, step=7):
    ...     sorted(set(dropout(np.ones((1, 100))).numpy().ravel().tolist()))
    [0.0, 2.0]
    """
    mode = TrainingMode(
        seed if isinstance(seed, Tensor) else Tensor(seed_words(seed)),
        step if isinstance(step, Tensor) else Tensor(np.int64(operator.index(step))),
        None if rows is None else as_tensor(rows).astype("int64"),
    )
    token = _MODE.set(mode)
    try:
        yield mode
    finally:
        _MODE.reset(token)


@contextmanager
def evaluation() -> Iterator[None]:
    """Let modules that are called inside evaluate, even within `training`."""
    token = _MODE.set(None)
    try:
        yield
    finally:
        _MODE.reset(token)


def training_mode() -> TrainingMode | None:
    """The mode to draw from, or None when evaluating."""
    return _MODE.get()
