"""Mistakes in the step that follows the gradients: its sign, its memory, its decay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chainrule.explanation.checking.anatomy import Anatomy
from chainrule.explanation.checking.draft import Draft
from chainrule.explanation.checking.mistake import Change, everywhere_and_each, mistake
from chainrule.explanation.symbols import NEXT
from chainrule.ops import Value

_STEP = "w ← w - η ∂C/∂w"


@dataclass(frozen=True)
class Update:
    """The update of one parameter.

    Parameters
    ----------
    name : str
    w, d_w, after : int
        The parameter, its gradient, and what it becomes.
    where : str
    """

    name: str
    w: int
    d_w: int
    after: int
    where: str


def updates(anatomy: Anatomy) -> list[Update]:
    """The updates of a step."""
    names = anatomy.names
    return [
        Update(name, names[name], names[f"d_{name}"], names[NEXT + name], f"of {name}")
        for name in anatomy.parameters
        if names.get(NEXT + name, 0) >= anatomy.backward
    ]


@mistake(
    "ascent",
    title="the step goes up",
    sentence="The step is added to the weight, not subtracted: the loss grows.",
    rule=_STEP,
    hints=(
        "In which direction does the weight move {where}?",
        "The step has the wrong sign {where}.",
        "Subtract the step from the weight.",
    ),
)
def _ascent(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: Update) -> None:
        draft.change(at.after, lambda was: draft.at(at.w) * 2.0 - was)

    yield from everywhere_and_each(updates(anatomy), change)


@mistake(
    "no-update",
    title="no update is made",
    sentence="The weights after the step are those before it.",
    rule=_STEP,
    hints=(
        "What has changed {where}?",
        "Nothing has {where}: the step was never made, or its result was not kept.",
        "Write the result back: w -= η·d_w; and see that there is a whole batch to make a step of.",
    ),
)
def _no_update(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    yield from everywhere_and_each(
        updates(anatomy), lambda draft, at: draft.change(at.after, lambda _: draft.at(at.w))
    )


@mistake(
    "missing-learning-rate",
    title="the learning rate is missing",
    sentence="The whole gradient is subtracted, as if the learning rate were 1.",
    rule=_STEP,
    hints=(
        "Compare the size of the step with that of the gradient.",
        "The step is not multiplied by the learning rate.",
        "Subtract η·∂C/∂w.",
    ),
)
def _missing_learning_rate(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    rate = anatomy.names.get("lr")
    if rate is not None:
        yield "", lambda draft: draft.change(rate, lambda _: draft.given(1.0) * 1.0)


@mistake(
    "learning-rate-twice",
    title="the learning rate is multiplied in twice",
    sentence="The step has η² in it: the gradient was multiplied with the learning rate, and once "
    "more when it was subtracted.",
    rule=_STEP,
    hints=(
        "Compare the size of the step with that of the gradient.",
        "The step is multiplied by the learning rate twice.",
        "Multiply by η in one place: where the step is subtracted.",
    ),
)
def _learning_rate_twice(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    rate = anatomy.names.get("lr")
    if rate is not None:
        yield "", lambda draft: draft.change(rate, lambda was: was * was)


# --- what an optimiser remembers ------------------------------------------------------------------


@dataclass(frozen=True)
class Memory:
    """What an optimiser keeps of a kind, where it is put into the update with a factor.

    Parameters
    ----------
    scaled : tuple of int
        The products of factor and kept value, one for each parameter.
    where : str
    """

    scaled: tuple[int, ...]
    where: str


def memories(anatomy: Anatomy) -> Iterator[Memory]:
    """What the optimiser keeps, by kind: velocities, averages."""
    found: dict[str, list[int]] = {}
    for name, position in anatomy.names.items():
        _, colon, slot = name.partition(":")
        if not colon or name.startswith(NEXT) or anatomy.nodes[position].op != "input":
            continue
        if _holds_squares(anatomy, name):
            continue
        for user in anatomy.users.get(position, ()):
            node = anatomy.nodes[user]
            if node.op == "mul" and node.shape == anatomy.nodes[position].shape:
                found.setdefault(slot, []).append(user)
    for slot, scaled in found.items():
        yield Memory(tuple(scaled), f"({slot})")


def _holds_squares(anatomy: Anatomy, name: str) -> bool:
    """Whether what is kept is of squares: a size, no direction."""
    after = anatomy.names.get(NEXT + name)
    return after is not None and any(
        i >= anatomy.backward and anatomy.nodes[i].op == "square" for i in anatomy.above(after)
    )


@mistake(
    "momentum-sign",
    title="the momentum has the wrong sign",
    sentence="What is kept of the steps before is subtracted where it is to be added: it brakes.",
    rule="v ← μv + ∂C/∂w, w ← w - ηv",
    hints=(
        "Look at what the steps before add to this one {where}.",
        "Their part has the wrong sign {where}.",
        "Keep one sign for both: v = μv + g, w = w - ηv; or v = μv - ηg, w = w + v.",
    ),
)
def _momentum_sign(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    for at in memories(anatomy):
        yield at.where, lambda draft, at=at: _scaled(draft, at, -1.0)  # type: ignore[misc]


@mistake(
    "momentum-forgotten",
    title="the momentum is left out",
    sentence="What was kept of the steps before has no part in this one.",
    rule="v ← μv + ∂C/∂w, w ← w - ηv",
    hints=(
        "Look at what the steps before add to this one {where}.",
        "They add nothing {where}.",
        "Keep the velocity from step to step, and add μ times it to the gradient.",
    ),
)
def _momentum_forgotten(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    for at in memories(anatomy):
        yield at.where, lambda draft, at=at: _scaled(draft, at, 0.0)  # type: ignore[misc]


def _scaled(draft: Draft, at: Memory, factor: float) -> None:
    for position in at.scaled:
        draft.change(position, lambda was: was * factor)


def _corrections(anatomy: Anatomy) -> list[int]:
    """Where βᵗ is computed, t being the number of the step."""
    step = anatomy.names.get("step")
    if step is None:
        return []
    return [
        i
        for i in range(anatomy.backward, len(anatomy.nodes))
        if anatomy.nodes[i].op == "power" and anatomy.below[step] >> anatomy.nodes[i].inputs[1] & 1
    ]


@mistake(
    "missing-bias-correction",
    title="Adam's bias correction is missing",
    sentence="The averages begin at 0 and are too small at first; they are divided by 1 - βᵗ for "
    "that, and here they are not.",
    rule="m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ)   [Kingma and Ba 2015, algorithm 1]",
    hints=(
        "Look at the averages at the first steps: how large are they?",
        "They are not divided by 1 - βᵗ.",
        "Divide m by 1 - β₁ᵗ and v by 1 - β₂ᵗ, t being 1 at the first step.",
    ),
)
def _missing_bias_correction(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    found = _corrections(anatomy)

    def change(draft: Draft, positions: list[int]) -> None:
        for position in positions:
            draft.change(position, lambda was: was * 0.0)

    if found:
        yield "", lambda draft: change(draft, found)


@mistake(
    "bias-correction-from-zero",
    title="Adam counts its steps from 0",
    sentence="t is one too small in 1 - βᵗ: at the first step that is 0, and later the correction "
    "is too strong.",
    rule="m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ)   [Kingma and Ba 2015, algorithm 1]",
    hints=(
        "Look at the number of the step in the bias correction.",
        "It is one too small.",
        "Increase t before it is used: it is 1 at the first step.",
    ),
)
def _bias_correction_from_zero(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    found = _corrections(anatomy)

    def change(draft: Draft) -> None:
        for position in found:
            beta = draft.at(anatomy.nodes[position].inputs[0])
            draft.change(position, lambda was, beta=beta: was / beta)  # type: ignore[misc]

    if found:
        yield "", change


# --- decay ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Decay:
    """Where the weight itself has a part in its update.

    Parameters
    ----------
    of : Update
    node : int
        Coupled: the sum of the gradient and λw. Decoupled: (1 - ηλ)·w.
    term : int
        Coupled: λw. Decoupled: 1 - ηλ.
    is_coupled : bool
    where : str
    """

    of: Update
    node: int
    term: int
    is_coupled: bool
    where: str


def decays(anatomy: Anatomy) -> Iterator[Decay]:
    """The decays of a step."""
    rate = anatomy.names.get("lr")
    for of in updates(anatomy):
        for i in anatomy.users.get(of.w, ()):
            node = anatomy.nodes[i]
            if i < anatomy.backward or node.op != "mul" or len(set(node.inputs)) != 2:
                continue
            (factor,) = (j for j in node.inputs if j != of.w)
            if rate is not None and anatomy.below[rate] >> factor & 1:
                yield Decay(of, i, factor, False, of.where)
                continue
            for user in anatomy.users.get(i, ()):
                if anatomy.nodes[user].op == "add" and of.d_w in anatomy.nodes[user].inputs:
                    yield Decay(of, user, i, True, of.where)


@mistake(
    "decay-forgotten",
    title="the weight decay is left out",
    sentence="The update is that of the loss alone; the weight is to be made smaller with each "
    "step besides.",
    rule="w ← w - η (∂C/∂w + λw)",
    hints=(
        "What has a part in the update besides the gradient {where}?",
        "The decay λw is missing {where}.",
        "Add λ·w to the gradient (or multiply w by 1 - ηλ, where the decay is decoupled).",
    ),
)
def _decay_forgotten(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    def change(draft: Draft, at: Decay) -> None:
        without = at.of.d_w if at.is_coupled else at.of.w
        draft.change(at.node, lambda _: draft.at(without))

    yield from everywhere_and_each(decays(anatomy), change)


@mistake(
    "decay-on-bias",
    title="the weight decay is applied where there is none",
    sentence="The parameter has no weight decay; here it is made smaller like the others.",
    rule="w ← w - η (∂C/∂w + λw), b ← b - η ∂C/∂b",
    hints=(
        "What has a part in the update besides the gradient {where}?",
        "A decay has {where}, and there is to be none.",
        "Leave the biases out of the decay.",
    ),
)
def _decay_on_bias(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    found = list(decays(anatomy))
    if not found:
        return
    pattern = found[0]

    def change(draft: Draft, at: Update) -> None:
        strength = _strength(draft, pattern)
        if pattern.is_coupled:
            _couple(draft, at, strength)
        else:
            less = draft.at(anatomy.names["lr"]) * strength * draft.at(at.w)
            draft.change(at.after, lambda was: was - less)

    spared = [at for at in updates(anatomy) if at not in [each.of for each in found]]
    yield from everywhere_and_each(spared, change)


@mistake(
    "decay-decoupled",
    title="the weight decay is decoupled",
    sentence="The weight is made smaller beside the step, as AdamW does it; here λw is to be added "
    "to the gradient, so that it goes through the optimiser.",
    rule="g = ∂C/∂w + λw   [Loshchilov and Hutter 2019, algorithm 2, line 6]",
    hints=(
        "Where does the decay come in?",
        "It is subtracted from the weight, and is to be a part of the gradient.",
        "Add λ·w to the gradient before the optimiser sees it.",
    ),
)
def _decay_decoupled(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    coupled = [at for at in decays(anatomy) if at.is_coupled]

    def change(draft: Draft) -> None:
        for at in coupled:
            less = draft.at(anatomy.names["lr"]) * draft.at(at.term)
            draft.change(at.node, lambda _, at=at: draft.at(at.of.d_w))  # type: ignore[misc]
            draft.change(at.of.after, lambda was, less=less: was - less)  # type: ignore[misc]

    if coupled and "lr" in anatomy.names:
        yield "", change


@mistake(
    "decay-coupled",
    title="the weight decay is coupled",
    sentence="λw is added to the gradient, so that it goes through the optimiser; here the weight "
    "is to be made smaller beside the step, as AdamW does it.",
    rule="w ← (1 - ηλ)·w - η·step   [Loshchilov and Hutter 2019, algorithm 2, line 12]",
    hints=(
        "Where does the decay come in?",
        "It is a part of the gradient, and is to be subtracted from the weight.",
        "Multiply the weight by 1 - ηλ, and leave the gradient as it is.",
    ),
)
def _decay_coupled(anatomy: Anatomy) -> Iterator[tuple[str, Change]]:
    decoupled = [at for at in decays(anatomy) if not at.is_coupled]

    def change(draft: Draft) -> None:
        for at in decoupled:
            _couple(draft, at.of, _strength(draft, at))
            draft.change(at.node, lambda _, at=at: draft.at(at.of.w))  # type: ignore[misc]

    if decoupled:
        yield "", change


def _strength(draft: Draft, at: Decay) -> Value:
    """λ."""
    if at.is_coupled:
        (factor,) = (j for j in draft.anatomy.nodes[at.term].inputs if j != at.of.w)
        return draft.at(factor)
    return (1.0 - draft.at(at.term)) / draft.at(draft.anatomy.names["lr"])


def _couple(draft: Draft, at: Update, strength: Value) -> None:
    """Let the update see g + λw in the place of the gradient g."""
    anatomy = draft.anatomy
    seen = draft.at(at.d_w) + strength * draft.at(at.w)
    users = [i for i in anatomy.users.get(at.d_w, ()) if i >= anatomy.backward]
    draft.redirect(at.d_w, seen, users)
