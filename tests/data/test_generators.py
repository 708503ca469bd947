"""Generated sets: balanced, prefix-stable, the same on every machine, and of the shape they say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.base.errors import ConfigurationError, NameNotFoundError
from chainrule.data import DATASETS, load

GENERATED = [name for name, entry in DATASETS.items() if entry.kind == "generated"]
PLANE = [name for name in GENERATED if name != "sine"]

names = st.sampled_from(GENERATED)
noises = st.sampled_from([0.0, 0.1, 2.0])


@given(name=names, few=st.integers(1, 30), more=st.integers(0, 30), noise=noises)
def test_the_first_points_do_not_depend_on_how_many_follow(
    name: str, few: int, more: int, noise: float
) -> None:
    short = load(name, n=few, noise=noise, seed=3)
    long = load(name, n=few + more, noise=noise, seed=3)
    np.testing.assert_array_equal(short.x, long.x[:few])
    np.testing.assert_array_equal(short.y, long.y[:few])


@given(name=st.sampled_from(PLANE), n=st.integers(1, 50), noise=noises)
def test_classes_are_balanced(name: str, n: int, noise: float) -> None:
    data = load(name, n=n, noise=noise)
    counts = np.bincount(data.y, minlength=2)
    assert len(data) == n
    assert data.task == "classification"
    assert len(data.class_names) == 2
    assert abs(int(counts[0]) - int(counts[1])) <= (2 if name == "xor" else 1)


@pytest.mark.parametrize("name", GENERATED)
def test_noise_and_seed_move_the_points(name: str) -> None:
    def values(**options: float) -> list[float]:
        data = load(name, n=20, **options)
        return [*data.x.ravel().tolist(), *data.y.ravel().tolist()]

    assert values(seed=0, noise=0.1) != values(seed=1, noise=0.1)
    assert values(seed=0, noise=0.1) != values(seed=0, noise=0.0)
    assert values(seed=5, noise=0.1) == values(seed=5, noise=0.1)


def test_xor_is_a_truth_table() -> None:
    data = load("xor")
    assert data.x.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert data.y.tolist() == [0, 1, 1, 0]


def test_noisy_xor_without_noise_is_exclusive_or_of_signs() -> None:
    data = load("noisy_xor", n=500, noise=0.0)
    assert np.abs(data.x).max() <= 1
    np.testing.assert_array_equal(data.y, (data.x[:, 0] < 0) ^ (data.x[:, 1] < 0))
    quadrants = np.bincount(2 * (data.x[:, 0] < 0) + (data.x[:, 1] < 0), minlength=4)
    assert quadrants.min() > 90  # 125 expected, standard deviation 10


def test_moons_lie_on_half_circles() -> None:
    data = load("moons", n=100, noise=0.0)
    upper, lower = data.x[data.y == 0], data.x[data.y == 1]
    np.testing.assert_allclose(np.hypot(*upper.T), 1, rtol=1e-15)
    np.testing.assert_allclose(np.hypot(*(lower - [1, 0.5]).T), 1, rtol=1e-14)
    assert (upper[:, 1] >= 0).all()
    assert (lower[:, 1] <= 0.5).all()


def test_circles_have_two_radii() -> None:
    data = load("circles", n=100, noise=0.0)
    np.testing.assert_allclose(np.hypot(*data.x.T), np.where(data.y == 0, 1, 0.5), rtol=1e-15)


def test_spirals_turn_one_and_three_quarter_times() -> None:
    data = load("spirals", n=100, noise=0.0)
    radius = np.hypot(*data.x.T)
    assert radius.max() <= 1
    angle = 2 * math.pi * 1.75 * radius + math.pi * data.y
    np.testing.assert_allclose(np.cos(angle) * radius, data.x[:, 0], atol=1e-14)
    np.testing.assert_allclose(np.sin(angle) * radius, data.x[:, 1], atol=1e-14)


def test_sine_is_a_sine() -> None:
    data = load("sine", n=50, noise=0.0)
    assert data.x.shape == data.y.shape == (50, 1)
    assert data.task == "regression"
    np.testing.assert_array_equal(data.y, np.sin(data.x))
    assert -math.pi <= data.x.min() < -2
    assert 2 < data.x.max() < math.pi


def test_noise_has_the_standard_deviation_asked_for() -> None:
    difference = load("sine", n=5000, noise=0.5).y - load("sine", n=5000, noise=0.0).y
    assert abs(float(difference.std()) - 0.5) < 5 * 0.5 / math.sqrt(2 * 5000)


def test_points_are_frozen_within_the_rounding_of_sine_and_cosine() -> None:
    np.testing.assert_allclose(
        load("moons", n=3, noise=0.1, seed=1).x,
        [
            [0.6766093830954782, 0.7122895597734631],
            [1.351855264282846, -0.6376302411384295],
            [-0.6840320684667922, 0.8427371629320387],
        ],
        rtol=1e-13,
    )


@pytest.mark.parametrize("name", GENERATED)
@pytest.mark.parametrize("n", [0, -1, 2.0, True, "3"])
def test_a_number_of_points_is_an_integer_from_one(name: str, n: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(name, n=n)
    assert str(caught.value) == f"The number of points n is an integer from 1, not {n!r}."


@pytest.mark.parametrize("name", GENERATED)
@pytest.mark.parametrize("noise", [-0.1, float("nan"), float("inf"), "1"])
def test_noise_is_a_standard_deviation(name: str, noise: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(name, noise=noise)
    assert str(caught.value) == (
        f"The noise is a standard deviation, finite and from 0, not {noise!r}."
    )


def test_an_unknown_option_suggests_the_nearest() -> None:
    with pytest.raises(NameNotFoundError) as caught:
        load("moons", nois=0.1)
    assert str(caught.value) == (
        'No option of the data set "moons" is named "nois". Did you mean "noise"? '
        "There are: n, noise, seed."
    )
