"""``chainrule predict``."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import App, Parameter

from chainrule.base.errors import ConfigurationError
from chainrule.base.file_kinds import FileKind
from chainrule.base.files import write_durably
from chainrule.cli.model_file import Model, load_model
from chainrule.cli.preparation import Array
from chainrule.cli.screen import Screen, Showing, counted, percent
from chainrule.cli.sources import TABLES, load_source, table_of
from chainrule.data import Dataset

command = App(
    name="predict",
    help_epilogue="""Examples:
  chainrule predict runs/iris --row "5.1,3.5,1.4,0.2"
  chainrule predict runs/flowers new.csv
  chainrule predict runs/flowers new.csv --save answers.csv
  chainrule predict runs/digits/model.safetensors digits --json""",
)

ANSWERS = FileKind("A table of answers", (".csv",))
SHOWN_AT_MOST = 20


@command.default
def predict(
    model: str,
    data: str | None = None,
    /,
    *,
    row: Annotated[
        list[str] | None, Parameter(negative="", metavar="A,B,C", allow_leading_hyphen=True)
    ] = None,
    save: Annotated[Path | None, Parameter(metavar="FILE")] = None,
    showing: Showing = Showing(),  # noqa: B008 - frozen
) -> int:
    """Ask a trained network about new examples.

    Parameters
    ----------
    model
        A model file, or the folder of a run.
    data
        A CSV file, or a data set by name.
    row
        One example, its values in the order of training. May be repeated.
    save
        Write all answers to a file, as .csv.
    """
    screen = Screen(as_json=showing.json)
    if (data is None) == (not row):
        raise ConfigurationError(
            "What is to be predicted?" if data is None else "Give DATA or --row, not both",
            advice='A CSV file, a data set by name, or --row "5.1,3.5,1.4,0.2"',
        )
    if save is not None:
        ANSWERS.check(save)
    trained = load_model(model)
    raw, known = _read(trained, data, row or [])
    answers = _answer(trained, raw, known)
    if save is not None:
        _write(save, answers)
    screen.document(answers.document())
    _show(answers, screen, save)
    if known is not None and _was_trained_on(trained, data):
        screen.say()
        screen.say(
            "It was trained on most of these. `chainrule evaluate` measures it on those it was not."
        )
    return 0


@dataclass(frozen=True)
class Answers:
    """What a model says of some examples.

    Parameters
    ----------
    name : str
        What is predicted.
    answers : list
        A class's name or numbers, for each example.
    probabilities : array of shape (examples, classes), optional
    classes : list of str
    known : list, optional
        The right answers.
    """

    name: str
    answers: list[Any]
    probabilities: Array | None
    classes: list[str]
    known: list[Any] | None

    def table(self) -> tuple[list[str], list[list[Any]]]:
        """Return headings and rows, one for each example."""
        head = ["row", self.name]
        rows: list[list[Any]] = [[i + 1, _cell(a)] for i, a in enumerate(self.answers)]
        if self.probabilities is not None:
            head += [f"p({name})" for name in self.classes]
            for row, shares in zip(rows, self.probabilities, strict=True):
                row += [float(f"{share:.6g}") for share in shares]
        if self.known is not None:
            head.append("known")
            for row, known in zip(rows, self.known, strict=True):
                row.append(_cell(known))
        return head, rows

    def document(self) -> dict[str, Any]:
        """Return the answers for programs."""
        rows = []
        for i, answer in enumerate(self.answers):
            row = {self.name: answer}
            if self.probabilities is not None:
                shares = map(float, self.probabilities[i])
                row["probabilities"] = dict(zip(self.classes, shares, strict=True))
            if self.known is not None:
                row["known"] = self.known[i]
            rows.append(row)
        return {"predicted": self.name, "rows": rows}


def _read(model: Model, data: str | None, rows: list[str]) -> tuple[Array, list[Any] | None]:
    """Read raw inputs, and the right answers where they are known."""
    preparation = model.preparation
    if data is None:
        return np.concatenate([preparation.read_row(text) for text in rows]), None
    if Path(data).suffix.lower() in TABLES:
        return preparation.read_table(data), None
    dataset = load_source(_data_of(data)).dataset
    dataset = dataset if dataset.test is None else dataset.test
    return dataset.x, _known(dataset)


def _data_of(name: str) -> Any:
    from chainrule.cli.experiment import Data

    return Data(name=table_of(name)["data"].get("name", name))


def _known(dataset: Dataset) -> list[Any]:
    if dataset.class_names:
        return [dataset.class_names[int(i)] for i in dataset.y]
    return [_plain(row) for row in dataset.y]


def _was_trained_on(model: Model, data: str | None) -> bool:
    """Whether a data set by name is the one that the model learned from, with no test part."""
    origin = model.origin
    return (
        origin is not None
        and data == origin.experiment.data.name
        and load_source(origin.experiment.data).dataset.test is None
    )


def _answer(model: Model, raw: Array, known: list[Any] | None) -> Answers:
    preparation = model.preparation
    outputs = np.asarray(model.net.predict(preparation.x(raw)))
    if not preparation.classes:
        answers = [_plain(row) for row in preparation.numbers(outputs)]
        return Answers(preparation.answer, answers, None, [], known)
    chosen = preparation.chosen(outputs)
    names = [preparation.classes[int(i)] for i in chosen]
    shares = preparation.probabilities(outputs)
    return Answers(preparation.answer, names, shares, preparation.classes, known)


def _plain(row: Array) -> Any:
    return float(row[0]) if len(row) == 1 else [float(value) for value in row]


def _cell(answer: Any) -> Any:
    if isinstance(answer, list):
        return " ".join(f"{value:.6g}" for value in answer)
    return f"{answer:.6g}" if isinstance(answer, float) else answer


def _show(answers: Answers, screen: Screen, save: Path | None) -> None:
    head = ["row", answers.name]
    head += ["probability", "otherwise"] if answers.probabilities is not None else []
    head += ["known", ""] if answers.known is not None else []
    rows = []
    for i, answer in enumerate(answers.answers[:SHOWN_AT_MOST]):
        row = [str(i + 1), str(_cell(answer))]
        if answers.probabilities is not None:
            order = np.argsort(-answers.probabilities[i], kind="stable")
            first, second = order[0], order[min(1, len(order) - 1)]
            row.append(percent(float(answers.probabilities[i, first])))
            other = percent(float(answers.probabilities[i, second]))
            row.append(f"{answers.classes[second]} {other}")
        if answers.known is not None:
            row.append(str(_cell(answers.known[i])))
            is_wrong = bool(answers.classes) and answers.known[i] != answer
            row.append("wrong" if is_wrong else "")
        rows.append(row)
    text = (1, 3, 4, 5) if answers.probabilities is not None else (1, 2, 3)
    screen.table(head, rows, left=text)
    left_out = len(answers.answers) - len(rows)
    if left_out and save is None:
        screen.say(
            f"... and {counted(left_out, 'more row', 'more rows')}: --save FILE.csv and --json "
            "give all."
        )
    if save is not None:
        screen.say()
        screen.verbatim(f"All {counted(len(answers.answers), 'row')} are in {save}")


def _write(path: Path, answers: Answers) -> None:
    head, rows = answers.table()
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    write_durably(path, text.getvalue().encode())
