"""Models as files: a network that `chainrule.load` reads, and what it takes to use it on raw data.

The file is that of `chainrule.save`, with one entry more in its header: where it came from, how
examples are prepared, what the classes are called, what it reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from chainrule.base.errors import DataNotFoundError, FileFormatError, did_you_mean
from chainrule.base.files import read_tensors, write_tensors
from chainrule.cli.preparation import Preparation
from chainrule.cli.training import Origin
from chainrule.nn import Module, load, save

NAME = "model.safetensors"
_ORIGIN, _FIGURES = "origin", "figures"


@dataclass(frozen=True)
class Model:
    """A trained network, and what its file says of it.

    Parameters
    ----------
    path : Path
    net : Module
    origin : Origin, optional
        None in a file that Python's `chainrule.save` wrote.
    figures : dict of str to float
        Loss and metrics on the examples that were held out.
    """

    path: Path
    net: Module
    origin: Origin | None
    figures: dict[str, float]

    @property
    def preparation(self) -> Preparation:
        """How examples are read; as they are, if the file does not say."""
        return Preparation() if self.origin is None else self.origin.preparation


def save_model(path: Path, net: Module, origin: Origin, figures: dict[str, float]) -> None:
    """Write a network with its origin.

    Raises
    ------
    OSError
        As the system says.
    """
    save(net, path)
    tensors, metadata = read_tensors(path)
    metadata[_ORIGIN] = msgspec.json.encode(origin).decode()
    metadata[_FIGURES] = msgspec.json.encode(figures).decode()
    write_tensors(path, tensors, metadata)


def load_model(place: str) -> Model:
    """Read a model from its file, or from the run folder that holds it.

    Raises
    ------
    DataNotFoundError
        If there is none.
    FileFormatError
        If the file is damaged.
    """
    path = _find(Path(place))
    net = load(path)
    _, metadata = read_tensors(path)
    origin = None
    if _ORIGIN in metadata:
        origin = Origin.read(metadata[_ORIGIN], str(path))
    try:
        figures = msgspec.json.decode(metadata.get(_FIGURES, "{}"), type=dict[str, float])
    except msgspec.MsgspecError as error:
        raise FileFormatError(f"{path} has malformed figures: {error}") from None
    return Model(path, net, origin, figures)


def _find(place: Path) -> Path:
    if place.is_file():
        return place
    if not place.is_dir():
        near = [str(each) for each in place.parent.glob("*")] if place.parent.is_dir() else []
        raise DataNotFoundError(
            f"There is no model {place}",
            advice=did_you_mean(str(place), near)
            or "`chainrule train iris` makes one, in runs/iris",
        )
    if (place / NAME).is_file():
        return place / NAME
    inside = sorted(path.parent.name for path in place.glob(f"*/{NAME}"))
    if inside:
        raise DataNotFoundError(
            f"{place} holds several runs: {', '.join(inside[:8])}",
            advice=f"Choose one: {place / inside[0]}",
        )
    raise DataNotFoundError(
        f"{place} holds no model: there is no {NAME} in it",
        advice="A run that was interrupted is finished by `chainrule train --resume`",
    )
