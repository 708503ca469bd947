"""NAdam: Adam that looks ahead along its mean, as Nesterov's momentum does."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.eager import Tensor
from chainrule.optim.decay import penalized, shrinking
from chainrule.optim.kinds import Betas, Flag, NonNegative
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.rules import Rule, Slots, Updated
from chainrule.optim.slots import InitialSlots, Scalar


@OPTIMIZERS.register("NAdam")
@dataclass(eq=False, repr=False)
class NAdam(Optimizer):
    """Adam whose step takes the next update's part of the mean in advance.

    Parameters
    ----------
    lr : float
        Learning rate η, ≥ 0.
    betas : pair of float
        β₁ and β₂ in [0, 1): how much of the means of gradient and squared gradient is kept.
    eps : float
        ε ≥ 0: keeps the divisor from being 0.
    weight_decay : float
        λ ≥ 0: the factor of the L2 penalty ½λ‖w‖², whose gradient is added.
    momentum_decay : float
        ψ ≥ 0: how fast the momentum grows from β₁/2 to β₁.
    decoupled_weight_decay : bool
        Let the weights shrink by η·λ of themselves instead, as in `AdamW`.
    groups, clip_norm, clip_value, max_norm, maximize
        As for every `Optimizer`.

    Notes
    -----
    With the gradient g of w, in update t = 1, 2, ...   [Dozat 2016, alg. 2]::

        g ← g + λ·w,  or  w ← (1 - η·λ)·w
        μₜ = β₁·(1 - ½·0.96^(t·ψ))       Πₜ = μ₁·μ₂···μₜ
        m ← β₁·m + (1 - β₁)·g
        v ← β₂·v + (1 - β₂)·g²           v̂ = v / (1 - β₂ᵗ)
        w ← w - η·[(1 - μₜ)/(1 - Πₜ)·g + μₜ₊₁/(1 - Πₜ₊₁)·m] / (√v̂ + ε)

    m, v and Π are the slots ``exp_avg``, ``exp_avg_sq`` and ``mu_product``; Π is one float64.
    """

    lr: NonNegative = 2e-3
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    momentum_decay: NonNegative = 4e-3
    decoupled_weight_decay: Flag = False

    def initial_slots(self) -> InitialSlots:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0, "mu_product": Scalar(1.0)}

    def rule(self, t: Tensor, lr: Tensor) -> Rule:
        beta1, beta2 = self.betas
        n = t.astype("float64") + 1
        root = (1 - beta2**n).sqrt()
        mu, mu_next = self._momentum(n), self._momentum(n + 1)
        shrink = shrinking(lr, self.weight_decay if self.decoupled_weight_decay else 0.0)
        penalty = 0.0 if self.decoupled_weight_decay else self.weight_decay

        def update(w: Tensor, g: Tensor, slots: Slots) -> Updated:
            g = penalized(g, w, penalty)
            m = beta1 * slots["exp_avg"] + (1 - beta1) * g
            v = beta2 * slots["exp_avg_sq"] + (1 - beta2) * g.square()
            product = slots["mu_product"] * mu
            now = lr * (1 - mu) / (1 - product)
            ahead = lr * mu_next / (1 - product * mu_next)
            divisor = v.sqrt() / root.astype(w.dtype) + self.eps
            step = (now.astype(w.dtype) * g + ahead.astype(w.dtype) * m) / divisor
            kept = {"exp_avg": m, "exp_avg_sq": v, "mu_product": product}
            return shrink(w) - step, kept

        return update

    def _momentum(self, n: Tensor) -> Tensor:
        return self.betas[0] * (1 - 0.5 * 0.96 ** (n * self.momentum_decay))
