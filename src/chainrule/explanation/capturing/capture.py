"""explain: capture one training step, with every value that it computes."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib import metadata
from typing import Any

from chainrule.base.errors import ConfigurationError, DataError
from chainrule.explanation.capturing.accumulation import compose
from chainrule.explanation.capturing.objective import with_objective
from chainrule.explanation.capturing.words import spoken_by
from chainrule.explanation.trace import About, Trace
from chainrule.graph import Graph
from chainrule.nn import Module
from chainrule.nn.evaluation import InputTypes, float_dtype
from chainrule.optim import Optimizer
from chainrule.train.experiment import present_versions
from chainrule.train.reading import Reader
from chainrule.train.run import Moment
from chainrule.train.settings import Settings, float_name
from chainrule.train.setup import Data, Parts, prepare
from chainrule.train.state import initial_state
from chainrule.train.streams import StreamSource


def explain(
    what: Module | Moment,
    x: Any = None,
    y: Any = None,
    *,
    loss: Any = "MSELoss",
    optimizer: Optimizer | None = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    penalty: Any = None,
    backend: str = "auto",
    seed: int = 0,
    names: Mapping[str, Sequence[str]] | None = None,
) -> Trace:
    """Capture one training step as it is computed: forward pass, gradients, update.

    Parameters
    ----------
    what : Module or Moment
        A network, with `x` and `y`: the step that `fit` would make first on all of them as one
        batch. Or a step of a run, ``run.at(step)``, as it was made. Neither is changed.
    x, y : arrays
        As `fit` takes them.
    loss, optimizer, sample_weight, class_weight, penalty, backend, seed
        As `fit` takes them. An optimiser that has worked goes on from the state it has.
    names : mapping of str to sequence of str
        Names of single numbers, such as ``{"w5": ["2.weight[0, 0]"]}``.

    Returns
    -------
    Trace

    Raises
    ------
    ShapeError, TargetError, ConfigurationError
        As `fit` does.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> from chainrule import nn
    >>> net = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())
    >>> trace = cr.explain(net, np.ones((1, 2)), np.ones((1, 1)), loss=nn.QuadraticLoss())
    >>> trace["W1", 0, 1].gradient.caption.name
    'BP4'
    """
    if isinstance(what, Moment):
        options = (loss, optimizer, sample_weight, class_weight, penalty, backend, seed)
        _check_nothing_else((x, y, *options))
        return explain_moment(what, names or {})
    if not isinstance(what, Module):
        raise ConfigurationError(
            f"explain takes a network or a step of a run; got {type(what).__name__}",
            advice="Write cr.explain(net, x, y, loss=...) or cr.explain(run.at(0))",
        )
    with spoken_by("explain"):
        moment = first_step(
            what,
            x,
            y,
            loss=loss,
            optimizer=optimizer,
            sample_weight=sample_weight,
            class_weight=class_weight,
            penalty=penalty,
            backend=backend,
            seed=seed,
        )
    return explain_moment(moment, names or {})


def _check_nothing_else(given: Sequence[Any]) -> None:
    """Raise ConfigurationError where a step of a run is explained with options of another."""
    for value, (name, default) in zip(given, _defaults(), strict=False):
        if value is default or (isinstance(default, str | int) and value == default):
            continue
        raise ConfigurationError(
            f"explain got a step of a run, and {name} with it",
            advice="A step knows its data and all else: cr.explain(run.at(step))",
        )


@cache
def _defaults() -> list[tuple[str, Any]]:
    """What `explain` takes besides the network or the step, in its order."""
    parameters = list(inspect.signature(explain).parameters.values())
    return [(parameter.name, parameter.default) for parameter in parameters[1:]]


def first_step(
    net: Module,
    x: Any,
    y: Any,
    *,
    loss: Any,
    optimizer: Optimizer | None,
    sample_weight: Any,
    class_weight: Any,
    penalty: Any,
    backend: str,
    seed: int,
) -> Moment:
    """The step that `fit` would make first, all examples being one batch; nothing is changed."""
    settings = Settings(
        shuffle=False, seed=seed, dtype=float_name(float_dtype(net)), backend=backend
    )
    parts = Parts.of(net, loss, optimizer, None, penalty, settings)
    if (
        y is None
        and not hasattr(x, "__getitem__")
        and not callable(x)
        and not isinstance(x, Iterable)
    ):
        raise DataError(
            "explain reads arrays x and y, or an object with __len__ and __getitem__; got "
            f"{type(x).__name__}"
        )
    reader = Reader(parts.loss, InputTypes.of(parts.net), sample_weight, class_weight)
    data = Data.read(reader, x, y, None, settings)
    if isinstance(data.examples, StreamSource):
        raise ConfigurationError(
            "explain captures a step on examples that are there, and a generator gives them once",
            advice="Pass one of its batches: x, y = next(batches), then cr.explain(net, x, y)",
        )
    count = data.source.count if data.rows is None else len(data.rows)
    settings = replace(settings, batch_size=max(count, 1))
    setup = prepare(parts, data, settings)
    engine = setup.engine
    state = initial_state(engine.recipe, seed, accumulate=False)
    rows = engine.plan.batches(0, 0)
    return Moment(0, 0, rows, engine.rate.at(0, 0), state, engine)


def explain_moment(moment: Moment, names: Mapping[str, Sequence[str]]) -> Trace:
    """Capture a step of a run."""
    engine = moment.engine
    parts = moment.record_whole()
    if len(parts) == 1:
        graph = parts[0].graph
        values = list(parts[0].values.values())
    else:
        graph, values = compose(parts, engine.recipe.loss, engine.backend)
    graph, values = with_objective(graph, values, engine.backend.name)
    recipe = engine.recipe
    seed = moment.state.get("seed", ())
    about = About(
        computed_by=engine.backend.arithmetic,
        step=moment.step,
        epoch=moment.epoch,
        rows=tuple(int(row) for rows in moment.rows for row in rows),
        learning_rate=moment.learning_rate,
        seed=tuple(map(int, seed)),
        network=repr(recipe.net),
        loss=repr(recipe.loss),
        optimizer=repr(recipe.optimizer),
        is_rule=recipe.loss.is_rule,
        versions=dict(_versions()),
        lines=_lines(graph),
    )
    trace = Trace(
        graph, tuple(values), about, {name: tuple(parts) for name, parts in names.items()}
    )
    trace.names_of_places  # a name of nothing is refused now  # noqa: B018
    return trace


@cache
def _versions() -> Mapping[str, str]:
    """Of Python, and of every library that had a hand in the numbers."""
    found = present_versions()
    with suppress(metadata.PackageNotFoundError):  # it is not there on every platform
        found["llvmlite"] = metadata.version("llvmlite")
    return found


def _lines(graph: Graph) -> dict[str, str]:
    """The text of the user's lines, as far as their files can be read."""
    sources = (node.source for node in graph.nodes if node.source is not None)
    places = sorted({(source.file, source.line) for source in sources})
    texts = {f"{file}:{line}": linecache.getline(file, line).strip() for file, line in places}
    return {place: text for place, text in texts.items() if text}
