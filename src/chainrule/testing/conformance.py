"""Hold an op to its declaration, and a backend to all of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from chainrule.autodiff import pullback
from chainrule.backends import Backend, get_backend
from chainrule.base.errors import (
    ChainruleError,
    ConformanceError,
    MissingKernelError,
    NotDifferentiableError,
)
from chainrule.graph import DType, Graph, Node, TensorType, parse_graph
from chainrule.ops import (
    OPS,
    BadSample,
    Builder,
    CompositeOp,
    Elementwise,
    format_expression,
    infer_type,
)
from chainrule.ops.composite import unfold
from chainrule.ops.elementwise import Marker
from chainrule.rewrite import expand_composites
from chainrule.testing.batching import batching_faults
from chainrule.testing.cases import Case, cases, float64_cases
from chainrule.testing.derivatives import Derivatives
from chainrule.testing.exact import evaluate
from chainrule.testing.values import bound_op, value_faults

_SHOWN_AT_MOST = 20


def check_op(name: str, backend: str | Backend = "numpy") -> None:
    """Hold one op to its declaration, on its samples.

    Parameters
    ----------
    name : str
        The op's name in the op table.
    backend : str or Backend
        Whose kernel is used.

    Raises
    ------
    ConformanceError
        With all that is wrong: a shape rule that is not the kernel's, bad operands that are
        accepted, a value that its terms do not give, a derivative that is not the terms', a
        kink with another derivative than is declared, a formula or graph that does not print, an
        axis of examples whose name stays although they are mixed, a batching rule that does not
        give what each example gives by itself.
    MissingKernelError
        If the backend cannot run the op, or the oracle lacks a primitive.

    Notes
    -----
    First and second derivatives are compared element by element in float64, with the terms
    differentiated at 50 digits and with finite differences of the kernel.
    """
    runner = get_backend(backend) if isinstance(backend, str) else backend
    _raise_if_any(f"The op {name} does not conform", list(op_faults(name, runner)))


def op_faults(name: str, backend: Backend) -> Iterator[str]:
    """Say what is wrong with an op, one line each."""
    declaration = OPS.get(name)
    for i, bad in enumerate(declaration.bad_samples):
        yield from _refusal_faults(name, i, bad)
    right = True
    for case in cases(name):
        yield from _text_faults(case)
        for fault in value_faults(case, backend):
            right = False
            yield fault
    # A wrong value makes wrong derivatives.
    for case in float64_cases(name) if right else ():
        if case.result.dtype.is_float:
            yield from _derivative_faults(case, backend)
            yield from _pullback_faults(case)
    for case in _one_case_for_each_sample(name) if right else ():
        yield from batching_faults(case, backend)
    if isinstance(declaration, Elementwise):
        yield from _kink_faults(declaration, backend)


def _one_case_for_each_sample(name: str) -> Iterator[Case]:
    # Where examples are does not depend on the dtype; f64 comes second where there is a choice.
    for _, group in itertools.groupby(cases(name), key=lambda case: case.label.partition(",")[0]):
        *_, last = itertools.islice(group, 2)
        yield last


def check_backend(backend: str | Backend) -> None:
    """Hold a backend to every op: each sample in each dtype, within bounds that rounding derives.

    Parameters
    ----------
    backend : str or Backend

    Raises
    ------
    ConformanceError
        With every op that has no kernel, and every element that is out of its bounds.
    """
    runner = get_backend(backend) if isinstance(backend, str) else backend
    missing: list[str] = []
    faults: list[str] = []
    for name in OPS:
        try:
            for case in cases(name):
                faults += [f"{name}, {fault}" for fault in value_faults(case, runner)]
        except MissingKernelError:
            missing.append(name)
    if missing:
        faults.insert(0, f"no kernel for: {', '.join(missing)}")
    _raise_if_any(f"The backend {runner.name} does not conform", faults)


def _raise_if_any(message: str, faults: list[str]) -> None:
    if faults:
        shown = faults[:_SHOWN_AT_MOST]
        if len(faults) > len(shown):
            shown.append(f"and {len(faults) - len(shown)} more")
        raise ConformanceError("\n  ".join([f"{message}:", *shown]))


def _refusal_faults(name: str, position: int, bad: BadSample) -> Iterator[str]:
    node = Node(name, tuple(range(len(bad.inputs))), (), DType.BOOL)
    node = replace(node, attributes=type(node.attributes)(bad.attributes))
    try:
        accepted = infer_type(node, bad.inputs)
    except ChainruleError as error:
        if str(error) != bad.message:
            yield f"bad sample {position} is refused with {str(error)!r}, not {bad.message!r}"
    else:
        yield f"bad sample {position} is accepted, as {accepted}"


def _text_faults(case: Case) -> Iterator[str]:
    for graph in (case.graph, expand_composites(case.graph).graph):
        if parse_graph(str(graph)) != graph or str(parse_graph(str(graph))) != str(graph):
            yield f"{case.label}: the graph does not read back from its text"
    op, _ = bound_op(case)
    if not op.formula() or "\n" in op.formula():
        yield f"{case.label}: the formula is no line: {op.formula()!r}"
    declaration = OPS.get(case.op)
    if isinstance(declaration, Elementwise):
        for i, partial in enumerate(declaration.partials):
            if not isinstance(partial, Marker) and not format_expression(
                declaration.bind({}).partial(i)
            ):
                yield f"{case.label}: partial {i} has no formula"


def _derivative_faults(case: Case, backend: Backend) -> Iterator[str]:
    try:
        derivatives = Derivatives(case, backend)
    except NotDifferentiableError:
        return  # and declared so
    for faults in (
        derivatives.first_faults(),
        derivatives.second_faults(),
        derivatives.transpose_faults(),
    ):
        found = list(faults)
        yield from found
        if found:
            return  # a wrong first derivative makes wrong second ones


def _pullback_faults(case: Case) -> Iterator[str]:
    """A composite's chosen pullback is the derived one: with 50 digits, to 40 of them."""
    op, _ = bound_op(case)
    if not (isinstance(op, CompositeOp) and op.has_pullback):
        return
    chosen, derived = pullback(case.graph), pullback(expand_composites(case.graph).graph)
    ones = np.ones(tuple(map(int, case.result.shape)))
    weights = ones.cumsum().reshape(ones.shape)  # 1, 2, 3, ...: no two outputs alike
    for output in chosen.outputs:
        for index in np.ndindex(*map(int, chosen.nodes[output.node].shape)):
            a, b = (
                evaluate(unfold(rule, rule.labels[output.label], index), [*case.arrays, weights])
                for rule in (chosen, derived)
            )
            if not abs(a - b) <= 1e-40 * max(1, abs(b)):
                yield (
                    f"{case.label}: {output.label}{list(index)} is {float(a):.12g} by the chosen "
                    f"pullback and {float(b):.12g} by the body's"
                )


def _kink_faults(declaration: Elementwise, backend: Backend) -> Iterator[str]:
    for kink in declaration.kinks:
        for dtype in (DType.F32, DType.F64):
            rule = pullback(_point_graph(declaration.name, len(kink.at), dtype))
            point = [np.asarray(value, dtype.numpy) for value in (*kink.at, 1.0)]
            got = [float(d) for d in backend.run(rule, point)]
            declared = [float(dtype.numpy.type(partial)) for partial in kink.partials]
            if got != declared:
                yield f"at the kink {kink.at} the partials are {got}, not {declared}"


def _point_graph(name: str, arity: int, dtype: DType) -> Graph:
    b = Builder()
    operands = [b.input(TensorType((), dtype), f"x{i}") for i in range(arity)]
    return b.build(name, {"y": b.apply(name, *operands)})
