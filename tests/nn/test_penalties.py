"""Penalties: their size, what they are on, and what they do to an update."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ConfigurationError, NameNotFoundError, ReplayError

X = np.linspace(-1, 1, 24).reshape(12, 2)
Y = (X @ [[1.0], [-2.0]]).round(3)


def net():
    layers = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    return layers.initialize(1).astype("float64")


def train(penalty, **options):
    trained = net()
    options = {"optimizer": optim.SGD(lr=0.3), "epochs": 3, "batch_size": 4, **options}
    run = cr.fit(
        trained, X, Y, penalty=penalty, dtype="float64", progress=False, shuffle=False, **options
    )
    return trained, run


def test_sizes():
    w = {"0.weight": np.array([[3.0, -4.0]]), "0.bias": np.array([7.0])}
    assert nn.L1Penalty(0.5)(w).item() == 0.5 * 7
    assert nn.L2Penalty(0.5)(w).item() == 0.5 * 12.5
    assert nn.L2Penalty(1.0, on=["*weight", "*bias"])(w).item() == 12.5 + 24.5


def test_derivatives():
    w = np.array([2.0, -3.0, 0.0])
    gradient = cr.grad(lambda w: nn.L1Penalty(0.1, on="w")({"w": w}))(w)
    np.testing.assert_array_equal(gradient.numpy(), [0.1, -0.1, 0.0])
    gradient = cr.grad(lambda w: nn.L2Penalty(0.1, on="w")({"w": w}))(w)
    np.testing.assert_allclose(gradient.numpy(), 0.1 * w, rtol=1e-15)
    both = [nn.L1Penalty(0.1, on="w"), nn.L2Penalty(0.1, on="w")]
    for penalty in both:
        cr.testing.check_gradients(lambda w, p=penalty: p({"w": w}), [np.array([2.0, -3.0, 0.5])])


def test_under_sgd_an_l2_penalty_is_weight_decay():
    ours, _ = train(nn.L2Penalty(0.05))
    decay = optim.SGD(lr=0.3, groups={"*.weight": {"weight_decay": 0.05}})
    theirs, _ = train(None, optimizer=decay)
    for path, array in ours.state_dict().items():
        np.testing.assert_allclose(array, theirs.state_dict()[path], rtol=1e-13)


def test_an_l1_penalty_drives_weights_to_zero():
    strong, _ = train(nn.L1Penalty(0.3), epochs=300, optimizer=optim.SGD(lr=0.01))
    free, _ = train(None, epochs=300, optimizer=optim.SGD(lr=0.01))
    assert np.abs(strong.state_dict()["0.weight"]).max() < 0.02
    assert np.abs(free.state_dict()["0.weight"]).max() > 0.3


def test_history_shows_the_penalty_beside_the_loss():
    _, run = train([nn.L2Penalty(0.05), nn.L1Penalty(0.01)], optimizer=optim.SGD(lr=1e-12))
    start = net()
    expected = nn.L2Penalty(0.05)(start).item() + nn.L1Penalty(0.01)(start).item()
    np.testing.assert_allclose(run.history["penalty"], [expected] * 3, rtol=1e-9)
    np.testing.assert_allclose(run.history["loss"][0], start.evaluate(X, Y, loss="MSELoss")["loss"])


def test_accumulated_batches_pay_the_penalty_once():
    whole, one = train(nn.L2Penalty(0.05), batch_size=12)
    parts, several = train(nn.L2Penalty(0.05), batch_size=4, accumulate=3)
    for path, array in whole.state_dict().items():
        np.testing.assert_allclose(parts.state_dict()[path], array, rtol=1e-12)
    np.testing.assert_allclose(one.history["penalty"], several.history["penalty"], rtol=1e-12)


def test_a_loop_of_ones_own_makes_the_same_bits():
    penalty, loss, model, sgd = nn.L2Penalty(0.05), nn.MSELoss(), net(), optim.SGD(lr=0.3)
    for start in [0, 4, 8] * 3:
        x, y = X[start : start + 4], Y[start : start + 4]
        _, gradients = cr.value_and_grad(
            lambda net, x=x, y=y: nn.weighted_mean(loss(net(x), y)) + penalty(net)
        )(model)
        sgd.update(model, gradients)
    fitted, _ = train(penalty, backend="numpy")  # which computes Tensors
    for path, array in fitted.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[path], array)


def test_frozen_parameters_pay_nothing():
    model = net()
    next(iter(model)).weight.requires_grad = False
    assert nn.L2Penalty(1.0).paths(model.trainable_parameters()) == ["2.weight"]


def test_a_run_with_a_penalty_is_replayed_and_resumed(tmp_path):
    whole, _ = train(nn.L1Penalty(0.02), epochs=4)
    train(nn.L1Penalty(0.02), epochs=2, folder=tmp_path / "run")
    run = cr.resume(tmp_path / "run", X, Y, epochs=4, progress=False)
    for path, array in whole.state_dict().items():
        np.testing.assert_array_equal(run.net.state_dict()[path], array)
    with pytest.raises(ReplayError) as caught:
        cr.resume(tmp_path / "run", X, Y, penalty=nn.L1Penalty(0.5), epochs=5, progress=False)
    assert caught.value.message == (
        "The penalty is not that of the run: it was L1Penalty(strength=0.02), and is "
        "L1Penalty(strength=0.5)"
    )


def test_a_run_with_a_penalty_on_several_patterns_is_resumed(tmp_path):
    train(nn.L1Penalty(0.02, on=["0.weight", "2.*"]), folder=tmp_path / "run")
    run = cr.resume(tmp_path / "run", X, Y, epochs=4, progress=False)
    assert run.history.epochs == 4


def test_a_pattern_that_matches_nothing():
    with pytest.raises(NameNotFoundError) as caught:
        train(nn.L2Penalty(0.1, on="*.wieght"))
    assert caught.value.message == (
        'The pattern "*.wieght" of L2Penalty matches no parameter that is trained'
    )
    assert caught.value.advice.startswith('Did you mean "*.weight"?')


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.L2Penalty(-1), "L2Penalty takes strength ≥ 0; got -1"),
        (
            lambda: train(nn.L2Penalty),
            "fit takes penalty as a Penalty, or a list of them; got the class L2Penalty itself",
        ),
        (lambda: train(0.1), "fit takes penalty as a Penalty, or a list of them; got 0.1"),
        (
            lambda: nn.L1Penalty(1, on=[]),
            "L1Penalty takes on as a pattern of parameter paths, or several; got []",
        ),
    ],
)
def test_refused(make, message):
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert caught.value.message == message
