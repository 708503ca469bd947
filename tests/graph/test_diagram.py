"""A graph as a picture: every value once, forward and backward told apart, modules framed."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings

from chainrule.autodiff import gradients
from chainrule.base.errors import ConfigurationError, NameNotFoundError
from chainrule.graph import parse_graph
from chainrule.graph.diagram import parts_of
from tests.graph.graphs import graphs

SVG = "{http://www.w3.org/2000/svg}"
FORWARD = """
graph loss(x: f64[B=2,3], 0.weight: f64[4,3], 0.bias: f64[4], target: f64[B=2,4]) -> f64[]
  %4: f64[B=2,4] = contract(x, 0.weight)  over=[1,1]  @0
  0.out: f64[B=2,4] = add(%4, 0.bias)  @0
  1.out: f64[B=2,4] = sigmoid(0.out)  @1
  %7: f64[B=2,4] = sub(1.out, target)
  %8: f64[B=2,4] = square(%7)
  loss: f64[] = mean(%8)  axes=[0,1]
  return loss
""".strip()
STEP = """
graph step(w: f64[3], x: f64[3], lr: f64[], steps: i64[]) -> (f64[], f64[3], i64[])
  %4: f64[3] = mul(w, x)
  loss: f64[] = sum(%4)  axes=[0]
  d_loss: f64[] = constant()  dtype=f64 value=1.0
  %7: f64[3] = broadcast(d_loss)  shape=[3]
  d_w: f64[3] = mul(%7, x)
  %9: f64[3] = mul(lr, d_w)
  next.w: f64[3] = sub(w, %9)
  %11: i64[] = constant()  dtype=i64 value=1
  next.steps: i64[] = add(steps, %11)
  return loss, next.w, next.steps
