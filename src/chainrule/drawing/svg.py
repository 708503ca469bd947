"""Writing pictures as SVG: as a tree of elements, whose text is escaped where it is written."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

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
        body = "".join(map(serialised, self.root))
        mark = hashlib.sha256((self.title + self.description + body).encode()).hexdigest()[:8]
        names = [f"{self.prefix}:title-{mark}", f"{self.prefix}:about-{mark}"]
        whole = ET.Element(
            "svg",
            {
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
            },
        )
        for tag, words, name in zip(
            ("title", "desc"), (self.title, self.description), names, strict=True
        ):
            ET.SubElement(whole, tag, {"id": name}).text = words
        ET.SubElement(whole, "style").text = style_sheet(self.used)
        return serialised(whole).replace("</svg>\n", f"{body}</svg>\n")


def serialised(element: ET.Element) -> str:
    """Write an element, each one inside on a line of its own, without recursion."""
    parts = []
    stack: list[ET.Element | str] = [element]
    while stack:
        here = stack.pop()
        if isinstance(here, str):
            parts.append(here)
            continue
        attributes = "".join(f" {key}={quoteattr(value)}" for key, value in here.items())
        if len(here):
            parts.append(f"<{here.tag}{attributes}>\n")
            stack.append(f"</{here.tag}>\n")
            stack += reversed(here)
        elif here.text:
            parts.append(f"<{here.tag}{attributes}>{escape(here.text)}</{here.tag}>\n")
        else:
            parts.append(f"<{here.tag}{attributes}/>\n")
    return "".join(parts)


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
