"""Pictures of boxes and arrows: where they go, and how they are written as SVG.

May import `base` only, and knows nothing of graphs or networks: `graph` and `nn` say what their
boxes, arrows and clusters are, and get a `Diagram` back. A chart is divided into sheets, one for
each open cluster (`nesting.py`); each sheet is a layered drawing in four steps (`layers.py`,
`order.py`, `coordinates.py`, `sheet.py`), and `layout.py` puts the sheets into each other. Columns
of neurons are laid out by `neurons.py`. A newcomer adds a look (colours in light and dark, a dash,
a shape) as one entry of `LOOKS` in `looks.py`; writers and style sheet follow.
"""

from chainrule.drawing.boxes import draw_chart as draw_chart
from chainrule.drawing.chart import Box as Box
from chainrule.drawing.chart import Chart as Chart
from chainrule.drawing.chart import Cluster as Cluster
from chainrule.drawing.chart import Edge as Edge
from chainrule.drawing.chart import Line as Line
from chainrule.drawing.diagram import Diagram as Diagram
from chainrule.drawing.layout import Layout as Layout
from chainrule.drawing.layout import lay_out as lay_out
from chainrule.drawing.neurons import Column as Column
from chainrule.drawing.neurons import Neuron as Neuron
from chainrule.drawing.neurons import Weight as Weight
from chainrule.drawing.neurons import draw_neurons as draw_neurons
