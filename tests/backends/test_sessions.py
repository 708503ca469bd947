"""A compiled step: what it is fed, when it stops, what can be looked at."""

from dataclasses import replace

import numpy as np
import pytest

from chainrule.backends import BACKENDS, Wiring, get_backend
from chainrule.base.errors import (
    ChainruleError,
    DTypeError,
    MissingKernelError,
    NameNotFoundError,
    ShapeError,
)
from chainrule.graph import Output, parse_graph

# One step of least squares on rows of x and y: w' = w - lr·(w·x - y)·x, summed over the rows.
STEP = parse_graph(
    "graph step(w: f32[2], x: f32[B=2,2], y: f32[B=2], lr: f32[], rows: i64[B=2]) -> "
    """(f32[2], f32[], i64[B=2])
  out: f32[B=2] = contract(x, w)  over=[1,0]
  %6: f32[B=2] = sub(out, y)
  d_w: f32[2] = contract(%6, x)  over=[0,0]
  %8: f32[B=2] = square(%6)
  loss: f32[] = sum(%8)  axes=[0]
  %10: f32[2] = mul(d_w, lr)
  %11: f32[2] = sub(w, %10)
  alias delta_out = out
  return w=%11, loss, seen=rows"""
)
WIRING = Wiring(state={"w": "w"}, data=("x", "y"), rows="rows", finite=("loss", "w"))
X = np.array([[1, 0], [0, 1], [1, 1], [2, -1]], np.float32)
Y = np.array([1, 2, 3, 0], np.float32)
ROWS = np.array([[0, 1], [2, 3], [1, 2]])
RATES = {"lr": np.array([0.5, 0.25, 0.125], np.float32)}


@pytest.fixture(autouse=True, params=BACKENDS)
def backend(request):
    """Each test is one of each backend."""
    global RUNNER
    RUNNER = get_backend(request.param)


def session(w=(0, 0), data=None):
    program = RUNNER.compile(STEP, WIRING)
    return program.open({"w": np.array(w, np.float32)}, data or {"x": X, "y": Y})


START = {"w": np.zeros(2, np.float32)}, {"x": X, "y": Y}


def first(feeds, steps):
    return {name: values[:steps] for name, values in feeds.items()}


def by_hand(w, rows, rate):
    x, y = X[rows], Y[rows]
    error = x @ w - y
    return w - rate * (error @ x), np.sum(error**2)


def test_steps_read_their_rows_and_feeds():
    under_way = session()
    done = under_way.advance(ROWS, RATES)
    w, losses = np.zeros(2, np.float32), []
    for rows, rate in zip(ROWS, RATES["lr"], strict=True):
        w, loss = by_hand(w, rows, rate)
        losses.append(loss)
    assert done.steps == 3
    assert not done.interrupted
    # Small integers and eighths: every number here is exact in float32.
    assert under_way.state()["w"].tolist() == w.tolist()
    assert done.outputs["loss"].tolist() == losses
    assert done.outputs["seen"].tolist() == ROWS.tolist()
    assert {name: a.dtype for name, a in done.outputs.items()} == {
        "loss": np.float32,
        "seen": np.int64,
    }


def test_what_is_state_is_no_output():
    assert set(session().advance(ROWS, RATES).outputs) == {"loss", "seen"}


def test_one_call_and_three_give_the_same_bits():
    once, thrice = session(), session()
    whole = once.advance(ROWS, RATES)
    parts = [
        thrice.advance(ROWS[i : i + 1], {"lr": RATES["lr"][i : i + 1]}).outputs for i in range(3)
    ]
    assert once.state()["w"].tobytes() == thrice.state()["w"].tobytes()
    assert whole.outputs["loss"].tobytes() == b"".join(p["loss"].tobytes() for p in parts)


