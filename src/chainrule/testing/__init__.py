"""Tests of gradients, ops and backends, for our own tests and for users' own ops.

May import `eager` and everything below, not `nn`, `optim` or `train`. The oracles need mpmath
(`pip install mpmath`); `check_gradients` and `check_golden` need nothing. A primitive that is new
in the vocabulary gets one function in `exact.py`, and its image of an interval in `enclosure.py`.
"""

from chainrule.testing.accuracy import Accuracy as Accuracy
from chainrule.testing.accuracy import measure_accuracy as measure_accuracy
from chainrule.testing.conformance import check_backend as check_backend
from chainrule.testing.conformance import check_op as check_op
from chainrule.testing.golden import check_golden as check_golden
from chainrule.testing.gradients import GradientReport as GradientReport
from chainrule.testing.gradients import check_gradients as check_gradients
