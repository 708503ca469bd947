"""The mistakes, by the part of the step that they are made in; those made most often first.

A new mistake is one decorated function in the file of its family; a new family, one line here.
"""

from chainrule.explanation.checking.mistakes import derivatives as derivatives
from chainrule.explanation.checking.mistakes import factors as factors