def test_no_steps_change_nothing():
    under_way = session((1, 2))
    done = under_way.advance(ROWS[:0], {"lr": RATES["lr"][:0]})
    assert done.steps == 0
    assert done.outputs["loss"].shape == (0,)
    assert done.outputs["seen"].shape == (0, 2)
    assert under_way.state()["w"].tolist() == [1, 2]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_it_stops_before_a_step_that_is_not_finite(bad):
    x = X.copy()
    x[3] = bad
    under_way = session(data={"x": x, "y": Y})
    rows = np.array([[0, 1], [1, 2], [2, 3], [0, 1]])
    done = under_way.advance(rows, {"lr": np.full(4, 0.125, np.float32)})
    before = session()
    before.advance(rows[:2], {"lr": np.full(2, 0.125, np.float32)})
    assert done.steps == 2
    assert done.outputs["loss"].shape == (2,)
    assert under_way.state()["w"].tobytes() == before.state()["w"].tobytes()


LATEST = replace(WIRING, latest=("out", "d_w"))
SHOWING = replace(STEP, outputs=(*STEP.outputs, *(Output(n, STEP.find(n)) for n in ("out", "d_w"))))


def test_of_an_output_of_which_the_latest_is_wanted_there_is_that_of_the_last_step():
    under_way, twin = RUNNER.compile(SHOWING, LATEST).open(*START), session()
    done, expected = under_way.advance(ROWS, RATES), twin.advance(ROWS[:2], first(RATES, 2))
    assert done.outputs["loss"][:2].tobytes() == expected.outputs["loss"].tobytes()
    seen = twin.record(ROWS[2], {"lr": RATES["lr"][2]}, ["out", "d_w"])
    for label in LATEST.latest:
        assert done.outputs[label].tobytes() == seen[label].tobytes()
        with pytest.raises(ValueError, match="read-only"):
            done.outputs[label][0] = 7


def test_the_latest_is_that_of_the_step_before_a_bad_one():
    x = np.vstack([X, [[np.nan, 0]]]).astype(np.float32)
    data = {"x": x, "y": np.append(Y, np.float32(0))}
    under_way, twin = RUNNER.compile(SHOWING, LATEST).open(START[0], data), session(data=data)
    done = under_way.advance(np.array([[0, 1], [2, 3], [1, 4]]), RATES)
    assert done.steps == 2
    twin.advance(ROWS[:1], first(RATES, 1))
    seen = twin.record(ROWS[1], {"lr": RATES["lr"][1]}, ["d_w"])
    assert done.outputs["d_w"].tobytes() == seen["d_w"].tobytes()
    twin.advance(ROWS[1:2], {"lr": RATES["lr"][1:2]})
    assert under_way.state()["w"].tobytes() == twin.state()["w"].tobytes()
    done = under_way.advance(np.array([[1, 4]]), first(RATES, 1))
    assert (done.steps, set(done.outputs)) == (0, {"loss", "seen"})


def test_the_latest_of_what_is_read_is_what_the_step_has_read():
    step = parse_graph("""\
graph step(w: f32[B=1,3], x: f32[B=1,3]) -> (f32[B=1,3], f32[3,B=1], f32[B=1,3])
  next: f32[B=1,3] = add(w, x)
  turned: f32[3,B=1] = transpose(w)  axes=[1,0]
  return w=next, turned, x=x""")
    program = RUNNER.compile(step, Wiring({"w": "w"}, ("x",), latest=("turned", "x")))
    under_way = program.open({"w": np.zeros((1, 3), np.float32)}, {"x": np.eye(3, dtype="f4")})
    done = under_way.advance(np.array([[0], [1], [2]]), {})
    assert done.outputs["turned"].T.tolist() == [[1, 1, 0]]
    assert done.outputs["x"].tolist() == [[0, 0, 1]]


