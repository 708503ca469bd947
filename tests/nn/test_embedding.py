"""Embedding: rows of a table, integers that stay integers, and positions that are not there."""

import inspect

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.base.errors import ConfigurationError, DataError, DTypeError, ShapeError
from tests.nn.lines import place
from tests.nn.parity import DTYPES, copy_to_torch, numbers

WORDS = np.random.default_rng(0).integers(0, 10, (40, 3))  # 40 examples of three words
CLASSES = (WORDS[:, 0] > 4).astype(np.int64)


def classifier(words=10):
    return nn.Sequential(nn.Embedding(words, 4), nn.Flatten(), nn.Linear(12, 2))


def fit(net, x=WORDS, y=CLASSES, **options):
    settings = {"loss": "CrossEntropyLoss", "epochs": 2, "batch_size": 16, "progress": False}
    return cr.fit(net, x, y, **(settings | options))


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["int64", "int32"])
@pytest.mark.parametrize("padding_idx", [None, 0, 3, -1])
@pytest.mark.parametrize("shape", [(7,), (4, 5), (2, 3, 2)], ids=str)
def test_rows_and_gradients_are_torchs(torch, shape, padding_idx, kind, dtype):
    x = np.random.default_rng(1).integers(0, 6, shape).astype(kind)
    d_y = numbers(0, *shape, 4)
    net = nn.Embedding(6, 4, padding_idx).initialize(seed=2).astype(dtype)
    if padding_idx is not None:  # not zeros, to see that they are read all the same
        net.weight.replace(numbers(1, 6, 4))
    module = torch.nn.Embedding(6, 4, padding_idx).to(getattr(torch, dtype))
    copy_to_torch(torch, net.state_dict(), module)
    y = module(torch.tensor(x))
    (y * torch.tensor(d_y.astype(dtype))).sum().backward()
    ours, gradient = cr.value_and_grad(
        lambda net: ((net(x) * d_y.astype(dtype)).sum(), net(x)), has_aux=True
    )(net)
    np.testing.assert_array_equal(ours[1].numpy(), y.detach().numpy())
    # Sums of as many numbers as a row is read: in another order, so not the same bits.
    close = {"rtol": 0, "atol": x.size * 4 * np.finfo(dtype).eps}
    np.testing.assert_allclose(gradient["weight"].numpy(), module.weight.grad.numpy(), **close)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_second_gradient_is_torchs(torch, dtype):
    # Of Σ y³ by the table, times v, by the table: a lookup is linear, so the rest is not.
    x, v = np.array([[0, 2, 2], [1, 0, 0]]), numbers(0, 4, 3)
    net = nn.Embedding(4, 3).initialize().astype(dtype)
    module = copy_to_torch(torch, net.state_dict(), torch.nn.Embedding(4, 3)).double()
    y = module(torch.tensor(x))
    (d,) = torch.autograd.grad((y * y * y).sum(), module.weight, create_graph=True)
    (expected,) = torch.autograd.grad((d * torch.tensor(v)).sum(), module.weight)

    def inner(net):
        y = net(x)
        return (y * y * y).sum()

    def outer(net):
        return (cr.grad(inner)(net)["weight"] * v.astype(dtype)).sum()

    second = cr.grad(outer)(net)["weight"].numpy()
    scale = 6 * np.abs(v) * np.abs(net.weight.numpy()) * 4
    assert (np.abs(second - expected.numpy()) <= 8 * np.finfo(dtype).eps * scale).all()


def test_state_moves_both_ways(torch):
    module = torch.nn.Embedding(5, 3, padding_idx=1)
    net = nn.Embedding(5, 3, padding_idx=1)
    net.load_state_dict(module.state_dict())
    np.testing.assert_array_equal(net(np.arange(5)).numpy(), module.weight.detach().numpy())
    copy_to_torch(torch, net.initialize(seed=9, reset=True).state_dict(), module)
    np.testing.assert_array_equal(module.weight.detach().numpy(), net.weight.numpy())


def test_the_table_starts_normal_and_the_padding_row_as_zeros():
    table = nn.Embedding(200, 50, padding_idx=-2).state_dict()["weight"]
    assert (table[198] == 0).all()
    rest = np.delete(table, 198, axis=0)
    # Five deviations of the mean and the variance of normal numbers.
    assert abs(rest.mean()) < 5 / np.sqrt(rest.size)
    assert abs(rest.var() - 1) < 5 * np.sqrt(2 / rest.size)
    plain = nn.Embedding(200, 50).state_dict()["weight"]
    np.testing.assert_array_equal(rest, np.delete(plain, 198, axis=0))


def test_the_padding_row_does_not_train():
    net = nn.Sequential(nn.Embedding(10, 4, padding_idx=0), nn.Flatten(), nn.Linear(12, 2))
    fit(net, optimizer=optim.SGD(lr=0.5, momentum=0.9))
    table = net.state_dict()["0.weight"]
    assert (table[0] == 0).all()
    assert (table[1:] != nn.Embedding(10, 4).initialize().state_dict()["weight"][1:]).any()


