"""What every op has, and how the table answers for it."""

import math

import pytest

from chainrule.base.errors import DTypeError, GraphError, NameNotFoundError, ShapeError
from chainrule.graph import DType, TensorType, parse_graph
from chainrule.ops import Declaration, Op, bind, verify
from chainrule.ops.reduce import Sum
from chainrule.ops.table import normalize_axis


@pytest.mark.parametrize("rule", ["infer", "pullback", "batched", "terms", "formula"])
def test_an_op_without_one_of_its_rules_cannot_be_bound(rule):
    rules = {"infer", "pullback", "batched", "terms", "formula"} - {rule}
    bare = type("Bare", (Op,), {name: lambda self: None for name in rules})
    with pytest.raises(TypeError, match=rf"abstract method '?{rule}'?"):
        bare()


def test_a_declaration_without_bind_is_none():
    with pytest.raises(TypeError, match=r"abstract method '?bind'?"):
        type("Bare", (Declaration,), {})()


@pytest.mark.parametrize(("op", "inputs"), [("add", 1), ("add", 3), ("sum", 0), ("sum", 2)])
def test_an_op_takes_as_many_operands_as_it_declares(op, inputs):
    names = ", ".join("abc"[:inputs])
    kinds = ", ".join(f"{name}: f64[2]" for name in "abc"[:inputs])
    text = f"graph f({kinds}) -> f64[2]\n  y: f64[2] = {op}({names})\n  return y"
    if op == "sum":
        text = text.replace(f"{op}({names})", f"{op}({names})  axes=[]")
    expected = {"add": 2, "sum": 1}[op]
    with pytest.raises(GraphError, match=f"{op} takes {expected} operands; got {inputs}"):
        verify(parse_graph(text))


def test_an_op_that_is_not_in_the_table_is_named():
    with pytest.raises(NameNotFoundError, match=r'^No op is named "summ"\. Did you mean "sum"\?'):
        bind("summ", {"axes": (0,)})


def test_ops_with_equal_attributes_are_equal():
    assert bind("sum", {"axes": (0,)}) == Sum((0,))
    assert bind("sum", {"axes": (0,)}) != bind("sum", {"axes": (1,)})
    assert bind("leaky_relu") == bind("leaky_relu", {"slope": 0.01})
    assert hash(bind("leaky_relu")) == hash(bind("leaky_relu", {"slope": 0.01}))
    assert bind("softmax", {"axis": 0}) == bind("softmax", {"axis": 0})
    assert bind("softmax", {"axis": 0}) != bind("softmax", {"axis": 1})


@pytest.mark.parametrize(
    ("axis", "rank", "front"), [(0, 1, 0), (-1, 1, 0), (2, 3, 2), (-3, 3, 0), (-1, 3, 2)]
)
def test_axes_are_counted_from_the_front(axis, rank, front):
    assert normalize_axis(axis, rank, "sum") == front


@pytest.mark.parametrize(("axis", "rank"), [(0, 0), (-1, 0), (1, 1), (-2, 1), (3, 3), (-4, 3)])
def test_an_axis_that_is_not_there_is_refused(axis, rank):
    with pytest.raises(ShapeError) as caught:
        normalize_axis(axis, rank, "sum")
    assert str(caught.value) == f"sum got axis {axis} of a value with {rank} axes."


ALONG = {
    "amax": ["f64[2,3]"], "argmax": ["f64[2,3]"], "argsort": ["f64[2,3]"], "concat": ["f64[2,3]"],
    "cumsum": ["f64[2,3]"], "gather": ["f64[2,3]", "i64[2]"], "softmax": ["f64[2,3]"],
    "log_softmax": ["f64[2,3]"], "take_along_axis": ["f64[2,3]", "i64[2,3]"],
    "add_along_axis": ["f64[2,3]", "i64[2,3]"],
}  # fmt: skip


@pytest.mark.parametrize("axis", [-1, 2, 3])
@pytest.mark.parametrize("op", ALONG)
def test_an_axis_that_an_operand_does_not_have_is_refused(op, axis):
    size = {"size": 3} if op == "add_along_axis" else {}
    with pytest.raises(ShapeError, match=rf"^{op} got ax(is {axis}|es \[{axis}\]) of a value of "):
        bind(op, {"axis": axis, **size}).infer(tuple(map(TensorType.parse, ALONG[op])))


