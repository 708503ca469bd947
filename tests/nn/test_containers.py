"""Containers: lists and dicts of modules as in torch, modules side by side and past each other."""

import inspect
from collections import OrderedDict

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import ConfigurationError, NameNotFoundError, ShapeError
from tests.nn.lines import place
from tests.nn.parity import DTYPES, assert_close, copy_to_torch, numbers, ours, theirs

X = numbers(0, 4, 3).astype(np.float32)


def linear(out=3):
    return nn.Linear(3, out)


# --- a list ---------------------------------------------------------------------------------------

SEQUENCES = [nn.Sequential, lambda *modules: nn.ModuleList(modules)]


@pytest.mark.parametrize("make", SEQUENCES, ids=["Sequential", "ModuleList"])
def test_it_is_a_list_of_modules(make):
    a, b, c, d = linear(), nn.Tanh(), linear(2), nn.ReLU()
    modules = make(a, b)
    assert modules.append(c) is modules
    assert list(modules) == [a, b, c]
    assert modules.extend([d, b]) is modules
    assert list(modules) == [a, b, c, d, b]
    assert modules.insert(0, d) is modules
    assert list(modules) == [d, a, b, c, d, b]
    modules[1] = b
    del modules[-1]
    assert list(modules) == [d, b, b, c, d]
    del modules[1:3]
    assert list(modules) == [d, c, d]
    assert modules.pop() is d
    assert modules.pop(0) is d
    assert list(modules) == [c]
    assert (len(modules), modules[0], modules[-1]) == (1, c, c)
    assert list(modules[:0]) == []
    assert type(modules[:1]) is type(modules)


@pytest.mark.parametrize("make", SEQUENCES, ids=["Sequential", "ModuleList"])
def test_names_follow_positions_as_torchs_do(torch, make):
    ours = make(linear(), nn.Tanh(), linear(2))
    theirs = torch.nn.ModuleList([torch.nn.Linear(3, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2)])
    for net, tanh in ((ours, nn.Tanh()), (theirs, torch.nn.Tanh())):
        net.insert(0, tanh)
        net.append(net[1])  # the same module again
        del net[2]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({name: torch.tensor(a) for name, a in ours.state_dict().items()})
    ours.load_state_dict(theirs.state_dict())


@pytest.mark.parametrize("make", SEQUENCES, ids=["Sequential", "ModuleList"])
def test_positions_that_are_not_there(make):
    modules = make(linear())
    for use in (
        lambda: modules[1],
        lambda: modules.pop(2),
        lambda: modules.__setitem__(-2, nn.Tanh()),
        lambda: modules.__delitem__(1),
    ):
        with pytest.raises(IndexError):
            use()
    assert len(modules) == 1


def test_what_is_no_module_is_refused_and_nothing_changes():
    modules = nn.ModuleList([linear()])
    for use, message in (
        (lambda: modules.append(nn.Tanh), "argument 1 is Tanh. Write Tanh(...)."),
        (lambda: modules.extend([nn.Tanh(), None]), "argument 2 is NoneType."),
        (lambda: modules.insert(0, [linear()]), "argument 0 is list."),
        (lambda: modules.__setitem__(0, np.eye(3)), "argument 0 is ndarray."),
    ):
        with pytest.raises(ConfigurationError) as caught:
            use()
        assert str(caught.value) == f"ModuleList takes modules; {message}"
    assert list(modules.state_dict()) == ["0.weight", "0.bias"]


def test_a_changed_sequential_computes_and_is_saved_as_it_is(tmp_path):
    net = nn.Sequential(nn.Linear(3, 5))
    net.append(nn.Tanh()).append(nn.Linear(5, 2))
    net[1] = nn.ReLU()
    expected = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    np.testing.assert_array_equal(net.predict(X), expected.predict(X))
    assert repr(net) == repr(expected)
    cr.save(net, tmp_path / "net.safetensors")
    np.testing.assert_array_equal(cr.load(tmp_path / "net.safetensors").predict(X), net.predict(X))
    del net[:]
    assert repr(net) == "Sequential()"


def test_the_first_of_a_sequential_may_take_several_inputs():
    net = nn.Sequential(nn.Bilinear(3, 3, 2), nn.Tanh())
    np.testing.assert_array_equal(net(X, X).numpy(), np.tanh(net[0](X, X).numpy()))
    # Nine products of three numbers, added up by another backend in another order.
    allowed = 27 * np.finfo(np.float32).eps * np.abs(X).max() ** 2
    np.testing.assert_allclose(net.predict((X, X)), net(X, X).numpy(), rtol=0, atol=allowed)
    both = nn.Sequential()(X, X + 1)
    assert [y.numpy().tolist() for y in both] == [X.tolist(), (X + 1).tolist()]


