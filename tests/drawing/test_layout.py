"""Boxes never overlap, frames hold what is theirs, edges go forward and around boxes."""

import itertools
import os
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.base.errors import ConfigurationError, DuplicateNameError, NameNotFoundError
from chainrule.drawing import Box, Chart, Cluster, Edge, Line, lay_out
from tests.drawing.charts import box, chain, chart, charts

DIRECTIONS = st.sampled_from(["down", "right"])


def overlap(a, b):
    return a.x < b.right and b.x < a.right and a.y < b.bottom and b.y < a.bottom


def holds(outer, inner):
    return (
        outer.x < inner.x
        and outer.y < inner.y
        and inner.right < outer.right
        and inner.bottom < outer.bottom
    )


def ancestors(layout, cluster):
    while cluster is not None:
        if cluster in layout.clusters:
            yield cluster
        cluster = layout.parents[cluster]


@given(charts(circles=True), DIRECTIONS)
def test_boxes_do_not_overlap_and_are_in_the_picture(drawn, direction):
    layout = lay_out(drawn, direction)
    frames = [frame for _, frame in layout.boxes.values()]
    assert not any(overlap(a, b) for i, a in enumerate(frames) for b in frames[:i])
    for frame in frames:
        assert frame.x > 0
        assert frame.y > 0
        assert frame.right < layout.width
        assert frame.bottom < layout.height


@given(charts(circles=True), DIRECTIONS)
def test_frames_hold_what_is_theirs_and_nothing_else(drawn, direction):
    layout = lay_out(drawn, direction)
    for inner, (cluster, frame) in layout.clusters.items():
        outer = list(ancestors(layout, cluster.parent))
        for other, (_, around) in layout.clusters.items():
            if other in outer:
                assert holds(around, frame)
            elif other != inner and inner not in ancestors(layout, other):
                assert not overlap(around, frame)
    for each, frame in layout.boxes.values():
        outer = list(ancestors(layout, each.cluster))
        for key, (_, around) in layout.clusters.items():
            assert holds(around, frame) if key in outer else not overlap(around, frame)


@given(charts())
def test_edges_go_forward_and_those_back_go_back(drawn):
    back = {(edge.source, edge.target, edge.back) for edge in drawn.edges}
    for direction, axis in (("down", 1), ("right", 0)):
        boxes = tuple(replace(each, cluster=None) for each in drawn.boxes)
        layout = lay_out(Chart(boxes, drawn.edges), direction)
        for route in layout.routes:
            along = [point[axis] for point in route.points]
            assert along == sorted(along, reverse=along[0] > along[-1])
            assert (route.source, route.target, along[0] > along[-1]) in back


@given(charts(circles=True), DIRECTIONS)
def test_every_edge_leads_from_its_box_to_its_box(drawn, direction):
    """Through frames in pieces, and pieces of one source join."""
    layout = lay_out(drawn, direction)
    standing = {each.key for each, _ in layout.boxes.values()}
    for edge in drawn.edges:
        if edge.source == edge.target or not {edge.source, edge.target} <= standing:
            continue
        pieces = [route for route in layout.routes if route.source == edge.source]
        (last,) = [r for r in pieces if r.target == edge.target][:1]
        _, start = layout.boxes[edge.source]
        _, end = layout.boxes[edge.target]
        assert touches(end, last.points[-1])
        met = {last.points[0]}
        while not any(touches(start, point) for point in met):
            before = [r for r in pieces if any(passes(r, point) for point in met)]
            grown = met | {point for route in before for point in route.points}
            assert grown != met, "a piece is missing"
            met = grown


def passes(route, point):
    """Whether a route goes through a point: one of its own, or one between two of them."""
    x, y = point
    return any(
        min(a, c) - 0.3 <= x <= max(a, c) + 0.3
        and min(b, d) - 0.3 <= y <= max(b, d) + 0.3
        and (abs(a - c) < 0.3 or abs(b - d) < 0.3 or near((a, b), point) or near((c, d), point))
        for (a, b), (c, d) in pairwise(route.points)
    )


