"""Lion: steps of one size, in the direction of a mean gradient's signs."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.eager import Tensor
from chainrule.optim.decay import shrinking
from chainrule.optim.kinds import Betas, NonNegative
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.rules import Rule, Slots, Updated


@OPTIMIZERS.register("Lion")
@dataclass(eq=False, repr=False)
class Lion(Optimizer):
    """Evolved sign momentum: every element goes exactly the learning rate, one way or the other.

    Steps are larger than Adam's, so the authors advise a learning rate of a third to a tenth of
    Adam's, and a weight decay as many times larger.

    Parameters
    ----------
    lr : float
        Learning rate η, ≥ 0.
    betas : pair of float
        β₁ and β₂ in [0, 1): how much of the mean counts in the direction, and how much is kept.
    weight_decay : float
        λ ≥ 0: how much of itself a weight loses in each update, times the learning rate.
    groups, clip_norm, clip_value, max_norm, maximize
        As for every `Optimizer`; weights shrink all the same where it ascends.

    Notes
    -----
    With the gradient g of w   [Chen et al. 2023, alg. 2]::

        w ← w - η·(sign(β₁·m + (1 - β₁)·g) + λ·w)
        m ← β₂·m + (1 - β₂)·g

    m is the slot ``exp_avg``. sign(0) = 0.
    """

    lr: NonNegative = 1e-4
    betas: Betas = (0.9, 0.99)
    weight_decay: NonNegative = 0.0

    def initial_slots(self) -> dict[str, float]:
        return {"exp_avg": 0.0}

    def rule(self, t: Tensor, lr: Tensor) -> Rule:
        beta1, beta2 = self.betas
        shrink = shrinking(lr, self.weight_decay)

        def update(w: Tensor, g: Tensor, slots: Slots) -> Updated:
            m = slots["exp_avg"]
            direction = (beta1 * m + (1 - beta1) * g).sign()
            w = shrink(w) - lr.astype(w.dtype) * direction
            return w, {"exp_avg": beta2 * m + (1 - beta2) * g}

        return update
