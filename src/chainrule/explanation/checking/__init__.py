"""check: which mistake explains a learner's numbers.

A step is taken apart (`anatomy`, `roles`), changed by a mistake (`mistake`, `draft`), and what
comes of it is compared with what was written (`submission`, `entry`, `search`). A new mistake is
one function in `mistakes`.
"""
