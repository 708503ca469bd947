"""Pages of layers and losses: what they compute in the example of their docstring, traced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.autodiff import pullback
from chainrule.base.errors import ChainruleError, ConfigurationError
from chainrule.eager import Tensor, grad
from chainrule.eager.traced import Traced, trace_function
from chainrule.eager.trees import leaves
from chainrule.graph import Graph
from chainrule.nn import Loss, Module, Penalty, training
from chainrule.ops import OPS, Elementwise
from chainrule.ops.composite import unfold
from chainrule.ops.expression import Symbol
from docs.reference.content import (
    Block,
    Figure,
    Formula,
    Formulas,
    Link,
    Linker,
    Links,
    Listing,
    Page,
    Section,
    Table,
    paragraph,
)
from docs.reference.docstrings import docstring_of
from docs.reference.elementwise import interrupted
from docs.reference.examples import Call, example_calls, traced_calls
from docs.reference.formulas import equations
from docs.reference.graph_ops import LONGEST, is_arithmetic, leaves_of, lines_of, ops_of
from docs.reference.plots import Curve, Plot
from docs.reference.symbols import name_elements
from docs.reference.text import described, page_of
from docs.reference.values import written

Part = Module | Loss | Penalty

_NARROW, _POINTS = 4.0, 161


@dataclass(frozen=True)
class Composition:
    """A call of a layer or loss, as a graph.

    Parameters
    ----------
    call : Call
    traced : Traced
    graph : Graph
        Its results only, without the state it assigns.
    """

    call: Call
    traced: Traced
    graph: Graph


def composition_of(cls: Any) -> Composition | None:
    """The last call in the class's examples; without one, a call with nothing but defaults."""
    calls = example_calls(cls, "__call__")
    if calls:
        return _traced(calls[-1])
    x = np.array([[0.4, -1.7, 2.3], [-0.2, 1.6, 0.7]])
    inputs = (x, np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.5]])) if issubclass(cls, Loss) else (x,)
    try:
        made: Part = cls()
        is_finite = np.isfinite(made(*inputs).numpy()).all()
        return _traced(Call(made, inputs, {}, None)) if is_finite else None
    except (ChainruleError, TypeError):
        return None


def is_uncalled(cls: Any) -> bool:
    """Whether it holds modules and is not called itself."""
    try:
        cls()(np.zeros((2, 3)))
    except ConfigurationError:
        return True
    except (ChainruleError, TypeError):
        return False
    return False


def _traced(call: Call) -> Composition:
    arguments = tuple(map(_in_f64, call.arguments))
    if isinstance(call.made, Module):
        call.made.astype("float64")
    mode = call.mode
    drawing = nullcontext() if mode is None else training(mode.seed, mode.step, mode.rows)
    with drawing:
        traced = trace_function(call.made, arguments, call.options)
    return Composition(call, traced, traced.graph_of(traced.results))


def _in_f64(argument: Any) -> Any:
    """Numbers in float64, so that a constant is shown as it is written."""
    if isinstance(argument, tuple):  # several inputs
        return tuple(map(_in_f64, argument))
    if isinstance(argument, dict):
        return {key: _in_f64(part) for key, part in argument.items()}
    array = argument.numpy() if isinstance(argument, Tensor) else np.asarray(argument)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def composition_page(link: Link, cls: type[Part], linker: Linker) -> Page:
    """Formula, derivative, plot, ops, text of a layer or a loss."""
    heading = "Layer" if issubclass(cls, Module) else "Loss" if issubclass(cls, Loss) else "Penalty"
    text = docstring_of(cls)
    if is_uncalled(cls):
        uncalled = [paragraph("It is not called itself: the modules in it are.")]
        return page_of(link, heading, cls, linker, (Section("formula", "Formula", uncalled),))
    found = composition_of(cls)
    sources = [f"{source}." for source in text.sources]
    ops: list[str] = []
    if found is not None:
        ops = list(ops_of(found.graph))
        if not sources:
            sources = [f"Of {op}: {OPS.get(op).source}." for op in ops if OPS.get(op).source]
    sections = (
        Section("formula", "Formula", _formula(found) if found else []),
        *_backward(cls, found),
        Section("plot", "Plot", _plots(cls, found) if found else []),
        Section("kinks", "Kinks", _kinks(found) if found else []),
        Section("ops", "Made of", _parts(ops) if found else []),
        Section("source", "Source", [paragraph(each) for each in sources]),
    )
    return page_of(link, heading, cls, linker, sections)


