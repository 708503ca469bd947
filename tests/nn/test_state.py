"""state_dict and load_state_dict: torch's names and shapes, all or nothing."""

import numpy as np
import pytest

from chainrule import nn
from chainrule.base.errors import DataError, DTypeError, NameNotFoundError, ShapeError


def nested(make):
    """The same network from `make`, which is `chainrule.nn` or `torch.nn`."""

    class Encoder(make.Module):
        def __init__(self):
            super().__init__()
            self.body = make.Sequential(make.Linear(4, 3), make.BatchNorm1d(3), make.Tanh())
            self.skip = make.Linear(4, 3, bias=False)

        def forward(self, x):
            return self.body(x) + self.skip(x)

    class Network(make.Module):
        def __init__(self):
            super().__init__()
            self.encoder = Encoder()
            self.head = make.Sequential(
                make.Sequential(make.Dropout(0.5), make.Linear(3, 2)), make.Softmax(dim=-1)
            )

        def forward(self, x):
            return self.head(self.encoder(x))

    return Network()


def test_names_order_shapes_and_dtypes_are_torchs(torch):
    ours = nested(nn).state_dict()
    theirs = nested(torch.nn).state_dict()
    assert list(ours) == list(theirs)
    for name, array in ours.items():
        assert array.shape == tuple(theirs[name].shape)
        assert array.dtype == theirs[name].numpy().dtype


def test_weights_go_to_torch_and_come_back(torch):
    x = np.linspace(-1, 1, 20, dtype=np.float32).reshape(5, 4)
    net, module = nested(nn), nested(torch.nn).eval()
    with nn.training():
        net(x)  # running statistics that are not where they started
    module.load_state_dict({name: torch.tensor(a) for name, a in net.state_dict().items()})
    # Four sums of at most 4 terms of order 1, in float32.
    np.testing.assert_allclose(net.predict(x), module(torch.tensor(x)).detach(), atol=4e-6)
    other = nested(nn)
    other.load_state_dict(module.state_dict())
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], array)
    np.testing.assert_array_equal(other.predict(x), net.predict(x))


def test_torchs_parameters_need_no_detaching(torch):
    module = torch.nn.Linear(2, 3)
    net = nn.Linear(2, 3)
    net.load_state_dict(dict(module.named_parameters()))
    np.testing.assert_array_equal(net.weight.numpy(), module.weight.detach().numpy())


def test_a_state_is_a_copy():
    net = nn.Linear(2, 2)
    state = net.state_dict()
    state["weight"][:] = 7
    assert not (net.weight.numpy() == 7).any()
    net.load_state_dict(state)
    state["weight"][:] = 8
    assert (net.weight.numpy() == 7).all()


def test_loading_keeps_the_networks_dtypes():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    wide = {name: array.astype(np.float64) for name, array in net.state_dict().items()}
    net.load_state_dict(wide)  # the counter, too: 0.0 is a whole number
    dtypes = {name: array.dtype for name, array in net.state_dict().items()}
    assert dtypes["0.weight"] == np.float32
    assert dtypes["1.num_batches_tracked"] == np.int64


def test_loading_draws_nothing():
    def refuse(shape, seed, path):
        raise AssertionError("drawn")

    net = nn.Linear(2, 2, weight_init=refuse, bias_init=refuse)
    net.load_state_dict({"weight": np.eye(2), "bias": [0, 0]})
    np.testing.assert_array_equal(net([[1, 2]]).numpy(), [[1, 2]])


def small():
    return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))


def without(state, *names):
    return {name: array for name, array in state.items() if name not in names}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda s: without(s, "0.bias"),
            NameNotFoundError,
            "The state has no 0.bias. Pass strict=False to keep what the network has.",
        ),
        (
            lambda s: without(s, "0.bias", "1.weight", "1.bias"),
            NameNotFoundError,
            (
                "The state has no 0.bias, nor 2 more of the network's. Pass strict=False to keep "
                "what the network has."
            ),
        ),
        (
            lambda s: s | {"1.wieght": s["1.weight"]},
            NameNotFoundError,
            (
                'No variable of the network is named "1.wieght". Did you mean "1.weight"? There '
                "are: 0.weight, 0.bias, 1.weight, 1.bias."
            ),
        ),
        (
            lambda s: s | {"1.weight": np.ones((2, 1))},
            ShapeError,
            "1.weight has shape [1,2]; got [2,1].",
        ),
        (
            lambda s: s | {"1.weight": np.array([["a", "b"]])},
            DTypeError,
            "1.weight holds float32 numbers; got <U1.",
        ),
    ],
    ids=["missing", "several missing", "left over", "shape", "text"],
)
def test_what_does_not_fit_changes_nothing(change, error, message):
    net = small()
    before = net.state_dict()
    zeros = {name: np.zeros_like(array) for name, array in before.items()}
    with pytest.raises(error) as caught:
        net.load_state_dict(change(zeros))
    assert str(caught.value) == message
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_not_strict_takes_what_there_is():
    net = small()
    before = net.state_dict()
    net.load_state_dict({"0.bias": [5, 6], "classifier.weight": [1]}, strict=False)
    after = net.state_dict()
    assert after.pop("0.bias").tolist() == [5, 6]
    for name, array in after.items():
        np.testing.assert_array_equal(array, before[name])
    with pytest.raises(ShapeError):  # what is there must still fit
        net.load_state_dict({"0.bias": [5]}, strict=False)


def test_two_numbers_for_a_shared_parameter_are_refused():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    state = net.state_dict() | {"1.weight": np.eye(2)}
    with pytest.raises(DataError) as caught:
        net.load_state_dict(state)
    assert str(caught.value) == (
        "0.weight and 1.weight are one variable, and the state has different numbers for them."
    )
