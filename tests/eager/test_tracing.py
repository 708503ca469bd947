"""What a traced function may do with its symbols, and what is refused."""

import threading
from contextlib import suppress

import numpy as np
import pytest

import chainrule as cr
from chainrule.base.errors import DataError, TracingError
from chainrule.eager import Trace, assign, current_trace, in_scope
from chainrule.graph import Axis, DType, TensorType

X = np.array([1.0, 2.0, 3.0])


# --- Python asks for the number -------------------------------------------------------------------

ADVICE = (
    "Choose between values with cr.where, repeat with a Python loop over a fixed count, "
    "or compute the condition outside the traced function."
)
ASKING = {
    "if": (lambda x: x if x > 0 else -x, "A Python `if` or `while`"),
    "while": (lambda x: [x for _ in iter(lambda: bool(x > 0), False)], "A Python `if` or `while`"),
    "not": (lambda x: not x, "A Python `if` or `while`"),
    "and": (lambda x: (x > 0) and x, "A Python `if` or `while`"),
    "chained comparison": (lambda x: x * (0 < x < 1), "A Python `if` or `while`"),
    "max": (lambda x: max(x, 0.0), "A Python `if` or `while`"),
    "float": (lambda x: float(x), "float()"),
    "int": (lambda x: int(x), "int()"),
    "format": (lambda x: f"{x:.3f}", "item()"),
    "item": (lambda x: x.item(), "item()"),
    "numpy": (lambda x: x.numpy(), "numpy()"),
    "asarray": (lambda x: np.asarray(x), "A NumPy function"),
    "a function of NumPy's": (lambda x: np.linalg.norm(x), "A NumPy function"),
    "range": (lambda x: range(x), "A position in Python"),
    "position": (lambda x: [1, 2, 3][x], "A position in Python"),
    "slice": (lambda x: cr.tensor(X)[:x], "A position in Python"),
    "tensor": (lambda x: cr.tensor(x), "numpy()"),
    "detach": (lambda x: x.detach(), "numpy()"),
}


@pytest.mark.parametrize(("f", "what"), ASKING.values(), ids=ASKING)
def test_a_symbol_has_no_number(f, what):
    with pytest.raises(TracingError) as caught:
        cr.grad(f)(2.0)
    assert str(caught.value) == (
        f"{what} needs the number, and while a function is traced there are only symbols. "
        f"Line {f.__code__.co_firstlineno} of tests/eager/test_tracing.py. {ADVICE}"
    )
    assert current_trace() is None


def test_ufuncs_do_not_take_symbols():
    with pytest.raises(TypeError, match="does not support ufuncs"):
        cr.grad(lambda x: np.exp(x))(2.0)


def test_shape_and_dtype_are_known_while_tracing():
    def f(x):
        assert (len(x), x.shape, x.ndim, x.size) == (3, (3,), 1, 3)
        assert x.dtype == np.float64
        assert repr(x) == "Tensor(f64[3], traced)"
        return x.sum() / len(x)

    assert cr.grad(f)(X).numpy().tolist() == [1 / 3] * 3


def test_loops_and_generators_over_a_symbol_are_unrolled():
    wanted = [1.0, 4.0, 12.0]  # of x₀·1 + x₁·2² ... by hand below
    f = lambda x: sum(x[i] ** (i + 1) for i in range(len(x)))  # noqa: E731
    assert cr.grad(f)(np.array([5.0, 2.0, 2.0])).numpy().tolist() == wanted
    assert cr.grad(lambda x: sum(part * part for part in x))(X).numpy().tolist() == [2.0, 4.0, 6.0]
    first, *rest = cr.jacobian(lambda x: [*x])(X)
    assert first.numpy().tolist() == [1.0, 0.0, 0.0]
    assert len(rest) == 2


def test_membership_needs_a_number():
    with pytest.raises(TracingError, match="`if` or `while` needs the number"):
        cr.grad(lambda x: x.sum() if 3.0 in x else x)(X)


def test_an_if_on_what_is_known_is_fine():
    def f(x, flip=False):
        if flip and x.ndim == 1:
            x = -x
        return x.sum()

    assert cr.grad(f)(X, flip=True).numpy().tolist() == [-1.0] * 3
    assert cr.grad(f)(X, False).numpy().tolist() == [1.0] * 3


