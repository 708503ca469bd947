"""Metrics by name: how a name with an argument is read, and what is known of a name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

import numpy as np

from chainrule.base.errors import ConfigurationError, NameNotFoundError
from chainrule.eager import as_tensor
from chainrule.eager.tensor import Array
from chainrule.nn.losses.loss import Loss
from chainrule.nn.metrics.metric import METRICS, Definition, Maker, Metric, as_metric

Argument = int | str

_NUMBER = re.compile(r"(?<=[-_ ])\d+(?=[-_ ]|$)")
_WORD = re.compile(r"[-_ ]([^-_ ]+)$")
_VALIDATION = "val_"


def split_argument(name: str) -> tuple[str, Argument]:
    """Split a name into that of all metrics of its kind and its argument.

    Examples
    --------
    >>> split_argument("top_3_accuracy"), split_argument("f1_macro")
    (('top_k_accuracy', 3), ('f1', 'macro'))
    """
    if number := _NUMBER.search(name):
        return f"{name[: number.start()]}k{name[number.end() :]}", int(number[0])
    word = _WORD.search(name)
    return (name[: word.start()], word[1]) if word else (name, "")


def with_argument(general: str, argument: Argument) -> Definition | None:
    """The metric of a kind with this argument; None if there is no such kind that takes one.

    Raises
    ------
    ConfigurationError
        If it takes another.
    """
    if general not in METRICS or argument == "":
        return None
    found: Any = METRICS[general]
    if not _arguments(found):
        return None
    made: Definition = found(argument)
    return made


def find_metric(metric: str | Definition) -> Maker:
    """Return a metric by its name; one that is given is returned itself.

    Raises
    ------
    NameNotFoundError
        If no metric has this name.
    ConfigurationError
        If it lacks its argument, or has one that it cannot have.
    """
    if isinstance(metric, Definition):
        return metric
    found = _found(metric)
    if found is None:
        raise NameNotFoundError.among(METRICS.kind, metric, METRICS)
    return found


def _found(name: Any) -> Maker | None:
    if name not in METRICS:
        return with_argument(*split_argument(name)) if isinstance(name, str) else None
    found = METRICS[name]
    if any(argument.default is MISSING for argument in _arguments(found)):
        example = with_argument(name, 3)
        raise ConfigurationError(
            f"The metric {name} takes a number in the place of k",
            advice=f'Write "{example.name}"' if example else None,
        )
    return found() if isinstance(found, type) else found


def _arguments(found: Any) -> tuple[Field[Any], ...]:
    """The fields of a definition that takes arguments."""
    return fields(found) if is_dataclass(found) and isinstance(found, type) else ()


def metric_names(metrics: Sequence[str | Definition] | str | Definition) -> tuple[str, ...]:
    """The names of metrics: what histories and files know them by.

    Raises
    ------
    ConfigurationError
        If one is no metric, or is not registered.
    """
    given = (metrics,) if isinstance(metrics, str | Definition) else tuple(metrics)
    return tuple(_name_of(metric) for metric in given)


def _name_of(metric: Any) -> str:
    if isinstance(metric, str):
        return metric
    if isinstance(metric, Definition):
        return metric.name
    shown = metric.__name__ if hasattr(metric, "__name__") else repr(metric)
    raise ConfigurationError(
        f"A metric is given by its name, or as one of nn.metrics; got {shown}",
        advice='Register your own: nn.METRICS.register("name", ...); `nn.metrics` says how',
    )


def is_share(name: str) -> bool:
    """Whether a value of a history, by its name, is a part of a whole, shown in percent."""
    return _fact(name, "is_share")


def larger_is_better(name: str) -> bool:
    """Whether a value of a history, by its name, is a metric of which more is better."""
    return _fact(name, "larger_is_better")


def _fact(name: str, fact: str) -> bool:
    try:
        return bool(getattr(_found(name.removeprefix(_VALIDATION)), fact, False))
    except ConfigurationError:  # as good as no metric's name
        return False


def make_metric(metric: str | Definition, loss: Loss, target: Array) -> Metric:
    """Return a metric for outputs of this loss beside targets like these.

    Parameters
    ----------
    metric : str or Definition
    loss : Loss
    target : array of shape (N, ...)
        As the loss prepares them: which values they take decides what counts as a class.

    Raises
    ------
    NameNotFoundError
        If no metric has this name.
    TargetError
        If it has no meaning for these targets.
    """
    name = metric if isinstance(metric, str) else metric.name
    return as_metric(name, find_metric(metric)(loss, counted_targets(loss, target)))


def counted_targets(loss: Loss, target: Array) -> Array:
    """The targets of the examples that a loss does not ignore."""
    counted = loss.counted(as_tensor(target))
    return target if counted is None else target[np.asarray(counted.numpy())]
