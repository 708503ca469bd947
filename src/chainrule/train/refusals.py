"""Refuse, with the reason, training that could never do anything."""

from __future__ import annotations

from chainrule.base.errors import ConfigurationError, TrainingError
from chainrule.nn import Module
from chainrule.train.plan import Plan


def check_counts(batch_size: int, epochs: int, accumulate: int) -> None:
    """Raise ConfigurationError unless each is a whole number above zero (epochs: not below)."""
    named = (("batch_size", batch_size, 1), ("epochs", epochs, 0), ("accumulate", accumulate, 1))
    for name, value, least in named:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ConfigurationError(f"{name} is an integer ≥ {least}; got {value!r}")


def check_plan(plan: Plan) -> None:
    """Raise TrainingError if an epoch has no update."""
    if plan.updates_per_epoch:
        return
    examples = plan.batch_size * plan.accumulate
    made_of = (
        f"{plan.accumulate} batches of {plan.batch_size}"
        if plan.accumulate > 1
        else f"a batch of {plan.batch_size}"
    )
    raise TrainingError(
        f"No update would ever happen: an update takes {made_of}, there are {plan.count} "
        "examples, and drop_last=True leaves out what does not fill one",
        advice=f"Use batch_size ≤ {max(plan.count // plan.accumulate, 1)}, or drop_last=False"
        if examples > plan.count
        else None,
    )


def check_trainable(net: Module) -> None:
    """Raise TrainingError if the network has nothing to train."""
    parameters = dict(net.named_parameters())
    if not parameters:
        raise TrainingError(
            "The network has no parameters, so there is nothing to train",
            advice="Assign layers as attributes in __init__: self.linear = nn.Linear(...)",
        )
    if not any(p.requires_grad for p in parameters.values()):
        raise TrainingError(
            f"All {len(parameters)} parameters are frozen (requires_grad=False), so no update "
            "would ever happen",
            advice="Set requires_grad=True on those that should train",
        )
