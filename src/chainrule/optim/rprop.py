"""Rprop: steps whose size follows the gradient's sign alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from chainrule.base.errors import ConfigurationError
from chainrule.eager import Tensor, maximum, minimum, where
from chainrule.optim.kinds import NonNegative, Number, Row
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.rules import Rule, Slots, Updated

_Etas = Annotated[
    tuple[float, float],
    Row((Number(low=0, high=1, open_low=True, open_high=True), Number(low=1, open_low=True))),
]
_Steps = Annotated[tuple[float, float], Row((Number(low=0, open_low=True),) * 2)]


@OPTIMIZERS.register("Rprop")
@dataclass(eq=False, repr=False)
class Rprop(Optimizer):
    """Resilient backpropagation: each element's step grows until the gradient changes its sign.

    Made for the gradient of all examples: with batches the signs are those of chance.

    Parameters
    ----------
    lr : float
        Size η ≥ 0 of the first step. Later ones have sizes of their own, so a schedule has no
        effect after the first update.
    etas : pair of float
        η⁻ in (0, 1) and η⁺ > 1: what a step is multiplied by when the gradient's sign has
        changed, and when it has not.
    step_sizes : pair of float
        The smallest and the largest step, > 0.
    groups, clip_norm, clip_value, max_norm, maximize
        As for every `Optimizer`.

    Notes
    -----
    With the gradient g of w and that of the update before, g′ (at first 0)   [Riedmiller and
    Braun 1993; the form without backtracking, Igel and Hüsken 2000, alg. iRprop⁻]::

        Δ ← min(Δ·η⁺, Δmax)   where g·g′ > 0
        Δ ← max(Δ·η⁻, Δmin)   where g·g′ < 0, and g ← 0 there
        w ← w - sign(g)·Δ

    g′ and Δ are the slots ``prev`` and ``step_size``; a Δ of 0 has not begun, and is taken for η.
    """

    lr: NonNegative = 1e-2
    etas: _Etas = (0.5, 1.2)
    step_sizes: _Steps = (1e-6, 50.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        smallest, largest = self.step_sizes
        if smallest > largest:
            raise ConfigurationError(
                f"Rprop takes step_sizes as the smallest and the largest; got {self.step_sizes!r}"
            )

    def initial_slots(self) -> dict[str, float]:
        return {"prev": 0.0, "step_size": 0.0}

    def rule(self, t: Tensor, lr: Tensor) -> Rule:
        shrink, grow = self.etas
        smallest, largest = self.step_sizes

        def update(w: Tensor, g: Tensor, slots: Slots) -> Updated:
            # The product of the signs: that of tiny gradients themselves would vanish.
            agreement = g.sign() * slots["prev"].sign()
            has_turned = agreement < 0
            before = slots["step_size"]
            step = where(before == 0, lr.astype(w.dtype), before)
            step = where(agreement > 0, step * grow, where(has_turned, step * shrink, step))
            step = minimum(maximum(step, smallest), largest)
            g = where(has_turned, 0.0, g)
            return w - g.sign() * step, {"prev": g, "step_size": step}

        return update
