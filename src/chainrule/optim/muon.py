"""Muon: matrices go a step of the same size in every direction their momentum has."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from chainrule.eager import Tensor, maximum
from chainrule.optim.clipping import sum_of_squares
from chainrule.optim.decay import shrinking
from chainrule.optim.kinds import Choice, Flag, Fraction, Maybe, NonNegative, Number, Row, Whole
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.rules import Rule, Slots, Updated

_Triple = Annotated[tuple[float, float, float], Row((Number(),) * 3)]
_Steps = Annotated[int, Whole(at_least=0, at_most=99)]
_Adjustment = Annotated[
    Literal["original", "match_rms_adamw"] | None, Maybe(Choice(("original", "match_rms_adamw")))
]


@OPTIMIZERS.register("Muon")
@dataclass(eq=False, repr=False)
class Muon(Optimizer):
    """Momentum whose singular values are all brought near 1; for matrices only.

    Biases, convolutions and the like are given another optimiser:
    ``Muon(lr=0.02, groups={"*.bias": AdamW(lr=3e-4)})``. The authors use one for the first and
    the last layer, too.

    Parameters
    ----------
    lr : float
        Learning rate η, ≥ 0.
    weight_decay : float
        λ ≥ 0: how much of itself a weight loses in each update, times the learning rate.
    momentum : float
        μ in [0, 1): how much of the mean gradient is kept.
    nesterov : bool
        Look ahead along the mean.
    ns_coefficients : three floats
        a, b and c of the iteration.
    eps : float
        ε ≥ 0: the smallest norm that is divided by.
    ns_steps : int
        How many iterations there are, from 0 to 99.
    adjust_lr_fn : {"original", "match_rms_adamw"}, optional
        How η depends on the shape; "original" by default.
    groups, clip_norm, clip_value, max_norm, maximize
        As for every `Optimizer`; weights shrink all the same where it ascends.

    Notes
    -----
    With the gradient g of the (A, B) matrix w   [Jordan et al. 2024]::

        m ← μ·m + (1 - μ)·g
        d = μ·m + (1 - μ)·g  (nesterov)  or  m
        X = d / max(‖d‖, ε)                            with A ≤ B, else transposed before and after
        X ← a·X + (b·G + c·G²)·X,  G = X·Xᵀ            ns_steps times
        w ← (1 - η·λ)·w - η·s·X

    With s = √max(1, A/B), or 0.2·√max(A, B) to match Adam's steps   [Liu et al. 2025, eq. 4]. Each
    iteration applies the odd polynomial a·σ + b·σ³ + c·σ⁵ to the singular values σ of X
    (Newton–Schulz). The usual coefficients do not converge: they bring every σ that is not tiny
    to between 0.68 and 1.21, in five steps, which is enough.

    m is the slot ``momentum_buffer``. All is computed in the parameter's dtype, where torch
    iterates in bfloat16.
    """

    lr: NonNegative = 1e-3
    weight_decay: NonNegative = 0.1
    momentum: Fraction = 0.95
    nesterov: Flag = True
    ns_coefficients: _Triple = (3.4445, -4.775, 2.0315)
    eps: NonNegative = 1e-7
    ns_steps: _Steps = 5
    adjust_lr_fn: _Adjustment = None

    rank: ClassVar[int | None] = 2

    def initial_slots(self) -> dict[str, float]:
        return {"momentum_buffer": 0.0}

    def rule(self, t: Tensor, lr: Tensor) -> Rule:
        mu = self.momentum
        shrink = shrinking(lr, self.weight_decay)

        def update(w: Tensor, g: Tensor, slots: Slots) -> Updated:
            m = mu * slots["momentum_buffer"] + (1 - mu) * g
            direction = mu * m + (1 - mu) * g if self.nesterov else m
            step = lr * self._adjustment(*map(int, w.shape))
            w = shrink(w) - step.astype(w.dtype) * self._orthogonalize(direction)
            return w, {"momentum_buffer": m}

        return update

    def _orthogonalize(self, d: Tensor) -> Tensor:
        a, b, c = self.ns_coefficients
        is_tall = d.shape[0] > d.shape[1]  # the Gram matrix is that of the shorter side
        x = d.T if is_tall else d
        x = x / maximum(sum_of_squares(d).sqrt(), self.eps).astype(d.dtype)
        for _ in range(self.ns_steps):
            gram = x @ x.T
            x = a * x + (b * gram + c * (gram @ gram)) @ x
        return x.T if is_tall else x

    def _adjustment(self, rows: int, columns: int) -> float:
        if self.adjust_lr_fn == "match_rms_adamw":
            return 0.2 * math.sqrt(max(rows, columns))
        return math.sqrt(max(1.0, rows / columns))
