"""RAdam: Adam that trusts its mean square only when it is a mean of enough gradients."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.eager import Tensor, maximum, where
from chainrule.optim.decay import penalized, shrinking
from chainrule.optim.kinds import Betas, Flag, NonNegative
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.rules import Rule, Slots, Updated

_LONG_ENOUGH = 5.0  # The paper has 4; torch and the authors' code have 5.


@OPTIMIZERS.register("RAdam")
@dataclass(eq=False, repr=False)
class RAdam(Optimizer):
    """Adam with a warm-up that follows from the variance of its own divisor.

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
    decoupled_weight_decay : bool
        Let the weights shrink by η·λ of themselves instead, as in `AdamW`.
    groups, clip_norm, clip_value, max_norm, maximize
        As for every `Optimizer`.

    Notes
    -----
    With the gradient g of w, in update t = 1, 2, ...   [Liu et al. 2020, alg. 2]::

        g ← g + λ·w,  or  w ← (1 - η·λ)·w
        m ← β₁·m + (1 - β₁)·g            m̂ = m / (1 - β₁ᵗ)
        v ← β₂·v + (1 - β₂)·g²
        ρ∞ = 2 / (1 - β₂) - 1            ρ = ρ∞ - 2·t·β₂ᵗ / (1 - β₂ᵗ)
        r = √((ρ - 4)·(ρ - 2)·ρ∞ / ((ρ∞ - 4)·(ρ∞ - 2)·ρ))
        w ← w - η·r·m̂·√(1 - β₂ᵗ) / (√v + ε)    where ρ > 5
        w ← w - η·m̂                            elsewhere

    ρ says of how many gradients v is a mean: where it is of few, its root is no divisor to rely
    on. m and v are the slots ``exp_avg`` and ``exp_avg_sq``. As in torch, ε is not corrected for
    the bias, other than in `Adam`.
    """

    lr: NonNegative = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    decoupled_weight_decay: Flag = False

    def initial_slots(self) -> dict[str, float]:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def rule(self, t: Tensor, lr: Tensor) -> Rule:
        beta1, beta2 = self.betas
        n = t.astype("float64") + 1
        step = lr / (1 - beta1**n)
        length = 2 / (1 - beta2) - 1
        rho = length - 2 * n * beta2**n / (1 - beta2**n)
        shrink = shrinking(lr, self.weight_decay if self.decoupled_weight_decay else 0.0)
        penalty = 0.0 if self.decoupled_weight_decay else self.weight_decay

        def update(w: Tensor, g: Tensor, slots: Slots) -> Updated:
            g = penalized(g, w, penalty)
            m = beta1 * slots["exp_avg"] + (1 - beta1) * g
            v = beta2 * slots["exp_avg_sq"] + (1 - beta2) * g.square()
            move = step.astype(w.dtype) * m
            if length > _LONG_ENOUGH:
                scale = (_rectified(rho, length) * (1 - beta2**n).sqrt()).astype(w.dtype)
                move = where(rho > _LONG_ENOUGH, move * scale / (v.sqrt() + self.eps), move)
            return shrink(w) - move, {"exp_avg": m, "exp_avg_sq": v}

        return update


def _rectified(rho: Tensor, length: float) -> Tensor:
    """The factor r; a ρ that is too small, where r is not used, gives a number all the same."""
    rho = maximum(rho, _LONG_ENOUGH)
    return ((rho - 4) * (rho - 2) * length / ((length - 4) * (length - 2) * rho)).sqrt()
