"""The update itself: what it keeps, what it leaves alone, and that it is one graph everywhere."""

import copy

import numpy as np
import pytest

from chainrule import optim
from chainrule.backends import get_backend
from chainrule.eager import Tensor, Trace, grad, value_and_grad
from chainrule.graph import DType, TensorType, parse_graph
from chainrule.ops import verify
from chainrule.optim.options import kinds
from tests.optim.grids import TYPICAL, made
from tests.optim.nets import Net

EVERY = list(optim.OPTIMIZERS)
OPTIONS = [
    *TYPICAL.items(),
    ("SGD", {"momentum": 0.9, "nesterov": True, "clip_norm": 0.5}),
    ("Adam", {"amsgrad": True, "groups": {"b": {"lr": 0.5, "weight_decay": 0.1}}}),
    ("AdamW", {"clip_norm": 0.1, "clip_value": 0.05}),
]
TYPES = {"0.weight": TensorType((2, 3), DType.F32), "0.bias": TensorType((2,), DType.F32)}

X = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
Y = np.random.default_rng(1).normal(size=(8, 2)).astype(np.float32)


def regression():
    rng = np.random.default_rng(2)
    return Net(
        w=rng.normal(size=(3, 2)).astype(np.float32), b=rng.normal(size=2).astype(np.float32)
    )


def loss(p):
    return ((Tensor(X) @ p["w"] + p["b"]).tanh() - Tensor(Y)).square().mean()


def loss_of(net):
    return loss(net.parameters)


def train(net, optimizer, updates):
    for _ in range(updates):
        _, gradients = value_and_grad(loss_of)(net)
        optimizer.update(net, gradients)
    return net


