"""Metrics of one's own, beside what the loss takes outputs for."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

METRICS = {
    "counts the side": (lambda out, y: (out > 0) == (y > 0.5), None),
    "counts errors": (lambda out, y: (out > 0) != (y > 0.5), None),
    "rounds": (lambda out, y: cr.round(out) == y, "as if they were probabilities"),
    "rounds, and counts errors": (lambda out, y: cr.round(out) != y, "as if they were"),
    "asks for one half": (lambda out, y: (out > 0.5) == (y > 0.5), "an output of 0.5"),
    "asks to be sure": (lambda out, y: (out > 2.0) == (y > 0.5), "for answers that are all good"),
    "a margin": (lambda out, y: (out * (2 * y - 1)).clip(-9, 3), None),
    "squares": (lambda out, y: (out.sigmoid() - y).square(), None),
    "rounds odds": (lambda out, y: cr.round(out.sigmoid()) == y, None),
}


def named(measure, monkeypatch, loss, last=None, share=0.5):
    known = {name: each for name, each in nn.METRICS.items() if name != "own"}
    monkeypatch.setattr(nn.METRICS, "_things", known)
    nn.METRICS.register("own", lambda loss, targets: lambda out, y: measure(out, y)[:, 0])
    draw = np.random.default_rng(0)
    x = draw.normal(size=(200, 3))
    y = (x[:, :1] > np.quantile(x[:, 0], 1 - share)).astype(float)
    net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1), *([last] if last else []))
    found = cr.doctor(net, x, y, loss=loss, metrics=["own"], dtype="float64")
    return [f.title for f in found.all if f.name == "misreported-metric"]


@pytest.mark.parametrize("kind", METRICS)
def test_a_metric_beside_logits_is_told_by_what_it_gives_for_answers_that_are_made_up(
    kind, monkeypatch
):
    measure, words = METRICS[kind]
    titles = named(measure, monkeypatch, "BCEWithLogitsLoss")
    assert [words in title for title in titles] == ([True] if words else [])


def test_a_line_at_0_says_yes_to_every_probability(monkeypatch):
    def counted(share):
        measure = METRICS["counts the side"][0]
        return named(measure, monkeypatch, "BCELoss", nn.Sigmoid(), share)

    assert counted(0.5) == ["own is 0.50 for answers that are all good"]
    assert counted(0.8) == ["own is 0.80 for answers that are all good"]
