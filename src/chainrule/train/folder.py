"""A run folder: what it takes to resume a run and to replay it, in files that survive.

::

    runs/a/
      experiment.json        what the run was made of
      step.graph             what one update computes
      initial.safetensors    where it began
      snapshots/             where it stood later: step-00001234.safetensors
      history.jsonl          one line for each epoch
      model.safetensors      the network at the end
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from chainrule.base.errors import ConfigurationError, FileFormatError, ReplayError
from chainrule.base.files import (
    LEFT_BEHIND,
    append_line,
    read_lines,
    read_tensors,
    write_durably,
    write_tensors,
)
from chainrule.eager.tensor import Array
from chainrule.nn import Module, save
from chainrule.train.experiment import Experiment
from chainrule.train.history import History
from chainrule.train.lock import locked
from chainrule.train.snapshots import Position, Standing, superfluous

EXPERIMENT = "experiment.json"
GRAPH = "step.graph"
INITIAL = "initial.safetensors"
SNAPSHOTS = "snapshots"
HISTORY = "history.jsonl"
MODEL = "model.safetensors"
LOCK = "lock"

_NAME = re.compile(r"step-(\d{8,})\.safetensors")
_CALLBACK = "~"
"""What begins the names of callbacks' arrays; no path of a parameter does."""


