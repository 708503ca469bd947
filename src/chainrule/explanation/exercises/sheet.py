"""The sheet: what is given, what is asked for, and blanks."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import numpy as np

from chainrule.explanation.exercises.exercise import Exercise
from chainrule.explanation.exercises.setting import NONE
from chainrule.explanation.exercises.tasks import Task
from chainrule.explanation.exercises.writing import (
    equation,
    in_columns,
    matrix,
    name,
    rule,
    symbol,
    tag,
    text,
)
from chainrule.explanation.explanation import open_place
from chainrule.explanation.printing.text import wrap
from chainrule.explanation.symbols import NEXT, describe
from chainrule.explanation.trace import Array, Place
from chainrule.nn import LAYERS

_WHO = (
    '<span class="line">Name</span><span class="line short">Date</span>'
    '<span class="line short">Points</span>'
)
_BLANK = '<i role="img" aria-label="blank"></i>'
_LAYER = re.compile(r' of layer "[^"]*"')
_ROOMY, _DENSE = 30, 60  # numbers: with more of them blanks become smaller


def sheet_fragment(made: Exercise, number: int = 1) -> str:
    """The sheet as a piece of HTML: one section, one page of paper."""
    heading = f"sheet-{number}"
    density = "" if made.points <= _ROOMY else " dense" if made.points <= _DENSE else " denser"
    parts = [
        f'<section class="sheet{density}" aria-labelledby="{heading}">',
        f'<h1 id="{heading}">{text(made.title)}</h1>',
        f'<p class="who">{_WHO} of {made.points}</p>',
        "<h2>Given</h2>",
        f"<p>{'<br>'.join(map(text, described(made)))}</p>",
        f'<div class="given">{"".join(f"<span>{each}</span>" for each in _given(made))}</div>',
        f"<p>{_conventions(made)}</p>",
        f"<h2>To compute, with {made.setting.digits} significant digits</h2>",
        f'<div class="tasks">{"".join(map(_task, made.tasks))}</div>',
        f"<footer>For the file of answers: <code>{text(made.code)}</code></footer>",
        "</section>",
    ]
    return "\n".join(parts)


def described(made: Exercise) -> list[str]:
    """The network, its activations and its cost in words, as the parts say of themselves."""
    setting = made.setting
    found = [f"A network {setting.network}: {_counted(made)}."]
    layers: dict[str, list[str]] = {}
    for k, activation in enumerate(setting.activations, 1):
        layers.setdefault(activation, []).append(str(k))
    for activation, numbers in layers.items():
        where = f"layer{'s' if len(numbers) > 1 else ''} {' and '.join(numbers)}"
        if activation == NONE:
            found.append(f"No activation in {where}: its output is the weighted sum.")
        else:
            found.append(f"{activation} in {where}: {_first_line(LAYERS.get(activation))}")
    cost = _first_line(type(setting.cost))
    mean = f" C is the mean of the {setting.examples} lᵢ." if setting.examples > 1 else " C = lᵢ."
    found.append(f"Cost {setting.loss}: {cost}{mean}")
    if setting.learning_rate is not None:
        found.append(
            f"One step of gradient descent with the learning rate {setting.learning_rate:g}; "
            "all gradients are computed before anything is updated."
        )
    return found


def _counted(made: Exercise) -> str:
    sizes = made.setting.sizes
    inner = [f"{size} hidden" for size in sizes[1:-1]]
    counts = [f"{sizes[0]} input{'s' * (sizes[0] > 1)}", *inner]
    counts.append(f"{sizes[-1]} output{'s' * (sizes[-1] > 1)}")
    examples = made.setting.examples
    return f"{', '.join(counts)}; {examples} example{'s' * (examples > 1)}"


def _first_line(part: type) -> str:
    lines = (inspect.getdoc(part) or "").splitlines()
    return lines[0] if lines else ""


def _given(made: Exercise) -> Iterator[str]:
    """Each array that is given, as an equation."""
    for label, array in given_arrays(made):
        shown = matrix(array) if array.size > 1 else tag(f"{float(array.ravel()[0]):.10g}")
        yield equation(name(label), shown)


def given_arrays(made: Exercise) -> list[tuple[str, Array]]:
    """What is given, by what it is called; the inputs of one example stand upright."""
    one = made.setting.examples == 1
    x, y = (array[0] if one else array for array in (made.given.x, made.given.y))
    aliases = {value: alias for alias, value in made.trace.graph.aliases}
    parameters = [(aliases[value], array) for value, array in made.given.state.items()]
    return [("x", np.asarray(x)), ("y", np.asarray(y)), *parameters]


def _conventions(made: Exercise) -> str:
    """The first weighted sum in symbols: how indices count, and which way round a matrix is."""
    trace = made.trace
    position = trace.graph.find("z1")
    place = Place(position, (0,) * len(trace.graph.nodes[position].shape))
    first = rule(open_place(trace, place)) or ""
    example = equation(symbol(trace, place), first)
    told = [f"Indices count from 0; a row of a weight matrix belongs to a unit: {example}."]
    if any(task.name.startswith("delta") for task in made.tasks):
        told.append("<math><mi>δ</mi></math> is the derivative of the cost by the weighted sum.")
    if made.setting.examples > 1:
        told.append("The first index of x, z, a and δ is the example.")
    return " ".join(told)


def _task(task: Task) -> str:
    """One value: its name, what it is, and its blanks, arranged as its numbers are."""
    rows: dict[int, list[str]] = {}
    for index in task.indices:
        where = task.label(index).removeprefix(task.name)  # the value's name stands above
        row = index[-2] if len(index) > 1 else 0
        rows.setdefault(row, []).append(f'<span class="blank"><b>{where}</b>{_BLANK}</span>')
    blanks = "".join(f'<div class="row">{"".join(row)}</div>' for row in rows.values())
    title = f"<h3>{text(heading_of(task))}</h3>"
    return f'<div class="task">{title}<p class="what">{text(words_of(task))}</p>{blanks}</div>'


def words_of(task: Task) -> str:
    """What a value is; which layer's, its name says."""
    told = describe(task.trace, task.places[0])
    return "the cost" if task.value == "loss" else without_layer(told)


