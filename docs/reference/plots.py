"""Plots as SVG files that follow the reader's light or dark theme."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure as Drawing
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

# Drawn in these, which then give way to variables of the style sheet in the file.
_INK, _QUIET, _FIRST, _SECOND, _THIRD = "#010101", "#020202", "#030303", "#040404", "#050505"
_CURVES = ((_FIRST, "-"), (_SECOND, (0, (4, 2))), (_THIRD, (0, (1, 1.5))))
_THEME = """<style>
:root { --ink: #1b1f24; --quiet: #c4cad1; --first: #0b5cad; --second: #b3400b; --third: #2f7a34 }
@media (prefers-color-scheme: dark) {
:root { --ink: #e3e7eb; --quiet: #4a525c; --first: #6cb2f7; --second: #f39a63; --third: #84cf88 }
}
</style>"""
_VARIABLES = {
    _INK: "var(--ink)",
    _QUIET: "var(--quiet)",
    _FIRST: "var(--first)",
    _SECOND: "var(--second)",
    _THIRD: "var(--third)",
}
_TALLEST = 6.0  # a function that leaves ±6 within the plot is cut off there


@dataclass(frozen=True)
class Curve:
    """A line through points; NaN interrupts it.

    Parameters
    ----------
    label : str
    y : array of shape (N,)
    """

    label: str
    y: Numbers


@dataclass(frozen=True)
class Plot:
    """Curves over one axis.

    Parameters
    ----------
    name : str
        The file's name, without its ending.
    alternative : str
        What it shows, for those who cannot see it.
    caption : str
        What else was given: the other operands, the options.
    axis : str
        The name of the horizontal axis.
    x : array of shape (N,)
    curves : sequence of Curve
    points : sequence of (float, float), optional
        Marked: values at jumps.
    steps : bool
        Whether values hold from one whole number to the next.
    """

    name: str
    alternative: str
    caption: str
    axis: str
    x: Numbers
    curves: Sequence[Curve]
    points: Sequence[tuple[float, float]] = ()
    steps: bool = False


def svg(plot: Plot) -> str:
    """Draw a plot as an SVG document; the same text each time."""
    with rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": plot.name, "font.family": "sans-serif"}
    ):
        drawing = Drawing(figsize=(4.0, 2.6), layout="constrained")
        _draw(drawing, plot)
        written = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        drawing.savefig(written, format="svg", metadata=nothing)
    text = written.getvalue()
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    text = re.sub(r"<\?xml.*?\?>\s*<!DOCTYPE.*?>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font: \1px system-ui, sans-serif", text)
    return re.sub(r"(<svg\b[^>]*>)", rf"\1\n{_THEME}", text, count=1)


def _draw(drawing: Drawing, plot: Plot) -> None:
    axes = drawing.add_subplot()
    drawing.patch.set_visible(False)
    axes.patch.set_visible(False)
    for curve, (colour, dashes) in zip(plot.curves, _CURVES, strict=False):
        style = "steps-post" if plot.steps else "default"
        axes.plot(
            plot.x, curve.y, label=curve.label, color=colour, linestyle=dashes, drawstyle=style
        )
    for x, y in plot.points:
        axes.plot(x, y, "o", color=_SECOND, markersize=4.5)
    axes.set_ylim(*_limits(plot))
    axes.set_xlim(float(plot.x[0]), float(plot.x[-1]))
    axes.set_xlabel(plot.axis, color=_INK)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(_INK)
    axes.tick_params(colors=_INK)
    axes.grid(color=_QUIET, linewidth=0.6)
    axes.set_axisbelow(True)
    if len(plot.curves) > 1 or plot.curves[0].label:
        drawing.legend(
            loc="outside upper left",
            ncols=3,
            frameon=False,
            labelcolor=_INK,
            handlelength=2.4,
            borderpad=0.0,
        )


def _limits(plot: Plot) -> tuple[float, float]:
    every = np.concatenate([curve.y[np.isfinite(curve.y)] for curve in plot.curves])
    every = np.append(every, [y for _, y in plot.points])
    low, high = float(every.min()), float(every.max())
    if high - low > 2 * _TALLEST and not plot.steps:
        low, high = max(low, -_TALLEST), min(high, _TALLEST)
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin
