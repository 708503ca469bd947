"""Files that a learner hands in: numbers by name, as text where the digits count.

``.npz`` and ``.safetensors`` hold arrays. ``.json`` holds an object of numbers, texts and lists,
nested as one likes. ``.csv`` is read by `sheet`. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule.base.array_files import array_kinds, read_arrays
from chainrule.base.errors import (
    ConfigurationError,
    DataNotFoundError,
    FileFormatError,
    did_you_mean,
)
from chainrule.explanation.checking.sheet import read_sheet

_LARGEST_TEXT = 32 * 2**20
_LARGEST_ARRAYS = 2**30
_SIGNS_OF_ZIP = b"PK\x03\x04"

Read = Callable[[Path], dict[str, Any]]


def read_answers(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what a learner wrote into a file.

    Parameters
    ----------
    path
        A ``.csv`` (or ``.tsv``, ``.txt``), ``.json``, ``.npz`` or ``.safetensors`` file.

    Returns
    -------
    dict of str
        Numbers by name, as `check` takes them; from text files they are text, so that the digits
        that were written count.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    ConfigurationError
        If the file's ending is none of these.
    FileFormatError
        If it is not what its ending says, is empty, or is larger than such a file can be.
    """
    file = Path(path)
    if not file.exists():
        neighbours = [n.name for n in file.parent.glob("*") if n.suffix.lower() in FORMS]
        raise DataNotFoundError(
            f"There is no file {file}", advice=did_you_mean(file.name, neighbours)
        )
    if file.is_dir():
        raise DataNotFoundError(f"{file} is a folder, not a file of numbers")
    read = FORMS.get(file.suffix.lower())
    if read is None:
        *others, last = FORMS
        raise ConfigurationError(
            f"What is checked is read from {', '.join(others)} or {last}; got {file.name}"
        )
    return read(file)


def _arrays(path: Path) -> dict[str, Any]:
    _check_size(path, _LARGEST_ARRAYS)
    kinds = array_kinds(path)
    if not kinds:
        raise FileFormatError(f"{path} holds no array")
    return dict(read_arrays(path, kinds))


def _text(path: Path) -> str:
    _check_size(path, _LARGEST_TEXT)
    content = path.read_bytes()
    if content.startswith(_SIGNS_OF_ZIP):
        raise FileFormatError(
            f"{path} holds a zip archive, not text",
            advice=f"If NumPy wrote it, name it {path.with_suffix('.npz').name}; a spreadsheet is "
            "to be saved as CSV",
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileFormatError(
            f"{path} is not UTF-8 text", advice="Save it as CSV or JSON in UTF-8"
        ) from None
    if "\0" in text:
        raise FileFormatError(f"{path} is not text: it holds bytes that are 0")
    if not text.strip():
        raise FileFormatError(f"{path} is empty")
    return text


def _check_size(path: Path, largest: int) -> None:
    size = path.stat().st_size
    if size > largest:
        raise FileFormatError(
            f"{path} has {size:,} bytes; a file of this kind may have {largest:,}",
            advice="Hand in the numbers of one step",
        )
    if not size:
        raise FileFormatError(f"{path} is empty")


def _json(path: Path) -> dict[str, Any]:
    text = _text(path)

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise FileFormatError(f'{path} names "{twice:.60}" twice')
        return dict(pairs)

    try:
        # Numbers stay text: 0.120 has three decimals.
        found = json.loads(
            text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=distinct
        )
    except json.JSONDecodeError as error:
        raise FileFormatError(
            f"{path} cannot be read as JSON: {error.msg} in line {error.lineno}"
        ) from None
    except RecursionError:
        raise FileFormatError(f"{path} is nested too deep to be numbers of a step") from None
    if not isinstance(found, dict):
        raise FileFormatError(
            f"{path} holds no object",
            advice='Write {"0.weight": [[0.1, 0.2]], "0.bias": [0.3]}',
        )
    return found


def _csv(path: Path) -> dict[str, Any]:
    return read_sheet(_text(path), str(path))


FORMS: dict[str, Read] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".txt": _csv,
    ".json": _json,
    ".npz": _arrays,
    ".safetensors": _arrays,
}
"""How a file is read, by its ending."""
