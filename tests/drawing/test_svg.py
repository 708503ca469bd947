"""What is written is well-formed, says what it shows, and cannot be broken out of."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.drawing import Box, Chart, Cluster, Edge, Line, draw_chart
from chainrule.drawing.chart import NAME_SIZE, WIDEST_TEXT
from chainrule.drawing.looks import INK, LOOKS, STROKES
from chainrule.drawing.text import ellipsise, printable, width_of
from tests.drawing.charts import box, charts

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "]]><svg onload=alert(1)>",
    '" onclick="alert(1)',
    "' onclick='alert(1)",
    "&lt;b&gt; &amp; &#60;",
    "a\x00b\x1b[31m\x08\r\nc",
    "\ud800 \ufffe \uffff",
    "\u202egnp.exe",
    "\u0085\u2028\u2029",
]


def draw(chart, **more):
    return draw_chart(chart, title="T", description="D", prefix="test", **more)


def read(svg):
    return ET.fromstring(svg.encode("utf-8"))


def hostile_chart(text):
    cluster = Cluster(text, text)
    inside = Box(text, (Line(text), Line(text, "small")), cluster=text, name=text, about=text)
    return Chart((inside, box("b")), (Edge(text, "b"),), (cluster,))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text):
    diagram = draw_chart(hostile_chart(text), title=text, description=text, prefix="test")
    root = read(diagram.svg)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "style", "g", "rect", "path", "text", "polygon"}
    for element in root.iter():
        assert not any(name.startswith("on") or "href" in name for name in element.attrib)
    assert "<script" not in diagram.svg
    assert root.find(f"{SVG}title").text == printable(text)


@given(st.text())
def test_any_text_is_well_formed(text):
    root = read(draw(hostile_chart(f"a{text}")).svg)
    assert root.find(f"{SVG}desc").text == "D"


@given(charts(circles=True), st.sampled_from(["down", "right"]))
def test_every_box_is_there_once_with_its_name(drawn, direction):
    root = read(draw(drawn, direction=direction).svg)
    groups = [g for g in root.iter(f"{SVG}g") if g.get("class") == "box"]
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    shown = [g.get("data-name") for g in groups]
    closed = [cluster.key for cluster in drawn.clusters if cluster.collapsed]
    open_ = [each.key for each in drawn.boxes if each.key in shown]
    assert set(shown) <= {*open_, *closed}
    assert len(shown) == len(set(shown))


def test_it_says_what_it_is_to_screen_readers():
    root = read(draw(Chart((box("a"),))).svg)
    assert root.get("role") == "img"
    said = [root.find(f"{SVG}{tag}") for tag in ("title", "desc")]
    assert root.get("aria-labelledby").split() == [element.get("id") for element in said]
    assert [element.text for element in said] == ["T", "D"]


def test_frames_in_frames_a_thousand_deep_need_no_recursion():
    clusters = tuple(Cluster(f"c{i}", f"c{i}", f"c{i - 1}" if i else None) for i in range(1000))
    chart = Chart((box("a", cluster="c999"), box("b")), (Edge("a", "b"),), clusters)
    assert draw(chart).svg.count('class="cluster"') == 1000


def test_two_pictures_on_a_page_share_no_ids_of_their_titles():
    a, b = (draw(Chart((box(key),))).svg for key in "ab")
    ids = [set(re.findall(r'id="(test:(?:title|about)[^"]*)"', svg)) for svg in (a, b)]
    assert len(ids[0]) == 2
    assert not ids[0] & ids[1]


def test_a_cluster_is_a_group_with_its_inside_apart():
    chart = Chart((box("a", cluster="c"), box("b")), (Edge("a", "b"),), (Cluster("c", "mod"),))
    root = read(draw(chart).svg)
    (cluster,) = [g for g in root.iter(f"{SVG}g") if g.get("class") == "cluster"]
    (inside,) = [g for g in cluster if g.get("class") == "inside"]
    assert [g.get("data-name") for g in inside if g.get("class") == "box"] == ["a"]
    assert [text.text for text in cluster if text.tag == f"{SVG}text"] == ["mod"]
    # The edge is cut at the frame: one piece inside, one outside.
    assert len([p for p in inside if p.get("data-from") == "a"]) == 1
    outside = [p for p in root.iter(f"{SVG}path") if p.get("data-to") == "b"]
    assert [p.get("data-from") for p in outside] == ["a"]
    assert not set(outside) & set(inside)


def test_it_has_no_whiter_than_needed_and_grows_no_wider_than_its_place():
    diagram = draw(Chart((box("a"),)))
    root = read(diagram.svg)
    assert root.get("viewBox") == f"0 0 {diagram.width:g} {diagram.height:g}"
    assert "max-width:100%" in root.find(f"{SVG}style").text


def test_colours_follow_the_reader_and_are_there_without_css():
    svg = draw(Chart((box("a", look="forward"),))).svg
    assert "@media (prefers-color-scheme:dark){" in svg
    light, dark = INK["blue"]
    assert f"--cr-blue:{light}" in svg
    assert f"--cr-blue:{dark}" in svg
    rect = next(r for r in read(svg).iter(f"{SVG}rect") if r.get("class") == "cr-box-forward")
    assert rect.get("stroke") == light


def luminance(colour):
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [0, 1], ids=["light", "dark"])
def test_text_and_lines_have_the_contrast_that_wcag_asks_for(dark):
    insides = {look.inside for look in LOOKS.values()} | {"paper"}
    for inside in insides:
        for ink in ("ink", "muted"):
            assert contrast(INK[ink][dark], INK[inside][dark]) >= 4.5, (ink, inside)
    lines = {look.colour for look in LOOKS.values()} | {s.colour for s in STROKES.values()}
    for colour in lines:
        assert contrast(INK[colour][dark], INK["paper"][dark]) >= 3, colour


def test_no_two_parts_differ_in_colour_alone():
    seen = {}
    for name in ("forward", "backward", "update", "parameter", "input"):
        seen.setdefault((LOOKS[name].shape, LOOKS[name].dash), []).append(name)
    assert all(len(names) == 1 for names in seen.values()), seen
    assert STROKES["positive"].dash != STROKES["negative"].dash
    assert len({STROKES[name].dash for name in ("forward", "backward", "update")}) == 3


# --- text ---------------------------------------------------------------------------------------


@given(st.text(max_size=80), st.floats(20, 300))
def test_text_that_is_cut_short_fits(text, room):
    assert width_of(ellipsise(text, room, 12), 12) <= room


@given(st.text(max_size=200))
def test_a_line_is_never_wider_than_its_box(text):
    line = Line(text)
    width, _ = Box("a", (line,)).size
    assert width_of(line.shown, NAME_SIZE, mono=True) <= min(width, WIDEST_TEXT + 1)


@pytest.mark.parametrize(
    ("file", "bold"), [("DejaVuSans.ttf", False), ("DejaVuSans-Bold.ttf", True)]
)
def test_the_widths_are_no_smaller_than_those_of_a_wide_font(file, bold):
    matplotlib = pytest.importorskip("matplotlib")
    from fontTools.ttLib import TTFont

    folder = matplotlib.get_data_path() + "/fonts/ttf/"
    with TTFont(folder + file) as font:
        letters, advances = font.getBestCmap(), font["hmtx"].metrics
        unit = font["head"].unitsPerEm
        for code in range(32, 127):
            assert width_of(chr(code), 1000) >= 1000 * advances[letters[code]][0] / unit - 5


def test_what_has_no_form_is_shown_and_lines_become_one():
    assert printable("a\tb\x07\u202e") == "a b��"
