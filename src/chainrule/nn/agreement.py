"""Whether outputs, targets and costs belong together, and what to change where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.base.errors import ShapeError
from chainrule.eager import Tensor, here
from chainrule.eager.trees import leaves
from chainrule.graph import format_shape


def check_same_shape(name: str, output: Tensor, target: Tensor) -> None:
    """Raise ShapeError unless outputs and targets can be compared element by element."""
    check_one_output(name, output)
    if output.shape == target.shape:
        return
    advice = None
    if output.shape == (*target.shape, 1):
        advice = "Reshape the target with y.reshape(-1, 1)"
    elif target.shape == (*output.shape, 1):
        advice = "Reshape the target with y.reshape(-1)"
    elif output.shape[:-1] == target.shape:
        advice = (
            "If the targets are classes, use CrossEntropyLoss, or one-hot rows np.eye(classes)[y]"
        )
    raise ShapeError(
        f"{name} compares element by element; got outputs {format_shape(output.shape)} and "
        f"targets {format_shape(target.shape)}",
        where=here(),
        advice=advice,
    )


def check_one_output(name: str, output: Any) -> None:
    """Raise ShapeError if a network has several outputs where one is read."""
    if not isinstance(output, Tensor):
        raise ShapeError(
            f"{name} reads one output; the network returns {type(output).__name__}",
            where=here(),
            advice="Write one of your own, a function of (output, target), that reads several",
        )


def several_outputs(name: str, output: Any, parts: Sequence[str]) -> tuple[Tensor, ...]:
    """The outputs of a network that returns a tuple of as many Tensors, or ShapeError.

    Parameters
    ----------
    name : str
        Who reads them.
    output : object
    parts : sequence of str
        What they are.
    """
    given = tuple(output) if isinstance(output, tuple | list) else (output,)
    if len(given) == len(parts) and all(isinstance(part, Tensor) for part in given):
        return given
    got = f"{len(given)} of them" if len(given) > 1 else type(output).__name__
    raise ShapeError(
        f"{name} reads several outputs, ({', '.join(parts)}); the network returns {got}",
        where=here(),
        advice="Return them as a tuple from forward",
    )


def width_of(output: Any) -> int | None:
    """The size of an output's axis behind that of the batch: the classes, as torch has them."""
    return int(output.shape[1]) if isinstance(output, Tensor) and output.ndim > 1 else None


def check_costs(made_by: str, costs: Any, outputs: Any) -> None:
    """Raise ShapeError unless there is one cost for each example in the outputs."""
    first = next((leaf for _, leaf in leaves(outputs, open_modules=False)), None)
    batch = first.shape[:1] if isinstance(first, Tensor) else ()
    if isinstance(costs, Tensor) and costs.shape == batch:
        return
    got = format_shape(costs.shape) if isinstance(costs, Tensor) else type(costs).__name__
    raise ShapeError(
        f"A loss returns one cost per example, of shape {format_shape(batch)}; "
        f"{made_by} returned {got}",
        where=here(),
        advice="Leave the mean over the batch to chainrule",
    )
