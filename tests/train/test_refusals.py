"""What could never train, or not as meant, is refused before it begins, with the reason."""

import re

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ChainruleError
from tests.train.nets import examples, linear, plain, regular

X, Y = examples()


def refusal(*args, **options):
    """The error of a training that is refused, as text; nothing may have begun."""
    begun = []
    options.setdefault("callbacks", [cr.LambdaCallback(on_train_begin=lambda: begun.append(1))])
    with pytest.raises(ChainruleError) as caught:
        cr.fit(*args, **options)
    assert not begun
    # What a test may not depend on: the line of this file that calls.
    return re.sub(r"Line \d+ of [^\s,]+", "Line N of this file", str(caught.value))


# --- training that could never update --------------------------------------------------------


def test_four_samples_split_and_whole_batches_of_four():
    """Mistake 2 of published code: three are left, so no update ever happens."""
    message = refusal(
        linear(inputs=2),
        [[0.7, -0.9], [0.1, -0.6], [-0.8, -0.6], [-0.6, 0.2]],
        [[-1.0], [-1.0], [1.0], [1.0]],
        batch_size=4,
        validation_split=0.2,
        drop_last=True,
    )
    assert message == (
        "No update would ever happen: an update takes a batch of 4, there are 3 examples, and "
        "drop_last=True leaves out what does not fill one. Use batch_size ≤ 3, or drop_last=False."
    )


def test_too_few_examples_to_accumulate():
    assert refusal(
        linear(), np.ones((5, 1)), np.ones((5, 1)), batch_size=3, accumulate=2, drop_last=True
    ) == (
        "No update would ever happen: an update takes 2 batches of 3, there are 5 examples, and "
        "drop_last=True leaves out what does not fill one. Use batch_size ≤ 2, or drop_last=False."
    )


def test_no_parameters():
    assert refusal(nn.Sequential(nn.Tanh()), [[1.0]], [[1.0]]) == (
        "The network has no parameters, so there is nothing to train. "
        "Assign layers as attributes in __init__: self.linear = nn.Linear(...)."
    )


def test_all_frozen():
    net = linear()
    for parameter in net.parameters():
        parameter.requires_grad = False
    assert refusal(net, [[1.0]], [[1.0]]) == (
        "All 2 parameters are frozen (requires_grad=False), so no update would ever happen. "
        "Set requires_grad=True on those that should train."
    )


class Ignores(nn.Module):
    def __init__(self):
        self.linear = nn.Linear(1, 1)

    def forward(self, x):
        return x * 2.0


def test_loss_that_reaches_no_parameter():
    assert refusal(Ignores(), [[1.0]], [[1.0]]) == (
        "The loss does not depend on any parameter that trains. "
        "Check that forward uses the layers, and that they are not all frozen."
    )


def test_loss_that_ignores_the_output():
    assert refusal(linear(), [[1.0]], [[1.0]], loss=lambda output, target: target[:, 0]) == (
        "The loss does not depend on any parameter that trains. "
        "Check that forward uses the layers, and that they are not all frozen."
    )


def test_loss_that_depends_on_frozen_parameters_only():
    net = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))

    class First(nn.Module):
        def __init__(self):
            self.first, self.unused = nn.Linear(1, 1), nn.Linear(1, 1)

        def forward(self, x):
            return self.first(x)

    net = First()
    for parameter in net.first.parameters():
        parameter.requires_grad = False
    assert refusal(net, [[1.0]], [[1.0]]).startswith(
        "The loss does not depend on any parameter that trains."
    )


def test_a_parameter_that_is_not_the_networks():
    outside = nn.Parameter(np.ones(1, np.float32))

    class Uses(nn.Module):
        def __init__(self):
            self.linear = nn.Linear(1, 1)

        def forward(self, x):
            return self.linear(x) * outside

    assert refusal(Uses(), [[1.0]], [[1.0]]) == (
        "The network or the loss uses a parameter of type f32[1] that is not the network's: it "
        "would never train. Assign it to an attribute of the network in __init__, or freeze it."
    )


