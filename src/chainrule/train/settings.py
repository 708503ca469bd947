"""Settings: the options of a run that are plain data, each declared once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from chainrule.base.errors import ConfigurationError, DTypeError
from chainrule.graph import DType
from chainrule.nn.metrics import Definition, metric_names
from chainrule.optim.kinds import Count, Flag, Maybe, Number, Whole
from chainrule.optim.options import kinds

Share = Annotated[float | None, Maybe(Number(low=0, high=1, open_low=True, open_high=True))]


@dataclass(frozen=True)
class Settings:
    """What `fit` is told besides network, data, loss, optimiser and callbacks.

    A run folder stores these fields, and a replay reads them: no number of a run depends on
    anything that is not here.

    Parameters
    ----------
    batch_size, epochs, accumulate, drop_last, shuffle, seed, dtype, validation_split, metrics, \
backend, threads
        As `fit` takes them.

    Raises
    ------
    ConfigurationError
        If one is not what it can be.
    """

    batch_size: Count = 32
    epochs: Count = 1
    accumulate: Count = 1
    drop_last: Flag = False
    shuffle: Flag = True
    seed: Annotated[int, Whole(at_least=0)] = 0
    dtype: str = "float32"
    validation_split: Share = None
    metrics: Sequence[str] = ()
    backend: str = "auto"
    threads: Annotated[int | None, Maybe(Whole(at_least=1))] = None

    def __post_init__(self) -> None:
        for name, kind in kinds(Settings).items():
            self._set(name, kind.check("fit", name, getattr(self, name)))
        self._set("dtype", float_name(self.dtype))
        self._set("metrics", listed_metrics(self.metrics))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # the value as plain data; the object is frozen

    @property
    def float_type(self) -> np.dtype[Any]:
        """The dtype, as NumPy's."""
        return np.dtype(self.dtype)


def float_name(dtype: object) -> str:
    """The name of a dtype that training computes in.

    Raises
    ------
    ConfigurationError
        If it computes in no such dtype.
    """
    try:
        found = DType.of(dtype)
    except DTypeError:
        found = None
    if found is None or not found.is_float:
        raise ConfigurationError(f"fit takes dtype as float32 or float64; got {dtype!r}")
    return found.numpy.name


def listed_metrics(metrics: Sequence[str | Definition]) -> tuple[str, ...]:
    """The names of metrics, as files keep them.

    Raises
    ------
    ConfigurationError
        If it is no list, or one is no metric.
    """
    if isinstance(metrics, str):
        raise ConfigurationError(
            f"fit takes metrics as a list of names; got {metrics!r}",
            advice=f'Write metrics=["{metrics}"]',
        )
    return metric_names(metrics)
