"""Mistakes with normalisation: its mean and variance depend on the input, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, everywhere_and_each, mistake

_RULE = "∂C/∂x = (d - mean(d) - x̂·mean(d·x̂)) / √(var + ε), d being what comes back to x̂"


@dataclass(frozen=True)
class Normalization:
    """Values made comparable by their own mean and deviation.

    Parameters
    ----------
    d_means, d_deviations : tuple of int
        What comes back along the paths through the mean, and through the deviation.
    scope : str
        The layer.
    where : str
    """

    d_means: tuple[int, ...]
    d_deviations: tuple[int, ...]
    scope: str
    where: str


def normalizations(anatomy: Anatomy) -> Iterator[Normalization]:
    """The normalisations of a network, from the front."""
    last = anatomy.names.get("out", anatomy.forward)
    found: dict[str, tuple[list[int], list[int]]] = {}
    for pull in reversed(anatomy.pulls):
        node = anatomy.nodes[pull.node]
        if pull.node > last or len(node.inputs) != 2 or not (node.op == "sub" or node.op == "div"):
            continue
        _, d = pull.d_inputs
        if d is not None and _is_statistic(anatomy, *node.inputs):
            means, deviations = found.setdefault(node.scope, ([], []))
            (means if node.op == "sub" else deviations).append(d)
    for scope, (means, deviations) in found.items():
        if deviations:
            where = f"in layer {scope}" if scope else "in the network"
            yield Normalization(tuple(means), tuple(deviations), scope, where)


def _is_statistic(anatomy: Anatomy, of: int, statistic: int) -> bool:
    """Whether one value is a summary of what another is computed from."""
    if anatomy.nodes[statistic].type.size >= anatomy.nodes[of].type.size:
        return False
    shared = anatomy.above(of) & anatomy.above(statistic)
    return any(i in anatomy.pull_of for i in shared)


def _cut(draft: Draft, positions: tuple[int, ...]) -> None:
    for position in positions:
        draft.change(position, lambda was: was * 0.0)


@mistake(
    "normalization-constant",
    title="the mean and the variance are treated as constants",
    sentence="The error is divided by the deviation and handed on; that mean and variance change "
    "with the input is forgotten.",
    rule=_RULE,
    hints=(
        "Look at the error that the normalisation hands back {where}.",
        "It has three parts, and there is only one {where}: mean and variance depend on x.",
        "Subtract mean(d) and x̂·mean(d·x̂) from d before you divide by the deviation.",
    ),
)
def _normalization_constant(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from everywhere_and_each(
        normalizations(anatomy), lambda draft, at: _cut(draft, at.d_means + at.d_deviations)
    )


@mistake(
    "normalization-mean",
    title="the gradient through the mean is forgotten",
    sentence="That the mean changes with the input is forgotten.",
    rule=_RULE,
    hints=(
        "Look at the error that the normalisation hands back {where}.",
        "One of its three parts is missing {where}: the mean depends on x.",
        "Subtract mean(d) from d.",
    ),
)
def _normalization_mean(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    places = [at for at in normalizations(anatomy) if at.d_means]
    yield from everywhere_and_each(places, lambda draft, at: _cut(draft, at.d_means))


@mistake(
    "normalization-variance",
    title="the gradient through the variance is forgotten",
    sentence="That the variance changes with the input is forgotten.",
    rule=_RULE,
    hints=(
        "Look at the error that the normalisation hands back {where}.",
        "One of its three parts is missing {where}: the variance depends on x.",
        "Subtract x̂·mean(d·x̂) from d.",
    ),
)
def _normalization_variance(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from everywhere_and_each(
        normalizations(anatomy), lambda draft, at: _cut(draft, at.d_deviations)
    )
