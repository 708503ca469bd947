"""Adamax: Adam with the largest gradient in the place of the mean square."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.eager import Tensor, maximum
from chainrule.optim.decay import penalized
from chainrule.optim.kinds import Betas, NonNegative
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.rules import Rule, Slots, Updated


@OPTIMIZERS.register("Adamax")
@dataclass(eq=False, repr=False)
class Adamax(Optimizer):
    """Adamax: no element goes a longer step than the learning rate allows.

    Parameters
    ----------
    lr : float
        Learning rate η, ≥ 0.
    betas : pair of float
        β₁ and β₂ in [0, 1): how much is kept of the gradient's mean and of its largest size.
    eps : float
        ε ≥ 0: keeps the divisor from being 0.
    weight_decay : float
        λ ≥ 0: the factor of the L2 penalty ½λ‖w‖², whose gradient is added.
    groups, clip_norm, clip_value, max_norm, maximize
        As for every `Optimizer`.

    Notes
    -----
    With the gradient g of w, in update t = 1, 2, ...   [Kingma and Ba 2015, alg. 2]::

        g ← g + λ·w
        m ← β₁·m + (1 - β₁)·g
        u ← max(β₂·u, |g| + ε)
        w ← w - η / (1 - β₁ᵗ) · m / u

    m and u are the slots ``exp_avg`` and ``exp_inf``. ε is torch's addition; a norm that starts at
    0 and only takes the larger needs no correction.
    """

    lr: NonNegative = 2e-3
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0

    def initial_slots(self) -> dict[str, float]:
        return {"exp_avg": 0.0, "exp_inf": 0.0}

    def rule(self, t: Tensor, lr: Tensor) -> Rule:
        beta1, beta2 = self.betas
        step = lr / (1 - beta1 ** (t.astype("float64") + 1))

        def update(w: Tensor, g: Tensor, slots: Slots) -> Updated:
            g = penalized(g, w, self.weight_decay)
            m = beta1 * slots["exp_avg"] + (1 - beta1) * g
            u = maximum(beta2 * slots["exp_inf"], abs(g) + self.eps)
            return w - step.astype(w.dtype) * (m / u), {"exp_avg": m, "exp_inf": u}

        return update
