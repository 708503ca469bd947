"""A step that cannot be written leaves nothing behind."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ChainruleError
from chainrule.eager import current_trace


class Misnamed(nn.Module):
    """A network whose parameter has a name that the step uses for something else."""

    def __init__(self):
        self.lr = nn.Linear(2, 1)
        self.step = nn.Parameter(np.ones(1))

    def forward(self, x):
        return self.lr(x) * self.step


def test_a_refused_step_leaves_no_trace_open():
    with pytest.raises(ChainruleError, match="step"):
        cr.fit(Misnamed(), np.ones((4, 2)), np.ones((4, 1)), progress=False)
    assert current_trace() is None


def test_a_loss_may_call_a_part_of_the_network_that_keeps_statistics():
    net = nn.Sequential(nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4)), nn.Linear(4, 1))
    encoder = net[0]
    x = np.arange(16, dtype=np.float32).reshape(8, 2) / 16

    def loss(output, target):
        return (output - target).square().mean(axis=1) + encoder(x).square().mean(axis=1)

    cr.fit(
        net,
        x,
        np.ones((8, 1)),
        loss=loss,
        optimizer=optim.SGD(lr=0.1),
        batch_size=8,
        progress=False,
    )
    assert net.state_dict()["0.1.num_batches_tracked"] == 2  # the network, then the loss
