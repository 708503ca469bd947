"""Dropout: forget at random, the same for an example wherever it stands."""

from __future__ import annotations

from chainrule.eager import Tensor, as_tensor
from chainrule.nn.arguments import as_number
from chainrule.nn.module import LAYERS, Module
from chainrule.nn.randomness import kept_like


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
        kept = kept_like("Dropout", self.p, x)
        if kept is None:
            return x
        scale = 0.0 if self.p == 1 else 1 / (1 - self.p)
        return x * (kept * scale)