# --- a sequence with names of its own -------------------------------------------------------------


def both(torch):
    """The same network of each library."""
    return [
        m.Sequential(OrderedDict(hidden=m.Linear(3, 5), slope=m.Tanh(), last=m.Linear(5, 2)))
        for m in (nn, torch.nn)
    ]


def test_a_sequential_takes_names_as_torchs_does(torch):
    net, reference = both(torch)
    assert list(net.state_dict()) == list(reference.state_dict())
    net.load_state_dict(reference.state_dict())
    expected = reference(torch.tensor(X)).detach().numpy()
    # Sums of five and of three products; tanh of torch is another one.
    np.testing.assert_allclose(net.predict(X), expected, rtol=0, atol=2e-6)
    reference.load_state_dict({name: torch.tensor(a) for name, a in net.state_dict().items()})
    assert [name for name, _ in net.named_children()] == ["hidden", "slope", "last"]
    assert (net.hidden, net[-1]) == (net[0], net.last)


@pytest.mark.parametrize(
    "change",
    [
        lambda m, net: net.__setitem__(1, m.Linear(5, 5)),
        lambda m, net: net.append(m.Linear(2, 2)),
        lambda m, net: net.extend([m.Tanh(), m.Linear(2, 2)]),
        lambda m, net: net.__delitem__(1),
        lambda m, net: net.__delitem__(slice(1, None)),
        lambda m, net: net.pop(0),
        lambda m, net: net[:2],
        lambda m, net: net[1:],
        lambda m, net: net[::2],
    ],
    ids=["set", "append", "extend", "del", "del slice", "pop", "[:2]", "[1:]", "[::2]"],
)
def test_names_change_as_torchs_do(torch, change):
    names = []
    for library, net in zip((nn, torch.nn), both(torch), strict=True):
        changed = change(library, net)
        if isinstance(changed, library.Sequential):
            net = changed
        names.append([name for name, _ in net.named_children()])
    assert names[0] == names[1]


def test_a_sequential_with_names_is_saved_shown_and_explained(tmp_path):
    net = nn.Sequential(OrderedDict(hidden=nn.Linear(3, 5), slope=nn.Tanh(), last=nn.Linear(5, 2)))
    assert repr(net).splitlines()[2].startswith("  (slope): Tanh(")
    expected = net.predict(X)
    cr.save(net, tmp_path / "net.safetensors")
    again = cr.load(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(again.predict(X), expected)
    assert repr(again) == repr(net)
    trace = cr.explain(net, X, np.zeros((4, 2), np.float32), loss=nn.MSELoss())
    assert trace["W2", 1, 2].name == "last.weight[1,2]"
    assert trace["δ1", 0, 0].name == "d_hidden.out[0,0]"


@pytest.mark.parametrize(
    ("modules", "says"),
    [
        (
            {"a": nn.Tanh()},
            (
                "Sequential takes modules, or one OrderedDict of them; argument 0 is a dict. "
                "Write Sequential(OrderedDict(...)), with collections.OrderedDict."
            ),
        ),
        (OrderedDict(a=3), "Sequential takes modules; 'a' is int."),
        (
            OrderedDict(forward=nn.Tanh()),
            "A Sequential has a forward of its own; no module in it can be called that.",
        ),
        (
            OrderedDict({"a.b": nn.Tanh()}),
            (
                "A Tanh in Sequential cannot be called 'a.b'. It is one part of a path such as "
                "encoder.0.weight: letters, digits, _ and -."
            ),
        ),
    ],
    ids=["dict", "number", "forward", "dot"],
)
def test_names_that_cannot_be(modules, says):
    with pytest.raises(ConfigurationError) as caught:
        nn.Sequential(modules)
    assert str(caught.value) == says


def test_a_module_at_the_end_cannot_take_anothers_name():
    net = nn.Sequential(OrderedDict({"1": nn.Tanh()}))
    with pytest.raises(ConfigurationError) as caught:
        net.append(nn.ReLU())
    assert str(caught.value) == "Two modules in Sequential are called 1."


class Stack(nn.Module):
    """A network of one's own, with torch's containers."""

    def __init__(self):
        self.layers = nn.ModuleList(linear() for _ in range(2))
        self.heads = nn.ModuleDict({"low": linear(1), "high": linear(2)})

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).tanh()
        return {name: head(x) for name, head in self.heads.items()}


