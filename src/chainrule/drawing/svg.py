"""Writing pictures as SVG. All text goes through ElementTree, which escapes it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from chainrule.drawing.looks import FONT, ROOT_CLASS, attributes_of, style_sheet
from chainrule.drawing.text import printable

MARGIN = 16.0
Point = tuple[float, float]


class Picture:
    """An SVG image that is being written.

    Parameters
    ----------
    width, height : float
        Without the margin around.
    title, description : str
        What screen readers say of it.
    prefix : str
        What ids begin with, so that two pictures on a page do not share any.
    """

    def __init__(
        self, width: float, height: float, title: str, description: str, prefix: str
    ) -> None:
        self.width, self.height = round(width + 2 * MARGIN, 1), round(height + 2 * MARGIN, 1)
        self.title, self.description = printable(title), printable(description)
        self.prefix = prefix
        self.root = ET.Element("svg")
        self.used: set[str] = set()
        self.add(self.root, "rect", "paper", width=self.width, height=self.height)
        self.body = self.add(self.root, "g", transform=f"translate({number(MARGIN, MARGIN)})")

    def add(
        self, parent: ET.Element, tag: str, look: str = "", **attributes: str | float
    ) -> ET.Element:
        """Append an element; in names of attributes ``_`` stands for ``-``.

        Parameters
        ----------
        parent : Element
        tag : str
        look : str
            A name in `looks.STYLES`.
        """
        given = {
            key.rstrip("_").replace("_", "-"): (
                printable(value) if isinstance(value, str) else number(value)
            )
            for key, value in attributes.items()
        }
        if look:
            self.used.add(look)
            given = attributes_of(look) | given
        return ET.SubElement(parent, tag, given)

    def text(
        self, parent: ET.Element, words: str, look: str, x: float, y: float, anchor: str = ""
    ) -> ET.Element:
        """Append a line of text whose baseline is at (x, y), its middle or its `anchor` there."""
        element = self.add(parent, "text", look, x=x, y=y)
        if anchor:
            element.set("text-anchor", anchor)
        element.text = printable(words)
        return element

    def say(self, parent: ET.Element, words: str) -> None:
        """Append what is shown to who points at an element, if there is anything to say."""
        if words:
            ET.SubElement(parent, "title").text = printable(words)

    def id_of(self, key: str) -> str:
        """The id of what has a key: without spaces, which ids cannot have."""
        return f"{self.prefix}:{printable(key).replace(' ', '_')}"

    def written(self) -> str:
        """Return the image as text."""
        body = "".join(ET.tostring(child, encoding="unicode") for child in self.root)
        mark = hashlib.sha256((self.title + self.description + body).encode()).hexdigest()[:8]
        names = [f"{self.prefix}:title-{mark}", f"{self.prefix}:about-{mark}"]
        head = [ET.Element(tag) for tag in ("title", "desc", "style")]
        for element, words, name in zip(
            head[:2], (self.title, self.description), names, strict=True
        ):
            element.text = words
            element.set("id", name)
        head[2].text = style_sheet(self.used)
        attributes = {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {number(self.width, self.height)}",
            "width": number(self.width),
            "height": number(self.height),
            "class": ROOT_CLASS,
            # What nearly all text has, once.
            "font-family": FONT,
            "text-anchor": "middle",
            "role": "img",
            "aria-labelledby": " ".join(names),
        }
        whole = ET.Element("svg", attributes)
        whole.extend([*head, *self.root])
        ET.indent(whole, space="")
        return ET.tostring(whole, encoding="unicode") + "\n"


def number(*values: float) -> str:
    """Write numbers with one decimal at most, and none that is 0.

    Examples
    --------
    >>> number(1.0, 2.55, -0.01)
    '1 2.5 0'
    """
    return " ".join(f"{round(value, 1) + 0.0:.1f}".removesuffix(".0") for value in values)


def swinging(points: Sequence[Point], *, goes_down: bool) -> str:
    """A path through points: straight along a coordinate, and else swinging over in a curve."""
    (x, y), *rest = points
    parts = [f"M{number(x, y)}"]
    for to_x, to_y in rest:
        if to_x == x or to_y == y:
            parts.append(f"L{number(to_x, to_y)}")
        elif goes_down:
            middle = (y + to_y) / 2
            parts.append(f"C{number(x, middle, to_x, middle, to_x, to_y)}")
        else:
            middle = (x + to_x) / 2
            parts.append(f"C{number(middle, y, middle, to_y, to_x, to_y)}")
        x, y = to_x, to_y
    return "".join(parts)


def arrowhead(points: Sequence[Point], *, goes_down: bool) -> str:
    """A head at the end of such a path."""
    (before_x, before_y), (x, y) = points[-2:]
    if goes_down:
        back = -6.5 if y > before_y else 6.5
        return f"M{number(x, y)}L{number(x - 3.6, y + back)}L{number(x + 3.6, y + back)}Z"
    back = -6.5 if x > before_x else 6.5
    return f"M{number(x, y)}L{number(x + back, y - 3.6)}L{number(x + back, y + 3.6)}Z"
