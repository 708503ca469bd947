"""Composites: one node that opens into a graph."""

import re

import pytest

from chainrule.base.errors import DTypeError, GraphError
from chainrule.graph import TensorType
from chainrule.ops import bind

F64 = TensorType.parse("f64[3,4]")


def test_a_composites_own_refusal_is_not_taken_for_wrong_attributes():
    message = "cross_entropy takes labels as integers; got f64[3,4]. For one distribution per "
    with pytest.raises(DTypeError, match=f"^{re.escape(message)}"):
        bind("cross_entropy").infer((F64, F64))


def test_wrong_attributes_of_a_composite_are_refused():
    # What follows the name is Python's: from 3.13 on it suggests 'axis'.
    with pytest.raises(GraphError, match=r"^softmax does not take these attributes: .*'axes'"):
        bind("softmax", {"axes": (1,)}).infer((F64,))


def test_a_body_is_built_once_for_each_type_and_batch_name():
    op = bind("softmax", {"axis": 1})
    plain, named = op.body((F64,)), op.body((TensorType.parse("f64[B=3,4]"),))
    assert op.body((F64,)) is plain
    assert str(plain).startswith("graph softmax(x0: f64[3,4])")
    assert str(named).startswith("graph softmax(x0: f64[B=3,4])")