def test_a_network_of_lists_and_dicts_has_torchs_names_and_numbers(torch):
    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.ModuleList(torch.nn.Linear(3, 3) for _ in range(2))
            heads = {"low": torch.nn.Linear(3, 1), "high": torch.nn.Linear(3, 2)}
            self.heads = torch.nn.ModuleDict(heads)

        def forward(self, x):
            for layer in self.layers:
                x = layer(x).tanh()
            return {name: head(x) for name, head in self.heads.items()}

    ours, theirs = Stack(), Theirs()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    expected = theirs(torch.tensor(X))
    for name, y in ours.predict(X).items():
        np.testing.assert_allclose(y, expected[name].detach().numpy(), rtol=0, atol=2e-6)
    named = {node.name for node in cr.trace(ours, X).nodes if node.name}
    assert {"layers.0.out", "layers.1.out", "heads.low.out", "heads.high.out"} <= named


def test_it_trains_the_modules_in_its_containers():
    net = Stack()
    before = net.initialize().state_dict()

    def loss(output, target):
        return (output["low"] - target).square().mean(axis=1) + output["high"].square().mean(axis=1)

    cr.fit(net, X, np.ones((4, 1)), loss=loss, epochs=2, progress=False)
    assert all(not np.array_equal(a, before[name]) for name, a in net.state_dict().items())


def test_a_list_and_a_dict_are_not_called():
    def call_list(x):
        return nn.ModuleList([linear()])(x)

    def call_dict(x):
        return nn.ModuleDict({"a": linear()})(x)

    for call, kind, example in (
        (call_list, "ModuleList", "for layer in self.layers: x = layer(x)"),
        (call_dict, "ModuleDict", 'x = self.layers["encoder"](x)'),
    ):
        with pytest.raises(ConfigurationError) as caught:
            call(X)
        assert str(caught.value) == (
            f"A {kind} holds modules and does not say how they are called. "
            f"{place(call, f'nn.{kind}')}. Call them in a module's forward, for example {example}; "
            "or use nn.Sequential."
        )


# --- a dict ---------------------------------------------------------------------------------------


def test_it_is_a_dict_of_modules():
    a, b, c = linear(), nn.Tanh(), linear(2)
    modules = nn.ModuleDict({"first": a, "second": b})
    assert list(modules) == list(modules.keys()) == ["first", "second"]
    assert list(modules.values()) == [a, b]
    assert list(modules.items()) == [("first", a), ("second", b)]
    modules["third"] = c
    modules["first"] = c
    assert modules["first"] is c
    assert "third" in modules
    assert "fourth" not in modules
    modules.update({"fourth": b})
    assert len(modules) == 4
    assert modules.pop("second") is b
    del modules["third"]
    assert list(modules) == ["first", "fourth"]
    modules.clear()
    assert len(modules) == 0
    assert repr(modules) == "ModuleDict()"
    assert list(nn.ModuleDict([("x", a), ("y", b)])) == ["x", "y"]


def test_a_changed_dict_is_saved_as_it_is(tmp_path):
    net = nn.ModuleDict({"first": linear(), "second": linear()})
    del net["first"]
    net["third"] = nn.Sequential(linear(1))
    cr.save(net, tmp_path / "net.safetensors")
    loaded = cr.load(tmp_path / "net.safetensors")
    assert list(loaded) == ["second", "third"]
    assert repr(loaded) == repr(net)


@pytest.mark.parametrize("name", ["a.b", "", "a b", "a#2", 3, None])
def test_a_name_is_a_part_of_a_path(name):
    with pytest.raises(ConfigurationError) as caught:
        nn.ModuleDict({name: linear()})
    assert str(caught.value) == (
        f"A Linear in ModuleDict cannot be called {name!r}. It is one part of a path such as "
        "encoder.0.weight: letters, digits, _ and -."
    )


@pytest.mark.parametrize("name", ["keys", "forward", "state_dict", "trained_with"])
def test_a_name_that_is_taken(name):
    with pytest.raises(ConfigurationError) as caught:
        nn.ModuleDict({"fine": linear(), name: linear()})
    assert str(caught.value) == (
        f"A ModuleDict has a {name} of its own; no module in it can be called that."
    )


