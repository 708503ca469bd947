"""What holds a network back: too much of a remedy, or too little of a network."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.explanation.diagnosing.costs import costs
from chainrule.explanation.diagnosing.evidence import Evidence
from chainrule.explanation.diagnosing.finding import LIKELY, POSSIBLE
from chainrule.explanation.diagnosing.linear import is_linear, is_structural, narrowest
from chainrule.explanation.diagnosing.rule import Found, rule
from chainrule.explanation.diagnosing.variants import decay_of, drop_share


@rule(
    "penalty-too-strong",
    severity="warning",
    needs="trials",
    looks_for="A penalty or weight decay so strong that the network cannot leave 0.",
    fix="Make it weaker: 1e-4 is a usual beginning.",
    explains=(
        "vanishing-gradient",
        "class-collapse",
        "too-few-units",
        "dead-units",
        "learning-rate-too-small",
        "learning-rate-too-large",
    ),
)
def _penalty_too_strong(evidence: Evidence) -> Iterator[Found]:
    case = evidence.case
    assert case.engine is not None
    decay = decay_of(case.optimizer)
    penalties = case.engine.recipe.penalties
    if not decay and not penalties:
        return
    skill, free = evidence.skill(), evidence.skill("penalties")
    if skill is None or free is None or free - skill < 0.2:
        return
    told = [repr(p) for p in penalties] + ([f"weight_decay={decay:g}"] if decay else [])
    yield Found(
        f"{' and '.join(told)} keeps the network from learning",
        (
            f"after {evidence.updates} trial steps {evidence.skill_is} is {skill:.3f}",
            f"after the same steps without it {free:.3f}",
        ),
        where="optimizer" if decay else "penalty",
        confidence=LIKELY,
    )


@rule(
    "dropout-too-strong",
    severity="warning",
    needs="trials",
    looks_for="Dropout of so many units that too little is left to learn with.",
    fix="Drop less: 0.5 of hidden units and 0.2 of inputs are usual.",
    explains=("class-collapse", "too-few-units", "learning-rate-too-small"),
    source="Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov 2014, section 7.3",
)
def _dropout_too_strong(evidence: Evidence) -> Iterator[Found]:
    shares = [
        (path, share)
        for path, module in evidence.case.net.named_modules()
        if (share := drop_share(module)) > 0
    ]
    if not shares:
        return
    path, share = max(shares, key=lambda pair: pair[1])
    if share <= 0.5 and (not evidence.case.steps or evidence.does_well):
        return  # half of the units slows a training down, and seldom keeps it from its end
    skill, free = evidence.skill(), evidence.skill("dropout")
    if skill is None or free is None or free - skill < (0.1 if share > 0.5 else 0.3):
        return
    yield Found(
        f"Dropout of {share:.0%} leaves {1 - share:.0%} of the units to learn with",
        (
            f"after {evidence.updates} trial steps {evidence.skill_is} is {skill:.3f}",
            f"after the same steps without dropout it is {free:.3f}",
        ),
        where=path,
        confidence=LIKELY,
    )


@rule(
    "too-few-units",
    severity="warning",
    needs="run",
    looks_for="A trained network that says less of its own examples than their neighbours do.",
    fix="Give it more units or layers, with an activation between any two.",
    explains=("class-collapse",),
)
def _too_few_units(evidence: Evidence) -> Iterator[Found]:
    history = evidence.case.history
    losses = [] if history is None else history.get("loss", [])
    if len(losses) < 5 or losses[-1] < 0.95 * losses[-max(len(losses) // 4, 2)]:
        return  # it is still on its way
    mine = evidence.performance
    if mine is None or mine > 0.8:
        return
    near = evidence.neighbours_say
    if near is None or near < 0.3 or near - mine < 0.2:
        return
    if _costs_no_more(evidence):
        return  # what the loss asks for is not what the neighbours' mean says
    further = evidence.skill("onward") if evidence.has_trials else None
    if further is not None and further - mine > 0.05:
        return
    matrices = [s for s in evidence.slopes if s.value.ndim == 2]
    narrow = narrowest(evidence)
    if not evidence.hidden and len(matrices) > 1 and is_linear(evidence):
        why = (
            f"{len(matrices)} layers follow each other without an activation: together they are "
            "one linear layer"
        )
    elif matrices[:-1]:
        why = f"the narrowest hidden layer has {narrow} unit{'s' if narrow > 1 else ''}"
    else:
        why = "it has no hidden layer: what it computes is linear"
    quarter = losses[-max(len(losses) // 4, 2)]
    yield Found(
        f"The network says less than it could: {evidence.skill_is} is {mine:.3f}",
        (
            f"the {near_count(evidence)} nearest examples say {near:.3f} of each other's targets",
            (
                f"in the last quarter of the training the loss went from {quarter:.4g} to "
                f"{losses[-1]:.4g}: it has come as far as it comes"
            ),
            why,
        ),
        where="network",
        confidence=POSSIBLE,
        explains=None if is_structural(evidence) else (),
    )


def _costs_no_more(evidence: Evidence) -> bool:
    """Whether its answers cost no more than the means of the nearest's targets would."""
    if evidence.values is None or evidence.outputs is None or evidence.neighbours is None:
        return False
    assert evidence.arrays is not None
    target = evidence.arrays.target[evidence.sampled]
    said = evidence.values[evidence.sampled][evidence.neighbours.nearest].mean(axis=1)
    if said.size != evidence.outputs.size or evidence.case.loss.outputs != "values":
        return False
    near = said.reshape(evidence.outputs.shape).astype(evidence.outputs.dtype)
    mine, theirs = costs(evidence, evidence.outputs, target), costs(evidence, near, target)
    return mine is not None and theirs is not None and float(mine.mean()) <= float(theirs.mean())


def near_count(evidence: Evidence) -> int:
    """How many neighbours are asked."""
    assert evidence.neighbours is not None
    return int(evidence.neighbours.nearest.shape[1])
