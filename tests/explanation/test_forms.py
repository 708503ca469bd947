"""Where an op's numbers come from, as measured on its terms, is where its terms say."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.explanation.forms import form_of
from chainrule.graph import Node
from chainrule.graph.node import Attributes
from chainrule.ops import OPS, CompositeOp, Custom, bind
from chainrule.ops.expression import Apply, Element, Fold

AFFINE = {"amax", "broadcast", "cast", "contract", "flip", "transpose"}
"""Structural ops whose elements differ in nothing but where they are, for every sample."""


def node_of(name, sample):
    types = tuple(operand.type for operand in sample.inputs)
    kind = bind(name, sample.attributes).infer(types)
    attributes = Attributes(sample.attributes)
    return Node(name, tuple(range(len(types))), kind.shape, kind.dtype, attributes), types


SAMPLES = [(name, sample) for name in OPS for sample in OPS.get(name).samples]


@pytest.mark.parametrize("case", range(len(SAMPLES)))
def test_a_form_gives_the_elements_that_the_terms_name_everywhere(case):
    name, sample = SAMPLES[case]
    node, types = node_of(name, sample)
    form = form_of(node, types)
    op = bind(name, sample.attributes)
    if form is None:
        assert name not in AFFINE
        return
    for index in np.ndindex(*map(int, node.shape)):
        terms = op.terms(types, index)
        items = terms.items if isinstance(terms, Fold) else [terms]
        places = list(np.ndindex(*form.sizes)) if form.fold else [()]
        assert len(items) == len(places)
        for item, place in zip(items, places, strict=True):
            named = {(e.input, e.index) for e in elements_of(item)}
            assert named == {(o.input, o.at((*index, *place))) for o in form.operands}


def elements_of(expression):
    found, stack = [], [expression]
    while stack:
        part = stack.pop()
        if isinstance(part, Element):
            found.append(part)
        elif isinstance(part, Apply):
            stack.extend(part.arguments)
        elif isinstance(part, Fold):
            stack.extend(part.items)
    return found


def test_composites_have_no_form_of_their_own():
    for name, sample in SAMPLES:
        if isinstance(bind(name, sample.attributes), CompositeOp | Custom):
            assert form_of(*node_of(name, sample)) is None
