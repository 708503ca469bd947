"""An explanation: one number of a step, what it is made of, and the proofs that it is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from chainrule.explanation.arithmetic import primitive, typed
from chainrule.explanation.captions import Caption, caption_of
from chainrule.explanation.expansion import Number, definition, expand, leaves
from chainrule.explanation.inside import is_composite, name_inside
from chainrule.explanation.long_sums import operands_of_long_sum
from chainrule.explanation.proofs import Proof, difference, reevaluation
from chainrule.explanation.symbols import NEXT, Symbol, describe, symbol_of
from chainrule.explanation.tidying import tidy
from chainrule.explanation.trace import Array, Place, Trace
from chainrule.graph import DType, Source
from chainrule.ops import OPS, Elementwise
from chainrule.ops.expression import Apply, Expression, Fold, Literal, apply, read

if TYPE_CHECKING:
    from chainrule.explanation.printing.report import Report
    from chainrule.explanation.tree import Branch


@dataclass(frozen=True)
class Term:
    """One term of a sum.

    Parameters
    ----------
    expression : Expression
        A product, as a rule; its numbers are places of the trace.
    value : float
        In float64, from the stored numbers: a product of two float32 is exact.
    factors : tuple of Expression
        What is multiplied; the term itself where it is no product.
    example : int or None
        The example of the batch that it comes from, where the terms are one for each example.
    """

    expression: Expression
    value: float
    factors: tuple[Expression, ...]
    example: int | None = None

    @property
    def places(self) -> list[Place]:
        """The numbers it is made of."""
        return leaves(self.expression)


@dataclass(frozen=True)
class Summary:
    """The largest terms of a sum, and the rest, so that everything adds up.

    Parameters
    ----------
    largest : list of Term
        By size.
    others : int
        How many terms are not among them.
    remainder : float
        Their exact sum, rounded once.
    rounding : float
        What the stored number differs from the exact sum of all terms.
    """

    largest: list[Term]
    others: int
    remainder: float
    rounding: float


@dataclass(frozen=True, eq=False)
class Explanation:
    """One number, opened.

    Parameters
    ----------
    trace : Trace
    place : Place
        Which number.
    """

    trace: Trace
    place: Place

    @property
    def name(self) -> str:
        """The canonical name: ``d_2.weight[0,1]``."""
        name = self.trace.graph.name_of(self.place.node)
        index = self.place.index
        return f"{name}[{','.join(map(str, index))}]" if index else name

    @cached_property
    def symbol(self) -> Symbol:
        """How a textbook calls it."""
        return symbol_of(self.trace, self.place)

    @property
    def what(self) -> str:
        """What it is, in words."""
        return describe(self.trace, self.place)

    @property
    def value(self) -> Any:
        """The number that training computed, as a NumPy scalar."""
        return self.trace.value(self.place)

    @property
    def source(self) -> Source | None:
        """The user's line that it comes from."""
        return self.trace.node(self.place).source

    @property
    def caption(self) -> Caption | None:
        """The name of the pattern: BP1 to BP4."""
        return caption_of(self.trace, self.place.node)

    @cached_property
    def expression(self) -> Expression:
        """What it is made of, in numbers that have names, as it was computed."""
        return expand(self.trace, self.place)

    @cached_property
    def rule(self) -> Expression:
        """The same for reading, without factors of 1."""
        return tidy(self.expression)

    @cached_property
    def definition(self) -> Expression | None:
        """The formula of the function that made it, if it is a function like ``sigmoid``."""
        return definition(self.trace, self.place)

    @property
    def is_given(self) -> bool:
        """Whether nothing computed it in this step: data, a weight before the update."""
        return self.trace.node(self.place).op == "input"

    @cached_property
    def terms(self) -> list[Term]:
        """The terms of the sum that it is; one, where it is none."""
        parts = [] if self.is_given else list(_summands(self.rule))
        examples = self._examples(parts)
        return [
            Term(part, self.evaluate(part), tuple(_factors(part)), example)
            for part, example in zip(parts, examples, strict=True)
        ]

    def summary(self, most: int = 8) -> Summary:
        """The terms of largest size, with the exact sum of the others."""
        found = operands_of_long_sum(self.trace.graph, self.trace.values, self.place)
        if found is not None and isinstance(self.expression, Fold):
            values = np.prod([each.astype(np.float64) for each in found], axis=0)
            return self._summary_of_many(values, most)
        order = sorted(self.terms, key=lambda term: -abs(term.value))
        largest, rest = order[:most], order[most:]
        total = _exact_sum([term.value for term in order])
        stored = float(self.value)
        return Summary(
            largest, len(rest), _exact_sum([term.value for term in rest]), stored - total
        )

    def _summary_of_many(self, values: Array, most: int) -> Summary:
        """The summary of a sum whose terms have these values; only the largest are written."""
        assert isinstance(self.expression, Fold)
        chosen = np.argsort(-abs(values), kind="stable")[:most]
        parts = [tidy(self.expression.items[int(i)]) for i in chosen]
        largest = [
            Term(part, float(values[i]), tuple(_factors(part)), example)
            for part, i, example in zip(parts, chosen, self._examples(parts), strict=True)
        ]
        rest = np.delete(values, chosen)
        rounding = float(self.value) - _exact_sum(list(values))
        return Summary(largest, len(rest), _exact_sum(list(rest)), rounding)

    @cached_property
    def proofs(self) -> list[Proof]:
        """What shows that it is so: computed again, and, for a gradient, a finite difference."""
        if self.is_given:
            return []
        found = [reevaluation(self.trace, self.place), difference(self.trace, self.place)]
        return [proof for proof in found if proof is not None]

    @cached_property
    def gradient(self) -> Explanation | None:
        """The gradient of the loss by this number, where the step computed it."""
        return self._related("d_" + self._own_name)

    @cached_property
    def update(self) -> Explanation | None:
        """What this number becomes by the update, where it is a state of the step."""
        return self._related(NEXT + self._own_name)

    @property
    def _own_name(self) -> str:
        return self.trace.graph.name_of(self.place.node)

    @property
    def change(self) -> float | None:
        """Δ: what the update adds to this number."""
        return None if self.update is None else float(self.update.value) - float(self.value)

    def parts(self) -> list[Explanation]:
        """The numbers it is made of, those in the largest terms first, each once."""
        found: dict[Place, None] = {}
        for term in sorted(self.terms, key=lambda term: -abs(term.value)):
            found.update(dict.fromkeys(term.places))
        return [open_place(self.trace, place) for place in found]

    def evaluate(self, expression: Expression) -> float:
        """The value of an expression in the step's numbers, in float64."""
        return float(read(expression, _InFloat64(self.trace)))

    def tree(self, depth: int | None = None) -> Branch:
        """What it is made of, as data to drill into.

        Parameters
        ----------
        depth : int, optional
            How many levels are opened; by default as many as are read with ease.
        """
        from chainrule.explanation.tree import grow

        return grow(self, depth)

    def report(self, depth: int | None = None, most: int = 8) -> Report:
        """What a surface prints of it, as data.

        Parameters
        ----------
        depth : int, optional
            How many levels are opened; by default as many as are read with ease.
        most : int
            How many terms of a sum have a line of their own.
        """
        from chainrule.explanation.printing.report import report_of

        return report_of(self, depth, most)

    def text(self, width: int = 80, depth: int | None = None, most: int = 8) -> str:
        """The report as plain text, in lines of at most `width` characters."""
        from chainrule.explanation.printing.text import lines_of

        return "\n".join(line.plain for line in lines_of(self.report(depth, most), width))

    def show(self, depth: int | None = None, most: int = 8, *, file: TextIO | None = None) -> None:
        """Print the report: in colour on a terminal, as plain text elsewhere.

        Parameters
        ----------
        depth, most
            As of `report`.
        file : text file, optional
            Standard output by default.
        """
        from chainrule.explanation.printing.terminal import show
        from chainrule.explanation.printing.text import lines_of

        report = self.report(depth, most)
        show(lambda width: lines_of(report, width), file)

    def as_data(self, depth: int | None = None, most: int = 8) -> dict[str, Any]:
        """The report as plain data: dicts, lists, texts and numbers."""
        from chainrule.explanation.printing.document import as_data

        return as_data(self.report(depth, most))

    def to_json(self, depth: int | None = None, most: int = 8) -> str:
        """The report as JSON; NaN and infinities are texts in it."""
        from chainrule.explanation.printing.document import as_json

        return as_json(self.report(depth, most))

    def latex(self, depth: int | None = None) -> str:
        """The derivation as an align block of LaTeX; amsmath sets it."""
        from chainrule.explanation.printing.latex_document import align_block

        return align_block(self.report(depth))

    def save(self, path: str | Path, depth: int | None = None, most: int = 8) -> None:
        """Write the report to a file, in the form that its ending says.

        Parameters
        ----------
        path : path
            ``.tex``: a document that compiles; ``.html``: a page without scripts; ``.json``;
            ``.txt``.
        depth, most
            As of `report`.

        Raises
        ------
        ConfigurationError
            If the ending is another.
        OSError
            As the system says; FolderNotFoundError is one.
        """
        from chainrule.explanation.printing.saving import EXPLANATION, save

        EXPLANATION.check(path)
        save(self.report(depth, most), Path(path))

    def _repr_html_(self) -> str:
        from chainrule.explanation.printing.notebook import fragment

        return fragment(self.report())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": self._repr_html_()}

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"Explanation({self.symbol} = {self.value})"

    def _related(self, name: str) -> Explanation | None:
        position = self.trace.graph.positions.get(name, self.trace.graph.labels.get(name))
        if position is None or self.trace.graph.nodes[position].shape != self._shape:
            return None
        return Explanation(self.trace, Place(position, self.place.index))

    @property
    def _shape(self) -> tuple[int, ...]:
        return self.trace.node(self.place).shape

    def _examples(self, parts: Sequence[Expression]) -> list[int | None]:
        """The example of each term, where they are one for each example of the batch."""
        none: list[int | None] = [None] * len(parts)
        if len(parts) < 2:
            return none
        found: list[int | None] = []
        for part in parts:
            batch = {
                place.index[axis]
                for place in leaves(part)
                for axis, size in enumerate(self.trace.node(place).shape)
                if getattr(size, "name", None)
            }
            if len(batch) != 1:
                return none
            found.append(batch.pop())
        return found if len(set(found)) == len(found) else none


