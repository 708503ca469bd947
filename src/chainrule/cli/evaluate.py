"""``chainrule evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from cyclopts import App, Parameter

from chainrule.base.errors import ConfigurationError, DataError
from chainrule.base.fingerprint import is_comparable
from chainrule.cli.choices import metric
from chainrule.cli.experiment import Data
from chainrule.cli.model_file import Model, load_model
from chainrule.cli.preparation import Array
from chainrule.cli.screen import Screen, Showing, counted, figure
from chainrule.cli.sources import TABLES, load_source, table_of
from chainrule.cli.splitting import fingerprint_of, split
from chainrule.cli.training import Origin, measure
from chainrule.data import Dataset, read_encoded

command = App(
    name="evaluate",
    help_epilogue="""Examples:
  chainrule evaluate runs/iris
  chainrule evaluate runs/flowers more-flowers.csv --metrics f1_macro,auc
  chainrule evaluate runs/mnist mnist --json""",
)

COUNTS_SHOWN_FOR = 12  # classes; of more, only the most frequent confusions


@command.default
def evaluate(
    model: str,
    data: str | None = None,
    /,
    *,
    metrics: Annotated[str | None, Parameter(metavar="A,B")] = None,
    showing: Showing = Showing(),  # noqa: B008 - frozen
) -> int:
    """Measure a trained network on examples whose answers are known.

    Parameters
    ----------
    model
        A model file, or the folder of a run.
    data
        A CSV file, or a data set by name. By default what was held out in training.
    metrics
        What to measure, as `chainrule train` takes it; by default what it measured.
    """
    screen = Screen(as_json=showing.json)
    trained = load_model(model)
    origin = trained.origin
    if origin is None:
        raise ConfigurationError(
            f"{trained.path} does not say what it was trained for",
            advice="Models written by `chainrule train` do; for others, use net.evaluate in Python",
        )
    dataset, what = _examples(origin, data, screen)
    experiment = origin.experiment
    if metrics is not None:
        chosen = [metric(word.strip()) for word in metrics.split(",") if word.strip()]
        experiment = msgspec.structs.replace(experiment, metrics=chosen)
    figures = measure(trained.net, dataset, origin.preparation, experiment)
    counts = _confusions(trained, dataset)
    classes = origin.preparation.classes
    screen.document(
        {
            "examples": len(dataset),
            "what": what,
            "figures": figures,
            "classes": classes,
            "confusion": None if counts is None else counts.tolist(),
        }
    )
    told = "   ".join(f"{name} {figure(name, value)}" for name, value in figures.items())
    screen.say(f"{what}: {counted(len(dataset), 'example')}")
    screen.say(told, style="bold")
    if counts is not None:
        _show_confusions(counts, classes, screen)
    return 0


def _examples(origin: Origin, data: str | None, screen: Screen) -> tuple[Dataset, str]:
    """Return the examples to measure on, and what to call them."""
    learned = origin.experiment.data
    if data is not None and Path(data).suffix.lower() in TABLES:
        encoding = origin.preparation.encoding
        if encoding is None:
            raise DataError(
                f"The model was not trained on a table, so {data} has no known target",
                advice="`chainrule predict` needs none; or name a data set",
            )
        return read_encoded(data, encoding, separator=learned.separator), data
    wanted = learned if data is None else Data(name=table_of(data)["data"].get("name", data))
    if wanted.name is not None and wanted.name == learned.name:
        wanted = learned  # its own data: never measure on what it was trained on
    source = load_source(wanted)
    dataset = source.dataset
    if wanted is not learned:
        part = dataset if dataset.test is None else dataset.test
        return part, part.name
    if not is_comparable(origin.data):
        screen.remark(
            f"chainrule: Another version wrote this model, and whether {dataset.name} is what it "
            "was then cannot be told; some of these examples may have been trained on."
        )
    elif fingerprint_of(dataset) != origin.data:
        screen.remark(
            f"chainrule: {dataset.name} is not what it was when the model was trained, so some of "
            "these examples may have been trained on."
        )
    held_out = split(dataset, learned).test
    if held_out is None:
        return dataset, f"{dataset.name}, which it was trained on"
    return held_out, f"held out of {dataset.name}"


def _confusions(model: Model, dataset: Dataset) -> Array | None:
    """Count, for each class (rows), as what its examples were taken (columns)."""
    preparation = model.preparation
    if not preparation.classes or dataset.task != "classification":
        return None
    outputs = np.asarray(model.net.predict(preparation.x(dataset.x)))
    chosen = preparation.chosen(outputs)
    counts = np.zeros((len(preparation.classes),) * 2, np.int64)
    np.add.at(counts, (dataset.y, chosen), 1)
    return counts


def _show_confusions(counts: Array, classes: list[str], screen: Screen) -> None:
    widest = max(map(len, classes))
    if len(classes) <= COUNTS_SHOWN_FOR and (widest + 2) * (len(classes) + 1) <= 78:
        screen.heading("Which class (rows) was taken for which (columns)")
        rows: list[list[Any]] = [
            [name, *(str(n) if n else "." for n in row)]
            for name, row in zip(classes, counts, strict=True)
        ]
        screen.table(["", *classes], rows)
        return
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:10]
    worst = [divmod(int(i), len(classes)) for i in order if wrong.flat[i]]
    if worst:
        screen.heading("Most frequent confusions")
        screen.table(
            ["class", "taken for", "times"],
            [[classes[i], classes[j], str(int(wrong[i, j]))] for i, j in worst],
            left=(0, 1),
        )
