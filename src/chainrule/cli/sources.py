"""What ``chainrule train SOURCE`` learns from: a data set by name, a table, a worked example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from chainrule.base.errors import (
    ConfigurationError,
    DataNotFoundError,
    NameNotFoundError,
    listed,
)
from chainrule.cli.experiment import Data
from chainrule.cli.experiment_file import read_table
from chainrule.data import DATASETS, Dataset
from chainrule.data import load as load_by_name
from chainrule.data import read_table as read_csv
from chainrule.data.cells import read_cells
from chainrule.data.worked import (
    WorkedExample,
    read_worked_example,
    worked_example,
    worked_examples,
)

TABLES = (".csv", ".tsv")


@dataclass(frozen=True)
class Source:
    """Examples, and the worked example they belong to, if they do.

    Parameters
    ----------
    dataset : Dataset
    example : WorkedExample, optional
    """

    dataset: Dataset
    example: WorkedExample | None = None


def table_of(target: str) -> dict[str, Any]:
    """Return the experiment that a SOURCE stands for, as a table that leaves the rest open.

    Raises
    ------
    NameNotFoundError
        If there is nothing of this name; the nearest is suggested.
    DataNotFoundError, FileFormatError
        If a file is missing or malformed.
    """
    path = Path(target)
    if path.suffix == ".toml":
        if _is_worked_example(path):
            return {"data": {"file": target}}
        table = read_table(path)
        _place_file(table, path.parent)
        return table
    if path.suffix.lower() in TABLES:
        return {"data": {"file": target}}
    if path.is_dir():
        raise DataNotFoundError(
            f"{target} is a folder",
            advice="`chainrule train --resume` goes on with a run that is kept in one; "
            "`chainrule evaluate` measures it",
        )
    if path.exists():
        raise DataNotFoundError(
            f"{target} is neither a table ({', '.join(TABLES)}) nor an experiment (.toml)"
        )
    names = [*DATASETS, *worked_examples()]
    if target not in names:
        raise NameNotFoundError.among("data set, worked example or file", target, names)
    return {"data": {"name": target}}


def load_source(data: Data) -> Source:
    """Load the examples of an experiment.

    Raises
    ------
    ConfigurationError
        If it names none, or options that do not go together.
    ChainruleError
        Whatever reading them raises.
    """
    if (data.name is None) == (data.file is None):
        raise ConfigurationError(
            "An experiment names its data: one of name and file",
            where="Section [data]",
            advice='For example name = "iris", or file = "flowers.csv"',
        )
    if data.file is not None:
        return _from_file(data, data.file)
    name = data.name or ""
    if name in DATASETS:
        _refuse_columns(data, name)
        if data.options and not DATASETS.get(name).options:
            raise ConfigurationError(
                f"The data set {name} has no options; got {listed(list(data.options))}",
                where="Section [data.options]",
            )
        return Source(load_by_name(name, **data.options))
    if name not in worked_examples():
        names = [*DATASETS, *worked_examples()]
        raise NameNotFoundError.among("data set or worked example", name, names)
    return _from_example(worked_example(name))


def _from_file(data: Data, file: str) -> Source:
    path = Path(file)
    if path.suffix == ".toml":
        return _from_example(read_worked_example(path))
    if data.options:
        raise ConfigurationError(
            f"{file} is a table, which has no options {listed(list(data.options))}"
        )
    if data.target is None:
        raise ConfigurationError(
            f"{file}: which column is to be predicted?",
            advice="Name it with --set data.target=COLUMN, or --target of `chainrule train`. "
            f"There are: {listed(read_cells(path).columns)}",
        )
    dataset = read_csv(
        path,
        data.target,
        data.features,
        categorical=data.categorical,
        task=data.task,
        separator=data.separator,
    )
    return Source(dataset)


def _from_example(example: WorkedExample) -> Source:
    dataset = Dataset(
        example.name, example.x, example.y, description=example.title, source=example.source
    )
    return Source(dataset, example)


def _refuse_columns(data: Data, name: str) -> None:
    told = [key for key in ("target", "features", "task", "separator") if getattr(data, key)]
    if told or data.categorical:
        raise ConfigurationError(
            f"{name} is no table: it has no {listed(told or ['categorical'])} to choose",
            advice=f"Leave that out: what {name} predicts is known",
        )


def _is_worked_example(path: Path) -> bool:
    """Whether a TOML file is one: it has inputs, and an experiment has none."""
    import tomllib

    try:
        return "inputs" in tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False  # `read_table` says what is wrong with it


def _place_file(table: Mapping[str, Any], folder: Path) -> None:
    """Read the path of a table from the folder of the experiment that names it."""
    data = table.get("data", {})
    if file := data.get("file"):
        data["file"] = str(folder / file)


def with_absolute_path(data: Data) -> Data:
    """Return the data section as a run folder keeps it: so that it is found from anywhere."""
    if data.file is None:
        return data
    return msgspec.structs.replace(data, file=str(Path(data.file).resolve()))