def open_place(trace: Trace, place: Place) -> Explanation:
    """Open the number at a place; one that a composite gave, among what is inside of it."""
    if is_composite(trace.node(place)):
        position = trace.opened.graph.positions[name_inside(trace.graph, place.node)]
        return Explanation(trace.opened, Place(position, place.index))
    return Explanation(trace, place)


def _summands(expression: Expression) -> Iterator[Expression]:
    """The terms of nested sums and differences, in the order in which they are written."""
    stack = [(expression, False)]
    while stack:
        part, negative = stack.pop()
        match part:
            case Fold("add", items):
                stack.extend((item, negative) for item in reversed(list(items)))
            case Apply("add", (a, b)):
                stack.extend([(b, negative), (a, negative)])
            case Apply("sub", (a, b)):
                stack.extend([(b, not negative), (a, negative)])
            case Apply("neg", (a,)):
                stack.append((a, not negative))
            case Apply("mul", (Literal(scale), Fold("add", items))):
                # The mean over a batch: 0.1·(a + b) is what each example adds.
                scale = -scale if negative else scale
                yield from (tidy(Literal(scale) * item) for item in items)
            case _:
                yield apply("neg", part) if negative else part


def _factors(expression: Expression) -> list[Expression]:
    """The factors of nested products, in the order in which they are written."""
    found: list[Expression] = []
    stack = [expression]
    while stack:
        part = stack.pop()
        match part:
            case Apply("mul", (a, b)):
                stack.extend([b, a])
            case Apply("neg", (a,)):
                found.append(Literal(-1))
                stack.append(a)
            case _:
                found.append(part)
    return found


