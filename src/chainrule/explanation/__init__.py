"""Explanations: any number that training produced, opened into what it was computed from.

May import `train` and everything below. A trace is data (`trace`), captured once (`capture`) and
read by every surface. What an element is made of is read off `Op.terms` (`expansion`): a new op
needs nothing here. A caption on a pattern (BP1 ...) is one function in `captions`; a proof, one in
`proofs`; a surface (terminal, LaTeX, HTML) is one module that reads an `Explanation`. Two steps are
compared by `diffing`; what may explain a difference is one function in `diff_causes`.
"""

from chainrule.explanation.capture import explain as explain
from chainrule.explanation.difference import Diff as Diff
from chainrule.explanation.difference import Difference as Difference
from chainrule.explanation.diffing import diff as diff
from chainrule.explanation.explanation import Explanation as Explanation
from chainrule.explanation.explanation import Term as Term
from chainrule.explanation.torch_trace import TorchTrace as TorchTrace
from chainrule.explanation.torch_trace import trace_torch as trace_torch
from chainrule.explanation.trace import About as About
from chainrule.explanation.trace import Trace as Trace
from chainrule.explanation.trace_file import load_trace as load_trace
