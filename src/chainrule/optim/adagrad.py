"""Adagrad: steps divided by the root of the sum of all squared gradients."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.eager import Tensor
from chainrule.optim.decay import penalized
from chainrule.optim.kinds import NonNegative
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.rules import Rule, Slots, Updated


@OPTIMIZERS.register("Adagrad")
@dataclass(eq=False, repr=False)
class Adagrad(Optimizer):
    """Adagrad: elements that have moved much move less and less.

    Parameters
    ----------
    lr : float
        Learning rate η, ≥ 0.
    lr_decay : float
        δ ≥ 0: lets η fall with the number of updates, too.
    weight_decay : float
        λ ≥ 0: the factor of the L2 penalty ½λ‖w‖², whose gradient is added.
    initial_accumulator_value : float
        What the sums start at, ≥ 0: larger values make the first steps smaller.
    eps : float
        ε ≥ 0: keeps the divisor from being 0.
    groups, clip_norm, clip_value, max_norm, maximize
        As for every `Optimizer`.

    Notes
    -----
    With the gradient g of w, in update t = 1, 2, ...   [Duchi, Hazan and Singer 2011, §1.1]::

        g ← g + λ·w
        s ← s + g²
        w ← w - η / (1 + (t - 1)·δ) · g / (√s + ε)

    s is the slot ``sum``. δ is torch's addition.
    """

    lr: NonNegative = 1e-2
    lr_decay: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    initial_accumulator_value: NonNegative = 0.0
    eps: NonNegative = 1e-10

    def initial_slots(self) -> dict[str, float]:
        return {"sum": self.initial_accumulator_value}

    def rule(self, t: Tensor, lr: Tensor) -> Rule:
        if self.lr_decay:
            lr = lr / (1 + t.astype("float64") * self.lr_decay)

        def update(w: Tensor, g: Tensor, slots: Slots) -> Updated:
            g = penalized(g, w, self.weight_decay)
            s = slots["sum"] + g.square()
            return w - lr.astype(w.dtype) * (g / (s.sqrt() + self.eps)), {"sum": s}

        return update
