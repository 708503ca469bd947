"""Adadelta: steps of the size that recent steps had, with no learning rate to choose."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.eager import Tensor
from chainrule.optim.decay import penalized
from chainrule.optim.kinds import Fraction, NonNegative
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.rules import Rule, Slots, Updated


@OPTIMIZERS.register("Adadelta")
@dataclass(eq=False, repr=False)
class Adadelta(Optimizer):
    """Adadelta: the gradient, in units of its recent size, times the recent size of the steps.

    Parameters
    ----------
    lr : float
        A factor η ≥ 0 of the step, which the method itself has at 1.
    rho : float
        ρ in [0, 1): how much of both means is kept.
    eps : float
        ε ≥ 0: lets the first step be taken. The steps start at about its root.
    weight_decay : float
        λ ≥ 0: the factor of the L2 penalty ½λ‖w‖², whose gradient is added.
    groups, clip_norm, clip_value, max_norm, maximize
        As for every `Optimizer`.

    Notes
    -----
    With the gradient g of w   [Zeiler 2012, alg. 1]::

        g ← g + λ·w
        v ← ρ·v + (1 - ρ)·g²
        Δ = √(u + ε) / √(v + ε) · g
        u ← ρ·u + (1 - ρ)·Δ²
        w ← w - η·Δ

    v and u are the slots ``square_avg`` and ``acc_delta``.
    """

    lr: NonNegative = 1.0
    rho: Fraction = 0.9
    eps: NonNegative = 1e-6
    weight_decay: NonNegative = 0.0

    def initial_slots(self) -> dict[str, float]:
        return {"square_avg": 0.0, "acc_delta": 0.0}

    def rule(self, t: Tensor, lr: Tensor) -> Rule:
        rho = self.rho

        def update(w: Tensor, g: Tensor, slots: Slots) -> Updated:
            g = penalized(g, w, self.weight_decay)
            v = rho * slots["square_avg"] + (1 - rho) * g.square()
            step = (slots["acc_delta"] + self.eps).sqrt() / (v + self.eps).sqrt() * g
            u = rho * slots["acc_delta"] + (1 - rho) * step.square()
            return w - lr.astype(w.dtype) * step, {"square_avg": v, "acc_delta": u}

        return update
