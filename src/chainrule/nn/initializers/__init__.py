"""How parameters start: functions of (shape, seed, path), the same numbers on every machine.

An initialiser is added as one registered class, in the file of its family, and named nowhere else.
"""

from chainrule.base.front_door import show_definitions
from chainrule.nn.initializers import files, matrices, plain, scaled
from chainrule.nn.initializers.files import *
from chainrule.nn.initializers.matrices import *
from chainrule.nn.initializers.plain import *
from chainrule.nn.initializers.scaled import *

show_definitions(globals(), files, matrices, plain, scaled)

from chainrule.nn.initializers.gains import calculate_gain as calculate_gain
from chainrule.nn.initializers.rule import INITIALIZERS as INITIALIZERS
from chainrule.nn.initializers.rule import Initializer as Initializer
from chainrule.nn.initializers.rule import as_initializer as as_initializer
