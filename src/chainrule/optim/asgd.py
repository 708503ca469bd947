"""ASGD: gradient descent that keeps the mean of all the weights it has passed."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.eager import Tensor, maximum, where
from chainrule.optim.decay import penalized
from chainrule.optim.kinds import NonNegative, Real
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.rules import Rule, Slots, Updated


@OPTIMIZERS.register("ASGD")
@dataclass(eq=False, repr=False)
class ASGD(Optimizer):
    """Averaged stochastic gradient descent.

    Parameters
    ----------
    lr : float
        Learning rate η, ≥ 0.
    lambd : float
        ℓ ≥ 0: how much of itself a weight loses in each update, times the rate; also how fast
        the rate falls.
    alpha : float
        The power with which the rate falls.
    t0 : float
        The number of updates after which averaging begins.
    weight_decay : float
        λ ≥ 0: the factor of the L2 penalty ½λ‖w‖², whose gradient is added.
    groups, clip_norm, clip_value, max_norm, maximize
        As for every `Optimizer`.

    Notes
    -----
    With the gradient g of w, in update t = 1, 2, ...   [Polyak and Juditsky 1992; Bottou 2010,
    §5]::

        ηₜ = η / (1 + ℓ·η·(t - 1))^alpha
        g ← g + λ·w
        w ← (1 - ℓ·ηₜ)·w - ηₜ·g
        a ← a + (w - a) / max(1, t - 1 - t₀)

    a, the slot ``ax``, is the mean; nothing uses it but whoever reads the state. A rate that a
    schedule changes holds in the same update, where torch's holds in the next.
    """

    lr: NonNegative = 1e-2
    lambd: NonNegative = 1e-4
    alpha: Real = 0.75
    t0: Real = 1e6
    weight_decay: NonNegative = 0.0

    def initial_slots(self) -> dict[str, float]:
        return {"ax": 0.0}

    def rule(self, t: Tensor, lr: Tensor) -> Rule:
        n = t.astype("float64")
        rate = lr / (1 + self.lambd * lr * n) ** self.alpha
        keep = 1 - self.lambd * rate
        is_averaging = n - self.t0 > 1
        weight = 1 / maximum(n - self.t0, 1.0)

        def update(w: Tensor, g: Tensor, slots: Slots) -> Updated:
            g = penalized(g, w, self.weight_decay)
            w = keep.astype(w.dtype) * w - rate.astype(w.dtype) * g
            a = slots["ax"]
            a = where(is_averaging, a + (w - a) * weight.astype(w.dtype), w)
            return w, {"ax": a}

        return update
