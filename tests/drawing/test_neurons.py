"""Neurons and weights: every one in its place, sign and size visible, numbers readable."""

import itertools
import math
import re
from xml.etree import ElementTree as ET

import pytest

from chainrule.drawing import Column, Neuron, Weight, draw_neurons
from chainrule.drawing.chart import SMALL_SIZE
from chainrule.drawing.neurons import RADIUS, shorten
from chainrule.drawing.text import width_of

SVG = "{http://www.w3.org/2000/svg}"


def column(size, name, **more):
    neurons = tuple(Neuron(name, k, f"x{k}") for k in range(size))
    return Column((str(size), name), neurons, **more)


def fan(sources, targets, values, bias=True):
    drawn = iter(values)
    weights = [
        Weight("w", (j, i), i, j, next(drawn)) for j in range(targets) for i in range(sources)
    ]
    return weights + ([Weight("b", (j,), None, j, 0.5) for j in range(targets)] if bias else [])


def draw(columns, weights, **more):
    given = {"title": "T", "description": "D", "prefix": "test"}
    return draw_neurons(columns, weights, **given, **more)


def read(diagram):
    return ET.fromstring(diagram.svg.encode("utf-8"))


def lines(root):
    return {
        (line.get("data-name"), line.get("data-index")): line
        for line in root.iter(f"{SVG}line")
        if line.get("data-name")
    }


def circles(root):
    return [
        (float(c.get("cx")), float(c.get("cy")))
        for c in root.iter(f"{SVG}circle")
        if c.get("class") in ("cr-neuron", "cr-entry")
    ]


NET = [column(2, "x", is_entry=True), column(3, "h")]
WEIGHTS = [fan(2, 3, [0.5, -1.0, 0.0, 2.0, -2.0, 0.25])]


@pytest.mark.parametrize("direction", ["right", "down"])
def test_every_neuron_and_weight_is_there_with_its_name(direction):
    root = read(draw(NET, WEIGHTS, direction=direction))
    assert len(circles(root)) == 5
    expected = {("w", f"{j},{i}") for j in range(3) for i in range(2)}
    assert set(lines(root)) == expected | {("b", str(j)) for j in range(3)}
    named = {
        (g.get("data-name"), g.get("data-index"))
        for g in root.iter(f"{SVG}g")
        if g.get("class") == "neuron"
    }
    assert named == {("x", "0"), ("x", "1"), ("h", "0"), ("h", "1"), ("h", "2")}


def test_sign_and_size_are_visible():
    found = lines(read(draw(NET, WEIGHTS)))
    looks = {index: line.get("class") for (name, index), line in found.items() if name == "w"}
    assert looks["0,0"] == looks["1,1"] == "cr-edge-positive"
    assert looks["0,1"] == looks["2,0"] == "cr-edge-negative"
    assert found["w", "0,1"].get("stroke-dasharray")
    assert not found["w", "0,0"].get("stroke-dasharray")
    width = {
        index: float(line.get("stroke-width"))
        for (name, index), line in found.items()
        if name == "w"
    }
    assert width["1,0"] < width["2,1"] < width["0,0"] < width["0,1"] < width["1,1"] == width["2,0"]


def test_weights_without_numbers_are_neither_positive_nor_negative():
    diagram = draw(NET, [fan(2, 3, [None] * 6, bias=False)])
    assert {line.get("class") for line in lines(read(diagram)).values()} == {"cr-edge-faint"}
    assert "no numbers yet" in diagram.svg


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.0, 1e-300, 1e300])
def test_extreme_numbers_have_a_width_that_is_drawn(value):
    root = read(draw(NET, [fan(2, 3, [value, 1.0, 1.0, 1.0, 1.0, 1.0])]))
    for line in lines(root).values():
        assert 0.5 < float(line.get("stroke-width")) < 5


