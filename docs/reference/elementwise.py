"""Pages of elementwise ops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from markupsafe import Markup

from chainrule.autodiff import pullback
from chainrule.backends import BACKENDS, get_backend
from chainrule.base.errors import DTypeError
from chainrule.graph import DType, TensorType
from chainrule.ops import NOT_DIFFERENTIABLE, Builder, Elementwise, Kink, format_expression
from chainrule.ops.elementwise import Marker
from chainrule.ops.expression import Symbol
from docs.reference.content import (
    Block,
    Figure,
    Formula,
    Formulas,
    Link,
    Links,
    Page,
    Section,
    Table,
    paragraph,
)
from docs.reference.formulas import partial_of, simplified, value_of, words_of
from docs.reference.paths import ACCURACY
from docs.reference.plots import Curve, Numbers, Plot
from docs.reference.symbols import partial
from docs.reference.values import written

_NARROW, _POINTS = 4.0, 481


def elementwise_page(link: Link, op: Elementwise) -> Page:
    """Formula, derivatives, plots, kinks, accuracy, samples of one elementwise op."""
    arguments = ", ".join([*op.operands, *(f"{k}={v!r}" for k, v in op.defaults.items())])
    kind = (
        "A word of the vocabulary that formulas are written in: each backend has a kernel for it."
    )
    return Page(
        link,
        heading="Elementwise op",
        signature=f"{op.name}({arguments})",
        summary=Markup(kind if op.is_primitive else ""),
        sections=(
            Section("formula", "Formula", _formula(op)),
            Section("derivative", "Derivative", _derivatives(op)),
            Section("plot", "Plot", [Figure(plot) for plot in _plots(op)]),
            Section("kinks", "Kinks", _kinks(op)),
            Section("domain", "Domain", _domain(op)),
            Section("accuracy", "Accuracy", _accuracy(op)),
            Section("samples", "Samples", _samples(op)),
            Section("refusals", "What it refuses", _refusals(op)),
            Section("ops", "Made of", _words(op)),
            Section("source", "Source", [paragraph(f"{op.source}.")] if op.source else []),
        ),
    )


# --- formulas -------------------------------------------------------------------------------------


def _formula(op: Elementwise) -> list[Block]:
    y, value = Symbol("y"), value_of(op)
    short = simplified(value)
    lines = [Formula(y, short)]
    if format_expression(short) != format_expression(value):
        lines.append(Formula(y, value, note="as it is computed"))
    return [Formulas(lines)]


def _derivatives(op: Elementwise) -> list[Block]:
    lines: list[Formula] = []
    others: list[Block] = []
    for i, operand in enumerate(op.operands):
        rule = partial_of(op, i)
        name = partial("y", operand)
        if isinstance(rule, Marker):
            others.append(paragraph(f"In {operand}: {rule.meaning}."))
        else:
            lines.append(Formula(name, simplified(rule)))
    return [*([Formulas(lines)] if lines else []), *others]


def _words(op: Elementwise) -> list[Block]:
    """The ops that its formulas are written with."""
    written_with = [value_of(op)] if op.formula else []
    for i in range(op.arity):
        rule = partial_of(op, i)
        if not isinstance(rule, Marker):
            written_with.append(rule)
    words = sorted({word for formula in written_with for word in words_of(formula)})
    return [Links([Link("ops", word) for word in words])] if words else []


# --- plots ----------------------------------------------------------------------------------------


def _plots(op: Elementwise) -> Iterator[Plot]:
    if op.accepts in ("bool", "integer") or op.returns is not None or op.condition:
        return
    for operand in range(op.arity):
        if op.partials[operand] is NOT_DIFFERENTIABLE:
            continue
        yield _plot(op, operand)


def _plot(op: Elementwise, operand: int) -> Plot:
    """The op and its derivative along one operand, the others at a declared sample."""
    x = _axis(op, operand)
    fixed = _fixed(op)
    columns = [x if i == operand else np.full_like(x, v) for i, v in enumerate(fixed)]
    y, *slopes = evaluate(op, columns)
    slope = slopes[operand]
    for kink in op.kinks:
        jump = np.isclose(x, kink.at[operand], rtol=0, atol=1e-9)
        if op.arity == 1:
            slope = np.where(jump, np.nan, slope)
    y, slope = interrupted(y), interrupted(slope)
    name = op.operands[operand]
    given = ", ".join(
        f"{other} = {written(value)}"
        for i, (other, value) in enumerate(zip(op.operands, fixed, strict=True))
        if i != operand
    )
    points = [(kink.at[0], kink.partials[0]) for kink in op.kinks] if op.arity == 1 else []
    told = [f"With {given}."] if given else []
    if points:
        told.append("The points are the derivatives declared at kinks.")
    return Plot(
        name=f"{op.name}-{name}",
        alternative=f"{op.name} and its derivative in {name}, from {x[0]:g} to {x[-1]:g}",
        caption=" ".join(told),
        axis=name,
        x=x,
        curves=(Curve("y", y), Curve(f"∂y/∂{name}", slope)),
        points=points,
    )


def _axis(op: Elementwise, operand: int) -> Numbers:
    """From -4 to 4, or further where there are kinks, inside the domain."""
    kinks = [kink.at[operand] for kink in op.kinks] if op.arity == 1 else []
    low = min([-_NARROW, *(kink - 2 for kink in kinks)])
    high = max([_NARROW, *(kink + 2 for kink in kinks)])
    if operand == 0:
        low, high = max(low, op.domain.low), min(high, op.domain.high)
    x = np.linspace(low, high, _POINTS)
    if operand == 0 and not op.domain.closed:
        inside = (x > op.domain.low) & (x < op.domain.high)
        x = x[inside]
    return np.unique(np.append(x, [kink for kink in kinks if low < kink < high]))


def _fixed(op: Elementwise) -> tuple[float, ...]:
    """Operands of size one, from the declared samples."""
    rows = list(zip(*(operand.values or () for operand in op.samples[0].inputs), strict=True))
    near = [row for row in rows if all(0 < abs(value) <= _NARROW for value in row)]
    return (near or rows)[0]


def interrupted(y: Numbers) -> Numbers:
    """Cut the line where it jumps: what a pen would draw there is not on the graph."""
    y = np.where(np.isfinite(y), y, np.nan)
    step = np.abs(np.diff(y))
    ordinary = np.nanmedian(step) if np.isfinite(step).any() else 0.0
    jumps = np.flatnonzero(step > max(50 * ordinary, 0.25))
    y = y.copy()
    y[jumps + 1] = np.nan
    return y


def evaluate(op: Elementwise, columns: Sequence[Numbers]) -> list[Numbers]:
    """The op's values on the first backend, then its derivative in each operand, in f64."""
    b = Builder()
    kind = TensorType(columns[0].shape, DType.F64)
    operands = [b.input(kind, name) for name in op.operands]
    graph = b.build(op.name, {"y": b.apply(op.name, *operands)})
    backend = get_backend(next(iter(BACKENDS)))
    with np.errstate(all="ignore"):
        (y,) = backend.run(graph, list(columns))
        slopes = backend.run(pullback(graph), [*columns, np.ones_like(y)])
    return [y, *slopes]


