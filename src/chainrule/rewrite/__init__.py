"""Passes from graph to graph, each with a map from the old nodes to the new ones.

May import `ops`, `graph` and `base`. Add a pass as a file of its own, named after its effect; its
docstring shows a graph before and after.
"""

from chainrule.rewrite.dead import eliminate_dead_nodes as eliminate_dead_nodes
from chainrule.rewrite.expand import expand_composites as expand_composites
from chainrule.rewrite.merge import merge_equal_nodes as merge_equal_nodes
from chainrule.rewrite.resize import resize_batch as resize_batch
from chainrule.rewrite.rewriting import Rewriting as Rewriting
from chainrule.rewrite.vectorize import vectorize as vectorize
