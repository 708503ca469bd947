"""Losses: one cost per example; one reducer makes the batch's loss of them.

A loss is added as one registered class in the file of its family, as in `distances.py`. What
targets may hold is checked in `targets.py`, what losses are made with in `options.py`; losses of
classes share `classes.py`.
"""

from chainrule.nn.losses.binary import *
from chainrule.nn.losses.classification import *
from chainrule.nn.losses.distances import *
from chainrule.nn.losses.embeddings import *
from chainrule.nn.losses.focal import *
from chainrule.nn.losses.likelihoods import *
from chainrule.nn.losses.loss import LOSSES as LOSSES
from chainrule.nn.losses.loss import Loss as Loss
from chainrule.nn.losses.loss import as_loss as as_loss
from chainrule.nn.losses.loss import weighted_mean as weighted_mean
from chainrule.nn.losses.margins import *
