"""The mistakes, by the part of the step that they are made in.

A new mistake is one decorated function in the file of its family; a new family, one line here.
What is numerically equal is listed in this order: the mistakes that are made most often come first.
"""
# ruff: noqa: I001 - the order means something

from chainrule.explanation.checking.mistake import MISTAKES as MISTAKES
from chainrule.explanation.checking.mistakes import derivatives as derivatives
from chainrule.explanation.checking.mistakes import costs as costs
from chainrule.explanation.checking.mistakes import factors as factors
from chainrule.explanation.checking.mistakes import errors as errors
from chainrule.explanation.checking.mistakes import weighting as weighting
from chainrule.explanation.checking.mistakes import sums as sums
from chainrule.explanation.checking.mistakes import biases as biases
from chainrule.explanation.checking.mistakes import weights as weights
from chainrule.explanation.checking.mistakes import masks as masks
from chainrule.explanation.checking.mistakes import rows as rows
from chainrule.explanation.checking.mistakes import forward as forward
from chainrule.explanation.checking.mistakes import normalization as normalization
from chainrule.explanation.checking.mistakes import dropout as dropout
from chainrule.explanation.checking.mistakes import regularization as regularization
from chainrule.explanation.checking.mistakes import updates as updates
from chainrule.explanation.checking.mistakes import averages as averages
from chainrule.explanation.checking.mistakes import clipping as clipping
from chainrule.explanation.checking.mistakes import batches as batches
from chainrule.explanation.checking.mistakes import storage as storage
