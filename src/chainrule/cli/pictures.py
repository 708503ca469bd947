"""Small grey images as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import NDArray

_SHADES = " .:*#"
_GAP = 4


def as_lines(image: NDArray[Any]) -> list[str]:
    """Return a grey image (height, width), from 0 to 1, as lines of characters.

    A character is twice as high as it is wide, so each pixel is two.

    Examples
    --------
    >>> import numpy as np
    >>> as_lines(np.array([[0.0, 1.0], [0.5, 0.0]]))
    ['  ##', '::  ']
    """
    top = len(_SHADES) - 1
    shades = (image.clip(0, 1) * top).round().astype(int)
    return ["".join(2 * _SHADES[shade] for shade in row) for row in shades]


def side_by_side(images: NDArray[Any], titles: Sequence[str]) -> Iterator[str]:
    """Yield the lines of several images beside each other, with a title under each."""
    pictures = [as_lines(image) for image in images]
    width = max((len(line) for lines in pictures for line in lines), default=0)
    width = max([width, *map(len, titles)])
    gap = " " * _GAP
    for lines in zip(*pictures, strict=True):
        yield gap.join(line.ljust(width) for line in lines).rstrip()
    yield gap.join(title.ljust(width) for title in titles).rstrip()
