"""Mistakes with what an optimiser averages over the steps: how much of the new one is in there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, mistake
from chainrule.explanation.symbols import NEXT

_SMALL = 1e-3  # what is added so that nothing is divided by 0 is smaller


@dataclass(frozen=True)
class Average:
    """β times what was kept, and something of this step added to it.

    Parameters
    ----------
    slot : str
        What is kept: ``momentum_buffer``, ``exp_avg``.
    sum, new : int
        The sum, and what this step adds to it.
    beta : int
    is_mean : bool
        Whether what is added has the factor 1 - β.
    """

    slot: str
    sum: int
    new: int
    beta: int
    is_mean: bool


def averages(anatomy: Anatomy) -> Iterator[Average]:
    """What an optimiser adds up over the steps, of each parameter."""
    for name, kept in anatomy.names.items():
        _, colon, slot = name.partition(":")
        after = anatomy.names.get(NEXT + name)
        if not colon or name.startswith(NEXT) or after is None or anatomy.nodes[after].op != "add":
            continue
        for old, new in (anatomy.nodes[after].inputs, anatomy.nodes[after].inputs[::-1]):
            factors = anatomy.nodes[old].inputs
            if anatomy.nodes[old].op != "mul" or kept not in factors or len(set(factors)) < 2:
                continue
            (beta,) = (i for i in factors if i != kept)
            if anatomy.nodes[beta].shape:
                continue
            yield Average(slot, after, new, beta, _rest(anatomy, new, beta) is not None)
            break


def _rest(anatomy: Anatomy, new: int, beta: int) -> int | None:
    """The factor 1 - β of what is added, if it has one."""
    if anatomy.nodes[new].op == "mul":
        for i in anatomy.nodes[new].inputs:
            if (
                not anatomy.nodes[i].shape
                and abs(float(anatomy.values[i]) + float(anatomy.values[beta]) - 1) < 1e-6
            ):
                return i
    return None


@mistake(
    "momentum-averaged",
    title="the gradient enters the velocity with 1 - μ",
    sentence="The velocity is the sum of the gradients that decay by μ; here it is their mean, "
    "1/(1 - μ) times smaller.",
    rule="v ← μv + ∂C/∂w",
    hints=(
        "Compare the size of what this step adds to the velocity with that of the gradient.",
        "The gradient is multiplied with 1 - μ before it is added.",
        "Add the gradient as it is: v = μv + g.",
    ),
)
def _momentum_averaged(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    found = [at for at in averages(anatomy) if not at.is_mean]

    def change(draft: Draft) -> None:
        for at in found:
            d = draft.at(at.new)
            beta = draft.cast(draft.at(at.beta), dtype=d.dtype)
            less = beta * d
            draft.change(at.sum, lambda was, less=less: was - less)  # type: ignore[misc]

    if found:
        yield "", change


@mistake(
    "average-unscaled",
    title="1 - β is missing in the average",
    sentence="The average takes β of what was kept and 1 - β of what is new; here all of the new "
    "is added.",
    rule="m ← βm + (1 - β) ∂C/∂w",
    hints=(
        "Compare the size of what this step adds to the average with that of the gradient.",
        "The factor 1 - β is missing in what is added {where}.",
        "Write m = β·m + (1 - β)·g.",
    ),
)
def _average_unscaled(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    kinds: dict[str, list[Average]] = {}
    for at in averages(anatomy):
        if at.is_mean:
            kinds.setdefault(at.slot, []).append(at)

    def change(draft: Draft, of: list[Average]) -> None:
        for at in of:
            rest = _rest(anatomy, at.new, at.beta)
            assert rest is not None
            draft.change(at.new, lambda was, rest=rest: was / draft.at(rest))  # type: ignore[misc]

    for slot, of in kinds.items():
        yield f"({slot})", lambda draft, of=of: change(draft, of)  # type: ignore[misc]


@mistake(
    "epsilon-in-root",
    title="ε is added under the root",
    sentence="ε is added to the root, so that nothing is divided by 0; under the root it counts "
    "for √ε, which is much more.",
    rule="w ← w - η m̂ / (√v̂ + ε)   [Kingma and Ba 2015, algorithm 1]",
    hints=(
        "Look at what the step is divided by.",
        "ε is added before the root is taken.",
        "Take the root first: √v̂ + ε.",
    ),
)
def _epsilon_in_root(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    found = list(_roots(anatomy))

    def change(draft: Draft) -> None:
        for total, root, epsilon in found:
            square = draft.square(draft.at(root)) + draft.at(epsilon)
            draft.change(total, lambda _, square=square: draft.sqrt(square))  # type: ignore[misc]

    if found:
        yield "", change


def _roots(anatomy: Anatomy) -> Iterator[tuple[int, int, int]]:
    """The sums of a root and a small number that a parameter's step is divided by."""
    for i in range(anatomy.backward, len(anatomy.nodes)):
        node = anatomy.nodes[i]
        if node.op != "add" or not node.shape:
            continue
        for root, small in (node.inputs, node.inputs[::-1]):
            is_small = anatomy.nodes[small].op == "constant" and (
                0 < float(anatomy.values[small]) < _SMALL
            )
            inner = root
            if anatomy.nodes[inner].op == "div":
                inner = anatomy.nodes[inner].inputs[0]
            if is_small and anatomy.nodes[inner].op == "sqrt":
                yield i, root, small
                break
