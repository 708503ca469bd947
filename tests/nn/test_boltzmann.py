"""A restricted Boltzmann machine learns by contrastive divergence, inside the training step."""

import itertools

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ConfigurationError, DataError, ShapeError

RNG = np.random.default_rng(7)
V = (RNG.random((6, 5)) < 0.5).astype(np.float64)


def machine(visible=5, hidden=3, std=0.7, seed=1):
    net = nn.RestrictedBoltzmann(visible, hidden, weight_init=nn.init.normal(0, std))
    net.initialize(seed).astype("float64")
    net.visible_bias.replace(np.linspace(-1, 1, visible))
    net.hidden_bias.replace(np.linspace(0.5, -0.5, hidden))
    return net


def states(units):
    return np.array(list(itertools.product([0.0, 1.0], repeat=units)))


def energies(net):
    """E(v, h) of every pair of states."""
    w, b, c = (net.state_dict()[n] for n in ("weight", "visible_bias", "hidden_bias"))
    v, h = states(len(b)), states(len(c))
    return v, h, -(v @ b)[:, None] - (h @ c)[None] - v @ w.T @ h.T


def test_conditionals_are_those_of_the_energy():
    net = machine()
    v, h, energy = energies(net)
    joint = np.exp(-energy)
    given_v = joint @ h / joint.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(net.hidden(v).numpy(), given_v, rtol=1e-13)
    given_h = joint.T @ v / joint.sum(axis=0)[:, None]
    np.testing.assert_allclose(net.visible(h).numpy(), given_h, rtol=1e-13)


