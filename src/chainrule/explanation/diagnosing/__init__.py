"""The doctor: what is wrong with a training, where it began, and what to change.

Evidence is gathered once (`case`, `evidence` and what they read from: `units`, `trials`,
`neighbours`); rules read it. A new rule is one function in a file of `rules`, declared by `rule`
with its name, its severity, what it looks for, what to do, and which other findings it explains.
"""

from chainrule.explanation.diagnosing.callback import Doctor as Doctor
from chainrule.explanation.diagnosing.doctor import doctor as doctor
from chainrule.explanation.diagnosing.finding import Diagnosis as Diagnosis
from chainrule.explanation.diagnosing.finding import Finding as Finding
from chainrule.explanation.diagnosing.rule import RULES as RULES
