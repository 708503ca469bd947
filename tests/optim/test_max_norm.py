"""max_norm: after an update no unit's incoming weights are longer than the limit."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim

W = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])


def after_update(optimizer, weight=W, dtype="float64"):
    net = nn.Sequential(nn.Linear(2, 3)).astype(dtype)
    net.load_state_dict({"0.weight": weight, "0.bias": np.full(3, 9.0)})
    gradients = {"0.weight": np.zeros((3, 2)), "0.bias": np.zeros(3)}
    optimizer.update(net, gradients)
    return net.state_dict()


def test_longer_rows_are_scaled_down_and_shorter_ones_keep_their_bits():
    weight = after_update(optim.SGD(lr=1.0, max_norm=1.0))["0.weight"]
    np.testing.assert_allclose(weight[0], [0.6, 0.8], rtol=1e-15)
    np.testing.assert_array_equal(weight[1:], W[1:])


def test_biases_are_left_alone():
    np.testing.assert_array_equal(after_update(optim.SGD(max_norm=1.0))["0.bias"], np.full(3, 9.0))


def test_groups_choose_parameters():
    same = after_update(optim.SGD(groups={"*.bias": {"max_norm": 1.0}}))
    np.testing.assert_array_equal(same["0.weight"], W)
    changed = after_update(optim.Adam(groups={"*.weight": {"max_norm": 2.5}}))
    assert np.linalg.norm(changed["0.weight"], axis=1).max() == pytest.approx(2.5, rel=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(4, 3), (5, 2, 3)])
def test_as_torch_renorm(torch, shape, dtype):
    from chainrule.optim.clipping import limit_rows

    w = np.random.default_rng(1).normal(size=shape).astype(dtype)
    ours = limit_rows(cr.tensor(w), 1.25).numpy()
    theirs = torch.renorm(torch.from_numpy(w), p=2, dim=0, maxnorm=1.25).numpy()
    # torch divides by norm + 1e-7; both norms carry a few roundings.
    np.testing.assert_allclose(ours, theirs, rtol=2e-7 + 8 * np.finfo(dtype).eps)


def test_fit_keeps_to_the_limit_at_every_step():
    x, y = np.eye(4), 50 * np.eye(4)
    net = nn.Sequential(nn.Linear(4, 4))
    norms = []

    class Watch(cr.Callback):
        watches_batches = True

        def on_train_batch_end(self, step, logs):
            norms.append(np.linalg.norm(self.run.net.state_dict()["0.weight"], axis=1).max())

    cr.fit(
        net,
        x,
        y,
        optimizer=optim.SGD(lr=0.5, max_norm=2.0),
        epochs=20,
        batch_size=2,
        callbacks=[Watch()],
        progress=False,
    )
    assert len(norms) == 40
    assert max(norms) <= 2.0 * (1 + 4 * np.finfo(np.float32).eps)
    assert max(norms) > 1.99
