"""The stages of two small steps, as `chainrule inspect` prints them, for one target everywhere.

Assembly is not among them: it depends on LLVM's version. A change of these files is a change of
what is compiled: read it.
"""

from contextlib import nullcontext

import pytest

from chainrule import nn, optim
from chainrule.backends.native.inspection import inspect
from chainrule.backends.native.instruction_sets import INSTRUCTION_SETS
from chainrule.graph import DType, TensorType
from chainrule.train.step import build_step
from chainrule.train.writing import Recipe
from tests.backends.native.targets import loops


def sigmoids():
    """2-2-2 with one example, as in textbooks: straight-line code."""
    net = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 2), nn.Sigmoid())
    target = TensorType((1, 2), DType.F64)
    recipe = Recipe(net.initialize(0).astype("float64"), nn.QuadraticLoss(), optim.SGD(lr=0.5))
    return build_step(recipe, [target], target)


def classes():
    """3-4-2 with two examples and Adam: as loops, as if it were not small."""
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).initialize(0)
    x, labels = TensorType((2, 3), DType.F32), TensorType((2,), DType.I64)
    return build_step(Recipe(net, nn.CrossEntropyLoss(), optim.Adam()), [x], labels)


@pytest.mark.parametrize("stage", ["kernels", "plan", "ir"])
@pytest.mark.parametrize(("make", "how"), [(sigmoids, nullcontext), (classes, loops)])
def test_stages_of_a_step(make, how, stage, golden):
    step = make()
    with how():
        text = inspect(step.graph, step.wiring, INSTRUCTION_SETS["avx2"](), stage)
    golden(f"native/{make.__name__}.{stage}", text)
