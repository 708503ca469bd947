"""Pages of structural ops and of composites: what one element is made of, and the way back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from markupsafe import Markup

from chainrule.autodiff import pullback
from chainrule.graph import AttributeValue, Graph, TensorType
from chainrule.graph.printer import format_attribute
from chainrule.ops import OPS, Composite, CompositeOp, Declaration, Elementwise, Op, Sample, bind
from chainrule.ops.expression import Apply, Element, Expression, Fold, Literal, Symbol
from chainrule.ops.table import Structural
from chainrule.testing.cases import Case, cases, float64_cases, sample_graph
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
from docs.reference.docstrings import docstring_of, html_of, inline_html_of
from docs.reference.formulas import equations, words_of
from docs.reference.symbols import name_elements

LONGEST = 40  # leaves of one element's formula


def structural_page(link: Link, op: Structural, linker: Linker) -> Page:
    """Docstring, one element, pullback, samples and refusals of an op that is a class."""
    text = docstring_of(op.op)
    name = op.name
    options = [field.name for field in dataclasses.fields(cast(Any, op.op))]
    operands = ["x", "..."] if op.arity is None else _operands(op.arity)
    notes = [Prose(html_of(part, linker, name)) for part in (text.text, text.notes) if part]
    return Page(
        link,
        heading="Structural op",
        signature=f"{name}({', '.join([*operands, *options])})",
        summary=inline_html_of(text.summary, linker, name),
        sections=(
            Section("notes", "Notes", notes),
            *_sections(op),
        ),
    )


def composite_page(link: Link, op: Composite, linker: Linker) -> Page:
    """Body, one element, pullback, samples and refusals of an op that is a graph of others."""
    return Page(
        link,
        heading="Composite op",
        signature=_signature(op),
        summary=Markup("A graph of smaller ops that is printed, differentiated and opened as one."),
        sections=_sections(op),
    )


def _signature(op: Composite) -> str:
    attributes = dict.fromkeys(key for sample in op.samples for key in sample.attributes)
    return f"{op.name}({', '.join([*_operands(op.arity or 1), *attributes])})"


def _operands(count: int) -> list[str]:
    """What formulas call the operands."""
    return ["x"] if count == 1 else [f"x{i}" for i in range(count)]


def _sections(op: Declaration) -> tuple[Section, ...]:
    return (
        Section("formula", "Formula", _formula(op)),
        Section("derivative", "Derivative", _derivative(op)),
        Section("samples", "Samples", _samples(op)),
        Section("refusals", "What it refuses", _refusals(op)),
        Section("ops", "Made of", _parts(op)),
        Section("source", "Source", [paragraph(f"{op.source}.")] if op.source else []),
    )


# --- value ----------------------------------------------------------------------------------------


def _formula(op: Declaration) -> list[Block]:
    first = op.samples[0]
    blocks: list[Block] = [
        Prose(Markup('<p class="line">{}</p>').format(_bound(op, first).formula()))
    ]
    element = one_element(op)
    if element is not None:
        blocks += [paragraph("One element, for instance:"), Formulas([element.formula])]
    if isinstance(op, Composite):
        types = tuple(operand.type for operand in first.inputs)
        body = CompositeOp.body(_composite(op, first), types)
        blocks += [
            paragraph(f"Its body, for {_described(first)}:"),
            Formulas(lines_of(body)),
            Listing(str(body), "The body as a graph"),
        ]
    return blocks


def _composite(op: Composite, sample: Sample) -> CompositeOp:
    bound = _bound(op, sample)
    assert isinstance(bound, CompositeOp)
    return bound


def _bound(op: Declaration, sample: Sample) -> Op:
    return bind(op.name, sample.attributes)


@dataclasses.dataclass(frozen=True)
class OneElement:
    """One element of a case's result, written out."""

    case: Case
    index: tuple[int, ...]
    formula: Formula


