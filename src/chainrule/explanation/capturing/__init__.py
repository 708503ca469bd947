"""Getting a trace and keeping it: of a network, a run, an update of several batches, in files.

Reads `train` and the trace itself; what opens numbers is beside it, not below.
"""
