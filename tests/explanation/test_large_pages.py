"""A page of a large step: what it holds opens whole, and what it leaves out says so."""

from __future__ import annotations

import base64
import itertools
import json

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import NameNotFoundError, ShapeError
from chainrule.explanation.explanation import Explanation
from chainrule.explanation.page import held
from chainrule.explanation.page.content import content_of
from chainrule.explanation.page.document import document_of
from chainrule.explanation.page.held import asked_for
from chainrule.explanation.page.network import drawn_in
from chainrule.explanation.trace import Place

DTYPES = {"f32": "<f4", "f64": "<f8", "i32": "<i4", "i64": "<i8", "u32": "<u4", "bool": "?"}


def explain(sizes, batch, backend="native"):
    """A classifier's step with these layers."""
    draw = np.random.default_rng(0)
    layers = [
        layer
        for inner, outer in itertools.pairwise(sizes)
        for layer in (nn.Linear(inner, outer), nn.ReLU())
    ]
    net = nn.Sequential(*layers[:-1]).initialize(0)
    x = draw.random((batch, sizes[0])).astype(np.float32)
    y = np.arange(batch) % sizes[-1]
    optimizer = optim.Adam(lr=0.001)
    return cr.explain(net, x, y, loss="CrossEntropyLoss", optimizer=optimizer, backend=backend)


@pytest.fixture(scope="module")
def trace():
    return explain((60, 50, 40, 5), 20)


def tighten(patch):
    """As if a step of 5,000 weights were a large one."""
    for name, size in (("EVERYTHING", 100_000), ("WHOLE", 40_000), ("OPENED", 60_000)):
        patch.setattr(held, name, size)


@pytest.fixture
def tight(monkeypatch):
    tighten(monkeypatch)


def decoded(text, dtype):
    return np.frombuffer(base64.b64decode(text), DTYPES[dtype])


def parts_of(trace, include):
    opened = trace.opened
    part = held.held_in_part(opened, asked_for(opened, include), [])
    return {opened.graph.name_of(i): offsets for i, offsets in part.items()}


def held_numbers(content):
    """The offsets of the numbers that are held in part, by name."""
    return {
        node["name"]: decoded(node["some"]["at"], "u32")
        for node in content["nodes"]
        if "some" in node
    }


def test_a_page_that_holds_a_part_has_its_bits(trace, tight):
    content, opened = content_of(trace), trace.opened
    parts = held_numbers(content)
    assert {"0.weight", "d_0.weight", "next.0.weight"} <= set(parts)
    assert "4.weight" not in parts
    for node, value in zip(content["nodes"], opened.values, strict=True):
        if "some" in node:
            at = parts[node["name"]]
            assert (np.diff(at.astype(int)) > 0).all()
            numbers = decoded(node["some"]["values"], node["dtype"])
            assert numbers.tobytes() == value.reshape(-1)[at].tobytes()


def test_a_page_that_holds_a_part_is_no_larger_than_its_limits_say(trace, tight):
    nodes = content_of(trace)["nodes"]
    whole = sum(len(node.get("values", "")) for node in nodes)
    part = sum(len(node["some"]["at"] + node["some"]["values"]) for node in nodes if "some" in node)
    padding = 8 * len(nodes)
    assert whole <= 4 / 3 * held.WHOLE + padding
    # What stands in the picture is held, with its gradient and what it becomes, whatever the room.
    drawn = 3 * 8 * len(list(drawn_in(trace.opened)))
    assert part <= 4 / 3 * (held.OPENED + drawn) + padding


def test_what_is_said_of_a_value_that_is_held_in_part_is_of_all_its_numbers(trace, tight):
    content = content_of(trace)
    some = next(node["some"] for node in content["nodes"] if node["name"] == "d_0.weight")
    value = trace.values[trace.graph.find("d_0.weight")].astype(np.float64)
    assert some["least"] == value.min()
    assert some["greatest"] == value.max()
    assert some["mean"] == pytest.approx(value.mean(), rel=1e-12)
    assert some["zeros"] == np.count_nonzero(value == 0)
    small = some["map"]
    cells = decoded(small["cells"], "bool").view(np.int8).reshape(small["rows"], small["columns"])
    assert small["largest"] == abs(value).max()
    row = np.argmax(abs(value).max(axis=1)) * small["rows"] // len(value)
    assert 127 in abs(cells[row : row + 2].astype(int))


def test_a_small_step_is_held_whole(trace):
    assert not held_numbers(content_of(trace))


def test_what_is_asked_for_is_held(trace, tight):
    weight = trace.graph.find("2.weight")
    spot = 31 * 50 + 17
    assert spot not in parts_of(trace, ())["2.weight"]
    parts = parts_of(trace, "2.weight[31,17]")
    assert {spot} <= set(parts["2.weight"]) & set(parts["d_2.weight"]) & set(parts["next.2.weight"])
    column = np.arange(20) * 40 + 31  # it is made of the errors of its unit
    assert set(column) <= set(parts["d_2.out"])
    assert "0.weight" not in parts_of(trace, "0.weight")
    assert not {"d_0.weight", "d_2.weight"} & set(parts_of(trace, ["d_*"]))
    assert not parts_of(trace, "*")
    assert asked_for(trace, ["W2[31,17]"]).numbers == ((weight, spot),)


def test_its_proofs_are_in_the_page(trace, tight):
    content = content_of(trace, "d_2.weight[31,17]")
    position = trace.opened.graph.find("d_2.weight")
    kinds = [proof["kind"] for proof in content["proofs"][str(position)][str(31 * 50 + 17)]]
    assert kinds == ["re-evaluation", "finite difference"]


def test_what_is_asked_for_and_is_not_there_is_refused(trace):
    with pytest.raises(NameNotFoundError, match=r"Did you mean .0\.weight"):
        document_of(trace, "0.weigth")
    with pytest.raises(NameNotFoundError):
        document_of(trace, "9.*")
    with pytest.raises(ShapeError):
        document_of(trace, "0.weight[50,0]")


@pytest.mark.slow
def test_a_step_of_670000_weights_is_a_page_of_three_megabytes():
    large = explain((784, 512, 512, 10), 128)
    assert len(document_of(large).encode()) < 3_000_000


# --- in a browser ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(trace, tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "step.html"
    with pytest.MonkeyPatch.context() as patch:
        tighten(patch)
        trace.to_html(path, include=["2.weight[31,17]"])
    return path.as_uri()


@pytest.fixture
def page(browser, address):
    browser.resize(1280, 900)
    browser.open(address)
    yield browser
    assert not browser.complaints


def text(page):
    return page.run("document.getElementById('panel').innerText")


def test_the_first_screen_says_what_is_left_out(page):
    assert "numbers; this page holds" in text(page)


def test_what_a_reader_sees_first_opens(page, trace):
    drawn = ["0.weight[0,0]", "2.weight[31,17]", "4.weight[0,0]", "1.out[0,0]", "3.out[0,39]"]
    beginnings = page.run("beginnings().map(nameOf)")
    assert len(beginnings) == 6
    for name in [*beginnings, *(f"d_{name}" for name in drawn), *drawn, "next.0.weight[0,0]"]:
        page.run(f"open({json.dumps(name)})")
        assert "does not open here" not in text(page), name
        assert "not in this page" not in text(page), name


def test_what_opens_is_complete(page, trace):
    found = json.loads(
        page.run(
            """JSON.stringify(nodes.flatMap((node, position) => heldIn(position).map(([at]) =>
              opened({ node: position, at })).filter(Boolean).map(({ place, sum, bound, terms }) =>
              [place.node, place.at, sum, bound, terms.length])))"""
        )
    )
    opened = trace.opened
    assert len({node for node, *_ in found}) > 40
    assert len(found) > 2000
    for position, at, total, bound, count in found[:: len(found) // 300]:
        shape = tuple(map(int, opened.graph.nodes[position].shape))
        index = tuple(map(int, np.unravel_index(at, shape))) if shape else ()
        explanation = Explanation(opened, Place(position, index))
        assert abs(total - float(explanation.value)) <= bound
        assert count >= len(explanation.terms)


def test_a_number_that_is_left_out_says_how_to_see_it(page):
    name = page.run("""(() => { const node = positions.get("0.weight");
      for (let at = 0; ; at++) if (!holds({ node, at })) return nameOf({ node, at }); })()""")
    page.run(f"open({json.dumps(name)})")
    assert "not in this page" in text(page)
    assert f'trace["{name}"].show()' in text(page)
    assert f'include=["{name}"]' in text(page)


def test_a_value_that_is_held_in_part_shows_that_part(page):
    page.run("open('d_0.weight')")
    assert "This page holds" in text(page)
    assert 'include=["d_0.weight"]' in text(page)
    assert page.run("document.querySelectorAll('#panel canvas').length") == 1
    assert page.run("document.querySelectorAll('#panel .values button').length") > 0
    page.run("document.querySelector('#panel .largest button').click()")
    assert "not in this page" not in text(page)


def test_no_page_of_a_part_scrolls_sideways_on_a_phone(page):
    page.resize(320, 700)
    for name in ("0.weight", "d_0.weight", "0.weight[49,59]", "d_1.out[7,11]", "d_2.weight[31,17]"):
        page.run(f"open({json.dumps(name)})")
        assert page.run("document.documentElement.scrollWidth") <= 320, name
