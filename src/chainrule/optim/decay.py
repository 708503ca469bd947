"""Weight decay, of both kinds: a penalty in the loss, or weights that shrink by themselves."""

from __future__ import annotations

from collections.abc import Callable

from chainrule.eager import Tensor


def penalized(g: Tensor, w: Tensor, weight_decay: float) -> Tensor:
    """The gradient with that of the L2 penalty ½λ‖w‖², which is λ·w.

    Parameters
    ----------
    g, w : Tensor
        Gradient and parameter.
    weight_decay : float
        λ; 0 adds nothing to the graph.
    """
    return g + weight_decay * w if weight_decay else g


def shrinking(lr: Tensor, weight_decay: float) -> Callable[[Tensor], Tensor]:
    """Return the map from w to (1 - η·λ)·w: decay apart from the gradient.

    Parameters
    ----------
    lr : Tensor
        η, float64[].
    weight_decay : float
        λ; 0 adds nothing to the graph.

    Notes
    -----
    Loshchilov and Hutter 2019, alg. 2. As in torch, a schedule scales the decay together with η.
    """
    if not weight_decay:
        return lambda w: w
    factor = 1 - lr * weight_decay
    return lambda w: factor.astype(w.dtype) * w