def _exact_sum(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return math.fsum(finite) if len(finite) == len(values) else float(np.sum(values))


def _is_of_floats(op: str) -> bool:
    declaration = OPS.get(op) if op in OPS else None
    return isinstance(declaration, Elementwise) and declaration.accepts == "float"


@dataclass(frozen=True)
class _InFloat64:
    """Reads an expression as a number, in double precision."""

    trace: Trace

    def leaf(self, leaf: Expression) -> Any:
        match leaf:
            case Number(place):
                value = self.trace.value(place)
                return np.float64(value) if value.dtype.kind == "f" else value
            case Literal(value):
                return value
        raise TypeError(f"{type(leaf).__name__} is no part of an explanation")

    def apply(self, op: str, arguments: Sequence[Any], dtype: DType | None) -> Any:
        if dtype is not None:
            number = np.asarray(arguments[0])
            return number.astype(np.float64 if dtype.is_float else dtype.numpy)[()]
        if _is_of_floats(op) or any(isinstance(argument, float) for argument in arguments):
            # Conversions are not written in a rule: the number of the step meets 0.9 as it is.
            arguments = [np.float64(a) if isinstance(a, np.integer) else a for a in arguments]
        with np.errstate(all="ignore"):
            return primitive("numpy", op, typed(arguments, DType.F64))

    def fold(self, op: str, items: Sequence[Any], order: str) -> Any:
        if op == "add":
            return np.float64(_exact_sum([float(item) for item in items]))
        return reduce(lambda a, b: self.apply(op, [a, b], None), items)
