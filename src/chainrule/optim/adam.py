"""Adam: steps scaled by running means of the gradient and of its square."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.eager import Tensor, elementwise
from chainrule.optim.decay import penalized
from chainrule.optim.kinds import Betas, Flag, NonNegative
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.rules import Rule, Slots, Updated


@OPTIMIZERS.register("Adam")
@dataclass(eq=False, repr=False)
class Adam(Optimizer):
    """Adam: each element goes a step of about the learning rate, whatever its gradient's scale.

    Parameters
    ----------
    lr : float
        Learning rate η, ≥ 0.
    betas : pair of float
        β₁ and β₂ in [0, 1): how much of the means of gradient and squared gradient is kept.
    eps : float
        ε ≥ 0: keeps the divisor from being 0.
    weight_decay : float
        λ ≥ 0: the factor of the L2 penalty ½λ‖w‖², whose gradient is added. The step is scaled
        after that, so large gradients decay little; `AdamW` decays all alike.
    amsgrad : bool
        Divide by the largest mean square so far [Reddi, Kale and Kumar 2018, alg. 2].
    groups, clip_norm, clip_value, max_norm, maximize
        As for every `Optimizer`.

    Notes
    -----
    With the gradient g of w, in update t = 1, 2, ...   [Kingma and Ba 2015, alg. 1]::

        g ← g + λ·w
        m ← β₁·m + (1 - β₁)·g           m̂ = m / (1 - β₁ᵗ)
        v ← β₂·v + (1 - β₂)·g²          v̂ = v / (1 - β₂ᵗ)
        w ← w - η·m̂ / (√v̂ + ε)

    The divisors of m̂ and v̂ undo that both means start at 0. m and v are the slots ``exp_avg``
    and ``exp_avg_sq``. With amsgrad the largest v so far, ``max_exp_avg_sq``, stands in the place
    of v in v̂; that it is divided by 1 - β₂ᵗ too is torch's choice, the paper has no such divisor.

    Examples
    --------
    The first step has the size of the learning rate:

    >>> from chainrule.eager import Tensor
    >>> adam = Adam(lr=0.5)
    >>> w, d_w = {"w": Tensor([1.0, 2.0])}, {"w": Tensor([1e-3, -1e3])}
    >>> state = {key: Tensor(value) for key, value in adam.initial_state(w).items()}
    >>> new, state = adam.apply(w, d_w, state, t=0, lr=adam.lr)
    >>> new["w"].numpy().round(3).tolist(), sorted(state)
    ([0.5, 2.5], ['w:exp_avg', 'w:exp_avg_sq'])
    """

    lr: NonNegative = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    amsgrad: Flag = False

    def initial_slots(self) -> dict[str, float]:
        return moment_slots(self.amsgrad)

    def rule(self, t: Tensor, lr: Tensor) -> Rule:
        descend = moment_rule(t, lr, betas=self.betas, eps=self.eps, amsgrad=self.amsgrad)

        def update(w: Tensor, g: Tensor, slots: Slots) -> Updated:
            return descend(w, penalized(g, w, self.weight_decay), slots)

        return update


def moment_slots(amsgrad: bool) -> dict[str, float]:
    """The slots of `moment_rule`."""
    slots = {"exp_avg": 0.0, "exp_avg_sq": 0.0}
    return slots | {"max_exp_avg_sq": 0.0} if amsgrad else slots


def moment_rule(
    t: Tensor, lr: Tensor, *, betas: tuple[float, float], eps: float, amsgrad: bool
) -> Rule:
    """Adam's rule without weight decay.

    Parameters
    ----------
    t : Tensor
        int64[]: the number of updates done before this one.
    lr : Tensor
        float64[].
    betas : pair of float
    eps : float
    amsgrad : bool
    """
    beta1, beta2 = betas
    n = t.astype("float64") + 1
    # η·m̂ = (η / (1 - β₁ᵗ))·m and √v̂ = √v / √(1 - β₂ᵗ): scalars, in float64.
    step = lr / (1 - beta1**n)
    root = (1 - beta2**n).sqrt()

    def descend(w: Tensor, g: Tensor, slots: Slots) -> Updated:
        m = beta1 * slots["exp_avg"] + (1 - beta1) * g
        v = beta2 * slots["exp_avg_sq"] + (1 - beta2) * g.square()
        kept = {"exp_avg": m, "exp_avg_sq": v}
        if amsgrad:
            v = kept["max_exp_avg_sq"] = elementwise("max", slots["max_exp_avg_sq"], v)
        divisor = v.sqrt() / root.astype(w.dtype) + eps
        return w - step.astype(w.dtype) * (m / divisor), kept

    return descend
