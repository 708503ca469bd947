"""A step that gives NaN or infinity is not taken; the error says where it began."""

import re

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import NonFiniteError
from tests.train.nets import examples, linear, plain, same

X, Y = examples()
HERE = "tests/train/test_non_finite.py"


def line_of(text):
    """The number of the first line of this file that has `text`."""
    with open(__file__, encoding="utf-8") as file:
        return next(i for i, line in enumerate(file, 1) if text in line)


def failure(net, x, y, **options):
    """The error of a training that comes to NaN, its text without the path of this file."""
    options.setdefault("shuffle", False)
    with pytest.raises(NonFiniteError) as caught:
        cr.fit(net, x, y, **options)
    return re.sub(r"of \S*test_non_finite.py", "of this file", str(caught.value))


class LogOf(nn.Module):
    """The logarithm of a linear layer's output: of some rows it is no number."""

    def __init__(self, linear):
        self.linear = linear

    def forward(self, x):
        y = self.linear(x)
        return y.log()  # the culprit


def test_a_users_logarithm_of_a_negative_number_is_named():
    net = nn.Sequential(LogOf(linear(weight=1.0)), nn.Linear(1, 1))
    x = np.array([[1.0], [2.0], [-0.5], [3.0], [-4.0]])
    assert failure(net, x, x) == (
        f"Step 0 computed log(-0.5) = nan in element [2, 0] of 0.out. "
        f'Line {line_of("# the culprit")} of this file, layer "0", row 2 of the data. '
        "The network holds the weights from before this step. "
        "Keep what log is given inside its domain."
    )


def test_rows_are_the_datas_not_the_batchs():
    net = nn.Sequential(LogOf(linear(weight=1.0)), nn.Linear(1, 1))
    x = np.ones((20, 1))
    x[13] = -7.0
    shuffled = failure(net, x, x, batch_size=4, shuffle=True, seed=3)
    assert "computed log(-7" in shuffled
    assert "row 13 of the data" in shuffled


def test_state_before_the_bad_step_is_kept():
    x = np.ones((40, 1))
    x[33] = -7.0
    net, optimizer = LogOf(linear(weight=1.0)), optim.SGD(lr=1e-3, momentum=0.9)
    message = failure(net, x, x, batch_size=4, optimizer=optimizer)
    assert message.startswith("Step 8 computed log(-7")
    expected = cr.fit(
        LogOf(linear(weight=1.0)),
        x[:32],
        x[:32],
        batch_size=4,
        shuffle=False,
        optimizer=optim.SGD(lr=1e-3, momentum=0.9),
    )
    assert same(net.state_dict(), expected.net.state_dict())
    assert same(optimizer.state, {name: expected.standing.state[name] for name in optimizer.state})
    assert optimizer.t == 8


def test_a_run_that_failed_can_be_looked_into(tmp_path):
    x = np.ones((40, 1))
    x[33] = -7.0
    failure(LogOf(linear(weight=1.0)), x, x, batch_size=4, folder=tmp_path / "run")
    run = cr.load_run(tmp_path / "run", x, x, net=LogOf(nn.Sequential(nn.Linear(1, 1))))
    assert run.steps == 8
    values = run.at(8).record(["linear.out", "out"])
    assert np.isnan(values["out"][1, 0])
    assert values["linear.out"][1, 0] < 0


def test_a_branch_that_was_not_taken_is_not_blamed():
    """Its NaN reaches nothing; what overflows later is the cause."""

    class Guarded(nn.Module):
        def __init__(self):
            self.linear = linear(weight=1.0)

        def forward(self, x):
            y = self.linear(x)
            harmless = cr.where(y > 0, y.log(), y)
            return (harmless * 100.0).exp()  # overflows

    x = np.array([[-1.0], [0.5], [1e3]])
    message = failure(Guarded(), x, x)
    assert message.startswith("Step 0 computed exp(690.776) = inf in element [2, 0] of out. ")
    assert f"Line {line_of('# overflows')} of this file, row 2 of the data" in message


