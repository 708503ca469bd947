"""What the page says of a number, against what Python says of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.explanation.expansion import leaves
from chainrule.explanation.explanation import Explanation
from chainrule.explanation.trace import Place
from tests.explanation.traces import explain_worked

NUMBERS = 60


def explained(net, x, y, loss, optimizer=None, backend="numpy"):
    return cr.explain(net, x, y, loss=loss, optimizer=optimizer, backend=backend)


def draw(*shape):
    return np.random.default_rng(7).standard_normal(shape).astype(np.float32)


def dense():
    layers = [nn.Linear(6, 50), nn.Sigmoid(), nn.Linear(50, 4), nn.Sigmoid()]
    net = nn.Sequential(*layers).initialize(1)
    return explained(
        net, draw(3, 6), abs(draw(3, 4)) / 4, nn.QuadraticLoss(), optim.SGD(lr=3.0), "native"
    )


def normalised():
    layers = [nn.Linear(4, 3), nn.BatchNorm1d(3), nn.LeakyReLU(), nn.Dropout(0.5), nn.Linear(3, 2)]
    net = nn.Sequential(*layers).initialize(3)
    x, y = draw(8, 4), np.arange(8) % 2
    return explained(net, x, y, nn.CrossEntropyLoss(), optim.Adam(lr=0.01))


def branched():
    """The largest of some, a slope for each unit, weights for classes, and a norm clipped."""
    net = nn.Sequential(nn.Linear(3, 4), nn.GLU(), nn.PReLU(), nn.Linear(2, 3), nn.LogSoftmax(1))
    net.initialize(0)
    return explained(net, draw(4, 3), np.array([0, 2, 1, 1]), nn.NLLLoss(), optim.RMSprop(lr=0.1))


def embedded():
    layers = [nn.Embedding(5, 3), nn.Flatten(), nn.LayerNorm(6), nn.GELU(), nn.Linear(6, 1)]
    net = nn.Sequential(*layers).initialize(0)
    x = np.array([[0, 3], [1, 1], [4, 0]])
    return explained(net, x, draw(3, 1), nn.HuberLoss(), optim.AdamW(lr=0.1))


def images():
    layers = [nn.Linear(784, 30), nn.Sigmoid(), nn.Linear(30, 10), nn.Sigmoid()]
    net = nn.Sequential(*layers).initialize(0)
    x, y = abs(draw(10, 784)), np.eye(10, dtype=np.float32)
    return explained(net, x, y, nn.QuadraticLoss(), optim.SGD(lr=3.0), "native")


TRACES = {
    "worked": explain_worked,
    "dense": dense,
    "normalised": normalised,
    "branched": branched,
    "embedded": embedded,
    "images": images,
}


def some_numbers(trace):
    """Numbers of every node that has a name, drawn at random."""
    random = np.random.default_rng(0)
    nodes = trace.graph.nodes
    named = [i for i, node in enumerate(nodes) if node.name and node.inputs and node.type.size]
    for position in [*named, *random.choice(named, max(NUMBERS - len(named), 0))]:
        shape = tuple(map(int, nodes[position].shape))
        yield Explanation(
            trace, Place(int(position), tuple(int(random.integers(0, n)) for n in shape))
        )


READ = """JSON.stringify(%s.map((name) => {
  const place = find(name), found = opened(place);
  const strict = summands(found.expression).map((term) => evaluated(term, 0)[0]);
  return { name: nameOf(place), symbol: written(symbolAt(place)),
    stored: found.stored, sum: found.sum, bound: found.bound, terms: strict,
    parts: placesIn(expand(place)).map(nameOf) };
}))"""


@pytest.fixture(scope="module", params=TRACES)
def step(request, browser, tmp_path_factory):
    """A step, with its page in the browser."""
    trace = TRACES[request.param]()
    path = tmp_path_factory.mktemp(request.param) / "step.html"
    trace.to_html(path)
    browser.open(path.as_uri())
    return trace


def test_the_page_takes_a_number_apart_as_python_does(step, browser):
    trace = step
    opened = trace.opened
    expected = list(some_numbers(opened))
    found = json.loads(browser.run(READ % json.dumps([each.name for each in expected])))
    unit = max(float(np.finfo(v.dtype).eps) for v in trace.values if v.dtype.kind == "f")
    for each, there in zip(expected, found, strict=True):
        parts = [Explanation(opened, place).name for place in leaves(each.expression)]
        assert there["name"] == each.name
        assert there["symbol"] == str(each.symbol)
        assert sorted(there["parts"]) == sorted(parts), each.name
        assert abs(there["sum"] - there["stored"]) <= there["bound"], each.name
        terms = [term.value for term in each.terms]
        # What an op gave, the page takes from the trace, rounded to the step's dtype.
        size = sum(map(abs, terms)) + abs(float(each.value))
        assert there["terms"] == pytest.approx(terms, rel=0, abs=8 * unit * size), each.name
    assert not browser.complaints


def test_every_value_and_a_number_of_each_open(step, browser):
    headings = browser.run("""nodes.flatMap((node, i) => [node.name, nameOf({ node: i, at: 0 })]
      .map((each) => h("div", {}, explained(find(each))).querySelector("h2").ariaLabel))""")
    assert len(headings) == 2 * len(step.opened.graph.nodes)
    assert all(headings)
    assert not browser.complaints