def assert_same_bits(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert value.dtype == theirs[name].dtype
        assert value.shape == theirs[name].shape
        assert value.tobytes() == np.ascontiguousarray(theirs[name]).tobytes(), name


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_custom_loop_has_the_bits_of_one_fused_graph(name, options):
    net = regression()
    optimizer = made(name, net.parameters, lr=0.1, **options)
    start = net.numpy()
    with Trace() as trace:
        p = {path: trace.input(TensorType(v.shape, DType.F32), path) for path, v in start.items()}
        state = {
            key: trace.input(TensorType(v.shape, DType.of(v.dtype)), key.replace(":", "."))
            for key, v in optimizer.initial_state(p).items()
        }
        inputs = [*start.values(), *optimizer.initial_state(start).values()]
        t = trace.input(TensorType((), DType.I64), "t")
        lr = trace.input(TensorType((), DType.F64), "lr")
        for _ in range(4):
            p, state = optimizer.apply(p, grad(loss)(p), state, t, lr)
            t = t + 1
        fused = trace.build("four", p | {key.replace(":", "."): v for key, v in state.items()})
    # Captured: the data, once for each use.
    captured = [tensor.numpy() for tensor in trace.captures]
    results = get_backend("numpy").run(fused, [*inputs, np.int64(0), np.float64(0.1), *captured])
    train(net, optimizer, 4)
    loop = net.numpy() | {key.replace(":", "."): v for key, v in optimizer.state.items()}
    assert_same_bits(loop, dict(zip(fused.labels, results, strict=True)))
    assert optimizer.t == 4


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_eager_apply_has_the_bits_of_update(name, options):
    net = regression()
    optimizer = made(name, net.parameters, lr=0.1, **options)
    gradients = grad(loss_of)(net)
    p = {path: Tensor(value) for path, value in net.numpy().items()}
    state = {key: Tensor(value) for key, value in optimizer.initial_state(p).items()}
    p, state = optimizer.apply(p, gradients, state, 0, 0.1)
    optimizer.update(net, gradients)
    assert_same_bits(net.numpy(), {path: tensor.numpy() for path, tensor in p.items()})
    assert_same_bits(optimizer.state, {key: tensor.numpy() for key, tensor in state.items()})


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_resumed_training_has_the_same_bits(name, options):
    make = lambda: made(name, regression().parameters, lr=0.1, **options)  # noqa: E731
    whole = train(regression(), make(), 7)
    first = make()
    net = train(regression(), first, 3)
    saved = first.state_dict()
    train(copy.deepcopy(net), first, 2)  # what was saved stays as it was
    second = make()
    second.load_state_dict(saved)
    assert second.t == 3
    assert_same_bits(train(net, second, 4).numpy(), whole.numpy())


@pytest.mark.parametrize("name", EVERY)
def test_graph_verifies_and_reads_back(name):
    graph = made(name, TYPES, clip_norm=1.0).graph(TYPES)
    verify(graph)
    assert parse_graph(str(graph)) == graph


@pytest.mark.parametrize("name", EVERY)
def test_learning_rate_and_time_are_inputs_not_constants(name):
    graphs = [made(name, TYPES, lr=lr).graph(TYPES) for lr in (0.125, 0.375)]
    assert graphs[0] == graphs[1]
    assert {"t", "lr"} <= set(graphs[0].input_names)


def test_scalars_of_adam_are_computed_in_float64():
    graph = optim.Adam().graph(TYPES)
    types = {node.type for node in graph.nodes if node.op == "power"}
    assert types == {TensorType((), DType.F64)}


@pytest.mark.parametrize(("name", "options"), TYPICAL.items())
def test_update_graph(golden, name, options):
    graph = optim.OPTIMIZERS[name](**options).graph({"0.weight": TYPES["0.weight"]})
    golden(f"optim/{name.lower()}", f"{graph}\n")


def test_update_graph_with_clipping(golden):
    optimizer = optim.SGD(momentum=0.9, dampening=0.5, clip_norm=1.0)
    golden("optim/clipping", f"{optimizer.graph(TYPES)}\n")


def test_adam_late_bias_correction_keeps_its_digits():
    # In update 10⁶ of β₂ = 0.999999 the divisor is 1 - e⁻¹ to 6 digits; in float32 β₂ itself is
    # off by 3 %.
    w = {"w": Tensor(np.float32(0.0))}
    adam = optim.Adam(lr=1.0, betas=(0.0, 0.999999), eps=0.0)
    state = {"w:exp_avg": Tensor(np.float32(0.0)), "w:exp_avg_sq": Tensor(np.float32(1.0))}
    new, _ = adam.apply(w, {"w": Tensor(np.float32(1.0))}, state, 999_999, 1.0)
    wanted = -np.sqrt(1 - 0.999999**1_000_000)
    # v = 1, then one root, one quotient and one step are rounded.
    assert abs(new["w"].item() - wanted) < 4 * 2.0**-24


@pytest.mark.parametrize("name", EVERY)
def test_all_walk_downhill(name):
    net = regression()
    optimizer = made(name, net.parameters, lr=0.05)
    before = loss_of(net).item()
    train(net, optimizer, 30)
    assert loss_of(net).item() < before


@pytest.mark.parametrize("name", EVERY)
def test_maximize_walks_uphill_as_far(name):
    up, down = Net(w=np.zeros((2, 2))), Net(w=np.zeros((2, 2)))
    d = {"w": np.array([[1.0, -2.0], [1e-3, 1.0]])}
    optim.OPTIMIZERS[name](maximize=True).update(up, d)
    optim.OPTIMIZERS[name]().update(down, d)
    np.testing.assert_array_equal(up.numpy()["w"], -down.numpy()["w"])


@pytest.mark.parametrize("name", EVERY)
def test_zero_gradients_move_nothing(name):
    net, cls = Net(w=np.array([[1.0, -2.0]])), optim.OPTIMIZERS[name]
    options = {each: 0.0 for each in ("weight_decay", "lambd") if each in kinds(cls)}
    optimizer = cls(**options, clip_norm=1.0)
    for _ in range(3):
        optimizer.update(net, {"w": np.zeros((1, 2))})
    assert net.numpy()["w"].tolist() == [[1.0, -2.0]]


@pytest.mark.parametrize("name", EVERY)
def test_nan_stays_in_its_element(name):
    net = Net(w=np.array([[1.0, 2.0, 3.0]]))
    optim.OPTIMIZERS[name]().update(net, {"w": np.array([[0.5, np.nan, 0.5]])})
    mixes_elements = name == "Muon"
    assert np.isnan(net.numpy()["w"]).tolist() == [[mixes_elements, True, mixes_elements]]


@pytest.mark.parametrize("name", EVERY)
def test_nan_reaches_every_element_through_the_norm(name):
    net = Net(w=np.array([[1.0, 2.0]]), b=np.array(1.0))
    gradients = {"w": np.array([[0.5, np.nan]]), "b": np.array(0.1)}
    made(name, net.parameters, clip_norm=1.0).update(net, gradients)
    assert np.isnan(net.numpy()["w"]).all()
    assert np.isnan(net.numpy()["b"])


def test_nan_survives_clipping_by_value():
    net = Net(w=np.array([1.0, 2.0, 2.0]))
    optim.SGD(lr=1.0, clip_value=0.5).update(net, {"w": np.array([np.nan, np.inf, -np.inf])})
    np.testing.assert_array_equal(net.numpy()["w"], [np.nan, 1.5, 2.5])


def test_norm_of_large_float32_gradients_does_not_overflow():
    net = Net(w=np.zeros(2, np.float32))
    optim.SGD(lr=1.0, clip_norm=5.0).update(net, {"w": np.array([3e30, -4e30], np.float32)})
    np.testing.assert_allclose(net.numpy()["w"], [-3.0, 4.0], rtol=4 * 2.0**-24)


def test_huge_gradients_take_adam_a_step_of_the_learning_rate():
    net = Net(w=np.zeros(3))
    optim.Adam(lr=0.1).update(net, {"w": np.array([1e150, -1e100, 1e3])})
    np.testing.assert_allclose(net.numpy()["w"], [-0.1, 0.1, -0.1], rtol=1e-10)


def test_norm_does_not_depend_on_the_layout_in_memory():
    d = np.random.default_rng(4).normal(size=(300, 200))
    nets = [Net(w=np.zeros((300, 200))) for _ in range(2)]
    for net, gradient in zip(nets, (d, np.asfortranarray(d)), strict=True):
        optim.SGD(lr=1.0, clip_norm=1.0).update(net, {"w": gradient})
    assert_same_bits(nets[0].numpy(), nets[1].numpy())


def test_gradients_in_float64_update_a_float32_network():
    net = Net(w=np.ones(2, np.float32))
    optim.Adam().update(net, {"w": np.ones(2)})
    assert net.numpy()["w"].dtype == np.float32


def test_slots_and_initial_state_have_the_parameters_types():
    adam = optim.Adam(amsgrad=True, groups={"*.bias": {"amsgrad": False}})
    assert adam.slots("0.weight") == ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    assert adam.slots("0.bias") == ("exp_avg", "exp_avg_sq")
    state = adam.initial_state(TYPES)
    assert list(state) == [
        "0.weight:exp_avg",
        "0.weight:exp_avg_sq",
        "0.weight:max_exp_avg_sq",
        "0.bias:exp_avg",
        "0.bias:exp_avg_sq",
    ]
    assert all(not value.any() and value.dtype == np.float32 for value in state.values())
    assert state["0.weight:exp_avg"].shape == (2, 3)
    assert optim.SGD().initial_state(TYPES) == {}


@pytest.mark.parametrize("path", ["w", "b"])
def test_a_parameter_frozen_for_a_while_keeps_its_state(path):
    net, adam = Net(w=np.zeros(2), b=np.zeros(2)), optim.Adam()
    gradients = {"w": np.ones(2), "b": np.full(2, 3.0)}
    adam.update(net, gradients)
    kept = adam.state[f"{path}:exp_avg"]
    frozen = net.parameters.pop(path)
    other = next(iter(net.parameters))
    adam.update(net, {other: gradients[other]})
    assert adam.state[f"{path}:exp_avg"] is kept
    net.parameters[path] = frozen  # now it stands last
    adam.update(net, gradients)
    assert adam.t == 3
    means = {key: value[0] for key, value in adam.state.items() if key.endswith("exp_avg")}
    assert means[f"{path}:exp_avg"] == pytest.approx(gradients[path][0] * (1 - 0.9**2))
    assert means[f"{other}:exp_avg"] == pytest.approx(gradients[other][0] * (1 - 0.9**3))


def test_state_follows_the_parameters_dtype():
    net, adam = Net(w=np.zeros(2, np.float32)), optim.Adam()
    adam.update(net, {"w": np.ones(2)})
    net.parameters["w"] = net.parameters["w"].astype("float64")
    adam.update(net, {"w": np.ones(2)})
    assert {value.dtype for value in adam.state.values()} == {net.numpy()["w"].dtype}
    assert net.numpy()["w"].dtype == np.float64
