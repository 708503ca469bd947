"""Networks: modules, activations, losses, initialisers, all compositions of ops.

May import `eager` and everything below. A layer is added as one registered class, in a file of its
family (`layers.py`, `normalization.py` ...), an activation in `activations.py`, a loss in
`losses.py`, a metric in `metrics.py`, an initialiser in `initializers.py`; files, the command line
and the documentation read the registries. To see how a network is called, read `module.py`, then
`calling.py`.
"""

import chainrule.nn.initializers as init  # noqa: F401 - torch's name for the module
from chainrule.nn.activations import Activation as Activation
from chainrule.nn.activations import ElementwiseActivation as ElementwiseActivation
from chainrule.nn.activations import LeakyReLU as LeakyReLU
from chainrule.nn.activations import ReLU as ReLU
from chainrule.nn.activations import Sigmoid as Sigmoid
from chainrule.nn.activations import Softmax as Softmax
from chainrule.nn.activations import Softplus as Softplus
from chainrule.nn.activations import Tanh as Tanh
from chainrule.nn.dropout import Dropout as Dropout
from chainrule.nn.evaluation import evaluate as evaluate
from chainrule.nn.evaluation import predict as predict
from chainrule.nn.initializers import INITIALIZERS as INITIALIZERS
from chainrule.nn.layers import Flatten as Flatten
from chainrule.nn.layers import Linear as Linear
from chainrule.nn.layers import Sequential as Sequential
from chainrule.nn.losses import LOSSES as LOSSES
from chainrule.nn.losses import BCEWithLogitsLoss as BCEWithLogitsLoss
from chainrule.nn.losses import CrossEntropyLoss as CrossEntropyLoss
from chainrule.nn.losses import Loss as Loss
from chainrule.nn.losses import MSELoss as MSELoss
from chainrule.nn.losses import QuadraticLoss as QuadraticLoss
from chainrule.nn.losses import as_loss as as_loss
from chainrule.nn.losses import weighted_mean as weighted_mean
from chainrule.nn.metrics import METRICS as METRICS
from chainrule.nn.metrics import make_metric as make_metric
from chainrule.nn.mode import training as training
from chainrule.nn.module import LAYERS as LAYERS
from chainrule.nn.module import Module as Module
from chainrule.nn.normalization import BatchNorm1d as BatchNorm1d
from chainrule.nn.parameter import Buffer as Buffer
from chainrule.nn.parameter import Parameter as Parameter
from chainrule.nn.parameter import Variable as Variable
from chainrule.nn.reachable import check_reachable as check_reachable
from chainrule.nn.saving import load as load
from chainrule.nn.saving import save as save
from chainrule.nn.textbook import textbook_aliases as textbook_aliases
