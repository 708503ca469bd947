"""The training step as one pure graph: state and rows in, new state and loss out."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.graph import DType, TensorType
from chainrule.nn.evaluation import float_dtype
from chainrule.train.writing import (
    ACCUMULATED,
    NEXT,
    TOTAL_COST,
    TOTAL_WEIGHT,
    Recipe,
    Step,
    StepWriter,
)


def build_step(recipe: Recipe, batch: Sequence[TensorType], target: TensorType) -> Step:
    """The step that computes one batch's loss, its gradients and the update.

    Parameters
    ----------
    recipe : Recipe
    batch : sequence of TensorType
        Types of the inputs, with the batch axis in front.
    target : TensorType
    """
    with StepWriter(recipe) as w:
        loss = w.forward(batch, target)
        costs = [loss] if w.directions is None else []
        w.update(w.parameters, w.gradients_of([*costs, *w.penalties()], w.directions))
        return w.finish("train_step")


def build_accumulation(recipe: Recipe, batch: Sequence[TensorType], target: TensorType) -> Step:
    """The step that adds one batch's gradient of Σ wᵢ·lᵢ, and Σ wᵢ, to the sums so far."""
    with StepWriter(recipe) as w:
        w.forward(batch, target)
        weight = w.total_weight
        total = w.mean_cost * weight
        if w.directions is None:
            gradients = w.gradients_of([total])
        else:
            gradients = w.gradients_of([], {n: d * weight for n, d in w.directions.items()})
        for path, gradient in gradients.items():
            sum_so_far = w.state_input(ACCUMULATED + path, gradient.type)
            w.set_next(ACCUMULATED + path, sum_so_far + gradient)
            w.finite.append(NEXT + ACCUMULATED + path)
        scalar = TensorType((), total.type.dtype)
        if not recipe.loss.is_mean:
            w.set_next(TOTAL_COST, w.state_input(TOTAL_COST, scalar) + total)
        w.set_next(TOTAL_WEIGHT, w.state_input(TOTAL_WEIGHT, scalar) + weight)
        return w.finish("accumulate")


def build_update(recipe: Recipe) -> Step:
    """The step that updates with the accumulated gradient Σ wᵢ·dlᵢ / Σ wᵢ, and starts anew.

    A loss that is a function of the mean cost, as a root is, gives its derivative as a factor.
    """
    with StepWriter(recipe) as w:
        scalar = TensorType((), DType.of(float_dtype(recipe.net)))
        weight = w.state_input(TOTAL_WEIGHT, scalar)
        slope = None if recipe.loss.is_mean else w.slope_of_finish(scalar, weight)
        gradients = {}
        for path, parameter in w.parameters.items():
            total = w.state_input(ACCUMULATED + path, parameter.type)
            mean = total / weight
            gradients[path] = mean if slope is None else slope * mean
            w.set_next(ACCUMULATED + path, total * 0.0)
        w.set_next(TOTAL_WEIGHT, weight * 0.0)
        w.update(w.parameters, w.gradients_of(w.penalties(), gradients))
        return w.finish("update")
