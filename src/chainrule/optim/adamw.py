"""AdamW: Adam whose weight decay is a step of its own."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.eager import Tensor
from chainrule.optim.adam import moment_rule, moment_slots
from chainrule.optim.decay import shrinking
from chainrule.optim.kinds import Betas, Flag, NonNegative
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.rules import Rule, Slots, Updated


@OPTIMIZERS.register("AdamW")
@dataclass(eq=False, repr=False)
class AdamW(Optimizer):
    """Adam with decoupled weight decay: all weights shrink alike, whatever their gradients.

    Parameters
    ----------
    lr : float
        Learning rate η, ≥ 0.
    betas : pair of float
        β₁ and β₂ in [0, 1): how much of the means of gradient and squared gradient is kept.
    eps : float
        ε ≥ 0: keeps the divisor from being 0.
    weight_decay : float
        λ ≥ 0: how much of itself a weight loses in each update, times the learning rate.
    amsgrad : bool
        Divide by the largest mean square so far, as in `Adam`.
    groups, clip_norm, clip_value, max_norm, maximize
        As for every `Optimizer`; weights shrink all the same where it ascends.

    Notes
    -----
    ::

        w ← (1 - η·λ)·w                          [Loshchilov and Hutter 2019, alg. 2]
        w ← w - η·m̂ / (√v̂ + ε)                   as in `Adam`, of the gradient alone

    As in torch, a schedule scales the decay together with η.
    """

    lr: NonNegative = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 1e-2
    amsgrad: Flag = False

    def initial_slots(self) -> dict[str, float]:
        return moment_slots(self.amsgrad)

    def rule(self, t: Tensor, lr: Tensor) -> Rule:
        descend = moment_rule(t, lr, betas=self.betas, eps=self.eps, amsgrad=self.amsgrad)
        shrink = shrinking(lr, self.weight_decay)

        def update(w: Tensor, g: Tensor, slots: Slots) -> Updated:
            return descend(shrink(w), g, slots)

        return update
