"""An exercise: its numbers, what it asks for, and its line from which it is made again."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import ConfigurationError, FileFormatError, NameNotFoundError
from chainrule.explanation.exercises.choosing import confused, outcomes, vanishing
from chainrule.explanation.exercises.drawing import draw
from chainrule.explanation.exercises.exercise import make
from chainrule.explanation.exercises.setting import Setting
from tests.explanation.exercises.oracle import by_hand

KINDS = [
    {"network": "2-3-1", "seed": 7, "learning_rate": 0.5},
    {"network": "2-2-2", "seed": 1, "loss": "MSELoss", "activation": "Tanh"},
    {"network": "3-4-2-2", "seed": 2, "examples": 2},
    {"network": "2-3-1", "seed": 5, "activation": "ReLU", "output": "none", "examples": 3},
    {"network": "2-4-3", "seed": 4, "loss": "CrossEntropyLoss"},
    {"network": "2-1", "seed": 0},
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_number_of_the_key_is_that_of_numpy(kind):
    made = cr.exercise(**kind)
    expected = by_hand(made)
    assert {task.name for task in made.tasks} <= set(expected)
    for task in made.tasks:
        array = np.asarray(expected[task.name])
        for index, number in zip(task.indices, task.true, strict=True):
            # float64 on both sides: some roundings of numbers of order 1.
            assert number == pytest.approx(array[index] if array.ndim else array, abs=1e-14)


def test_a_textbooks_steps_are_asked_for():
    names = [task.name for task in cr.exercise(seed=7).tasks]
    assert names == ["z1", "a1", "z2", "a2", "C", "delta2", "dW2", "db2", "delta1", "dW1", "db1"]
    names = [task.name for task in cr.exercise(seed=7, learning_rate=0.1).tasks]
    assert names[-4:] == ["W1_new", "b1_new", "W2_new", "b2_new"]


@pytest.mark.parametrize(
    ("ask", "name", "count"),
    [
        ("d_2.weight", "dW2", 3),
        ("dW2", "dW2", 3),
        ("δ1", "delta1", 3),
        ("delta1[2]", "delta1", 1),
        ("d_0.weight[1,0]", "dW1", 1),
        ("1.out", "a1", 3),
        ("loss", "C", 1),
    ],
)
def test_what_is_asked_for_has_many_names(ask, name, count):
    made = cr.exercise(seed=7, ask=ask)
    assert [task.name for task in made.tasks] == [name]
    assert made.points == count


def test_what_is_asked_for_stands_in_the_order_of_the_steps():
    made = cr.exercise(seed=7, ask=["dW1", "z1", "delta2", "dW1[0,0]"])
    assert [task.name for task in made.tasks] == ["z1", "delta2", "dW1"]
    assert made.setting.ask == ("z1", "delta2", "dW1")


@pytest.mark.parametrize("seed", range(12))
def test_no_gradient_vanishes_and_no_mistake_hides(seed):
    made = cr.exercise("2-3-1", seed=seed)
    assert vanishing(made) == 0
    assert confused(made) == 0
    assert len(outcomes(made.anatomy, made)) > 40  # the truth, and a row for each mistake


def test_a_mistake_that_hides_is_found():
    settings = (Setting((2, 3, 1), ("Sigmoid", "Sigmoid"), "MSELoss", seed=s) for s in range(40))
    made = [make(setting) for setting in settings]
    # Of forty draws that nobody has chosen some hide a mistake, or have a gradient of nearly zero.
    assert any(vanishing(each) for each in made)
    assert any(confused(each) for each in made)


def test_numbers_are_tenths_and_the_same_for_ever():
    given = cr.exercise("2-3-1", seed=7).given
    assert given.x.tolist() == [[0.6, 0.4]]
    assert given.y.tolist() == [[0.8]]
    assert given.state["0.weight"].tolist() == [[0.8, -0.8], [0.7, 0.5], [-0.5, -0.3]]
    assert given.state["2.bias"].tolist() == [-0.3]
    other = cr.exercise("2-3-1", seed=8).given
    assert not np.array_equal(other.state["0.weight"], given.state["0.weight"])


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_exercise_is_made_again_from_its_line(kind):
    made = cr.exercise(**kind)
    code, _, identity = made.code.rpartition(" id=")
    setting = Setting.of_code(code)
    again = make(setting, setting.ask)
    assert again.code == made.code
    assert again.identity == identity
    assert [t.true.tolist() for t in again.tasks] == [t.true.tolist() for t in made.tasks]


@pytest.mark.parametrize("loss", ["BCELoss", "BCEWithLogitsLoss", "HingeLoss", "NLLLoss"])
def test_targets_and_the_last_layer_fit_the_loss(loss):
    made = cr.exercise("2-3-2", seed=1, loss=loss, examples=2)
    assert np.isfinite([number for task in made.tasks for number in task.true]).all()


def test_a_network_of_modules_is_read():
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    made = cr.exercise(net, loss=nn.MSELoss(), seed=3)
    assert made.setting.network == "2-3-1"
    assert made.setting.activations == ("Tanh", "none")


def test_targets_lie_inside_of_what_the_last_layer_gives():
    for seed in range(20):
        given = draw(Setting((2, 3, 2), ("Sigmoid", "Sigmoid"), "QuadraticLoss", seed=seed))
        assert ((given.y > 0) & (given.y < 1)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "2"}, "A network is written as the sizes of its layers, such as 2-3-1"),
        ({"network": "2-0-1"}, "A layer has at least one unit; got 2-0-1"),
        ({"network": "2-300-1"}, "it has 1 to 16 units in a layer; got 300"),
        ({"examples": 0}, "it has 1 to 8 examples; got 0"),
        ({"digits": 20}, "it has 1 to 9 significant digits; got 20"),
        ({"seed": -1}, "A seed is a whole number from 0 up; got -1"),
        ({"learning_rate": 0.0}, "A learning rate is a number above 0; got 0.0"),
        ({"activation": "RReLU"}, "RReLU is no activation that is computed by hand"),
        ({"loss": "KLDivLoss"}, "KLDivLoss is no loss of an exercise"),
        ({"network": nn.Linear(2, 3, bias=False)}, "a chain of Linear layers with a bias"),
        ({"network": nn.Sequential(nn.Linear(2, 3), nn.Dropout())}, "got Dropout"),
        ({"loss": nn.HuberLoss(delta=2.0)}, "a loss with its default options"),
        ({"network": "16-16-16", "seed": 1}, "asks for at most 256 numbers"),
    ],
)
def test_what_is_not_for_paper_is_refused(options, message):
    with pytest.raises(ConfigurationError) as raised:
        cr.exercise(**options)
    assert message in str(raised.value)


def test_what_cannot_be_asked_for_is_refused():
    with pytest.raises(NameNotFoundError, match="Did you mean"):
        cr.exercise(seed=7, ask="delta3x")
    with pytest.raises(ConfigurationError, match="W1 stands on the sheet"):
        cr.exercise(seed=7, ask="W1")
    with pytest.raises(ConfigurationError, match=r"dW1\[9,9\]: there is no \[9,9\] in the shape"):
        cr.exercise(seed=7, ask="dW1[9,9]")
    with pytest.raises(ConfigurationError, match=r"dW1\[0\] is no number of dW1: its shape is"):
        cr.exercise(seed=7, ask="dW1[0]")
    with pytest.raises(NameNotFoundError, match="W1_new"):
        cr.exercise(seed=7, ask="W1_new")  # without a learning rate nothing is updated


@pytest.mark.parametrize(
    "code",
    [
        "",
        "hello",
        "2-3-1",
        "2-3-1 activations=Sigmoid+Sigmoid loss=QuadraticLoss ask=z1 seed=x",
        "2-3-1 activations=Sigmoid+Sigmoid loss=QuadraticLoss ask=z1 seed=1 colour=red",
        "2-3-1 activations=Sigmoid loss=QuadraticLoss ask=z1 seed=1",
        "2-3-1 activations=Sigmoid+Sigmoid loss=Nothing ask=z1 seed=1",
        "99999-99999-1 activations=Sigmoid+Sigmoid loss=QuadraticLoss ask=z1 seed=1",
        "2-3-1 activations=os.system+Sigmoid loss=QuadraticLoss ask=z1 seed=1",
    ],
)
def test_a_line_that_describes_no_exercise_is_refused(code):
    with pytest.raises(FileFormatError, match="is no line that describes an exercise"):
        Setting.of_code(code)