@pytest.mark.parametrize("axis", [-1, 2, 3])
def test_positions_are_counted_along_an_axis_that_is_there(axis):
    with pytest.raises(ShapeError) as caught:
        bind("iota", {"shape": (2, 3), "axis": axis, "dtype": DType.I64}).infer(())
    assert str(caught.value) == f"iota got axis {axis} of shape [2,3]."


def test_truth_values_count_nothing():
    with pytest.raises(DTypeError, match=r"^iota counts in numbers; got bool\.$"):
        bind("iota", {"shape": (2,), "axis": 0, "dtype": DType.BOOL}).infer(())


@pytest.mark.parametrize("axes", [(-1,), (2,), (3,), (0, 2), (1, 0), (0, 0)])
@pytest.mark.parametrize("op", ["sum", "mean", "prod", "norm", "log_sum_exp", "flip"])
def test_axes_that_an_operand_does_not_have_are_refused(op, axes):
    with pytest.raises(ShapeError, match=rf"^{op} got axes \[.*\] of a value of shape \[2,3\]"):
        bind(op, {"axes": axes}).infer((TensorType.parse("f64[2,3]"),))


WHOLE = {"starts": (0, 0), "stops": (2, 3), "steps": (1, 1)}
BARE = {"low": (0, 0), "high": (0, 0), "interior": (0, 0)}


@pytest.mark.parametrize("word", WHOLE)
@pytest.mark.parametrize("numbers", [(1,), (1, 1, 1)])
def test_a_slice_has_three_numbers_for_each_axis(word, numbers):
    with pytest.raises(ShapeError) as caught:
        bind("slice", {**WHOLE, word: numbers}).infer((TensorType.parse("f64[2,3]"),))
    assert str(caught.value) == "slice takes a start, a stop and a step for each of the 2 axes."


@pytest.mark.parametrize(
    ("start", "stop", "step"), [(-1, 2, 1), (2, 1, 1), (0, 4, 1), (4, 4, 1), (0, 3, 0), (0, 3, -1)]
)
def test_a_slice_lies_within_its_axis(start, stop, step):
    slices = {"starts": (0, start), "stops": (2, stop), "steps": (1, step)}
    with pytest.raises(ShapeError) as caught:
        bind("slice", slices).infer((TensorType.parse("f64[2,3]"),))
    assert str(caught.value) == (
        f"slice {start}:{stop}:{step} does not lie within axis 1 of shape [2,3]."
    )


@pytest.mark.parametrize("word", BARE)
@pytest.mark.parametrize("numbers", [(1,), (1, 1, 1), (0, -1)])
def test_a_pad_has_three_widths_for_each_axis(word, numbers):
    operands = tuple(map(TensorType.parse, ("f64[2,3]", "f64[]")))
    with pytest.raises(ShapeError, match=r"^pad takes three widths, none negative, for each axis"):
        bind("pad", {**BARE, word: numbers}).infer(operands)


@pytest.mark.parametrize(
    ("axis", "others"),
    [(0, "[2,4,4]"), (0, "[2,3,5]"), (1, "[1,3,4]"), (1, "[2,3,5]"), (2, "[1,3,4]"), (2, "[2,4,4]"),
     (0, "[3,4]")],
)  # fmt: skip
def test_what_is_joined_differs_along_that_axis_only(axis, others):
    operands = tuple(map(TensorType.parse, ("f64[2,3,4]", f"f64{others}")))
    with pytest.raises(ShapeError) as caught:
        bind("concat", {"axis": axis}).infer(operands)
    assert str(caught.value) == (
        f"concat got shapes [2,3,4] and {others}: they may differ on axis {axis} only."
    )


