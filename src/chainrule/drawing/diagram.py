"""A diagram: an SVG image, and the same as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chainrule.base.file_kinds import FileKind
from chainrule.base.files import Pathlike, write_durably

DIAGRAM = FileKind("A diagram", (".svg",))


@dataclass(frozen=True)
class Diagram:
    """A picture as SVG, with its size, and as rows of text for who cannot see it.

    Parameters
    ----------
    svg : str
        The image. It has a title and a description for screen readers, and its colours follow
        what the reader prefers, light or dark.
    width, height : float
        In pixels, if it is not made smaller.
    rows : tuple of mapping
        What `table` returns.

    Examples
    --------
    >>> from chainrule.drawing import Box, Chart, Edge, Line, draw_chart
    >>> boxes = Box("x", (Line("x"),)), Box("y", (Line("y", "small"),))
    >>> chart = Chart(boxes, (Edge("x", "y"),))
    >>> diagram = draw_chart(chart, title="Two boxes", description="x leads to y", prefix="two")
    >>> diagram.svg[:38], diagram.height
    ('<svg xmlns="http://www.w3.org/2000/svg', 141.2)
    """

    svg: str = field(repr=False)
    width: float
    height: float
    rows: tuple[Mapping[str, str], ...] = field(default=(), repr=False)

    def table(self) -> list[dict[str, str]]:
        """What the picture shows, as rows: each a dict with the same keys."""
        return [dict(row) for row in self.rows]

    def save(self, path: Pathlike) -> None:
        """Write the image to a file, which is replaced whole or not at all.

        Parameters
        ----------
        path : path
            A ``.svg`` file; its folder must exist.

        Raises
        ------
        ConfigurationError
            If it is no ``.svg`` file.
        OSError
            As the system says; FolderNotFoundError is one.
        """
        DIAGRAM.check(path)
        write_durably(path, self.svg.encode("utf-8"))

    def _repr_svg_(self) -> str:
        return self.svg
