"""Training: the step as a graph, the loop over it, the run that can be replayed.

May import `nn`, `optim`, `data` and everything below. A callback is added in `callbacks.py`, a kind
of data in `sources.py`; what an update computes is written in `step.py` and nowhere else.
"""

from chainrule.train.callbacks import CALLBACKS as CALLBACKS
from chainrule.train.callbacks import Callback as Callback
from chainrule.train.callbacks import EarlyStopping as EarlyStopping
from chainrule.train.callbacks import LambdaCallback as LambdaCallback
from chainrule.train.callbacks import StopOnPlateau as StopOnPlateau
from chainrule.train.fit import fit as fit
from chainrule.train.history import History as History
from chainrule.train.resume import ReplayWarning as ReplayWarning
from chainrule.train.resume import load_run as load_run
from chainrule.train.resume import resume as resume
from chainrule.train.run import Moment as Moment
from chainrule.train.run import Run as Run
from chainrule.train.setup import BackendWarning as BackendWarning
