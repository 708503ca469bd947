"""Experiment: what a run folder says of its run, and whether a replay is of the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import msgspec
import numpy as np

from chainrule.base.errors import ConfigurationError, FileFormatError, ReplayError
from chainrule.base.fingerprint import fingerprint
from chainrule.base.registry import Registry
from chainrule.eager.tensor import Array
from chainrule.nn import LOSSES, Module
from chainrule.nn.description import describe
from chainrule.nn.penalties import PENALTIES
from chainrule.optim import OPTIMIZERS, SCHEDULES
from chainrule.train.arrays import class_weight_pairs
from chainrule.train.callbacks import CALLBACKS, Callback
from chainrule.train.engine import Engine
from chainrule.train.settings import Settings
from chainrule.train.setup import Data, Parts, Setup
from chainrule.train.sources import Source, name_columns, row_type
from chainrule.train.streams import StreamSource

FORMAT = "chainrule-run-2"


@dataclass(frozen=True)
class Named:
    """A loss, an optimiser, a schedule or a callback, by its name.

    Parameters
    ----------
    name : str
    options : mapping or None
        What it was made with; None where it is not registered, so that no file can make it.
    """

    name: str
    options: dict[str, Any] | None = None

    @classmethod
    def of(cls, thing: Any, registry: Registry[Any]) -> Named:
        """Name a thing."""
        name = type(thing).__name__
        if name in registry and registry.get(name) is type(thing):
            # As a file gives it back: JSON has no tuples.
            return cls(name, msgspec.json.decode(msgspec.json.encode(thing.configuration())))
        function = getattr(thing, "function", None)
        return cls(getattr(function, "__name__", name))

    def __str__(self) -> str:
        if self.options is None:
            return self.name
        shown = ", ".join(f"{key}={value!r}" for key, value in self.options.items())
        return f"{self.name}({shown})"


@dataclass(frozen=True)
class DataRecord:
    """What is remembered of examples.

    Parameters
    ----------
    examples : int
    types : mapping of str to str
        Of a row of each input, and of the target.
    fingerprint : str
    """

    examples: int
    types: dict[str, str]
    fingerprint: str

    @classmethod
    def of(cls, source: Source) -> DataRecord:
        """Remember a source."""
        inputs, target = source.batch_types(1)
        types = {name: row_type(kind) for name, kind in name_columns(inputs).items()}
        types["target"] = row_type(target)
        if source.weighted:
            types["sample_weight"] = "weights"
        return cls(source.count, types, source.fingerprint())


@dataclass(frozen=True)
class Experiment:
    """What a run was made of.

    Parameters
    ----------
    format : str
    versions : mapping of str to str
        Of chainrule, NumPy and Python.
    settings : Settings
    net : mapping or None
        The architecture; None for a network with modules of one's own.
    parameters : mapping of str to str
        Types of the parameters and buffers, by path.
    loss, optimizer : Named
    schedule : Named or None
    callbacks : sequence of Named
    data : DataRecord or None
        None where the examples came from a generator.
    validation : DataRecord or None
        Of validation examples that were given.
    class_weight : sequence of (int, float), or None
    captured : mapping of str to str
        Hashes of arrays that the network uses and that are no parameters.
    origin : object
        Whatever the caller wants to find again.
    penalties : sequence of Named
    computed_by : str
        The backend, and how it adds up products.
    """

    format: str
    versions: dict[str, str]
    settings: Settings
    net: dict[str, Any] | None
    parameters: dict[str, str]
    loss: Named
    optimizer: Named
    schedule: Named | None
    callbacks: list[Named]
    data: DataRecord | None
    validation: DataRecord | None
    class_weight: list[tuple[int, float]] | None
    captured: dict[str, str]
    origin: Any = None
    penalties: list[Named] = field(default_factory=list)
    computed_by: str = "numpy"

    @classmethod
    def of(
        cls,
        setup: Setup,
        callbacks: Sequence[Callback],
        class_weight: Any = None,
        origin: Any = None,
    ) -> Experiment:
        """Describe a training that is ready to begin."""
        parts, data = setup.parts, setup.data
        return cls(
            format=FORMAT,
            versions=present_versions(),
            settings=setup.settings,
            net=describe(parts.net),
            parameters=_types(parts.net),
            loss=Named.of(parts.loss, LOSSES),
            optimizer=Named.of(parts.optimizer, OPTIMIZERS),
            schedule=_schedule(parts),
            callbacks=[Named.of(callback, CALLBACKS) for callback in callbacks],
            data=_record(data.examples),
            validation=_record(data.given),
            class_weight=None if class_weight is None else class_weight_pairs(class_weight),
            captured=_hashes(setup.engine.steps[0].captured),
            origin=origin,
            penalties=_penalties(parts),
            computed_by=setup.engine.backend.arithmetic,
        )

    def to_json(self) -> bytes:
        """Write it for people to read, too.

        Raises
        ------
        ConfigurationError
            If JSON cannot hold it.
        """
        try:
            return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"
        except TypeError as error:
            raise ConfigurationError(
                f"What the run is made of cannot be written as JSON: {error}",
                advice="Keep text, numbers, lists and dicts in origin",
            ) from None

    @classmethod
    def from_json(cls, text: bytes, where: str) -> Experiment:
        """Read what `to_json` wrote.

        Raises
        ------
        FileFormatError
            If it is malformed.
        ReplayError
            If it is of another version of the format.
        """
        try:
            found = msgspec.json.decode(text, type=dict[str, Any]).get("format")
            if found != FORMAT:
                raise ReplayError(
                    f"{where} has the format {found!r}; this version of chainrule reads {FORMAT!r}",
                    advice="Use the version that made it",
                )
            return msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise FileFormatError(f"{where} cannot be read: {error}") from None


def check_same_parts(recorded: Experiment, parts: Parts, where: str) -> None:
    """Raise ReplayError, naming the first difference, unless a run was made of these parts."""
    types = _types(parts.net)
    for path in [*recorded.parameters, *types]:
        before, now = (each.get(path, "not there") for each in (recorded.parameters, types))
        if before != now:
            raise _other("network", where, f"{path} was {before}, and is {now}")
    if recorded.net != describe(parts.net):
        raise _other("network", where, "its layers differ")
    named = (
        ("loss", recorded.loss, Named.of(parts.loss, LOSSES)),
        ("optimizer", recorded.optimizer, Named.of(parts.optimizer, OPTIMIZERS)),
        ("schedule", recorded.schedule, _schedule(parts)),
    )
    for what, was, found in named:
        if was != found:
            raise _other(what, where, f"it was {was or 'none'}, and is {found or 'none'}")
    if recorded.penalties != _penalties(parts):
        before, now = (
            " and ".join(map(str, penalties)) or "none"
            for penalties in (recorded.penalties, _penalties(parts))
        )
        raise _other("penalty", where, f"it was {before}, and is {now}")


def check_same_data(recorded: Experiment, data: Data, where: str) -> None:
    """Raise ReplayError, saying how they differ, unless a run was trained on these examples."""
    _compare("data", recorded.data, _record(data.examples), where)


def check_same_validation(recorded: Experiment, data: Data, where: str) -> None:
    """Raise ReplayError unless a run was validated on these examples."""
    if recorded.validation is not None and data.given is None:
        raise ReplayError(
            f"The run was validated on {recorded.validation.examples} examples of their own",
            where=f"Run {where}",
            advice="Pass them again: validation=(x, y)",
        )
    _compare("validation data", recorded.validation, _record(data.given), where)


def check_same_step(recorded: Experiment, graph: str, engine: Engine, where: str) -> None:
    """Raise ReplayError, with the first line that differs, unless a run took these steps.

    Parameters
    ----------
    recorded : Experiment
    graph : str
        The run's step.graph.
    engine : Engine
    where : str
        The run folder.
    """
    lines = zip_longest(graph.splitlines(), engine.text().splitlines(), fillvalue="")
    for number, (before, now) in enumerate(lines, 1):
        if before != now:
            raise ReplayError(
                "The network or the loss computes something else than in the run: line "
                f'{number} of step.graph was "{before.strip()}", and is "{now.strip()}"',
                where=f"Run {where}",
            )
    present = _hashes(engine.steps[0].captured)
    for name, value in recorded.captured.items():
        if present.get(name) != value:
            raise _other("network", where, f"an array that it uses, {name}, has other numbers")


def _compare(what: str, before: DataRecord | None, now: DataRecord | None, where: str) -> None:
    if before == now:
        return
    if before is None or now is None:
        raise _other(what, where, f"it had {'none' if before is None else 'some'}")
    if before.types != now.types:
        raise _other(what, where, f"it was {_listed(before.types)}, and is {_listed(now.types)}")
    if before.examples != now.examples:
        raise _other(what, where, f"it had {before.examples} examples, and has {now.examples}")
    raise _other(what, where, "its numbers differ")


def _other(what: str, where: str, difference: str) -> ReplayError:
    return ReplayError(f"The {what} is not that of the run: {difference}", where=f"Run {where}")


def _record(source: Source | StreamSource | None) -> DataRecord | None:
    return DataRecord.of(source) if isinstance(source, Source) else None


def _schedule(parts: Parts) -> Named | None:
    return None if parts.schedule is None else Named.of(parts.schedule, SCHEDULES)


def _penalties(parts: Parts) -> list[Named]:
    return [Named.of(penalty, PENALTIES) for penalty in parts.penalties]


def _types(net: Module) -> dict[str, str]:
    """Types of the parameters and buffers, by path, and which of them are frozen."""
    frozen = {path for path, p in net.named_parameters() if not p.requires_grad}
    variables = [*net.named_parameters(), *net.named_buffers()]
    return {path: f"{v.type}{' frozen' if path in frozen else ''}" for path, v in variables}


def present_versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    # Slow to import, and asked for where a run is kept.
    import platform
    from importlib.metadata import version

    return {
        "chainrule": version("chainrule"),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _listed(types: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in types.items())


def _hashes(arrays: Mapping[str, Array]) -> dict[str, str]:
    return {name: fingerprint({name: array}) for name, array in arrays.items()}