def test_free_energy_sums_out_the_hidden_units():
    net = machine()
    v, _, energy = energies(net)
    expected = -np.log(np.exp(-energy).sum(axis=1))
    np.testing.assert_allclose(net.free_energy(v).numpy(), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("k", [1, 3])
def test_directions_are_the_slope_of_a_difference_of_free_energies(k):
    """With the chain's end v_k held, d = ∂ mean(F(v_0) - F(v_k))."""
    net, rule = machine(), nn.ContrastiveDivergence(k)
    shares = np.array([0.1, 0.3, 0.2, 0.15, 0.05, 0.2])
    end = []

    class Watched(nn.RestrictedBoltzmann):
        def hidden(self, v):
            end.append(v.numpy())
            return super().hidden(v)

    watched = Watched(5, 3).astype("float64")
    watched.load_state_dict(net.state_dict())
    with nn.training(seed=3, step=4):
        found = rule.directions(watched, [cr.tensor(V)], V, cr.tensor(shares))
    assert len(end) == k + 1
    assert set(np.unique(end[-1])) <= {0.0, 1.0}

    def difference(net):
        return (cr.tensor(shares) * (net.free_energy(V) - net.free_energy(end[-1]))).sum()

    expected = cr.grad(difference)(net)
    assert set(found) == set(expected)
    for path, direction in found.items():
        np.testing.assert_allclose(
            direction.numpy(), expected[path].numpy(), rtol=1e-12, atol=1e-15
        )


def test_units_are_drawn_with_their_probabilities():
    net = machine()
    drawn = []
    for step in range(2000):
        with nn.training(seed=0, step=step):
            d = nn.ContrastiveDivergence().directions(
                net, [cr.tensor(V[:1])], V[:1], cr.tensor(np.ones(1))
            )
        drawn.append(d["visible_bias"].numpy() + V[0])
    joint = np.array([net.visible(h[None]).numpy()[0] for h in states(3)])
    p = net.hidden(V[:1]).numpy()[0]
    weights = np.array([np.prod(np.where(h == 1, p, 1 - p)) for h in states(3)])
    # Five standard deviations of a mean of 2000 draws from {0, 1}.
    np.testing.assert_allclose(np.mean(drawn, axis=0), weights @ joint, atol=5 * 0.5 / 2000**0.5)


def test_fit_and_a_loop_of_ones_own_make_the_same_bits():
    loss, ours, sgd = nn.ContrastiveDivergence(2), machine(), optim.SGD(lr=0.1, momentum=0.5)
    fitted = machine()
    cr.fit(
        fitted,
        V,
        V,
        loss=loss,
        optimizer=optim.SGD(lr=0.1, momentum=0.5),
        batch_size=3,
        epochs=2,
        dtype="float64",
        shuffle=False,
        seed=9,
        backend="numpy",  # which computes Tensors
        progress=False,
    )
    for step in range(4):
        rows = np.arange(3) + 3 * (step % 2)
        with nn.training(seed=9, step=step, rows=rows):
            shares = cr.tensor(np.full(3, 1 / 3))
            directions = loss.directions(ours, [cr.tensor(V[rows])], V[rows], shares)
        sgd.update(ours, directions)
    for path, array in fitted.state_dict().items():
        np.testing.assert_array_equal(ours.state_dict()[path], array)


def test_accumulated_batches_are_one_large_one():
    large, parts = machine(), machine()
    options = {
        "loss": nn.ContrastiveDivergence(),
        "seed": 2,
        "dtype": "float64",
        "shuffle": False,
        "progress": False,
        "epochs": 3,
        "sample_weight": np.arange(1.0, 7),
    }
    cr.fit(large, V, V, batch_size=6, optimizer=optim.SGD(lr=0.1), **options)
    cr.fit(parts, V, V, batch_size=2, accumulate=3, optimizer=optim.SGD(lr=0.1), **options)
    for path, array in large.state_dict().items():
        np.testing.assert_allclose(parts.state_dict()[path], array, rtol=1e-12, atol=1e-15)


def test_it_learns_the_distribution_of_the_data():
    """The exact log-likelihood of stripes rises, close to that of the data's own entropy."""
    stripes = np.repeat(states(3)[1:-1], 3, axis=1).reshape(6, 9)

    def log_likelihood(net):
        f = -net.free_energy(states(9)).numpy()
        log_z = f.max() + np.log(np.exp(f - f.max()).sum())
        return (-net.free_energy(stripes).numpy() - log_z).mean()

    net = nn.RestrictedBoltzmann(9, 6).initialize(3).astype("float64")
    before = log_likelihood(net)
    run = cr.fit(
        net,
        stripes,
        stripes,
        loss=nn.ContrastiveDivergence(),
        batch_size=6,
        epochs=1500,
        optimizer=optim.SGD(lr=0.2, momentum=0.5),
        dtype="float64",
        progress=False,
    )
    assert before == pytest.approx(-9 * np.log(2), abs=0.05)  # nearly every state alike
    assert log_likelihood(net) > -3.0  # of at most -log 6 = -1.79
    assert run.history["loss"][-1] < 0.05


def test_its_encoder_shares_the_parameters_and_can_be_fine_tuned():
    net = machine()
    encoder = net.encoder()
    np.testing.assert_array_equal(encoder.predict(V), net.hidden(V).numpy())
    deep = nn.Sequential(encoder, nn.Linear(3, 2))
    before = net.state_dict()
    cr.fit(deep, V, np.array([0, 1] * 3), loss="CrossEntropyLoss", dtype="float64", progress=False)
    changed = {path for path, a in net.state_dict().items() if not np.array_equal(a, before[path])}
    assert changed == {"weight", "hidden_bias"}


def test_a_run_is_resumed_to_the_same_bits(tmp_path):
    options = {
        "loss": nn.ContrastiveDivergence(),
        "batch_size": 2,
        "dtype": "float64",
        "progress": False,
    }
    whole = machine()
    cr.fit(whole, V, V, epochs=4, optimizer=optim.SGD(lr=0.1), **options)
    part = machine()
    cr.fit(part, V, V, epochs=2, folder=tmp_path / "run", optimizer=optim.SGD(lr=0.1), **options)
    run = cr.resume(tmp_path / "run", V, V, epochs=4, progress=False)
    for path, array in whole.state_dict().items():
        np.testing.assert_array_equal(run.net.state_dict()[path], array)


def test_another_network_is_refused():
    net = nn.Sequential(nn.Linear(5, 5))
    with pytest.raises(ConfigurationError) as caught:
        cr.fit(net, V, V, loss=nn.ContrastiveDivergence(), progress=False)
    assert caught.value.message == (
        "ContrastiveDivergence trains a RestrictedBoltzmann; got Sequential"
    )
    assert caught.value.advice == "Train each layer by itself, then stack what encoder() gives"


def test_data_that_are_no_states_are_refused():
    with pytest.raises(DataError) as caught:
        cr.fit(machine(), 3 * V, 3 * V, loss=nn.ContrastiveDivergence(), progress=False)
    assert caught.value.message == (
        "A restricted Boltzmann machine's units are 0 or 1, or probabilities between; got 0 to 3"
    )


def test_the_width_of_the_data():
    with pytest.raises(ShapeError) as caught:
        machine()(V[:, :4])
    assert caught.value.message == (
        "RestrictedBoltzmann(in_features=5) got x of shape [6,4]: its last axis is 4"
    )
