"""The front desk: Tensors, tracing Python functions to graphs, and the derivatives of both.

May import `backends` and everything below. Elementwise ops of the table are methods of Tensor by
themselves; a function with NumPy's name and more than one op is added in `functions.py`.
"""

from chainrule.eager.custom import custom_gradient as custom_gradient
from chainrule.eager.functions import broadcast_to as broadcast_to
from chainrule.eager.functions import concatenate as concatenate
from chainrule.eager.functions import matmul as matmul
from chainrule.eager.functions import maximum as maximum
from chainrule.eager.functions import minimum as minimum
from chainrule.eager.functions import stack as stack
from chainrule.eager.functions import take as take
from chainrule.eager.functions import where as where
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
from chainrule.eager.transforms import grad as grad
from chainrule.eager.transforms import hessian as hessian
from chainrule.eager.transforms import jacobian as jacobian
from chainrule.eager.transforms import jvp as jvp
from chainrule.eager.transforms import value_and_grad as value_and_grad
from chainrule.eager.transforms import vjp as vjp
