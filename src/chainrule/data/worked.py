"""Worked examples as data: a small network, its numbers, their names in the textbook, its figures.

Each is a TOML file in `examples/`.  Parameters have the names and shapes that they have everywhere:
``0.weight`` of a Linear is (out, in).  The textbook's names are mapped to their elements::

    [names]
    w2 = ["0.weight[0, 1]"]  # from input 2 to hidden 1
    b1 = ["0.bias[0]", "0.bias[1]"]  # one number, used twice
    h1 = ["1.out[0]"]

A value that has one row for each example is indexed without the example.  This module imports
msgspec, which is why `chainrule.data` does not import it.
"""

import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from chainrule.base.errors import (
    ChainruleError,
    DataNotFoundError,
    FileFormatError,
    NameNotFoundError,
)
from chainrule.data.finite import validate_finite

_FOLDER = files("chainrule.data") / "examples"
_ELEMENT = re.compile(r"(?P<tensor>[^\[\]\s]+)(?:\[(?P<index>\d+(?:, *\d+)*)\])?")


@dataclass(frozen=True, slots=True)
class Element:
    """One number of a tensor.

    Attributes
    ----------
    tensor
        The canonical name: ``"0.weight"``, ``"d_0.out"``, ``"x"``, ``"loss"``.
    index
        Where it is in the tensor, without the axis of examples; empty for a scalar.
    """

    tensor: str
    index: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Element":
        """Return the element written as ``0.weight[0, 1]``.

        Raises
        ------
        FileFormatError
            If the text is written otherwise.
        """
        match = _ELEMENT.fullmatch(text)
        if match is None:
            raise FileFormatError(f'An element is written like "0.weight[0, 1]", not "{text}"')
        index = match["index"]
        return cls(match["tensor"], tuple(map(int, index.split(","))) if index else ())

    def __str__(self) -> str:
        return f"{self.tensor}[{', '.join(map(str, self.index))}]" if self.index else self.tensor


class Layer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One layer of a chain: its name in the registry of layers, and its sizes if it has any."""

    kind: str
    in_features: int | None = None
    out_features: int | None = None


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A number that the example must come to.

    Attributes
    ----------
    symbol
        As the textbook writes it.
    element
        Which number of the network it is.
    printed
        The number, with as many digits as are known to be right.
    steps
        After how many updates; a gradient is that of the update that follows.
    mistake
        Empty for the true figure. Otherwise the figure was published, and this says by which
        mistake it comes out.
    """

    symbol: str
    element: str
    printed: str
    steps: int = 0
    mistake: str = ""

    @property
    def value(self) -> float:
        """The number."""
        return float(self.printed)

    @property
    def tolerance(self) -> float:
        """Half a unit of the last digit printed."""
        mantissa, _, exponent = self.printed.lower().partition("e")
        decimals = len(mantissa.partition(".")[2])
        return float(f"0.5e{int(exponent or 0) - decimals}")


class WorkedExample(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A network that can be followed by hand.

    Attributes
    ----------
    name, title, description, source
        What it is, and who published it.
    inputs, targets
        One row for each example.
    layers
        The chain, whose layers are called 0, 1, 2, ….
    loss
        Its name in the registry of losses. QuadraticLoss is half the squared distance, summed over
        outputs; MSELoss the mean of the squares.
    learning_rate, batch_size, epochs, validation_split
        How it is trained: gradient descent, `batch_size` examples at a time, a share held out.
    dtype
        In which it is computed.
    parameters
        Their first values. A parameter that is not listed is drawn at random.
    frozen
        Parameters that are not trained.
    names
        The textbook's names, each for one element or for several that are one number there.
    figures
        What comes out.
    """

    name: str
    title: str
    description: str
    inputs: list[list[float]]
    targets: list[list[float]]
    layers: list[Layer]
    loss: str
    learning_rate: float
    source: str = ""
    batch_size: int = 1
    epochs: int = 1
    validation_split: float = 0.0
    dtype: str = "float64"
    parameters: dict[str, list[Any]] = {}
    frozen: list[str] = []
    names: dict[str, list[str]] = {}
    figures: list[Figure] = []

    @property
    def x(self) -> NDArray[np.float64]:
        """The inputs, float64 (examples, inputs)."""
        return np.array(self.inputs, np.float64)

    @property
    def y(self) -> NDArray[np.float64]:
        """The targets, float64 (examples, outputs)."""
        return np.array(self.targets, np.float64)

    def state(self) -> dict[str, NDArray[np.float64]]:
        """Return the first values of the parameters that are listed, by name."""
        return {name: np.array(rows, np.float64) for name, rows in self.parameters.items()}

    def elements(self, name: str) -> tuple[Element, ...]:
        """Return the elements that a textbook name stands for.

        Raises
        ------
        NameNotFoundError
            If the example has no such name.
        """
        if name not in self.names:
            raise NameNotFoundError.among(
                "number", name, self.names, where=f"Worked example {self.name}"
            )
        return tuple(Element.parse(text) for text in self.names[name])


def worked_examples() -> tuple[str, ...]:
    """Return the names of the examples that come with the package, sorted."""
    return tuple(
        sorted(
            file.name.removesuffix(".toml")
            for file in _FOLDER.iterdir()
            if file.name.endswith(".toml")
        )
    )


def worked_example(name: str) -> WorkedExample:
    """Return an example that comes with the package.

    Raises
    ------
    NameNotFoundError
        If there is none of this name.

    Examples
    --------
    >>> example = worked_example("2-2-2")
    >>> [str(element) for element in example.elements("w6")]
    ['2.weight[0, 1]']
    >>> example.state()["2.weight"][0, 1]
    np.float64(0.45)
    """
    if name not in worked_examples():
        raise NameNotFoundError.among("worked example", name, worked_examples())
    file = _FOLDER / f"{name}.toml"
    return parse_worked_example(file.read_text(encoding="utf-8"), str(file))


def read_worked_example(path: str | Path) -> WorkedExample:
    """Read an example from a TOML file.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    FileFormatError
        If it is malformed, or its parts do not fit together.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataNotFoundError(f"There is no file {path}") from None
    except UnicodeDecodeError:
        raise FileFormatError(f"{path} is not UTF-8 text") from None
    return parse_worked_example(text, str(path))


def parse_worked_example(text: str, name: str) -> WorkedExample:
    """Return the example written in TOML; `name` is the file's, for messages.

    Raises
    ------
    FileFormatError
        As `read_worked_example` does.
    """
    try:
        example = msgspec.convert(tomllib.loads(text), WorkedExample)
        _check_numbers(example)
        _check_names(example)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ChainruleError) as error:
        raise FileFormatError(f"{name} is no worked example: {error}") from None
    return example


def _check_numbers(example: WorkedExample) -> None:
    arrays = {"inputs": example.inputs, "targets": example.targets, **example.parameters}
    for name, rows in arrays.items():
        try:
            array = np.array(rows, np.float64)
        except (ValueError, TypeError):  # rows of different lengths, or text
            raise FileFormatError(f"{name} is no table of numbers") from None
        validate_finite(array, name)
    if len(example.inputs) != len(example.targets) or not example.inputs:
        raise FileFormatError(
            f"there are {len(example.inputs)} inputs and {len(example.targets)} targets"
        )
    for figure in example.figures:
        try:
            float(figure.printed)
        except ValueError:
            raise FileFormatError(f'the figure "{figure.printed}" is no number') from None


def _check_names(example: WorkedExample) -> None:
    known = {"x": example.x[0], "target": example.y[0], **example.state()}
    for name, texts in example.names.items():
        values = {_value(Element.parse(text), known) for text in texts}
        if len(values) != 1:
            raise FileFormatError(f'"{name}" stands for elements with different values, or none')
    for figure in example.figures:
        _value(Element.parse(figure.element), known)
    for name in example.frozen:
        if example.parameters and name not in example.parameters:
            raise NameNotFoundError.among("parameter", name, example.parameters)


def _value(element: Element, known: dict[str, NDArray[np.float64]]) -> float | None:
    """Return the element of a parameter or input; None in the middle of the network."""
    if element.tensor not in known:
        return None
    array = known[element.tensor]
    is_inside = len(element.index) == array.ndim and all(
        i < length for i, length in zip(element.index, array.shape, strict=True)
    )
    if not is_inside:
        raise FileFormatError(f"{element} is outside the shape {array.shape}")
    return float(array[element.index])
