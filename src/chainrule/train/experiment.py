"""Experiment: what a run folder says of its run, and whether a replay is of the same."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import msgspec
import numpy as np

from chainrule.base.errors import FileFormatError, ReplayError
from chainrule.base.registry import Registry
from chainrule.eager.tensor import Array
from chainrule.nn import LOSSES
from chainrule.nn.description import describe
from chainrule.optim import OPTIMIZERS, SCHEDULES
from chainrule.train.arrays import class_weight_pairs
from chainrule.train.callbacks import CALLBACKS, Callback
from chainrule.train.settings import Settings
from chainrule.train.setup import Setup
from chainrule.train.sources import Source

FORMAT = "chainrule-run-1"


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
            return cls(name, msgspec.to_builtins(thing.configuration()))
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
        names = [name for name in source.names() if name not in ("target", "sample_weight")]
        types = {name: str(kind) for name, kind in zip(names, inputs, strict=True)}
        types["target"] = str(target)
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

    @classmethod
    def of(cls, setup: Setup, callbacks: Sequence[Callback], origin: Any = None) -> Experiment:
        """Describe a training that is ready to begin."""
        net, weights = setup.net, setup.class_weight
        variables = [*net.named_parameters(), *net.named_buffers()]
        frozen = {path for path, p in net.named_parameters() if not p.requires_grad}
        given = setup.held_out if setup.settings.validation_split is None else None
        return cls(
            format=FORMAT,
            versions=present_versions(),
            settings=setup.settings,
            net=describe(net),
            parameters={
                path: f"{variable.type}{' frozen' if path in frozen else ''}"
                for path, variable in variables
            },
            loss=Named.of(setup.recipe.loss, LOSSES),
            optimizer=Named.of(setup.recipe.optimizer, OPTIMIZERS),
            schedule=None if setup.schedule is None else Named.of(setup.schedule, SCHEDULES),
            callbacks=[Named.of(callback, CALLBACKS) for callback in callbacks],
            data=DataRecord.of(setup.examples) if isinstance(setup.examples, Source) else None,
            validation=None if given is None else DataRecord.of(given),
            class_weight=None if weights is None else class_weight_pairs(weights),
            captured=_hashes(setup.engine.steps[0].captured),
            origin=origin,
        )

    def to_json(self) -> bytes:
        """Write it for people to read, too."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

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


def check_same(recorded: Experiment, present: Experiment, where: str) -> None:
    """Raise ReplayError, naming the first difference, unless both are of one run.

    Parameters
    ----------
    recorded : Experiment
    present : Experiment
        With the same settings.
    where : str
        The run folder.
    """
    _same_variables(recorded.parameters, present.parameters, where)
    for part in ("net", "loss", "optimizer", "schedule"):
        before, now = getattr(recorded, part), getattr(present, part)
        if before != now and None not in (before, now):
            what = "network" if part == "net" else part
            told = "" if part == "net" else f": it was {before}, and is {now}"
            raise ReplayError(f"The {what} is not that of the run{told}", where=f"Run {where}")
        if (before is None) != (now is None):
            what = "network" if part == "net" else part
            raise ReplayError(
                f"The {what} is not that of the run: it was {before}, and is {now}",
                where=f"Run {where}",
            )
    _same_data("data", recorded.data, present.data, where)
    for name, value in recorded.captured.items():
        if present.captured.get(name) != value:
            raise ReplayError(
                f"An array that the network uses, {name}, has other numbers than in the run",
                where=f"Run {where}",
            )


def check_validation(recorded: Experiment, present: Experiment, where: str) -> None:
    """Raise ReplayError unless both are validated on the same examples."""
    if recorded.validation is not None and present.validation is None:
        raise ReplayError(
            f"The run was validated on {recorded.validation.examples} other examples",
            where=f"Run {where}",
            advice="Pass them again: validation=(x, y)",
        )
    _same_data("validation data", recorded.validation, present.validation, where)


def _same_variables(before: Mapping[str, str], now: Mapping[str, str], where: str) -> None:
    for path in [*before, *now]:
        if before.get(path) != now.get(path):
            raise ReplayError(
                f"The network is not that of the run: {path} was {before.get(path, 'not there')}, "
                f"and is {now.get(path, 'not there')}",
                where=f"Run {where}",
            )


def _same_data(what: str, before: DataRecord | None, now: DataRecord | None, where: str) -> None:
    if before == now:
        return
    told = "its numbers differ"
    if before is None or now is None:
        told = f"the run had {'none' if before is None else 'some'}"
    elif before.types != now.types:
        told = f"it was {_listed(before.types)}, and is {_listed(now.types)}"
    elif before.examples != now.examples:
        told = f"it had {before.examples} examples, and has {now.examples}"
    raise ReplayError(f"The {what} is not that of the run: {told}", where=f"Run {where}")


def check_same_graph(recorded: str, present: str, where: str) -> None:
    """Raise ReplayError, with the first line that differs, unless the steps are the same."""
    if recorded == present:
        return
    before, now = recorded.splitlines(), present.splitlines()
    length = max(len(before), len(now))
    padded = zip(before + [""] * length, now + [""] * length, strict=False)
    number, (old, new) = next((i, pair) for i, pair in enumerate(padded, 1) if pair[0] != pair[1])
    raise ReplayError(
        "The network or the loss computes something else than in the run: line "
        f'{number} of step.graph was "{old.strip()}", and is "{new.strip()}"',
        where=f"Run {where}",
    )


def present_versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    return {
        "chainrule": version("chainrule"),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _listed(types: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in types.items())


def _hashes(arrays: Mapping[str, Array]) -> dict[str, str]:
    return {
        name: hashlib.blake2b(np.ascontiguousarray(a).data, digest_size=16).hexdigest()
        for name, a in arrays.items()
    }