def near(p, q):
    return abs(p[0] - q[0]) < 0.3 and abs(p[1] - q[1]) < 0.3


def touches(frame, point):
    x, y = point
    return (
        frame.x - 0.3 <= x <= frame.right + 0.3
        and frame.y - 0.3 <= y <= frame.bottom + 0.3
        and min(abs(y - frame.y), abs(y - frame.bottom), abs(x - frame.x), abs(x - frame.right))
        < 0.3
    )


@given(charts())
@settings(max_examples=60)
def test_edges_pass_between_boxes(drawn):
    layout = lay_out(drawn)
    for route in layout.routes:
        for (x, y), (to_x, to_y) in zip(route.points, route.points[1:], strict=False):
            for step in range(1, 20):
                # The curve is a cubic whose ends are upright.
                t = step / 20
                u = x + (to_x - x) * (3 * t * t - 2 * t**3)
                v = y + (to_y - y) * (1.5 * t - 1.5 * t * t + t**3)
                for _, frame in layout.boxes.values():
                    inside = frame.x + 0.5 < u < frame.right - 0.5
                    assert not (inside and frame.y + 0.5 < v < frame.bottom - 0.5)


def test_a_chain_is_a_straight_line():
    layout = lay_out(chart("ab bc cd"))
    assert len({frame.x + frame.width / 2 for _, frame in layout.boxes.values()}) == 1


def test_a_long_edge_goes_around_what_is_between():
    layout = lay_out(chart("ab bc ac"))
    (route,) = [r for r in layout.routes if (r.source, r.target) == ("a", "c")]
    _, between = layout.boxes["b"]
    assert all(
        not between.x <= x <= between.right
        for x, y in route.points
        if between.y <= y <= between.bottom
    )


def test_smaller_bands_stay_left():
    boxes = (box("b", band=1), box("a", band=0), box("u", band=2), box("top"))
    layout = lay_out(Chart(boxes, tuple(Edge("top", key) for key in "bau")))
    xs = [layout.boxes[key][1].x for key in "abu"]
    assert xs == sorted(xs)


def test_what_several_boxes_read_crosses_a_frame_once():
    inside = tuple(box(key, cluster="c") for key in "pqr")
    edges = tuple(Edge("x", key) for key in "pqr")
    layout = lay_out(Chart((box("x"), *inside), edges, (Cluster("c", "c"),)))
    assert sum(route.cluster == "" for route in layout.routes) == 1


def test_a_collapsed_cluster_is_one_box_and_its_edges_lead_there():
    inside = tuple(box(key, cluster="c") for key in "pq")
    edges = (Edge("x", "p"), Edge("x", "q"), Edge("p", "q"), Edge("q", "y"))
    collapsed = (Cluster("c", "module", collapsed=True),)
    layout = lay_out(Chart((box("x"), *inside, box("y")), edges, collapsed))
    assert list(layout.boxes) == ["x", "c/", "y"]
    assert [(r.source, r.target) for r in layout.routes] == [("x", "c/"), ("c/", "y")]
    assert [line.text for line in layout.boxes["c/"][0].lines] == ["module", "2 inside"]


def test_what_is_in_a_cluster_in_a_collapsed_one_goes_with_it():
    clusters = (Cluster("a", "a", collapsed=True), Cluster("b", "b", "a"), Cluster("c", "c", "b"))
    layout = lay_out(Chart((box("p", cluster="c"), box("q")), (Edge("p", "q"),), clusters))
    assert list(layout.boxes) == ["a/", "q"]
    assert not layout.clusters


def test_clusters_that_take_turns_lose_their_frames():
    """``layers.0 -> norms.0 -> layers.1 -> norms.1``: neither list can be framed going down."""
    boxes = (
        *(box(f"layers.{i}", cluster="layers") for i in (0, 1)),
        *(box(f"norms.{i}", cluster="norms") for i in (0, 1)),
    )
    path = ["layers.0", "norms.0", "layers.1", "norms.1"]
    edges = tuple(Edge(a, b) for a, b in itertools.pairwise(path))
    layout = lay_out(Chart(boxes, edges, (Cluster("layers", "l"), Cluster("norms", "n"))))
    assert not layout.clusters
    tops = [layout.boxes[key][1].y for key in path]
    assert tops == sorted(tops)


