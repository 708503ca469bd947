"""The reference has a page for every part; what stands on it is there, and is right."""

import importlib
import pkgutil
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import chainrule
from chainrule.autodiff import pullback
from chainrule.backends import get_backend
from chainrule.base.registry import Registry
from chainrule.eager import Tensor
from chainrule.ops import NOT_DIFFERENTIABLE, OPS, Elementwise
from chainrule.ops.expression import Symbol
from chainrule.optim import OPTIMIZERS
from chainrule.testing.cases import float64_cases
from chainrule.testing.exact import derivative
from docs.reference.compositions import composition_of, is_uncalled
from docs.reference.content import Figure, Formula, Formulas, Link, Prose
from docs.reference.elementwise import stated
from docs.reference.formulas import partial_of
from docs.reference.graph_ops import one_element
from docs.reference.kinds import KINDS
from docs.reference.optimizers import updates
from docs.reference.plots import svg
from docs.reference.site import page_files, read_site, write_site
from docs.reference.symbols import markup_of, partial
from tests.docs.pages import LINKS, Checked, calculate_line, lines, name_in_python, nested, page
from tests.ops.markup import calculate, python_of

WITHOUT_PAGES = {
    "backend": "nothing that a user writes down: the command line lists them",
    "rule of the doctor": "docs/doctor.md has a row for each",
}

FLOATS = [
    name
    for name, op in OPS.items()
    if isinstance(op, Elementwise)
    and op.accepts in ("float", "number")
    and op.returns is None
    and not op.condition
]
STRUCTURED = [name for name, op in OPS.items() if not isinstance(op, Elementwise)]
COMPOSITIONS = [link for link in LINKS if link.kind in ("layers", "losses", "penalties")]


def registries():
    """Every registry of the package; those inside of a backend are its own."""
    for found in pkgutil.walk_packages(chainrule.__path__, "chainrule."):
        if not found.name.endswith("__main__") and not found.name.startswith("chainrule.backends."):
            for thing in vars(importlib.import_module(found.name)).values():
                if isinstance(thing, Registry):
                    yield thing


def test_every_registered_part_has_a_page():
    with_pages = {id(kind.registry) for kind in KINDS.values()}
    missing = {r.kind for r in registries() if id(r) not in with_pages}
    assert missing == set(WITHOUT_PAGES)
    assert len(LINKS) == sum(len(kind.registry) for kind in KINDS.values())


# --- nothing is left blank ------------------------------------------------------------------------


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.path)
def test_no_page_has_a_blank(link):
    """What is missing here is missing in the declaration or its docstring: mend it there."""
    found = page(link)
    blank = [key for key in KINDS[link.kind].has if not found.blocks(key)]
    assert not blank, f"{link.path} lacks {', '.join(blank)}"
    assert link.kind == "ops" or re.sub("<.*?>", "", found.summary).strip()


@pytest.mark.parametrize("op", [n for n in OPS if isinstance(OPS.get(n), Elementwise)])
def test_elementwise_ops_say_all_there_is_to_say(op):
    found = page(Link("ops", op))
    for key in ("kinks", "domain", "accuracy", "source"):
        assert found.blocks(key), f"{op} lacks its {key}"
    shown = found.blocks("derivative")
    count = sum(len(block.lines) if isinstance(block, Formulas) else 1 for block in shown)
    assert count == OPS.get(op).arity
    assert op not in FLOATS or found.blocks("plot")


# --- formulas are what is computed ----------------------------------------------------------------


def attributes_of(op):
    """The defaults, by the names that they have in formulas."""
    return {name_in_python(name): value for name, value in op.defaults.items()}


def points_of(op):
    return list(zip(*(x.values for x in op.samples[0].inputs), strict=True))


@pytest.mark.parametrize("op", FLOATS)
def test_formula_shown_gives_the_values_computed(op):
    declaration = OPS.get(op)
    attributes = attributes_of(declaration)
    columns = [np.array(column, np.float64) for column in zip(*points_of(declaration), strict=True)]
    case = next(float64_cases(op))
    (computed,) = get_backend("numpy").run(case.graph, columns)
    (shown,) = lines(Link("ops", op), "formula")
    ulps = float(stated()["numpy"][op][1])
    for line in shown:
        for k, point in enumerate(points_of(declaration)):
            values = dict(zip(declaration.operands, map(float, point), strict=True))
            found = calculate(python_of(markup_of(line.right)), values | attributes)
            bound = max(ulps * np.spacing(abs(float(found))), np.finfo(float).tiny)
            assert abs(found - computed[k]) <= bound


