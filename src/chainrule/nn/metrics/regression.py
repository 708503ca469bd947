"""Metrics of numbers: how far outputs are from targets, and how much of these they explain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.base.errors import TargetError
from chainrule.eager import Tensor, stack, tensor
from chainrule.eager.tensor import Array
from chainrule.nn.agreement import check_one_output, check_same_shape
from chainrule.nn.losses.loss import Loss, per_example
from chainrule.nn.metrics.metric import METRICS, Definition, Mean, OfAll

Errors = Callable[[Any, Tensor], Tensor]


@METRICS.register("mse")
@dataclass(frozen=True)
class MSE(Definition):
    """Mean squared error over outputs and examples."""

    def __call__(self, loss: Loss, target: Array) -> Mean:
        errors = _errors_of(self.name, loss)
        return Mean(lambda o, t: per_example(errors(o, t).square(), Tensor.mean))


@METRICS.register("rmse")
@dataclass(frozen=True)
class RMSE(Definition):
    """√ of the mean squared error of each output over the examples; of several outputs, the mean.

    It has the unit of the targets.
    """

    def __call__(self, loss: Loss, target: Array) -> Mean:
        errors = _errors_of(self.name, loss)
        return Mean(lambda o, t: errors(o, t).square(), lambda mean: float(np.sqrt(mean).mean()))


@METRICS.register("mae")
@dataclass(frozen=True)
class MAE(Definition):
    """Mean absolute error over outputs and examples."""

    def __call__(self, loss: Loss, target: Array) -> Mean:
        errors = _errors_of(self.name, loss)
        return Mean(lambda o, t: per_example(abs(errors(o, t)), Tensor.mean))


@METRICS.register("max_error")
@dataclass(frozen=True)
class MaxError(Definition):
    """The largest absolute error, of all outputs and all examples that count."""

    def __call__(self, loss: Loss, target: Array) -> OfAll:
        errors = _errors_of(self.name, loss)
        return OfAll(lambda e, target, weights: float(abs(e).max()), errors)


@METRICS.register("r2")
@dataclass(frozen=True)
class R2(Definition):
    """R² = 1 - Σ wᵢ·(tᵢ - oᵢ)² / Σ wᵢ·(tᵢ - t̄)²; of several outputs, the mean of theirs.

    1: all is explained; 0: no more than by the targets' mean t̄; below: less than by that. Where an
    output's targets are all equal, 1 if all outputs are right and 0 if not, as scikit-learn has it.

    Raises
    ------
    TargetError
        If the loss compares no numbers, or there is one example. (scikit-learn warns, and gives
        NaN.)

    Notes
    -----
    Σ wᵢ·(tᵢ - t̄)² / Σ wᵢ is the mean of (t - c)² less the square of the mean of t - c, where c is
    the mean of all targets, without weights: little is taken away of little, unless the weighted
    mean is far from c. A training step sums in the network's dtype, evaluation in float64.
    """

    larger_is_better = True

    def __call__(self, loss: Loss, target: Array) -> Mean:
        errors = _errors_of(self.name, loss)
        center = tensor(_center(target))
        # Of targets that are all equal, rounding leaves this much of a variance at most.
        least = 16 * float(np.finfo(center.dtype).eps)

        def statistics(output: Any, target: Tensor) -> Tensor:
            error = errors(output, target)
            deviation = target.astype(error.dtype) - center.astype(error.dtype)
            return stack([error.square(), deviation, deviation.square()], axis=1)

        def value(mean: Array) -> float:
            squared_error, deviation, square = mean
            variance = square - deviation**2
            return _explained(squared_error, np.where(variance <= least * square, 0.0, variance))

        return Mean(statistics, value, self._check)

    def _check(self, target: Array, width: int | None) -> None:
        if len(target) < 2:
            raise TargetError(
                f"The metric {self.name} compares with the spread of the targets, and there is "
                f"{len(target)}",
                advice='Use metrics=["mse"] or ["mae"]',
            )


@METRICS.register("explained_variance")
@dataclass(frozen=True)
class ExplainedVariance(Definition):
    """1 - Var(t - o) / Var(t): as R², but an error that is the same for all examples is none.

    Of several outputs it is the mean of theirs. Where an output's targets are all equal, 1 if all
    errors are and 0 if not, as scikit-learn has it.

    Raises
    ------
    TargetError
        If the loss compares no numbers.

    Notes
    -----
    It is of all examples at once: the spread of errors about their own mean, which is known only at
    the end, cannot be summed without a loss of digits where that mean is large.
    """

    larger_is_better = True

    def __call__(self, loss: Loss, target: Array) -> OfAll:
        def value(errors: Array, target: Array, weights: Array) -> float:
            return _explained(_variance(errors, weights), _variance(target, weights))

        return OfAll(value, _errors_of(self.name, loss))


def _errors_of(name: str, loss: Loss) -> Errors:
    """The function of (output, target) to output - target, of outputs as a loss takes them.

    Raises
    ------
    TargetError
        If it takes them for no numbers beside the targets.
    """
    read = _NUMBERS.get(loss.outputs)
    if read is None:
        raise TargetError(
            f"The metric {name} compares numbers, and the outputs of {loss.made_by} are "
            f"{loss.outputs}",
            advice='Use metrics=["accuracy"] for classes',
        )

    def errors(output: Any, target: Tensor) -> Tensor:
        numbers: Tensor = read(output)
        check_one_output(f"The metric {name}", numbers)
        check_same_shape(f"The metric {name}", numbers, target)
        return numbers - target.astype(numbers.dtype)

    return errors


def _first(output: Any) -> Any:
    return output[0] if isinstance(output, tuple | list) else output


_NUMBERS: dict[str, Callable[[Any], Any]] = {
    "values": lambda output: output,
    "probabilities": lambda output: output,
    "log-values": lambda output: output.exp() if isinstance(output, Tensor) else output,
    "mean and variance": _first,
}


def _center(target: Array) -> Array:
    """The mean over the examples, in a dtype that a step computes in."""
    dtype = target.dtype if target.dtype.kind == "f" else np.dtype(np.float64)
    mean = target.mean(axis=0, dtype=np.float64) if len(target) else np.zeros(target.shape[1:])
    return np.asarray(mean, dtype)


def _variance(values: Array, weights: Array) -> Array:
    centered = values - values[:1].astype(np.float64)
    deviations = centered - np.average(centered, axis=0, weights=weights)
    return np.asarray(np.average(deviations**2, axis=0, weights=weights))


def _explained(unexplained: Array, spread: Array) -> float:
    """The mean over outputs of 1 - unexplained / spread; where there is no spread, 1 or 0."""
    is_flat = spread == 0
    shares = 1 - unexplained / np.where(is_flat, 1.0, spread)
    found = np.where(is_flat, unexplained == 0, shares)
    return float(found.mean())
