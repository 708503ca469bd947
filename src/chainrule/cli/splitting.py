"""Which examples are trained on, which decide when to stop, and which only measure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chainrule.base.fingerprint import fingerprint
from chainrule.cli.experiment import Data
from chainrule.data import Dataset


@dataclass(frozen=True)
class Parts:
    """The parts of a data set; an example is in one of them.

    Parameters
    ----------
    training : Dataset
    validation : Dataset, optional
        Evaluated after each epoch; early stopping decides by it.
    test : Dataset, optional
        Nothing is decided by it.
    """

    training: Dataset
    validation: Dataset | None
    test: Dataset | None

    @property
    def watched(self) -> Dataset | None:
        """The part that is evaluated after each epoch.

        The test part may be looked at as often as one likes, as long as nothing follows from it.
        """
        return self.validation if self.validation is not None else self.test

    @property
    def watched_name(self) -> str:
        """What the part that is watched is called in tables."""
        return "held-out" if self.validation is None else "validation"


def split(dataset: Dataset, data: Data) -> Parts:
    """Split a data set as a completed experiment says: the same way each time.

    Raises
    ------
    DataError
        If a part would be empty.
    """
    stratified = dataset.task == "classification"
    training, test = dataset, None
    if dataset.test is not None:
        training, test = replace(dataset, test=None), dataset.test
    elif data.test:
        training, test = dataset.split(data.test, data.seed, stratified=stratified)
    validation = None
    if data.validation:
        training, validation = training.split(data.validation, data.seed, stratified=stratified)
    return Parts(training, validation, test)


def fingerprint_of(dataset: Dataset) -> str:
    """Return a hash by which the same examples are known again."""
    return fingerprint({"x": dataset.x, "y": dataset.y})
