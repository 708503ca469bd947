"""``chainrule data``."""

from __future__ import annotations

from typing import Any

import numpy as np
from cyclopts import App

from chainrule.base.errors import DataNotFoundError, NameNotFoundError
from chainrule.cli.pictures import side_by_side
from chainrule.cli.screen import Screen, Showing, counted
from chainrule.data import DATASETS, Dataset, available
from chainrule.data import load as load_by_name
from chainrule.data.worked import WorkedExample, worked_example, worked_examples

command = App(
    name="data",
    help_epilogue="""Examples:
  chainrule data
  chainrule data digits
  chainrule data 2-2-2
  chainrule data --json""",
)

ROWS_SHOWN = 5
COLUMNS_SHOWN = 6


@command.default
def data(
    name: str | None = None,
    /,
    *,
    showing: Showing = Showing(),  # noqa: B008 - frozen
) -> int:
    """List the data sets, where they are, and how to get what is missing.

    Parameters
    ----------
    name
        Show this data set or worked example.
    """
    screen = Screen(as_json=showing.json)
    if name is None:
        return _list(screen)
    if name in DATASETS:
        return _show(name, screen)
    if name in worked_examples():
        return _show_worked(worked_example(name), screen)
    names = [*DATASETS, *worked_examples()]
    raise NameNotFoundError.among("data set or worked example", name, names)


def _list(screen: Screen) -> int:
    found = available()
    examples = [worked_example(name) for name in worked_examples()]
    screen.document(
        {
            "data_sets": [
                {
                    "name": each.name,
                    "kind": each.kind,
                    "shape": each.shape,
                    "description": each.description,
                    "is_there": each.is_there,
                    "place": each.place,
                    "how_to_get_it": None if each.is_there else _how_to_get(each.name),
                }
                for each in found
            ],
            "worked_examples": [
                {"name": e.name, "title": e.title, "figures": len(e.figures)} for e in examples
            ],
        }
    )
    for kind, title in (
        ("bundled", "In the package"),
        ("generated", "Made on demand"),
        ("files", "Read from your files"),
    ):
        entries = [each for each in found if each.kind == kind]
        screen.heading(title)
        rows = [[e.name, f"{e.description} ({e.shape})"] for e in entries]
        screen.table(["", ""], rows, left=(0, 1))
        for each in entries:
            if kind == "files":
                screen.verbatim(f"  {each.name} is {each.place}")
                if not each.is_there:
                    screen.say(f"  {_how_to_get(each.name)}")
    screen.heading("Worked examples, to follow by hand")
    screen.table(["", ""], [[e.name, e.title] for e in examples], left=(0, 1))
    screen.say()
    screen.say("chainrule data NAME shows one of them; chainrule train NAME learns from it.")
    screen.say("Any CSV file will do too: chainrule train FILE.csv --target COLUMN")
    return 0


def _how_to_get(name: str) -> str:
    """Return the loader's own advice for data that is not there."""
    try:
        load_by_name(name)
    except DataNotFoundError as error:
        return error.advice or str(error)
    return ""


def _show(name: str, screen: Screen) -> int:
    entry = DATASETS.get(name)
    dataset = load_by_name(name)
    counts = np.bincount(dataset.y).tolist() if dataset.class_names else None
    screen.document(
        {
            "name": name,
            "kind": entry.kind,
            "description": entry.description,
            "source": dataset.source,
            "licence": entry.licence,
            "options": entry.options,
            "examples": len(dataset),
            "test_examples": 0 if dataset.test is None else len(dataset.test),
            "inputs": list(dataset.feature_names) or dataset.x.shape[1],
            "classes": list(dataset.class_names),
            "class_counts": counts,
        }
    )
    screen.say(f"{name}: {entry.description}", style="bold")
    if dataset.source:
        licence = f" ({entry.licence})" if entry.licence else ""
        screen.say(f"From: {dataset.source}{licence}")
    told = [counted(len(dataset), "example"), counted(dataset.x.shape[1], "input")]
    if dataset.test is not None:
        told.insert(1, f"{len(dataset.test):,} more to test on")
    screen.say(f"{', '.join(told)}.")
    if counts is not None:
        named = zip(dataset.class_names, counts, strict=True)
        screen.say(f"Classes: {', '.join(f'{c} ({n:,})' for c, n in named)}.")
    if entry.kind == "generated":
        told = [f"data.options.{option}={value}" for option, value in entry.options.items()]
        screen.say(f"Options, by --set of chainrule train: {', '.join(told)}.")
    screen.say()
    _show_examples(dataset, screen)
    screen.say()
    screen.say(f"Next:  chainrule train {name}")
    return 0


def _show_examples(dataset: Dataset, screen: Screen) -> None:
    if dataset.image_shape:
        count = max(1, 76 // (2 * dataset.image_shape[2] + 4))
        titles = [dataset.class_names[int(y)] for y in dataset.y[:count]]
        for line in side_by_side(dataset.images()[:count, 0], titles):
            screen.verbatim(line)
        return
    names = list(dataset.feature_names) or [f"input {i}" for i in range(dataset.x.shape[1])]
    shown = names[:COLUMNS_SHOWN]
    answers: list[Any] = [
        dataset.class_names[int(y)] if dataset.class_names else f"{float(y[0]):.4g}"
        for y in dataset.y[:ROWS_SHOWN]
    ]
    rows = [
        [*(f"{value:.4g}" for value in x[: len(shown)]), str(answer)]
        for x, answer in zip(dataset.x[:ROWS_SHOWN], answers, strict=True)
    ]
    last = "class" if dataset.class_names else "to predict"
    screen.table([*shown, last], rows, left=(len(shown),))


def _show_worked(example: WorkedExample, screen: Screen) -> int:
    layers = [
        layer.kind if layer.out_features is None else f"{layer.kind} {layer.out_features}"
        for layer in example.layers
    ]
    figures = [
        {"symbol": f.symbol, "after_updates": f.steps, "printed": f.printed, "mistake": f.mistake}
        for f in example.figures
    ]
    screen.document(
        {
            "name": example.name,
            "title": example.title,
            "description": example.description,
            "source": example.source,
            "layers": layers,
            "loss": example.loss,
            "learning_rate": example.learning_rate,
            "epochs": example.epochs,
            "inputs": example.inputs,
            "targets": example.targets,
            "figures": figures,
        }
    )
    screen.say(f"{example.name}: {example.title}", style="bold")
    screen.say(example.description)
    if example.source:
        screen.say(f"From: {example.source}")
    screen.say()
    rows = [
        ["layers", " -> ".join([str(len(example.inputs[0])), *layers])],
        ["loss", example.loss],
        ["learning rate", f"{example.learning_rate:g}, {counted(example.epochs, 'epoch')}"],
    ]
    rows += [
        ["example", f"{_numbers(x)} -> {_numbers(y)}"]
        for x, y in zip(example.inputs, example.targets, strict=True)
    ]
    screen.table(["", ""], rows, left=(0, 1))
    screen.say()
    if figures:
        screen.say(f"It has {counted(len(figures), 'printed figure')} to compare with.")
    screen.say(f"Next:  chainrule train {example.name}")
    return 0


def _numbers(values: list[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