# --- what is captured -----------------------------------------------------------------------------


def test_captured_arrays_are_inputs_and_numbers_are_constants():
    data, weight = np.ones((2, 3)), cr.tensor(X)
    weight.name = "weight"
    graph = cr.trace(lambda x: data @ (x * weight) * 2 * np.float64(0.5), X)
    assert str(graph) == "\n".join(
        [
            "graph lambda(x: f64[3], weight: f64[3], captured1: f64[2,3]) -> f64[2]",
            "  %3: f64[3] = mul(x, weight)",
            "  %4: f64[2] = contract(captured1, %3)  over=[1,0]",
            "  %5: f64[] = constant()  dtype=f64 value=2.0",
            "  %6: f64[2] = mul(%4, %5)",
            "  %7: f64[] = constant()  dtype=f64 value=0.5",
            "  %8: f64[2] = mul(%6, %7)",
            "  return y=%8",
        ]
    )


def test_a_function_of_other_numbers_is_the_same_graph():
    graphs = [
        cr.trace(lambda x, data=data: (data * x).sum(), X) for data in (np.ones(3), np.zeros(3))
    ]
    assert graphs[0] == graphs[1]


def test_a_captured_tensor_is_one_input_however_often_it_is_used():
    w = cr.tensor(X)
    graph = cr.trace(lambda x: (x * w + w).sum() * w, X)
    assert graph.input_names == ("x", "captured0")


def test_a_captured_value_is_read_when_the_function_is_called():
    w = cr.tensor(2.0)
    gradient = cr.grad(lambda x: x * w)
    assert gradient(1.0).item() == 2.0
    assign(w, cr.tensor(5.0))
    assert gradient(1.0).item() == 5.0


def test_an_assigned_variable_has_its_new_value_in_the_rest_of_the_function():
    w = cr.tensor(2.0)

    def f(x):
        before = w * x
        assign(w, x * 10)
        return before + w * x

    value, gradient = cr.value_and_grad(f)(3.0)
    assert value.item() == 2 * 3 + 30 * 3
    assert gradient.item() == 2 + 2 * 10 * 3
    assert w.item() == 30.0


def test_arguments_are_named_as_the_function_names_them():
    graph = cr.trace(
        lambda p, *rest, scale: p["w"] * rest[0] * scale, {"w": X, "b c": X}, X, scale=X
    )
    assert graph.input_names == ("p.w", "p.b_c", "arg1", "scale")


def test_nodes_carry_the_module_and_the_line_they_come_from():
    with Trace() as trace:
        x = trace.input(cr.tensor(X).type, "x")
        with in_scope("encoder.0"):
            y = x * 2
            value, _ = cr.value_and_grad(lambda v: (v * v).sum())(y)
        graph = trace.build("f", {"y": value + 1})
    scopes = [(node.op, node.scope) for node in graph.nodes if node.op != "constant"]
    assert scopes == [
        ("input", ""),
        ("mul", "encoder.0"),
        ("mul", "encoder.0"),
        ("sum", "encoder.0"),
        *[(op, "encoder.0") for op, scope in scopes[4:-1]],
        ("add", ""),
    ]
    assert {node.source.file for node in graph.nodes if node.source} == {
        "tests/eager/test_tracing.py"
    }


def test_a_derivative_keeps_the_names_of_axes():
    f = cr.grad(lambda x: (x * x).sum())
    shapes = []
    for batch in (4, Axis("B", 4), Axis("N", 4)):
        with Trace() as trace:
            x = trace.input(TensorType((batch, 2), DType.F64), "x")
            shapes.append(str(f(x).type))
    assert shapes == ["f64[4,2]", "f64[B=4,2]", "f64[N=4,2]"]


# --- symbols that outlive their trace -------------------------------------------------------------

