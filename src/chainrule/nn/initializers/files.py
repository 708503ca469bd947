"""Parameters that start from numbers there are already: an array, or a file."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike, fspath

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.base.array_files import array_kinds, read_arrays
from chainrule.base.errors import NameNotFoundError, ShapeError
from chainrule.graph import Shape, format_shape


@dataclass(frozen=True, eq=False)
class from_array:
    """The numbers given, such as a textbook's.

    Parameters
    ----------
    values : array_like
        Of the parameter's shape.
    """

    values: ArrayLike

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        return np.array(self.values, np.float64)


@dataclass(frozen=True)
class from_file:
    """The numbers of one array in a ``.safetensors`` or ``.npz`` file.

    Parameters
    ----------
    path : path
        Read when the parameter is drawn; nothing in it is ever unpickled.
    name : str
        The array's name in the file.

    Notes
    -----
    `Module.load_pretrained` takes a whole network's numbers from a file, and reports.
    """

    path: str | PathLike[str]
    name: str

    def __call__(self, shape: Shape, seed: int, path: str) -> NDArray[np.float64]:
        shown = fspath(self.path)
        kinds = array_kinds(self.path)
        if self.name not in kinds:
            raise NameNotFoundError.among("array", self.name, kinds, where=shown)
        found = kinds[self.name].shape
        if found != shape:
            raise ShapeError(
                f"{path} has shape {format_shape(shape)}; {self.name} in {shown} has "
                f"{format_shape(found)}"
            )
        return read_arrays(self.path, [self.name])[self.name].astype(np.float64)
