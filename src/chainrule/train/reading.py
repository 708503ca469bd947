"""What `fit` is given as data, and the source it becomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.base.errors import ConfigurationError, DataError
from chainrule.eager import Tensor
from chainrule.nn.evaluation import InputTypes
from chainrule.nn.losses import Loss
from chainrule.train.arrays import make_arrays
from chainrule.train.refusals import concerning
from chainrule.train.sources import ArraySource, ItemSource, Source
from chainrule.train.streams import StreamSource

VALIDATION = "Validation data"


@dataclass(frozen=True)
class Reader:
    """Reads arrays, indexable data sets and generators for one loss and network.

    Parameters
    ----------
    loss : Loss
    types : InputTypes
    sample_weight, class_weight
        As `fit` takes them.
    """

    loss: Loss
    types: InputTypes
    sample_weight: Any = None
    class_weight: Any = None

    def read(self, x: Any, y: Any, epochs: int) -> Source | StreamSource:
        """Return the source of the training examples.

        Raises
        ------
        DataError
            If `x` is nothing that examples can be read from.
        """
        if y is not None:
            return make_arrays(x, y, self.loss, self.types, self.sample_weight, self.class_weight)
        if self.sample_weight is not None or self.class_weight is not None:
            raise ConfigurationError(
                "Weights go with arrays x and y",
                advice="Let the generator yield (x, y, sample_weight)",
            )
        if isinstance(x, np.ndarray | Tensor | str | dict):
            raise DataError("fit needs targets", advice="Call fit(net, x, y, ...)")
        if hasattr(x, "__getitem__") and hasattr(x, "__len__"):
            if not len(x):
                raise DataError(f"The data set has no items: len({type(x).__name__}) is 0")
            return ItemSource(x, self.loss, self.types)
        return StreamSource(_remake(x, epochs), self.loss, self.types)

    def read_validation(self, validation: Any) -> ArraySource:
        """Return the validation examples of ``(x, y)`` or ``(x, y, sample_weight)``."""
        if not isinstance(validation, tuple | list) or len(validation) not in (2, 3):
            raise ConfigurationError("validation is (x, y) or (x, y, sample_weight)")
        x, y, *weights = validation
        with concerning(VALIDATION):
            return make_arrays(x, y, self.loss, self.types, *weights)


def _remake(x: Any, epochs: int) -> Callable[[], Iterable[Any]]:
    if callable(x):
        made: Callable[[], Iterable[Any]] = x
        return made
    if isinstance(x, Iterator):
        if epochs > 1:
            raise ConfigurationError(
                f"A generator is spent after one epoch; epochs={epochs}",
                advice="Pass the function that makes it: fit(net, make_batches, ...)",
            )
        return lambda: x
    if isinstance(x, Iterable):
        return lambda: x
    raise DataError(
        f"fit reads arrays x and y, an object with __len__ and __getitem__, or a generator of "
        f"batches; got {type(x).__name__}"
    )