ESCAPED = (
    "A value of a traced function was used after the function had returned, or in another thread. "
    "Line {line} of tests/eager/test_tracing.py. "
    "Return it from the function instead of storing it outside."
)
USES = {
    "operator": lambda t: t + 1,
    "method": lambda t: t.tanh(),
    "number": lambda t: float(t),
    "if": lambda t: 1 if t else 0,
    "numpy": lambda t: t.numpy(),
    "backward": lambda t: t.backward(),
    "another trace": lambda t: cr.grad(lambda x: x * t)(1.0),
    "a result": lambda t: cr.grad(lambda x: t)(1.0),
    "an argument": lambda t: cr.grad(lambda x: x * x)(t),
    "its own kind of trace": lambda t: cr.grad(lambda x: cr.grad(lambda z: z * t)(x))(1.0),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_an_escaped_symbol_is_refused(use):
    kept = []
    cr.grad(lambda x: (kept.append(x), x * x)[1])(2.0)
    with pytest.raises(TracingError) as caught:
        use(kept[0])
    assert str(caught.value) == ESCAPED.format(line=use.__code__.co_firstlineno)


def test_a_symbol_of_an_inner_trace_is_refused_in_the_outer_one():
    kept = []

    def outer(x):
        cr.grad(lambda y: (kept.append(y), y * y)[1])(x)
        return x * kept[0]

    with pytest.raises(TracingError, match="used after the function had returned"):
        cr.grad(outer)(2.0)


def test_a_generator_that_outlives_the_function_is_refused():
    kept = []

    def f(x):
        kept.append(x * i for i in range(3))
        return x * x

    cr.grad(f)(2.0)
    with pytest.raises(TracingError, match="used after the function had returned"):
        next(kept[0])


def test_an_escaped_symbol_can_still_be_shown():
    kept = []
    cr.grad(lambda x: (kept.append(x), x * x)[1])(2.0)
    assert repr(kept[0]) == "Tensor(f64[], traced)"
    assert kept[0].shape == ()


# --- a trace ends, whatever happens in it ---------------------------------------------------------


class Interrupted(BaseException):
    pass


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Interrupted])
def test_an_exception_leaves_no_trace_open(error):
    def f(x):
        cr.grad(lambda y: fail())(x)

    def fail():
        raise error("in the middle")

    for transform in (cr.grad, cr.jacobian, cr.hessian, cr.trace):
        with pytest.raises(error, match="in the middle"):
            transform(f, 1.0) if transform is cr.trace else transform(f)(1.0)
        assert current_trace() is None
    t = cr.tensor(2.0)
    (t * t).backward()
    assert t.grad.item() == 4.0


def test_a_caught_exception_leaves_the_outer_trace_open():
    def f(x):
        with suppress(TracingError):
            cr.grad(lambda y: y if y > 0 else -y)(x)
        return x * x

    assert cr.grad(f)(3.0).item() == 6.0


def test_an_error_while_running_does_not_leave_a_trace_open_either():
    with pytest.raises(DataError, match="gather takes indices from 0 to 2; got 7"):
        cr.grad(lambda x, i: x[i].sum())(X, np.array([7]))
    assert current_trace() is None


# --- threads --------------------------------------------------------------------------------------


def test_threads_trace_side_by_side():
    rounds, count = 20, 4
    barrier = threading.Barrier(count)
    found = {}

    def work(k):
        def f(x):
            for _ in range(5):
                barrier.wait()  # every thread has its trace open here
                x = x * k
            return x

        found[k] = [cr.grad(f)(1.0).item() for _ in range(rounds)]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, count + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {k: [float(k**5)] * rounds for k in range(1, count + 1)}


def test_a_symbol_is_refused_in_another_thread():
    caught = []

    def use(x):
        try:
            x * 2
        except TracingError as error:
            caught.append(error)

    def f(x):
        thread = threading.Thread(target=use, args=(x,))
        thread.start()
        thread.join()
        return x * x

    assert cr.grad(f)(3.0).item() == 6.0
    assert "in another thread" in str(caught[0])


def test_a_generator_that_is_traced_in_pieces_stays_in_its_trace():
    def running_products(x):
        product = x
        while True:
            yield product
            product = product * x

    def f(x):
        powers = running_products(x)
        return next(powers) + cr.grad(lambda y: y * y)(x) + next(powers)  # x + 2x + x²

    assert cr.grad(f)(3.0).item() == 3 + 6.0