def _parts(ops: Sequence[str]) -> list[Block]:
    if not ops:
        return [paragraph("No op: it gives what it takes.")]
    return [Links([Link("ops", op) for op in ops])]


# --- formulas -------------------------------------------------------------------------------------


def _formula(found: Composition) -> list[Block]:
    graph = found.graph
    blocks: list[Block] = [
        paragraph(f"Computed by {described(found.call.made)}{_mode(found)}, on {_types(graph)}:"),
        Formulas(lines_of(graph)),
    ]
    element = _one_element(graph)
    if element is not None:
        blocks += [paragraph("One element, for instance:"), Formulas([element])]
    return [*blocks, Listing(str(graph), "The graph")]


def _mode(found: Composition) -> str:
    return " in training" if found.call.mode is not None else ""


def _types(graph: Graph) -> str:
    return ", ".join(f"{graph.name_of(i)}: {graph.nodes[i].type}" for i in graph.inputs)


def _one_element(graph: Graph) -> Formula | None:
    output = graph.outputs[0]
    shape = graph.nodes[output.node].shape
    if any(size == 0 for size in shape) or len(graph.outputs) > 1:
        return None
    index = (0,) * len(shape)
    terms = unfold(graph, output.node, index)
    if not (0 < leaves_of(terms) <= LONGEST and is_arithmetic(terms)):
        return None
    names = [graph.name_of(i) for i in graph.inputs]
    below = ",".join(map(str, index))
    return Formula(Symbol(f"{output.label}[{below}]"), name_elements(terms, names))


def _backward(cls: type[Part], found: Composition | None) -> list[Section]:
    derivative = Section("derivative", "Derivative", _derivative(found) if found else [])
    rule = _directions(cls)
    if not rule:
        return [derivative]
    return [
        Section("directions", "What the optimiser follows", rule),
        Section("derivative", "Derivative of what is shown", derivative.blocks),
    ]


def _directions(cls: type[Part]) -> list[Block]:
    """The rule of a loss that is learned by a rule of its own, traced as its example did."""
    if not issubclass(cls, Loss) or cls.directions is Loss.directions:
        return []
    call = traced_calls(cls, "directions")[0]
    net, inputs, target, _ = call.arguments
    examples = 2
    arrays = [np.zeros((examples, *map(int, x.shape[1:]))) for x in (*inputs, target)]
    net.astype("float64")

    def rule(*given: Tensor) -> Any:
        *x, t, share = given
        return call.made.directions(net, x, t, share)

    with training():
        traced = trace_function(rule, (*arrays, np.full(examples, 1 / examples)), {})
    labels = dict(
        zip(
            traced.results,
            (path for path, _ in leaves(traced.result, open_modules=False)),
            strict=True,
        )
    )
    taken = ["x"] if len(inputs) == 1 else [f"x{i}" for i in range(len(inputs))]
    names = {f"arg{i}": name for i, name in enumerate([*taken, "target", "share"])}
    lines = [
        Formula(Symbol(line.name), line.value, note=str(line.type))
        for line in equations(
            traced.graph_of(traced.results), names | {k: f"d_{v}" for k, v in labels.items()}
        )
    ]
    return [
        paragraph(
            "In the place of gradients, for a batch of two; share is each example's weight in "
            "the mean."
        ),
        Formulas(lines),
    ]


def _derivative(found: Composition) -> list[Block]:
    graph = found.graph
    if not any(graph.nodes[output.node].dtype.is_float for output in graph.outputs):
        return [paragraph("Not differentiable: it gives no floats.")]
    if not any(graph.nodes[i].dtype.is_float for i in graph.inputs):
        return [paragraph("Not differentiable: it takes no floats.")]
    back = pullback(graph)
    results = ", ".join(f"d_{output.label}" for output in graph.outputs)
    return [
        paragraph(f"The cotangents of what it takes, from {results}:"),
        Formulas(lines_of(back)),
        Listing(str(back), "The pullback as a graph"),
    ]


def _kinks(found: Composition) -> list[Block]:
    rows = [
        [node.op, *(written(value) for value in (kink.at[0], kink.partials[0]))]
        for node in found.graph.nodes
        if node.op in OPS
        for kink in _declared_kinks(node.op, dict(node.attributes.items()))
    ]
    if not rows:
        return []
    return [
        paragraph("The derivative of an op it is made of jumps, and is declared to be:"),
        Table(["Op", "at", "derivative"], rows, "Kinks"),
    ]


