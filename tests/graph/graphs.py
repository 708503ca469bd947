"""Graphs for tests, drawn by Hypothesis: well formed, with everything that a graph can hold."""

from hypothesis import strategies as st

from chainrule.graph import Attributes, Axis, DType, Graph, Node, Output

# Letters that a printer could trip over: quotes, escapes, brackets, comment and scope signs.
TEXTS = st.text(st.sampled_from('ab \\"\n\r\t[](){}=,:#@%σ→'), max_size=8) | st.text(max_size=4)
NAMES = st.from_regex(r"[a-zW0-9_./#@δ]{1,6}", fullmatch=True) | st.sampled_from(
    [
        "return",
        "returns.out",
        "alias",
        "graph",
        "0.out#2",
        "0.weight:exp_avg",
        "d_y/d_x",
        "f32",
        "true",
    ]
)
SCOPES = st.sampled_from(["", "0", "encoder.1", "return"])
SIZES = st.integers(0, 5) | st.builds(Axis, st.sampled_from(["B", "T"]), st.integers(1, 9))
SHAPES = st.lists(SIZES, max_size=3).map(tuple)
DTYPES = st.sampled_from(list(DType))
SCALARS = (
    st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
    | TEXTS
    | DTYPES
    | st.builds(Axis, st.just("B"), st.integers(1, 9))
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=5)
KEYS = st.sampled_from(["axes", "dtype", "over", "slope", "return"])


@st.composite
def graphs(draw, nested=1):
    """A graph whose ops mean nothing: only its structure is true."""
    names = draw(st.lists(st.none() | NAMES, max_size=6, unique_by=lambda n: n or object()))
    inputs = draw(st.integers(0, len(names)))
    values = VALUES if nested == 0 else VALUES | graphs(nested - 1)
    nodes = []
    for position, name in enumerate(names):
        kind = {"shape": draw(SHAPES), "dtype": draw(DTYPES), "name": name}
        if position < inputs:
            nodes.append(Node("input", (), **kind))
            continue
        operands = draw(st.lists(st.integers(0, position - 1), max_size=3)) if position else []
        attributes = Attributes(draw(st.dictionaries(KEYS, values, max_size=2)))
        op = draw(st.sampled_from(["add", "made_up"]))
        nodes.append(Node(op, tuple(operands), attributes=attributes, scope=draw(SCOPES), **kind))
    aliases = tuple(
        (f"alias{i}", name) for i, name in enumerate(names) if name and draw(st.booleans())
    )
    outputs = ()
    if nodes:
        ends = draw(st.lists(st.integers(0, len(nodes) - 1), max_size=3, unique=True))
        graph = Graph("f", tuple(nodes), ())
        outputs = tuple(
            Output(draw(st.sampled_from([graph.name_of(end), f"y{i}"])), end)
            for i, end in enumerate(ends)
        )
    return Graph(draw(NAMES), tuple(nodes), outputs, aliases)
