"""What random layers draw from in training: the same numbers for an example wherever it stands."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.base.errors import ShapeError
from chainrule.eager import Tensor, apply, here
from chainrule.eager.tracing import current_scope
from chainrule.graph import DType, format_shape
from chainrule.nn.mode import training_mode


def uniform_like(layer: str, x: Tensor, shape: Sequence[int] | None = None) -> Tensor | None:
    """Uniform numbers from [0, 1) for each example of x; None when evaluating.

    Parameters
    ----------
    layer : str
        Who draws, for errors.
    x : Tensor of shape (B, ...)
    shape : sequence of int, optional
        The shape drawn for each example; by default that of an example.

    Returns
    -------
    Tensor of shape (B, *shape), or None
        In float32 whatever x is: what an f32 and an f64 run draw is the same.

    Raises
    ------
    ShapeError
        If the first axis of x is not the batch.
    """
    mode = training_mode()
    if mode is None:
        return None
    if not x.ndim:
        raise ShapeError(f"{layer} takes examples along the first axis; got a scalar")
    rows = mode.rows_of(int(x.shape[0]))
    if len(rows) != x.shape[0]:
        raise ShapeError(
            f"{layer} got x of shape {format_shape(x.shape)} in training on {len(rows)} rows: "
            "its first axis is not the batch",
            where=here(),
        )
    return apply(
        "uniform",
        mode.seed,
        mode.step,
        rows,
        shape=tuple(map(int, x.shape[1:] if shape is None else shape)),
        stream=current_scope() or "dropout",
        dtype=DType.F32,
    )


def kept_like(layer: str, p: float, x: Tensor, shape: Sequence[int] | None = None) -> Tensor | None:
    """Which elements of x are kept, as 1 or 0, each dropped with probability p; None if all are.

    Parameters
    ----------
    layer, x, shape
        As for `uniform_like`.
    p : float
    """
    u = None if p == 0 else uniform_like(layer, x, shape)
    return None if u is None else (u >= p).astype(x.dtype if x.type.dtype.is_float else "float32")