class RunFolder:
    """A folder that holds a run.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written: list[str] | None = None
        """The lines of the history, where it is known what the file holds."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Train in it; another process cannot, meanwhile."""
        with locked(self.path / LOCK):
            self._sweep()
            yield

    # --- the beginning -----------------------------------------------------------------------

    @classmethod
    def new(cls, path: str | Path) -> RunFolder:
        """Make a folder for a new run.

        Raises
        ------
        ConfigurationError
            If there is a run in it, or anything else.
        """
        folder = cls(Path(path))
        if folder.path.exists() and not folder.path.is_dir():
            raise ConfigurationError(f"{path} is a file, not a folder to keep a run in")
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.check_unused()
        return folder

    def check_unused(self) -> None:
        """Raise ConfigurationError if there is a run in the folder, or anything that is not ours.

        What a training leaves that was cut off before its first step does not count.
        """
        found = {entry.name for entry in self.path.iterdir()}
        if EXPERIMENT in found:
            raise ConfigurationError(
                f"{self.path} holds a run already",
                advice=f'Go on with it by cr.resume("{self.path}", x, y), or choose another folder',
            )
        strange = sorted(
            name
            for name in found - {GRAPH, INITIAL, SNAPSHOTS, LOCK}
            if not Path(name).match(LEFT_BEHIND)
        )
        if strange:
            raise ConfigurationError(
                f"{self.path} is not empty: it holds {strange[0]}",
                advice="Choose a folder that is new or empty",
            )

    def begin(self, experiment: Experiment, graph: str, standing: Standing) -> None:
        """Write what the run is made of; with the last of these files it is a run."""
        (self.path / SNAPSHOTS).mkdir(exist_ok=True)
        write_durably(self.path / GRAPH, f"{graph}\n".encode())
        _write_standing(self.path / INITIAL, standing)
        self.write_experiment(experiment)

    def write_experiment(self, experiment: Experiment) -> None:
        """Write, or replace, what the run is made of."""
        write_durably(self.path / EXPERIMENT, experiment.to_json())

    # --- as it goes on -----------------------------------------------------------------------

    def save(self, standing: Standing, history: History) -> None:
        """Keep where training stands; thin out what was kept before."""
        # The history first: a snapshot's epochs are then always there.
        self._write_history(history, standing.position.epoch)
        _write_standing(self._snapshot(standing.position.step), standing)
        for step in superfluous(self.steps()):
            with suppress(FileNotFoundError):
                self._snapshot(step).unlink()

    def save_model(self, net: Module) -> None:
        """Write the network."""
        save(net, self.path / MODEL)

    def _write_history(self, history: History, epochs: int) -> None:
        lines = [_line(epoch, history.epoch(epoch)) for epoch in range(epochs)]
        before, self._written = self._written, None  # not known, until it is done
        known = 0 if before is None else len(before)
        if lines[:known] == before and len(lines) - known <= 8:
            for line in lines[known:]:
                append_line(self.path / HISTORY, line)
        else:  # short epochs come by the thousand, and each line that is appended is a wait
            write_durably(self.path / HISTORY, "".join(f"{line}\n" for line in lines).encode())
        self._written = lines

    # --- what is there -----------------------------------------------------------------------

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Open a folder that holds a run.

        Raises
        ------
        ReplayError
            If it does not.
        """
        folder = cls(Path(path))
        if not (folder.path / EXPERIMENT).is_file():
            raise ReplayError(
                f"{path} holds no run: there is no {EXPERIMENT} in it",
                advice='Runs are made by cr.fit(..., folder="...")',
            )
        return folder

    def experiment(self) -> Experiment:
        """Read what the run is made of."""
        path = self.path / EXPERIMENT
        return Experiment.from_json(path.read_bytes(), str(path))

    def graph(self) -> str:
        """Read what one update computes."""
        return (self.path / GRAPH).read_text(encoding="utf-8").rstrip("\n")

    def steps(self) -> list[int]:
        """The steps of the snapshots, in order."""
        matches = (_NAME.fullmatch(entry.name) for entry in (self.path / SNAPSHOTS).glob("*"))
        return sorted(int(match[1]) for match in matches if match)

    def last(self) -> Standing:
        """Read the last snapshot."""
        return self._latest(sys.maxsize)

    def before(self, step: int) -> tuple[int, Mapping[str, Array]]:
        """Read the state of the latest snapshot that is not after `step`."""
        standing = self._latest(step)
        return standing.position.step, standing.state

    def _latest(self, step: int) -> Standing:
        while True:
            found = max((each for each in self.steps() if each <= step), default=None)
            try:
                path = self.path / INITIAL if found is None else self._snapshot(found)
                return _read_standing(path)
            except FileNotFoundError:
                # A process that trains may have thinned the snapshots out since we looked.
                if found is None or self._snapshot(found).exists():
                    raise

    def history(self, epochs: int) -> History:
        """Read the first `epochs` epochs of the history."""
        path = self.path / HISTORY
        found = read_lines(path) if path.exists() else []
        # There may be more: a kill came between the history and the snapshot that belongs to it.
        lines = found[:epochs]
        if len(lines) < epochs:
            raise FileFormatError(f"{path} has {len(lines)} epochs, and the run {epochs}")
        history = History()
        try:
            for epoch, line in enumerate(lines):
                values = msgspec.json.decode(line, type=dict[str, float | str])
                if values.pop("epoch", None) != epoch:
                    raise ValueError(f"line {epoch + 1} is not that of epoch {epoch}")
                history.append({name: float(value) for name, value in values.items()})
        except (msgspec.DecodeError, ValueError) as error:
            raise FileFormatError(f"{path} cannot be read: {error}") from None
        self._written = lines if lines == found else None
        return history

    @property
    def model(self) -> Path:
        """Where the network is."""
        return self.path / MODEL

    def _snapshot(self, step: int) -> Path:
        return self.path / SNAPSHOTS / f"step-{step:08d}.safetensors"

    def _sweep(self) -> None:
        """Remove the half-written files that a process left which was killed."""
        for folder in (self.path, self.path / SNAPSHOTS):
            for path in folder.glob(LEFT_BEHIND):
                with suppress(OSError):
                    path.unlink()


def _write_standing(path: Path, standing: Standing) -> None:
    arrays = dict(standing.state)
    plain: dict[str, dict[str, Any]] = {key: {} for key in standing.callbacks}
    for key, state in standing.callbacks.items():
        for name, value in state.items():
            if isinstance(value, np.ndarray):
                arrays[f"{_CALLBACK}{key}/{name}"] = value
            else:
                plain[key][name] = value.item() if isinstance(value, np.generic) else value
    facts = {"position": msgspec.to_builtins(standing.position), "callbacks": plain}
    try:
        # Python's own JSON, which can say NaN: an average may be.
        text = json.dumps(facts)
    except TypeError as error:
        raise ConfigurationError(
            f"A callback's state_dict holds what no file can: {error}",
            where=f"Callbacks {', '.join(plain)}",
            advice="Keep numbers, text and arrays in it, and lists and dicts of these",
        ) from None
    write_tensors(path, arrays, {"standing": text})


def _read_standing(path: Path) -> Standing:
    arrays, metadata = read_tensors(path)
    try:
        facts = json.loads(metadata["standing"])
        position = msgspec.convert(facts["position"], Position)
        callbacks = msgspec.convert(facts["callbacks"], dict[str, dict[str, Any]])
    except (msgspec.ValidationError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise FileFormatError(f"{path} is no snapshot of a run: {error}") from None
    state = {}
    for name, array in arrays.items():
        if name.startswith(_CALLBACK):
            key, _, inner = name.removeprefix(_CALLBACK).partition("/")
            callbacks.setdefault(key, {})[inner] = array
        else:
            state[name] = array
    return Standing(position, state, callbacks)


def _line(epoch: int, values: Mapping[str, float]) -> str:
    spelled = {k: v if math.isfinite(v) else str(v) for k, v in values.items()}
    return json.dumps({"epoch": epoch, **spelled})