@pytest.mark.parametrize("filler", ["f32[]", "f64[1]", "i64[]"])
def test_a_pad_has_one_filler_of_its_dtype(filler):
    with pytest.raises(ShapeError, match=r"^pad fills f64\[2,3\] with a scalar of its dtype; got"):
        bind("pad", BARE).infer(tuple(map(TensorType.parse, ("f64[2,3]", filler))))


@pytest.mark.parametrize(("op", "defaults"), [
    ("leaky_relu", {"slope": 0.01}), ("softplus", {"beta": 1.0, "threshold": math.inf}),
    ("elu", {"alpha": 1.0}), ("celu", {"alpha": 1.0}), ("clip", {"low": 0.0, "high": 1.0}),
    ("hard_tanh", {"low": -1.0, "high": 1.0}), ("hard_shrink", {"width": 0.5}),
    ("soft_shrink", {"width": 0.5}), ("threshold", {"threshold": 0.0, "below": 0.0}),
    ("huber", {"delta": 1.0}), ("smooth_l1", {"beta": 1.0}), ("focal", {"gamma": 2.0}),
])  # fmt: skip
def test_attributes_that_are_not_given_are_the_papers(op, defaults):
    assert dict(bind(op).attributes) == defaults


@pytest.mark.parametrize(
    ("op", "attributes", "operands", "result"),
    [
        ("slice", {"starts": (0, 1), "stops": (2, 3), "steps": (1, 1)}, ["[B=2,T=3]"], "[B=2,2]"),
        ("slice", {"starts": (1, 0), "stops": (2, 3), "steps": (1, 1)}, ["[B=2,T=3]"], "[1,T=3]"),
        ("slice", {"starts": (0, 0), "stops": (1, 3), "steps": (1, 2)}, ["[B=2,T=3]"], "[1,2]"),
        ("pad", {"low": (0, 1), "high": (0, 0), "interior": (0, 0)},
         ["[B=2,T=3]", "[]"], "[B=2,4]"),
        ("pad", {"low": (0, 0), "high": (1, 0), "interior": (0, 0)},
         ["[B=2,T=3]", "[]"], "[3,T=3]"),
        ("pad", {"low": (0, 0), "high": (0, 0), "interior": (0, 1)},
         ["[B=2,T=3]", "[]"], "[B=2,5]"),
        ("concat", {"axis": 0}, ["[B=2,T=3]"], "[B=2,T=3]"),
        ("concat", {"axis": 1}, ["[B=2,T=3]", "[B=2,1]"], "[B=2,4]"),
        ("concat", {"axis": 1}, ["[2,3]", "[B=2,1]", "[2,2]"], "[B=2,6]"),
        ("transpose", {"axes": (1, 0)}, ["[B=2,T=3]"], "[T=3,B=2]"),
        ("reshape", {"shape": (2, 1, 3)}, ["[B=2,T=3]"], "[B=2,1,T=3]"),
        ("reshape", {"shape": (6,)}, ["[B=2,T=3]"], "[B=2*3]"),
        ("reshape", {"shape": (2, 3, 4)}, ["[B=2*3,4]"], "[B=2,3,4]"),
        ("reshape", {"shape": (4, 2, 4)}, ["[B=2*4,4]"], "[B=2*2,2,4]"),
        ("reshape", {"shape": (3, 8)}, ["[B=2*3,4]"], "[3,8]"),
        ("reshape", {"shape": (6, 2)}, ["[T=3,B=4]"], "[T=3*2,2]"),
        ("reshape", {"shape": (1, 1, 3)}, ["[B=1,3]"], "[B=1,1,3]"),
        ("reshape", {"shape": (0, 2)}, ["[B=0,4]"], "[B=0,2]"),
        ("sum", {"axes": (1,)}, ["[B=2,T=3]"], "[B=2]"),
        ("amax", {"axis": 1}, ["[B=2,T=3]"], "[B=2]"),
        ("softmax", {"axis": 1}, ["[B=2,3]"], "[B=2,3]"),
    ],
)  # fmt: skip
def test_an_axis_that_is_left_alone_keeps_its_name(op, attributes, operands, result):
    kinds = tuple(TensorType.parse(f"f64{shape}") for shape in operands)
    assert str(bind(op, attributes).infer(kinds)) == f"f64{result}"