# --- facts ----------------------------------------------------------------------------------------


def _kinks(op: Elementwise) -> list[Block]:
    if not op.kinks:
        return [paragraph("None.")]
    head = [*op.operands, *(f"∂y/∂{name}" for name in op.operands)]
    rows = [_kink_row(kink) for kink in op.kinks]
    sentence = "There the derivative jumps, and is declared to be:"
    if op.arity == 2:
        sentence = "The derivative jumps at points like these, and is declared to be:"
    return [paragraph(sentence), Table(head, rows, "Kinks")]


def _kink_row(kink: Kink) -> list[str]:
    return [written(value) for value in (*kink.at, *kink.partials)]


def _domain(op: Elementwise) -> list[Block]:
    dtypes = {
        "float": "f32, f64",
        "number": "f32, f64, i32, i64, u32",
        "integer": "i32, i64, u32",
        "bool": "bool",
        "any": "f32, f64, i32, i64, u32, bool",
    }[op.accepts]
    result = op.returns.value if op.returns else "that of the operands"
    rows = [["Defined for", str(op.domain)], ["Operands", dtypes], ["Result", result]]
    return [Table(["", ""], rows, "Domain and dtypes")]


def _accuracy(op: Elementwise) -> list[Block]:
    rows = [
        [backend, *bounds[op.name]] for backend, bounds in stated().items() if op.name in bounds
    ]
    if not rows:
        return [paragraph("Exact: nothing is rounded.")]
    sentence = (
        "At most so many units in the last place from the exact result, "
        "on the range of the samples and over all magnitudes; 0.5 is correct rounding."
    )
    return [paragraph(sentence), Table(["", "f32", "f64"], rows, "Accuracy")]


@cache
def stated() -> dict[str, dict[str, tuple[str, str]]]:
    """For each backend, each op's bounds in f32 and f64: the figures that tests hold."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for path in sorted(ACCURACY.glob("*.txt")):
        lines = path.read_text(encoding="utf-8").splitlines()[2:]
        found[path.stem] = {op: (f32, f64) for op, f32, f64 in map(str.split, lines)}
    return found


def _samples(op: Elementwise) -> list[Block]:
    points = list(zip(*(operand.values or () for operand in op.samples[0].inputs), strict=True))
    in_floats = op.accepts in ("float", "number") and op.returns is None and not op.condition
    if not in_floats:
        return [
            Table(list(op.operands), [list(map(written, point)) for point in points], "Samples")
        ]
    columns = [np.array(column, np.float64) for column in zip(*points, strict=True)]
    y, *slopes = evaluate(op, columns)
    shown = [i for i, rule in enumerate(op.partials) if rule is not NOT_DIFFERENTIABLE]
    head = [*op.operands, "y", *(f"∂y/∂{op.operands[i]}" for i in shown)]
    every = [*columns, y, *(slopes[i] for i in shown)]
    rows = [[written(float(column[k])) for column in every] for k in range(len(points))]
    return [Table(head, rows, "Samples: what every backend is tested on, in f64 here")]


def _refusals(op: Elementwise) -> list[Block]:
    shapes = [[", ".join(map(str, bad.inputs)), bad.message] for bad in op.bad_samples]
    dtypes = [[f"{dtype.value}[3]", message] for dtype in DType if (message := _refused(op, dtype))]
    if not shapes and not dtypes:
        return [paragraph("Nothing: it takes values of every dtype.")]
    return [Table(["Operands", "Message"], [*shapes, *dtypes], "What it refuses")]


def _refused(op: Elementwise, dtype: DType) -> str | None:
    """What it says to operands of this dtype, if it refuses them."""
    operands = [TensorType((3,), dtype)] * op.arity
    if op.condition:
        operands[0] = TensorType((3,), DType.BOOL)
    try:
        op.bind({}).infer(tuple(operands))
    except DTypeError as error:
        return str(error)
    return None
