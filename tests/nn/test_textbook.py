"""The textbook's names, and the textbook's equations, on the graph of a small network."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.autodiff import gradients
from chainrule.eager import Trace
from chainrule.graph import Axis, DType, TensorType, parse_graph
from chainrule.nn.evaluation import batch_type
from chainrule.ops import verify


def small():
    """[784, 30, 10] in small: [4, 3, 2]."""
    return nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 2), nn.Sigmoid())


def loss_graph(net, batch=5):
    """The loss of a batch with the network's own names, as training traces it."""
    x = TensorType((Axis("B", batch), 4), DType.F32)
    target = TensorType((Axis("B", batch), 2), DType.F32)
    net.initialize()
    with Trace() as trace:
        loss = nn.weighted_mean(
            nn.QuadraticLoss()(net(trace.input(x, "x")), trace.input(target, "target"))
        )
        trace.builder.name(loss.traced_value, "loss")
        trace.builder.aliases |= nn.textbook_aliases(net)
        return trace.build("loss", {"loss": loss})


def test_the_graph_of_a_small_network_its_loss_and_gradients(golden):
    net = small()
    graph = gradients(loss_graph(net), of="loss", wrt=list(net.trainable_parameters()))
    verify(graph)
    text = str(graph)
    assert parse_graph(text) == graph
    golden("nn/small_network", text + "\n")


def test_textbook_names_are_aliases_of_paths():
    assert nn.textbook_aliases(small()) == {
        "W1": "0.weight", "b1": "0.bias", "z1": "0.out", "δ1": "d_0.out", "a1": "1.out",
        "W2": "2.weight", "b2": "2.bias", "z2": "2.out", "δ2": "d_2.out", "a2": "3.out",
    }  # fmt: skip


@pytest.mark.parametrize("activation", [nn.Sigmoid(), nn.LeakyReLU(), nn.Softmax(), nn.Tanh()])
def test_every_activation_gives_an_a(activation):
    aliases = nn.textbook_aliases(nn.Sequential(nn.Linear(2, 2, bias=False), activation))
    assert aliases == {"W1": "0.weight", "z1": "0.out", "δ1": "d_0.out", "a1": "1.out"}


@pytest.mark.parametrize(
    "net",
    [
        nn.Linear(2, 2),
        nn.Sequential(nn.Sigmoid(), nn.Linear(2, 2)),
        nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Softmax()),
        nn.Sequential(nn.Linear(2, 2), nn.Dropout()),
        nn.Sequential(nn.Sequential(nn.Linear(2, 2))),
    ],
    ids=["no chain", "no layer first", "two activations", "dropout", "nested"],
)
def test_other_networks_have_no_textbook_names(net):
    assert nn.textbook_aliases(net) == {}


def test_bp1_to_bp4_hold_on_the_graph():
    """δ² = ∇C ⊙ σ′(z²), δ¹ = (W²ᵀδ²) ⊙ σ′(z¹), ∂C/∂b = Σ δ, ∂C/∂W = Σ δ aᵀ: by textbook names."""
    net = small().astype("float64")
    x = np.linspace(-1, 1, 20).reshape(5, 4)
    target = np.linspace(0, 1, 10).reshape(5, 2)

    def cost(net, x):
        return nn.weighted_mean(nn.QuadraticLoss()(net(x), target))

    d = {path: g.numpy() for path, g in cr.grad(cost)(net, x).items()}
    w = net.state_dict()
    a1 = 1 / (1 + np.exp(-(x @ w["0.weight"].T + w["0.bias"])))
    a2 = 1 / (1 + np.exp(-(a1 @ w["2.weight"].T + w["2.bias"])))
    delta2 = (a2 - target) / 5 * a2 * (1 - a2)
    delta1 = delta2 @ w["2.weight"] * a1 * (1 - a1)
    close = {"rtol": 1e-13, "atol": 1e-16}  # some 20 roundings each
    np.testing.assert_allclose(d["2.bias"], delta2.sum(axis=0), **close)
    np.testing.assert_allclose(d["2.weight"], delta2.T @ a1, **close)
    np.testing.assert_allclose(d["0.bias"], delta1.sum(axis=0), **close)
    np.testing.assert_allclose(d["0.weight"], delta1.T @ x, **close)


def test_batch_types_name_the_batch_axis():
    assert str(batch_type(np.zeros((100, 784), np.float32), 10)) == "f32[B=10,784]"
    assert str(batch_type(np.zeros(100, np.int64), 10)) == "i64[B=10]"