def one_element(op: Declaration) -> OneElement | None:
    """The last element of the first sample whose formula is short; None where none is."""
    for case in cases(op.name):
        index = tuple(int(size) - 1 for size in case.result.shape)
        if any(i < 0 for i in index):
            continue
        node = case.graph.nodes[-1]
        types = tuple(case.graph.nodes[i].type for i in node.inputs)
        terms = bind(op.name, node.attributes).terms(types, index)
        if 0 < leaves_of(terms) <= LONGEST and is_arithmetic(terms):
            names = _operands(len(types))
            y = Symbol(f"y[{','.join(map(str, index))}]")
            return OneElement(case, index, Formula(y, name_elements(terms, names)))
    return None


def leaves_of(expression: Expression) -> int:
    """How many leaves are printed; it stops counting when there are too many."""
    count, stack = 0, [expression]
    while stack and count <= LONGEST:
        part = stack.pop()
        match part:
            case Apply(_, arguments):
                stack += arguments
            case Fold(_, items):
                if len(items) > LONGEST:
                    return LONGEST + 1
                stack += items
            case Element() | Literal() | Symbol():
                count += 1
    return count


def is_arithmetic(expression: Expression) -> bool:
    """Whether all of it is arithmetic, and none a random word."""
    words = words_of(expression)
    return all(isinstance(OPS.get(word), Elementwise) or OPS.get(word).arity == 1 for word in words)


def lines_of(graph: Graph) -> list[Formula]:
    """A graph as formulas, each with the type of its value."""
    names = {"x0": "x", "d_x0": "d_x"} if list(graph.input_names).count("x1") == 0 else {}
    return [
        Formula(Symbol(line.name), line.value, note=str(line.type))
        for line in equations(graph, names)
    ]


def _parts(op: Declaration) -> list[Block]:
    if not isinstance(op, Composite):
        return []
    first = op.samples[0]
    body = _composite(op, first).body(tuple(operand.type for operand in first.inputs))
    return [Links([Link("ops", name) for name in ops_of(body)])]


# --- derivative -----------------------------------------------------------------------------------


def _derivative(op: Declaration) -> list[Block]:
    case = next((case for case in float64_cases(op.name) if case.result.dtype.is_float), None)
    if case is None:
        return [paragraph("Not differentiable: it takes or gives no floats.")]
    back = pullback(case.graph)
    taken = ", ".join(str(case.graph.nodes[i].type) for i in case.graph.inputs)
    how = "The cotangents of its operands, from that of its result"
    if isinstance(op, Composite):
        chosen = "chosen by hand, and tested equal to that of the body"
        derived = "derived from the body by the chain rule"
        how += f" ({derived if op.pullback is None else chosen})"
    return [
        paragraph(f"{how}, for {taken}:"),
        Formulas(lines_of(back)),
        Listing(str(back), "The pullback as a graph"),
    ]


# --- samples --------------------------------------------------------------------------------------


def _described(sample: Sample) -> str:
    types = ", ".join(str(operand.type) for operand in sample.inputs)
    options = ", ".join(f"{key}={_attribute(value)}" for key, value in sample.attributes.items())
    return ", ".join(filter(None, (types, options))) or "no operands"


def _attribute(value: AttributeValue) -> str:
    return value.name if isinstance(value, Graph) else format_attribute(value)


def _samples(op: Declaration) -> list[Block]:
    rows = []
    for sample in op.samples:
        graph = sample_graph(op.name, sample)
        rows.append([_described(sample), str(graph.nodes[-1].type)])
    return [Table(["Operands and attributes", "Result"], rows, "Samples")]


def _refusals(op: Declaration) -> list[Block]:
    rows = [[_described_bad(bad.inputs, bad.attributes), bad.message] for bad in op.bad_samples]
    if not rows:
        return [paragraph("Nothing.")]
    return [Table(["Operands and attributes", "Message"], rows, "What it refuses")]


def _described_bad(types: Sequence[TensorType], attributes: Mapping[str, AttributeValue]) -> str:
    shown = [*map(str, types), *(f"{key}={_attribute(value)}" for key, value in attributes.items())]
    return ", ".join(shown) or "no operands"


def ops_of(graph: Graph) -> Iterator[str]:
    """The ops that a graph is made of, in its order, each once."""
    yield from dict.fromkeys(node.op for node in graph.nodes if node.op in OPS)