@pytest.mark.parametrize("size", [3, 70, 1200])
def test_the_latest_of_large_values_is_where_it_is_computed(size):
    step = parse_graph(
        f"graph step(w: f32[{size},{size}], s: f32[]) -> (f32[{size},{size}], f32[{size},{size}])\n"
        f"  v: f32[{size},{size}] = mul(w, s)\n  return w=w, v"
    )
    program = RUNNER.compile(step, Wiring({"w": "w"}, finite=("v",), latest=("v",)))
    w = np.arange(size**2, dtype=np.float32).reshape(size, size)
    under_way = program.open({"w": w}, {})
    fed = {"s": np.array([2, 3, np.nan], np.float32)}
    done = under_way.advance(np.zeros((3, 0), np.int64), fed)
    assert done.steps == 2
    assert np.array_equal(done.outputs["v"], 3 * w)
    assert np.array_equal(under_way.state()["w"], w)


def test_sums_that_overflow_are_finite_if_their_elements_are():
    step = parse_graph("""\
graph step(w: f32[2]) -> f32[2]
  return w""")
    program = RUNNER.compile(step, Wiring(state={"w": "w"}, finite=("w",)))
    under_way = program.open({"w": np.full(2, 3e38, np.float32)}, {})
    assert under_way.advance(np.zeros((1, 0), np.int64), {}).steps == 1


def test_any_node_is_recorded_with_the_bits_that_training_used():
    under_way, twin = session((1, -1)), session((1, -1))
    feed = {"lr": RATES["lr"][0]}
    seen = under_way.record(ROWS[0], feed)
    assert set(seen) == {STEP.name_of(i) for i in range(len(STEP.nodes))}
    done = twin.advance(ROWS[:1], {"lr": RATES["lr"][:1]})
    assert seen["loss"].tobytes() == done.outputs["loss"].tobytes()
    assert seen["%11"].tobytes() == twin.state()["w"].tobytes()
    assert seen["x"].tolist() == X[ROWS[0]].tolist()
    assert seen["rows"].tolist() == [0, 1]
    assert under_way.state()["w"].tolist() == [1, -1]  # as it was


def test_a_program_records_without_a_session():
    feed = {"lr": RATES["lr"][0]}
    under_way = session((1, -1))
    expected = under_way.record(ROWS[0], feed)
    state, program = under_way.state(), RUNNER.compile(STEP, WIRING)
    seen = program.record(state, {"x": X, "y": Y}, ROWS[0], feed)
    assert list(seen) == [STEP.name_of(i) for i in range(len(STEP.nodes))]
    assert all(seen[name].tobytes() == value.tobytes() for name, value in expected.items())
    assert not any(value.flags.writeable for value in seen.values())
    with pytest.raises(NameNotFoundError, match=r'No state is named "w"'):
        program.record({}, {"x": X, "y": Y}, ROWS[0], feed)


def test_recorded_values_are_found_by_every_name():
    seen = session().record(ROWS[0], {"lr": RATES["lr"][0]}, ["out", "delta_out", "%5", "seen"])
    assert seen["out"].tolist() == seen["delta_out"].tolist() == seen["%5"].tolist()
    assert seen["seen"].tolist() == [0, 1]


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(NameNotFoundError, match=r'No value is named "los"\. .*Did you mean "loss"'):
        session().record(ROWS[0], {"lr": RATES["lr"][0]}, ["los"])


def test_equal_nodes_are_recorded_though_they_are_computed_once():
    step = parse_graph("""\
graph step(w: f32[]) -> f32[]
  a: f32[] = exp(w)
  %2: f32[] = exp(w)
  dead: f32[] = neg(w)
  p: f32[] = mean(w)  axes=[]
  %5: f32[] = add(a, %2)
  return w=%5""")
    program = RUNNER.compile(step, Wiring(state={"w": "w"}))
    seen = program.open({"w": np.float32(0)}, {}).record(np.zeros(0, np.int64), {})
    assert {name: float(value) for name, value in seen.items()} == {
        "w": 0, "a": 1, "%2": 1, "dead": 0, "p": 0, "%5": 2,
    }  # fmt: skip


