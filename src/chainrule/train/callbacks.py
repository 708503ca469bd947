"""Callbacks: what happens between epochs and batches, under Keras's names."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from chainrule.base.errors import NameNotFoundError
from chainrule.base.registry import Registry
from chainrule.eager.tensor import Array
from chainrule.nn.metrics import larger_is_better
from chainrule.optim.kinds import Choice, Flag, NonNegative, Whole
from chainrule.optim.options import Configured

if TYPE_CHECKING:
    from chainrule.train.run import Run

Logs = Mapping[str, float]

CALLBACKS: Registry[type[Callback]] = Registry("callback")
"""Those that a run folder can make again from their options."""


class Callback:
    """Called during `fit`; override what you need.

    Attributes
    ----------
    run : Run
        The run, with its network (`run.net`), `run.history` and `run.stop(reason)`.

    Notes
    -----
    A callback looks on: `run.net` is up to date when it is called, but what it changes there does
    not enter training, which could not be replayed otherwise.
    """

    if TYPE_CHECKING:  # and not at run time, when the fields of a dataclass are read
        run: Run

    def on_train_begin(self) -> None:
        """Before the first epoch."""

    def on_train_end(self) -> None:
        """After the last epoch, also when training was stopped."""

    def on_epoch_begin(self, epoch: int) -> None:
        """Before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """After an epoch, with its loss, metrics, ``val_`` values and learning rate."""

    def on_train_batch_end(self, step: int, logs: Logs) -> None:
        """After an update, counted from 0. A run with such a callback goes step by step."""

    def state_dict(self) -> dict[str, Any]:
        """What it has to remember when a run is resumed: numbers, text and arrays by name."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was called; it comes after `on_train_begin`."""

    @property
    def watches_batches(self) -> bool:
        """Whether `on_train_batch_end` is overridden."""
        return type(self).on_train_batch_end is not Callback.on_train_batch_end


@CALLBACKS.register("EarlyStopping")
@dataclass(eq=False, repr=False)
class EarlyStopping(Callback, Configured):
    """Stop when a value has not improved for `patience` epochs; take the best weights back.

    Parameters
    ----------
    monitor : str
        A key of the history, such as ``val_loss`` or ``val_accuracy``.
    min_delta : float
        The least change that counts as an improvement, ≥ 0.
    patience : int
        Epochs without an improvement after which training stops; 0 does as 1.
    mode : {"auto", "min", "max"}
        Which is better, small or large; ``"auto"``: large for metrics of which more is better,
        such as accuracy or AUC, small for anything else.
    restore_best_weights : bool
        Whether the network ends with the weights of its best epoch.

    Attributes
    ----------
    best : float or None
        The best value so far.
    best_epoch : int or None
        Its epoch.
    """

    monitor: str = "val_loss"
    min_delta: NonNegative = 0.0
    patience: Annotated[int, Whole(at_least=0)] = 0
    mode: Annotated[Literal["auto", "min", "max"], Choice(("auto", "min", "max"))] = "auto"
    restore_best_weights: Flag = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.on_train_begin()

    def on_train_begin(self) -> None:
        """Forget an earlier run."""
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.best_weights: dict[str, Array] = {}

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Compare, remember, stop."""
        if self.monitor not in logs:
            raise NameNotFoundError.among("value of the history", self.monitor, logs)
        value = logs[self.monitor]
        if self._is_better(value):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.run.net.state_dict()
        elif epoch - (self.best_epoch or 0) >= max(self.patience, 1):
            since = "" if self.best is None else f" ({self.best:.6g})"
            self.run.stop(
                f"{self.monitor} has not improved since epoch {(self.best_epoch or 0) + 1}{since}"
            )

    def _is_better(self, value: float) -> bool:
        if math.isnan(value):
            return False
        if self.best is None:
            return True
        is_gain = larger_is_better(self.monitor) or "acc" in self.monitor
        larger = self.mode == "max" or (self.mode == "auto" and is_gain)
        gain = value - self.best if larger else self.best - value
        return gain > self.min_delta

    def on_train_end(self) -> None:
        """Take the best weights back."""
        if self.best_weights:
            self.run.net.load_state_dict(self.best_weights)

    def state_dict(self) -> dict[str, Any]:
        weights = {f"best_weights.{path}": array for path, array in self.best_weights.items()}
        return {"best": self.best, "best_epoch": self.best_epoch, **weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.best, self.best_epoch = state["best"], state["best_epoch"]
        prefix = "best_weights."
        self.best_weights = {
            name.removeprefix(prefix): array
            for name, array in state.items()
            if name.startswith(prefix)
        }


@CALLBACKS.register("StopOnPlateau")
@dataclass(eq=False, repr=False)
class StopOnPlateau(Callback, Configured):
    """Stop when the training loss has fallen by less than a share of itself over some epochs.

    Parameters
    ----------
    window : int
        How many epochs to look back.
    tolerance : float
        The least relative fall over the window that goes on being worth it, ≥ 0.
    monitor : str
        A key of the history; lower is better.
    """

    window: Annotated[int, Whole(at_least=1)] = 5
    tolerance: NonNegative = 1e-3
    monitor: str = "loss"

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Compare with the epoch a window ago."""
        if self.monitor not in logs:
            raise NameNotFoundError.among("value of the history", self.monitor, logs)
        values = self.run.history[self.monitor]
        if len(values) <= self.window:
            return
        before, now = values[-1 - self.window], values[-1]
        if before - now < self.tolerance * abs(before):
            self.run.stop(
                f"{self.monitor} fell by less than {self.tolerance:g} of itself in "
                f"{self.window} epochs ({before:.6g} to {now:.6g})"
            )


class LambdaCallback(Callback):
    """A callback made of functions.

    Parameters
    ----------
    on_epoch_end : callable, optional
        ``(epoch, logs)``.
    on_train_batch_end : callable, optional
        ``(step, logs)``.
    on_epoch_begin : callable, optional
        ``(epoch)``.
    on_train_begin, on_train_end : callable, optional
        Without arguments.
    """

    def __init__(
        self,
        on_epoch_end: Callable[[int, Logs], Any] | None = None,
        on_train_batch_end: Callable[[int, Logs], Any] | None = None,
        on_epoch_begin: Callable[[int], Any] | None = None,
        on_train_begin: Callable[[], Any] | None = None,
        on_train_end: Callable[[], Any] | None = None,
    ) -> None:
        self._functions: dict[str, Callable[..., Any] | None] = {
            "epoch_end": on_epoch_end,
            "batch_end": on_train_batch_end,
            "epoch_begin": on_epoch_begin,
            "train_begin": on_train_begin,
            "train_end": on_train_end,
        }

    def _call(self, moment: str, *arguments: Any) -> None:
        function = self._functions[moment]
        if function is not None:
            function(*arguments)

    @property
    def watches_batches(self) -> bool:
        return self._functions["batch_end"] is not None

    def on_train_begin(self) -> None:
        """Call the function."""
        self._call("train_begin")

    def on_train_end(self) -> None:
        """Call the function."""
        self._call("train_end")

    def on_epoch_begin(self, epoch: int) -> None:
        """Call the function."""
        self._call("epoch_begin", epoch)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Call the function."""
        self._call("epoch_end", epoch, logs)

    def on_train_batch_end(self, step: int, logs: Logs) -> None:
        """Call the function."""
        self._call("batch_end", step, logs)
