"""How things look: colours that everybody can tell apart, in light and in dark; shapes and dashes.

The colours are those of Okabe and Ito (2008), which people who see colours differently tell apart,
with pale ones of the same hue for what is inside. No meaning hangs on a colour alone: each look
has its shape or its dash, too. Colours are custom properties of CSS, so that a page can replace
them; each element also has the light ones as attributes, for programs that know no CSS.
"""

from __future__ import annotations

from dataclasses import dataclass

INK = {  # name: light, dark
    "paper": ("#ffffff", "#15181d"),
    "ink": ("#1b1f24", "#eceff3"),
    "muted": ("#57606a", "#a6b0bb"),
    "line": ("#7b858f", "#8b96a3"),
    "grey": ("#8c959f", "#78838f"),
    "grey-pale": ("#f3f5f7", "#262c34"),
    "blue": ("#0072b2", "#56b4e9"),
    "blue-pale": ("#e4f1f9", "#12324a"),
    "vermillion": ("#d55e00", "#f0883e"),
    "vermillion-pale": ("#fdeee2", "#45260f"),
    "green": ("#009e73", "#2fc08f"),
    "green-pale": ("#e1f4ee", "#0d362b"),
    "purple": ("#b0508a", "#df96c0"),
    "purple-pale": ("#f9ecf4", "#412a39"),
}
"""Colours by name, on light and on dark paper."""


@dataclass(frozen=True)
class Look:
    """How a box looks.

    Parameters
    ----------
    colour : str
        Of its outline; a name in `INK`.
    inside : str
    shape : str
        ``rounded``, ``square``, ``pill`` (half circles at its ends), ``cut`` (its corners cut off)
        or ``stack`` (others behind it).
    dash : str
        Of its outline.
    width : float
        Of its outline.
    meaning : str
        What it says, for descriptions.
    """

    colour: str
    inside: str
    shape: str = "rounded"
    dash: str = ""
    width: float = 1.5
    meaning: str = ""


LOOKS = {
    "plain": Look("line", "paper"),
    "input": Look("ink", "paper", "pill", meaning="what comes in"),
    "parameter": Look("purple", "purple-pale", "square", meaning="parameter"),
    "forward": Look("blue", "blue-pale", meaning="forward"),
    "backward": Look("vermillion", "vermillion-pale", "cut", "5 3", meaning="backward"),
    "update": Look("green", "green-pale", "square", "2 2", meaning="update"),
    "moved": Look("grey", "grey-pale", "pill", width=1.0, meaning="the same numbers, moved"),
    "moved-back": Look("vermillion", "paper", "pill", "5 3", 1.0, "the same, backward"),
    "literal": Look("grey", "paper", "square", width=1.0, meaning="a number in the code"),
    "collapsed-update": Look("green", "green-pale", "stack", "2 2", meaning="updates, collapsed"),
    "collapsed": Look("line", "grey-pale", "stack", meaning="a module, collapsed"),
}
"""Looks of boxes by name."""


@dataclass(frozen=True)
class Stroke:
    """How an edge looks.

    Parameters
    ----------
    colour : str
    dash : str
    width : float
    """

    colour: str
    dash: str = ""
    width: float = 1.4


STROKES = {
    "plain": Stroke("line"),
    "forward": Stroke("blue"),
    "backward": Stroke("vermillion", "5 3"),
    "update": Stroke("green", "2 2"),
    "parameter": Stroke("purple", width=1.2),
    "faint": Stroke("grey", width=1.0),
    "positive": Stroke("blue"),
    "negative": Stroke("vermillion", "5 3"),
}
"""Looks of edges by name."""

FONT = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"

Style = dict[str, str]
"""Properties of CSS that are attributes of SVG, too; colours by their names in `INK`."""


def _styles() -> dict[str, Style]:
    styles: dict[str, Style] = {
        "paper": {"fill": "paper"},
        "cluster": {"fill": "ink", "fill-opacity": "0.035", "stroke": "grey", "stroke-width": "1"},
        "label": {
            "fill": "muted",
            "font-size": "12",
            "font-weight": "600",
            # Edges may pass behind it.
            "stroke": "paper",
            "stroke-width": "4",
            "paint-order": "stroke",
        },
        "name": {"fill": "ink", "font-size": "13", "font-weight": "600"},
        "small": {"fill": "muted", "font-size": "11"},
        "value": {"fill": "ink", "font-size": "11"},
        "dot": {"fill": "muted"},
        "curve": {"fill": "none", "stroke": "ink", "stroke-width": "1.6"},
        "neuron": {"fill": "blue-pale", "stroke": "blue", "stroke-width": "1.6"},
        "entry": {"fill": "paper", "stroke": "ink", "stroke-width": "1.6"},
        "bias": {"fill": "paper", "stroke": "grey", "stroke-width": "1.4"},
    }
    for name, look in LOOKS.items():
        styles[f"box-{name}"] = {
            "fill": look.inside,
            "stroke": look.colour,
            "stroke-width": f"{look.width:g}",
            **({"stroke-dasharray": look.dash} if look.dash else {}),
        }
    for name, stroke in STROKES.items():
        styles[f"edge-{name}"] = {
            "fill": "none",
            "stroke": stroke.colour,
            "stroke-width": f"{stroke.width:g}",
            **({"stroke-dasharray": stroke.dash} if stroke.dash else {}),
        }
        styles[f"head-{name}"] = {"fill": stroke.colour, "stroke": "none"}
    return styles


STYLES = _styles()
"""Every class of the pictures, without its prefix."""

ROOT_CLASS, PREFIX = "chainrule-diagram", "cr-"


def attributes_of(name: str) -> Style:
    """The attributes of a class on light paper, and the class itself."""
    style = {key: INK[value][0] if value in INK else value for key, value in STYLES[name].items()}
    return {"class": PREFIX + name, **style}


def style_sheet(used: set[str]) -> str:
    """CSS for these classes: the colours, light and dark, and the paper they are on."""
    rules = []
    for name in sorted(used):
        # Only colours: the rest is the same in light and dark, and stands in the attributes.
        colours = [
            f"{key}:var(--{PREFIX}{value})" for key, value in STYLES[name].items() if value in INK
        ]
        if colours:
            rules.append(f".{PREFIX}{name}{{{';'.join(colours)}}}")
    needed = {value for name in used for value in STYLES[name].values() if value in INK}
    light, dark = (
        ";".join(f"--{PREFIX}{name}:{INK[name][i]}" for name in INK if name in needed)
        for i in (0, 1)
    )
    return "\n".join(
        [
            f".{ROOT_CLASS}{{max-width:100%;height:auto;{light}}}",
            f"@media (prefers-color-scheme:dark){{.{ROOT_CLASS}{{{dark}}}}}",
            *rules,
        ]
    )