def test_from_pretrained_takes_a_table_as_it_is():
    table = numbers(0, 4, 3)
    net = nn.Embedding.from_pretrained(table, padding_idx=2)
    assert repr(net) == "Embedding(num_embeddings=4, embedding_dim=3, padding_idx=2)"
    np.testing.assert_array_equal(net.weight.numpy(), table)
    assert not net.weight.requires_grad
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad


# --- integers stay integers -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["int64", "int32", "uint8", "int16", "uint32"])
def test_any_integers_train_predict_and_evaluate_alike(kind):
    net = classifier()
    run = fit(net, WORDS.astype(kind), metrics=["accuracy"], optimizer=optim.Adam(lr=0.05))
    same = classifier()
    expected = fit(same, metrics=["accuracy"], optimizer=optim.Adam(lr=0.05))
    assert run.history["loss"] == expected.history["loss"]
    y = net.predict(WORDS.astype(kind))
    np.testing.assert_array_equal(y, same.predict(WORDS))
    np.testing.assert_array_equal(y, same(WORDS.astype(kind)).numpy())
    assert net.evaluate(WORDS.astype(kind), CLASSES) == same.evaluate(WORDS, CLASSES)


def test_it_learns_which_words_matter():
    net = classifier()
    run = fit(net, epochs=60, optimizer=optim.Adam(lr=0.05), metrics=["accuracy"])
    assert run.history["accuracy"][-1] == 1
    assert run.history["loss"][-1] < 0.05


@pytest.mark.parametrize("kind", ["uint8", "int8", "int16", "int64", "bool"])
def test_integers_are_numbers_to_a_network_without_an_embedding(kind):
    pixels = (WORDS % 2).astype(kind)
    net = nn.Sequential(nn.Linear(3, 2)).initialize()
    expected = net.predict(pixels.astype(np.float32))
    np.testing.assert_array_equal(net.predict(pixels), expected)
    np.testing.assert_allclose(net(pixels).numpy(), expected, rtol=1e-6)
    assert net(pixels).dtype == np.float32
    run = fit(net, pixels)
    assert "cast" not in {node.op for node in run.at(0).graph.nodes if node.inputs == (0,)}


class Mixed(nn.Module):
    """Words through a table, and numbers beside them."""

    def __init__(self):
        self.table = nn.Embedding(10, 4)
        self.linear = nn.Linear(6, 2)

    def forward(self, words, extra):
        return self.linear(cr.concatenate([self.table(words[:, 0]), extra], axis=1))


def test_several_inputs_are_converted_each_in_its_way(tmp_path):
    extra = numbers(0, 40, 2)
    net = Mixed()
    run = fit(net, (WORDS, extra), folder=tmp_path / "run")
    types = {node.name: str(node.type) for node in run.at(0).graph.nodes if node.op == "input"}
    assert (types["x0"], types["x1"]) == ("i64[B=16,3]", "f32[B=16,2]")
    again = cr.load_run(tmp_path / "run", (WORDS, extra), CLASSES, net=Mixed())
    np.testing.assert_array_equal(again.net.predict((WORDS, extra)), net.predict((WORDS, extra)))


def test_a_module_of_ones_own_may_read_integers():
    class Lookup(nn.Module):
        reads_integers = True

        def __init__(self):
            self.table = nn.Parameter(numbers(0, 10, 2).astype(np.float32))

        def forward(self, x):
            return cr.take(self.table, x[:, 0])

    net = Lookup()
    fit(net)
    np.testing.assert_array_equal(net.predict(WORDS), net.table.numpy()[WORDS[:, 0]])


def test_a_run_is_kept_resumed_and_loaded(tmp_path):
    whole = classifier()
    fit(whole, epochs=4, optimizer=optim.Adam(lr=0.05))
    net = classifier()
    fit(net, epochs=2, optimizer=optim.Adam(lr=0.05), folder=tmp_path / "run")
    resumed = cr.resume(tmp_path / "run", WORDS, CLASSES, epochs=4, progress=False)
    np.testing.assert_array_equal(resumed.net.predict(WORDS), whole.predict(WORDS))
    cr.save(whole, tmp_path / "net.safetensors")
    loaded = cr.load(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(loaded.predict(WORDS), whole.predict(WORDS))
    assert resumed.at(3).record(["x"])["x"].dtype == np.int64


def test_items_and_generators_are_read_alike():
    arrays, items, batches = classifier(), classifier(), classifier()
    fit(arrays, shuffle=False)
    pairs = list(zip(WORDS, CLASSES, strict=True))
    fit(items, pairs, None, shuffle=False)
    np.testing.assert_array_equal(items.predict(WORDS), arrays.predict(WORDS))

    def make():
        for start in range(0, 40, 16):
            yield WORDS[start : start + 16], CLASSES[start : start + 16]

    fit(batches, make, None)
    np.testing.assert_array_equal(batches.predict(WORDS), arrays.predict(WORDS))


# --- what is not in the table ---------------------------------------------------------------------


def spoiled(row, column, value):
    x = WORDS.copy()
    x[row, column] = value
    return x


def test_a_position_that_is_not_there_is_refused_before_training_with_its_row():
    net = classifier().initialize()
    before = net.state_dict()
    with pytest.raises(DataError) as caught:
        fit(net, spoiled(37, 2, 12))
    assert caught.value.message == (
        "Row 37 of x holds 12 in element [2]; the positions in its table go from 0 to 9"
    )
    assert caught.value.where.endswith('layer "0"')
    assert caught.value.advice == "A table of 13 rows would have it"
    for path, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[path])


