"""Validation examples that are trained on, and those that are nearly so."""

import numpy as np
import pytest

from tests.explanation.diagnosing.asking import ask, network

DIMENSIONS = (3, 5, 20)


def found(x, seed=0):
    x = x[np.random.default_rng(seed).permutation(len(x))]
    y, cut = x[:, :1], 2 * len(x) // 3
    split = (x[cut:], y[cut:])
    return ask("leaking-split", network(x.shape[1]), x[:cut], y[:cut], validation=split)


def draw(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("inputs", DIMENSIONS)
def test_copies_with_a_little_noise_leak(inputs):
    x = draw(400, inputs)
    (finding,) = found(np.concatenate([x, x + 0.01 * draw(400, inputs, seed=2)]))
    assert "next to some that are trained on" in finding.title


@pytest.mark.parametrize("inputs", DIMENSIONS)
def test_sixteen_copies_of_each_leak(inputs):
    rows = np.repeat(draw(50, inputs), 16, axis=0)
    assert found(rows + 0.005 * draw(800, inputs, seed=2))


@pytest.mark.parametrize("inputs", DIMENSIONS)
def test_four_measurements_of_each_patient_leak(inputs):
    patients = np.repeat(draw(150, inputs), 4, axis=0)
    assert found(patients + 0.005 * draw(600, inputs, seed=2))


@pytest.mark.parametrize("inputs", [2, *DIMENSIONS])
@pytest.mark.parametrize(
    "kind",
    [
        "normal",
        "lognormal",
        "clusters",
        "rounded",
        "windows of a walk",
        "one number beside categories",
    ],
)
def test_points_that_are_near_by_chance_do_not(kind, inputs):
    x = draw(600, inputs)
    if kind == "lognormal":
        x = np.exp(2 * x)
    if kind == "clusters":
        x = 5 * draw(8, inputs, seed=3)[np.arange(600) % 8] + x
    if kind == "rounded":
        x = np.round(x, 2)
    if kind == "windows of a walk":
        walk = np.cumsum(draw(600 + inputs))
        x = np.stack([walk[i : i + 600] for i in range(inputs)], axis=1)
    if kind == "one number beside categories":
        x = np.concatenate([x[:, :1], (draw(600, 5, seed=3) > 0).astype(float)], axis=1)
    assert not found(x)
