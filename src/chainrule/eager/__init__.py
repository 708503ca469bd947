"""The front desk: Tensors, tracing Python functions to graphs, and the derivatives of both.

May import `backends` and everything below. Elementwise ops of the table are methods of Tensor by
themselves, and functions of `import chainrule`; what has NumPy's name and more than one op is added
in `functions`, `order`, `products`, `shapes` or `statistics`, by subject.
"""

from chainrule.eager.custom import custom_gradient as custom_gradient
from chainrule.eager.custom import stop_gradient as stop_gradient
from chainrule.eager.functions import broadcast_to as broadcast_to
from chainrule.eager.functions import concatenate as concatenate
from chainrule.eager.functions import matmul as matmul
from chainrule.eager.functions import maximum as maximum
from chainrule.eager.functions import minimum as minimum
from chainrule.eager.functions import stack as stack
from chainrule.eager.functions import take as take
from chainrule.eager.functions import where as where
from chainrule.eager.op_functions import function_names as function_names
from chainrule.eager.op_functions import named_function as named_function
from chainrule.eager.order import argsort as argsort
from chainrule.eager.order import cumsum as cumsum
from chainrule.eager.order import flip as flip
from chainrule.eager.order import one_hot as one_hot
from chainrule.eager.order import roll as roll
from chainrule.eager.order import sort as sort
from chainrule.eager.order import take_along_axis as take_along_axis
from chainrule.eager.order import top_k as top_k
from chainrule.eager.products import einsum as einsum
from chainrule.eager.products import outer as outer
from chainrule.eager.promotion import promote as promote
from chainrule.eager.shapes import expand_dims as expand_dims
from chainrule.eager.shapes import moveaxis as moveaxis
from chainrule.eager.shapes import pad as pad
from chainrule.eager.shapes import repeat as repeat
from chainrule.eager.shapes import split as split
from chainrule.eager.shapes import squeeze as squeeze
from chainrule.eager.shapes import swapaxes as swapaxes
from chainrule.eager.shapes import tile as tile
from chainrule.eager.shapes import tril as tril
from chainrule.eager.shapes import triu as triu
from chainrule.eager.statistics import clip as clip
from chainrule.eager.statistics import log_sum_exp as log_sum_exp
from chainrule.eager.statistics import norm as norm
from chainrule.eager.statistics import prod as prod
from chainrule.eager.statistics import std as std
from chainrule.eager.statistics import var as var
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
