"""The op table: one declaration per op, from which everything else is read.

May import `graph` and `base`. Add an elementwise op in `functions.py`, `activations.py`,
`costs.py` or `transcendental.py` (one formula for the value, one for each partial), a structural op
as a class in the file of its family, a composite in `composites.py`, `normalization.py` or, over
axes, in `statistics.py`. Backends, gradients, formulas, tests, the reference and functions of the
front door follow.
"""

from chainrule.ops import (  # noqa: F401 - importing a family enters its ops into the table
    activations,
    composites,
    contract,
    costs,
    custom,
    functions,
    index,
    normalization,
    order,
    primitives,
    random,
    reduce,
    shape,
    statistics,
)
from chainrule.ops.builder import Builder as Builder
from chainrule.ops.builder import Value as Value
from chainrule.ops.composite import Composite as Composite
from chainrule.ops.composite import CompositeOp as CompositeOp
from chainrule.ops.composite import composite as composite
from chainrule.ops.custom import Custom as Custom
from chainrule.ops.elementwise import NOT_DIFFERENTIABLE as NOT_DIFFERENTIABLE
from chainrule.ops.elementwise import ZERO as ZERO
from chainrule.ops.elementwise import Elementwise as Elementwise
from chainrule.ops.elementwise import ElementwiseOp as ElementwiseOp
from chainrule.ops.elementwise import Indicator as Indicator
from chainrule.ops.elementwise import Interval as Interval
from chainrule.ops.elementwise import Kink as Kink
from chainrule.ops.elementwise import elementwise as elementwise
from chainrule.ops.elementwise import primitive as primitive
from chainrule.ops.notation import format_expression as format_expression
from chainrule.ops.samples import BadSample as BadSample
from chainrule.ops.samples import Sample as Sample
from chainrule.ops.samples import SampleInput as SampleInput
from chainrule.ops.table import OPS as OPS
from chainrule.ops.table import Batch as Batch
from chainrule.ops.table import Call as Call
from chainrule.ops.table import Declaration as Declaration
from chainrule.ops.table import Op as Op
from chainrule.ops.table import bind as bind
from chainrule.ops.table import declare as declare
from chainrule.ops.table import infer_type as infer_type
from chainrule.ops.table import verify as verify
