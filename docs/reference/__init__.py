"""The reference: one page for each part, read from its declaration and its docstring.

`python -m docs.reference [folder]` writes a static site: HTML, SVG and one style sheet. Nothing on
a page is typed here: a formula is a printed expression, a derivative the one that the backward pass
uses, an update the traced rule, a figure what tests hold. A kind of part is added in `kinds.py`.

Read `kinds.py` first, then `ops.py`, whose pages have the most to say.
"""
