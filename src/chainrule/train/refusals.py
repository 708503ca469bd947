"""Refuse, with the reason, training that could never do anything."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

from chainrule.base.errors import ChainruleError, ConfigurationError, TrainingError
from chainrule.nn import Module
from chainrule.nn.measures import Measures
from chainrule.optim import MINIMIZERS, Optimizer
from chainrule.train.plan import Plan


def check_instance(option: str, value: object, kind: type | tuple[type, ...], example: str) -> None:
    """Raise ConfigurationError unless an argument of `fit` is an object of its kind.

    Parameters
    ----------
    option : str
        The argument's name.
    value : object
    kind : type, or tuple of types
    example : str
        What a user could write.
    """
    if isinstance(value, kind):
        return
    named = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
    if inspect.isclass(value) and issubclass(value, kind):
        got = f"the class {value.__name__} itself"
        example = f"{value.__name__}(...)"
    else:
        got = repr(value) if isinstance(value, str) else type(value).__name__
    raise ConfigurationError(
        f"fit takes {option} as {named}; got {got}", advice=f"Write {option}={example}"
    )


def check_optimizer(optimizer: object) -> None:
    """Raise ConfigurationError unless it updates by steps, and not by whole minimisations."""
    kind = type(optimizer)
    if kind in MINIMIZERS.values():
        raise ConfigurationError(
            f"fit updates batch by batch; {kind.__name__} minimises a function of all examples",
            advice=f"Call {kind.__name__}(...).minimize(f, net), f being the loss of all examples",
        )
    check_instance("optimizer", optimizer, Optimizer, "optim.SGD(lr=0.01)")


@contextmanager
def concerning(place: str) -> Iterator[None]:
    """Let errors inside say that they are about `place`, such as the validation data."""
    try:
        yield
    except ChainruleError as error:
        error.where = f"{place}, {error.where}" if error.where else place
        raise


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


def check_measurable(measures: Measures, *, is_watched: bool) -> None:
    """Raise ConfigurationError if a metric needs a whole set to be evaluated on, and there is none.

    Parameters
    ----------
    measures : Measures
    is_watched : bool
        Whether there is validation data.
    """
    names = list(measures.of_all)
    if names and not is_watched:
        raise ConfigurationError(
            f"The metric {names[0]} is of all examples at once, and training sees them batch by "
            "batch: it is evaluated on validation data, and there is none",
            advice="Pass validation=(x, y) or validation_split=0.2; or leave it out, and ask "
            f'net.evaluate(x, y, metrics=["{names[0]}"]) when training is over',
        )
