"""Losses of yes and no: each output beside a target from 0 to 1."""

from __future__ import annotations

from typing import Any

from chainrule.eager import Tensor, elementwise
from chainrule.eager.tensor import Array
from chainrule.nn.agreement import check_same_shape
from chainrule.nn.losses.loss import LOSSES, Loss, per_example
from chainrule.nn.losses.options import as_output_weights, output_weights
from chainrule.nn.losses.targets import check_fractions, check_outputs_within


@LOSSES.register("BCELoss")
class BCELoss(Loss):
    """lᵢ = mean over outputs of -t·log p - (1-t)·log(1-p), of probabilities p.

    Behind a sigmoid, BCEWithLogitsLoss without the sigmoid has more digits and a better gradient.

    Parameters
    ----------
    weight : float or array_like, optional
        A factor for each output: of a shape that broadcasts to the outputs of an example.
        Examples are weighted by sample_weight.

    Raises
    ------
    OutputError
        If an output that is known is no probability. In training, where it is not, its cost is
        NaN, and the step that computed it is named.

    Notes
    -----
    A logarithm below -100 counts as -100, and the slope is (p-t)/max(p·(1-p), 10⁻¹²), as in torch:
    an output that is certain and wrong costs 100 and is pushed back.
    Bishop 2006, eq. 4.90.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.BCELoss()([[0.9, 0.2]], [[1, 0]]).numpy().round(4).tolist()
    [0.1643]
    """

    outputs = "probabilities"
    targets = "zeros and ones"
    measures_distance = True

    def __init__(self, weight: Any = None) -> None:
        self.weight = as_output_weights("BCELoss", "weight", weight)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        check_same_shape("BCELoss", output, target)
        costs = elementwise("bce", output, target.astype(output.dtype))
        return per_example(_weighted("BCELoss", self.weight, costs), Tensor.mean)

    def check_target(self, target: Array, width: int | None) -> None:
        check_fractions("BCELoss", target)

    def check_output(self, output: Any) -> None:
        if isinstance(output, Tensor):
            check_outputs_within(
                "BCELoss",
                output,
                0.0,
                1.0,
                meaning="probabilities, from 0 to 1",
                advice="End the network with Sigmoid, or use BCEWithLogitsLoss, which takes logits",
            )


@LOSSES.register("BCEWithLogitsLoss")
class BCEWithLogitsLoss(Loss):
    """lᵢ = mean over outputs of -t·log σ(x) - (1-t)·log(1-σ(x)).

    Parameters
    ----------
    weight : float or array_like, optional
        A factor for each output: of a shape that broadcasts to the outputs of an example.
    pos_weight : float or array_like, optional
        A factor of the first term, for each output: above 1 a missed 1 costs more. A usual choice
        is the number of zeros over the number of ones.

    Notes
    -----
    Bishop 2006, eq. 4.90. It is computed as x·((x ≥ 0) - t) + log(1 + e^-|x|), a sum of what is
    not negative, so that the cost of a sure answer that is right keeps its digits.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.BCEWithLogitsLoss()([[2.0, -1.0]], [[1, 0]]).numpy().round(4).tolist()
    [0.2201]
    """

    outputs = "binary logits"
    targets = "zeros and ones"

    def __init__(self, weight: Any = None, pos_weight: Any = None) -> None:
        self.weight = as_output_weights("BCEWithLogitsLoss", "weight", weight)
        self.pos_weight = as_output_weights("BCEWithLogitsLoss", "pos_weight", pos_weight)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        check_same_shape("BCEWithLogitsLoss", output, target)
        t = target.astype(output.dtype)
        if self.pos_weight is None:
            costs = elementwise("bce_with_logits", output, t)
        else:
            factor = output_weights("BCEWithLogitsLoss", "pos_weight", self.pos_weight, output)
            # -log σ(x) is softplus(-x), and -log(1-σ(x)) is softplus(x).
            missed = elementwise("softplus", -output)
            costs = factor * t * missed + (1 - t) * elementwise("softplus", output)
        return per_example(_weighted("BCEWithLogitsLoss", self.weight, costs), Tensor.mean)

    def check_target(self, target: Array, width: int | None) -> None:
        check_fractions("BCEWithLogitsLoss", target)


@LOSSES.register("MultiLabelSoftMarginLoss")
class MultiLabelSoftMarginLoss(Loss):
    """lᵢ = mean over classes of -t·log σ(x) - (1-t)·log(1-σ(x)), t saying which classes apply.

    It is BCEWithLogitsLoss by the name that it has for several labels of one example.

    Parameters
    ----------
    weight : float or array_like of shape (C,), optional
        A factor for each class.

    Notes
    -----
    Bishop 2006, eq. 4.90, for each class.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.MultiLabelSoftMarginLoss()([[2.0, -1.0]], [[1, 0]]).numpy().round(4).tolist()
    [0.2201]
    """

    outputs = "binary logits"
    targets = "zeros and ones"

    def __init__(self, weight: Any = None) -> None:
        self.weight = as_output_weights("MultiLabelSoftMarginLoss", "weight", weight)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        check_same_shape("MultiLabelSoftMarginLoss", output, target)
        costs = elementwise("bce_with_logits", output, target.astype(output.dtype))
        return per_example(_weighted("MultiLabelSoftMarginLoss", self.weight, costs), Tensor.mean)

    def check_target(self, target: Array, width: int | None) -> None:
        check_fractions("MultiLabelSoftMarginLoss", target)


def _weighted(loss: str, weight: Any, costs: Tensor) -> Tensor:
    return costs if weight is None else output_weights(loss, "weight", weight, costs) * costs
