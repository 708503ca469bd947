"""The key: the answers, and the worked solution with every number on the way."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.explanation.captions import Caption
from chainrule.explanation.exercises.exercise import Exercise
from chainrule.explanation.exercises.sheet import described, heading_of, without_layer
from chainrule.explanation.exercises.tasks import Task
from chainrule.explanation.exercises.writing import derivation, symbol, text, written
from chainrule.explanation.explanation import open_place
from chainrule.explanation.symbols import describe
from chainrule.explanation.trace import Place

_COMPUTED = "Computed with all digits, shown with"
_NARROW = 3  # units in a layer: most of their sums fit into half a page
_TERMS = 3  # that stand side by side in half a page; paper has no scroll bar


def key_fragment(made: Exercise, number: int = 1) -> str:
    """The key as a piece of HTML."""
    heading = f"key-{number}"
    digits = made.setting.digits
    is_narrow = made.setting.examples == 1 and max(made.setting.sizes) <= _NARROW
    narrow = " narrow" if is_narrow else ""
    parts = [
        f'<section class="key" aria-labelledby="{heading}">',
        f'<h1 id="{heading}">Key: {text(made.title)}</h1>',
        f"<p><code>{text(made.code)}</code></p>",
        f"<p>{'<br>'.join(map(text, described(made)))}</p>",
        f"<h2>Answers, {made.points} points</h2>",
        _answers(made),
        "<h2>Worked solution</h2>",
        f"<p>{_COMPUTED} {digits} significant digits; what is asked for is marked.</p>",
        f'<div class="steps{narrow}">{"".join(_solution(made))}</div>',
        "</section>",
    ]
    return "\n".join(parts)


def _answers(made: Exercise) -> str:
    rows = "".join(
        f'<tr><th scope="row">{text(heading_of(task))}</th><td>{_numbers(task, made)}</td>'
        f'<td class="n">{len(task.indices)}</td></tr>'
        for task in made.tasks
    )
    head = '<tr><th scope="col">Value</th><th scope="col">Numbers</th>'
    head += '<th scope="col" class="n">Points</th></tr>'
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _numbers(task: Task, made: Exercise) -> str:
    cells = (
        f'<span class="number"><math>{symbol(task.trace, place)}</math> = '
        f"{text(written(value, made.setting.digits)).replace('-', '−')}</span>"
        for place, value in zip(task.places, task.true, strict=True)
    )
    return " ".join(cells)


def _solution(made: Exercise) -> Iterator[str]:
    """Every value that is computed on the way, one after the other."""
    trace = made.trace.opened  # with a softmax, say, as what it is made of
    graph = trace.graph
    asked = {(task.value, index) for task in made.tasks for index in task.indices}
    told: list[Caption] = []
    for position in on_the_way(made):
        name = "loss" if position == graph.labels["loss"] else graph.name_of(position)
        shape = tuple(map(int, graph.nodes[position].shape))
        places = [Place(position, index) for index in np.ndindex(*shape)]
        opened = [open_place(trace, place) for place in places]
        caption = opened[0].caption
        rule = f' <span class="bp">{caption.name}</span>' if caption else ""
        is_wide = any(len(explanation.terms) > _TERMS for explanation in opened)
        yield f'<div class="step{" wide" if is_wide else ""}">'
        yield f"<h3>{text(without_layer(describe(trace, places[0])))}{rule}</h3>"
        if caption is not None and caption not in told:
            told.append(caption)
            yield f'<p class="caption">{text(caption.equation)}: {text(caption.words)}</p>'
        for place, explanation in zip(places, opened, strict=True):
            mark = ' class="asked"' if (name, place.index) in asked else ""
            yield f"<p{mark}>{derivation(explanation, made.setting.digits)}</p>"
        yield "</div>"


def on_the_way(made: Exercise) -> list[int]:
    """The named values from which what is asked for is computed, and itself, in order.

    Returns
    -------
    list of int
        Positions in the step with its composites opened.
    """
    graph = made.trace.opened.graph
    found = graph.ancestors(graph.find(task.value) for task in made.tasks)
    labels = set(graph.labels.values())
    return [
        i
        for i in sorted(found)
        if graph.nodes[i].inputs
        and graph.nodes[i].dtype.is_float
        and (graph.nodes[i].name is not None or i in labels)
    ]
