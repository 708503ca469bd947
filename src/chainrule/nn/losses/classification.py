"""Losses of classifiers: what the outputs say of the target's class."""

from __future__ import annotations

import math
from typing import Any

from chainrule.base.errors import ConfigurationError, TargetError
from chainrule.eager import Tensor, apply, moveaxis, take
from chainrule.nn.agreement import check_same_shape
from chainrule.nn.arguments import as_number
from chainrule.nn.losses.classes import ClassLoss
from chainrule.nn.losses.loss import LOSSES, per_example
from chainrule.nn.losses.options import as_class_weights, as_label, class_weights
from chainrule.nn.losses.targets import check_outputs_within


@LOSSES.register("CrossEntropyLoss")
class CrossEntropyLoss(ClassLoss):
    """lᵢ = -log softmax(logits)[class], or -Σ t·log softmax(logits) for distributions t.

    Targets are integer classes [B], or one distribution per example [B, C] in floats. With logits
    [B, C, d1, ...] they are [B, d1, ...] or [B, C, d1, ...], and lᵢ is the mean over the places of
    an example.

    Parameters
    ----------
    weight : array_like of shape (C,), optional
        What each class counts. Beside classes the batch's loss is Σ w·l / Σ w with the weight w of
        each target; beside distributions it is the mean over the batch of -Σ w·t·log softmax.
    ignore_index : int, optional
        Examples or places with this label have no cost and do not count. It is not -100 unless you
        say so, as it is in torch: a label that no class has is a mistake more often than not.
    label_smoothing : float
        ε from 0 to 1: the target becomes (1-ε)·t + ε/C, a little of every class.

    Raises
    ------
    ConfigurationError
        If a weight is negative, all are 0, or one is 0 beside label_smoothing: its examples would
        then cost something and count nothing.

    Notes
    -----
    Bishop 2006, eq. 4.108; label smoothing: Szegedy et al. 2016, section 7. With class weights and
    smoothing, lᵢ = -(1-ε)·log softmax[class] - ε/C·Σⱼ (wⱼ/w_class)·log softmax[j], so that
    Σ w·l / Σ w is what torch computes. Where all of a batch is ignored the loss is 0/0, as in
    torch.

    Examples
    --------
    >>> from chainrule import nn
    >>> logits = [[2.0, 0.5, -1.0], [0.0, 0.0, 0.0]]
    >>> nn.CrossEntropyLoss()(logits, [0, 2]).numpy().round(4).tolist()
    [0.2413, 1.0986]
    """

    outputs = "logits"
    takes_distributions = True

    def __init__(
        self, weight: Any = None, ignore_index: int | None = None, label_smoothing: float = 0.0
    ) -> None:
        self.weight = as_class_weights("CrossEntropyLoss", "weight", weight)
        self.ignore_index = as_label("CrossEntropyLoss", "ignore_index", ignore_index)
        smoothing = as_number("CrossEntropyLoss", "label_smoothing", label_smoothing, low=0, high=1)
        self.label_smoothing = smoothing
        self.label_weights = self.weight
        if smoothing and self.weight is not None and 0 in self.weight:
            raise ConfigurationError(
                "CrossEntropyLoss takes weights above 0 beside label_smoothing; got 0 for class "
                f"{self.weight.index(0)}",
                advice="Leave the class out with ignore_index, or give it a small weight",
            )

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        scores = self.scores_of(output)
        if self._is_distribution(output, target):
            costs = self._costs_of_distributions(scores, target.astype(output.dtype))
            return per_example(costs, Tensor.mean)
        return self.of_labels(output, target, self._costs_of_labels)

    def _costs_of_labels(self, scores: Tensor, labels: Tensor) -> Tensor:
        weights = self._weights(scores)
        if not self.label_smoothing:
            return apply("cross_entropy", scores, labels)
        log_p = scores.log_softmax()
        share = self.label_smoothing / int(scores.shape[-1])
        if weights is None:
            others = log_p.sum(axis=-1)
        else:
            others = (weights * log_p).sum(axis=-1) / take(weights, labels)
        return (1 - self.label_smoothing) * apply("nll", log_p, labels) - share * others

    def _costs_of_distributions(self, scores: Tensor, target: Tensor) -> Tensor:
        t = target if target.ndim == 2 else moveaxis(target, 1, -1)
        if self.label_smoothing:
            share = self.label_smoothing / int(scores.shape[-1])
            t = (1 - self.label_smoothing) * t + share
        weights = self._weights(scores)
        return apply("cross_entropy_soft", scores, t if weights is None else weights * t)

    def _weights(self, scores: Tensor) -> Tensor | None:
        if self.weight is None:
            return None
        classes = int(scores.shape[-1])
        return class_weights("CrossEntropyLoss", "weight", self.weight, classes, scores)

    def _is_distribution(self, output: Tensor, target: Tensor) -> bool:
        column = target.shape == (*output.shape[:1], 1) != output.shape
        if target.type.dtype.is_integer or target.ndim != output.ndim or column:
            return False
        check_same_shape("CrossEntropyLoss", output, target)
        if self.ignore_index is not None:
            raise TargetError(
                f"CrossEntropyLoss(ignore_index={self.ignore_index}) leaves out a label, and these "
                "targets are distributions",
                advice="Give rows to leave out the sample_weight 0",
            )
        return True


@LOSSES.register("NLLLoss")
class NLLLoss(ClassLoss):
    """lᵢ = -log-probabilities[class]: CrossEntropyLoss behind a LogSoftmax.

    Outputs are log-probabilities [B, C] beside integer classes [B], or [B, C, d1, ...] beside
    [B, d1, ...], and then lᵢ is the mean over the places of an example.

    Parameters
    ----------
    weight : array_like of shape (C,), optional
        What each class counts: the batch's loss is Σ w·l / Σ w with the weight w of each target.
    ignore_index : int, optional
        Examples or places with this label have no cost and do not count; None, not torch's -100,
        as in CrossEntropyLoss.

    Raises
    ------
    OutputError
        If an output that is known is above 0, the logarithm of 1.

    Notes
    -----
    Bishop 2006, eq. 4.108.

    Examples
    --------
    >>> from chainrule import nn
    >>> nn.NLLLoss()([[-0.2, -1.8], [-1.3, -0.3]], [0, 0]).numpy().round(4).tolist()
    [0.2, 1.3]
    """

    outputs = "log-probabilities"

    def __init__(self, weight: Any = None, ignore_index: int | None = None) -> None:
        self.weight = as_class_weights("NLLLoss", "weight", weight)
        self.ignore_index = as_label("NLLLoss", "ignore_index", ignore_index)
        self.label_weights = self.weight

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Costs [B]."""
        return self.of_labels(output, target, self._costs)

    def _costs(self, scores: Tensor, labels: Tensor) -> Tensor:
        if self.weight is not None:  # only to refuse a wrong number of them
            class_weights("NLLLoss", "weight", self.weight, int(scores.shape[-1]), scores)
        return apply("nll", scores, labels)

    def check_output(self, output: Any) -> None:
        check_log_probabilities("NLLLoss", output, "use CrossEntropyLoss, which takes logits")


def check_log_probabilities(loss: str, output: Any, otherwise: str) -> None:
    """Raise OutputError if known outputs cannot be logarithms of probabilities."""
    if isinstance(output, Tensor):
        check_outputs_within(
            loss,
            output,
            -math.inf,
            0.0,
            meaning="log-probabilities, which are at most 0",
            advice=f"End the network with LogSoftmax, or {otherwise}",
        )
