"""Mistakes with gradients that are clipped: by the wrong measure, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, mistake
from chainrule.explanation.checking.roles import source_of
from chainrule.ops import Value

_RULE = "d ← d · min(c/‖d‖, 1)   [Pascanu, Mikolov and Bengio 2013, alg. 1]"


@dataclass(frozen=True)
class Clip:
    """A gradient on its way to the update, made smaller.

    Parameters
    ----------
    d, clipped : int
        Before and after.
    limit : int
        What it is to be no larger than.
    """

    d: int
    clipped: int
    limit: int


def clips_by_norm(anatomy: Anatomy) -> list[Clip]:
    """The gradients that are made smaller by one factor, so that their norm is within a limit."""
    found = []
    for d, user in _products(anatomy):
        for i in anatomy.nodes[user].inputs:
            scale = anatomy.nodes[_behind_cast(anatomy, i)]
            if scale.op == "min" and not scale.shape:
                quotient = anatomy.nodes[scale.inputs[0]]
                if quotient.op == "div" and anatomy.below[d] >> quotient.inputs[1] & 1:
                    found.append(Clip(d, user, quotient.inputs[0]))
    return found


def clips_by_value(anatomy: Anatomy) -> list[Clip]:
    """The gradients whose elements are each kept within a limit."""
    found = []
    for d in _gradients(anatomy):
        for low in anatomy.users.get(d, ()):
            for high in anatomy.users.get(low, ()):
                is_clip = anatomy.nodes[low].op == "max" and anatomy.nodes[high].op == "min"
                if is_clip and low >= anatomy.backward:
                    (limit,) = (i for i in anatomy.nodes[high].inputs if i != low)
                    found.append(Clip(d, high, limit))
    return found


def _gradients(anatomy: Anatomy) -> list[int]:
    return [anatomy.names[f"d_{name}"] for name in anatomy.parameters]


def _products(anatomy: Anatomy) -> Iterator[tuple[int, int]]:
    for d in _gradients(anatomy):
        for user in anatomy.users.get(d, ()):
            if user >= anatomy.backward and anatomy.nodes[user].op == "mul":
                yield d, user


def _behind_cast(anatomy: Anatomy, position: int) -> int:
    while anatomy.nodes[position].op == "cast":
        position = anatomy.nodes[position].inputs[0]
    return source_of(anatomy, position)


def _norm(draft: Draft, positions: list[int]) -> Value:
    squares = [draft.square(draft.at(d)) for d in positions]
    return draft.sqrt(
        reduce(add, (draft.sum(each, axes=tuple(range(len(each.shape)))) for each in squares))
    )


def _by_norm(draft: Draft, at: Clip, of: list[int]) -> Value:
    d = draft.at(at.d)
    ratio = draft.at(at.limit) / (_norm(draft, of) + 1e-6)
    scale = draft.min(ratio, draft.constant(1.0, ratio.dtype))
    return d * draft.cast(scale, dtype=d.dtype)


def _by_value(draft: Draft, at: Clip) -> Value:
    d, limit = draft.at(at.d), draft.at(at.limit)
    bound = draft.cast(limit, dtype=d.dtype)
    return draft.min(draft.max(d, -bound), bound)


def _at_all(
    clips: list[Clip], make: Callable[[Draft, Clip], Value]
) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft) -> None:
        made = [(at, make(draft, at)) for at in clips]
        for at, value in made:
            draft.change(at.clipped, lambda _, value=value: value)  # type: ignore[misc]

    if clips:
        yield "", change


@mistake(
    "clipping-forgotten",
    title="the gradients are not clipped",
    sentence="The update is made with the gradients as they are, however large.",
    rule=_RULE,
    hints=(
        "Look at what happens to the gradients before the update.",
        "They are not clipped.",
        "Clip them between the backward pass and the update.",
    ),
)
def _clipping_forgotten(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    clips = clips_by_norm(anatomy) + clips_by_value(anatomy)
    yield from _at_all(clips, lambda draft, at: draft.at(at.d))


@mistake(
    "clipped-by-value",
    title="the gradients are clipped by value, not by their norm",
    sentence="Each element is cut off at the limit, which turns the gradient; by its norm it is "
    "made shorter and keeps its direction.",
    rule=_RULE,
    hints=(
        "Look at how the gradients are made smaller: do they keep their direction?",
        "Each element is cut off by itself.",
        "Multiply all gradients with one number, min(c/‖d‖, 1).",
    ),
)
def _clipped_by_value(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from _at_all(clips_by_norm(anatomy), _by_value)


@mistake(
    "clipped-by-norm",
    title="the gradients are clipped by their norm, not by value",
    sentence="All gradients are multiplied with one number; by value each element is cut off at "
    "the limit by itself.",
    rule="d ← max(-c, min(d, c))",
    hints=(
        "Look at how the gradients are made smaller: each element by itself?",
        "All are multiplied with one number.",
        "Cut off each element: np.clip(d, -c, c).",
    ),
)
def _clipped_by_norm(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    clips = clips_by_value(anatomy)
    every = list(dict.fromkeys(at.d for at in clips))
    yield from _at_all(clips, lambda draft, at: _by_norm(draft, at, every))


@mistake(
    "clipped-one-by-one",
    title="each gradient is clipped by a norm of its own",
    sentence="The norm is that of all gradients together, as of one vector; here each array is "
    "clipped by itself, which turns the step.",
    rule=_RULE,
    hints=(
        "Of what is the norm taken?",
        "Each gradient is clipped by its own norm.",
        "Take one norm of all gradients, √(Σ over all arrays of Σ d²), and one factor for all.",
    ),
)
def _clipped_one_by_one(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    clips = clips_by_norm(anatomy)
    if len(clips) > 1:
        yield from _at_all(clips, lambda draft, at: _by_norm(draft, at, [at.d]))
