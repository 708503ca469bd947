"""Which examples an update reads, and what an epoch's numbers are the average of."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.train.plan import LearningRate, Plan
from tests.train.nets import examples, linear, plain, same


def rows_of(plan, epoch=0):
    return [plan.batches(epoch, update) for update in range(plan.updates_per_epoch)]


def test_last_short_batch_counts():
    plan = Plan(10, batch_size=4, shuffle=False)
    assert [[list(rows) for rows in update] for update in rows_of(plan)] == [
        [[0, 1, 2, 3]],
        [[4, 5, 6, 7]],
        [[8, 9]],
    ]
    assert plan.sizes() == [4, 2]


def test_drop_last_leaves_out_the_short_batch():
    plan = Plan(10, batch_size=4, shuffle=False, drop_last=True)
    assert [[list(rows) for rows in update] for update in rows_of(plan)] == [
        [[0, 1, 2, 3]],
        [[4, 5, 6, 7]],
    ]
    assert plan.sizes() == [4]


def test_accumulation_takes_the_rest_as_a_short_update():
    plan = Plan(11, batch_size=3, accumulate=2, shuffle=False)
    assert [[list(rows) for rows in update] for update in rows_of(plan)] == [
        [[0, 1, 2], [3, 4, 5]],
        [[6, 7, 8], [9, 10]],
    ]
    assert plan.sizes() == [3, 2]
    dropping = Plan(11, batch_size=3, accumulate=2, shuffle=False, drop_last=True)
    assert dropping.updates_per_epoch == 1
    assert dropping.sizes() == [3]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 12, 13])
@pytest.mark.parametrize("accumulate", [1, 2, 3])
@pytest.mark.parametrize("drop_last", [False, True])
def test_sizes_are_those_of_the_batches(count, accumulate, drop_last):
    plan = Plan(count, batch_size=3, accumulate=accumulate, drop_last=drop_last)
    met = {len(rows) for update in rows_of(plan) for rows in update}
    assert met <= set(plan.sizes())
    if plan.updates_per_epoch:
        assert met == set(plan.sizes())


def test_every_epoch_has_each_example_once_in_an_order_of_its_own():
    plan = Plan(50, batch_size=8, seed=3)
    orders = [
        np.concatenate([rows for update in rows_of(plan, e) for rows in update]) for e in (0, 1)
    ]
    for order in orders:
        assert sorted(order.tolist()) == list(range(50))
    assert orders[0].tolist() != orders[1].tolist()


def test_orders_are_frozen(golden):
    """What a seed shuffles is the same for ever: old runs must replay."""
    lines = [
        f"seed {seed}, epoch {epoch}: {' '.join(map(str, Plan(12, 4, seed=seed).order(epoch)))}"
        for seed in (0, 7)
        for epoch in (0, 1, 2)
    ]
    golden("train/orders", "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    "schedule",
    [None, optim.ExponentialLR(0.5), optim.ExponentialLR(0.9, unit="step")],
    ids=["none", "by epoch", "by step"],
)
def test_rates_of_consecutive_updates_are_those_of_each(schedule):
    rate = LearningRate(0.1, schedule, factors=(1.0, 0.5))
    for epoch in range(3):
        each = [rate.at(step, epoch) for step in range(7, 12)]
        assert rate.over(7, epoch, 5).tolist() == each


def test_without_shuffling_examples_come_as_they_are():
    run = cr.fit(
        plain(), *examples(), loss="CrossEntropyLoss", batch_size=20, epochs=2, shuffle=False
    )
    assert [list(run.at(step).rows[0]) for step in range(3)] == [
        list(range(20)),
        list(range(20, 40)),
        list(range(40, 50)),
    ]
    assert list(run.at(3).rows[0]) == list(range(20))


@pytest.mark.parametrize("options", [{}, {"drop_last": False}, {"accumulate": 3}])
def test_fewer_examples_than_a_batch_make_one_update(options):
    run = cr.fit(linear(), [[1.0], [2.0]], [[1.0], [2.0]], batch_size=32, **options)
    assert run.steps == 1
    assert sorted(run.at(0).rows[0]) == [0, 1]


def test_one_example_is_enough():
    run = cr.fit(linear(), [[2.0]], [[3.0]], optimizer=optim.SGD(lr=0.25), shuffle=False)
    assert run.history["loss"] == [9.0]
    # dL/dw = 2(0 - 3)·2 = -12, dL/db = -6
    assert run.net[0].weight.numpy().tolist() == [[3.0]]
    assert run.net[0].bias.numpy().tolist() == [1.5]


def test_loss_of_an_epoch_is_the_mean_over_all_examples():
    """Mistake 7 of published code: to report the loss of the last example alone."""
    x, y = np.zeros((5, 1)), np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    net = linear()
    frozen = optim.SGD(lr=0.0)
    for batch_size in (1, 2, 3, 5):
        run = cr.fit(net, x, y, optimizer=frozen, batch_size=batch_size, shuffle=False)
        # Every square is a whole number, so that sums are exact; the short batch counts by its
        # size. In float32 a batch's mean may round: by 2⁻²⁴ of its value.
        assert run.history["loss"][0] == pytest.approx((1 + 4 + 9 + 16 + 25) / 5, rel=2**-24)


def test_loss_of_an_epoch_is_weighted():
    x, y = np.zeros((4, 1)), np.array([[1.0], [2.0], [3.0], [4.0]])
    w = np.array([4.0, 1.0, 2.0, 1.0])
    run = cr.fit(
        linear(), x, y, optimizer=optim.SGD(lr=0.0), batch_size=3, shuffle=False, sample_weight=w
    )
    # 26/7, the first batch's loss, is rounded to float32.
    assert run.history["loss"][0] == pytest.approx((4 * 1 + 1 * 4 + 2 * 9 + 1 * 16) / 8, rel=2**-24)


def test_metrics_of_an_epoch_are_weighted_too():
    x, y = np.array([[1.0], [-1.0], [1.0]]), np.array([1.0, 1.0, 0.0])
    run = cr.fit(
        linear(weight=1.0),
        x,
        y.reshape(-1, 1),
        loss="BCEWithLogitsLoss",
        optimizer=optim.SGD(lr=0.0),
        metrics=["accuracy"],
        sample_weight=[2.0, 1.0, 1.0],
        batch_size=2,
        shuffle=False,
    )
    assert run.history["accuracy"] == [0.5]


def test_loss_of_an_accumulated_update_is_that_of_its_examples():
    x, y = np.zeros((5, 1)), np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    seen = []
    cr.fit(
        linear(),
        x,
        y,
        optimizer=optim.SGD(lr=0.0),
        batch_size=2,
        accumulate=2,
        shuffle=False,
        callbacks=[
            cr.LambdaCallback(on_train_batch_end=lambda step, logs: seen.append(logs["loss"]))
        ],
    )
    assert seen == [(1 + 4 + 9 + 16) / 4, 25.0]


def test_short_batch_has_the_same_weight_for_each_example():
    """Three examples in batches of two: the lone one moves the weights as a batch of its own."""
    x, y = np.ones((3, 1)), np.array([[1.0], [1.0], [1.0]])
    run = cr.fit(
        linear(), x, y, optimizer=optim.SGD(lr=0.25), batch_size=2, shuffle=False, dtype="float64"
    )
    # w = b; each step: w += 0.25·2·(1 - 2w), whether of two equal examples or of one.
    w = 0.0
    for _ in range(2):
        w += 0.5 * (1 - 2 * w)
    assert run.net[0].weight.numpy().item() == w


def test_training_goes_on_from_the_weights_there_are():
    x, y = examples()
    once = cr.fit(plain(), x, y, loss="CrossEntropyLoss", shuffle=False, epochs=4)
    net, optimizer = plain(), optim.SGD(lr=0.01)
    for _ in range(4):
        cr.fit(net, x, y, loss="CrossEntropyLoss", optimizer=optimizer, shuffle=False)
    assert same(net.state_dict(), once.net.state_dict())
    assert optimizer.t == once.steps


def test_frozen_parameters_stay():
    net = plain()
    net[0].weight.requires_grad = False
    run = cr.fit(net, *examples(), loss="CrossEntropyLoss", epochs=2)
    before, after = run.at(0).parameters, run.net.state_dict()
    assert {path: not np.array_equal(before[path], after[path]) for path in before} == {
        "0.weight": False,
        "0.bias": True,
        "2.weight": True,
        "2.bias": True,
    }


def test_shared_parameter_has_the_sum_of_its_gradients():
    shared = nn.Linear(1, 1, bias=False)
    net = nn.Sequential(shared, shared)
    shared.weight.replace([[2.0]])
    run = cr.fit(net, [[1.0]], [[0.0]], optimizer=optim.SGD(lr=0.125), dtype="float64")
    # L = (w²)² = w⁴, dL/dw = 4w³ = 32
    assert shared.weight.numpy().item() == 2.0 - 0.125 * 32
    assert list(run.at(0).parameters) == ["0.weight"]
