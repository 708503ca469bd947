"""Set-ups may register a metric of their own: afterwards the registry is as it was."""

import pytest

from chainrule import nn


@pytest.fixture(autouse=True)
def own_metrics(monkeypatch):
    monkeypatch.setattr(nn.METRICS, "_things", dict(nn.METRICS.items()))
