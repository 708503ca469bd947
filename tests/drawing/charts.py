"""Charts to lay out: drawn by Hypothesis, and by formula."""

from hypothesis import strategies as st

from chainrule.drawing import Box, Chart, Cluster, Edge, Line


def box(key, **more):
    return Box(key, (Line(key),), **more)


def chart(edges, **more):
    """A chart of edges such as "ab bc"; its boxes are the letters, in the order of the alphabet."""
    letters = sorted(set(edges) - {" "})
    pairs = (Edge(*pair) for pair in edges.split() if len(pair) == 2)
    return Chart(tuple(map(box, letters)), tuple(pairs), **more)


def chain(count):
    boxes = tuple(box(str(i)) for i in range(count))
    return Chart(boxes, tuple(Edge(str(i), str(i + 1)) for i in range(count - 1)))


@st.composite
def charts(draw, most=14, circles=False):
    """Boxes in nested clusters with edges, some of them back; without circles unless asked for."""
    clusters = []
    for i in range(draw(st.integers(0, 4))):
        parent = draw(st.sampled_from([None, *(c.key for c in clusters)]))
        clusters.append(Cluster(f"c{i}", f"module {i}", parent, draw(st.booleans())))
    homes = [None, *(c.key for c in clusters)]
    count = draw(st.integers(1, most))
    boxes = [
        Box(
            f"n{i}",
            tuple(Line("x" * draw(st.integers(1, 12))) for _ in range(draw(st.integers(1, 3)))),
            cluster=draw(st.sampled_from(homes)),
            band=draw(st.integers(0, 2)),
        )
        for i in range(count)
    ]
    place = st.integers(0, count - 1)
    edges = []
    for a, b in draw(st.lists(st.tuples(place, place), max_size=3 * count)):
        back = draw(st.booleans())
        if not circles:
            # An edge that is drawn upwards leads from what comes later.
            a, b = (max(a, b), min(a, b)) if back else (min(a, b), max(a, b))
        edges.append(Edge(f"n{a}", f"n{b}", back=back))
    return Chart(tuple(boxes), tuple(edges), tuple(clusters))