def _declared_kinks(op: str, attributes: dict[str, Any]) -> Iterator[Any]:
    declaration = OPS.get(op)
    if not isinstance(declaration, Elementwise) or declaration.arity != 1:
        return
    # Kinks are declared for the defaults; with other attributes they are elsewhere.
    if attributes == dict(declaration.defaults) or not attributes:
        yield from declaration.kinks


# --- plots ----------------------------------------------------------------------------------------


def _plots(cls: type[Part], found: Composition) -> list[Block]:
    if isinstance(found.call.made, Loss):
        return [Figure(plot) for plot in _loss_plots(cls.__name__, found)]
    plot = _layer_plot(cls.__name__, found) if isinstance(found.call.made, Module) else None
    return [Figure(plot)] if plot else []


def _layer_plot(name: str, found: Composition) -> Plot | None:
    """The layer as a function of one number, if each result depends on one element only."""
    graph, layer = found.graph, found.call.made
    floats = [graph.nodes[i] for i in graph.inputs]
    alike = len(graph.outputs) == 1 and graph.nodes[graph.outputs[0].node].type == floats[0].type
    ops = [OPS.get(op) for op in ops_of(graph)]
    elementwise = all(isinstance(op, Elementwise) or op.arity == 0 for op in ops)
    if not (alike and elementwise and len(floats) == 1):
        return None
    kinks = [
        kink
        for node in graph.nodes
        if node.op in OPS
        for kink in _declared_kinks(node.op, dict(node.attributes.items()))
    ]
    low = min([-_NARROW, *(kink.at[0] - 2 for kink in kinks)])
    high = max([_NARROW, *(kink.at[0] + 2 for kink in kinks)])
    x = np.unique(np.append(np.linspace(low, high, _POINTS), [kink.at[0] for kink in kinks]))
    y = layer(x[None]).numpy()[0]
    slope = grad(lambda t: layer(t).sum())(x[None]).numpy()[0]
    slope = np.where(np.isin(x, [kink.at[0] for kink in kinks]), np.nan, slope)
    return Plot(
        name=name,
        alternative=f"{name} and its derivative, from {low:g} to {high:g}",
        caption=f"{described(layer)}.",
        axis="x",
        x=x,
        curves=(Curve("y", interrupted(y)), Curve("∂y/∂x", interrupted(slope))),
        points=[(kink.at[0], kink.partials[0]) for kink in kinks] if len(ops) == 1 else [],
    )


def _loss_plots(name: str, found: Composition) -> Iterator[Plot]:
    """The first example's cost while its first output goes from one side to the other."""
    loss, arguments = found.call.made, list(map(_in_f64, found.call.arguments))
    first = [np.asarray(argument)[:1] for argument in arguments if not isinstance(argument, tuple)]
    if len(first) != len(arguments) or first[0].dtype.kind != "f" or found.call.options:
        return
    outputs = first[0]
    x = np.linspace(-_NARROW, _NARROW, _POINTS)
    cost, slope = np.full_like(x, np.nan), np.full_like(x, np.nan)
    place = (0,) * outputs.ndim
    for k, value in enumerate(x):
        moved = outputs.copy()
        moved[place] = value
        try:
            cost[k] = loss(moved, *first[1:]).numpy()[0]
            derivative = grad(lambda o: loss(o, *first[1:]).sum())(moved)
            slope[k] = derivative.numpy()[place]
        except ChainruleError:  # outside of what outputs may be
            continue
    if not np.isfinite(cost).any():
        return
    where = f"output[{','.join(map(str, place))}]"
    kept = np.isfinite(cost)
    x, cost, slope = x[kept], cost[kept], slope[kept]
    given = "; ".join(
        f"{label} = {np.array2string(np.asarray(array[0]), separator=', ')}"
        for label, array in zip(_input_names(found), [outputs, *first[1:]], strict=False)
    )
    yield Plot(
        name=name,
        alternative=(
            f"The cost of one example and its derivative while {where} goes from {x[0]:g} to "
            f"{x[-1]:g}"
        ),
        caption=f"The cost of one example, and its derivative, as {where} changes: {given}.",
        axis=where,
        x=x,
        curves=(Curve("cost", interrupted(cost)), Curve("derivative", interrupted(slope))),
    )


def _input_names(found: Composition) -> list[str]:
    return [found.graph.name_of(i) for i in found.graph.inputs]
