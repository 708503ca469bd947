"""The reference backend: one NumPy kernel per primitive and structural op.

Add a kernel in `kernels.py`; the conformance suite lists those that are missing.
"""

from chainrule.backends.numpy.backend import BACKEND as BACKEND
from chainrule.backends.numpy.kernels import KERNELS as KERNELS
