"""One training of a completed experiment: from the data to a run, its figures and its model."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from chainrule.base.errors import ChainruleError, FileFormatError, NonFiniteError
from chainrule.cli.building import (
    build_loss,
    build_network,
    build_optimizer,
    build_penalties,
    build_schedule,
    outputs_of,
    start_as_in_the_textbook,
)
from chainrule.cli.completion import textbook_network
from chainrule.cli.experiment import Experiment
from chainrule.cli.preparation import Preparation, prepare
from chainrule.cli.reporting import Reporter
from chainrule.cli.sources import Source
from chainrule.cli.splitting import Parts, fingerprint_of, split
from chainrule.data import Dataset
from chainrule.nn import Loss, Sequential
from chainrule.nn import evaluate as evaluate_network
from chainrule.nn.measures import Measures, measure_arrays
from chainrule.nn.metrics import counted_targets
from chainrule.train import Callback, EarlyStopping, Run, fit, resume
from chainrule.train.refusals import concerning


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What a run folder and a model file say about where they came from.

    Attributes
    ----------
    experiment
        Completed.
    seed
        Which of its seeds.
    preparation
        How examples become inputs, and outputs answers.
    data
        The fingerprint of the examples.
    """

    experiment: Experiment
    seed: int
    preparation: Preparation
    data: str = ""

    @classmethod
    def read(cls, data: object, where: str) -> Origin:
        """Return an origin from plain data or JSON.

        Raises
        ------
        FileFormatError
            If it is something else.
        """
        try:
            if isinstance(data, str | bytes):
                return msgspec.json.decode(data, type=cls)
            return msgspec.convert(data, cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise FileFormatError(
                f"{where} was not written by `chainrule train`: {error}"
            ) from None


@dataclass(frozen=True)
class Plan:
    """A completed experiment with its data: ready to be trained with any seed.

    Parameters
    ----------
    experiment : Experiment
    source : Source
    """

    experiment: Experiment
    source: Source

    @cached_property
    def loss(self) -> Loss:
        """The loss."""
        return build_loss(self.experiment)

    @cached_property
    def parts(self) -> Parts:
        """The parts of the data."""
        return split(self.source.dataset, self.experiment.data)

    @cached_property
    def preparation(self) -> Preparation:
        """How examples are read."""
        return prepare(
            self.parts.training,
            self.loss,
            standardize=bool(self.experiment.data.standardize),
            by_hand=self.source.example is not None,
        )

    def network(self) -> Sequential:
        """Return a new network, its parameters not drawn yet."""
        dataset, example = self.source.dataset, self.source.example
        inputs, outputs = dataset.x.shape[1], outputs_of(dataset, self.loss)
        net = build_network(self.experiment.network, inputs, outputs)
        if example is not None and self.is_the_textbooks:
            start_as_in_the_textbook(net, example)
        return net

    @property
    def is_the_textbooks(self) -> bool:
        """Whether the network is a worked example's, so that its numbers and figures fit."""
        example = self.source.example
        return example is not None and self.experiment.network == textbook_network(example)

    def origin(self, seed: int) -> Origin:
        """Return what is kept of this, beside the numbers."""
        return Origin(
            experiment=self.experiment,
            seed=seed,
            preparation=self.preparation,
            data=self.fingerprint,
        )

    @cached_property
    def fingerprint(self) -> str:
        """That of the examples: it goes into the run's folder, and into its model."""
        return fingerprint_of(self.source.dataset)

    def arrays(self, dataset: Dataset) -> tuple[Any, Any]:
        """Return inputs and targets as the network and the loss read them."""
        return self.preparation.x(dataset.x), self.preparation.y(dataset)

    def train(
        self,
        seed: int,
        folder: Path | None,
        reporter: Reporter,
        watching: Sequence[Callback] = (),
    ) -> Trained:
        """Train a new network.

        Parameters
        ----------
        seed : int
        folder : Path, optional
            Where to keep the run.
        reporter : Reporter
        watching : sequence of Callback
            What looks on besides.
        """
        training = self.experiment.training
        self.check_metrics()
        began = time.perf_counter()
        with reporter.showing(), _for_the_command_line(folder):
            run = fit(
                self.network(),
                *self.arrays(self.parts.training),
                loss=self.loss,
                optimizer=build_optimizer(self.experiment),
                batch_size=training.batch_size or 1,
                epochs=training.epochs or 1,
                validation=self._validation(),
                metrics=self.shown_metrics(),
                accumulate=training.accumulate,
                drop_last=training.drop_last,
                schedule=build_schedule(self.experiment),
                penalty=build_penalties(self.experiment),
                callbacks=[*self.callbacks(reporter), *watching],
                backend=training.backend,
                dtype=training.dtype,
                threads=training.threads,
                seed=seed,
                shuffle=training.shuffle,
                progress=False,
                folder=folder,
                origin=msgspec.to_builtins(self.origin(seed)),
            )
        return Trained(self, seed, run, time.perf_counter() - began)

    def go_on(
        self,
        seed: int,
        folder: Path,
        reporter: Reporter,
        epochs: int | None,
        watching: Sequence[Callback] = (),
    ) -> Trained:
        """Go on with a run that is kept in a folder, until its last epoch or another."""
        began = time.perf_counter()
        with reporter.showing(), _for_the_command_line(folder):
            run = resume(
                folder,
                *self.arrays(self.parts.training),
                validation=self._validation(),
                epochs=epochs,
                callbacks=[*self.callbacks(reporter), *watching],
                progress=False,
            )
        return Trained(self, seed, run, time.perf_counter() - began)

    def callbacks(self, reporter: Reporter) -> list[Callback]:
        """Return what watches the training."""
        patience = self.experiment.training.early_stopping
        stopping = [EarlyStopping(monitor="val_loss", patience=patience)] if patience else []
        return [*stopping, reporter]

    def check_metrics(self) -> None:
        """Raise TargetError if a metric cannot be read off these targets; better now than later."""
        measures = self._measures
        width = outputs_of(self.source.dataset, self.loss)
        named = {"training": self.parts.training, self.parts.watched_name: self.parts.watched}
        for name, part in {**named, "held-out": self.parts.test}.items():
            if part is not None and (name != "training" or self.parts.test is None):
                with concerning(f"The {name} examples"):
                    measures.check(counted_targets(self.loss, self._measured_targets(part)), width)

    @cached_property
    def _measures(self) -> Measures:
        target = self._measured_targets(self.parts.training)
        return Measures.of(self.loss, self.experiment.metrics or [], target)

    def _measured_targets(self, part: Dataset) -> Any:
        """The targets that metrics see: numbers in the units of the data."""
        raw = part.y if self.preparation.values is not None else self.preparation.y(part)
        return self.loss.prepare_target(raw, np.dtype(np.float64))

    def _validation(self) -> tuple[Any, Any] | None:
        return None if self.parts.watched is None else self.arrays(self.parts.watched)

    def shown_metrics(self) -> list[str]:
        """What is measured while it is trained, beside the loss."""
        # Of numbers that were scaled for training, metrics in their own units come at the end; and
        # so does what needs a whole set at once, where none is watched.
        if self.preparation.values is not None:
            return []
        left = self._measures.of_all if self.parts.watched is None else {}
        return [name for name in self.experiment.metrics or [] if name not in left]


@dataclass(frozen=True)
class Trained:
    """A training that is over.

    Parameters
    ----------
    plan : Plan
    seed : int
    run : Run
    seconds : float
    """

    plan: Plan
    seed: int
    run: Run
    seconds: float

    @property
    def was_interrupted(self) -> bool:
        """Whether Ctrl-C ended it."""
        return "Ctrl-C" in (self.run.stopped or "")

    @cached_property
    def figures(self) -> dict[str, float]:
        """Loss and metrics on the test part, or on the training part where nothing is held out."""
        parts = self.plan.parts
        part = parts.training if parts.test is None else parts.test
        return measure(self.run.net, part, self.plan.preparation, self.plan.experiment)


@contextmanager
def _for_the_command_line(folder: Path | None) -> Iterator[None]:
    """Let errors of training name what a user has who typed a command."""
    try:
        yield
    except ChainruleError as error:
        # There is a layer, but no line of Python.
        where = re.sub(r"^Line \d+ of [^,]*,? ?", "", error.where or "")
        error.where = where[:1].upper() + where[1:] or None
        if isinstance(error, NonFiniteError) and folder is not None and folder.exists():
            error.advice = f"{error.advice or ''}. The run up to there is kept in {folder}".lstrip(
                ". "
            )
        raise


def measure(
    net: Any, dataset: Dataset, preparation: Preparation, experiment: Experiment
) -> dict[str, float]:
    """Return the loss, as training computes it, and metrics in the units of the data."""
    loss = build_loss(experiment)
    x, y = preparation.x(dataset.x), preparation.y(dataset)
    metrics = list(experiment.metrics or [])
    if preparation.values is None:
        return dict(evaluate_network(net, x, y, loss=loss, metrics=metrics))
    found = dict(evaluate_network(net, x, y, loss=loss, metrics=[]))
    predicted = preparation.numbers(net.predict(x))
    target = np.asarray(dataset.y, np.float64)
    return found | measure_arrays(Measures.of(loss, metrics, target), predicted, target)
