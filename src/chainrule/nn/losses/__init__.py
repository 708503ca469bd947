"""Losses: one cost per example; one reducer makes the batch's loss of them.

A loss is added as one registered class in the file of its family, as in `distances.py`.
"""

from chainrule.nn.losses.classification import *
from chainrule.nn.losses.distances import *
from chainrule.nn.losses.loss import LOSSES as LOSSES
from chainrule.nn.losses.loss import Loss as Loss
from chainrule.nn.losses.loss import as_loss as as_loss
from chainrule.nn.losses.loss import weighted_mean as weighted_mean
