"""Losses of several outputs that are compared with each other: pairs and triplets."""

from __future__ import annotations

from abc import ABC
from typing import Any

from chainrule.base.errors import ShapeError
from chainrule.eager import Tensor, elementwise, here, minimum, norm
from chainrule.eager.tensor import Array
from chainrule.graph import format_shape
from chainrule.nn.agreement import check_same_shape, several_outputs
from chainrule.nn.arguments import as_number, as_positive
from chainrule.nn.losses.loss import LOSSES, Loss, per_example
from chainrule.nn.losses.options import as_truth
from chainrule.nn.losses.targets import check_signs

_LEAST_SQUARE = 1e-12


class PairLoss(Loss, ABC):
    """A loss of two outputs beside targets -1 and +1."""

    outputs = "several"
    targets = "signs"

    def check_target(self, target: Array, width: int | None) -> None:
        check_signs(self.made_by, target)


@LOSSES.register("CosineEmbeddingLoss")
class CosineEmbeddingLoss(PairLoss):
    """lᵢ = 1 - cos(x1, x2) where t = 1, and max(0, cos(x1, x2) - margin) where t = -1.

    The network returns a tuple of two outputs (x1, x2), each [B, D], and targets [B] say whether
    they are alike. At the kink cos = margin the slope is that of the cosine, as in torch.

    Parameters
    ----------
    margin : float
        From -1 to 1: below which cosine what is not alike costs nothing.

    Notes
    -----
    cos is x1·x2 / √((|x1|²+10⁻¹²)·(|x2|²+10⁻¹²)), as in torch: of a vector of zeros it is 0.

    Examples
    --------
    >>> from chainrule import nn
    >>> x1, x2 = [[3.0, 4.0], [1.0, 0.0]], [[4.0, 3.0], [1.0, 1.0]]
    >>> nn.CosineEmbeddingLoss()((x1, x2), [1, -1]).numpy().round(4).tolist()
    [0.04, 0.7071]
    """

    def __init__(self, margin: float = 0.0) -> None:
        self.margin = as_number("CosineEmbeddingLoss", "margin", margin, low=-1, high=1)

    def forward(self, output: Any, target: Tensor) -> Tensor:
        """Costs [B] of (x1, x2)."""
        a, b = several_outputs("CosineEmbeddingLoss", output, ("x1", "x2"))
        _check_vectors("CosineEmbeddingLoss", a, b)
        t = target.astype(a.dtype)
        if t.shape != a.shape[:1]:
            raise ShapeError(
                f"CosineEmbeddingLoss takes one target for each pair; got outputs "
                f"{format_shape(a.shape)} and targets {format_shape(t.shape)}",
                where=here(),
                advice="Pass y.reshape(-1)" if t.shape == (*a.shape[:1], 1) else None,
            )
        lengths = [((x * x).sum(axis=1) + _LEAST_SQUARE).sqrt() for x in (a, b)]
        cosine = (a * b).sum(axis=1) / (lengths[0] * lengths[1])
        return elementwise("select", t == 1, 1 - cosine, (cosine - self.margin).clip(0))


@LOSSES.register("MarginRankingLoss")
class MarginRankingLoss(PairLoss):
    """lᵢ = mean over outputs of max(0, margin - t·(x1 - x2)), where t = 1 ranks x1 above x2.

    The network returns a tuple of two outputs (x1, x2) of the targets' shape. At the kink the
    slope is that of the line, as in torch.

    Parameters
    ----------
    margin : float
        By how much the right one has to be above the other.

    Notes
    -----
    Herbrich, Graepel and Obermayer 2000.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.MarginRankingLoss(margin=1.0)(([2.0, 0.5], [0.25, 1.0]), [1, 1]).numpy().tolist()
    [0.0, 1.5]
    """

    def __init__(self, margin: float = 0.0) -> None:
        self.margin = as_number("MarginRankingLoss", "margin", margin)

    def forward(self, output: Any, target: Tensor) -> Tensor:
        """Costs [B] of (x1, x2)."""
        a, b = several_outputs("MarginRankingLoss", output, ("x1", "x2"))
        check_same_shape("MarginRankingLoss", a, target)
        check_same_shape("MarginRankingLoss", b, target)
        missing = self.margin - target.astype(a.dtype) * (a - b)
        return per_example(missing.clip(0), Tensor.mean)


@LOSSES.register("TripletMarginLoss")
class TripletMarginLoss(Loss):
    """lᵢ = max(0, d(a, p) - d(a, n) + margin), with d(x, y) = |x - y + eps|ₚ.

    The network returns a tuple of three outputs (anchor, positive, negative), each [B, D]: the
    anchor shall be nearer to what is alike. There is nothing to compare with, so targets are not
    looked at; `fit` takes any, one for each example.

    Parameters
    ----------
    margin : float
        By how much the positive has to be nearer; above 0.
    p : float
        Which norm: at least 1.
    eps : float
        Added to each difference, as torch does; at least 0.
    swap : bool
        Whether d(p, n) counts in place of d(a, n) where it is less.

    Notes
    -----
    Balntas et al. 2016. The slope of a norm is 0 at 0, and at the kink that of the
    line, as in torch.

    Examples
    --------
    >>> from chainrule import nn
    >>> anchor, positive, negative = [[0.0, 0.0]], [[0.5, 0.0]], [[0.0, 1.0]]
    >>> nn.TripletMarginLoss()((anchor, positive, negative), [0]).numpy().round(4).tolist()
    [0.5]
    """

    outputs = "several"
    targets = "none"

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False
    ) -> None:
        self.margin = as_positive("TripletMarginLoss", "margin", margin)
        self.p = as_number("TripletMarginLoss", "p", p, low=1)
        self.eps = as_number("TripletMarginLoss", "eps", eps, low=0)
        self.swap = as_truth("TripletMarginLoss", "swap", swap)

    def forward(self, output: Any, target: Any) -> Tensor:
        """Costs [B] of (anchor, positive, negative)."""
        parts = ("anchor", "positive", "negative")
        anchor, positive, negative = several_outputs("TripletMarginLoss", output, parts)
        _check_vectors("TripletMarginLoss", anchor, positive, negative)
        near, far = self._distance(anchor, positive), self._distance(anchor, negative)
        if self.swap:
            far = minimum(far, self._distance(positive, negative))
        return (near - far + self.margin).clip(0)

    def _distance(self, x: Tensor, y: Tensor) -> Tensor:
        difference = x - y + self.eps
        if self.p in (1, 2):
            return norm(difference, self.p, axis=1)
        total = (abs(difference) ** self.p).sum(axis=1)
        # (Σ|x|ᵖ)^(1/p) has an infinite slope at 0, which times 0 would be NaN.
        return elementwise(
            "select",
            total > 0,
            elementwise("select", total > 0, total, 1.0) ** (1 / self.p),
            total,
        )


def _check_vectors(loss: str, *outputs: Tensor) -> None:
    shape = outputs[0].shape
    if len(shape) != 2 or any(output.shape != shape for output in outputs):
        shown = ", ".join(format_shape(output.shape) for output in outputs)
        raise ShapeError(
            f"{loss} takes outputs of one shape [B, D]; got {shown}",
            where=here(),
        )