def test_an_unknown_name_suggests_the_nearest():
    modules = nn.ModuleDict({"encoder": linear(), "decoder": linear()})
    for use in (lambda: modules["encode"], lambda: modules.pop("encode")):
        with pytest.raises(NameNotFoundError) as caught:
            use()
        assert str(caught.value) == (
            'No module of this ModuleDict is named "encode". Did you mean "encoder"? '
            "There are: encoder, decoder."
        )


def test_a_value_that_is_no_module():
    with pytest.raises(ConfigurationError, match=r"^ModuleDict takes modules; 'a' is ndarray\.$"):
        nn.ModuleDict({"a": np.eye(2)})


def test_their_methods_are_torchs(torch):
    for name in ("ModuleList", "ModuleDict", "Sequential"):
        missing = {
            method
            for method in vars(getattr(torch.nn, name))
            if not hasattr(getattr(nn, name), method) and not method.startswith("_")
        }
        assert not missing, name


# --- side by side, and past each other ------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 3), (2, 4, 3)], ids=str)
def test_residual(torch, shape, dtype):
    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.module = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh())

        def forward(self, x):
            return x + self.module(x)

    x, d_y, v = numbers(0, *shape), numbers(1, *shape), numbers(2, *shape)
    net = nn.Residual(nn.Sequential(linear(), nn.Tanh())).initialize(seed=1)
    module = copy_to_torch(torch, net.state_dict(), Theirs())
    y, gradient = ours(net, x, d_y, dtype)
    y_torch, expected = theirs(torch, module, x, d_y)
    w = np.abs(net.state_dict()["module.0.weight"].astype(np.float64))
    # Sums of three products under tanh, whose slope is at most 1; then x.
    inside = np.abs(x) @ w.T + 1
    assert_close(y, y_torch, scale=inside + np.abs(x), roundings=8)
    # d_x = d_y + (d_y·(1 - tanh²))·W: the error of tanh² is that of what is inside, doubled.
    scale = np.abs(d_y) + (np.abs(d_y) * (1 + 2 * inside)) @ w
    assert_close(gradient["x"], expected["x"], scale=scale, roundings=16)
    rows = np.abs(d_y * (1 + 2 * inside)).reshape(-1, 3)
    weight = gradient["module.0.weight"]
    scale = rows.T @ np.abs(x.reshape(-1, 3))
    assert_close(weight, expected["module.0.weight"], scale=scale, roundings=len(rows) + 8)
    _, second = ours(net, x, d_y, dtype, v)
    _, expected = theirs(torch, module, x, d_y, v)
    # tanh'' and tanh' once more each, two products with W on the way.
    scale = 4 * (np.abs(d_y) * (np.abs(v) @ w.T) * (1 + 2 * inside)) @ w
    assert_close(second["x"], expected["x"], scale=scale, roundings=32)


COMBINE = [
    ({"combine": "concatenate"}, lambda torch, ys: torch.cat(ys, dim=-1)),
    ({"combine": "concatenate", "dim": 1}, lambda torch, ys: torch.cat(ys, dim=1)),
    ({"combine": "concatenate", "dim": 0}, lambda torch, ys: torch.cat(ys, dim=0)),
    ({"combine": "sum"}, lambda torch, ys: ys[0] + ys[1]),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 3), (2, 4, 3)], ids=str)
@pytest.mark.parametrize(
    ("arguments", "combine"),
    COMBINE,
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_parallel(torch, arguments, combine, shape, dtype):
    class Theirs(torch.nn.ModuleList):
        def forward(self, x):
            return combine(torch, [module(x) for module in self])

    x, v = numbers(0, *shape), numbers(2, *shape)
    net = nn.Parallel(linear(), nn.Sequential(linear(), nn.Sigmoid()), **arguments)
    net.initialize(seed=1)
    module = Theirs(
        [torch.nn.Linear(3, 3), torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Sigmoid())]
    )
    copy_to_torch(torch, net.state_dict(), module).double()
    d_y = numbers(1, *module(torch.tensor(x)).shape)
    y, gradient = ours(net, x, d_y, dtype)
    y_torch, expected = theirs(torch, module, x, d_y)
    weights = [a for name, a in net.state_dict().items() if name.endswith("weight")]
    w = np.max([np.abs(a).max() for a in weights]).astype(np.float64)
    size = 1 + 3 * w * np.abs(x).max()
    assert_close(y, y_torch, scale=2 * size, roundings=12)
    scale = 2 * 3 * w * np.abs(d_y).max() * size
    assert_close(gradient["x"], expected["x"], scale=scale, roundings=16)
    n = x.size // 3
    for name in ("0.weight", "1.0.weight"):
        scale = n * np.abs(x).max() * np.abs(d_y).max() * size
        assert_close(gradient[name], expected[name], scale=scale, roundings=n + 12)
    _, second = ours(net, x, d_y, dtype, v)
    _, expected = theirs(torch, module, x, d_y, v)
    scale = 9 * w**2 * np.abs(d_y).max() * np.abs(v).max() * size
    assert_close(second["x"], expected["x"], scale=scale, roundings=32)