@pytest.mark.parametrize("direction", ["right", "down"])
def test_neurons_do_not_touch_and_are_in_the_picture(direction):
    columns = [column(n, f"v{n}") for n in (2, 12, 7, 1)]
    diagram = draw(columns, [fan(2, 12, [1.0] * 24), [], []], direction=direction)
    places = circles(read(diagram))
    assert len(places) == 22
    for i, place in enumerate(places):
        assert all(math.dist(place, other) > 2 * RADIUS for other in places[:i])
        assert RADIUS <= place[0] <= diagram.width - RADIUS
        assert RADIUS <= place[1] <= diagram.height - RADIUS


def test_numbers_stand_on_their_lines_where_they_have_room():
    root = read(draw([*NET[:1], column(2, "h")], [fan(2, 2, [0.15, 0.2, 0.25, -0.3])]))
    shown = [g for g in root.iter(f"{SVG}g") if g.get("class") == "number"]
    assert [next(g.iter(f"{SVG}text")).text for g in shown] == [
        "0.15", "0.2", "0.25", "−0.3", "0.5", "0.5"
    ]  # fmt: skip
    rects = [next(g.iter(f"{SVG}rect")) for g in shown]
    boxes = [tuple(float(r.get(k)) for k in ("x", "y", "width", "height")) for r in rects]
    for i, (x, y, w, h) in enumerate(boxes):
        for other_x, other_y, other_w, other_h in boxes[:i]:
            apart_x = x >= other_x + other_w or other_x >= x + w
            assert apart_x or y >= other_y + other_h - 0.2 or other_y >= y + h - 0.2


def test_many_numbers_are_left_to_the_titles_of_their_lines():
    root = read(draw([column(4, "x"), column(4, "h")], [fan(4, 4, [0.5] * 16)]))
    assert not [g for g in root.iter(f"{SVG}g") if g.get("class") == "number"]
    assert lines(root)["w", "0,3"].find(f"{SVG}title").text == "w[0, 3] = 0.5"


def test_values_stand_for_numbers_of_weights():
    root = read(draw(NET, WEIGHTS, values={"w[0, 0]": "w₁"}))
    assert lines(root)["w", "0,0"].find(f"{SVG}title").text == "w[0, 0] = w₁"


@pytest.mark.parametrize("direction", ["right", "down"])
def test_texts_below_neurons_stay_apart(direction):
    neurons = tuple(Neuron("x", k, text="0.123456789012345678901234567890") for k in range(2))
    columns = [Column(("2", "x"), neurons), Column(("2", "h"), neurons)]
    root = read(draw(columns, [[]], direction=direction))
    places = [
        (float(t.get("x")), float(t.get("y")), width_of(t.text, SMALL_SIZE, mono=True))
        for t in root.iter(f"{SVG}text")
        if t.text.startswith("0.1")
    ]
    assert len(places) == 4
    for i, (x, y, width) in enumerate(places):
        for other_x, other_y, other in places[:i]:
            assert abs(x - other_x) >= (width + other) / 2 or abs(y - other_y) > SMALL_SIZE


def test_what_is_left_out_is_dots():
    root = read(draw([column(6, "x", left_out=778), column(2, "h")], [[]]))
    dots = [c for c in root.iter(f"{SVG}circle") if c.get("class") == "cr-dot"]
    assert len(dots) == 3
    heights = sorted(y for x, y in circles(root) if x < 100)
    gaps = [b - a for a, b in itertools.pairwise(heights)]
    assert gaps[-1] > gaps[0]


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0"), (-0.1234, "−0.123"), (12345.6, "1.23e+04"), (None, "")]
)
def test_numbers_are_short(value, shown):
    assert shorten(value) == shown


def test_text_is_escaped():
    hostile = '<script>"&\x00'
    columns = [Column((hostile,), (Neuron(hostile, 0, hostile, hostile),)), column(1, "h")]
    diagram = draw(columns, [[Weight(hostile, (0,), 0, 0, 1.0)]], values={f"{hostile}[0]": hostile})
    assert "<script" not in diagram.svg
    assert len(re.findall("&lt;script", diagram.svg)) > 3
    assert read(diagram) is not None
