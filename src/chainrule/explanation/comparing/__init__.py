"""Comparing two steps: where they part, what follows from it, and which mistake would explain it.

A side is a trace, a run, or a torch module (`torch_trace`, by its hooks). A mistake of a port that
is named is one hypothesis in `hypotheses`: a rule that is tried on the numbers of one side.
"""
