"""What is to be drawn: boxes with lines of text, edges between them, clusters around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from chainrule.base.errors import ConfigurationError, DuplicateNameError, NameNotFoundError
from chainrule.drawing.text import ellipsise, printable, width_of

NAME_SIZE, SMALL_SIZE, LABEL_SIZE = 13.0, 11.0, 12.0
LINE_HEIGHT = 1.3
WIDEST_TEXT = 230.0


@dataclass(frozen=True)
class Line:
    """A line of text in a box.

    Parameters
    ----------
    text : str
    look : str
        ``name``, ``small`` or ``value``.
    """

    text: str
    look: str = "name"

    @property
    def size(self) -> float:
        """The size of its letters."""
        return NAME_SIZE if self.look == "name" else SMALL_SIZE

    @cached_property
    def shown(self) -> str:
        """The text on one line, cut short where it is very long."""
        return ellipsise(printable(self.text), WIDEST_TEXT, self.size, mono=True)

    @cached_property
    def width(self) -> float:
        """How wide it is, at most."""
        return width_of(self.shown, self.size, mono=True)


@dataclass(frozen=True)
class Box:
    """A box.

    Parameters
    ----------
    key : str
        Which box it is: no two have the same.
    lines : tuple of Line
    look : str
        Its colours and shape: a name in `looks.LOOKS`.
    cluster : str or None
        The key of the innermost cluster around it.
    name : str, optional
        What it stands for; several boxes may stand for one thing. By default the key.
    about : str
        What is said of it to who points at it.
    band : int
        Of two boxes in one layer, the one with the smaller number is left.
    """

    key: str
    lines: tuple[Line, ...]
    look: str = "plain"
    cluster: str | None = None
    name: str | None = None
    about: str = ""
    band: int = 0

    @property
    def stands_for(self) -> str:
        """The name of what it stands for."""
        return self.key if self.name is None else self.name

    @property
    def is_small(self) -> bool:
        """Whether it has no more than one small line."""
        return len(self.lines) == 1 and self.lines[0].look == "small"

    @cached_property
    def size(self) -> tuple[float, float]:
        """Width and height that hold the lines."""
        beside, above = (8.0, 3.0) if self.is_small else (12.0, 7.0)
        width = max((line.width for line in self.lines), default=0.0) + 2 * beside
        height = sum(line.size * LINE_HEIGHT for line in self.lines) + 2 * above
        return round(max(width, height), 1), round(height, 1)


@dataclass(frozen=True)
class Edge:
    """An arrow from one box to another.

    Parameters
    ----------
    source, target : str
        Keys of boxes.
    look : str
    back : bool
        Whether it runs against the direction of the chart, as the backward pass does.
    """

    source: str
    target: str
    look: str = "plain"
    back: bool = False


@dataclass(frozen=True)
class Cluster:
    """A frame around boxes, or, collapsed, one box in their place.

    Parameters
    ----------
    key : str
    label : str
    parent : str or None
        The key of the cluster around it.
    collapsed : bool
    look : str
        Of the box, where it is collapsed.
    """

    key: str
    label: str
    parent: str | None = None
    collapsed: bool = False
    look: str = "collapsed"


@dataclass(frozen=True)
class Chart:
    """Boxes, edges and clusters that make one picture.

    Parameters
    ----------
    boxes, edges, clusters : tuple
        Of clusters, outer ones first. Edges from a box to itself are not drawn.

    Raises
    ------
    DuplicateNameError
        If two boxes, or two clusters, have one key.
    NameNotFoundError
        If an edge or a cluster names what is not there.
    """

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    _by_key: Mapping[str, Box] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_key", {box.key: box for box in self.boxes})
        if len(self._by_key) != len(self.boxes):
            raise DuplicateNameError(f"Two boxes have the key {_repeated(self.boxes)!r}")
        known: set[str | None] = {None}
        for cluster in self.clusters:
            if cluster.key in known:
                raise DuplicateNameError(f"Two clusters have the key {cluster.key!r}")
            if cluster.parent not in known:
                raise NameNotFoundError(
                    f"No cluster before {cluster.key!r} has the key {cluster.parent!r}"
                )
            known.add(cluster.key)
        for box in self.boxes:
            if box.cluster not in known:
                raise NameNotFoundError(f"No cluster has the key {box.cluster!r}")
        for edge in self.edges:
            for end in (edge.source, edge.target):
                if end not in self._by_key:
                    raise NameNotFoundError(f"No box has the key {end!r}, where an edge ends")

    def box(self, key: str) -> Box:
        """Return the box with a key."""
        return self._by_key[key]


DIRECTIONS = ("down", "right")


def check_direction(direction: str) -> None:
    """Raise ConfigurationError unless a diagram can go there."""
    if direction not in DIRECTIONS:
        raise ConfigurationError(
            f"A diagram goes {' or '.join(DIRECTIONS)}; got direction={direction!r}"
        )


def _repeated(boxes: tuple[Box, ...]) -> str:
    seen: set[str] = set()
    return next(box.key for box in boxes if box.key in seen or seen.add(box.key))  # type: ignore[func-returns-value]


def collapse(chart: Chart) -> Chart:
    """Return the chart with one box in the place of each collapsed cluster.

    Its edges lead to that box, each once. The box is called like the cluster.
    """
    home: dict[str, str] = {}  # cluster -> the outermost collapsed one around it, or itself
    for cluster in chart.clusters:
        around = home.get(cluster.parent or "")
        inside = around is not None
        if inside or cluster.collapsed:
            home[cluster.key] = around if around is not None else cluster.key
    if not home:
        return chart
    counts = dict.fromkeys(home.values(), 0)
    for box in chart.boxes:
        if box.cluster in home:
            counts[home[box.cluster]] += 1
    clusters = {cluster.key: cluster for cluster in chart.clusters}
    boxes: dict[str, Box] = {}
    moved: dict[str, str] = {}
    for box in chart.boxes:
        if box.cluster is None or box.cluster not in home:
            boxes[box.key] = box
            moved[box.key] = box.key
            continue
        outer = clusters[home[box.cluster]]
        lines = (Line(outer.label), Line(f"{counts[outer.key]} inside", "small"))
        key = f"{outer.key}/"
        # Among boxes of other bands it stands where the first of its own would.
        boxes.setdefault(
            key, Box(key, lines, outer.look, outer.parent, outer.key, outer.label, box.band)
        )
        moved[box.key] = key
    edges = {
        (moved[e.source], moved[e.target], e.back): Edge(
            moved[e.source], moved[e.target], e.look, e.back
        )
        for e in reversed(chart.edges)
        if moved[e.source] != moved[e.target]
    }
    kept = tuple(cluster for cluster in chart.clusters if cluster.key not in home)
    return Chart(tuple(boxes.values()), tuple(reversed(edges.values())), kept)
