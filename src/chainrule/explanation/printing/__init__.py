"""Explanations for people: text, LaTeX, notebooks, JSON.

All read one `report`. A surface is one module; none computes anything.
"""
