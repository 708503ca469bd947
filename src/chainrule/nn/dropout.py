"""Dropout: forget at random, the same for an example wherever it stands."""

from __future__ import annotations

from chainrule.base.errors import ShapeError
from chainrule.eager import Tensor, apply, as_tensor, here
from chainrule.eager.tracing import current_scope
from chainrule.graph import DType, format_shape
from chainrule.nn.arguments import as_number
from chainrule.nn.mode import training_mode
from chainrule.nn.module import LAYERS, Module


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
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = as_number("Dropout", "p", p, 0, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements of x, of shape (B, ...)."""
        x = as_tensor(x)
        mode = training_mode()
        if mode is None or self.p == 0:
            return x
        if not x.ndim:
            raise ShapeError("Dropout takes examples along the first axis; got a scalar")
        rows = mode.rows_of(int(x.shape[0]))
        if len(rows) != x.shape[0]:
            raise ShapeError(
                f"Dropout got x of shape {format_shape(x.shape)} in training on {len(rows)} rows: "
                "its first axis is not the batch",
                where=here(),
            )
        # float32 draws whatever x is: the masks of an f32 and an f64 run are the same.
        u = apply(
            "uniform",
            mode.seed,
            mode.step,
            rows,
            shape=tuple(map(int, x.shape[1:])),
            stream=current_scope() or "dropout",
            dtype=DType.F32,
        )
        keep = (u >= self.p).astype(x.dtype if x.type.dtype.is_float else "float32")
        scale = 0.0 if self.p == 1 else 1 / (1 - self.p)
        return x * (keep * scale)
