"""Callbacks: what happens between epochs and batches, under Keras's names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chainrule.base.errors import ConfigurationError, NameNotFoundError
from chainrule.eager.tensor import Array

if TYPE_CHECKING:
    from chainrule.train.run import Run

Logs = Mapping[str, float]


class Callback:
    """Called during `fit`; override what you need.

    Attributes
    ----------
    run : Run
        The run, with its network (`run.net`), `run.history` and `run.stop(reason)`.
    """

    run: Run

    def on_train_begin(self) -> None:
        """Before the first epoch."""

    def on_train_end(self) -> None:
        """After the last epoch, also when training was stopped."""

    def on_epoch_begin(self, epoch: int) -> None:
        """Before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """After an epoch, with its loss, metrics and ``val_`` values; `run.net` is up to date."""

    def on_train_batch_end(self, step: int, logs: Logs) -> None:
        """After an update, counted from 0. A run with such a callback goes step by step."""

    @property
    def watches_batches(self) -> bool:
        """Whether `on_train_batch_end` is overridden."""
        return type(self).on_train_batch_end is not Callback.on_train_batch_end


class EarlyStopping(Callback):
    """Stop when a value has not improved for `patience` epochs; take the best weights back.

    Parameters
    ----------
    monitor : str
        A key of the history, such as ``val_loss`` or ``val_accuracy``.
    min_delta : float
        The least change that counts as an improvement.
    patience : int
        Epochs without an improvement after which training stops.
    mode : str
        ``"min"``, ``"max"``, or ``"auto"``: max for accuracy, min for anything else.
    restore_best_weights : bool
        Whether the network ends with the weights of its best epoch.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        mode: str = "auto",
        restore_best_weights: bool = True,
    ) -> None:
        if mode not in ("auto", "min", "max"):
            raise ConfigurationError(
                f'EarlyStopping takes mode "auto", "min" or "max"; got {mode!r}'
            )
        if patience < 0 or min_delta < 0:
            raise ConfigurationError("EarlyStopping takes patience ≥ 0 and min_delta ≥ 0")
        self.monitor = monitor
        self.min_delta = min_delta
        self.patience = patience
        self.sign = 1.0 if mode == "max" or (mode == "auto" and "acc" in monitor) else -1.0
        self.restore_best_weights = restore_best_weights
        self.on_train_begin()

    def on_train_begin(self) -> None:
        """Forget an earlier run."""
        self.best = -math.inf
        self.best_epoch = -1
        self.best_weights: dict[str, Array] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Compare, remember, stop."""
        if self.monitor not in logs:
            raise NameNotFoundError.among("value of the history", self.monitor, logs)
        value = self.sign * logs[self.monitor]
        if value > self.best + self.min_delta or self.best_epoch < 0:
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.run.net.state_dict()
        elif epoch - self.best_epoch >= max(self.patience, 1):
            self.run.stop(
                f"{self.monitor} has not improved since epoch {self.best_epoch + 1} "
                f"({self.sign * self.best:.6g})"
            )

    def on_train_end(self) -> None:
        """Take the best weights back."""
        if self.best_weights is not None:
            self.run.net.load_state_dict(self.best_weights)


class StopOnPlateau(Callback):
    """Stop when the training loss has fallen by less than a share of itself over some epochs.

    Parameters
    ----------
    window : int
        How many epochs to look back.
    tolerance : float
        The least relative fall over the window that goes on being worth it.
    monitor : str
        A key of the history; lower is better.
    """

    def __init__(self, window: int = 5, tolerance: float = 1e-3, monitor: str = "loss") -> None:
        if window < 1 or tolerance < 0:
            raise ConfigurationError("StopOnPlateau takes window ≥ 1 and tolerance ≥ 0")
        self.window = window
        self.tolerance = tolerance
        self.monitor = monitor

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Compare with the epoch a window ago."""
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
    """

    def __init__(self, on_epoch_end: Any = None, on_train_batch_end: Any = None) -> None:
        self._epoch = on_epoch_end
        self._batch = on_train_batch_end

    @property
    def watches_batches(self) -> bool:
        return self._batch is not None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Call the function."""
        if self._epoch is not None:
            self._epoch(epoch, logs)

    def on_train_batch_end(self, step: int, logs: Logs) -> None:
        """Call the function."""
        if self._batch is not None:
            self._batch(step, logs)
