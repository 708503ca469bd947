"""Optimisers and schedules: how parameters follow their gradients, and how fast.

May import `eager` and everything below. An optimiser is added as one registered class in a file of
its own, as `sgd.py` is: its options are the fields, its method is a rule for one parameter,
written in ops, so that it is traced into the training step, compiled and explained. A schedule is
added as one registered class beside those of its family, as in `schedules.py`. The command line,
run folders and the documentation read the registries.
"""

from chainrule.optim.adadelta import Adadelta as Adadelta
from chainrule.optim.adagrad import Adagrad as Adagrad
from chainrule.optim.adam import Adam as Adam
from chainrule.optim.adamax import Adamax as Adamax
from chainrule.optim.adamw import AdamW as AdamW
from chainrule.optim.asgd import ASGD as ASGD
from chainrule.optim.chained import ChainedScheduler as ChainedScheduler
from chainrule.optim.chained import SequentialLR as SequentialLR
from chainrule.optim.cosine import CosineAnnealingLR as CosineAnnealingLR
from chainrule.optim.cosine import CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts
from chainrule.optim.cyclic import CyclicLR as CyclicLR
from chainrule.optim.cyclic import OneCycleLR as OneCycleLR
from chainrule.optim.lambdas import LambdaLR as LambdaLR
from chainrule.optim.lambdas import MultiplicativeLR as MultiplicativeLR
from chainrule.optim.lbfgs import LBFGS as LBFGS
from chainrule.optim.lbfgs import MINIMIZERS as MINIMIZERS
from chainrule.optim.lbfgs import Minimum as Minimum
from chainrule.optim.lion import Lion as Lion
from chainrule.optim.muon import Muon as Muon
from chainrule.optim.nadam import NAdam as NAdam
from chainrule.optim.optimizer import OPTIMIZERS as OPTIMIZERS
from chainrule.optim.optimizer import Optimizer as Optimizer
from chainrule.optim.plateau import ReduceLROnPlateau as ReduceLROnPlateau
from chainrule.optim.radam import RAdam as RAdam
from chainrule.optim.rmsprop import RMSprop as RMSprop
from chainrule.optim.rprop import Rprop as Rprop
from chainrule.optim.schedule import SCHEDULES as SCHEDULES
from chainrule.optim.schedule import Schedule as Schedule
from chainrule.optim.schedules import ExponentialLR as ExponentialLR
from chainrule.optim.schedules import LinearLR as LinearLR
from chainrule.optim.schedules import MultiStepLR as MultiStepLR
from chainrule.optim.schedules import PolynomialLR as PolynomialLR
from chainrule.optim.schedules import StepLR as StepLR
from chainrule.optim.sgd import SGD as SGD
