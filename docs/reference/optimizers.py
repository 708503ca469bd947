"""Pages of optimisers and minimizers: the update, traced from the rule itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from markupsafe import Markup

from chainrule.base.errors import ChainruleError
from chainrule.graph import Graph, TensorType
from chainrule.ops import format_expression
from chainrule.ops.expression import Expression, Symbol
from chainrule.ops.mathml import symbol
from chainrule.optim import LBFGS, Optimizer
from chainrule.optim.kinds import Choice, Kind, Maybe, Number, Row, Switch, Whole
from chainrule.optim.options import Configured, kinds, option_names
from docs.reference.content import (
    Block,
    Formula,
    Formulas,
    Link,
    Linker,
    Links,
    Listing,
    Page,
    Prose,
    Section,
    Table,
    paragraph,
)
from docs.reference.docstrings import docstring_of
from docs.reference.formulas import Equation, equations
from docs.reference.graph_ops import lines_of, ops_of
from docs.reference.options import Named
from docs.reference.text import page_of

_SCROLLED = Markup(
    '<div class="scroll" tabindex="0" role="region" aria-label="Options"><math>{}</math></div>'
)
_COMMON = frozenset(field.name for field in fields(Optimizer) if field.init)


@dataclass(frozen=True)
class Update:
    """An optimiser's update of one parameter, as formulas.

    Parameters
    ----------
    optimizer : Optimizer
        Its options are numbers that remember their names.
    changed : dict of str to object
        The options that are not the defaults.
    graph : Graph
    numbers : mapping of str to float
        What the names of options in the formulas stand for.
    lines : list of Equation
    """

    optimizer: Optimizer
    changed: Mapping[str, Any]
    graph: Graph
    numbers: Mapping[str, float]
    lines: list[Equation]


def optimizer_page(link: Link, cls: type[Optimizer], linker: Linker) -> Page:
    """Update rule, variants, options, text of an optimiser."""
    first, *variants = updates(cls)
    given = "" if cls.rank is None else f" Here w is {first.graph['w'].type}."
    blocks: list[Block] = [
        paragraph(
            "One update of the parameter w, whose gradient is d_w, read from the rule that is "
            f"traced into every training step; t counts the updates before it.{given}"
        ),
        Formulas(_formulas(first)),
    ]
    blocks += _legend(first)
    for variant in variants:
        shown = ", ".join(
            f"{name}={value!r}"
            for name, value in variant.changed.items()
            if first.changed.get(name) != value
        )
        blocks += [paragraph(f"With {shown}:"), Formulas(_formulas(variant))]
    blocks.append(Listing(str(first.graph), "The first of these as a graph"))
    ops = list(dict.fromkeys(op for update in (first, *variants) for op in ops_of(update.graph)))
    kept = sorted(
        {slot for update in (first, *variants) for slot in update.optimizer.initial_slots()}
    )
    state = ", ".join(kept) or "nothing"
    return page_of(
        link,
        "Optimiser",
        cls,
        linker,
        (
            Section("formula", "Update", blocks),
            Section("state", "What it keeps", [paragraph(f"For each parameter: {state}.")]),
            Section("ops", "Made of", [Links([Link("ops", op) for op in ops])]),
            Section("source", "Source", _sources(cls)),
        ),
        options=options_table(cls),
    )


def _sources(cls: type) -> list[Block]:
    return [paragraph(f"{source}.") for source in docstring_of(cls).sources]


def options_table(cls: type[Configured]) -> Table:
    """What values each option takes, as its own check says it."""
    defaults = {field.name: field.default for field in fields(cls)}
    rows = []
    for name, kind in kinds(cls).items():
        default = defaults[name]
        shown = (
            "required"
            if not isinstance(default, str | int | float | tuple | None)
            else repr(default)
        )
        rows.append([name, shown, str(kind)])
    return Table(["Option", "Default", "Takes"], rows, "Options")


def minimizer_page(link: Link, cls: type[LBFGS], linker: Linker) -> Page:
    """The direction of a step, from what two steps before it have shown; options, text."""
    graph = cls().graph(TensorType.parse("f64[3]"), 2)
    return page_of(
        link,
        "Minimizer",
        cls,
        linker,
        (
            Section(
                "formula",
                "Direction",
                [
                    paragraph("The direction of a step, with two pairs of step and change:"),
                    Formulas(lines_of(graph)),
                    Listing(str(graph), "As a graph"),
                ],
            ),
            Section("ops", "Made of", [Links([Link("ops", op) for op in ops_of(graph)])]),
            Section("source", "Source", _sources(cls)),
        ),
        options=options_table(cls),
    )


# --- the update -----------------------------------------------------------------------------------


def updates(cls: type[Optimizer]) -> list[Update]:
    """The update with the defaults, then each that an option changes in its form.

    What is repeated a number of times is shown once.
    """
    once = _once(cls)
    found = [_update(cls, once)]
    known = {_shape(found[0])}
    for changed in _variants(cls):
        try:
            update = _update(cls, once | changed)
        except ChainruleError:
            continue
        if _shape(update) not in known:
            known.add(_shape(update))
            found.append(update)
    return found


def _once(cls: type[Optimizer]) -> dict[str, Any]:
    """The counts of iterations, set to 1: those whole numbers that make the graph longer."""
    length = len(_update(cls, {}).graph.nodes)
    found: dict[str, Any] = {}
    for name, kind in kinds(cls).items():
        if isinstance(kind, Whole) and len(_update(cls, {name: 1}).graph.nodes) < length:
            found[name] = 1
    return found


def _shape(update: Update) -> str:
    return "\n".join(f"{line.name}={format_expression(line.value)}" for line in update.lines)


def _variants(cls: type[Optimizer]) -> Iterator[dict[str, Any]]:
    """One option changed; pairs of them where one alone is refused."""
    single = list(_changes(cls))
    refused = []
    for change in single:
        try:
            cls(**change)
        except ChainruleError:
            refused.append(change)
        else:
            yield change
    for change in refused:
        for other in single:
            if other.keys() != change.keys():
                both = {**other, **change}
                try:
                    cls(**both)
                except ChainruleError:
                    continue
                yield both


def _changes(cls: type[Optimizer]) -> Iterator[dict[str, Any]]:
    defaults = {field.name: field.default for field in fields(cls)}
    for name, kind in kinds(cls).items():
        if name in _COMMON:
            continue
        for value in _other_values(kind, defaults[name]):
            yield {name: value}


def _other_values(kind: Kind, default: Any) -> Iterator[Any]:
    match kind:
        case Switch():
            yield not default
        case Choice(words):
            yield from (word for word in words if word != default)
        case Maybe(inner):
            yield from _other_values(inner, default)
        case Number() if default == 0:
            for value in (0.1, 0.5):
                try:
                    kind.read(value)
                except ValueError:
                    continue
                yield value
                return


def _update(cls: type[Optimizer], changed: Mapping[str, Any]) -> Update:
    optimizer = cls(**changed)
    known: dict[float, Expression] = {}
    numbers: dict[str, float] = {}
    for name, kind in kinds(cls).items():
        if name not in _COMMON:
            optimizer.__dict__[name] = _named(name, getattr(optimizer, name), kind, known, numbers)
    shape = "f64[]" if cls.rank is None else "f64[3,2]"
    graph = optimizer.graph({"w": TensorType.parse(shape)})
    return Update(optimizer, changed, graph, numbers, _lines(graph, known))


def _named(
    name: str, value: Any, kind: Kind, known: dict[float, Expression], numbers: dict[str, float]
) -> Any:
    """The option with its name on it; each of a row is numbered from 1, as papers do."""
    if isinstance(kind, Row):
        return tuple(
            _named(f"{name.removesuffix('s')}{i}", each, kind.kinds[i - 1], known, numbers)
            for i, each in enumerate(value, 1)
        )
    if not isinstance(value, float) or isinstance(kind, Whole) or not value:
        return value
    # Slightly another number, so that no other number in the code is taken for it.
    apart = value * (1 + 1e-9 * (1 + len(numbers)))
    numbers[name] = apart
    return Named.option(name, apart, known)


def _lines(graph: Graph, known: Mapping[float, Expression]) -> list[Equation]:
    names = {name: name.removeprefix("w.") for name in graph.input_names}
    names |= {label: label.removeprefix("next_").removeprefix("w.") for label in graph.labels}
    return equations(graph, names, known)


def _formulas(update: Update) -> list[Formula]:
    taken = {name.removeprefix("w.") for name in update.graph.input_names}
    return [
        Formula(Symbol(line.name), line.value, assigned=line.name in taken) for line in update.lines
    ]


def _legend(update: Update) -> list[Block]:
    """Which option a numbered name is part of, and what is shown once instead of often."""
    blocks: list[Block] = []
    for name in option_names(type(update.optimizer)):
        value = getattr(update.optimizer, name)
        if isinstance(value, tuple):
            each = [f"{name.removesuffix('s')}{i + 1}" for i in range(len(value))]
            row = "<mo>,</mo>".join(map(symbol, each))
            markup = f"{symbol(name)}<mo>=</mo><mo>(</mo>{row}<mo>)</mo>"
            blocks.append(Prose(_SCROLLED.format(Markup(markup))))
    for name, value in update.changed.items():
        default = getattr(type(update.optimizer), name)
        blocks.append(paragraph(f"With {name}={value} for brevity; {default} by default."))
    return blocks