def test_state_is_read_only_and_stays_as_it_was():
    under_way = session()
    before = under_way.state()["w"]
    under_way.advance(ROWS, RATES)
    assert before.tolist() == [0, 0]
    with pytest.raises(ValueError, match="read-only"):
        under_way.state()["w"][0] = 7
    with pytest.raises(ValueError, match="read-only"):
        under_way.record(ROWS[0], {"lr": RATES["lr"][0]})["w"][0] = 7


def test_states_that_are_looked_at_later_are_those_of_their_time():
    under_way, twin = session(), session()
    seen, expected = [], []
    for i in range(3):
        seen.append(under_way.state())
        expected.append(dict(twin.state()))
        for each in (under_way, twin):
            each.advance(ROWS[i : i + 1], {"lr": RATES["lr"][i : i + 1]})
    del under_way
    assert [each["w"].tobytes() for each in seen] == [each["w"].tobytes() for each in expected]
    assert all(list(each) == ["w"] and len(each) == 1 for each in seen)


def test_callers_arrays_are_not_written_in():
    w = np.zeros(2, np.float32)
    program = RUNNER.compile(STEP, WIRING)
    program.open({"w": w}, {"x": X, "y": Y}).advance(ROWS, RATES)
    assert w.tolist() == [0, 0]


def test_an_output_may_have_the_name_of_an_input_of_another_dtype():
    step = parse_graph("""\
graph step(y: i64[], w: f32[]) -> (f32[], f32[])
  %2: f32[] = cast(y)  dtype=f32
  %3: f32[] = mul(%2, w)
  return w=%3, y=%2""")
    program = RUNNER.compile(step, Wiring(state={"w": "w"}))
    under_way = program.open({"w": np.float32(0.5)}, {})
    done = under_way.advance(np.zeros((2, 0), np.int64), {"y": np.array([3, 5])})
    assert done.outputs["y"].dtype == np.float32
    assert under_way.state()["w"] == 7.5


WRONG_WIRING = {
    "state": (Wiring({"v": "w"}), 'No input of the step is named "v". There are: w, x, y, lr, '),
    "label": (Wiring({"w": "v"}), 'No output of the step is named "v". There are: w, loss, seen.'),
    "data": (Wiring({"w": "w"}, data=("z",)), 'No input of the step is named "z". There are: w'),
    "rows": (Wiring({"w": "w"}, rows="row"), 'No input of the step is named "row". Did you'),
    "latest": (Wiring({"w": "w"}, latest=("los",)), 'No output of the step is named "los". Did'),
    "finite": (Wiring({"w": "w"}, finite=("los",)), 'No output of the step is named "los". Did'),
    "dtype": (Wiring({"w": "seen"}), "the next w is float32; got int64."),
    "shape": (Wiring({"w": "loss"}), "the next w has the shape [2]; got []."),
}  # fmt: skip


@pytest.mark.parametrize(("wiring", "message"), WRONG_WIRING.values(), ids=WRONG_WIRING)
def test_wiring_that_does_not_fit_is_refused(wiring, message):
    with pytest.raises(ChainruleError) as caught:
        RUNNER.compile(STEP, wiring)
    assert str(caught.value).startswith(message)


def test_arrays_that_do_not_fit_are_refused_when_training_opens():
    program = RUNNER.compile(STEP, WIRING)
    w, data = {"w": np.zeros(2, np.float32)}, {"x": X, "y": Y}
    with pytest.raises(NameNotFoundError, match=r'^No state is named "w"\. There are none yet\.$'):
        program.open({}, data)
    with pytest.raises(DTypeError, match=r"^w is float32; got float64\.$"):
        program.open({"w": np.zeros(2)}, data)
    with pytest.raises(NameNotFoundError, match=r'^No data is named "y"\. There are: x\.$'):
        program.open(w, {"x": X})
    with pytest.raises(ShapeError, match=r"^a row of x has the shape \[2\]; got \[3\]\.$"):
        program.open(w, {"x": np.zeros((4, 3), np.float32), "y": Y})
    with pytest.raises(DTypeError, match=r"^a row of x is float32; got float64\.$"):
        program.open(w, {"x": X.astype(float), "y": Y})


