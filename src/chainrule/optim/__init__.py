"""Optimisers and schedules: how parameters follow their gradients, and how fast.

May import `eager` and everything below. An optimiser is added as one registered class in a file of
its own, as `sgd.py` is: its options are the fields, its method is a rule for one parameter,
written in ops, so that it is traced into the training step, compiled and explained. A schedule is
added as one registered class beside those of its family, as in `schedules.py`. This front door
shows what is registered; the command line, run folders and the documentation read the registries.
"""

from chainrule.base.front_door import show_registered
from chainrule.optim.adadelta import *
from chainrule.optim.adagrad import *
from chainrule.optim.adam import *
from chainrule.optim.adamax import *
from chainrule.optim.adamw import *
from chainrule.optim.asgd import *
from chainrule.optim.chained import *
from chainrule.optim.cosine import *
from chainrule.optim.cyclic import *
from chainrule.optim.lbfgs import *
from chainrule.optim.lbfgs import MINIMIZERS as MINIMIZERS
from chainrule.optim.lion import *
from chainrule.optim.muon import *
from chainrule.optim.nadam import *
from chainrule.optim.optimizer import OPTIMIZERS as OPTIMIZERS
from chainrule.optim.plateau import *
from chainrule.optim.radam import *
from chainrule.optim.rmsprop import *
from chainrule.optim.rprop import *
from chainrule.optim.schedule import SCHEDULES as SCHEDULES
from chainrule.optim.schedules import *
from chainrule.optim.sgd import *

show_registered(globals(), OPTIMIZERS, MINIMIZERS, SCHEDULES)

from chainrule.optim.lambdas import LambdaLR as LambdaLR
from chainrule.optim.lambdas import MultiplicativeLR as MultiplicativeLR
from chainrule.optim.lbfgs import Minimum as Minimum
from chainrule.optim.optimizer import Optimizer as Optimizer
from chainrule.optim.schedule import Schedule as Schedule