def test_a_circle_is_drawn_with_one_edge_back():
    layout = lay_out(chart("ab bc ca"))
    (up,) = [r for r in layout.routes if r.points[0][1] > r.points[-1][1]]
    assert (up.source, up.target) == ("c", "a")


def test_an_edge_to_itself_is_not_drawn():
    assert not lay_out(chart("aa")).routes


def test_one_box_and_no_box():
    layout = lay_out(chart("a"))
    assert (len(layout.boxes), layout.routes) == (1, ())
    assert lay_out(Chart(())).width == 0


def test_boxes_without_edges_are_about_as_wide_as_high():
    layout = lay_out(Chart(tuple(box(f"n{i}") for i in range(400))))
    assert 0.4 < layout.width / layout.height < 2.5


@pytest.mark.parametrize("direction", ["down", "right"])
def test_a_chain_of_10_000_needs_no_recursion(direction):
    layout = lay_out(chain(10_000), direction)
    assert len(layout.routes) == 9_999
    assert max(layout.width, layout.height) > 100_000


def test_edges_over_thousands_of_layers_go_along_the_side():
    count = 4_000
    links = chain(count)
    over = tuple(Edge(str(i), str(count - 1 - i)) for i in range(count // 2 - 1))
    started = time.process_time()
    layout = lay_out(Chart(links.boxes, links.edges + over))
    assert time.process_time() - started < 20
    assert sum(len(route.points) for route in layout.routes) < 30 * count


def large(count):
    """A graph of that many boxes as training steps are: locally woven, in clusters."""
    clusters = tuple(Cluster(f"c{i}", f"c{i}") for i in range(count // 50))
    boxes = tuple(
        Box(f"n{i}", (Line(f"n{i}"), Line("f32[B=32,64]", "small")), cluster=f"c{i // 50}")
        for i in range(count)
    )
    edges = [
        Edge(f"n{i - 1 - (i * 7919 + step * 104729) % min(i, 9)}", f"n{i}")
        for i in range(1, count)
        for step in (0, 1)
    ]
    return Chart(boxes, tuple(dict.fromkeys(edges)), clusters)


def test_a_graph_of_5_000_boxes_takes_seconds():
    started = time.process_time()
    layout = lay_out(large(5_000))
    # Two, of a processor's time; under a profiler some more.
    assert time.process_time() - started < 15
    assert len(layout.boxes) == 5_000


def test_the_same_chart_gives_the_same_layout_in_every_process():
    code = (
        "from tests.drawing.test_layout import large\n"
        "from chainrule.drawing import lay_out\n"
        "print(hash(repr(lay_out(large(200))).encode().hex()) and repr(lay_out(large(200))))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


def test_another_direction_is_refused():
    with pytest.raises(
        ConfigurationError, match=r"^A diagram goes down or right; got direction='up'\.$"
    ):
        lay_out(chart("ab"), "up")


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ({"boxes": (box("a"), box("a"))}, DuplicateNameError, "Two boxes have the key 'a'."),
        (
            {"boxes": (), "clusters": (Cluster("c", ""), Cluster("c", ""))},
            DuplicateNameError,
            "Two clusters have the key 'c'.",
        ),
        (
            {"boxes": (), "clusters": (Cluster("c", "", "d"),)},
            NameNotFoundError,
            "No cluster before 'c' has the key 'd'.",
        ),
        ({"boxes": (box("a", cluster="c"),)}, NameNotFoundError, "No cluster has the key 'c'."),
        (
            {"boxes": (box("a"),), "edges": (Edge("a", "b"),)},
            NameNotFoundError,
            "No box has the key 'b', where an edge ends.",
        ),
    ],
)
def test_a_chart_that_does_not_hang_together_is_refused(parts, error, message):
    with pytest.raises(error) as caught:
        Chart(**parts)
    assert str(caught.value) == message