def test_feeds_that_do_not_fit_are_refused():
    under_way = session()
    with pytest.raises(NameNotFoundError, match=r'^No feed is named "lr"\. There are none yet\.$'):
        under_way.advance(ROWS, {})
    with pytest.raises(DTypeError, match=r"^lr is float32; got float64\.$"):
        under_way.advance(ROWS, {"lr": np.ones(3)})
    with pytest.raises(ShapeError, match=r"^lr has the shape \[\]; got \[1\]\.$"):
        under_way.advance(ROWS, {"lr": np.ones((3, 1), np.float32)})
    with pytest.raises(ShapeError, match=r"^a step reads 2 rows of x; got \[3\]\.$"):
        under_way.advance(np.array([[0, 1, 2]]), {"lr": np.ones(1, np.float32)})
    with pytest.raises(ShapeError, match=r"^a step reads 2 rows of x; got \[3\]\.$"):
        under_way.record(np.array([0, 1, 2]), {"lr": np.float32(1)})


def test_a_missing_kernel_is_found_when_the_step_is_compiled(monkeypatch):
    from chainrule.backends.native.frame import NESTS
    from chainrule.backends.numpy import KERNELS

    registry, name = {"numpy": (KERNELS, "NumPy"), "native": (NESTS, "native")}[RUNNER.name]
    things = dict(registry._things)
    del things["argmax"]
    monkeypatch.setattr(registry, "_things", things)
    # A shape that no other test asks for: kernels that have been made are kept.
    step = parse_graph("""\
graph step(w: f32[61,67]) -> i64[61]
  y: i64[61] = argmax(w)  axis=1
  return y""")
    with pytest.raises(MissingKernelError) as caught:
        RUNNER.compile(step, Wiring(state={}))
    assert str(caught.value) == f"The {name} backend has no kernel for the op argmax."


@pytest.mark.parametrize("fed", [1, 4])
def test_a_step_that_is_not_fed_is_refused(fed):
    under_way = session()
    with pytest.raises(ShapeError) as caught:
        under_way.advance(ROWS, {"lr": np.ones(fed, np.float32)})
    assert caught.value.message == f"3 steps are fed 3 times with lr; got shape [{fed}]"
    assert under_way.state()["w"].tolist() == [0, 0]


def test_states_may_exchange_their_values():
    step = parse_graph("""\
graph step(a: f32[2], b: f32[2], c: f32[2]) -> (f32[2], f32[2], f32[2])
  sum: f32[2] = add(a, b)
  return a=b, b=a, c=sum""")
    program = RUNNER.compile(step, Wiring(state={"a": "a", "b": "b", "c": "c"}))
    values = {name: np.full(2, i, np.float32) for i, name in enumerate("abc")}
    under_way = program.open(values, {})
    under_way.advance(np.zeros((3, 0), np.int64), {})
    assert {name: array.tolist() for name, array in under_way.state().items()} == {
        "a": [1, 1],
        "b": [0, 0],
        "c": [1, 1],
    }


@pytest.mark.parametrize("size", [1, 15, 16, 63, 64, 65, 300])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_one_element_that_is_not_finite_stops_training_wherever_it_is(size, wrong):
    step = parse_graph(
        f"graph step(w: f32[{size}], d: f32[{size}]) -> f32[{size}]\n"
        f"  next: f32[{size}] = sub(w, d)\n  return w=next"
    )
    program = RUNNER.compile(step, Wiring(state={"w": "w"}, finite=("w",)))
    under_way = program.open({"w": np.ones(size, np.float32)}, {})
    feeds = np.zeros((3, size), np.float32)
    for place in {0, size // 2, size - 1}:
        feeds[1] = 0
        feeds[1, place] = wrong
        assert under_way.advance(np.zeros((3, 0), np.int64), {"d": feeds}).steps == 1
        assert under_way.state()["w"].tolist() == [1.0] * size