# --- data ------------------------------------------------------------------------------------


def with_nan(array, *where):
    other = np.array(array, float)
    other[where] = np.nan
    return other


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (
            with_nan(X, 7, 2),
            Y,
            (
                "x holds NaN in row 7, column 2. Remove or replace such values before "
                "training: they "
                "would spread to every weight."
            ),
        ),
        (
            X,
            with_nan(np.eye(3)[Y], 4, 1),
            (
                "y holds NaN in row 4, column 1. Remove or replace such values before "
                "training: they "
                "would spread to every weight."
            ),
        ),
        (
            X,
            with_nan(Y, 9),
            (
                "y holds NaN in row 9. Remove or replace such values before training: they would "
                "spread to every weight."
            ),
        ),
        (
            np.where(X[3, 1] == X, np.inf, X),
            Y,
            (
                "x holds +infinity in row 3, column 1. Remove or replace such values "
                "before training: "
                "they would spread to every weight."
            ),
        ),
        (
            np.where(X[3, 1] == X, -1e300, X),
            Y,
            (
                "The data hold 1e+300, and the largest float32 is 3.4e+38. Scale them, for "
                "example to "
                'mean 0 and standard deviation 1, or use dtype="float64".'
            ),
        ),
        (X[:10], Y, "There is one target for each example; got 10 examples and 50."),
        (
            (X, X[:10]),
            Y,
            "Inputs have the examples along their first axis; got shapes [50,4], [10,4].",
        ),
        (X[:0], Y[:0], "There are no examples: x has shape [0,4]."),
        (3.0, Y, "Inputs have the examples along their first axis; got shapes []."),
        (X, 3, "There is one target for each example; got 50 examples and 0."),
        (
            np.array([["a"] * 4] * 50),
            Y,
            "Inputs are arrays of numbers; got <U1. Encode text and categories as numbers first.",
        ),
        (
            X.astype(object),
            Y,
            (
                "Inputs are arrays of numbers; got object. Encode text and categories as "
                "numbers first."
            ),
        ),
        (
            X + 1j,
            Y,
            (
                "Inputs are arrays of numbers; got complex128. Encode text and categories as "
                "numbers first."
            ),
        ),
        (
            [[1.0, 2.0], [3.0]],
            [0, 1],
            (
                "Inputs are arrays of numbers; got rows of different lengths. "
                "Bring the examples to one shape."
            ),
        ),
        (
            X,
            np.array(["setosa", "virginica"])[Y % 2],
            (
                "Targets are numbers; got <U9. "
                "Number the classes: np.unique(y, return_inverse=True)[1]."
            ),
        ),
        (
            X,
            Y.astype(object),
            (
                "Targets are numbers; got object. "
                "Number the classes: np.unique(y, return_inverse=True)[1]."
            ),
        ),
        (X, [[1], [1, 2]] * 25, "Targets are an array of numbers; got rows of different lengths."),
        (
            X,
            Y + 1,
            (
                "CrossEntropyLoss with 3 outputs takes classes from 0 to 2; got 3. "
                "Row 6 of the targets. These count from 1: pass y - 1."
            ),
        ),
        (
            X,
            Y - 1,
            (
                "CrossEntropyLoss takes classes from 0; got -1. "
                "Row 1 of the targets. Number the classes from 0, or leave these out with "
                "ignore_index=-1."
            ),
        ),
        (
            X,
            np.eye(3, dtype=int)[Y],
            (
                "CrossEntropyLoss takes one integer class per example; got int64 of shape "
                "[B=32,3], which looks one-hot. Pass y.argmax(axis=1), or floats if the rows are "
                "distributions."
            ),
        ),
    ],
    ids=[
        "nan in x",
        "nan in y",
        "nan in classes",
        "infinity",
        "too large",
        "lengths",
        "lengths of inputs",
        "empty",
        "scalar x",
        "scalar y",
        "text",
        "objects",
        "complex",
        "ragged",
        "text targets",
        "object targets",
        "ragged targets",
        "from one",
        "below zero",
        "one-hot",
    ],
)
def test_data_that_cannot_be_trained_on(x, y, message):
    assert refusal(plain(), x, y, loss="CrossEntropyLoss") == message


