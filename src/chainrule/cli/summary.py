"""What a training came to, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from chainrule.cli.model_file import NAME
from chainrule.cli.reporting import shown_epochs
from chainrule.cli.screen import Screen, counted, figure
from chainrule.cli.training import Trained
from chainrule.data import Dataset
from chainrule.data.worked import Element, Figure

WIDEST_ROW = 40  # characters of an example that is shown as something to type


def show_figures(trained: Trained, screen: Screen) -> None:
    """Show the figures of one training on the examples that were held out."""
    parts = trained.plan.parts
    told = "   ".join(f"{name} {figure(name, value)}" for name, value in trained.figures.items())
    if trained.run.stopped and not trained.was_interrupted:
        screen.say(f"Stopped early: {trained.run.stopped}.")
    screen.say()
    if parts.test is None:
        screen.say(f"training examples   {told}   (none were held out)", style="bold")
    else:
        screen.say(f"held out   {told}   ({counted(len(parts.test), 'example')})", style="bold")
    if trained.plan.preparation.values is not None:
        screen.say("The loss is of standardised numbers; the rest is in the units of the data.")


def show_seeds(trained: Sequence[Trained], screen: Screen) -> None:
    """Show one figure after each epoch for each seed, and the mean."""
    histories = [each.run.history for each in trained]
    names = ("val_accuracy", "accuracy", "val_loss")
    name = next((n for n in names if n in histories[0]), "loss")
    watched = trained[0].plan.parts.watched_name if name.startswith("val_") else "training"
    epochs = max(history.epochs for history in histories)
    rows = []
    for epoch in sorted(shown_epochs(epochs)):
        values = [h[name][epoch] if epoch < h.epochs else None for h in histories]
        known = [value for value in values if value is not None]
        cells = ["" if value is None else figure(name, value) for value in values]
        rows.append([str(epoch + 1), *cells, figure(name, float(np.mean(known)))])
    screen.heading(f"{watched} {name.removeprefix('val_')} after each epoch")
    screen.table(["epoch", *(f"seed {each.seed}" for each in trained), "mean"], rows, left=())
    screen.say()
    whose = "training examples" if trained[0].plan.parts.test is None else "held out"
    for key in reversed(trained[0].figures):
        found = [each.figures[key] for each in trained]
        spread = f"{figure(key, min(found))} to {figure(key, max(found))}"
        screen.say(
            f"{whose}   {key} at the end, mean of {len(found)} seeds: "
            f"{figure(key, float(np.mean(found)))}   ({spread})",
            style="bold",
        )


def show_textbook(trained: Trained, screen: Screen) -> None:
    """Show a worked example's printed figures beside those of this run."""
    example = trained.plan.source.example
    figures = (
        [] if example is None else [f for f in example.figures if f.steps <= trained.run.steps]
    )
    if not figures:
        return
    screen.heading("The textbook's figures, beside this run's")
    rows, mistakes = [], []
    for each in figures:
        value = _value(trained, each)
        agrees = abs(value - each.value) <= each.tolerance * (1 + 1e-9)
        mark = "" if agrees else "differs"
        if each.mistake:
            mark = "a known mistake"
            mistakes.append(each.mistake)
        rows.append([each.symbol, str(each.steps), each.printed, _like(each, value), mark])
    screen.table(["", "after updates", "printed", "here", ""], rows, left=(0, 4))
    for mistake in dict.fromkeys(mistakes):
        screen.say()
        screen.say(f"The mistake: {mistake}.")


def _value(trained: Trained, figure: Figure) -> float:
    element = Element.parse(figure.element)
    moment = trained.run.at(figure.steps)
    array = moment.record([element.tensor])[element.tensor]
    # A value with a row for each example is indexed without the example.
    index = (0, *element.index) if array.ndim > len(element.index) else element.index
    return float(array[index])


def _like(figure: Figure, value: float) -> str:
    """Write a value with as many digits as were printed."""
    mantissa, e, _ = figure.printed.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return f"{value:.{decimals}e}" if e else f"{value:.{decimals}f}"


def show_next(trained: Sequence[Trained], screen: Screen) -> None:
    """Say where the files are, and what to type next."""
    folder = trained[-1].run.folder
    if folder is None:
        return
    dataset = trained[-1].plan.source.dataset
    screen.say()
    if len(trained) == 1:
        screen.verbatim(f"The run is kept in {folder}, the model is {folder / NAME}")
    else:
        screen.verbatim(f"The runs are kept in {folder.parent}, a folder for each seed")
    rows = [f"chainrule evaluate {folder}"]
    row = example_row(dataset)
    if len(row) <= WIDEST_ROW:
        rows.append(f'chainrule predict {folder} --row "{row}"')
    else:
        what = dataset.name if dataset.encoding is None else "MORE.csv"
        rows.append(f"chainrule predict {folder} {what}")
    screen.verbatim("Next:  " + "\n       ".join(rows))


def example_row(dataset: Dataset) -> str:
    """Return the first example as ``chainrule predict --row`` takes it.

    Examples
    --------
    >>> from chainrule.data import load
    >>> example_row(load("iris"))
    '5.1,3.5,1.4,0.2'
    """
    columns = dataset.encoding.features if dataset.encoding else ()
    if not columns:
        return ",".join(f"{value:g}" for value in dataset.x[0])
    cells, start = [], 0
    for column in columns:
        values = dataset.x[0, start : start + len(column.input_names)]
        is_text = bool(column.categories)
        cells.append(column.categories[int(values.argmax())] if is_text else f"{values[0]:g}")
        start += len(values)
    return ",".join(cells)


def as_document(trained: Sequence[Trained]) -> dict[str, Any]:
    """Return the result for programs."""
    plan = trained[0].plan
    runs = [
        {
            "seed": each.seed,
            "backend": each.run.backend,
            "memory": each.run.memory,
            "epochs": each.run.history.epochs,
            "updates": each.run.steps,
            "stopped": each.run.stopped,
            "seconds": round(each.seconds, 3),
            "history": {name: list(values) for name, values in each.run.history.items()},
            "figures": each.figures,
            "folder": None if each.run.folder is None else str(each.run.folder),
            "model": None if each.run.folder is None else str(each.run.folder / NAME),
        }
        for each in trained
    ]
    names = trained[0].figures
    return {
        "experiment": msgspec.to_builtins(plan.experiment),
        "examples": {
            "training": len(plan.parts.training),
            "validation": 0 if plan.parts.validation is None else len(plan.parts.validation),
            "held_out": 0 if plan.parts.test is None else len(plan.parts.test),
        },
        "figures_of": "training" if plan.parts.test is None else "held_out",
        "runs": runs,
        "mean": {name: float(np.mean([each.figures[name] for each in trained])) for name in names},
    }
