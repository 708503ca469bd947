"""What a module is made of: sub-modules, parameters, buffers, their names, and who shares them."""

import copy
import gc
import weakref

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import ConfigurationError, DTypeError, ShapeError, TracingError
from chainrule.graph.parser import parse_graph
from chainrule.nn.flow import forward_graph
from tests.nn.lines import place

X = np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 0.25]], np.float32)


class Residual(nn.Module):
    """x + tanh(linear(x)): a skip connection."""

    def __init__(self, width):
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return x + self.linear(x).tanh()


class Scale(nn.Module):
    """A parameter and a buffer of its own."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter([1.0, 2.0])
        self.calls = nn.Buffer(np.int64(0))

    def forward(self, x):
        return x * self.factor


class Holder(nn.Module):
    """Whatever it is given, as an attribute."""

    def __init__(self, held):
        self.held = held

    def forward(self, x):
        return x


def test_a_skip_connection_computes_and_differentiates():
    net = Residual(2)
    w, b = (net.state_dict()[name] for name in ("linear.weight", "linear.bias"))
    inner = np.tanh(X @ w.T + b)
    np.testing.assert_allclose(net(X).numpy(), X + inner, rtol=1e-6)
    gradient = cr.grad(lambda net: net(X).sum())(net)
    # d_bias = Σ over the batch of 1 - tanh²
    np.testing.assert_allclose(
        gradient["linear.bias"].numpy(), (1 - inner**2).sum(axis=0), rtol=1e-5
    )


def test_super_init_is_not_needed_and_may_be_called():
    class Without(nn.Module):
        def __init__(self):
            self.linear = nn.Linear(2, 1)

    class With(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(2, 1)

    assert list(Without().state_dict()) == list(With().state_dict())


def test_a_module_without_init_takes_no_arguments():
    with pytest.raises(TypeError, match=r"^Sigmoid\(\) takes no arguments$"):
        nn.Sigmoid(inplace=True)


@pytest.mark.parametrize(
    ("held", "names"),
    [
        (
            [nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2, bias=False)],
            ["0.weight", "0.bias", "2.weight"],
        ),
        (
            (Residual(2), [nn.Linear(2, 1, bias=False)]),
            ["0.linear.weight", "0.linear.bias", "1.0.weight"],
        ),
        (
            {"left": nn.Linear(2, 1, bias=False), "right": {"far": nn.Linear(2, 1, bias=False)}},
            ["left.weight", "right.far.weight"],
        ),
        ([nn.Parameter([1.0]), 3, "text", None, nn.Parameter([2.0])], ["0", "4"]),
    ],
    ids=["list", "tuple", "dict", "parameters"],
)
def test_lists_tuples_and_dicts_of_modules_are_registered(held, names):
    net = Holder(held)
    assert list(net.state_dict()) == [f"held.{name}" for name in names]
    assert list(net.trainable_parameters()) == [f"held.{name}" for name in names]


def test_a_module_appended_to_a_list_later_is_registered():
    net = Holder([])
    net.held.append(nn.Linear(2, 2))
    assert list(net.state_dict()) == ["held.0.weight", "held.0.bias"]


def test_a_dict_of_modules_has_keys_that_can_be_names():
    with pytest.raises(ConfigurationError) as caught:
        Holder({"a.b": nn.Linear(2, 2)})
    assert str(caught.value) == (
        "A Linear in held cannot be called 'a.b'. It is one part of a path such as "
        "encoder.0.weight: letters, digits, _ and -."
    )
    assert list(Holder({"a b": 1, 2: "two"}).state_dict()) == []  # data may have any keys


NO_NAMES = ["a.b", "", " ", "a b", "a#2", "%1", "a/b", "a:exp_avg", "a[0]", "<script>", "a\n"]


@pytest.mark.parametrize("name", NO_NAMES)
@pytest.mark.parametrize(
    ("part", "called"),
    [
        (nn.Linear(2, 2), "A Linear"),
        (nn.Embedding(2, 2), "An Embedding"),
        (nn.Parameter([1.0]), "A Parameter"),
        (nn.Buffer([1.0]), "A Buffer"),
        ([3, {"deep": nn.Parameter([1.0])}], "A Parameter"),
    ],
    ids=["module", "vowel", "parameter", "buffer", "list"],
)
def test_a_name_that_could_be_no_part_of_a_path_is_refused_where_it_is_given(name, part, called):
    net = nn.Module()
    with pytest.raises(ConfigurationError) as caught:
        setattr(net, name, part)
    assert str(caught.value) == (
        f"{called} in Module cannot be called {name!r}. It is one part of a path such as "
        "encoder.0.weight: letters, digits, _ and -."
    )
    assert vars(net) == {}


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_part_can_have_any_name(name):
    net = nn.Module()
    setattr(net, name, [1, 2])
    assert list(net.state_dict()) == []


NAMES = ["größe", "層", "परत", "e\u0301", "skip-2", "_0", "2", "out", "d_x"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_any_script_is_a_name_everywhere(name, tmp_path):
    class Net(nn.Module):
        def __init__(self):
            setattr(self, name, nn.Linear(2, 2))

        def forward(self, x):
            return getattr(self, name)(x)

    net = Net()
    assert [row["path"] for row in net.diagram([[1.0, 2.0]]).table()][1] == name
    cr.save(net, tmp_path / "net.safetensors")
    loaded = cr.load(tmp_path / "net.safetensors", into=Net())
    assert list(loaded.state_dict()) == [f"{name}.weight", f"{name}.bias"]
    graph = forward_graph(net, np.ones((1, 2)))
    assert f"{name}.out" in graph.positions
    assert str(parse_graph(str(graph))) == str(graph)


def test_a_module_the_network_does_not_contain_is_refused_if_it_would_train():
    class Forgetful(nn.Module):
        def forward(self, x):
            return nn.Linear(2, 1)(x)

    with pytest.raises(ConfigurationError) as caught:
        Forgetful()(X)
    where = place(Forgetful.forward, "nn.Linear(2, 1)(x)")
    assert str(caught.value) == (
        "Linear was called inside Forgetful, which does not contain it: its parameters would never "
        f"train. {where}. Assign it to an attribute in __init__ "
        "(lists and dicts of modules are fine), or freeze its parameters."
    )


def test_a_frozen_module_the_network_does_not_contain_may_be_called():
    teacher = nn.Linear(2, 2)
    for parameter in teacher.parameters():
        parameter.requires_grad = False

    class Student(nn.Module):
        def __init__(self):
            self.linear = nn.Linear(2, 2)

        def forward(self, x):
            return self.linear(x) - teacher(x)

    net = Student()
    assert net(X).shape == (3, 2)
    assert list(net.state_dict()) == ["linear.weight", "linear.bias"]


def test_activations_made_in_forward_leave_the_names_of_layers_alone():
    class Plain(nn.Module):
        def __init__(self):
            self.first = nn.Linear(2, 3)
            self.second = nn.Linear(3, 1)

        def forward(self, x):
            return nn.Sigmoid()(self.second(nn.ReLU()(self.first(x))))

    graph = cr.trace(Plain(), X)
    assert [node.name for node in graph.nodes if node.name and "out" in node.name] == [
        "first.out",
        "ReLU.out",
        "second.out",
        "Sigmoid.out",
    ]
    assert ("out", "Sigmoid.out") in graph.aliases


def test_a_sequence_made_in_forward_of_own_modules_keeps_their_names():
    class Stacked(nn.Module):
        def __init__(self):
            self.first = nn.Linear(2, 3)
            self.second = nn.Linear(3, 1)

        def forward(self, x):
            return nn.Sequential(self.first, nn.Tanh(), self.second)(x)

    net = Stacked()
    graph = cr.trace(net, X)
    assert {"first.weight", "first.out", "second.out"} <= set(graph.positions)
    assert net.first.weight.name == "first.weight"


def shared_parameter():
    net = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2))
    net[2].weight = net[0].weight
    return net


def test_a_shared_parameter_has_one_name_and_stands_in_the_state_under_both():
    net = shared_parameter()
    assert [path for path, _ in net.named_parameters()] == ["0.weight", "0.bias", "2.bias"]
    state = net.state_dict()
    assert list(state) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    np.testing.assert_array_equal(state["0.weight"], state["2.weight"])


def test_the_gradient_of_a_shared_parameter_is_the_sum_over_its_uses():
    net = shared_parameter().initialize().astype("float64")
    apart = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)).astype("float64")
    apart.load_state_dict(net.state_dict())
    together = cr.grad(lambda net: net(X).square().sum())(net)
    parts = cr.grad(lambda net: net(X).square().sum())(apart)
    expected = parts["0.weight"].numpy() + parts["2.weight"].numpy()
    # One addition of two sums: the bound is a few roundings of the larger.
    np.testing.assert_allclose(together["0.weight"].numpy(), expected, rtol=1e-14, atol=1e-14)


def test_loading_a_shared_parameter_under_one_of_its_names_sets_it():
    net = shared_parameter()
    state = net.state_dict()
    state["2.weight"] = np.eye(2)
    del state["0.weight"]
    net.load_state_dict(state)
    assert net[0].weight is net[2].weight
    np.testing.assert_array_equal(net[0].weight.numpy(), np.eye(2))


def test_a_module_called_twice_is_one_module():
    layer = nn.Linear(2, 2)
    net = nn.Sequential(layer, nn.Tanh(), layer)
    assert [path for path, _ in net.named_modules()] == ["", "0", "1"]
    assert len(net) == 3
    assert list(net.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    graph = cr.trace(net, X)
    assert {"0.out", "1.out", "0.out#2"} <= set(graph.positions)
    scopes = [node.scope for node in graph.nodes if node.op == "contract"]
    assert scopes == ["0", "0#2"]


def test_a_child_that_knows_its_parent_is_no_endless_path():
    net = Residual(2)
    net.linear.parent = net
    assert list(net.state_dict()) == ["linear.weight", "linear.bias"]
    assert [path for path, _ in net.named_modules()] == ["", "linear"]
    assert net(X).shape == (3, 2)
    assert repr(net) == "Residual(\n  (linear): Linear(\n    (parent): ...\n  )\n)"


def test_frozen_parameters_get_no_gradient():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    net[0].weight.requires_grad = False
    assert list(net.trainable_parameters()) == ["0.bias", "1.weight", "1.bias"]
    assert set(cr.grad(lambda net: net(X).sum())(net)) == {"0.bias", "1.weight", "1.bias"}


def test_attributes_may_be_reassigned_and_deleted():
    net = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    setattr(net, "1", nn.Linear(2, 3))
    assert net(X).shape == (3, 3)
    delattr(net, "1")
    assert list(net.state_dict()) == ["0.weight", "0.bias"]
    net[0].bias = None
    assert list(net.state_dict()) == ["0.weight"]
    net[0].weight = nn.Parameter(np.eye(2, dtype=np.float32))
    np.testing.assert_array_equal(net(X).numpy(), X)


def test_an_array_does_not_silently_take_a_parameters_place():
    net = nn.Linear(2, 2)
    with pytest.raises(ConfigurationError) as caught:
        net.weight = np.eye(2)
    assert str(caught.value) == (
        "Linear.weight is a parameter; got ndarray. To change its numbers call "
        "weight.replace(numbers); to be rid of it assign None."
    )
    net = Scale()
    with pytest.raises(ConfigurationError) as caught:
        net.calls = net.calls + 1
    assert str(caught.value) == (
        "Scale.calls is a buffer; got Tensor. To change its numbers call "
        "calls.assign(value); to be rid of it assign None."
    )


def test_parameters_of_python_numbers_are_float32_and_arrays_keep_their_dtype():
    assert nn.Parameter(0.5).dtype == np.float32
    assert nn.Parameter([1, 2]).dtype == np.float32
    assert nn.Parameter(np.arange(3)).dtype == np.float32
    assert nn.Parameter(np.zeros(3)).dtype == np.float64
    assert nn.Parameter(cr.tensor(2.0)).dtype == np.float64
    assert nn.Parameter(np.zeros(3), dtype="float32").dtype == np.float32
    with pytest.raises(DTypeError, match=r"^A Parameter is float32 or float64; got int64\.$"):
        nn.Parameter([1], dtype="int64")


def test_a_parameter_does_not_change_with_the_array_it_was_made_of():
    array = np.zeros(2)
    parameter = nn.Parameter(array)
    array[0] = 7
    assert parameter.numpy().tolist() == [0, 0]


def test_a_parameter_needs_numbers_or_a_way_to_get_them():
    with pytest.raises(ConfigurationError) as caught:
        nn.Parameter(shape=(3,))
    assert str(caught.value) == (
        "A Parameter is made of numbers, or of a shape and an initializer. For example "
        "Parameter(np.zeros(3)), or Parameter(shape=(3,), initializer=nn.init.normal())."
    )


def test_a_parameter_without_numbers_says_so():
    linear = nn.Linear(2, 3)
    assert repr(linear.weight) == "Parameter(f32[3,2], not drawn yet)"
    with pytest.raises(TracingError) as caught:
        linear.weight.numpy()
    assert str(caught.value) == (
        "Parameter [3,2] has not been drawn yet. Call net.initialize(seed=0), or use the network "
        "once."
    )


def test_replacing_keeps_shape_and_dtype():
    parameter = nn.Parameter(np.zeros(2, np.float32))
    parameter.replace([1.5, 2])
    assert parameter.dtype == np.float32
    assert parameter.numpy().tolist() == [1.5, 2.0]
    with pytest.raises(ShapeError, match=r"^The parameter has shape \[2\]; got \[3\]\.$"):
        parameter.replace(np.zeros(3))
    with pytest.raises(DTypeError, match=r"^The parameter holds float32 numbers; got <U1\.$"):
        parameter.replace(["a", "b"])
    with pytest.raises(DTypeError, match=r"^The buffer holds int64 numbers; got 1\.5\.$"):
        nn.Buffer(np.int64(0)).replace(1.5)


def test_initialize_draws_what_has_no_numbers_and_keeps_the_rest():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[0].weight.replace(np.eye(2))
    net.initialize(seed=1)
    kept = net.state_dict()
    np.testing.assert_array_equal(kept["0.weight"], np.eye(2))
    assert net.initialize(seed=2) is net
    for path, array in net.state_dict().items():
        np.testing.assert_array_equal(array, kept[path])


def test_reset_starts_again_from_a_seed():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), Scale())
    start = net.initialize(seed=1).state_dict()
    with nn.training():
        net(X)
    net[2].factor.replace([5, 6])
    net.initialize(seed=1, reset=True)
    for path, array in net.state_dict().items():
        if path == "2.factor":  # made of numbers: there is nothing to draw it from
            assert array.tolist() == [5, 6]
        else:
            np.testing.assert_array_equal(array, start[path])
    other = net.initialize(seed=2, reset=True).state_dict()
    assert not np.array_equal(other["0.weight"], start["0.weight"])


def test_parameters_drawn_at_first_use_are_those_of_seed_0():
    used, drawn = Residual(2), Residual(2).initialize(seed=0)
    used(X)
    for path, array in used.state_dict().items():
        np.testing.assert_array_equal(array, drawn.state_dict()[path])


def test_two_parameters_of_one_network_are_drawn_differently():
    state = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)).state_dict()
    assert not np.array_equal(state["0.weight"], state["1.weight"])


def test_astype_converts_floats_and_nothing_else():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    assert net.astype("float64") is net  # before there are numbers
    dtypes = {path: array.dtype for path, array in net.state_dict().items()}
    assert dtypes.pop("1.num_batches_tracked") == np.int64
    assert set(dtypes.values()) == {np.dtype(np.float64)}
    exact = net.state_dict()["0.weight"]
    rounded = net.astype(np.float32).state_dict()["0.weight"]
    np.testing.assert_array_equal(rounded, exact.astype(np.float32))
    with pytest.raises(ConfigurationError) as caught:
        net.astype("int64")
    assert str(caught.value) == "A network computes in float32 or float64; got 'int64'."


def test_drawn_numbers_are_rounded_once():
    wide = nn.Linear(3, 5).astype("float64").state_dict()["weight"]
    narrow = nn.Linear(3, 5).state_dict()["weight"]
    np.testing.assert_array_equal(narrow, wide.astype(np.float32))


def test_a_deep_copy_is_another_network_with_the_same_numbers():
    net = shared_parameter()
    before = net(X).numpy()
    twin = copy.deepcopy(net)
    assert twin[0].weight is twin[2].weight
    assert twin[0].weight is not net[0].weight
    twin[0].weight.replace(np.zeros((2, 2)))
    np.testing.assert_array_equal(net(X).numpy(), before)
    assert repr(twin) == repr(net)


def test_a_deep_copy_of_an_undrawn_network_draws_the_same():
    net = nn.Sequential(nn.Linear(2, 3))
    twin = copy.deepcopy(net)
    np.testing.assert_array_equal(twin(X).numpy(), net(X).numpy())


def test_networks_are_let_go():
    net = nn.Sequential(nn.Linear(2, 2))
    net(X)
    gone = weakref.ref(net)
    gc.collect()
    gc.disable()
    try:
        del net
        assert gone() is None  # at once: nothing holds it, no cycle keeps it
    finally:
        gc.enable()


def test_repr_shows_what_was_given_and_what_is_inside():
    net = nn.Sequential(
        nn.Linear(784, 30, weight_init="xavier_uniform"),
        nn.Sequential(nn.Dropout(0.2), nn.LeakyReLU()),
        Residual(30),
        Holder([nn.Tanh()]),
    )
    assert repr(net) == (
        "Sequential(\n"
        "  (0): Linear(in_features=784, out_features=30, weight_init='xavier_uniform')\n"
        "  (1): Sequential(\n"
        "    (0): Dropout(p=0.2)\n"
        "    (1): LeakyReLU()\n"
        "  )\n"
        "  (2): Residual(\n"
        "    (linear): Linear(in_features=30, out_features=30)\n"
        "  )\n"
        "  (3): Holder(\n"
        "    (held.0): Tanh()\n"
        "  )\n"
        ")"
    )
    net[1][0].p = 0.5
    assert repr(net[1][0]) == "Dropout(p=0.5)"


def test_sequential_is_a_sequence():
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    assert len(net) == 3
    assert isinstance(net[-1], nn.Linear)
    assert [type(module).__name__ for module in net] == ["Linear", "Tanh", "Linear"]
    front = net[:2]
    assert isinstance(front, nn.Sequential)
    assert front[0] is net[0]
    assert nn.Sequential()(X).numpy().tolist() == X.tolist()


def test_sequential_takes_modules():
    with pytest.raises(ConfigurationError) as caught:
        nn.Sequential(nn.Linear(2, 2), nn.Tanh)
    assert str(caught.value) == "Sequential takes modules; argument 1 is Tanh. Write Tanh(...)."
    with pytest.raises(ConfigurationError) as caught:
        nn.Sequential([nn.Linear(2, 2)])
    assert str(caught.value) == "Sequential takes modules; argument 0 is list."


def test_a_layer_takes_a_whole_batch_as_one_vector():
    class Whole(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(6, 2)

        def forward(self, x):
            return self.layer(x.reshape(-1)).reshape(1, 2) + x[:, :1]

    net, x = Whole(), np.arange(6.0).reshape(3, 2)
    # Six products of up to 3, added up by another backend in another order.
    allowed = 6 * 3 * np.finfo(np.float32).eps
    np.testing.assert_allclose(net.predict(x), net(x).numpy(), rtol=0, atol=allowed)