@pytest.mark.parametrize("op", FLOATS)
def test_derivative_shown_is_that_of_the_op(op):
    """Beside a difference quotient of the op's value, with 50 digits."""
    declaration = OPS.get(op)
    bound = declaration.bind({})
    case = next(float64_cases(op))
    types = tuple(case.graph.nodes[i].type for i in case.graph.inputs)
    shown = {
        name_in_python(line.left.name): line
        for each in lines(Link("ops", op), "derivative")
        for line in each
    }
    for operand, name in enumerate(declaration.operands):
        if declaration.partials[operand] is NOT_DIFFERENTIABLE:
            continue
        line = shown.get(name_in_python(f"∂y/∂{name}"))
        assert (line is None) == hasattr(partial_of(declaration, operand), "meaning")
        for k, point in enumerate(points_of(declaration)):
            wanted = derivative(bound.terms(types, (k,)), case.arrays, (operand, (k,)))
            values = dict(zip(declaration.operands, map(float, point), strict=True))
            values |= attributes_of(declaration)
            ((formula, *_),) = lines(Link("ops", op), "formula")
            values["y"] = calculate(python_of(markup_of(formula.right)), values)
            found = 0 if line is None else calculate(python_of(markup_of(line.right)), values)
            assert abs(found - wanted) <= 1e-15 * abs(wanted) + 1e-18


def test_a_wrong_derivative_on_a_page_would_be_found(monkeypatch):
    y, shown = Symbol("y"), lines

    def wrong(link, key):
        return (
            [[Formula(partial("y", "x"), y * (2 - y))]] if key == "derivative" else shown(link, key)
        )

    monkeypatch.setitem(globals(), "lines", wrong)
    with pytest.raises(AssertionError):
        test_derivative_shown_is_that_of_the_op("sigmoid")


def is_shown(op):
    """Whether the op has a derivative."""
    return bool(lines(Link("ops", op), "derivative"))


def results_of(formulas, values):
    """The values of all lines, by name, each line read after those above it."""
    for line in formulas:
        values = {**values, name_in_python(line.left.name): calculate_line(line, values)}
    return values


