"""Arrays of examples, checked, weighted, and in the dtypes that the step computes with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.backends import Rows
from chainrule.base.errors import ConfigurationError, NonFiniteError, TargetError
from chainrule.base.random import permutation
from chainrule.eager import Tensor
from chainrule.eager.tensor import Array
from chainrule.nn.evaluation import InputTypes, as_columns, as_weights, check_lengths
from chainrule.nn.losses import Loss
from chainrule.train.sources import ArraySource, as_target, check_numbers


def make_arrays(
    x: Any,
    y: Any,
    loss: Loss,
    types: InputTypes,
    sample_weight: Any = None,
    class_weight: Any = None,
) -> ArraySource:
    """Check arrays of examples and bring them into the dtypes the step computes with.

    They are copied, unless they have these dtypes and are constant (`is_constant`): what becomes of
    the caller's arrays does not change a run.

    Raises
    ------
    ShapeError
        If their lengths differ, or there are no examples.
    NonFiniteError
        If a number is NaN or infinite, with its row and column.
    DataError, TargetError
        If they hold no numbers, or a class weight names no class.
    """
    with np.errstate(over="ignore"):  # found below, and said in our words
        columns = as_columns(x, types)
        target = loss.prepare_target(as_target(y), types.dtype)
    check_lengths(columns, target)
    try:
        check_numbers(columns, target)
    except NonFiniteError as error:
        raise _too_large(x, y, types.dtype) or error from None
    weights = _weights(target, sample_weight, class_weight, types.dtype)
    return ArraySource(columns, target, _without_ignored(weights, target, loss, types.dtype))


def _too_large(x: Any, y: Any, dtype: np.dtype[Any]) -> NonFiniteError | None:
    """The error for a number that became infinite on the way to `dtype`, if it was not before."""
    given = [np.asarray(each) for each in (*(x if isinstance(x, tuple) else (x,)), y)]
    if not all(np.isfinite(array).all() for array in given):
        return None
    largest = max(float(np.abs(array).max()) for array in given)
    return NonFiniteError(
        f"The data hold {largest:g}, and the largest {dtype} is {np.finfo(dtype).max:.3g}",
        advice='Scale them, for example to mean 0 and standard deviation 1, or use dtype="float64"',
    )


def _weights(
    target: Array, sample_weight: Any, class_weight: Any, dtype: np.dtype[Any]
) -> Array | None:
    if sample_weight is None and class_weight is None:
        return None
    weights: NDArray[Any] = as_weights(sample_weight, len(target))
    if class_weight is not None:
        weights = as_weights(weights * weights_by_class(target, class_weight), len(target))
    return weights.astype(dtype)


def _without_ignored(
    weights: Array | None, target: Array, loss: Loss, dtype: np.dtype[Any]
) -> Array | None:
    """The weights, 0 where an example counts for nothing: a batch of such alone has no loss."""
    counted = loss.counted(Tensor.computed(target))  # without a copy
    if counted is None:
        return weights
    if not counted.numpy().any():
        raise TargetError(f"{loss!r} ignores every example")
    return (np.ones(len(target)) if weights is None else weights).astype(dtype) * counted.numpy()


def weights_by_class(target: Array, class_weight: Any) -> NDArray[np.float64]:
    """For each example the weight of its class.

    Raises
    ------
    TargetError
        If the targets are no classes, or a class has no weight.
    ConfigurationError
        If `class_weight` is no mapping, and no sequence, of numbers.
    """
    one_hot = target.ndim == 2 and target.shape[1] > 1
    labels = target.argmax(axis=1) if one_hot else target.reshape(len(target), -1)[:, 0]
    if not np.array_equal(labels, np.rint(labels)) or (
        target.ndim > 1 and not one_hot and target.shape[1:] != (1,)
    ):
        raise TargetError("class_weight takes targets that are classes")
    table = dict(class_weight_pairs(class_weight))
    missing = sorted(set(labels.astype(np.int64).tolist()) - table.keys())
    if missing:
        raise TargetError(
            f"class_weight gives no weight for class {missing[0]}",
            advice="Name every class, for example {0: 1.0, 1: 2.0}",
        )
    return np.array([table[int(label)] for label in labels])


def class_weight_pairs(class_weight: Any) -> list[tuple[int, float]]:
    """Class weights as pairs (class, weight), which JSON can hold.

    Raises
    ------
    ConfigurationError
        If they are no mapping, and no sequence, of numbers.
    """
    try:
        items = (
            class_weight.items() if isinstance(class_weight, Mapping) else enumerate(class_weight)
        )
        return [(int(label), float(weight)) for label, weight in items]
    except (TypeError, ValueError, AttributeError):
        raise ConfigurationError(
            f"class_weight maps classes to weights; got {class_weight!r}",
            advice="Write class_weight={0: 1.0, 1: 2.0}",
        ) from None


def split_rows(rows: Rows, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Split rows into those for training and a random `fraction` for validation, by the seed.

    Raises
    ------
    ConfigurationError
        If a part would be empty.
    """
    held_out = round(len(rows) * fraction)
    if held_out in (0, len(rows)):
        raise ConfigurationError(
            f"validation_split={fraction} of {len(rows)} examples leaves "
            f"{'none to validate on' if held_out == 0 else 'none to train on'}"
        )
    order = permutation(len(rows), seed, 0, "validation")
    return rows[np.sort(order[held_out:])], rows[np.sort(order[:held_out])]