def test_a_negative_position_is_refused_too():
    with pytest.raises(DataError, match=r"^Row 5 of x holds -1 in element \[0\]; the positions"):
        fit(classifier(), spoiled(5, 0, -1))


def test_validation_examples_are_looked_at_as_well():
    with pytest.raises(DataError) as caught:
        fit(classifier(), validation=(spoiled(3, 1, 10)[:8], CLASSES[:8]))
    assert caught.value.message.startswith("Row 3 of x holds 10 in element [1]")
    assert caught.value.where.startswith("Validation data, ")


def test_positions_that_are_computed_are_looked_at_in_every_row():
    x = spoiled(39, 0, 10)
    with pytest.raises(DataError, match=r"^Row 39 of x0 leads to 10; the positions in its table"):
        fit(Mixed(), (x, numbers(0, 40, 2)))
    fit(Mixed(), (spoiled(39, 1, 10), numbers(0, 40, 2)))  # a column that nothing looks up


@pytest.mark.parametrize("batch_size", [1, 7, 16, 40, 100])
def test_every_batch_size_finds_the_row(batch_size):
    with pytest.raises(DataError, match=r"^Row 38 of x0 leads to 11;"):
        fit(Mixed(), (spoiled(38, 0, 11), numbers(0, 40, 2)), batch_size=batch_size)


class Flat(nn.Module):
    """All words of the batch looked up as one row, as code that comes from elsewhere does."""

    def __init__(self):
        self.table = nn.Embedding(10, 4)
        self.linear = nn.Linear(12, 2)

    def forward(self, words):
        return self.linear(self.table(words.reshape(-1)).reshape(-1, 12))


@pytest.mark.parametrize("batch_size", [7, 16, 40])
def test_words_of_several_examples_in_one_row_are_told_apart(batch_size):
    fit(Flat(), batch_size=batch_size)
    with pytest.raises(DataError, match=r"^Row 37 of x leads to 12 in element \[2\];"):
        fit(Flat(), spoiled(37, 2, 12), batch_size=batch_size)


def test_predict_and_evaluate_name_the_row():
    net = classifier().initialize()
    for use in (
        lambda x: net.predict(x, batch_size=16),
        lambda x: net.evaluate(x, CLASSES, loss="CrossEntropyLoss", batch_size=16),
    ):
        with pytest.raises(DataError) as caught:
            use(spoiled(37, 2, 12))
        assert caught.value.message == (
            "Row 37 of x holds 12 in element [2]; the positions in its table go from 0 to 9"
        )


def test_a_call_says_what_it_was_given():
    with pytest.raises(DataError, match=r"^gather takes indices from 0 to 9; got 10\."):
        nn.Embedding(10, 4)(np.array([[3, 10]]))


def test_batches_that_come_later_are_refused_when_they_come():
    def make():
        yield WORDS[:16], CLASSES[:16]
        yield spoiled(20, 0, 10)[16:32], CLASSES[16:32]

    with pytest.raises(DataError, match=r"got 10\."):
        fit(classifier(), make, None, epochs=1)


def test_floats_are_no_positions():
    def look(x):
        return nn.Embedding(10, 4)(x)

    with pytest.raises(DTypeError) as caught:
        look(np.array([1.0, 2.0], np.float32))
    assert str(caught.value) == (
        "Embedding reads integers, as positions in its table; got f32[2]. "
        f"{place(look, 'nn.Embedding')}. "
        'Pass an array of integers, or x.astype("int64") of one that holds them.'
    )
    with pytest.raises(DTypeError, match="Embedding reads integers"):
        fit(classifier(), WORDS.astype(float))


REFUSED = {
    "rows": (
        lambda: nn.Embedding(0, 4),
        "Embedding takes a whole number num_embeddings ≥ 1; got 0.",
    ),
    "width": (
        lambda: nn.Embedding(4, 2.5),
        "Embedding takes a whole number embedding_dim ≥ 1; got 2.5.",
    ),
    "padding": (
        lambda: nn.Embedding(4, 2, 4),
        "Embedding takes padding_idx from -4 to 3, a row of its table; got 4.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_arguments(case):
    make, message = REFUSED[case]
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert str(caught.value) == message


def test_a_table_has_two_axes():
    with pytest.raises(
        ShapeError, match=r"^Embedding takes a table of two axes; got shape \[3\]\.$"
    ):
        nn.Embedding.from_pretrained(np.zeros(3))


def test_what_torch_has_and_this_has_not_is_said():
    for name in ("max_norm", "norm_type", "scale_grad_by_freq", "sparse"):
        assert f"`{name}`" in inspect.getdoc(nn.Embedding)
        with pytest.raises(TypeError, match=name):
            nn.Embedding(4, 2, **{name: None})
