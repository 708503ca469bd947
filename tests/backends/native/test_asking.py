"""The next batch's rows are asked for, all of them, and no number changes by it."""

from itertools import product

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.backends.native import step as native_step
from chainrule.backends.native.arena import LINE
from chainrule.backends.native.asking import Batch, ask_early
from chainrule.backends.native.compiled import Compiler
from chainrule.backends.native.nest import Carried, Kernel, Let, Loop, Number, Prefetch
from chainrule.backends.native.program import NativeProgram
from chainrule.backends.native.step import StepStages
from chainrule.backends.native.target import host
from chainrule.graph import DType, TensorType
from chainrule.train.state import initial_state
from chainrule.train.step import build_step
from chainrule.train.writing import Recipe


def tiles(*counts, length=8):
    """A kernel of nested loops around tiles whose sums are so long."""
    zero = Number(0.0, DType.F32)
    sums = Loop("k", length, carried=(Carried("c", zero, zero),))
    body = (Loop("l", 16, (sums,), parallel=True),)
    for place, count in reversed(list(enumerate(counts))):
        body = (Loop(f"t{place}", count, body),)
    return Kernel("tiles", body)


def requests(kernel, rows):
    """What a kernel asks for: (row, element of the row), the rows being those that are next."""
    (loop,) = kernel.body
    path = [loop]
    while path[-1].body and isinstance(path[-1].body[0], Loop) and not path[-1].body[0].parallel:
        path.append(path[-1].body[0])
    statements = [s for s in path[-1].body if not isinstance(s, Loop)]
    for at in product(*(range(each.count) for each in path)):
        values = dict(zip((each.index for each in path), at, strict=True))

        def place(affine, values=values):
            return affine.constant + sum(f * values[name] for name, f in affine.terms)

        for statement in statements:
            match statement:
                case Let("ahead", value) if value.op == "floor_divide":
                    above, below = value.arguments
                    values["ahead"] = place(above.at) // below.value
                case Let("ahead", value):
                    values["ahead"] = min(values["ahead"], value.arguments[2].value)
                case Let("number", value):
                    values["number"] = place(value.at) - rows
                case Prefetch(_, where):
                    yield values["number"], place(where)


@pytest.mark.parametrize(
    ("rows", "width", "counts"),
    [(10, 784, (56,)), (128, 784, (16, 37)), (7, 100, (3, 5)), (3, 16, (4,))],
)
def test_every_line_of_every_row_is_asked_for(rows, width, counts):
    batch = Batch("x", DType.F32, rows, width)
    (kernel,) = ask_early([tiles(*counts)], [batch], "rows")
    asked = {place // (LINE // 4) for _, place in requests(kernel, rows)}
    wanted = {(row * width + i) // (LINE // 4) for row in range(rows) for i in range(width)}
    assert wanted <= asked
    assert {row for row, _ in requests(kernel, rows)} == set(range(rows))


def test_the_largest_product_with_tiles_enough_asks():
    few, many, short = tiles(1, length=900), tiles(60, length=50), tiles(60, length=5)
    made = ask_early([few, many, short], [Batch("x", DType.F32, 10, 784)], "rows")
    assert [kernel is before for kernel, before in zip(made, (few, many, short), strict=True)] == [
        True, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize("batch", [Batch("x", DType.F32, 4, 2), Batch("x", DType.F32, 4096, 784)])
def test_little_is_not_asked_for_and_neither_is_more_than_the_cache_holds(batch):
    assert ask_early([tiles(60, 60)], [batch], "rows") == [tiles(60, 60)]


def test_no_bit_depends_on_it(monkeypatch):
    rng = np.random.default_rng(0)
    net = nn.Sequential(nn.Linear(784, 30), nn.Sigmoid(), nn.Linear(30, 10)).initialize(0)
    recipe = Recipe(net, nn.as_loss("CrossEntropyLoss"), optim.Adam())
    types = [TensorType((10, 784), DType.F32), TensorType((10,), DType.I64)]
    step = build_step(recipe, types[:1], types[1])
    state = {**step.captured, **initial_state(recipe, 0, accumulate=False)}
    x = rng.random((50, 784), dtype=np.float32)
    data = {"x": x, "target": rng.integers(0, 10, 50)}
    kernels = StepStages(step.graph, host(), wiring=step.wiring).kernels
    assert any("prefetch data.x" in str(kernel) for kernel in kernels)

    def taken():
        session = NativeProgram(step.graph, step.wiring, Compiler(host())).open(state, data)
        rows = np.arange(50).reshape(5, 10)
        assert session.advance(rows, {"lr": np.full(5, 0.1)}).steps == 5
        return session.state()

    asking = taken()
    monkeypatch.setattr(native_step, "ask_early", lambda kernels, *_: list(kernels))
    for name, array in taken().items():
        assert array.tobytes() == asking[name].tobytes(), name
