"""Explanations: any number that training produced, opened into what it was computed from.

May import `train` and everything below. A trace is data (`trace`), captured and kept in `capturing`
and read by every surface. What an element is made of is read off `Op.terms` (`expansion`, `forms`,
`rules`): a new op needs nothing here. A caption on a pattern (BP1 ...) is one function in
`captions`; a proof, one in `proofs`. A question on a trace is one module of `questions`; a surface
(text, LaTeX, notebook), one of `printing`; the HTML file is made in `page`. Two steps are compared
in `comparing`; what may explain a difference is one function in its `hypotheses`. What is wrong
with a training is told in `diagnosing`, by one function for each disease in its `rules`. A step
for paper, its key and points for answers are in `exercises`.
"""

from chainrule.explanation.capturing.capture import explain as explain
from chainrule.explanation.capturing.file import load_trace as load_trace
from chainrule.explanation.checking.check import check as check
from chainrule.explanation.checking.functions.check_function import (
    check_function as check_function,
)
from chainrule.explanation.checking.functions.report import FunctionCheck as FunctionCheck
from chainrule.explanation.checking.verdict import Check as Check
from chainrule.explanation.comparing.difference import Diff as Diff
from chainrule.explanation.comparing.difference import Difference as Difference
from chainrule.explanation.comparing.diffing import diff as diff
from chainrule.explanation.comparing.torch_trace import TorchTrace as TorchTrace
from chainrule.explanation.comparing.torch_trace import trace_torch as trace_torch
from chainrule.explanation.diagnosing import Diagnosis as Diagnosis
from chainrule.explanation.diagnosing import Doctor as Doctor
from chainrule.explanation.diagnosing import Finding as Finding
from chainrule.explanation.diagnosing import doctor as doctor
from chainrule.explanation.exercises.exercise import Exercise as Exercise
from chainrule.explanation.exercises.exercise import exercise as exercise
from chainrule.explanation.exercises.grades import Grade as Grade
from chainrule.explanation.exercises.grades import Grades as Grades
from chainrule.explanation.exercises.grading import grade as grade
from chainrule.explanation.explanation import Explanation as Explanation
from chainrule.explanation.explanation import Term as Term
from chainrule.explanation.trace import About as About
from chainrule.explanation.trace import Trace as Trace
