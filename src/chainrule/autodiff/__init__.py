"""The chain rule, from graph to graph: the backward pass is more graph.

May import `ops`, `graph` and `base`. Nothing is added here when an op is added: reverse mode reads
each op's pullback from the table, forward mode is the pullback's transpose, and gradients of each
example read its batching rule.
"""

from chainrule.autodiff.forward import pushforward as pushforward
from chainrule.autodiff.per_example import per_example_gradients as per_example_gradients
from chainrule.autodiff.reverse import Pull as Pull
from chainrule.autodiff.reverse import append_gradients as append_gradients
from chainrule.autodiff.reverse import gradients as gradients
from chainrule.autodiff.reverse import pull_back as pull_back
from chainrule.autodiff.reverse import pullback as pullback
