"""What a run folder can keep: networks whose parameters have names of one letter."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainrule import nn, optim


class Line(nn.Module):
    """y = x·w."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(np.ones((3, 1), np.float32))

    def forward(self, x):
        return x @ self.w


def test_the_optimisers_state_of_a_parameter_called_w_is_kept(tmp_path):
    x, y = np.eye(3, dtype=np.float32), np.ones((3, 1), np.float32)
    run = cr.fit(Line(), x, y, optimizer=optim.Adam(), folder=tmp_path / "run", progress=False)
    kept = cr.load_run(tmp_path / "run", x, y, net=Line())
    assert "w:exp_avg" in run.at(0).state
    assert float(kept.at(0).state["w:exp_avg"].sum()) == 0