def test_labels_minus_one_and_one_under_a_sigmoid():
    """Mistake 1 of published code: the cost has a floor that no weights reach."""
    net = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 1), nn.Sigmoid())
    x, y = [[0.7, -0.9], [0.1, -0.6]], [[-1.0], [1.0]]
    assert refusal(net, x, y) == (
        "The targets go from -1 to 1, but the last layer is Sigmoid, whose outputs lie in [0, 1]. "
        "Map the labels with (y + 1) / 2, or use Tanh."
    )
    tanh = nn.Sequential(nn.Linear(2, 1), nn.Tanh())
    assert cr.fit(tanh, x, y).steps == 1


def test_shapes_that_do_not_fit_are_said_at_the_users_line():
    assert refusal(plain(inputs=3), X, Y, loss="CrossEntropyLoss") == (
        "Linear(in_features=3) got x of shape [B=32,4]: its last axis is 4. "
        'Line N of this file, layer "0". Did you mean in_features=4?'
    )
    assert "compares element by element" in refusal(linear(4), X, Y.astype(float))


def test_a_batch_of_one_under_batch_norm():
    told = {"loss": "CrossEntropyLoss"}
    message = (
        "BatchNorm1d got a batch of one example: its variance is zero and its output does not "
        'depend on x. Line N of this file, layer "1". Use larger batches, or drop_last=True if '
        "only the last one is this short."
    )
    assert refusal(regular(), X, Y, batch_size=1, **told) == message
    assert refusal(regular(), X[:1], Y[:1], **told) == message
    # 49 = 6·8 + 1: the last batch of the epoch would be the one. Before anything is trained.
    assert refusal(regular(), X[:49], Y[:49], batch_size=8, **told) == message
    assert refusal(regular(), X[:49], Y[:49], batch_size=4, accumulate=2, **told) == message
    assert cr.fit(regular(), X[:49], Y[:49], batch_size=8, drop_last=True, **told).steps == 6


def test_accuracy_of_a_regression():
    assert refusal(linear(4), X, X[:, :1], metrics=["accuracy"]).startswith(
        "The metric accuracy counts classes, and these targets are no classes"
    )


