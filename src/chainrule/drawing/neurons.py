"""Columns of neurons with a line for each weight.

The colour and dash of a line say its sign, the width its size. Of a large layer the first neurons
and the last are drawn, with dots between them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree as ET

from chainrule.drawing.chart import NAME_SIZE, SMALL_SIZE, check_direction
from chainrule.drawing.diagram import Diagram
from chainrule.drawing.svg import Picture, Point, number
from chainrule.drawing.text import MONO, ellipsise, printable, width_of

RADIUS, ROUND_ONE = 17.0, 11.0
APART, APART_WITH_NUMBERS, COLUMNS_APART = 54.0, 74.0, 150.0
THINNEST, THICKEST, THICKEST_OF_MANY, MANY = 0.7, 4.2, 2.6, 30
LABEL_HEIGHT, NUMBER_ROOM, LABEL_AT = 15.0, 62.0, (0.22, 0.26, 0.3, 0.34, 0.38, 0.42, 0.18)
HEADING, LEGEND = 3 * 15.0 + 8, 30.0


@dataclass(frozen=True)
class Neuron:
    """One neuron that is drawn.

    Parameters
    ----------
    name : str
        The value that it is an element of.
    index : int
        Which element.
    label : str
        What is written in it, if no curve is.
    text : str
        What is written below it.
    """

    name: str
    index: int
    label: str = ""
    text: str = ""


@dataclass(frozen=True)
class Column:
    """A layer of neurons.

    Parameters
    ----------
    heading : tuple of str
        Lines above it, the first in bold.
    neurons : tuple of Neuron
        Those that are drawn.
    left_out : int
        How many are not drawn, before the last one.
    is_entry : bool
        Whether its values come from outside.
    curve : tuple of (float, float)
        What each neuron does to its sum, as points in a square from -1 to 1, y upwards.
    """

    heading: tuple[str, ...]
    neurons: tuple[Neuron, ...]
    left_out: int = 0
    is_entry: bool = False
    curve: tuple[Point, ...] = ()


@dataclass(frozen=True)
class Weight:
    """A line from a neuron to one of the next column.

    Parameters
    ----------
    name : str
        The parameter.
    index : tuple of int
        The element of it.
    source : int or None
        Which drawn neuron of the column before; None for a bias, which comes from a constant 1.
    target : int
        Which drawn neuron.
    value : float or None
        None while it has no number yet.
    """

    name: str
    index: tuple[int, ...]
    source: int | None
    target: int
    value: float | None = None

    @property
    def element(self) -> str:
        """The element as it is written: ``0.weight[1, 2]``."""
        return f"{self.name}[{', '.join(map(str, self.index))}]"


def draw_neurons(
    columns: Sequence[Column],
    weights: Sequence[Sequence[Weight]],
    *,
    title: str,
    description: str,
    prefix: str,
    direction: str = "right",
    values: Mapping[str, str] | None = None,
    rows: Sequence[Mapping[str, str]] = (),
) -> Diagram:
    """Draw columns of neurons and the weights between them.

    Parameters
    ----------
    columns : sequence of Column
    weights : sequence of sequence of Weight
        For each column but the first, the lines that lead to it.
    title, description : str
        For screen readers.
    prefix : str
        What ids begin with.
    direction : str
        ``right``, or ``down`` with layers as rows.
    values : mapping of str to str
        Texts that stand for the numbers of weights, by element.
    rows : sequence of mapping
        The same as a table.

    Raises
    ------
    ConfigurationError
        If there is no such direction.
    """
    check_direction(direction)
    plan = _Plan(columns, weights, goes_right=direction == "right")
    picture = Picture(*plan.size, title, description, prefix)
    many = sum(map(len, weights)) >= MANY
    opacity = "0.8" if many else "1"
    lines = picture.add(picture.body, "g", class_="weights", stroke_opacity=opacity)
    for fan in range(len(weights)):
        _draw_fan(picture, lines, plan, fan, values or {})
    for i, column in enumerate(columns):
        _draw_column(picture, plan, i, column)
    _draw_legend(picture, plan, [weight for fan in weights for weight in fan])
    return Diagram(picture.written(), picture.width, picture.height, tuple(rows))


class _Plan:
    """Where everything is."""

    def __init__(
        self, columns: Sequence[Column], weights: Sequence[Sequence[Weight]], *, goes_right: bool
    ) -> None:
        self.columns, self.weights, self.goes_right = columns, weights, goes_right
        self.has_bias = [any(w.source is None for w in fan) for fan in weights] + [False]
        self.slots = [
            len(c.neurons) + (0.8 if c.left_out else 0) + (0.75 if bias else 0)
            for c, bias in zip(columns, self.has_bias, strict=True)
        ]
        widest = max(width_of(line, NAME_SIZE, mono=True) for c in columns for line in c.heading)
        self.before = 0.0 if goes_right else widest + 16  # headings beside rows
        self.step = max(COLUMNS_APART, widest + 14) if goes_right else COLUMNS_APART * 0.8
        few = all(len(fan) <= _LABELS_AT_MOST for fan in weights)
        known = all(w.value is not None for fan in weights for w in fan)
        self.apart = APART_WITH_NUMBERS if few and known else APART
        tallest = max(self.slots)
        self.half = tallest * self.apart / 2
        across, along = tallest * self.apart, (len(columns) - 1) * self.step + 2 * RADIUS + 2
        self.start = max(RADIUS + 1, widest / 2) if goes_right else RADIUS + 1
        along += 2 * (self.start - RADIUS - 1)
        texts = 14.0 if any(n.text for c in columns for n in c.neurons) else 0.0
        legend = LEGEND if any(self.weights) else 0.0
        least = _width_of_legend([weight for fan in weights for weight in fan])
        self.size: Point = (
            (max(along, least), HEADING + across + legend)
            if goes_right
            else (self.before + max(across, least, _LEGEND_WIDTH), along + texts + legend)
        )

    @property
    def room(self) -> float:
        """How wide a text below a neuron can be."""
        return (self.step if self.goes_right else self.apart) - 8

    def place(self, column: int, slot: float) -> Point:
        """The middle of the neuron in a slot of a column."""
        along = self.start + column * self.step
        across = self.half + (slot - (self.slots[column] - 1) / 2) * self.apart
        return (along, HEADING + across) if self.goes_right else (self.before + across, along)

    def neuron(self, column: int, position: int) -> Point:
        """The middle of a drawn neuron."""
        drawn = self.columns[column]
        is_last = drawn.left_out and position == len(drawn.neurons) - 1
        return self.place(column, position + (0.8 if is_last else 0))

    def dots(self, column: int) -> Point:
        """The middle of the dots between the first neurons and the last."""
        return self.place(column, len(self.columns[column].neurons) - 1 - 0.1)

    def bias(self, column: int) -> Point:
        """The middle of the constant 1 whose lines are the biases of the next column."""
        return self.place(column, self.slots[column] - 0.85)

    def ends(self, fan: int, weight: Weight) -> tuple[Point, Point]:
        """Where a line begins and ends: at the edges of what it connects."""
        a = self.bias(fan) if weight.source is None else self.neuron(fan, weight.source)
        b = self.neuron(fan + 1, weight.target)
        length = math.dist(a, b)
        first = (ROUND_ONE if weight.source is None else RADIUS) / length
        last = RADIUS / length
        return _between(a, b, first), _between(a, b, 1 - last)


def _between(a: Point, b: Point, t: float) -> Point:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t


# --- weights ----------------------------------------------------------------------------------


def _draw_fan(
    picture: Picture, parent: ET.Element, plan: _Plan, fan: int, values: Mapping[str, str]
) -> None:
    weights = plan.weights[fan]
    known = [abs(w.value) for w in weights if w.value is not None and math.isfinite(w.value)]
    largest = max(known, default=0.0)
    thickest = THICKEST if len(weights) < MANY else THICKEST_OF_MANY
    for weight in weights:
        a, b = plan.ends(fan, weight)
        line = picture.add(
            parent,
            "line",
            _look(weight),
            x1=a[0],
            y1=a[1],
            x2=b[0],
            y2=b[1],
            stroke_width=f"{_thickness(weight, largest, thickest):.2f}",
            data_name=weight.name,
            data_index=",".join(map(str, weight.index)),
        )
        number_ = "not drawn yet" if weight.value is None else f"{weight.value:.6g}"
        picture.say(line, f"{weight.element} = {values.get(weight.element, number_)}")
    for weight, place in _labels(plan, fan):
        text = values.get(weight.element, shorten(weight.value))
        shown = ellipsise(printable(text), NUMBER_ROOM, SMALL_SIZE, mono=True)
        _draw_number(picture, parent, weight, shown, place)


def _draw_number(
    picture: Picture, parent: ET.Element, weight: Weight, text: str, place: Point
) -> None:
    x, y = place
    width = width_of(text, SMALL_SIZE, mono=True) + 6
    group = picture.add(
        parent,
        "g",
        class_="number",
        data_name=weight.name,
        data_index=",".join(map(str, weight.index)),
    )
    top = y - LABEL_HEIGHT / 2
    picture.add(
        group, "rect", "paper", x=x - width / 2, y=top, width=width, height=LABEL_HEIGHT, rx=4.0
    )
    picture.text(group, text, "value", x, y + 4)


def _look(weight: Weight) -> str:
    if weight.value is None or math.isnan(weight.value):
        return "edge-faint"
    return "edge-negative" if weight.value < 0 else "edge-positive"


def _thickness(weight: Weight, largest: float, thickest: float) -> float:
    if weight.value is None or not largest:
        return THINNEST
    share = abs(weight.value) / largest
    return THINNEST + (thickest - THINNEST) * (share if share <= 1 else 1.0)


def _labels(plan: _Plan, fan: int) -> Iterable[tuple[Weight, Point]]:
    """Weights with a place for their numbers, where there is room for all of them."""
    weights = plan.weights[fan]
    if not weights or len(weights) > _LABELS_AT_MOST or any(w.value is None for w in weights):
        return []
    ends = [plan.ends(fan, weight) for weight in weights]
    best: list[Point] = []
    widest = 0.0
    for t in LABEL_AT:
        # On one line across the layer, so that only their distance along it counts.
        places = [_at(a, b, plan, fan, t) for a, b in ends]
        axis = 1 if plan.goes_right else 0
        sorted_ = sorted(place[axis] for place in places)
        apart = min((q - p for p, q in pairwise(sorted_)), default=1e9)
        if apart > widest:
            best, widest = places, apart
    needed = LABEL_HEIGHT if plan.goes_right else 5.5 * SMALL_SIZE * MONO
    return zip(weights, best, strict=True) if widest >= needed else []


def _at(a: Point, b: Point, plan: _Plan, fan: int, t: float) -> Point:
    """The point of a line at a share of the way from column to column."""
    axis = 0 if plan.goes_right else 1
    start = plan.place(fan, 0)[axis] + RADIUS
    wanted = start + t * (plan.step - 2 * RADIUS)
    return _between(a, b, (wanted - a[axis]) / (b[axis] - a[axis]))


_LABELS_AT_MOST = 12


def shorten(value: float | None) -> str:
    """A number as it is written on a line: three digits, no more than six letters.

    Examples
    --------
    >>> shorten(0.15), shorten(-1.23456), shorten(1234567.0)
    ('0.15', '−1.23', '1e+06')
    """
    return "" if value is None else f"{value:.3g}".replace("-", "−", 1)


# --- neurons ----------------------------------------------------------------------------------


def _draw_column(picture: Picture, plan: _Plan, i: int, column: Column) -> None:
    group = picture.add(picture.body, "g", class_="layer")
    _draw_heading(picture, group, plan, i, column)
    for position, neuron in enumerate(column.neurons):
        place, room = plan.neuron(i, position), plan.room
        _draw_neuron(picture, group, column, neuron, place, room)
    if column.left_out:
        x, y = plan.dots(i)
        for step in (-6.0, 0.0, 6.0):
            cx, cy = (x, y + step) if plan.goes_right else (x + step, y)
            picture.add(group, "circle", "dot", cx=cx, cy=cy, r=1.8)
    if plan.has_bias[i]:
        x, y = plan.bias(i)
        size = 2 * ROUND_ONE
        picture.add(
            group, "rect", "bias", x=x - size / 2, y=y - size / 2, width=size, height=size, rx=4.0
        )
        picture.text(group, "1", "small", x, y + 4)


def _draw_heading(picture: Picture, group: ET.Element, plan: _Plan, i: int, column: Column) -> None:
    x, y = plan.place(i, 0)
    y = 12.0 if plan.goes_right else y - 15 * (len(column.heading) - 1) / 2 + 4
    for line, words in enumerate(column.heading):
        look, size = ("small", SMALL_SIZE) if line else ("name", NAME_SIZE)
        room = plan.step - 10 if plan.goes_right else plan.before
        shown = ellipsise(printable(words), room, size, mono=True)
        if plan.goes_right:
            picture.text(group, shown, look, x, y)
        else:
            picture.text(group, shown, look, 0.0, y, "start")
        y += 15


def _draw_neuron(
    picture: Picture,
    parent: ET.Element,
    column: Column,
    neuron: Neuron,
    place: Point,
    room: float,
) -> None:
    x, y = place
    group = picture.add(
        parent,
        "g",
        class_="neuron",
        id=picture.id_of(f"{neuron.name}[{neuron.index}]"),
        data_name=neuron.name,
        data_index=str(neuron.index),
    )
    picture.say(group, f"{neuron.name}[{neuron.index}]")
    picture.add(group, "circle", "entry" if column.is_entry else "neuron", cx=x, cy=y, r=RADIUS)
    if column.curve:
        picture.add(group, "path", "curve", d=_curve(column.curve, place))
    elif neuron.label:
        shown = ellipsise(printable(neuron.label), 2 * RADIUS - 6, SMALL_SIZE, mono=True)
        picture.text(group, shown, "value", x, y + 4)
    if neuron.text:
        shown = ellipsise(printable(neuron.text), room, SMALL_SIZE, mono=True)
        picture.text(group, shown, "value", x, y + RADIUS + 12)


def _curve(points: Sequence[Point], place: Point) -> str:
    size = RADIUS * 0.58
    moved = (number(place[0] + size * x, place[1] - size * y) for x, y in points)
    return "M" + "L".join(moved)


# --- legend -----------------------------------------------------------------------------------

_LEGEND_WIDTH = 220.0


def _entries(weights: Sequence[Weight]) -> list[tuple[str, str]]:
    """What the looks of lines mean."""
    known = [w.value for w in weights if w.value is not None]
    if not known:
        return [("no numbers yet", "edge-faint")] if weights else []
    entries = [("positive", "edge-positive"), ("negative", "edge-negative")]
    return entries + [("not a number", "edge-faint")] * any(map(math.isnan, known))


def _width_of_legend(weights: Sequence[Weight]) -> float:
    words = [words for words, _ in _entries(weights)]
    return sum(40 + width_of(each, SMALL_SIZE, mono=True) for each in words) - 14


def _draw_legend(picture: Picture, plan: _Plan, weights: Sequence[Weight]) -> None:
    if not weights:
        return
    width, y = plan.size[0], plan.size[1] - 6
    x = max(0.0, (width - _width_of_legend(weights)) / 2)
    group = picture.add(picture.body, "g", class_="legend")
    for words, look in _entries(weights):
        picture.add(group, "line", look, x1=x, y1=y - 4, x2=x + 22, y2=y - 4, stroke_width="2.4")
        picture.text(group, words, "small", x + 28, y, "start")
        x += 42 + width_of(words, SMALL_SIZE, mono=True)