def without_layer(words: str) -> str:
    """What a value is, without the name that its layer has in code."""
    return _LAYER.sub("", words)


def heading_of(task: Task) -> str:
    """What stands over a task: the textbook's name, and what a file calls it where that differs."""
    return f"{shown_name(task)} ({task.name})" if shown_name(task) != task.name else task.name


def shown_name(task: Task) -> str:
    """``δ2``, ``∂C/∂W2``, ``W2⁺``."""
    aliases = {value: alias for alias, value in task.trace.graph.aliases if alias != "out"}
    if task.value in aliases:
        return aliases[task.value]
    parameter = task.value.removeprefix(NEXT)
    if parameter != task.value:
        return f"{aliases.get(parameter, parameter)}⁺"
    primal = task.value.removeprefix("d_")
    if primal in aliases and primal != task.value:
        return f"∂C/∂{aliases[primal]}"
    return task.name


def sheet_as_text(made: Exercise, width: int = 80) -> str:
    """The sheet for a terminal."""
    lines = [made.title, ""]
    for words in described(made):
        lines += wrap(words, width, width)
    lines.append("")
    for label, array in given_arrays(made):
        first, *rest = _in_rows(array)
        indent = " " * (len(label) + 3)
        lines += [f"{label} = {first}", *(f"{indent}{row}" for row in rest)]
    lines += ["", f"To compute, with {made.setting.digits} significant digits:"]
    for task in made.tasks:
        lines += ["", heading_of(task)]
        blanks = [f"{task.label(index)} = ________" for index in task.indices]
        lines += [f"  {line}" for line in in_columns(blanks, width - 2)]
    return "\n".join([*lines, "", "For the file of answers:", made.code])


def _in_rows(array: Array) -> list[str]:
    """Numbers as they are typed, a row below the other."""
    cells = [f"{float(value):.10g}" for value in array.ravel()]
    widest = max(map(len, cells))
    if array.ndim < 2:
        return [f"[{', '.join(cells)}]" if array.ndim else cells[0]]
    size = array.shape[1]
    rows = [cells[k : k + size] for k in range(0, len(cells), size)]
    return [f"[{', '.join(f'{cell:>{widest}}' for cell in row)}]" for row in rows]
