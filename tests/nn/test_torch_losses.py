"""Losses give torch's values, gradients and second gradients, over their arguments and shapes."""

import functools
import itertools

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from tests.nn.loss_grid import make_grid
from tests.nn.parity import DTYPES, assert_close
from tests.sampling import slow

GRID = make_grid()
HOME = "chainrule.nn.losses"
ORDERS = ["value", "gradient", "second"]


def inputs(case):
    """Outputs and targets that are computed with."""
    outputs, target = case.draw(case.shape)
    is_computed = target is not None and target.dtype.kind == "f"
    return [*outputs, target] if is_computed else outputs


def directions(outputs):
    """Where second derivatives are taken along."""
    return [np.cos(np.arange(1.0, o.size + 1)).astype(np.float32).reshape(o.shape) for o in outputs]


def ours(case, dtype, order):
    outputs, target = case.draw(case.shape)
    xs = [o.astype(dtype) for o in outputs]
    which = tuple(range(len(xs)))
    loss = case.loss

    def batch_loss(*xs):
        return loss.of_batch(xs if len(xs) > 1 else xs[0], target)

    def along(*xs):
        slopes = cr.grad(batch_loss, which)(*xs)
        return sum((d * v.astype(dtype)).sum() for d, v in zip(slopes, directions(xs), strict=True))

    if order == "value":
        return [batch_loss(*map(cr.tensor, xs)).numpy()]
    return [d.numpy() for d in cr.grad(batch_loss if order == "gradient" else along, which)(*xs)]


@functools.lru_cache(maxsize=8)  # both dtypes compare with one
def theirs(torch, case, order):
    """The same in torch, in float64."""
    outputs, target = case.draw(case.shape)
    xs = [torch.tensor(o, requires_grad=True) for o in outputs]
    make = case.twice if order == "second" and case.twice is not None else case.torch
    value = make(torch)(*xs, *([] if target is None else [torch.tensor(target)]))
    if order == "value":
        return [value.detach().numpy()]
    found = torch.autograd.grad(value, xs, create_graph=order == "second")
    if order == "second":
        pairs = zip(found, directions(outputs), strict=True)
        along = sum((d * torch.tensor(v).double()).sum() for d, v in pairs)
        if not along.requires_grad:  # the loss is linear
            return [np.zeros(x.shape) for x in xs]
        found = torch.autograd.grad(along, xs, allow_unused=True, materialize_grads=True)
    return [d.numpy(force=True) for d in found]


def quantities():
    """All that is compared; second gradients in float32 are slow but for the first of each loss.

    Their graphs are those of float64, all of which are compared: the dtype adds its rounding.
    """
    seen = set()
    for case in GRID:
        for dtype, order in itertools.product(DTYPES, ORDERS):
            again = (dtype, order) == ("float32", "second") and case.name in seen
            yield slow((case, dtype, order)) if again else (case, dtype, order)
        seen.add(case.name)


@pytest.mark.parametrize(("case", "dtype", "order"), list(quantities()), ids=str)
def test_loss_is_torchs(torch, case, dtype, order):
    found, expected = ours(case, dtype, order), theirs(torch, case, order)
    # An exponential has the error of its argument, and a difference that of the larger operand:
    # neither is above the largest input. A result is a sum over the elements, each made of it in
    # some 40 operations; second derivatives in as many again.
    largest = max(float(np.abs(array).max()) for array in inputs(case))
    elements = sum(o.size for o in case.draw(case.shape)[0])
    roundings = elements + (80 if order == "second" else 40)
    for mine, torchs in zip(found, expected, strict=True):
        assert mine.dtype == np.dtype(dtype)
        scale = (1 + largest) * max(float(np.abs(torchs).max()), 1 / elements)
        assert_close(mine, torchs, scale=scale, roundings=roundings)


def test_every_loss_is_compared():
    here = {name for name, loss in nn.LOSSES.items() if loss.__module__.startswith(HOME)}
    assert {case.name for case in GRID} == here


def test_the_grid_covers_what_was_promised():
    assert len(GRID) * len(DTYPES) * len(ORDERS) >= 500
