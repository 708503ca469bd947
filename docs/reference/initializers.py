"""Pages of initialisers: what they draw, for one weight."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from chainrule.nn.initializers import Initializer
from docs.reference.content import Block, Figure, Link, Linker, Page, Section, Table, paragraph
from docs.reference.docstrings import docstring_of
from docs.reference.plots import Curve, Plot
from docs.reference.text import page_of
from docs.reference.values import written

_SHAPE = (256, 128)  # of a layer from 128 numbers to 256
_REQUIRED = 0.5  # for a number without which nothing can be drawn
_BINS = 60


def initializer_page(link: Link, rule: Any, linker: Linker) -> Page:
    """The numbers that it draws, their distribution, text."""
    sources = docstring_of(rule).sources
    return page_of(
        link,
        "Initialiser",
        rule,
        linker,
        (
            Section("drawn", "What it draws", _drawn(link.name, *_made(rule))),
            Section("source", "Source", [paragraph(f"{source}.") for source in sources]),
        ),
    )


def _made(rule: Any) -> tuple[Initializer, str]:
    """An initialiser with its defaults, and how it is made."""
    required = {
        name: _REQUIRED
        for name, parameter in inspect.signature(rule).parameters.items()
        if parameter.default is parameter.empty
    }
    arguments = ", ".join(f"{name}={value}" for name, value in required.items())
    return rule(**required), f"{rule.__name__}({arguments})"


def _drawn(name: str, initializer: Initializer, how: str) -> list[Block]:
    numbers = initializer(_SHAPE, 0, "weight")
    facts = {
        "mean": numbers.mean(),
        "standard deviation": numbers.std(),
        "smallest": numbers.min(),
        "largest": numbers.max(),
    }
    counts, edges = np.histogram(numbers, bins=_BINS)
    shares = np.append(counts, counts[-1]) / numbers.size
    shape = f"[{_SHAPE[0]},{_SHAPE[1]}]"
    return [
        paragraph(f"{how} for a weight of shape {shape}, with the seed 0:"),
        Table(["", ""], [[key, written(float(value))] for key, value in facts.items()], "Drawn"),
        Figure(
            Plot(
                name=name,
                alternative="How the numbers drawn are distributed",
                caption=f"The share of the numbers in each of {_BINS} intervals.",
                axis="number drawn",
                x=edges,
                curves=(Curve("", shares),),
                steps=True,
            )
        ),
    ]
