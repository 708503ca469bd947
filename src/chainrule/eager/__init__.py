"""The front desk: Tensors, tracing Python functions to graphs, and the derivatives of both.

May import `backends` and everything below. Elementwise ops of the table are methods of Tensor by
themselves, and functions of `import chainrule`; what has NumPy's name and more than one op is added
in `functions`, `order`, `products`, `shapes` or `statistics`, by subject. All that these files and
those of the derivatives define is public, here and in `import chainrule`.
"""

from chainrule.base.front_door import defined_names, show_definitions
from chainrule.eager import (
    curvature,
    custom,
    functions,
    order,
    per_example,
    products,
    shapes,
    statistics,
    transforms,
)
from chainrule.eager.curvature import *
from chainrule.eager.custom import *
from chainrule.eager.functions import *
from chainrule.eager.order import *
from chainrule.eager.per_example import *
from chainrule.eager.products import *
from chainrule.eager.shapes import *
from chainrule.eager.statistics import *
from chainrule.eager.transforms import *

_FAMILIES = (
    curvature,
    custom,
    functions,
    order,
    per_example,
    products,
    shapes,
    statistics,
    transforms,
)
show_definitions(globals(), *_FAMILIES)

from chainrule.eager.op_functions import function_names as function_names
from chainrule.eager.op_functions import named_function as named_function
from chainrule.eager.promotion import promote as promote
from chainrule.eager.tensor import Tensor as Tensor
from chainrule.eager.tensor import apply as apply
from chainrule.eager.tensor import as_tensor as as_tensor
from chainrule.eager.tensor import elementwise as elementwise
from chainrule.eager.tensor import tensor as tensor
from chainrule.eager.traced import assign as assign
from chainrule.eager.traced import execute as execute
from chainrule.eager.traced import trace as trace
from chainrule.eager.tracing import Trace as Trace
from chainrule.eager.tracing import current_scope as current_scope
from chainrule.eager.tracing import current_trace as current_trace
from chainrule.eager.tracing import here as here
from chainrule.eager.tracing import in_scope as in_scope


def public_functions() -> tuple[str, ...]:
    """The names of the functions that `import chainrule` shows as they are."""
    return tuple(name for family in _FAMILIES for name in defined_names(family))