def assert_shown(formulas, values, graph, arrays, renamed):
    """The lines give what the graph gives."""
    found = results_of(formulas, values | nested(graph))
    for output, wanted in zip(graph.outputs, get_backend("numpy").run(graph, arrays), strict=True):
        name = name_in_python(renamed.get(output.label, output.label))
        np.testing.assert_allclose(found[name], wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("op", STRUCTURED)
def test_element_shown_is_the_one_computed(op):
    element = one_element(OPS.get(op))
    if element is None:
        return  # too long to show, or a random word
    names = ["x"] if len(element.case.arrays) == 1 else [f"x{i}" for i in range(9)]
    values = elements(dict(zip(names, element.case.arrays, strict=False)))
    (computed,) = get_backend("numpy").run(element.case.graph, element.case.arrays)
    found = calculate_line(element.formula, values)
    np.testing.assert_allclose(found, computed[element.index], rtol=1e-6)


def elements(arrays):
    """Each element of arrays by the name it has in a formula: x_1_2."""
    return {
        name_in_python(f"{name}[{','.join(map(str, index))}]"): array[index]
        for name, array in arrays.items()
        for index in np.ndindex(array.shape)
    }


@pytest.mark.parametrize("op", STRUCTURED)
def test_pullback_shown_is_the_one_computed(op):
    if not is_shown(op):
        return
    case = next(case for case in float64_cases(op) if case.result.dtype.is_float)
    back = pullback(case.graph)
    d_y = np.linspace(-1, 2, case.result.size).reshape(tuple(map(int, case.result.shape)))
    arrays = [*case.arrays, d_y]
    alone = {"x0": "x", "d_x0": "d_x"} if len(case.arrays) == 1 else {}
    names = [name_in_python(alone.get(name, name)) for name in back.input_names]
    values = dict(zip(names, arrays, strict=True))
    assert_shown(lines(Link("ops", op), "derivative")[0], values, back, arrays, alone)


@pytest.mark.parametrize("link", COMPOSITIONS, ids=lambda link: link.path)
def test_layers_and_losses_show_what_they_compute_and_its_derivative(link):
    part = KINDS[link.kind].registry[link.name]
    if is_uncalled(part):
        return
    found = composition_of(part)
    assert found, "its docstring needs an Examples section that calls it"
    arrays = [tensor.numpy() for tensor in found.traced.inputs]
    names = map(name_in_python, found.graph.input_names)
    values = dict(zip(names, arrays, strict=True))
    whole, *_ = lines(link, "formula")
    assert_shown(whole, values, found.graph, arrays, {})
    for line, *_ in lines(link, "formula")[1:]:  # one element
        shown = calculate_line(line, elements(values))
        index = tuple(map(int, re.findall(r"\d+", line.left.name.partition("[")[2])))
        computed = get_backend("numpy").run(found.graph, arrays)[0]
        np.testing.assert_allclose(shown, computed[index], rtol=1e-12)
    for formulas in lines(link, "derivative"):
        back = pullback(found.graph)
        extra = {
            name: np.linspace(-1, 2, node.type.size).reshape(tuple(map(int, node.shape)))
            for name, node in zip(back.input_names, back.nodes, strict=False)
            if name not in found.graph.input_names
        }
        arrays_back = [*arrays, *extra.values()]
        values_back = values | {name_in_python(name): array for name, array in extra.items()}
        assert_shown(formulas, values_back, back, arrays_back, {})
        assert_slopes(found, arrays, back, arrays_back, extra)


def assert_slopes(found, arrays, back, arrays_back, extra):
    """Beside a difference quotient along one direction, in float64."""
    gradients = dict(zip(back.labels, get_backend("numpy").run(back, arrays_back), strict=True))
    rng = np.random.default_rng(3)
    directions = [
        rng.normal(size=a.shape) if f"d_{name}" in gradients else np.zeros_like(a)
        for name, a in zip(found.graph.input_names, arrays, strict=True)
    ]
    h = 1e-6

    def total(sign):
        moved = [
            a + (sign * h * d).astype(a.dtype) for a, d in zip(arrays, directions, strict=True)
        ]
        results = dict(
            zip(found.graph.labels, get_backend("numpy").run(found.graph, moved), strict=True)
        )
        return sum((results[name.removeprefix("d_")] * d).sum() for name, d in extra.items())

    wanted = sum(
        (gradients[f"d_{name}"] * d).sum()
        for name, d in zip(found.graph.input_names, directions, strict=True)
        if f"d_{name}" in gradients
    )
    # h² of the third derivative, and 1e-16/h of the value: some 1e-9 of numbers of order 1.
    assert (total(1) - total(-1)) / (2 * h) == pytest.approx(wanted, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_show_the_update_that_they_make(name):
    shown = lines(Link("optimizers", name), "formula")
    found = updates(OPTIMIZERS[name])
    assert len(shown) == len(found)
    rng = np.random.default_rng(5)
    shape = (4,) if OPTIMIZERS[name].rank is None else (3, 2)
    w, d_w = rng.normal(size=shape), rng.normal(size=shape)
    for formulas, update in zip(shown, found, strict=True):
        start = update.optimizer.initial_state({"w": Tensor(w)})
        state = {
            key: value + rng.uniform(0.1, 0.5, size=value.shape) for key, value in start.items()
        }
        for t in (0, 7):
            new_w, new_state = update.optimizer.apply(
                {"w": Tensor(w)},
                {"w": Tensor(d_w)},
                {key: Tensor(value) for key, value in state.items()},
                t=t,
                lr=0.1,
            )
            slots = {name_in_python(k.removeprefix("w:")): v for k, v in state.items()}
            values = {"w": w, "d_w": d_w, "t": t, "lr": 0.1, **slots, **numbers(update)}
            result = results_of(formulas, values)
            wanted = {"w": new_w["w"]} | {k.removeprefix("w:"): v for k, v in new_state.items()}
            for key, value in wanted.items():
                got = result.get(f"{name_in_python(key)}_new", result[name_in_python(key)])
                np.testing.assert_allclose(got, value.numpy(), rtol=1e-12, atol=1e-15)


def numbers(update):
    """The options by the names that formulas have for them."""
    return {name_in_python(name): value for name, value in update.numbers.items()}


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_pages_are_well_formed(kind):
    for link in KINDS[kind].links():
        for path, text in page_files(without_plots(page(link))):
            checked = Checked(text)
            assert not checked.faults, f"{path}: {checked.faults}"


def without_plots(found):
    """The same page, its plots not drawn: that takes longer than all the rest."""
    from dataclasses import replace

    return replace(
        found,
        sections=[
            replace(s, blocks=[b for b in s.blocks if not isinstance(b, Figure)])
            for s in found.sections
        ],
    )


@pytest.mark.parametrize(
    "path", ["ops/relu", "layers/Sigmoid", "losses/MSELoss", "schedules/StepLR"]
)
def test_plots_are_drawings_that_follow_the_theme(path):
    (figure, *_) = page(Link(*path.split("/"))).blocks("plot")
    text = svg(figure.plot)
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"(?:stroke|fill): #(?!0{6})\w+", text), "a colour that stays in the dark"
    assert text == svg(figure.plot), "the same text each time"


@pytest.mark.slow
def test_the_whole_site_holds_together(tmp_path):
    write_site(read_site(), tmp_path)
    pages = {path: Checked(path.read_text("utf-8")) for path in tmp_path.rglob("*.html")}
    assert len(pages) == len(LINKS) + 2
    for path, checked in pages.items():
        assert not checked.faults, path
        for image in checked.images:
            ET.fromstring((path.parent / image).read_text("utf-8"))
        for target in checked.links:
            file, _, anchor = target.partition("#")
            other = (path.parent / file).resolve() if file else path
            assert other.exists(), f"{path.name}: {target}"
            assert not anchor or anchor in pages[other].ids, f"{path.name}: {target}"
    reached = {
        (p.parent / t.partition("#")[0]).resolve() for p, c in pages.items() for t in c.links
    }
    assert set(pages) <= reached


def test_a_parameter_is_no_link_to_an_op_of_its_name():
    (found,) = page(Link("initializers", "trunc_normal")).blocks("parameters")
    text = "".join(html for _, _, html in found.entries)
    assert "<code>std</code>" in text
    assert "ops/std" not in text


def test_prose_has_no_markup_left_over():
    """A backquote or an underscore that docutils did not understand."""
    for link in LINKS:
        for section in page(link).sections:
            for block in section.blocks:
                if isinstance(block, Prose):
                    shown = re.sub(r"<pre.*?</pre>", "", block.html, flags=re.DOTALL)
                    assert "`" not in shown, (link.path, section.key)
