"""Questions to a trace: which are the largest, why is it zero, through which units, which samples.

Each question is one module with a function from a trace to an answer, a frozen dataclass that says
itself as text and as JSON. A new question is a new module, and a method on `Trace` that calls it.
"""

from chainrule.explanation.questions.answer import Answer as Answer
from chainrule.explanation.questions.cause import WhyZero as WhyZero
from chainrule.explanation.questions.largest import Largest as Largest
from chainrule.explanation.questions.path import Paths as Paths
from chainrule.explanation.questions.samples import Samples as Samples
from chainrule.explanation.questions.update import Update as Update
