"""check_function: a learner's own backpropagation, called on networks until it fails.

It runs in a process of its own (`apart`), is given a network in the form it wants and gives
gradients in the form it has (`conventions`), on small networks first (`cases`).
"""