def test_a_derivative_that_is_infinite_is_named():
    """√ has none at 0: the loss is finite, its gradient is not."""

    class Root(nn.Module):
        def __init__(self):
            self.linear = linear(weight=0.0)

        def forward(self, x):
            return self.linear(x).sqrt()  # has no derivative at 0

    message = failure(Root(), [[1.0], [2.0]], [[1.0], [1.0]])
    assert "div(" in message
    assert "= inf in element [0, 0] of " in message
    assert f"Line {line_of('# has no derivative at 0')} of this file, row 0 of the data" in message


def test_a_learning_rate_that_is_too_high():
    message = failure(
        plain(), X, Y, loss="CrossEntropyLoss", optimizer=optim.SGD(lr=1e38), epochs=5
    )
    assert message.endswith(
        "The network holds the weights from before this step. Lower the learning rate, scale the "
        "inputs, or clip the gradients (clip_norm=1.0)."
    )
    assert re.match(r"Step \d+ computed ", message)


def test_what_overflows_is_named_with_its_operands():
    x = np.full((4, 1), 1e30)
    message = failure(linear(weight=1.0), x, x * 1e3)
    assert message.startswith("Step 0 computed square(-9.99e+32) = inf in element [0, 0] of %")


def test_an_update_that_overflows_is_refused_though_the_loss_is_finite():
    net = linear(weight=0.0)
    message = failure(net, [[1.0]], [[1e10]], optimizer=optim.SGD(lr=1e30))
    assert re.match(
        r"Step 0 computed mul\(1e\+30, -2e\+10\) = -inf in element \[0, 0\] of %\d+\. ", message
    )
    assert net[0].weight.numpy().item() == 0.0


def test_an_optimizers_memory_that_overflows_is_refused():
    """Adam's mean square would be infinite for ever, and its steps zero."""
    message = failure(linear(), [[1.0]], [[1e19]], optimizer=optim.Adam())
    assert "= inf" in message
    assert "square" in message or "mul" in message


@pytest.mark.parametrize("part", ["accumulate", "update"])
def test_accumulated_steps_are_checked_too(part):
    x = np.ones((8, 1))
    if part == "accumulate":
        x[5] = -1.0
        net, options = LogOf(linear(weight=1.0)), {}
        expected = "Step 0 computed log(-1) = nan in element [1, 0] of out. "
        row = "row 5 of the data"
    else:
        net, options = linear(), {"optimizer": optim.SGD(lr=1e38)}
        x *= 1e5
        expected = "Step 0 computed "
        row = "batch rows 0, 1, 2, 3, 4, 5, 6, 7"
    before = net.initialize().state_dict()
    message = failure(net, x, np.ones((8, 1)), batch_size=4, accumulate=2, **options)
    assert message.startswith(expected)
    assert row in message
    assert same(net.state_dict(), before)


def test_a_sum_that_overflows_over_finite_numbers_is_no_alarm():
    """The check looks at sums first; that one is infinite is no proof yet."""
    net = linear(inputs=2)
    net[0].weight.replace(np.full((1, 2), 3e38, np.float32))
    run = cr.fit(net, [[0.0, 0.0]], [[1.0]], optimizer=optim.SGD(lr=0.1))
    assert run.steps == 1
    assert run.net[0].weight.numpy().tolist() == [[np.float32(3e38)] * 2]


def test_nan_in_validation_is_reported_and_stops_nothing():
    x = np.array([[1.0], [2.0]])
    run = cr.fit(
        LogOf(linear(weight=1.0)), x, x, validation=(-x, x), epochs=2, optimizer=optim.SGD(lr=0.01)
    )
    assert np.isnan(run.history["val_loss"]).all()
    assert np.isfinite(run.history["loss"]).all()


def test_a_stream_of_batches_names_its_row():
    def batches():
        yield np.ones((4, 1)), np.ones((4, 1))
        yield np.array([[1.0], [-3.0]]), np.ones((2, 1))

    message = failure(LogOf(linear(weight=1.0)), batches(), None)
    assert message.startswith("Step 1 computed log(-3")
    assert "row 1 of the data" in message
