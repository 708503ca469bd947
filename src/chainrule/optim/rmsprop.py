"""RMSprop: steps divided by the root of a running mean of the squared gradient."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.eager import Tensor, maximum
from chainrule.optim.decay import penalized
from chainrule.optim.kinds import Flag, Fraction, NonNegative
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.rules import Rule, Slots, Updated


@OPTIMIZERS.register("RMSprop")
@dataclass(eq=False, repr=False)
class RMSprop(Optimizer):
    """RMSprop: each element's gradient is divided by its recent size.

    Parameters
    ----------
    lr : float
        Learning rate η, ≥ 0.
    alpha : float
        α in [0, 1): how much of the means is kept.
    eps : float
        ε ≥ 0: keeps the divisor from being 0.
    weight_decay : float
        λ ≥ 0: the factor of the L2 penalty ½λ‖w‖², whose gradient is added.
    momentum : float
        μ ≥ 0: how much of the last step's direction is kept.
    centered : bool
        Divide by the gradient's deviation from its own mean.
    groups, clip_norm, clip_value, max_norm, maximize
        As for every `Optimizer`.

    Notes
    -----
    With the gradient g of w::

        g ← g + λ·w
        v ← α·v + (1 - α)·g²
        d = √v + ε                                   [Tieleman and Hinton 2012, slide 29]
        a ← α·a + (1 - α)·g,  d = √(v - a²) + ε      (centered)    [Graves 2013, eq. 38 to 41]
        b ← μ·b + g/d                                (momentum)
        w ← w - η·b,  or  w - η·g/d without momentum

    v, a and b are the slots ``square_avg``, ``grad_avg`` and ``momentum_buffer``; the latter two
    are kept where they are used. As in torch, ε stands outside of the root, and η outside of b;
    Graves has both inside. Where rounding makes v - a² negative it counts as 0 (in torch the root
    is NaN then).
    """

    lr: NonNegative = 1e-2
    alpha: Fraction = 0.99
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    momentum: NonNegative = 0.0
    centered: Flag = False

    def initial_slots(self) -> dict[str, float]:
        slots = {"square_avg": 0.0}
        if self.momentum:
            slots["momentum_buffer"] = 0.0
        if self.centered:
            slots["grad_avg"] = 0.0
        return slots

    def rule(self, t: Tensor, lr: Tensor) -> Rule:
        alpha = self.alpha

        def update(w: Tensor, g: Tensor, slots: Slots) -> Updated:
            g = penalized(g, w, self.weight_decay)
            v = alpha * slots["square_avg"] + (1 - alpha) * g.square()
            kept = {"square_avg": v}
            if self.centered:
                a = kept["grad_avg"] = alpha * slots["grad_avg"] + (1 - alpha) * g
                v = maximum(v - a.square(), 0.0)
            b = g / (v.sqrt() + self.eps)
            if self.momentum:
                b = kept["momentum_buffer"] = self.momentum * slots["momentum_buffer"] + b
            return w - lr.astype(w.dtype) * b, kept

        return update
