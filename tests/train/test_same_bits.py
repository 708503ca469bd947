"""The same seed gives the same bits: in a run, in its replay, in a loop written by hand."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ReplayError
from chainrule.train.plan import Plan
from tests.train.nets import examples, plain, regular, same, same_run

X, Y = examples()


def train(seed=0, net=None, **options):
    told = {"loss": "CrossEntropyLoss", "epochs": 3, "batch_size": 8, **options}
    told.setdefault("optimizer", optim.Adam(lr=0.01))
    return cr.fit(net or regular(), X, Y, seed=seed, **told)


def test_same_seed_gives_the_same_bits():
    assert same_run(train(seed=3), train(seed=3))


def test_another_seed_gives_other_weights_from_the_start():
    a, b = train(seed=3), train(seed=4)
    assert not np.array_equal(a.at(0).state["0.weight"], b.at(0).state["0.weight"])
    assert a.history["loss"] != b.history["loss"]


def test_seed_alone_changes_the_order_of_the_examples():
    assert not np.array_equal(train(seed=3).at(0).rows[0], train(seed=4).at(0).rows[0])


class Watch(cr.Callback):
    """Keeps what the network and the optimiser were before each step."""

    def __init__(self, optimizer):
        self.optimizer = optimizer
        self.seen = []

    def on_train_begin(self):
        self.see()

    def on_train_batch_end(self, step, logs):
        assert step == len(self.seen) - 1
        self.see()

    def see(self):
        state = {**self.run.net.state_dict(), **self.optimizer.state_dict()}
        self.seen.append({name: array for name, array in state.items() if name != "t"})


@pytest.mark.parametrize("accumulate", [1, 2])
def test_at_gives_the_state_that_a_callback_saw(tmp_path, accumulate):
    optimizer = optim.Adam(lr=0.01)
    watch = Watch(optimizer)
    run = train(
        optimizer=optimizer, callbacks=[watch], accumulate=accumulate, folder=tmp_path / "run"
    )
    loaded = cr.load_run(tmp_path / "run", X, Y)
    last = run.steps
    assert last == len(watch.seen) - 1
    for step in (1, 2, last // 2, last - 1, last):
        for source in (run, loaded):
            state = source.at(step).state
            assert same({name: state[name] for name in watch.seen[step]}, watch.seen[step])


def test_negative_steps_count_from_the_end():
    run = train()
    assert run.at(-1).step == run.steps - 1
    assert same(run.at(-1).state, run.at(run.steps - 1).state)


def test_a_run_that_is_watched_step_by_step_has_the_same_bits():
    steps = []
    watched = train(
        callbacks=[cr.LambdaCallback(on_train_batch_end=lambda s, logs: steps.append(s))]
    )
    assert same_run(watched, train())
    assert steps == list(range(watched.steps))


def test_replay_has_the_learning_rate_of_the_step():
    schedule = optim.ExponentialLR(gamma=0.5, unit="step")
    run = train(schedule=schedule, optimizer=optim.SGD(lr=1.0))
    assert [run.at(k).learning_rate for k in (0, 1, 5)] == [1.0, 0.5, 0.5**5]


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optim.SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        lambda: optim.Adam(lr=0.01, clip_norm=0.5, groups={"*.bias": {"lr": 0.02}}),
    ],
    ids=["SGD", "Adam"],
)
def test_a_loop_by_hand_has_the_bits_of_fit(optimizer, dtype, weighted):
    weights = (1 + np.arange(len(X)) % 3).astype(dtype) if weighted else None
    told = {"dtype": dtype, "sample_weight": weights, "backend": "numpy"}  # as Tensors are
    run = train(seed=5, optimizer=optimizer(), **told)

    net, by_hand, loss = regular().astype(dtype).initialize(5), optimizer(), nn.CrossEntropyLoss()
    x = X.astype(dtype)
    plan = Plan(len(X), batch_size=8, seed=5)
    for epoch in range(3):
        for update in range(plan.updates_per_epoch):
            (rows,) = plan.batches(epoch, update)

            def cost(net, rows=rows):
                w = None if weights is None else weights[rows]
                return nn.weighted_mean(loss(net(x[rows]), Y[rows]), w)

            with nn.training(5, by_hand.t, rows):
                _, gradients = cr.value_and_grad(cost)(net)
            by_hand.update(net, gradients)

    assert same(net.state_dict(), run.net.state_dict())
    assert by_hand.t == run.steps == 21
    for name, array in by_hand.state.items():
        assert array.tobytes() == run.standing.state[name].tobytes()


def dropping():
    return nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.5), nn.Linear(6, 3))


def masks(moment):
    """The elements that dropout kept, by row of the data."""
    found = {}
    for rows, values in zip(moment.rows, moment.record_batches(), strict=True):
        (kept,) = (v for k, v in values.items() if v.dtype == bool and v.shape == (len(rows), 6))
        found |= {int(row): mask for row, mask in zip(rows, kept, strict=True)}
    return found


def test_accumulating_two_batches_drops_the_same_elements_as_one_large_batch():
    halves = train(net=dropping(), batch_size=16, accumulate=2).at(0)
    whole = train(net=dropping(), batch_size=32).at(0)
    a, b = masks(halves), masks(whole)
    assert a.keys() == b.keys()
    assert all(np.array_equal(a[row], b[row]) for row in a)
    assert 0.3 < np.mean(list(a.values())) < 0.7


def test_accumulated_gradients_are_those_of_the_large_batch():
    weights = (1 + np.arange(len(X)) % 3) / 2
    lr = 1.0
    told = {"sample_weight": weights, "dtype": "float64", "epochs": 1, "drop_last": True}
    halves = train(net=dropping(), batch_size=16, accumulate=2, optimizer=optim.SGD(lr=lr), **told)
    whole = train(net=dropping(), batch_size=32, optimizer=optim.SGD(lr=lr), **told)
    assert halves.steps == whole.steps == 1
    for path, before in whole.at(0).parameters.items():
        a = before - halves.net.state_dict()[path]
        b = before - whole.net.state_dict()[path]
        # Both are sums of 32 products of numbers below 8, in two orders, over Σw; then one
        # difference from a parameter below 1. Each of the 64 operations rounds by ≤ 2⁻⁵³.
        assert np.abs(a - b).max() <= 64 * 2.0**-53 * 8


@pytest.mark.parametrize("net", [plain, regular])
def test_record_gives_the_bits_that_training_used(net):
    run = train(net=net(), optimizer=optim.SGD(lr=0.1, momentum=0.9))
    for step in (0, 4, run.steps - 2):
        moment, after = run.at(step), run.at(step + 1).state
        values = moment.record()
        graph = moment.graph
        for output in graph.outputs:
            if output.label.startswith("next."):
                value = values[graph.name_of(output.node)]
                assert value.tobytes() == after[output.label.removeprefix("next.")].tobytes()
        assert set(values) == {graph.name_of(i) for i in range(len(graph.nodes))}
        only = moment.record(["loss", "d_0.weight", "%20"])
        assert same(only, {name: values[graph.name_of(graph.find(name))] for name in only})


def test_record_of_textbook_names():
    run = cr.fit(plain(), X, Y, loss="CrossEntropyLoss", batch_size=8)
    values = run.at(0).record(["W1", "0.weight", "δ1", "d_0.out", "a1", "1.out"])
    assert same({"w": values["W1"]}, {"w": values["0.weight"]})
    assert values["δ1"].shape == values["d_0.out"].shape == (8, 5)


def test_a_replayed_step_has_the_loss_that_was_reported():
    losses = []
    run = train(
        callbacks=[cr.LambdaCallback(on_train_batch_end=lambda s, l: losses.append(l["loss"]))]
    )
    for step in (0, 3, 10):
        assert float(run.at(step).record(["loss"])["loss"]) == losses[step]


def test_what_the_caller_does_to_its_arrays_does_not_change_a_run():
    x, y = X.astype(np.float32), Y.copy()
    run = cr.fit(plain(), x, y, loss="CrossEntropyLoss", batch_size=8, epochs=2)
    before = run.at(9).state
    x[:], y[:] = 0, 0
    assert same(run.at(9).state, before)


def test_what_nobody_can_change_is_read_where_it_is():
    x, y = X.astype(np.float32), Y.copy()
    for array in (x, y):
        array.flags.writeable = False
    run = cr.fit(plain(), x, y, loss="CrossEntropyLoss", batch_size=8, epochs=2)
    assert run.engine.data["x"] is x
    assert run.engine.data["target"] is y


def test_what_is_of_another_type_or_lies_by_columns_is_copied_once():
    x, y = np.asfortranarray(X.astype(np.float32)), Y.astype(np.int32)
    for array in (x, y):
        array.flags.writeable = False
    run = cr.fit(plain(), x, y, loss="CrossEntropyLoss", batch_size=8, epochs=2)
    assert run.engine.data["x"].flags.c_contiguous
    assert run.engine.data["target"].dtype == np.int64
    copied = cr.fit(plain(), X, Y, loss="CrossEntropyLoss", batch_size=8, epochs=2)
    assert same(run.standing.state, copied.standing.state)


def test_there_is_no_step_outside_of_the_run():
    run = train(epochs=1)
    for step in (8, -8):
        with pytest.raises(ReplayError) as caught:
            run.at(step)
        assert str(caught.value) == f"The run has steps 0 to 7; got {step}."
