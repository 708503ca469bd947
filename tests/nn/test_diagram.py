"""Networks draw themselves: neurons of a chain, modules of the rest, as they are used."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from chainrule import nn
from chainrule.base.errors import ConfigurationError, NameNotFoundError, ShapeError
from chainrule.nn.diagram import chain_of
from chainrule.nn.flow import forward_graph

SVG = "{http://www.w3.org/2000/svg}"


def read(diagram):
    return ET.fromstring(diagram.svg.encode("utf-8"))


def textbook():
    net = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 2), nn.Sigmoid())
    net[0].weight.replace([[0.15, 0.20], [0.25, 0.30]])
    net[0].bias.replace([0.35, 0.35])
    net[2].weight.replace([[0.40, -0.45], [0.50, 0.55]])
    net[2].bias.replace([0.60, 0.60])
    return net


def boxes(diagram):
    """Texts of boxes by the name that they stand for."""
    return {
        g.get("data-name"): [text.text for text in g.iter(f"{SVG}text")]
        for g in read(diagram).iter(f"{SVG}g")
        if g.get("class") == "box"
    }


def arrows(diagram):
    return {
        (p.get("data-from"), p.get("data-to"))
        for p in read(diagram).iter(f"{SVG}path")
        if p.get("data-to")
    }


def frames(diagram):
    root = read(diagram)
    return [
        next(t.text for t in g if t.tag == f"{SVG}text")
        for g in root.iter(f"{SVG}g")
        if g.get("class") == "cluster"
    ]


# --- chains -----------------------------------------------------------------------------------


def test_a_small_chain_shows_every_weight_with_sign_and_number():
    diagram = textbook().diagram()
    rows = {row["name"]: row for row in diagram.table()}
    assert len(rows) == 12
    assert rows["2.weight[0, 1]"] == {
        "name": "2.weight[0, 1]",
        "from": "1.out[1]",
        "to": "2.out[0]",
        "value": "-0.45",
    }
    assert rows["0.bias[1]"]["from"] == "1"
    lines = {
        (line.get("data-name"), line.get("data-index")): line.get("class")
        for line in read(diagram).iter(f"{SVG}line")
        if line.get("data-name")
    }
    assert len(lines) == 12
    negative = [key for key, look in lines.items() if look == "cr-edge-negative"]
    assert negative == [("2.weight", "0,1")]


def test_a_neuron_shows_what_its_activation_does():
    """A curve that is computed by the layer: the sigmoid goes from 0 at the left to 1."""
    paths = [
        p for p in read(textbook().diagram()).iter(f"{SVG}path") if p.get("class") == "cr-curve"
    ]
    assert len(paths) == 4
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", paths[0].get("d"))]
    assert heights == sorted(heights, reverse=True)
    softmax = nn.Sequential(nn.Linear(2, 2), nn.Softmax(-1)).diagram()
    assert not [p for p in read(softmax).iter(f"{SVG}path") if p.get("class") == "cr-curve"]


def test_a_large_chain_shows_its_sizes_and_leaves_neurons_out():
    net = nn.Sequential(nn.Linear(784, 30), nn.Sigmoid(), nn.Linear(30, 10), nn.Sigmoid())
    diagram = net.diagram()
    texts = [text.text for text in read(diagram).iter(f"{SVG}text")]
    assert {"784", "30", "10", "0 Linear", "3 Sigmoid"} <= set(texts)
    dots = [c for c in read(diagram).iter(f"{SVG}circle") if c.get("class") == "cr-dot"]
    assert len(dots) == 6
    assert [row["value"] for row in diagram.table()] == ["30 × 784", "30", "10 × 30", "10"]


def test_a_picture_draws_no_numbers():
    """Else training from another seed would begin elsewhere after somebody looked."""
    for net in (nn.Linear(3, 2), nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.1))):
        net.diagram()
        assert not any(parameter.is_drawn for parameter in net.parameters())
    diagram = nn.Linear(3, 2).diagram()
    assert {row["value"] for row in diagram.table()} == {"not drawn yet"}


def test_a_small_chain_can_be_read_on_a_phone():
    """320 pixels wide, letters of 11 are still larger than 8."""
    assert 11 * 320 / textbook().diagram().width > 8


def test_values_are_written_at_neurons_and_weights():
    diagram = textbook().diagram(values={"1.out[0]": "0.593", "0.weight[0, 0]": "w1", "x[1]": "i2"})
    texts = [text.text for text in read(diagram).iter(f"{SVG}text")]
    assert {"0.593", "w1", "i2"} <= set(texts)
    assert diagram.table()[0]["value"] == "w1"


@pytest.mark.parametrize("element", ["1.out", "1.out[2]", "1.out[0, 0]", "7.out[0]", "1.out[x]"])
def test_values_of_what_is_not_there_are_refused(element):
    with pytest.raises(NameNotFoundError, match="No element of this network is named"):
        textbook().diagram(values={element: "1"})


@pytest.mark.parametrize(
    ("net", "layers"),
    [
        (nn.Linear(2, 1), 1),
        (nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)), 2),
        (nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)), 2),
        (nn.Sequential(nn.ReLU(), nn.Linear(3, 1)), 0),
        (nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Tanh()), 0),
        (nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5)), 0),
        (nn.Sequential(*[nn.Linear(2, 2)] * 2), 0),
        (nn.Sequential(*(nn.Linear(2, 2) for _ in range(20))), 0),
        (nn.Sequential(), 0),
    ],
)
def test_what_is_a_chain(net, layers):
    assert len(chain_of(net)) == layers


# --- modules ----------------------------------------------------------------------------------


def test_a_residual_connection_goes_past_its_module():
    net = nn.Sequential(nn.Residual(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))), nn.Tanh())
    diagram = net.diagram()
    assert arrows(diagram) == {
        ("x", "0.module.0.out"),
        ("x", "0.out"),
        ("0.module.0.out", "0.module.1.out"),
        ("0.module.1.out", "0.out"),
        ("0.out", "1.out"),
        ("1.out", "→y"),
    }
    assert frames(diagram) == ["0 Residual", "0.module Sequential"]
    assert boxes(diagram)["0.out"] == ["add"]


def test_a_residual_around_dropout_alone_still_has_two_ways():
    assert ("x", "module.out") in arrows(nn.Residual(nn.Dropout(0.5)).diagram())
    assert ("x", "out") in arrows(nn.Residual(nn.Dropout(0.5)).diagram())


def test_parallel_modules_stand_side_by_side():
    net = nn.Parallel(nn.Linear(3, 2), nn.Identity(), nn.Sequential(nn.Linear(3, 1), nn.Tanh()))
    diagram = net.diagram()
    given = {source for source, target in arrows(diagram) if target == "1.out"}
    assert len(given) == 1
    assert {(*given, name) for name in ("0.out", "1.out", "2.0.out")} <= arrows(diagram)
    assert {("0.out", "out"), ("1.out", "out"), ("2.1.out", "out")} <= arrows(diagram)


def test_boxes_say_shapes_and_numbers_of_parameters():
    net = nn.Sequential(nn.Flatten(), nn.Linear(6, 4), nn.BatchNorm1d(4))
    found = boxes(net.diagram(np.zeros((5, 2, 3))))
    assert found["x"] == ["x", "[B,2,3]"]
    assert found["0.out"] == ["Flatten", "0", "[B,2,3] → [B,6]"]
    assert found["1.out"] == ["Linear", "1", "[B,6] → [B,4]", "28 parameters"]
    assert found["2.out"] == ["BatchNorm1d", "2", "[B,4]", "8 parameters"]
    assert found["→y"] == ["output", "[B,4]"]


def test_a_shared_module_stands_at_each_of_its_places_and_is_counted_once():
    shared = nn.Linear(4, 4)
    net = nn.Sequential(nn.Residual(shared), nn.Tanh(), nn.Residual(shared))
    diagram = net.diagram()
    found = boxes(diagram)
    assert found["0.module.out"] == ["Linear", "0.module", "[B,4]", "20 parameters"]
    assert found["0.module.out#2"] == [
        "Linear",
        "2.module = 0.module",
        "[B,4]",
        "the same 20 parameters",
    ]
    assert frames(diagram) == ["0 Residual", "2 Residual"]
    assert "20 parameters" in read(diagram).find(f"{SVG}desc").text


class Recurrent(nn.Module):
    """One cell, called twice."""

    def __init__(self):
        self.cell = nn.Linear(3, 3)

    def forward(self, x):
        return self.cell(self.cell(x).tanh())


def test_a_module_that_is_called_twice_is_there_twice():
    found = boxes(Recurrent().diagram())
    assert found["cell.out"][1] == "cell"
    assert found["cell.out#2"][1] == "cell, call 2"


class Tied(nn.Module):
    """Two layers with one weight."""

    def __init__(self):
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.b(self.a(x))


def test_a_shared_parameter_is_counted_once():
    found = boxes(Tied().diagram())
    assert found["a.out"][-1] == "12 parameters"
    assert found["b.out"][-1] == "3 parameters, 9 shared"


class Two(nn.Module):
    """Two inputs and two outputs."""

    def __init__(self):
        self.a, self.b = nn.Linear(3, 2), nn.Linear(2, 2)

    def forward(self, left, right):
        return self.a(left), self.b(right) + 1.0


def test_several_inputs_and_outputs():
    diagram = Two().diagram((np.zeros((4, 3)), np.zeros((4, 2))))
    assert {("left", "a.out"), ("right", "b.out"), ("a.out", "→y"), ("out.1", "→y1")} <= arrows(
        diagram
    )
    assert boxes(diagram)["→y1"] == ["output 1", "[B,2]"]


class Named(nn.Module):
    """Outputs by name, some of them in a tuple."""

    def __init__(self):
        self.mean, self.scale = nn.Linear(3, 2), nn.Linear(3, 1)

    def forward(self, x):
        return {"mean": self.mean(x), "spread": (self.scale(x), self.scale(x) + 1.0)}


def test_outputs_of_a_dict_are_called_by_their_keys():
    found = boxes(Named().diagram(np.zeros((4, 3))))
    called = [found[name][0] for name in ("→y", "→y1", "→y2")]
    assert called == ["output mean", "output spread.0", "output spread.1"]


class Lists(nn.Module):
    """Layers and norms that take turns."""

    def __init__(self):
        self.layers = nn.ModuleList([nn.Linear(3, 3) for _ in range(2)])
        self.norms = [nn.LayerNorm(3) for _ in range(2)]

    def forward(self, x):
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = norm(layer(x))
        return x


def test_lists_whose_modules_take_turns_are_drawn_without_frames():
    diagram = Lists().diagram()
    assert ("layers.0.out", "norms.0.out") in arrows(diagram)
    assert frames(diagram) == []


class Guest(nn.Module):
    """Calls a module that it does not contain."""

    def __init__(self):
        self.a = nn.Linear(3, 3)

    def forward(self, x):
        return nn.ReLU()(self.a(x))


def test_a_module_made_in_forward_is_a_box_too():
    assert boxes(Guest().diagram())["ReLU.out"][0] == "ReLU"


def test_integers_are_guessed_for_embeddings():
    net = nn.Sequential(nn.Embedding(50, 4), nn.Flatten(), nn.Linear(4, 2))
    assert boxes(net.diagram())["0.out"][0] == "Embedding"


def test_an_input_that_cannot_be_guessed_is_asked_for():
    with pytest.raises(ConfigurationError) as caught:
        Two().diagram()
    assert "What Two reads cannot be seen from its layers" in str(caught.value)
    assert "Pass an example of its input: net.diagram(x[:1])" in str(caught.value)


def test_with_an_example_a_chain_shows_modules_too():
    assert "0.out" in boxes(nn.Sequential(nn.Linear(2, 1)).diagram(np.zeros((1, 2))))


def test_values_are_written_in_modules():
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    assert boxes(net.diagram(values={"0.out": "[0.1, 0.2]"}))["0.out"][-1] == "[0.1, 0.2]"
    with pytest.raises(NameNotFoundError, match=r'No value of this diagram is named "0\.ou"'):
        net.diagram(values={"0.ou": ""})


def test_drawing_changes_nothing():
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)).initialize(3)
    before = net.state_dict()
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    y = net(x).numpy()
    net.diagram()
    after = net.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert np.array_equal(net(x).numpy(), y)
    assert "forward" not in vars(net[2])


def test_direction():
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    assert net.diagram(direction="right").width > net.diagram().width
    chain = nn.Linear(2, 2)
    assert chain.diagram(direction="down").svg != chain.diagram().svg
    for each in (net, chain):
        with pytest.raises(ConfigurationError, match="A diagram goes down or right"):
            each.diagram(direction="up")


def test_the_forward_graph_is_what_the_network_computes():
    net = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    assert [node.op for node in forward_graph(net).nodes if node.op != "input"] == [
        "contract", "add", "tanh"
    ]  # fmt: skip
    assert not net[0].weight.is_drawn


@pytest.mark.parametrize("name", ["textbook", "residual"])
def test_pictures_are_those_that_were_looked_at(golden, name):
    net = (
        textbook() if name == "textbook" else nn.Sequential(nn.Linear(3, 2), nn.Residual(nn.Tanh()))
    )
    golden(f"nn/diagram-{name}", net.diagram().svg)


def made_without_arguments():
    for name, layer in nn.LAYERS.items():
        try:
            yield pytest.param(layer(), id=name)
        except (TypeError, ConfigurationError):
            continue  # it takes arguments


UNCALLED = (nn.ModuleList.forward, nn.ModuleDict.forward)


@pytest.mark.parametrize("net", list(made_without_arguments()))
def test_every_layer_has_a_picture(net):
    if type(net).forward in UNCALLED:
        with pytest.raises(ConfigurationError, match="Call them in a module's forward"):
            net.diagram()
        return
    for shape in ((2, 4), (2, 4, 4), (2, 4, 4, 4), (2, 4, 4, 4, 4)):
        try:
            net(np.full(shape, 0.5))
        except ShapeError:
            continue
        assert "out" in boxes(net.diagram(np.full(shape, 0.5)))
        return
    pytest.fail("no shape is one that it reads")


def test_a_diagram_is_written_in_no_other_file(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        nn.Linear(3, 2).diagram().save(tmp_path / "net.png")
    assert str(caught.value) == (
        f"A diagram is written as .svg; got {tmp_path}/net.png. Name it {tmp_path}/net.svg."
    )
    assert list(tmp_path.iterdir()) == []


class Doubled(nn.Module):
    """No module in it, and no parameter."""

    def forward(self, signal):
        return signal * 2.0


def test_the_input_of_a_network_without_modules_is_called_as_forward_calls_it():
    assert list(boxes(Doubled().diagram())) == ["signal", "out", "→y"]
    assert next(iter(boxes(nn.Sequential().diagram()))) == "x"


def test_a_weight_that_is_no_number_is_in_the_legend():
    net = nn.Linear(2, 1, bias=False)
    net.weight.replace([[np.nan, 1.0]])
    assert "not a number" in net.diagram().svg
    net.weight.replace([[2.0, 1.0]])
    assert "not a number" not in net.diagram().svg


# --- many modules ---------------------------------------------------------------------------------


def deep(count):
    return nn.Sequential(*(nn.Linear(2, 2) if i % 2 else nn.Tanh() for i in range(count)))


def test_of_many_layers_the_first_and_the_last_are_drawn_and_the_rest_is_counted():
    diagram = deep(200).diagram()
    found = boxes(diagram)
    # 200 layers, the input and the output: 202, of which 8 and 3 are drawn.
    drawn = ["x", *(f"{i}.out" for i in range(7)), "⋮", "198.out", "199.out", "→y"]
    assert list(found) == drawn
    assert found["⋮"] == ["⋮", "191 more", "7 … 197", "576 parameters"]
    assert {("6.out", "⋮"), ("⋮", "198.out")} <= arrows(diagram)
    assert len(arrows(diagram)) == len(drawn) - 1
    assert diagram.height < 1500
    assert len(diagram.table()) == 202  # all of it is in the table


def test_as_many_layers_as_are_seen_with_ease_are_all_drawn():
    assert "⋮" not in boxes(deep(28).diagram())
    assert "⋮" in boxes(deep(29).diagram())


def test_of_many_blocks_the_first_and_the_last_are_drawn_with_what_is_in_them():
    net = nn.Sequential(*(nn.Residual(deep(2)) for _ in range(50)))
    diagram = net.diagram()
    assert frames(diagram)[:2] == ["0 Residual", "0.module Sequential"]
    assert len(frames(diagram)) == 2 * (7 + 2)  # input and output are the first and the last
    assert boxes(diagram)["⋮"][1:] == ["123 more", "7.module.0 … 47.module.1", "246 parameters"]


def test_inner_modules_of_many_are_one_box_each():
    diagram = nn.Sequential(*(nn.Sequential(deep(3), deep(3)) for _ in range(20))).diagram()
    assert frames(diagram) == [f"{i} Sequential" for i in range(20)]
    assert diagram.svg.count("3 inside") == 2 * 20
    assert len(diagram.table()) == 122


def test_layers_between_which_others_compute_are_left_out_in_their_order():
    class Dense(nn.Module):
        def __init__(self):
            self.layers = [nn.Linear(2, 2) for _ in range(34)]

        def forward(self, x):
            for layer in self.layers:
                x = layer(x) + x
            return x

    diagram = Dense().diagram()
    found = arrows(diagram)
    order = {name: i for i, name in enumerate(boxes(diagram))}
    assert all(order[source] < order[target] for source, target in found)
    assert len(order) == 12