# --- options ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "fit takes epochs as a whole number ≥ 1; got 0."),
        ({"epochs": 1.5}, "fit takes epochs as a whole number ≥ 1; got 1.5."),
        ({"epochs": True}, "fit takes epochs as a whole number ≥ 1; got True."),
        ({"batch_size": 0}, "fit takes batch_size as a whole number ≥ 1; got 0."),
        ({"batch_size": "32"}, "fit takes batch_size as a whole number ≥ 1; got '32'."),
        ({"accumulate": 0}, "fit takes accumulate as a whole number ≥ 1; got 0."),
        ({"seed": -1}, "fit takes seed as a whole number ≥ 0; got -1."),
        (
            {"seed": 2**64},
            (
                "A seed is an integer with 0 <= seed < 2**64, not 18446744073709551616. "
                "Pass for example seed=0."
            ),
        ),
        ({"seed": None}, "fit takes seed as a whole number ≥ 0; got None."),
        ({"shuffle": "no"}, "fit takes shuffle as True or False; got 'no'."),
        ({"drop_last": 1}, "fit takes drop_last as True or False; got 1."),
        ({"threads": 0}, "fit takes threads as a whole number ≥ 1, or None; got 0."),
        ({"dtype": "int32"}, "fit takes dtype as float32 or float64; got 'int32'."),
        ({"dtype": "float16"}, "fit takes dtype as float32 or float64; got 'float16'."),
        ({"backend": "torch"}, 'No backend is named "torch". There are: numpy, native.'),
        ({"loss": "MSE"}, 'No loss is named "MSE". Did you mean "MSELoss"? There are: '),
        (
            {"loss": 3},
            "A loss is a Loss, the name of one, or a function of (output, target); got int.",
        ),
        (
            {"metrics": "accuracy"},
            ("fit takes metrics as a list of names; got 'accuracy'. Write metrics=[\"accuracy\"]."),
        ),
        (
            {"metrics": ["acuracy"]},
            ('No metric is named "acuracy". Did you mean "accuracy"? There are: '),
        ),
        (
            {"optimizer": optim.SGD},
            (
                "fit takes optimizer as Optimizer; got the class SGD itself. "
                "Write optimizer=SGD(...)."
            ),
        ),
        (
            {"optimizer": "SGD"},
            ("fit takes optimizer as Optimizer; got 'SGD'. Write optimizer=optim.SGD(lr=0.01)."),
        ),
        (
            {"schedule": optim.StepLR},
            (
                "fit takes schedule as Schedule or ReduceLROnPlateau; got the "
                "class StepLR itself. Write schedule=StepLR(...)."
            ),
        ),
        (
            {"schedule": 0.1},
            (
                "fit takes schedule as Schedule or ReduceLROnPlateau; got float. "
                "Write schedule=optim.StepLR(step_size=10)."
            ),
        ),
        (
            {"callbacks": [cr.EarlyStopping]},
            (
                "fit takes callbacks as Callback; got the class "
                "EarlyStopping itself. Write callbacks=EarlyStopping(...)."
            ),
        ),
        (
            {"callbacks": [print]},
            (
                "fit takes callbacks as Callback; got builtin_function_or_method. "
                "Write callbacks=[EarlyStopping()]."
            ),
        ),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_options_that_cannot_be(options, message):
    assert refusal(plain(), X, Y, **{"loss": "CrossEntropyLoss", **options}).startswith(message)


def test_a_network_that_is_none():
    assert refusal(nn.Linear, X, Y) == (
        "fit takes net as Module; got the class Linear itself. Write net=Linear(...)."
    )
    assert refusal(lambda x: x, X, Y) == (
        "fit takes net as Module; got function. Write net=nn.Sequential(nn.Linear(4, 3))."
    )


def test_names_that_the_step_needs():
    class Scale(nn.Module):
        def __init__(self):
            self.step = nn.Parameter(np.ones(1, np.float32))

        def forward(self, x):
            return x * self.step

    assert refusal(Scale(), [[1.0]], [[1.0]]) == (
        "A parameter or buffer of the network is called step, as is a value of the training "
        "step. Rename the attribute."
    )


@pytest.mark.parametrize(
    ("name", "other"),
    [
        *((name, "a value of the training step") for name in ("x", "out", "d_out", "d_x")),
        ("d_scale", "the gradient of scale"),
    ],
)
def test_a_parameter_that_is_called_as_another_value_of_the_step(name, other):
    class Scale(nn.Module):
        def __init__(self):
            self.scale = nn.Parameter(np.ones(1, np.float32))
            setattr(self, name, nn.Parameter(np.ones(1, np.float32)))

        def forward(self, x):
            return x * self.scale * getattr(self, name)

    assert refusal(Scale(), [[1.0]], [[1.0]]) == (
        f"A parameter or buffer of the network is called {name}, as is {other}. "
        "Rename the attribute."
    )


def test_an_optimizer_that_worked_for_another_network():
    optimizer = optim.SGD(lr=0.1, momentum=0.9)
    cr.fit(linear(), [[1.0]], [[1.0]], optimizer=optimizer)
    assert refusal(linear(inputs=2), [[1.0, 2.0]], [[1.0]], optimizer=optimizer) == (
        "The optimizer's state 0.weight:momentum_buffer has shape [1,1], from another network; "
        "here it takes [1,2]. Make a new optimizer for each network."
    )


def test_one_callback_needs_no_list():
    seen = []
    cr.fit(
        linear(),
        [[1.0]],
        [[1.0]],
        callbacks=cr.LambdaCallback(on_train_begin=lambda: seen.append(1)),
    )
    assert seen == [1]
