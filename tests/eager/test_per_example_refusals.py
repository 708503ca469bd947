"""What mixes examples has no gradients of examples: it is refused by name."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.base.errors import DTypeError, NotDifferentiableError, ShapeError
from chainrule.eager import apply
from tests.eager.test_per_example import B, T, W, X
from tests.nn.lines import place


def refused(error, f, *arguments, **shared):
    with pytest.raises(error) as caught:
        cr.per_example_grads(f)(*arguments, **shared)
    return caught.value


ADVICE = (
    "Keep examples along the first axis; compute what belongs to all of them before, "
    "and pass it as an argument"
)


def test_batch_norm_in_training_is_refused_by_name():
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).astype("float64").initialize(0)

    def f(net, x, t):
        return nn.MSELoss()(net(x), t)

    with nn.training():
        error = refused(NotDifferentiableError, f, net, X, T)
    assert error.message == (
        "Per-example gradients need examples that stay apart; mean mixes them: "
        "of f64[B=5,3] it makes f64[3]"
    )
    line = place(test_batch_norm_in_training_is_refused_by_name, "return nn.MSELoss()")
    assert error.where == f'{line}, layer "1"'
    assert error.advice == ADVICE


@pytest.mark.parametrize(
    ("f", "op", "result"),
    [
        (lambda w, x: x @ w - (x @ w).mean(axis=0), "mean", "of f64[B=5,3] it makes f64[3]"),
        (lambda w, x: cr.sort(x @ w, axis=0), "sort", "of f64[B=5,3] it makes f64[5,3]"),
        (lambda w, x: apply("softmax", x @ w, axis=0), "softmax",
         "of f64[B=5,3] it makes f64[5,3]"),
        (lambda w, x: cr.cumsum(x @ w, axis=0), "cumsum", "of f64[B=5,3] it makes f64[5,3]"),
        (lambda w, x: cr.flip(x @ w, axis=0), "flip", "of f64[B=5,3] it makes f64[5,3]"),
        (lambda w, x: (x @ w)[np.array([1, 0, 2, 4, 3])], "gather",
         "of f64[B=5,3], i64[5] it makes f64[5,3]"),
        (lambda w, x: (x @ w) - (x @ w)[0], "slice", "of f64[B=5,3] it makes f64[1,3]"),
        (lambda w, x: (x @ w).max(axis=0) + x @ w, "amax", "of f64[B=5,3] it makes f64[3]"),
        (lambda w, x: (x @ x.T) @ (x @ w), "contract",
         "of f64[B=5,4], f64[4,B=5] it makes f64[B=5,B=5]"),
        (lambda w, x: x @ w + cr.roll(x @ w, 2, axis=0), "slice",
         "of f64[B=5,3] it makes f64[2,3]"),
        (lambda w, x: (x @ w).T.reshape(5, 3), "reshape", "of f64[3,B=5] it makes f64[5,3]"),
        # The data alone, no parameter: a cost that hangs on other examples is refused as well.
        (lambda w, x: (x - x.mean(axis=0)) @ w, "mean", "of f64[B=5,4] it makes f64[4]"),
        (lambda w, x: (x / cr.norm(x)) @ w, "norm", "of f64[B=5,4] it makes f64[]"),
    ],
)  # fmt: skip
def test_an_op_that_mixes_examples_is_refused_by_name(f, op, result):
    error = refused(NotDifferentiableError, lambda w, x: f(w, x).sum(axis=1), W, X)
    assert error.message == (
        f"Per-example gradients need examples that stay apart; {op} mixes them: {result}"
    )
    assert error.where.startswith("Line ")


def test_an_update_inside_is_refused_where_it_sums_over_examples():
    def f(w, x):
        inner = cr.grad(lambda w: (x @ w).square().sum())(w)
        return (x @ (w - 0.1 * inner)).square().sum(axis=1)

    error = refused(NotDifferentiableError, f, W, X)
    assert "; contract mixes them: " in error.message
    line = place(test_an_update_inside_is_refused_where_it_sums_over_examples, "inner = cr")
    assert error.where == line


def test_what_is_beside_the_costs_may_mix_examples():
    f = lambda w, x: ((x @ w).sum(axis=1), (x @ w).mean(axis=0))  # noqa: E731
    gradients, mean = cr.per_example_grads(f, has_aux=True)(W, X)
    assert gradients.shape == (B, 4, 3)
    assert mean.shape == (3,)


def test_costs_are_one_float_for_each_example():
    wanted = "Per-example gradients take a function to one float for each example, of shape [B=5]"
    for f, got in [
        (lambda w, x: (x @ w).sum(), "f64[]"),
        (lambda w, x: x @ w, "f64[B=5,3]"),
        (lambda w, x: (x @ w > 0).sum(axis=1), "i64[B=5]"),
        (lambda w, x: None, "NoneType"),
        (lambda w, x: ((x @ w).sum(axis=1), 1.0), "tuple"),
    ]:
        error = refused(ShapeError, f, W, X)
        assert error.message == f"{wanted}; it gave {got}"
        assert error.advice == "Give the costs themselves, not their mean or sum"
    with pytest.raises(NotDifferentiableError) as caught:
        cr.per_example_grads(lambda w, x: (x @ w).sum(axis=1), has_aux=True)(W, X)
    assert caught.value.message == (
        "With has_aux=True the function gives (costs, aux); it gave Tensor"
    )


def test_costs_of_captured_data_are_refused():
    error = refused(ShapeError, lambda w, x: (X @ w).sum(axis=1) + 0.0 * w.sum(), W, X)
    assert error.message == (
        "Per-example gradients are those of one float for each example, of shape [B=5]; got f64[5]"
    )
    assert error.advice == "Pass the data as arguments: what is captured is shared by all examples"


def test_captured_data_that_is_paired_with_examples_in_a_sum_is_refused():
    # The captured rows are no examples to the gradient: only arguments are.
    error = refused(NotDifferentiableError, lambda w, x: (X @ w - x[:, :3])[:, 0], W, X)
    assert "; contract mixes them: " in error.message


def test_arguments_hold_the_same_examples():
    f = lambda w, x, t: ((x @ w) * t).sum(axis=1)  # noqa: E731
    error = refused(ShapeError, f, W, X, T[:4])
    assert error.message == (
        "All positional arguments but the parameters hold the same examples; got 5 in x, 4 in t"
    )
    assert error.advice == "Pass what the examples share by keyword"


def test_without_examples_there_is_nothing_to_tell_apart():
    for arguments in [(W,), (W, 2.0)]:
        error = refused(ShapeError, lambda w, s=1.0: (X @ w).sum(axis=1) * s, *arguments)
        assert error.message == (
            "Per-example gradients are taken over a batch; no argument besides the parameters is "
            "an array with examples along its first axis"
        )
        assert error.advice == ("Pass the data as arguments: cr.per_example_grads(f)(params, x, y)")


def test_a_parameter_with_a_row_for_each_example_is_refused():
    error = refused(ShapeError, lambda w, x: (x * w).sum(axis=1), X, X)
    assert error.message == (
        "Per-example gradients are in what all examples share; w has a row for each"
    )
    assert error.advice == "Its row i is used by example i alone: take cr.grad of the summed costs"


def test_parameters_are_floats():
    with pytest.raises(NotDifferentiableError, match="Gradients are taken of floats; w is int64"):
        cr.per_example_grads(lambda w, x: (x * w).sum(axis=1))(np.array([1, 2, 3, 4]), X)
    with pytest.raises(DTypeError, match="names a positional argument"):
        cr.per_example_grads(lambda w, x: (x * w).sum(axis=1), argnums=2)(W, X)