def test_parallel_gives_a_tuple():
    net = nn.Parallel(linear(2), nn.Tanh(), combine="none")
    first, second = net.predict(X)
    np.testing.assert_array_equal(first, net.predict(X)[0])
    np.testing.assert_allclose(second, np.tanh(X), rtol=1e-6)
    assert first.shape == (4, 2)
    assert {node.name for node in cr.trace(net, X).nodes} >= {"0.out", "1.out"}


def test_parallel_gives_each_module_its_own_input():
    net = nn.Parallel(linear(2), nn.Linear(6, 2), combine="sum")
    wide = numbers(1, 4, 6).astype(np.float32)
    expected = net.predict((X, wide))
    np.testing.assert_array_equal(net(X, wide).numpy(), expected)
    np.testing.assert_array_equal(net((X, wide)).numpy(), expected)
    narrow, broad = (module.predict(x) for module, x in zip(net_parts(net), (X, wide), strict=True))
    np.testing.assert_array_equal(expected, narrow + broad)
    chain = nn.Sequential(net, nn.Tanh())
    np.testing.assert_allclose(chain.predict((X, wide)), np.tanh(expected), rtol=1e-6)


def net_parts(net):
    return [module for _, module in net.named_children()]


def test_what_does_not_fit_together_is_refused_at_the_users_line():
    def past(x):
        return nn.Residual(linear(2))(x)

    def tuples(x):
        return nn.Residual(nn.Parallel(nn.Tanh(), combine="none"))(x)

    def sums(x):
        return nn.Parallel(linear(3), linear(2), combine="sum")(x)

    def joints(x):
        return nn.Parallel(linear(3), linear(2), dim=0)(x)

    def counts(x):
        return nn.Parallel(nn.Tanh(), nn.Tanh(), nn.ReLU())(x, x)

    adds = "Residual adds x to what its module makes of it; got x of shape [4,3] and"
    combines = "Parallel combines outputs of one shape"
    for f, text, message in (
        (past, "nn.Residual", f"{adds} [4,2]"),
        (tuples, "nn.Residual", f"{adds} tuple"),
        (sums, "nn.Parallel", f"{combines}; got [4,3], [4,2]"),
        (joints, "nn.Parallel", f"{combines} but for axis 0; got [4,3], [4,2]"),
        (counts, "nn.Parallel", "Parallel has 3 modules, and takes one input or as many; got 2"),
    ):
        with pytest.raises(ShapeError) as caught:
            f(X)
        assert (caught.value.message, caught.value.where) == (message, place(f, text))


REFUSED = {
    "nothing side by side": (lambda: nn.Parallel(), "Parallel takes at least one module."),
    "how": (
        lambda: nn.Parallel(linear(), combine="add"),
        'Parallel takes combine="concatenate" or "sum" or "none"; got \'add\'.',
    ),
    "no module": (
        lambda: nn.Parallel(linear(), np.tanh),
        "Parallel takes modules; argument 1 is ufunc.",
    ),
    "past no module": (
        lambda: nn.Residual(nn.Tanh),
        "Residual takes modules; the argument is Tanh. Write Tanh(...).",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_arguments(case):
    make, message = REFUSED[case]
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert str(caught.value) == message


def test_what_is_in_them_is_printed():
    net = nn.Parallel(nn.Tanh(), nn.Residual(nn.ReLU()), combine="sum")
    assert repr(net) == (
        "Parallel(\n  combine='sum'\n  (0): Tanh()\n  (1): Residual(\n    (module): ReLU()\n  )\n)"
    )
    assert "combine='concatenate', dim=-1" in repr(nn.Parallel(nn.Tanh()))
    assert list(inspect.signature(nn.Parallel).parameters) == ["modules", "combine", "dim"]
