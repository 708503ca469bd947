"""Pages of schedules: the learning rate over what is counted, in the docstring's example."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.base.errors import ChainruleError
from chainrule.optim import Schedule
from chainrule.optim.options import Configured
from docs.reference.content import Block, Figure, Link, Linker, Page, Section, paragraph
from docs.reference.docstrings import docstring_of
from docs.reference.examples import example_calls
from docs.reference.optimizers import options_table
from docs.reference.plots import Curve, Plot
from docs.reference.text import described, page_of

_FEWEST = 12  # counts: an example of three numbers is drawn a little further


def schedule_page(link: Link, cls: type[Configured], linker: Linker) -> Page:
    """Plot, options, text of a schedule."""
    return page_of(
        link,
        "Schedule",
        cls,
        linker,
        (
            Section("plot", "Plot", _plots(cls)),
            Section("source", "Source", [paragraph(f"{s}.") for s in docstring_of(cls).sources]),
        ),
        options=options_table(cls),
    )


def _plots(cls: type[Configured]) -> list[Block]:
    method = "multiplier" if issubclass(cls, Schedule) else "observe"
    calls = example_calls(cls, method)
    if not calls:
        return []
    if method == "observe":
        return [Figure(_answers(cls.__name__, calls))]
    made = calls[-1].made
    lr = calls[-1].arguments[1] if len(calls[-1].arguments) > 1 else calls[-1].options.get("lr")
    rate = lr or 1.0
    last = max(_FEWEST, max(call.arguments[0] for call in calls if call.made is made))
    factors = (_factor(made, count, lr) for count in range(last + 1))
    rates = np.array([rate * factor for factor in factors if factor is not None])
    return [
        Figure(
            Plot(
                name=cls.__name__,
                alternative=f"The learning rate by {made.unit}s done",
                caption=f"{described(made)}, on a learning rate of {rate:g}.",
                axis=f"{made.unit}s done",
                x=np.arange(len(rates), dtype=np.float64),
                curves=(Curve("lr", rates),),
                steps=True,
            )
        )
    ]


def _factor(made: Any, count: int, lr: float | None) -> float | None:
    try:
        return float(made.multiplier(count, lr))
    except ChainruleError:  # beyond its last step
        return None


def _answers(name: str, calls: Any) -> Plot:
    """A schedule that watches a metric: what it answered in the example."""
    made = type(calls[0].made)(**calls[0].made.configuration())
    metrics = np.array([float(call.arguments[0]) for call in calls])
    factors = np.array([made.observe(*call.arguments, **call.options) for call in calls])
    return Plot(
        name=name,
        alternative="A metric, and the factor of the learning rate that it leads to",
        caption=f"{described(made)}.",
        axis="epochs done",
        x=np.arange(len(calls), dtype=np.float64),
        curves=(Curve("factor", factors), Curve("metric", metrics)),
        steps=True,
    )
