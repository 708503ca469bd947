"""Training holds the data once, in the dtype it computes in."""

import tracemalloc

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.data import Dataset

COUNT, WIDTH = 60_000, 784
MEGABYTE = 2**20


def peak(*, constant=False, **options):
    """The largest memory that a training of 60,000 images takes, in megabytes."""
    x = np.zeros((COUNT, WIDTH), np.float32)
    y = np.arange(COUNT) % 10
    if constant:
        Dataset("images", x, y).read_only()
    net = nn.Sequential(nn.Linear(WIDTH, 10))
    tracemalloc.start()
    try:
        cr.fit(
            net,
            x,
            y,
            loss="CrossEntropyLoss",
            optimizer=optim.SGD(lr=0.1),
            batch_size=1000,
            **options,
        )
        return tracemalloc.get_traced_memory()[1] / MEGABYTE
    finally:
        tracemalloc.stop()


SIZE = COUNT * WIDTH * 4 / MEGABYTE  # 179 megabytes


def test_data_is_copied_once():
    # One copy, a byte an element to look for NaN, and the batches.
    assert peak() < SIZE * 1.25 + 30


def test_data_that_nobody_can_write_in_is_not_copied():
    assert peak(constant=True) < 30


def test_network_optimizer_and_run_hold_the_state_once():
    net, adam = nn.Sequential(nn.Linear(4, 3)), optim.Adam()
    run = cr.fit(net, np.ones((8, 4)), np.ones((8, 3)), optimizer=adam, backend="native")
    state = run.standing.state
    assert net[0].weight.numpy() is state["0.weight"]
    assert adam.state["0.weight:exp_avg"] is state["0.weight:exp_avg"]
    again = cr.fit(net, np.ones((8, 4)), np.ones((8, 3)), optimizer=adam, backend="native")
    assert again.at(0).state["0.weight:exp_avg"] is state["0.weight:exp_avg"]


def test_going_on_holds_no_more_than_the_state_before_and_what_is_computed_in():
    x, y = np.zeros((2000, 1000), np.float32), np.zeros((2000, 1000), np.float32)
    Dataset("wide", x, y).read_only()
    net = nn.Sequential(nn.Linear(1000, 1000))
    net.initialize(0)
    start = {"loss": "MSELoss", "optimizer": optim.Adam(), "backend": "native", "epochs": 1}
    cr.fit(net, x[:100], y[:100], batch_size=100, **start)  # compiles
    tracemalloc.start()
    try:
        cr.fit(net, x, y, batch_size=100, **start)
        taken = tracemalloc.get_traced_memory()[1] / MEGABYTE
    finally:
        tracemalloc.stop()
    # The first state was there; 11.5 MB are computed in, beside 1.5 MB of a batch and its outputs,
    # and copied. What is traced takes some more.
    assert taken < 2 * 11.5 + 6


def test_a_split_copies_only_what_is_held_out():
    assert peak(validation_split=0.1) < SIZE * (1 + 0.1) + SIZE / 4 + 30


def test_weights_of_zero_copy_nothing():
    weights = np.ones(COUNT)
    weights[::2] = 0
    assert peak(sample_weight=weights) < SIZE * 1.25 + 30
