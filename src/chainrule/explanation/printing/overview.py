"""A trace at a glance: every value that has a name, and how to open one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.base.harmless import plain
from chainrule.explanation.explanation import Explanation
from chainrule.explanation.printing.digits import number
from chainrule.explanation.printing.report import in_python, name_to_type
from chainrule.explanation.printing.text import Line, Opening, lay_out, wrap
from chainrule.explanation.symbols import NEXT, aliases_of, describe
from chainrule.explanation.trace import Array, Place, Trace
from chainrule.graph import format_shape


@dataclass(frozen=True)
class Overview:
    """The values of a step that have a name.

    Parameters
    ----------
    trace : Trace
    rows : list of Row
    """

    trace: Trace
    rows: list[Row]

    @property
    def title(self) -> str:
        """Which step of what."""
        about = self.trace.about
        batch = "one example" if len(about.rows) == 1 else f"{len(about.rows)} examples"
        return f"Update {about.step}: {batch}, loss {number(_loss(self.trace))}"

    @property
    def made_of(self) -> list[str]:
        """What the step is made of, and what computed it."""
        about = self.trace.about
        network = " ".join(about.network.split())
        return [network, f"{about.loss}, {about.optimizer}", f"computed by {about.computed_by}"]

    @property
    def suggestions(self) -> list[Explanation]:
        """What to open first: the weight of the largest gradient, an output, the loss."""
        trace = self.trace
        chosen = [row for row in self.rows if row.gradient is not None and row.is_parameter]
        found = []
        if chosen:
            largest = max(chosen, key=lambda row: np.nan_to_num(row.gradient or 0.0, nan=np.inf))
            gradient = trace.values[trace.graph.positions[f"d_{largest.name}"]]
            flat = int(np.argmax(np.nan_to_num(np.abs(gradient), nan=np.inf)))
            index = tuple(int(i) for i in np.unravel_index(flat, gradient.shape))
            found.append(Place(trace.graph.positions[largest.name], index))
        outputs = [i for i, node in enumerate(trace.graph.nodes) if _is_output(trace, i)]
        if outputs:
            last = outputs[-1]
            found.append(Place(last, tuple(0 for _ in trace.graph.nodes[last].shape)))
        if "loss" in trace.graph.labels:
            found.append(Place(trace.graph.find("loss"), ()))
        return [trace[(trace.graph.name_of(p.node), *p.index)] for p in found]


@dataclass(frozen=True)
class Row:
    """One value.

    Parameters
    ----------
    name, alias : str
        The canonical name and the textbook's, empty where there is none.
    what : str
        What it is, in words.
    is_of_the_books : bool
        Whether it is no number that a gradient flows through: a seed, a state of the optimiser.
    shape : str
    value, gradient : float or None
        The largest size in it, and in the gradient of the loss by it.
    own : tuple of str
        Names of single numbers in it.
    is_parameter : bool
        Whether the update changes it.
    """

    name: str
    alias: str
    what: str
    is_of_the_books: bool
    shape: str
    value: float | None
    gradient: float | None
    own: tuple[str, ...] = ()
    is_parameter: bool = False

    @property
    def names(self) -> list[str]:
        """What else it is called, or numbers in it are, each once."""
        return list(dict.fromkeys(name for name in (self.alias, *self.own) if name))


def overview_of(trace: Trace) -> Overview:
    """Return what there is to open in a trace: data, parameters and what each layer gave."""
    graph = trace.graph
    aliases = aliases_of(trace)
    own: dict[int, set[str]] = {}
    for place, name_of_its_own in trace.names_of_places.items():
        own.setdefault(place.node, set()).add(name_of_its_own)
    rows = []
    for i, node in enumerate(graph.nodes):
        name = node.name
        if name is None or name.startswith(("d_", NEXT)) or "%" in name:
            continue
        gradient = graph.positions.get(f"d_{name}")
        is_loss = graph.labels.get("loss") == i
        rows.append(
            Row(
                name,
                aliases.get(name, ""),
                describe(trace, Place(i, ())),
                ":" in name or (node.op == "input" and not node.dtype.is_float),
                format_shape(node.shape),
                _largest(trace.values[i]),
                None if gradient is None or is_loss else _largest(trace.values[gradient]),
                tuple(sorted(own.get(i, ()))),
                NEXT + name in graph.positions,
            )
        )
    # What keeps the books comes last: the optimiser's state, seeds, row numbers.
    return Overview(trace, sorted(rows, key=lambda row: row.is_of_the_books))


def lines_of_overview(overview: Overview, width: int, opening: Opening = in_python) -> list[Line]:
    """The lines of an overview, none longer than `width`."""
    trace = overview.trace
    lines: list[Line] = []

    def say(text: str, style: str = "", indent: int = 0) -> None:
        for k, piece in enumerate(wrap(plain(text), width, width - indent)):
            lines.append(Line(((" " * (indent if k else 0) + piece, style),)))

    if trace.notice:
        say(f"{trace.notice}.", "bold red")
        lines.append(Line())
    say(overview.title, "bold")
    for text in overview.made_of:
        say(text, "dim", 2)
    lines.append(Line())
    cells = [["value", "shape", "largest |value|", "|gradient|", "names"]]
    for row in overview.rows:
        names = ", ".join(row.names)
        cells.append(
            [plain(row.name), row.shape, _shown(row.value), _shown(row.gradient), plain(names)]
        )
    lines.extend(lay_out(cells, width, right=(2, 3)))
    lines.append(Line())
    say("Open any number by its name, or by the name of its value and its index:")
    for suggested in overview.suggestions:
        say(f"  {opening(suggested)}", "", 4)
    return lines


def overview_as_data(overview: Overview) -> dict[str, Any]:
    """An overview as plain data."""
    from chainrule.explanation.printing.document import plain_number

    about = overview.trace.about
    return {
        "format": "chainrule overview",
        "version": 1,
        "notice": overview.trace.notice,
        "step": {"number": about.step, "epoch": about.epoch, "rows": list(about.rows)},
        "network": about.network,
        "loss": about.loss,
        "optimizer": about.optimizer,
        "computed_by": about.computed_by,
        "values": [
            {
                "name": row.name,
                "alias": row.alias or None,
                "what": row.what,
                "shape": row.shape,
                "largest": plain_number(row.value),
                "largest_gradient": plain_number(row.gradient),
                "names": list(row.own),
            }
            for row in overview.rows
        ],
        "suggestions": [name_to_type(each) for each in overview.suggestions],
    }


def _largest(array: Array) -> float | None:
    if not array.size or array.dtype.kind not in "fiu":
        return None
    sizes = np.abs(np.asarray(array, np.float64))
    return float("nan") if np.isnan(sizes).any() else float(sizes.max())


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _loss(trace: Trace) -> float:
    position = trace.graph.labels.get("loss")
    return float("nan") if position is None else float(trace.values[position])


def _is_output(trace: Trace, position: int) -> bool:
    name = trace.graph.nodes[position].name or ""
    return name.endswith(".out") and not name.startswith("d_")