""".strip()


def read(diagram):
    return ET.fromstring(diagram.svg.encode("utf-8"))


def boxes(diagram):
    """Boxes by the names of what they stand for."""
    found = {}
    for group in read(diagram).iter(f"{SVG}g"):
        if group.get("class") == "box":
            found.setdefault(group.get("data-name"), []).append(group)
    return found


def look(group):
    shape = next(e for e in group if e.tag in (f"{SVG}rect", f"{SVG}polygon"))
    return shape.get("class").removeprefix("cr-box-")


def texts(group):
    return [text.text for text in group.iter(f"{SVG}text")]


def frames(diagram):
    return [
        g.get("data-name") for g in read(diagram).iter(f"{SVG}g") if g.get("class") == "cluster"
    ]


def training_graph():
    return gradients(parse_graph(FORWARD), of="loss", wrt=["0.weight", "0.bias"])


@given(graphs())
@settings(max_examples=60)
def test_every_value_has_a_box(graph):
    diagram = graph.diagram(collapse=())
    read_by = {i for node in graph.nodes for i in node.inputs}
    shown = set(boxes(diagram))
    for i, node in enumerate(graph.nodes):
        assert graph.name_of(i) in shown or not node.inputs, graph.name_of(i)
    assert [row["name"] for row in diagram.table()] == [
        graph.name_of(i) for i in range(len(graph.nodes))
    ]
    assert read_by is not None


def test_boxes_say_op_name_and_type():
    found = boxes(parse_graph(FORWARD).diagram())
    assert texts(found["0.out"][0]) == ["0.out", "add f64[B=2,4]"]
    assert texts(found["%4"][0]) == ["contract", "%4 f64[B=2,4]"]
    assert texts(found["x"][0]) == ["x", "f64[B=2,3]"]
    assert found["%4"][0].find(f"{SVG}title").text == (
        "%4: f64[B=2,4] = contract(x, 0.weight)  over=[1,1]  @0"
    )
    assert found["0.out"][0].get("id") == "graph:0.out"


def test_forward_and_backward_are_told_apart():
    found = boxes(training_graph().diagram())
    assert look(found["0.out"][0]) == look(found["loss"][0]) == "forward"
    for name in ("d_0.out", "d_0.weight", "d_1.out/d_0.out", "d_loss"):
        assert look(found[name][0]) == "backward", name
    assert look(found["x"][0]) == look(found["target"][0]) == "input"
    assert look(found["0.weight"][0]) == "parameter"


def test_the_backward_pass_goes_up_beside_the_forward_pass():
    root = read(training_graph().diagram())
    places = {
        g.get("data-name"): (float(s.get("x", 0)), float(s.get("y", 0)))
        for g in root.iter(f"{SVG}g")
        if g.get("class") == "box"
        for s in g.iter(f"{SVG}rect")
    }
    assert places["0.out"][1] < places["1.out"][1] < places["loss"][1]
    up = [
        path
        for path in root.iter(f"{SVG}path")
        if (path.get("data-from"), path.get("data-to")) == ("d_0.out", "d_0.weight")
    ]
    for path in up:
        numbers = [float(n) for n in re.findall(r"[\d.]+", path.get("d"))]
        assert numbers[1] > numbers[-1]


def test_what_is_only_for_the_next_step_is_an_update():
    graph = parse_graph(STEP)
    parts = dict(zip(map(graph.name_of, range(len(graph.nodes))), parts_of(graph), strict=True))
    assert parts == {
        **dict.fromkeys(("w", "x", "%4", "loss"), "forward"),
        **dict.fromkeys(("d_loss", "%7", "d_w"), "backward"),
        **dict.fromkeys(("lr", "steps", "%9", "next.w", "%11", "next.steps"), "update"),
    }


def test_a_parameter_that_is_called_like_a_gradient_is_none():
    graph = parse_graph("graph f(d_x: f32[2]) -> f32[2]\n  d_y: f32[2] = exp(d_x)\n  return d_y")
    assert parts_of(graph) == ["forward", "forward"]


def test_numbers_stand_beside_each_reader_and_moves_are_small():
    text = (
        "graph f(x: f32[2]) -> f32[2,1]\n  %1: f32[] = constant()  dtype=f32 value="
        "0.8999999761581421\n  %2: f32[2] = mul(x, %1)\n  %3: f32[2] = add(%2, %1)\n"
        "  %4: f32[2,1] = reshape(%3)  shape=[2,1]\n  return y=%4"
    )
    found = boxes(parse_graph(text).diagram())
    assert [texts(group) for group in found["%1"]] == [["0.9"], ["0.9"]]
    assert {look(group) for group in found["%1"]} == {"literal"}
    assert texts(found["%4"][0]) == ["reshape f32[2,1]"]
    assert look(found["%4"][0]) == "moved"


def test_modules_are_framed_where_they_hold_several_values():
    assert frames(parse_graph(FORWARD).diagram()) == ["0"]
    assert frames(training_graph().diagram()) == ["0", "1"]


NESTED = """
graph f(x: f32[2], enc.0.weight: f32[2]) -> f32[2]
  %2: f32[2] = mul(x, enc.0.weight)  @enc.0
  enc.0.out: f32[2] = exp(%2)  @enc.0
  %4: f32[2] = mul(enc.0.out, enc.0.weight)  @enc.0#2
  enc.0.out#2: f32[2] = exp(%4)  @enc.0#2
  enc.out: f32[2] = add(enc.0.out, enc.0.out#2)  @enc
  return enc.out
""".strip()


def test_calls_of_a_shared_module_are_frames_of_their_own_in_the_one_around():
    assert frames(parse_graph(NESTED).diagram()) == ["enc", "enc.0", "enc.0#2"]


def test_a_module_can_be_collapsed():
    diagram = parse_graph(NESTED).diagram(collapse=["enc.0"])
    assert frames(diagram) == ["enc", "enc.0#2"]
    assert texts(boxes(diagram)["enc.0"][0]) == ["enc.0", "3 inside"]


def test_a_graph_and_its_modules_share_no_ids():
    graph = parse_graph(NESTED)
    ids = [
        {e.get("id") for e in read(diagram).iter() if e.get("id")}
        for diagram in (graph.diagram(), graph.diagram(collapse=["enc.0"]))
    ]
    assert not ids[0] & ids[1]


def test_long_updates_are_collapsed_unless_all_is_asked_for():
    lines = ["graph f(w: f32[2], g: f32[2]) -> f32[2]"]
    lines += [f"  %{i}: f32[2] = add({'w' if i == 2 else f'%{i - 1}'}, g)" for i in range(2, 8)]
    lines += ["  next.w: f32[2] = add(%7, w)", "  return next.w"]
    graph = parse_graph("\n".join(lines))
    assert "update w" in boxes(graph.diagram())
    assert frames(graph.diagram(collapse=())) == ["update_w"]


def test_values_are_written_below_names():
    graph = parse_graph(FORWARD)
    found = boxes(graph.diagram(values={"loss": "0.298", "%4": "2×4"}))
    assert texts(found["loss"][0]) == ["loss", "mean f64[]", "0.298"]
    assert texts(found["%4"][0])[-1] == "2×4"


def test_the_table_says_the_same():
    rows = training_graph().diagram(values={"loss": "0.5"}).table()
    by_name = {row["name"]: row for row in rows}
    assert by_name["loss"] == {
        "name": "loss",
        "op": "mean",
        "type": "f64[]",
        "made of": "%8",
        "part": "forward",
        "value": "0.5",
    }
    assert by_name["d_0.weight"]["part"] == "backward"


def test_what_is_not_there_is_named():
    graph = parse_graph(FORWARD)
    with pytest.raises(NameNotFoundError) as caught:
        graph.diagram(values={"los": "1"})
    assert 'No value is named "los". Graph loss. Did you mean "loss"?' in str(caught.value).replace(
        "graph loss", "Graph loss"
    )
    with pytest.raises(NameNotFoundError, match='No module is named "2"'):
        graph.diagram(collapse=["2"])
    with pytest.raises(ConfigurationError, match="A diagram goes down or right"):
        graph.diagram(direction="left")


@pytest.mark.parametrize("name", ["forward", "training"])
def test_pictures_are_those_that_were_looked_at(golden, name):
    graph = parse_graph(FORWARD) if name == "forward" else training_graph()
    golden(f"graph/diagram-{name}", graph.diagram().svg)


def test_an_empty_graph_has_a_picture():
    graph = parse_graph("graph f() -> ()\n  return")
    assert read(graph.diagram()).get("role") == "img"
