"""Networks: modules, activations, losses, initialisers, all compositions of ops.

May import `eager` and everything below. A layer is added as one registered class, in a file of its
family (`layers.py`, `normalization.py`, `containers.py` ...), an activation in `activations.py`,
`rectifiers.py` or `gates.py`, a loss in the folder `losses`, an initialiser in the folder
`initializers`, a metric in the folder `metrics`, and named nowhere else: this front door shows what
is registered; files, the command line and the documentation read the registries. To see how a
network is called, read `module.py`, then `calling.py`.
"""

from chainrule.base.front_door import show_registered
from chainrule.nn.activations import *
from chainrule.nn.batch_norm import *
from chainrule.nn.boltzmann import *
from chainrule.nn.branches import *
from chainrule.nn.containers import *
from chainrule.nn.dropout import *
from chainrule.nn.embedding import *
from chainrule.nn.gates import *
from chainrule.nn.layers import *
from chainrule.nn.losses import *
from chainrule.nn.losses import LOSSES as LOSSES
from chainrule.nn.module import LAYERS as LAYERS
from chainrule.nn.normalization import *
from chainrule.nn.penalties import *
from chainrule.nn.penalties import PENALTIES as PENALTIES
from chainrule.nn.rectifiers import *

show_registered(globals(), LAYERS, LOSSES, PENALTIES)

import chainrule.nn.initializers as init  # noqa: F401 - torch's name for the module
from chainrule.nn.activations import Activation as Activation
from chainrule.nn.activations import ElementwiseActivation as ElementwiseActivation
from chainrule.nn.evaluation import confusion_matrix as confusion_matrix
from chainrule.nn.evaluation import evaluate as evaluate
from chainrule.nn.evaluation import predict as predict
from chainrule.nn.initializers import INITIALIZERS as INITIALIZERS
from chainrule.nn.losses import Loss as Loss
from chainrule.nn.losses import as_loss as as_loss
from chainrule.nn.losses import weighted_mean as weighted_mean
from chainrule.nn.metrics import METRICS as METRICS
from chainrule.nn.metrics import make_metric as make_metric
from chainrule.nn.mode import training as training
from chainrule.nn.module import Module as Module
from chainrule.nn.parameter import Buffer as Buffer
from chainrule.nn.parameter import Parameter as Parameter
from chainrule.nn.parameter import Variable as Variable
from chainrule.nn.penalties import Penalty as Penalty
from chainrule.nn.pretrained import load_pretrained as load_pretrained
from chainrule.nn.reachable import check_reachable as check_reachable
from chainrule.nn.saving import load as load
from chainrule.nn.saving import save as save
from chainrule.nn.textbook import textbook_aliases as textbook_aliases
