"""Every op of the table keeps to its declaration: value, derivatives, kinks, refusals, text."""

import pytest

from chainrule.ops import OPS
from chainrule.testing import check_op


@pytest.mark.parametrize("op", OPS)
def test_op_conforms(op):
    check_op(op)
