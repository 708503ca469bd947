"""SGD: stochastic gradient descent, with momentum."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.base.errors import ConfigurationError
from chainrule.eager import Tensor, where
from chainrule.optim.decay import penalized
from chainrule.optim.kinds import Flag, NonNegative, Real
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.rules import Rule, Slots, Updated


@OPTIMIZERS.register("SGD")
@dataclass(eq=False, repr=False)
class SGD(Optimizer):
    """Stochastic gradient descent: each parameter goes a step against its gradient.

    Parameters
    ----------
    lr : float
        Learning rate η, ≥ 0.
    momentum : float
        μ ≥ 0: how much of the last step's direction is kept.
    dampening : float
        τ: how much less of the gradient enters the direction; of use with momentum only.
    weight_decay : float
        λ ≥ 0: the factor of the L2 penalty ½λ‖w‖², whose gradient is added.
    nesterov : bool
        Look ahead along the direction; takes momentum > 0 and no dampening.
    groups, clip_norm, clip_value, max_norm, maximize
        As for every `Optimizer`.

    Notes
    -----
    With the gradient g of w::

        g ← g + λ·w
        b ← μ·b + (1 - τ)·g      b = g in the first update      [Polyak 1964]
        g ← g + μ·b  (nesterov)  or  g ← b                       [Sutskever et al. 2013, eq. 3, 4]
        w ← w - η·g                                              [Robbins and Monro 1951]

    As in torch, η stands outside of b, where the papers have it inside: changing η then changes
    the very next step. b is the slot ``momentum_buffer``, kept where momentum is not 0.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.eager import Tensor
    >>> w, d_w = {"w": Tensor([1.0, 2.0])}, {"w": Tensor([10.0, -10.0])}
    >>> new, _ = SGD(lr=0.1).apply(w, d_w, {}, t=0, lr=0.1)
    >>> new["w"].numpy().tolist()
    [0.0, 3.0]
    """

    lr: NonNegative = 1e-3
    momentum: NonNegative = 0.0
    dampening: Real = 0.0
    weight_decay: NonNegative = 0.0
    nesterov: Flag = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and (not self.momentum or self.dampening):
            raise ConfigurationError(
                "SGD takes nesterov=True with momentum > 0 and dampening = 0; got "
                f"momentum={self.momentum!r}, dampening={self.dampening!r}"
            )

    def initial_slots(self) -> dict[str, float]:
        return {"momentum_buffer": 0.0} if self.momentum else {}

    def rule(self, t: Tensor, lr: Tensor) -> Rule:
        is_first = t == 0

        def update(w: Tensor, g: Tensor, slots: Slots) -> Updated:
            g = penalized(g, w, self.weight_decay)
            kept = {}
            if self.momentum:
                b = kept["momentum_buffer"] = self._accumulate(
                    slots["momentum_buffer"], g, is_first
                )
                g = g + self.momentum * b if self.nesterov else b
            return w - lr.astype(w.dtype) * g, kept

        return update

    def _accumulate(self, b: Tensor, g: Tensor, is_first: Tensor) -> Tensor:
        if not self.dampening:
            return self.momentum * b + g  # b starts at 0, so the first update is no case apart
        return where(is_first, g, self.momentum * b + (1 - self.dampening) * g)
