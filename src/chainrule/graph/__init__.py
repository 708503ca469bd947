"""Graphs of ops: plain data that can be printed, parsed, checked and compared.

May import `base` only. A graph knows nothing of what its ops mean: meaning is in the op table.
Add a dtype in `types.py`; everything that prints or reads graphs follows.
"""

from chainrule.graph.node import Attributes as Attributes
from chainrule.graph.node import AttributeValue as AttributeValue
from chainrule.graph.node import Graph as Graph
from chainrule.graph.node import Node as Node
from chainrule.graph.node import Output as Output
from chainrule.graph.node import Source as Source
from chainrule.graph.parser import parse_graph as parse_graph
from chainrule.graph.printer import format_attribute as format_attribute
from chainrule.graph.printer import format_graph as format_graph
from chainrule.graph.types import Axis as Axis
from chainrule.graph.types import DType as DType
from chainrule.graph.types import Shape as Shape
from chainrule.graph.types import TensorType as TensorType
from chainrule.graph.types import forget_names as forget_names
from chainrule.graph.types import format_shape as format_shape
from chainrule.graph.types import same_axis as same_axis
from chainrule.graph.verifier import verify_graph as verify_graph
