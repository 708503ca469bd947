"""The one list of data sets by name, how to load each, and where it is.

A data set is added by decorating its loader with `dataset`; the command line, the documentation and
the tests read the list.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, Literal, ParamSpec

from chainrule.base.errors import NameNotFoundError
from chainrule.base.registry import Registry
from chainrule.data.dataset import Dataset
from chainrule.data.places import folders_for

Kind = Literal["bundled", "generated", "files"]
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Entry:
    """One data set of the catalogue.

    Attributes
    ----------
    name, description, source, licence
        What it is and whose. Generated data has no licence.
    kind
        Shipped with the package, made on demand, or read from files that the user has.
    shape
        What comes out, in words for a table: ``"1797 x 64"``.
    load
        The loader. Its keyword parameters are the data set's options.
    find
        Where its files are, or None; for data sets of the kind "files".
    """

    name: str
    kind: Kind
    description: str
    shape: str
    load: Callable[..., Dataset]
    source: str = ""
    licence: str = ""
    find: Callable[[], Path | None] | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The options of `load` with their defaults, in order."""
        return {name: p.default for name, p in signature(self.load).parameters.items()}


@dataclass(frozen=True, slots=True)
class Availability:
    """A row of the table that ``chainrule data`` prints.

    Attributes
    ----------
    name, kind, shape, description
        As in `Entry`.
    is_there
        Whether it can be loaded now.
    place
        Where it is, or where it was looked for.
    """

    name: str
    kind: Kind
    shape: str
    description: str
    is_there: bool
    place: str


DATASETS: Registry[Entry] = Registry("data set")


def dataset(
    name: str,
    *,
    kind: Kind,
    shape: str,
    description: str,
    source: str = "",
    licence: str = "",
    find: Callable[[], Path | None] | None = None,
) -> Callable[[Callable[P, Dataset]], Callable[P, Dataset]]:
    """Register the decorated loader as the data set `name`, which is then read-only.

    The rest is as in `Entry`.
    """

    def register(load: Callable[P, Dataset]) -> Callable[P, Dataset]:
        @wraps(load)
        def read_only(*args: P.args, **kwargs: P.kwargs) -> Dataset:
            return load(*args, **kwargs).read_only()

        entry = Entry(name, kind, description, shape, read_only, source, licence, find)
        DATASETS.register(name, entry)
        return read_only

    return register


def load(name: str, **options: Any) -> Dataset:
    """Load a data set by name.

    Parameters
    ----------
    name
        One of the catalogue: ``"digits"``, ``"iris"``, ``"moons"``, ``"mnist"``, ….
    **options
        What its loader takes: ``n``, ``noise`` and ``seed`` of a generated one, the ``path`` of
        one that is read from files.

    Raises
    ------
    NameNotFoundError
        If there is no such data set, or it has no such option. The nearest one is suggested.
    ChainruleError
        Whatever its loader raises.

    Examples
    --------
    >>> load("iris")
    <iris: 150 examples, x float64[150, 4], y int64[150], 3 classes (setosa, versicolor, virginica)>
    >>> load("moons", n=100, noise=0.2, seed=1).x.shape
    (100, 2)
    """
    entry = DATASETS.get(name)
    known = entry.options
    for option in options:
        if option not in known:
            raise NameNotFoundError.among(f'option of the data set "{name}"', option, known)
    return entry.load(**options)


def available() -> list[Availability]:
    """Return every data set of the catalogue, with where it is or where it was looked for."""
    return [_availability(entry) for entry in DATASETS.values()]


def _availability(entry: Entry) -> Availability:
    is_there, place = True, "in the package"
    if entry.kind == "generated":
        options = ", ".join(f"{name}={value}" for name, value in entry.options.items())
        place = f"made on demand: {options}"
    if entry.find is not None:
        found = entry.find()
        is_there = found is not None
        looked = ", ".join(str(folder) for folder in folders_for(entry.name))
        place = f"in {found}" if is_there else f"not found; looked in {looked}"
    return Availability(entry.name, entry.kind, entry.shape, entry.description, is_there, place)
